// SPDX-License-Identifier: Apache-2.0
//
// gRPC's reasons in words that say what to do. Pure.
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/strv.h"

#define IST_XDS_GRPC_EXPLAIN_SIZE 320 // text and NUL; the client above shows 300 characters

typedef struct ist_xds_grpc_situation {
    const char *target;        // "ipv4:10.0.0.1:15012"
    const char *expected_name; // that the certificate should bear
    const char *root_file;     // NULL = plaintext
    const char *token_file;    // NULL = no token
    bool opened;               // the connection stood, the headers were out
} ist_xds_grpc_situation;

// Why a stream ended with this gRPC status and these details, into a buffer of IST_XDS_GRPC_EXPLAIN_SIZE. Returns the
// status to report: a certificate that we refuse is UNAUTHENTICATED, which gRPC calls UNAVAILABLE.
int ist_xds_grpc_explain(const ist_xds_grpc_situation *situation, int grpc_status, ist_strv details, char *text)
    IST_NONNULL IST_MUSTCHECK;
