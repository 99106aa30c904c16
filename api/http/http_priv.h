// SPDX-License-Identifier: Apache-2.0
//
// Inside of the HTTP adapter.
#pragma once

#include "api_http/server.h"

#include "api_core/request_metrics.h"

#include <microhttpd.h>

typedef struct http_listener http_listener;
typedef struct http_exchange http_exchange;

struct ist_http_server {
    ist_loop *loop;
    ist_mesh_store *store;
    ist_mesh_reader reader;
    ist_loop_job view_job;         // posted when a view was published
    ist_loop_timer wait_timer;     // earliest deadline of the waiting exchanges
    ist_api_request_metrics metrics;
    ist_arena *scratch;            // of the handlers, one call at a time
    http_listener *listeners;
    http_exchange *waiting;        // suspended, double linked
};

struct http_listener {
    ist_http_server *server;
    struct MHD_Daemon *daemon;
    ist_loop_io io;                // the daemon's epoll descriptor
    ist_loop_timer timer;          // the daemon's next time-out
    ist_api_routes sets[IST_HTTP_SETS_MAX];
    const ist_api_routes *set_refs[IST_HTTP_SETS_MAX];
    ist_metric *watchers[IST_HTTP_SETS_MAX]; // by set
    size_t set_count;
    uint32_t max_connections;
    unsigned connections;          // at the end of the last run
    bool loopback;
    http_listener *next;
    int listen_fd;
    bool quiet;                    // accepts nobody any more; listen_fd is ours then
};

// One request from its first line to the end of its response.
struct http_exchange {
    http_listener *listener;
    struct MHD_Connection *connection;
    ist_arena *arena;              // what was read of the request
    char *target;                  // as it came in, owned
    ist_buf body;
    uint64_t upload_bytes;         // of the body so far, kept or not
    ist_status headers_status;     // IST_ELIMIT, IST_ENOMEM: not all headers were read
    ist_api_request request;
    const ist_api_route *route;
    const ist_api_routes *set;
    ist_buf pending;               // bytes of an event stream not sent yet
    int64_t started_ms;
    uint64_t wait_beyond;
    int64_t deadline_ms;           // monotonic
    ist_loop_io hangup;            // while suspended: libmicrohttpd does not look at the socket then
    bool headers_seen;
    bool needs_host;               // HTTP/1.1: exactly one Host
    bool suspended;                // in server->waiting
    bool watched;                  // hangup is in the loop
    bool due;                      // resumed: what it waited for has come
    bool gone;                     // resumed: the client is not there any more
    http_exchange *next;
    http_exchange *previous;
};

#define HTTP_BODY_MAX_BYTES ((size_t)1 << 20)

// Answers the exchange, or suspends it. What the access handler of libmicrohttpd returns.
enum MHD_Result http_exchange_answer(http_exchange *exchange);
http_exchange *http_exchange_new(http_listener *listener, struct MHD_Connection *connection, const char *target);
void http_exchange_free(http_exchange *exchange);

// Waiting.
void http_wait_begin(http_exchange *exchange); // suspends the connection until view or deadline
void http_wait_check(ist_http_server *server); // resumes what is due and arms the timer
void http_wait_forget(http_exchange *exchange);
// Arms a timer; without memory for it the next event of the loop does its work, and the log says so.
void http_arm(ist_http_server *server, ist_loop_timer *timer, int64_t delay_ms);
// Lets a daemon work and arms its timer.
void http_listener_run(http_listener *listener);
