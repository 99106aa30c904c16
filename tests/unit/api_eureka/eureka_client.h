// SPDX-License-Identifier: Apache-2.0
//
// The Eureka door with a clock that stands, asked as the adapter asks it. Failures end the test. Single-threaded.
#pragma once

#include "ist_test.h"

#include "../api_core/door_client.h"
#include "../api_core/mesh_world.h"
#include "api_eureka/eureka.h"

#include "base/arena.h"

#include <jansson.h>

#define JSON_CLIENT "accept: application/json\nuser-agent: Java-EurekaClient/v1.10.17"
#define XML_CLIENT "accept: application/xml"

typedef struct eureka_world {
    mesh_world mesh;
    ist_metrics *metrics;
    ist_api_eureka *eureka;
    ist_arena *scratch; // of the handlers
    int64_t now_ms;
    ist_clock clock;
    bool no_view; // ask as before the first one
    bool timed_out;
    uint64_t fail_at; // the handler's so-manieth allocation fails; 0 = none
    bool failed;      // the last handler got so far
} eureka_world;

// In place: the clock points into it. Served under /discovery/v2 too.
void eureka_world_open(eureka_world *world, ist_api_eureka_profile profile);
void eureka_world_close(eureka_world *world);

// `request` is "GET /eureka/apps"; `headers` lines of "name: value", NULL = none; `body` NULL = none.
door_answer eureka_ask(eureka_world *world, const char *request, const char *headers, const char *body);
// The status of an answer that must have no body.
uint32_t eureka_ask_bare(eureka_world *world, const char *request, const char *body);
// The JSON of an answer with 200.
json_t *eureka_get(eureka_world *world, const char *path, const char *headers);
// Registers an application with this id, address, port and VIP; the status.
uint32_t eureka_register(eureka_world *world, const char *app, const char *id, const char *place, const char *vip);
// "APP: id vips, id vips; APP: ..." of a list, sorted as it is; from the caller's buffer of 4096 bytes.
const char *eureka_list_text(eureka_world *world, const char *path, const char *headers, char *text);
// The same question with the handler's 1st, 2nd, ... allocation failing in turn, until it needs no more; `before` (may be NULL)
// prepares each try, `after` judges what it gave.
typedef struct eureka_try {
    const char *request;
    const char *headers;
    const char *body;
    void (*before)(eureka_world *world, void *ctx);
    void (*after)(eureka_world *world, const door_answer *answer, void *ctx);
    void *ctx;
} eureka_try;
uint64_t eureka_ask_failing(eureka_world *world, const eureka_try *try); // how many tries failed
