// SPDX-License-Identifier: Apache-2.0
//
// The parts of the server. serve.c decides what becomes of a query, forward.c is about those that are not ours, pending.c
// keeps the ones that wait for an upstream, udp.c and tcp.c move bytes, listen.c makes sockets, stats.c counts. All on the
// loop's thread. query_log.c hands what was asked to another thread.
#pragma once

#include "dns_server/query_log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "dns_wire/cookie.h"
#include "dns_wire/frames.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum {
    UDP_BATCH = 16, // as many as can be looked up side by side
    UDP_QUERY_MAX = 2048,
    TCP_CONNECTIONS_MAX = 256,
    TCP_IDLE_MS = 30000,
    PENDING_MAX = 2048,
    CONTROL_BYTES = 64,
};

typedef enum ist_dns_answer_source {
    SOURCE_MESH = 0,
    SOURCE_CACHE,
    SOURCE_UPSTREAM,
    SOURCE_REFUSED,
    SOURCE_COUNT
} ist_dns_answer_source;
// Observe mode: what the upstream said and what we would have said.
typedef enum ist_dns_observed {
    OBSERVED_SAME = 0,     // our addresses are among the upstream's, or neither has any
    OBSERVED_RCODE,        // one says that the name exists, the other does not
    OBSERVED_ADDRESSES,    // other addresses
    OBSERVED_NOT_COMPARED, // a type other than A and AAAA
    OBSERVED_NOT_OURS,     // we would have asked the upstream too
    OBSERVED_FAILED,       // the upstream did not answer
    OBSERVED_COUNT
} ist_dns_observed;
// Why a TCP connection ended.
typedef enum ist_dns_tcp_end {
    TCP_END_CLIENT = 0, // the client closed, and has all its answers
    TCP_END_IDLE,
    TCP_END_FULL,     // another one needed its place
    TCP_END_PROTOCOL, // a message of no possible length
    TCP_END_ERROR,    // reset, or no memory
    TCP_END_STOPPED,  // we leave
    TCP_END_COUNT
} ist_dns_tcp_end;
enum { TYPE_COUNT = 9, RCODE_COUNT = 7 };

// Series with more than one label are made when they are first needed, the others at the start.
typedef struct ist_dns_stats {
    ist_metric_family *requests_family;
    ist_metric_family *responses_family;
    ist_metric_family *duration_family;
    ist_metric_family *observed_family;
    ist_metric *requests[2][2][TYPE_COUNT]; // UDP, TCP; IPv4, IPv6; type
    ist_metric *responses[RCODE_COUNT][SOURCE_COUNT];
    ist_metric *observed[OBSERVED_COUNT];
    ist_histogram *duration[SOURCE_COUNT];
    ist_metric *truncated;
    ist_metric *ignored;
    ist_metric *pending;
    ist_metric *pending_refused;
    ist_metric *tcp_connections;
    ist_metric *tcp_accepted;
    ist_metric *tcp_closed[TCP_END_COUNT];
    ist_metric *log_entries;
    ist_metric *log_dropped;
    // Written by whoever renders the metrics.
    ist_metric *mode[_IST_DNS_MODE_MAX];
    ist_metric *receive_drops[IST_DNS_LISTEN_MAX];
    ist_metric *receive_queue[IST_DNS_LISTEN_MAX];
} ist_dns_stats;

typedef struct ist_dns_listener {
    ist_dns_server *server;
    ist_loop_io udp;
    ist_loop_io tcp;
    ist_loop_timer accept_timer; // accepting pauses while there are no file descriptors left
    bool any_address;            // bound to all addresses: replies must say which one was asked
    bool v6;
} ist_dns_listener;

// Queries of one batch as recvmmsg writes them. Lies in memory that outlives a crash where there is such: a query whose
// msg_len is not 0 was read and is not answered yet, because msg_len is what the kernel writes last.
typedef struct ist_dns_inbox {
    uint64_t layout;         // of the process that wrote it; another one's content is not looked at
    uint32_t replaying;      // set while it is read again: what kills us once more is not tried a third time
    ist_dns_address address; // of the listener
    struct mmsghdr in[UDP_BATCH];
    struct sockaddr_storage peers[UDP_BATCH];
    _Alignas(16) uint8_t controls[UDP_BATCH][CONTROL_BYTES];
    uint8_t in_bytes[UDP_BATCH][UDP_QUERY_MAX + 64]; // a line more, lest all rows begin in the same few sets of the cache
} ist_dns_inbox;

// Buffers of one batch; one for the whole server.
typedef struct ist_dns_batch {
    const ist_dns_listener *prepared_for; // whose headers the inbox has; NULL = none yet
    ist_dns_query queries[UDP_BATCH];
    ist_dns_verdict verdicts[UDP_BATCH];
    const ist_mesh_name *plans[UDP_BATCH]; // of exactly the name that is asked for; NULL: not looked up, or none
    struct mmsghdr out[UDP_BATCH];
    struct iovec in_vectors[UDP_BATCH];
    struct iovec out_vectors[UDP_BATCH];
    uint8_t out_bytes[UDP_BATCH][IST_DNS_UDP_MAX];
} ist_dns_batch;

typedef struct ist_dns_connection {
    ist_dns_server *server;
    ist_loop_io io;
    struct ist_dns_connection *previous; // by last activity, oldest first
    struct ist_dns_connection *next;     // of the active or of the free list
    uint64_t generation;                 // of this use of the struct: late replies compare it
    int64_t active_ms;                   // of its last whole message, or of a reply that it waited for
    uint32_t pending; // queries that wait for an upstream
    ist_dns_address peer;
    bool v6;
    bool read_closed;
    bool malformed; // has sent what is no DNS
    ist_buf out;
    ist_dns_frames in;
} ist_dns_connection;

// Where a reply goes.
typedef struct ist_dns_client {
    ist_dns_listener *listener; // UDP
    struct sockaddr_storage peer;
    socklen_t peer_bytes;
    size_t control_bytes;
    _Alignas(16) uint8_t control[CONTROL_BYTES];
    ist_dns_connection *connection; // TCP, else NULL
    uint64_t generation;
    ist_dns_address tcp_peer; // stays true when the connection is somebody else's
} ist_dns_client;

typedef struct ist_dns_pending {
    ist_dns_wait wait;
    ist_dns_server *server;
    struct ist_dns_pending *previous; // of the active list
    struct ist_dns_pending *next;     // of the active or of the free list
    ist_dns_query query;              // its packet is `packet`
    ist_dns_client client;
    int64_t started_us;
    bool chased; // asked is where an alias of ours leads
    uint8_t packet[IST_DNS_HEADER_BYTES + IST_DNS_QUESTION_MAX];
} ist_dns_pending;

typedef struct ist_dns_query_ring ist_dns_query_ring;
typedef struct ist_dns_query_log_state {
    _Atomic uint32_t setting; // 0 = off; what and one in how many, see query_log.c
    _Atomic(ist_dns_query_ring *) ring; // NULL: never switched on
} ist_dns_query_log_state;

struct ist_dns_server {
    ist_dns_server_args args;
    ist_dns_answerer *answerer;
    ist_mesh_reader reader;
    const ist_mesh_view *view; // of this turn
    ist_loop_job refresh;
    ist_dns_stats stats;
    ist_dns_query_log_state query_log;
    int64_t started_us; // when the batch or message of this turn was read
    ist_dns_cookie_key cookie_key; // drawn at the start
    bool started;
    bool warned_no_upstream;
    ist_dns_listener listeners[IST_DNS_LISTEN_MAX];
    ist_dns_address addresses[IST_DNS_LISTEN_MAX];
    size_t listener_count;
    ist_dns_batch *batch;
    ist_dns_inbox *inbox;
    _Atomic ist_dns_mode mode; // relaxed: written by any thread, read with each query
    bool own_inbox; // made here: it does not outlive us
    bool reading;   // listeners are in the loop
    uint8_t *scratch; // IST_DNS_TCP_MAX bytes, made on first use
    ist_dns_connection *connections_oldest;
    ist_dns_connection *connections_newest;
    ist_dns_connection *connections_free;
    uint32_t connection_count; // active
    ist_loop_timer idle_timer;
    ist_dns_pending *pending_active;
    ist_dns_pending *pending_free;
    uint32_t pending_count; // active
};

// --- listen.c
ist_status ist_dns_listen_open(ist_dns_listener *listener, ist_dns_address *address, ist_err *err);
void ist_dns_listen_close(ist_dns_listener *listener);

// --- serve.c
// What the transport needs to know of one query.
typedef struct ist_dns_served {
    size_t length; // of the reply; 0 = none (now)
    ist_dns_answer_source source;
} ist_dns_served;
// Sets the parts of the query that the reply's OPT will say.
ist_dns_served ist_dns_serve_query(ist_dns_server *server, ist_dns_verdict verdict, ist_dns_query *query,
                                   const ist_dns_client *client, ist_dns_output *output);
// The same from the bytes of a TCP message. `client` says where a later reply would go; it is copied only where the query
// is forwarded.
ist_dns_served ist_dns_serve_message(ist_dns_server *server, const uint8_t *packet, size_t length,
                                     const ist_dns_client *client, ist_dns_output *output);
void ist_dns_serve_refresh_view(ist_dns_server *server);
uint8_t *ist_dns_serve_scratch(ist_dns_server *server); // NULL on ENOMEM

// How a query was answered.
typedef struct ist_dns_outcome_noted {
    uint16_t rcode;
    ist_dns_answer_source source;
    int64_t started_us; // when it was read
} ist_dns_outcome_noted;
// A query has its reply: counts it, and logs it where that is on.
void ist_dns_serve_note(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                        const ist_dns_outcome_noted *outcome);
// The same for what is answered in the turn in which it was read.
void ist_dns_serve_note_now(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client, uint16_t rcode,
                            ist_dns_answer_source source);

// The IP address of a peer; IPv4-mapped ones stay as they are.
ist_dns_addr ist_dns_serve_peer(const struct sockaddr_storage *peer);
ist_dns_address ist_dns_serve_peer_port(const struct sockaddr_storage *peer);

// --- forward.c
// Answers from the cache or asks upstream.
ist_dns_served ist_dns_forward_query(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                                     ist_dns_output *output);
// The same where an alias of ours leads to output->chase.
ist_dns_served ist_dns_forward_chase(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                                     ist_dns_output *output);
// An upstream's reply, or the lack of one, turned into the reply to the client. Returns its length.
size_t ist_dns_forward_reply(ist_dns_server *server, const ist_dns_pending *pending, ist_status status,
                             ist_strv packet, ist_dns_output *output);

// --- pending.c
// Asks an upstream for `asked`: the client's query itself, or what an alias of ours leads to. IST_ELIMIT, IST_ENOMEM,
// IST_ENOTFOUND (no upstream).
ist_status ist_dns_pending_add(ist_dns_server *server, const ist_dns_query *query, const ist_dns_query *asked,
                               const ist_dns_client *client) IST_MUSTCHECK;
void ist_dns_pending_done(ist_dns_server *server);

// --- udp.c
// Answers what a killed process has read and not answered.
void ist_dns_udp_replay(ist_dns_server *server);
void ist_dns_udp_ready(void *listener, uint32_t events);
void ist_dns_udp_send(const ist_dns_client *client, const uint8_t *bytes, size_t length);

// --- tcp.c
void ist_dns_tcp_accept(void *listener, uint32_t events);
void ist_dns_tcp_resume(void *listener);
void ist_dns_tcp_expire(void *server);
void ist_dns_tcp_reply(const ist_dns_client *client, const uint8_t *bytes,
                       size_t length); // length 0: only counts it as answered
void ist_dns_tcp_quiesce(ist_dns_server *server); // answers what has come, then closes
void ist_dns_tcp_done(ist_dns_server *server);

// --- query_log.c
void ist_dns_query_log_note(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                            const ist_dns_outcome_noted *outcome);
void ist_dns_query_log_done(ist_dns_server *server); // the reader has ended

// --- stats.c
const char *ist_dns_stats_source_name(ist_dns_answer_source source);
void ist_dns_stats_init(ist_dns_stats *stats, ist_metrics *metrics);
// The series of each listener, once their addresses are known.
void ist_dns_stats_listeners(ist_dns_stats *stats, ist_metrics *metrics, const ist_dns_address *addresses, size_t count);
void ist_dns_stats_request(ist_dns_stats *stats, bool tcp, bool v6, uint16_t type);
void ist_dns_stats_response(ist_dns_stats *stats, uint16_t rcode, ist_dns_answer_source source);
void ist_dns_stats_duration(ist_dns_stats *stats, ist_dns_answer_source source, double seconds, uint32_t times);
void ist_dns_stats_observed(ist_dns_stats *stats, ist_dns_observed result);
