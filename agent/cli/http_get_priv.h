// SPDX-License-Identifier: Apache-2.0
//
// One HTTP/1.1 GET, or POST without a body, over a plain socket (RFC 9112): connection closed after it,
// Content-Length, chunked or end of connection, a deadline for all of it, a maximum size. Enough for the agent's admin
// port, and nothing more.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"

typedef struct cli_http_request {
    ist_strv host;      // numeric address or "localhost"
    uint16_t port;
    const char *target; // "/v1/status"
    bool post;          // not GET: it changes something
    int64_t timeout_ms;
} cli_http_request;

typedef struct cli_http_answer {
    uint32_t status;
    bool from_isthmus; // it carries X-Isthmus-Revision
    ist_buf body;      // the caller's: ist_buf_done
} cli_http_answer;

// IST_EINVAL: no address; IST_EIO, IST_EACCES: the text says why in words; IST_ETIMEOUT; IST_EPARSE: what answers speaks no
// HTTP; IST_ECLOSED: it ended in the middle; IST_ELIMIT; IST_ENOMEM. *ret_answer is untouched then.
ist_status cli_http_get(const cli_http_request *request, cli_http_answer *ret_answer, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;

// The parser by itself: all the bytes of a connection that has ended.
ist_status cli_http_parse(ist_strv bytes, cli_http_answer *ret_answer, ist_err *err) IST_NONNULL_ARGS(2) IST_MUSTCHECK;
