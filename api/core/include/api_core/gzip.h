// SPDX-License-Identifier: Apache-2.0
//
// Packing of bodies (RFC 1952), for clients that offer to unpack them. The only place with zlib.
// Packed once, sent often: whoever keeps a body keeps its packed form too.
// Ownership: what is packed is borrowed, the result is appended to the caller's buffer. Threads: any, there is no state.
#pragma once

#include "api_core/http.h"

// Does the client offer to unpack gzip (Accept-Encoding, RFC 9110 section 12.5.3)? Without the header it does not.
bool ist_api_accepts_gzip(const ist_api_request *request) IST_NONNULL;
// Appends the packed form of `plain`. IST_ENOMEM, IST_ELIMIT; *out is then to be thrown away.
ist_status ist_api_gzip(ist_strv plain, ist_buf *out) IST_NONNULL_ARGS(2) IST_MUSTCHECK;
