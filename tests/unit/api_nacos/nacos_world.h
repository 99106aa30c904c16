// SPDX-License-Identifier: Apache-2.0
//
// The Nacos door with a clock that stands, and RPC clients that talk to it as the adapter does. Failures end the test.
// Single-threaded.
#pragma once

#include "ist_test.h"

#include "../api_core/mesh_world.h"
#include "api_nacos/nacos.h"

#include "base/arena.h"

#include <jansson.h>

#define NACOS_INBOX_MAX 64

typedef struct nacos_message {
    char type[64];
    json_t *body;
} nacos_message;

// A client with its stream.
typedef struct nacos_peer {
    ist_rpc_stream stream; // first
    struct nacos_world *world;
    const char *name;
    nacos_message inbox[NACOS_INBOX_MAX]; // what it has got and not read
    size_t inbox_count;
    bool deaf;   // it does not read: nothing can be sent
    bool closed; // by the door
} nacos_peer;

typedef struct nacos_world {
    mesh_world mesh;
    ist_metrics *metrics;
    ist_api_nacos *nacos;
    ist_rpc_service service;
    int64_t now_ms;
    int64_t wake_ms; // when the door wants to be woken; -1 = not at all
    ist_clock clock;
    uint32_t registered_calls; // of on_registered
    nacos_message late;        // the answer to a call that was given after it had returned
    bool answered;
    struct call_reply *replies; // that have not been given yet; those who wait at the end are the adapter's to free
    ist_buf datagram;    // the last one that was sent
    uint32_t datagrams;  // so many were
    ist_mesh_addr datagram_to;
    uint16_t datagram_port;
    bool no_view; // ask over HTTP as before the first one
    bool timed_out;
    uint64_t fail_at; // the so-manieth allocation of a handler of HTTP fails; 0 = none
} nacos_world;

// In place: the clock points into it.
void nacos_world_open(nacos_world *world, ist_api_nacos_profile profile);
void nacos_world_close(nacos_world *world);
// For cmocka: a world with the mesh of mesh_world_fill(), which the door knows, as the state of a test.
int nacos_world_setup(void **state);
int nacos_world_teardown(void **state);
// Time passes; the door is woken when it wants to be.
void nacos_world_pass(nacos_world *world, int64_t ms);
// The mesh is published, and the door told of it.
void nacos_world_publish(nacos_world *world);

// Opens the stream and says who it is: `setup` is the body of the ConnectionSetupRequest; NULL = it says nothing.
void nacos_peer_open(nacos_peer *peer, nacos_world *world, const char *name, const char *setup);
void nacos_peer_close(nacos_peer *peer); // breaks the connection, also where the door has closed it
void nacos_peer_send(nacos_peer *peer, const char *type, const char *body);
// The oldest unread message; type "" = none. The caller releases its body.
nacos_message nacos_peer_read(nacos_peer *peer);
// Reads a push of a list, checks its form, acknowledges it where `ack`, and returns the list (a new reference).
json_t *nacos_peer_read_list(nacos_peer *peer, bool ack);

// A unary call; `peer` NULL: from a connection without a stream. No answer yet: type "", and it comes to world->late.
nacos_message nacos_call(nacos_world *world, const nacos_peer *peer, const char *type, const char *body);
// The body of an answer that says that all is well; fails otherwise.
json_t *nacos_call_ok(nacos_world *world, const nacos_peer *peer, const char *type, const char *body);
// "ip:port*weight ip:port*weight" of a ServiceInfo in the order of its hosts, "!" in front of those that get no calls; in the
// caller's buffer of 4096 bytes.
const char *nacos_hosts_text(const json_t *info, char *text);
