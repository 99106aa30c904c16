// SPDX-License-Identifier: Apache-2.0
#include "channel_priv.h"

#include "grpc_loop/settings.h"

#include <grpc/grpc_security.h>

#define CONNECT_MS 10000   // of one TCP and TLS attempt
#define KEEPALIVE_MS 30000 // istiod's own interval; it cuts clients that ping more often than every 15 s
#define KEEPALIVE_TIMEOUT_MS 10000
#define MAX_MESSAGE_BYTES (256 << 20) // istiod's largest pushes are about 40 MB
#define WINDOW_BYTES (1 << 20)

static void fill(ist_grpc_settings *list, const ist_xds_grpc_stream_args *args)
{
    ist_grpc_settings_add_text(list, GRPC_ARG_DEFAULT_AUTHORITY, args->authority);
    ist_grpc_settings_add_int(list, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MAX_MESSAGE_BYTES);
    ist_grpc_settings_add_int(list, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS); // also the deadline of one attempt
    ist_grpc_settings_add_int(list, GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS);
    ist_grpc_settings_add_int(list, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS);
    ist_grpc_settings_add_int(list, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
    ist_grpc_settings_add_int(list, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); // 0 = any number: an idle stream stays watched
    ist_grpc_settings_add_int(list, GRPC_ARG_HTTP2_BDP_PROBE, 0);
    ist_grpc_settings_add_int(list, GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, WINDOW_BYTES);
    // The stream is the only user of its connection, and the client above decides what is tried when.
    ist_grpc_settings_add_int(list, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    ist_grpc_settings_add_int(list, GRPC_ARG_ENABLE_RETRIES, 0);
    ist_grpc_settings_add_int(list, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    ist_grpc_settings_add_int(list, GRPC_ARG_INHIBIT_HEALTH_CHECKING, 1);
    ist_grpc_settings_add_int(list, GRPC_ARG_ENABLE_HTTP_PROXY, 0); // a proxy of the environment is meant for the application
    ist_grpc_settings_add_lean(list);
    ist_grpc_settings_add_int(list, GRPC_ARG_ENABLE_DEADLINE_CHECKS, 0);
}

grpc_channel *ist_xds_grpc_channel_new(const ist_xds_grpc_stream_args *args)
{
    ist_grpc_settings list = {.count = 0};
    fill(&list, args);
    grpc_channel_args all = ist_grpc_settings_args(&list);
    grpc_channel_credentials *credentials = args->root_pem != NULL
                                                ? grpc_ssl_credentials_create(args->root_pem, NULL, NULL, NULL)
                                                : grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(args->target, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return channel;
}
