// SPDX-License-Identifier: Apache-2.0
//
// The Nacos door asked over HTTP. Failures end the test. Single-threaded.
#pragma once

#include "nacos_world.h"

#include "../api_core/door_client.h"

#define JAVA_1 "client-version: Nacos-Java-Client:v1.4.8\nuser-agent: Nacos-Java-Client:v1.4.8"
#define GO_1 "client-version: Nacos-Go-Client:v1.1.6\nuser-agent: Nacos-Go-Client:v1.1.6"

// `request` is "GET /nacos/v1/ns/instance/list?serviceName=x", `headers` lines of "name: value", NULL = none; `body` NULL = none.
// Asked from 127.0.0.1.
door_answer nacos_ask_http(nacos_world *world, const char *request, const char *headers, const char *body);
// An answer with this status whose body is this text; `want` NULL: any text that is not empty.
void nacos_expect_text(nacos_world *world, const char *request, const char *body, uint32_t status, const char *want);
// The JSON of an answer with this status.
json_t *nacos_get_json(nacos_world *world, const char *request, const char *headers, const char *body, uint32_t status);
