// SPDX-License-Identifier: Apache-2.0
//
// A channel for one stream: credentials and settings. Never NULL: what gRPC cannot use becomes a channel whose calls
// fail with the reason.
#pragma once

#include "stream_priv.h"

grpc_channel *ist_xds_grpc_channel_new(const ist_xds_grpc_stream_args *args)
    IST_NONNULL IST_RETURNS_NONNULL IST_MUSTCHECK;
