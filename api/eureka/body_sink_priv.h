// SPDX-License-Identifier: Apache-2.0
//
// Where the applications of a list are written to: a plain body, or a packer. Begin, applications, end; errors stick.
// Threads: the HTTP thread.
#pragma once

#include "write_priv.h"

#include "api_core/pack.h"

typedef struct body_sink {
    eureka_format format;
    eureka_detail detail;
    ist_buf *out;
    ist_api_packer *packer; // NULL: plain
    bool begun;             // there is an application already
    ist_status status;
} body_sink;

void body_sink_begin(body_sink *sink, int64_t version, const char *hash_code);
void body_sink_app(body_sink *sink, ist_strv name, const ist_buf *text);
// IST_ENOMEM: *out is to be thrown away.
ist_status body_sink_end(body_sink *sink) IST_MUSTCHECK;
