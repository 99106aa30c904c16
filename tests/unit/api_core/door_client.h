// SPDX-License-Identifier: Apache-2.0
//
// Asks a door over HTTP as the adapter does, without one. Failures end the test. Single-threaded.
#pragma once

#include "ist_test.h"

#include "api_core/http.h"
#include "base/arena.h"

typedef struct door_question {
    ist_api_routes routes;
    const char *request; // "GET /eureka/apps"
    const char *headers; // lines of "name: value"; NULL = none
    const char *body;    // NULL = none
    const ist_mesh_view *view;
    ist_mesh_addr peer;
    bool timed_out;
    uint64_t fail_at; // the handler's so-manieth allocation fails; 0 = none
} door_question;

typedef struct door_answer {
    uint32_t status;
    bool bare;
    bool wait;
    bool failed; // the handler got so far as to the allocation that was to fail
    const char *type;
    const char *encoding;
    char cookie[96];
    ist_buf body;
} door_answer;

// `scratch`: the handlers' arena.
door_answer door_ask(const door_question *question, ist_arena *scratch);
