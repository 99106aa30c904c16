// SPDX-License-Identifier: Apache-2.0
//
// The DNS server: sockets on a loop, the answerer for our names, the forwarder for the rest.
//
// UDP: batches of 16, answered from the address the query came to. TCP (RFC 7766): pipelining, answers in any order, half
// close, 30 s idle; 256 connections, where a new one takes the place of the one that was idle longest. Nothing is allocated
// for TCP before the first connection, nor for forwarding before the first forwarded query.
//
// Life: new (binds, so that chosen ports are known), start (adds itself to the loop), stop, free. new before the loop runs;
// start and stop on the loop's thread or while it does not run; the store's writer must have ended, or never publish again,
// before stop returns. The server holds one ist_mesh_reader; the loop is woken when a view is published, so that an
// idle server lets the old one go.
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/metric.h"
#include "base/status.h"
#include "dns_answer/answer.h"
#include "dns_forward/relay.h"
#include "dns_wire/address.h"
#include "loop/loop.h"
#include "mesh/store.h"
#include "sockets/set.h"

typedef struct ist_dns_server ist_dns_server;

typedef enum ist_dns_mode {
    IST_DNS_MODE_SERVE = 0,
    IST_DNS_MODE_OBSERVE, // upstream answers; where we would have said something else is counted
    IST_DNS_MODE_FORWARD, // upstream answers
    _IST_DNS_MODE_MAX
} ist_dns_mode;

// "serve", "observe", "forward".
const char *ist_dns_mode_name(ist_dns_mode mode) IST_RETURNS_NONNULL;
bool ist_dns_mode_parse(ist_strv name, ist_dns_mode *ret_mode) IST_NONNULL;

#define IST_DNS_LISTEN_MAX 8

typedef struct ist_dns_server_args {
    ist_loop *loop;
    ist_mesh_store *store;
    ist_dns_forwarder *forwarder;  // outlives the server; its upstreams that are our own addresses are dropped
    ist_dns_relay *relay;          // over that forwarder; outlives the server
    ist_metrics *metrics;          // NULL = none
    const ist_dns_address *listen; // port 0: any, the same for UDP and TCP
    size_t listen_count;           // 1 to IST_DNS_LISTEN_MAX
    ist_dns_mode mode;
    ist_dns_answerer_config answer;
    ist_sockets *inherited; // sockets that somebody holds for us; those that fit are taken instead of binding. NULL = none
    // ist_dns_inbox_bytes() of memory that outlives a crash, NULL = none: the queries that a killed process had read and
    // not answered are answered by the next one. Outlives the server; its content is checked.
    void *inbox;
    // A query was put into the log (query_log.h): called on the loop's thread for each, must not wait. NULL = nobody reads.
    void (*on_logged)(void *ctx);
    void *on_logged_ctx;
    bool held; // start does not read yet: ist_dns_server_go_on does
} ist_dns_server_args;

// IST_EBUSY and IST_EACCES name the address and what to do; IST_EINVAL, IST_EIO, IST_ENOMEM.
ist_status ist_dns_server_new(const ist_dns_server_args *args, ist_dns_server **ret_server, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
ist_status ist_dns_server_start(ist_dns_server *server, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// What it listens on, with the chosen ports; borrowed.
const ist_dns_address *ist_dns_server_addresses(const ist_dns_server *server, size_t *ret_count) IST_NONNULL
    IST_RETURNS_NONNULL;
// The mode, and another one from the next query on. Any thread.
ist_dns_mode ist_dns_server_mode(const ist_dns_server *server) IST_NONNULL;
void ist_dns_server_set_mode(ist_dns_server *server, ist_dns_mode mode) IST_NONNULL;
// Brings up to date what only the kernel counts, and the mode. One thread at a time, any; until stop.
void ist_dns_server_refresh_metrics(ist_dns_server *server) IST_NONNULL;
// What it listens with, borrowed: two sockets an address. Returns how many there are. Any thread, until stop.
size_t ist_dns_server_sockets(const ist_dns_server *server, int *fds, size_t max) IST_NONNULL;
// Starts to read where it was held; after what a killed process has left in the inbox. No effect on one that reads.
ist_status ist_dns_server_go_on(ist_dns_server *server, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Reads nothing new: others read these sockets now. What was read is still answered.
void ist_dns_server_quiesce(ist_dns_server *server) IST_NONNULL;
// After quiesce: something is still to be answered.
bool ist_dns_server_busy(const ist_dns_server *server) IST_NONNULL;
size_t ist_dns_inbox_bytes(void);
// Whether the view has all of the cluster's domain (dns_answer/answer.h). The loop's thread.
void ist_dns_server_set_cluster_complete(ist_dns_server *server, bool complete) IST_NONNULL;
// The pod's addresses have changed. The loop's thread.
void ist_dns_server_set_source(ist_dns_server *server, const ist_dns_source *source) IST_NONNULL;
void ist_dns_server_stop(ist_dns_server *server) IST_NONNULL; // closes everything; queries under way stay unanswered
void ist_dns_server_free(ist_dns_server *server);             // stops first where that was not done
