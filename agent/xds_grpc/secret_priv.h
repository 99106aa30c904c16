// SPDX-License-Identifier: Apache-2.0
//
// The files that say who istiod is (root certificate) and who we are (token). The kubelet replaces them at any time, so
// they are read for every stream. A text is the caller's, freed with ist_xds_grpc_secret_free, which wipes it.
#pragma once

#include "base/attr.h"
#include "base/status.h"

#define IST_XDS_GRPC_MAX_TOKEN_BYTES ((size_t)64 << 10)
#define IST_XDS_GRPC_MAX_ROOT_BYTES ((size_t)1 << 20)

// "Bearer TOKEN", spaces and line ends around the token dropped. What is missing, empty, too long or no header value is
// an error that names the file and what to do.
ist_status ist_xds_grpc_read_bearer(const char *file, char **ret_text, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// A file with at least one PEM certificate.
ist_status ist_xds_grpc_read_root(const char *file, char **ret_text, ist_err *err) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_xds_grpc_secret_free(char *text);
