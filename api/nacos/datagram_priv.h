// SPDX-License-Identifier: Apache-2.0
//
// Pushes of version 1: a client that asks for a list says at which UDP port it wants to be told of changes, and is told for as
// long as it goes on asking. It acknowledges what it has got. Threads: the HTTP thread.
#pragma once

#include "push_priv.h"

#include "mesh/types.h"

#define NACOS_RECEIVERS_MAX 1024

// A client that takes datagrams.
typedef struct nacos_receiver {
    nacos_subscriber subscriber; // first
    ist_api_nacos *nacos;
    struct nacos_receiver *next;
    ist_mesh_addr address;
    uint16_t port;
    size_t bytes_max; // of a datagram that it can read
    char peer[IST_MESH_ADDR_TEXT_SIZE + 16];
} nacos_receiver;

typedef struct nacos_pull {
    ist_mesh_addr address; // where the client has asked from
    uint16_t port;         // where it takes datagrams
    ist_strv agent;
    bool is_go; // which reads short datagrams only
} nacos_pull;

// A client has asked for a list. False: it cannot be told of changes (nobody sends datagrams, there are too many receivers, the
// list is too long for one datagram), and should ask again soon.
bool nacos_receiver_renew(ist_api_nacos *nacos, const nacos_pull *pull, nacos_list *list);
// Sends again, forgets those who have stopped asking; returns in how many milliseconds to look again, -1 = nobody is there.
int64_t nacos_receivers_tick(ist_api_nacos *nacos, int64_t now_ms);
void nacos_receivers_done(ist_api_nacos *nacos);
