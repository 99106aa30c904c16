// SPDX-License-Identifier: Apache-2.0
//
// The list of settings that a channel or a server is made with: a value on the stack.
// Ownership: texts are borrowed until it is made; keys are constants.
// Threads: one at a time.
#pragma once

#include <grpc/grpc.h>

#include "base/attr.h"

#define IST_GRPC_SETTINGS_MAX 32

typedef struct ist_grpc_settings {
    grpc_arg items[IST_GRPC_SETTINGS_MAX];
    size_t count;
} ist_grpc_settings;

void ist_grpc_settings_add_int(ist_grpc_settings *settings, const char *key, int value) IST_NONNULL;
void ist_grpc_settings_add_text(ist_grpc_settings *settings, const char *key, const char *value) IST_NONNULL;
// What costs memory and helps nobody here, switched off: statistics and traces for tools that are not here.
void ist_grpc_settings_add_lean(ist_grpc_settings *settings) IST_NONNULL;
grpc_channel_args ist_grpc_settings_args(ist_grpc_settings *settings) IST_NONNULL; // borrows the list
