// SPDX-License-Identifier: Apache-2.0
//
// An HTTP peer that follows a script: for each connection it reads the head of a request, keeps it, sends the next answer of
// the script and closes. On a thread of its own.
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_AGENT_STEPS_MAX 8

typedef struct fake_agent {
    const char *answers[FAKE_AGENT_STEPS_MAX]; // NULL: closes without a word
    size_t count;
    size_t piece_bytes;                        // sends in pieces of this size; 0 = whole
    char requests[FAKE_AGENT_STEPS_MAX][2048];
    int fd;
    uint16_t port;
    pthread_t thread;
} fake_agent;

// Listens on a port of 127.0.0.1 and starts.
void fake_agent_start(fake_agent *agent);
// Waits until the script is at its end.
void fake_agent_join(fake_agent *agent);
// A port of 127.0.0.1 on which nobody listens.
uint16_t fake_agent_dead_port(void);
