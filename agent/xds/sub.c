// SPDX-License-Identifier: Apache-2.0
#include "sub_priv.h"

#include "encode_priv.h"

#define STATUS_INVALID_ARGUMENT 3
#define HEAD_TEXT_MAX 65536

enum { STATUS_CODE = 1, STATUS_MESSAGE = 2 };

// envoy.service.discovery.v3.DiscoveryRequest and DeltaDiscoveryRequest.
enum { SOTW_VERSION = 1, SOTW_NODE = 2, SOTW_NAMES = 3, SOTW_TYPE_URL = 4, SOTW_NONCE = 5, SOTW_ERROR = 6 };
enum {
    DELTA_NODE = 1,
    DELTA_TYPE_URL = 2,
    DELTA_SUBSCRIBE = 3,
    DELTA_UNSUBSCRIBE = 4,
    DELTA_NONCE = 6,
    DELTA_ERROR = 7
};

ist_status ist_xds_sub_init(ist_xds_sub *sub, ist_xds_type type)
{
    *sub = (ist_xds_sub){.type = type, .nonce = IST_BUF_INIT, .version = IST_BUF_INIT, .error = IST_BUF_INIT};
    sub->nonce.max_bytes = HEAD_TEXT_MAX;
    sub->version.max_bytes = HEAD_TEXT_MAX;
    sub->error.max_bytes = IST_XDS_REJECT_TEXT_MAX;
    if (type != IST_XDS_EDS && type != IST_XDS_RDS) {
        return IST_OK;
    }
    sub->names = ist_xds_names_new();
    return sub->names != NULL ? IST_OK : IST_ENOMEM;
}

void ist_xds_sub_done(ist_xds_sub *sub)
{
    ist_xds_names_free(sub->names);
    ist_buf_done(&sub->nonce);
    ist_buf_done(&sub->version);
    ist_buf_done(&sub->error);
}

ist_status ist_xds_sub_reset(ist_xds_sub *sub)
{
    sub->requested = false;
    sub->answered = false;
    sub->waiting = false;
    sub->unanswered = false;
    sub->reply = IST_XDS_REPLY_NONE;
    ist_buf_clear(&sub->nonce);
    return sub->names != NULL ? ist_xds_names_resubscribe(sub->names) : IST_OK;
}

static ist_status set_text(ist_buf *buf, ist_strv text)
{
    ist_buf_clear(buf);
    ist_buf_append_strv(buf, text);
    return ist_buf_status(buf);
}

static ist_status take_note(ist_xds_sub *sub, ist_strv nonce)
{
    sub->answered = true;
    sub->waiting = false;
    sub->unanswered = false;
    return set_text(&sub->nonce, nonce);
}

ist_status ist_xds_sub_accept(ist_xds_sub *sub, ist_strv nonce, ist_strv version)
{
    ist_status status = take_note(sub, nonce);
    if (status == IST_OK) {
        status = set_text(&sub->version, version);
    }
    sub->reply = IST_XDS_REPLY_ACK;
    ist_buf_clear(&sub->error);
    return status;
}

ist_status ist_xds_sub_reject(ist_xds_sub *sub, ist_strv nonce, ist_strv why)
{
    ist_status status = take_note(sub, nonce);
    if (status == IST_OK) {
        status = set_text(&sub->error, why);
    }
    sub->reply = IST_XDS_REPLY_NACK;
    return status;
}

// Not yet asked for, and there is something to ask for.
static bool must_begin(const ist_xds_sub *sub)
{
    return sub->wanted && !sub->requested && (sub->names == NULL || ist_xds_names_joins(sub->names));
}

bool ist_xds_sub_has_request(const ist_xds_sub *sub)
{
    return sub->reply != IST_XDS_REPLY_NONE || must_begin(sub) ||
           (sub->requested && sub->names != NULL && ist_xds_names_is_pending(sub->names));
}

// A subscription that is still to be sent will be answered; names that leave will not, so nobody waits until they are sent.
bool ist_xds_sub_is_settled(const ist_xds_sub *sub)
{
    bool nothing_to_ask = !sub->wanted || (sub->names != NULL && ist_xds_names_count(sub->names) == 0);
    return (nothing_to_ask || sub->answered || sub->unanswered) && !sub->waiting && !must_begin(sub) &&
           (sub->names == NULL || !sub->requested || !ist_xds_names_joins(sub->names));
}

static void write_error(ist_xds_sub *sub, uint32_t field, ist_buf *out)
{
    ist_buf status;
    ist_buf_init(&status, IST_XDS_REJECT_TEXT_MAX + 64);
    ist_xds_encode_number(&status, STATUS_CODE, STATUS_INVALID_ARGUMENT);
    ist_xds_encode_text(&status, STATUS_MESSAGE, ist_buf_view(&sub->error));
    if (ist_buf_status(&status) == IST_OK) {
        ist_xds_encode_text(out, field, ist_buf_view(&status));
    } else {
        out->status = ist_buf_status(&status);
    }
    ist_buf_done(&status);
}

static void begin_waiting(ist_xds_sub *sub, int64_t now_ms)
{
    sub->requested = true;
    if (!sub->waiting) {
        sub->waiting_since_ms = now_ms;
    }
    sub->waiting = true;
}

static void count_reply(ist_xds_sub *sub)
{
    sub->status.acks += sub->reply == IST_XDS_REPLY_ACK;
    sub->status.nacks += sub->reply == IST_XDS_REPLY_NACK;
    sub->reply = IST_XDS_REPLY_NONE;
}

static void write_delta(ist_xds_sub *sub, ist_strv node, int64_t now_ms, ist_buf *out)
{
    if (node.n > 0) {
        ist_xds_encode_text(out, DELTA_NODE, node);
    }
    ist_xds_encode_text(out, DELTA_TYPE_URL, ist_strv_from(ist_xds_type_url(sub->type)));
    if (sub->reply != IST_XDS_REPLY_NONE) {
        ist_xds_encode_text(out, DELTA_NONCE, ist_buf_view(&sub->nonce));
        if (sub->reply == IST_XDS_REPLY_NACK) {
            write_error(sub, DELTA_ERROR, out);
        }
        count_reply(sub);
        return;
    }
    bool joins = sub->names == NULL; // an empty first subscription means everything
    if (sub->names != NULL) {
        ist_xds_name_fields fields = {.subscribe = DELTA_SUBSCRIBE, .unsubscribe = DELTA_UNSUBSCRIBE};
        ist_xds_names_write_changes(sub->names, fields, IST_XDS_REQUEST_NAMES_MAX, out, &joins);
    }
    sub->requested = true;
    if (joins) {
        begin_waiting(sub, now_ms);
    }
}

static void write_sotw(ist_xds_sub *sub, ist_strv node, int64_t now_ms, ist_buf *out)
{
    bool nack = sub->reply == IST_XDS_REPLY_NACK;
    bool joins = sub->names == NULL ? !sub->requested : ist_xds_names_joins(sub->names);
    if (sub->requested && sub->version.length > 0) {
        ist_xds_encode_text(out, SOTW_VERSION, ist_buf_view(&sub->version));
    }
    if (node.n > 0) {
        ist_xds_encode_text(out, SOTW_NODE, node);
    }
    if (sub->names != NULL) {
        sub->omitted = ist_xds_names_write_all(sub->names, SOTW_NAMES, IST_XDS_SOTW_NAMES_MAX, out);
    }
    ist_xds_encode_text(out, SOTW_TYPE_URL, ist_strv_from(ist_xds_type_url(sub->type)));
    if (sub->nonce.length > 0) {
        ist_xds_encode_text(out, SOTW_NONCE, ist_buf_view(&sub->nonce));
    }
    if (nack) {
        write_error(sub, SOTW_ERROR, out);
    }
    count_reply(sub);
    if (nack || ist_buf_status(out) != IST_OK) {
        return; // the names of a NACK do not count
    }
    if (sub->omitted > 0) {
        ist_buf_clear(&sub->error);
        ist_buf_printf(&sub->error,
                       "%zu of %zu names are not subscribed: one request would exceed the 4 MiB that istiod "
                       "takes; use the delta protocol",
                       sub->omitted, ist_xds_names_count(sub->names));
    }
    if (sub->names != NULL) {
        ist_xds_names_forget_changes(sub->names);
    }
    sub->requested = true;
    if (joins) {
        begin_waiting(sub, now_ms);
    }
}

void ist_xds_sub_write(ist_xds_sub *sub, ist_xds_mode mode, ist_strv node, int64_t now_ms, ist_buf *out)
{
    if (mode == IST_XDS_DELTA) {
        write_delta(sub, node, now_ms, out);
    } else {
        write_sotw(sub, node, now_ms, out);
    }
}
