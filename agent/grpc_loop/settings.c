// SPDX-License-Identifier: Apache-2.0
#include "grpc_loop/settings.h"

#include <assert.h>

// gRPC copies the texts and does not write to them, though its struct cannot say so.
static char *unconst(const char *text)
{
    union {
        const char *in;
        char *out;
    } both = {.in = text};
    return both.out;
}

static void add(ist_grpc_settings *settings, grpc_arg arg)
{
    assert(settings->count < IST_GRPC_SETTINGS_MAX);
    settings->items[settings->count++] = arg;
}

void ist_grpc_settings_add_int(ist_grpc_settings *settings, const char *key, int value)
{
    add(settings, (grpc_arg){.type = GRPC_ARG_INTEGER, .key = unconst(key), .value = {.integer = value}});
}

void ist_grpc_settings_add_text(ist_grpc_settings *settings, const char *key, const char *value)
{
    add(settings, (grpc_arg){.type = GRPC_ARG_STRING, .key = unconst(key), .value = {.string = unconst(value)}});
}

void ist_grpc_settings_add_lean(ist_grpc_settings *settings)
{
    ist_grpc_settings_add_int(settings, GRPC_ARG_ENABLE_CENSUS, 0);
    ist_grpc_settings_add_int(settings, GRPC_ARG_ENABLE_LOAD_REPORTING, 0);
    ist_grpc_settings_add_int(settings, GRPC_ARG_ENABLE_CHANNELZ, 0);
    ist_grpc_settings_add_int(settings, GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
}

grpc_channel_args ist_grpc_settings_args(ist_grpc_settings *settings)
{
    return (grpc_channel_args){.num_args = settings->count, .args = settings->items};
}
