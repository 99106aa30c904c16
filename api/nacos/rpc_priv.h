// SPDX-License-Identifier: Apache-2.0
//
// The RPC dialect of the 2.x and 3.x clients: a payload names a type and carries JSON. A connection is a stream over which the
// client has said who it is; unary calls are bound to it by their peer. Threads: the HTTP thread.
#pragma once

#include "nacos_priv.h"

#include "api_core/json.h"
#include "api_document/document.h"

// What the wire carries, without what nobody here needs. Memory in the arena it was read into.
typedef struct nacos_payload {
    ist_strv type;
    ist_strv body; // JSON
} nacos_payload;
// IST_EPARSE, IST_ENOMEM.
ist_status nacos_payload_read(ist_strv message, ist_arena *arena, nacos_payload *ret_payload) IST_MUSTCHECK;
// Appends the message to `out`, whose status tells of trouble.
void nacos_payload_write(const nacos_payload *payload, ist_buf *out);

typedef struct nacos_connection {
    nacos_subscriber subscriber; // first
    ist_api_nacos *nacos;
    struct nacos_connection *next;
    ist_rpc_stream *stream;
    char *peer;
    nacos_client client;
    bool set_up;         // it has said who it is
    int64_t heard_ms;    // monotonic
    int64_t detected_ms; // when it was asked whether it is alive; 0 = it has not been since it was heard
    char *setup;         // its ConnectionSetupRequest, where configuration is passed on; else NULL
    size_t setup_length;
    ist_rpc_link *link;  // to the server that has the configuration; NULL = it has not asked for any
    bool linked;         // that server has answered it
    struct nacos_forward *forwards;
    size_t forward_count;
} nacos_connection;

// A request on its way to its answer.
typedef struct nacos_call {
    ist_api_nacos *nacos;
    nacos_connection *connection; // NULL: none is set up for this peer
    ist_strv peer;
    const ist_document *body;
    ist_arena *arena;
    ist_json json;      // of the answer, an object that is open
    const char *answer; // its type
    bool early;         // it asks for what only a view can tell, and there is none yet
} nacos_call;

// A text member; empty where it is missing or null.
ist_strv nacos_field(const nacos_call *call, const char *name);
void nacos_note_heard(nacos_connection *connection); // the client is alive
bool nacos_flag(const ist_document *node, const char *name, bool otherwise);
// Begin the answer. The official codes: 400 wrong parameter, 403 no right, 404, 500, 501.
void nacos_answer_ok(nacos_call *call);
void nacos_answer_error(nacos_call *call, uint32_t code, const char *text);

// Requests of naming.
void nacos_call_instance(nacos_call *call);
void nacos_call_batch(nacos_call *call);
void nacos_call_query(nacos_call *call);
void nacos_call_subscribe(nacos_call *call);
void nacos_call_services(nacos_call *call);

// Answers a call. False: it is too early, and the caller is `patient`: nothing was answered.
bool nacos_call_answer(ist_api_nacos *nacos, const ist_rpc_call *rpc, bool patient);

// Calls that came before the first view, kept until it is there or their clients lose patience.
typedef struct nacos_waiting {
    struct nacos_waiting *next;
    ist_rpc_reply *reply;
    ist_arena *texts;
    ist_strv peer;
    ist_strv message;
    int64_t until_ms;
} nacos_waiting;
// False: out of memory, or too many wait.
bool nacos_waiting_add(ist_api_nacos *nacos, const ist_rpc_call *rpc);
// Answers those that can be, or must be now; returns when the next one must, -1 = none waits.
int64_t nacos_waiting_tick(ist_api_nacos *nacos, int64_t now_ms);
void nacos_waiting_done(ist_api_nacos *nacos);

// The RPC connections, for whoever looks after time.
int64_t nacos_connections_tick(ist_api_nacos *nacos, int64_t now_ms);
void nacos_connections_done(ist_api_nacos *nacos);
