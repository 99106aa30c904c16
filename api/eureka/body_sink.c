// SPDX-License-Identifier: Apache-2.0
#include "body_sink_priv.h"

// What stands around the applications. The version is in it, so that it is never what it was.
static void put_frame(body_sink *sink, const ist_buf *text)
{
    if (sink->packer != NULL) {
        ist_api_packer_frame(sink->packer, ist_buf_view(text));
    } else {
        ist_buf_append_strv(sink->out, ist_buf_view(text));
    }
    sink->status = sink->status == IST_OK ? ist_buf_status(text) : sink->status;
}

void body_sink_begin(body_sink *sink, int64_t version, const char *hash_code)
{
    ist_buf text = IST_BUF_INIT;
    if (sink->packer != NULL) {
        ist_api_packer_begin(sink->packer, sink->out);
    }
    eureka_write_begin(&text, sink->format, version, hash_code);
    put_frame(sink, &text);
    ist_buf_done(&text);
}

void body_sink_app(body_sink *sink, ist_strv name, const ist_buf *text)
{
    ist_strv separator = eureka_separator(sink->format, !sink->begun);
    sink->begun = true;
    if (sink->packer != NULL) {
        ist_api_packer_record(sink->packer, name);
        ist_api_packer_text(sink->packer, separator);
        ist_api_packer_text(sink->packer, ist_buf_view(text));
    } else {
        ist_buf_append_strv(sink->out, separator);
        ist_buf_append_strv(sink->out, ist_buf_view(text));
    }
    sink->status = sink->status == IST_OK ? ist_buf_status(text) : sink->status;
}

ist_status body_sink_end(body_sink *sink)
{
    ist_buf text = IST_BUF_INIT;
    eureka_write_end(&text, sink->format);
    put_frame(sink, &text);
    ist_buf_done(&text);
    ist_status status = sink->packer != NULL ? ist_api_packer_end(sink->packer) : ist_buf_status(sink->out);
    return sink->status != IST_OK ? sink->status : status;
}
