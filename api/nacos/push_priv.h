// SPDX-License-Identifier: Apache-2.0
//
// Who is told of changes, and how it is made sure that the last one arrives: one message is under way for a subscription at a
// time; what changes meanwhile is told, all together, when the client has acknowledged it, or again when it has not in time.
//
// A subscriber is a stream of RPC (rpc_priv.h) or an address of datagrams. Threads: the HTTP thread.
#pragma once

#include "list_priv.h"

typedef struct ist_api_nacos ist_api_nacos;
typedef struct nacos_subscriber nacos_subscriber;

#define NACOS_SUBSCRIPTIONS_MAX 65536
#define NACOS_AGENT_SIZE 64

typedef struct nacos_subscription {
    nacos_list *list;
    nacos_subscriber *subscriber;
    struct nacos_subscription *next_of_list;
    struct nacos_subscription *next_of_subscriber;
    int64_t renewed_ms; // monotonic: when the client has asked for it last
    uint64_t sent_id;   // of the message under way; 0 = none is
    int64_t sent_ms;
    uint32_t tries; // to send what is under way
    bool due;       // the list has changed since
} nacos_subscription;

struct nacos_subscriber {
    // Sends the list as message `id`. False: it cannot be sent now, or never.
    bool (*send)(nacos_subscriber *self, nacos_subscription *subscription, uint64_t id);
    nacos_subscription *subscriptions;
    const char *peer;             // "ipv4:127.0.0.1:4711"
    char agent[NACOS_AGENT_SIZE]; // "Nacos-Java-Client:v2.5.1"
    int64_t patience_ms;          // what is not acknowledged in this time is sent again
    uint32_t tries_max;           // ... so many times; 0 = for ever
};

void nacos_subscriber_name(nacos_subscriber *subscriber, ist_strv agent); // long ones are cut
// Finds or makes; renews. NULL: out of memory, or too many.
nacos_subscription *nacos_subscribe(ist_api_nacos *nacos, nacos_subscriber *subscriber, nacos_list *list);
void nacos_unsubscribe(ist_api_nacos *nacos, nacos_subscription *subscription);
void nacos_unsubscribe_all(ist_api_nacos *nacos, nacos_subscriber *subscriber);
nacos_subscription *nacos_subscription_find(const nacos_subscriber *subscriber, const nacos_list *list); // NULL = none

// The list is to be told, now or when the message under way is acknowledged.
void nacos_push(ist_api_nacos *nacos, nacos_subscription *subscription);
// The client has message `id`; what has changed since goes out.
void nacos_acknowledged(ist_api_nacos *nacos, nacos_subscriber *subscriber, uint64_t id);
// Sends again what is overdue; returns in how many milliseconds the next may be, -1 = nothing is under way.
int64_t nacos_push_again(ist_api_nacos *nacos, nacos_subscriber *subscriber, int64_t now_ms);
// Lists with subscribers are brought up to date with the view; those that have changed are pushed.
void nacos_push_changes(ist_api_nacos *nacos);
