// SPDX-License-Identifier: Apache-2.0
//
// Lists: what one kind of client is told of one name, kept while somebody subscribes to it or asks for it. A list knows the text
// of its hosts, when it has changed last, and who is to be told. Threads: the HTTP thread.
#pragma once

#include "hosts_priv.h"

#include "base/map.h"
#include "mesh/store.h"

#define NACOS_LISTS_MAX 16384
#define NACOS_CACHE_MS 10000 // "cacheMillis": when a client that is told of changes asks again all the same

// What a client wants, and what it makes of it.
typedef struct nacos_wish {
    nacos_key key;
    ist_strv clusters; // comma list, as it is to be echoed
    nacos_layout layout;
    bool healthy_only;
    bool keeps_gone; // it ignores empty lists: hosts that have gone must be told as such
} nacos_wish;

typedef struct nacos_place {
    char ip[IST_MESH_ADDR_TEXT_SIZE + 2];
    uint16_t port;
} nacos_place;

typedef struct nacos_places {
    nacos_place *items;
    size_t count;
    size_t capacity;
} nacos_places;

typedef struct nacos_list {
    nacos_wish wish; // texts in the arena
    ist_arena *texts;
    ist_buf hosts;     // JSON, "[...]"
    nacos_places last; // of hosts that it had before it became empty; kept where the client keeps gone ones
    int64_t ref_ms;    // "lastRefTime": raised by every message about it
    int64_t asked_ms;  // monotonic
    bool known;        // somebody has the name
    bool made;         // `hosts` is there
    bool protects;     // so few are healthy that all are said to be
    bool crosses;      // it changes with other services
    uint64_t revision; // of the view that it was looked at in; 0 = none
    uint64_t service_revision;
    ist_strv service_host; // of the service behind the name; empty = none. In the arena
    uint64_t own_version;
    struct nacos_subscription *subscriptions;
} nacos_list;

typedef struct nacos_lists {
    ist_map *by_wish;
    const ist_mesh_view *view; // that subscribed lists were looked at in last, held. NULL = none
} nacos_lists;

typedef struct nacos_state {
    const ist_mesh_view *view; // NULL before the first
    const nacos_own *own;
    bool alike; // names lead where they did when `nacos_lists.view` was there
} nacos_state;

ist_status nacos_lists_init(nacos_lists *lists) IST_MUSTCHECK;
void nacos_lists_done(nacos_lists *lists, ist_mesh_store *store);
// The list for a wish; made where it is not there, if need be in the place of those that nobody subscribes to, so that a list is
// good until the next one is asked for or subscribed to. NULL: out of memory, or too many subscribed ones.
nacos_list *nacos_list_find(nacos_lists *lists, const nacos_wish *wish, int64_t now_ms);
// Frees lists that nobody subscribes to and nobody has asked for lately.
void nacos_lists_forget(nacos_lists *lists, int64_t now_ms);
// Brings a list up to date. *ret_changed: its hosts are others than before. IST_ENOMEM: it is as it was.
ist_status nacos_list_refresh(nacos_list *list, const nacos_state *state, ist_arena *scratch,
                              bool *ret_changed) IST_MUSTCHECK;

// The name in it: grouped in HTTP, plain in RPC.
typedef enum nacos_style { NACOS_PLAIN_NAME = 0, NACOS_GROUPED_NAME } nacos_style;
// Appends the object that Nacos calls ServiceInfo. Each call has a later lastRefTime than the one before: clients drop what is
// not newer. `wall_ms` is the time now.
void nacos_list_write(nacos_list *list, nacos_style style, uint32_t cache_ms, int64_t wall_ms, ist_buf *out);
