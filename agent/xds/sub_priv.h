// SPDX-License-Identifier: Apache-2.0
//
// The subscription of one type on one stream: what is wanted, what the control plane has been told, the last nonce, the
// answer that is owed. Pure; the client decides when a request may be sent.
//
// Delta: an answer (ACK or NACK) and a change of the subscription are separate requests, the change without a nonce.
// State of the world: an ACK carries the present names; a NACK's names are ignored by istiod, so changes are sent again
// after it. Changes carry the last nonce.
#pragma once

#include "base/buf.h"
#include "decode_priv.h"
#include "names_priv.h"
#include "xds/client.h"

#define IST_XDS_REQUEST_NAMES_MAX ((size_t)3 << 20) // istiod takes 4 MiB in one message
#define IST_XDS_SOTW_NAMES_MAX ((size_t)7 << 19)    // 3.5 MiB: there is only one request

typedef enum ist_xds_reply { IST_XDS_REPLY_NONE = 0, IST_XDS_REPLY_ACK, IST_XDS_REPLY_NACK } ist_xds_reply;

typedef struct ist_xds_sub {
    ist_xds_type type;
    bool wanted;
    ist_xds_names *names;   // EDS and RDS; NULL = everything
    bool requested;         // on this stream
    bool answered;          // on this stream, at least once
    bool waiting;           // a request that must be answered is out
    bool unanswered;        // on this stream: given up waiting; ends with a response
    int64_t waiting_since_ms;
    ist_xds_reply reply;    // owed
    ist_buf nonce;          // of the last response
    ist_buf version;        // last accepted
    ist_buf error;          // text of the last NACK, empty = none
    size_t omitted;         // names that no request of state of the world could carry
    ist_xds_type_status status; // counters only
} ist_xds_sub;

ist_status ist_xds_sub_init(ist_xds_sub *sub, ist_xds_type type) IST_NONNULL IST_MUSTCHECK;
void ist_xds_sub_done(ist_xds_sub *sub) IST_NONNULL;
// A new stream knows nothing of the old one. IST_ENOMEM.
ist_status ist_xds_sub_reset(ist_xds_sub *sub) IST_NONNULL IST_MUSTCHECK;

// A response has been dealt with; a reply is now owed. IST_ENOMEM.
ist_status ist_xds_sub_accept(ist_xds_sub *sub, ist_strv nonce, ist_strv version) IST_NONNULL IST_MUSTCHECK;
ist_status ist_xds_sub_reject(ist_xds_sub *sub, ist_strv nonce, ist_strv why) IST_NONNULL IST_MUSTCHECK;

bool ist_xds_sub_has_request(const ist_xds_sub *sub) IST_NONNULL;
// Everything that was asked for on this stream has been answered, or is not waited for any more.
bool ist_xds_sub_is_settled(const ist_xds_sub *sub) IST_NONNULL;
// Writes the next request and takes note of it. `node`: packed Node for the first request of a stream, else empty.
// The buffer's status says whether it worked; where not, the stream must be given up.
void ist_xds_sub_write(ist_xds_sub *sub, ist_xds_mode mode, ist_strv node, int64_t now_ms, ist_buf *out) IST_NONNULL;
