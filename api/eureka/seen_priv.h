// SPDX-License-Identifier: Apache-2.0
//
// What the door has seen of those who ask, for the report: which clients there are and whether their balancers honour shares,
// and names that they asked for and nobody knows. Both are bounded, and kept only while they go on coming: a scan, or a client
// that gives itself a new name each time, drives nobody out who asks regularly.
//
// Owner: the door. Threads: the HTTP thread. Times are monotonic.
#pragma once

#include "mesh_apps_priv.h"

#include "api_core/http.h"

#define SEEN_CLIENTS_MAX 16
#define SEEN_CLIENT_NAME_SIZE 64
#define SEEN_CLIENT_KEEP_MS ((int64_t)60 * 60 * 1000)
#define SEEN_NAMES_MAX 64
#define SEEN_NAME_KEEP_MS ((int64_t)24 * 60 * 60 * 1000) // of one that nobody has asked for since
#define SEEN_NAME_YOUNG_MS ((int64_t)60 * 1000)          // ... and once only: after this another one may have its place

typedef struct seen_times {
    uint64_t count;
    int64_t first_ms;
    int64_t last_ms;
} seen_times;

typedef struct seen_client {
    char name[SEEN_CLIENT_NAME_SIZE]; // "Steeltoe/4.2.0"
    eureka_layout layout;             // that it was answered with last
    bool steered;                     // its balancer honours the shares that it is told
    seen_times times;
} seen_client;

typedef struct seen_name {
    char *text; // lower case
    seen_times times;
} seen_name;

typedef struct seen_things {
    seen_client clients[SEEN_CLIENTS_MAX];
    size_t client_count;
    seen_name names[SEEN_NAMES_MAX];
    size_t name_count;
    uint64_t names_left_out; // look-ups that were not kept: no place, no name of a host, or no memory
} seen_things;

void seen_done(seen_things *seen);
// Is it a client whose balancers drop equal addresses, by its User-Agent? Repeating instances gains nothing there.
bool seen_drops_twins(ist_strv agent);
// A request for lists, which is answered with this layout.
void seen_client_add(seen_things *seen, const ist_api_request *request, eureka_layout layout, int64_t now_ms);
// A look-up of a name that nobody knows.
void seen_name_add(seen_things *seen, ist_strv name, int64_t now_ms);
