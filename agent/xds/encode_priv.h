// SPDX-License-Identifier: Apache-2.0
//
// Writing protobuf's wire format into a buffer; for the requests, whose lists of names are never held as a message.
#pragma once

#include "base/buf.h"
#include "base/strv.h"

void ist_xds_encode_number(ist_buf *out, uint32_t field, uint64_t value) IST_NONNULL; // varint
void ist_xds_encode_text(ist_buf *out, uint32_t field, ist_strv bytes) IST_NONNULL;   // string, bytes, message
