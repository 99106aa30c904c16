// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "rpc_client.h"

#include "grpc_loop/bytes.h"
#include "grpc_loop/settings.h"

#include <grpc/grpc_security.h>

#define DEADLINE_S 60 // of a test that hangs

struct rpc_client {
    grpc_completion_queue *queue;
    grpc_channel *channel;
    grpc_call *forgotten;
};

struct rpc_client_stream {
    rpc_client *client;
    grpc_call *call;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice details;
    bool ended;
};

rpc_client *rpc_client_new(uint16_t port)
{
    char target[64];
    rpc_client *client = IST_NEW(rpc_client);
    assert_non_null(client);
    ist_grpc_settings settings = {.count = 0};
    ist_grpc_settings_add_int(&settings, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_ENABLE_RETRIES, 0);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1); // any
    grpc_channel_args all = ist_grpc_settings_args(&settings);
    (void)snprintf(target, sizeof(target), "ipv4:127.0.0.1:%u", port);
    grpc_init();
    client->queue = grpc_completion_queue_create_for_pluck(NULL);
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    client->channel = grpc_channel_create(target, plain, &all);
    grpc_channel_credentials_release(plain);
    return client;
}

void rpc_client_free(rpc_client *client)
{
    if (client->forgotten != NULL) {
        (void)grpc_call_cancel(client->forgotten, NULL);
        (void)grpc_completion_queue_pluck(client->queue, client, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        grpc_call_unref(client->forgotten);
    }
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->queue);
    while (grpc_completion_queue_pluck(client->queue, client, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(client->queue);
    ist_free(client);
    grpc_shutdown_blocking();
}

static gpr_timespec deadline(void)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_seconds(DEADLINE_S, GPR_TIMESPAN));
}

static grpc_call *make_call(rpc_client *client, const char *path)
{
    return grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue,
                                    grpc_slice_from_static_string(path), NULL, deadline(), NULL);
}

// Whether the operations have succeeded; the call's own deadline ends them.
static bool do_batch(rpc_client *client, grpc_call *call, const grpc_op *ops, size_t count)
{
    int tag;
    assert_int_equal(grpc_call_start_batch(call, ops, count, &tag, NULL), GRPC_CALL_OK);
    grpc_event event = grpc_completion_queue_pluck(client->queue, &tag, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    assert_int_equal(event.type, GRPC_OP_COMPLETE);
    return event.success != 0;
}

static void copy_text(const grpc_slice *slice, char *text)
{
    (void)snprintf(text, RPC_CLIENT_TEXT_SIZE, "%.*s", IST_STRV_ARG(ist_grpc_bytes_view(slice)));
}

// Takes the message apart and destroys it; false where there is none.
static bool take_message(grpc_byte_buffer *message, rpc_client_answer *answer)
{
    grpc_slice slice;
    if (message == NULL) {
        return false;
    }
    assert_true(ist_grpc_bytes_join(message, &slice));
    copy_text(&slice, answer->text);
    answer->length = ist_grpc_bytes_view(&slice).n;
    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(message);
    return true;
}

rpc_client_answer rpc_client_call(rpc_client *client, const char *path, ist_strv message)
{
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    grpc_call *call = make_call(client, path);
    grpc_byte_buffer *request = ist_grpc_bytes_new(message);
    grpc_byte_buffer *reply = NULL;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_slice details = grpc_empty_slice();
    grpc_metadata_array_init(&headers);
    grpc_metadata_array_init(&trailers);
    grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
                      {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
    ops[1].data.send_message.send_message = request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &headers;
    ops[4].data.recv_message.recv_message = &reply;
    ops[5].data.recv_status_on_client.trailing_metadata = &trailers;
    ops[5].data.recv_status_on_client.status = &answer.status;
    ops[5].data.recv_status_on_client.status_details = &details;
    (void)do_batch(client, call, ops, IST_COUNT(ops)); // the status tells
    copy_text(&details, answer.details);
    (void)take_message(reply, &answer); // none: the status tells why
    grpc_slice_unref(details);
    grpc_metadata_array_destroy(&headers);
    grpc_metadata_array_destroy(&trailers);
    grpc_byte_buffer_destroy(request);
    grpc_call_unref(call);
    return answer;
}

void rpc_client_call_and_forget(rpc_client *client, const char *path, ist_strv message)
{
    assert_null(client->forgotten);
    client->forgotten = make_call(client, path);
    grpc_byte_buffer *request = ist_grpc_bytes_new(message);
    grpc_op ops[3] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}};
    ops[1].data.send_message.send_message = request;
    assert_int_equal(grpc_call_start_batch(client->forgotten, ops, IST_COUNT(ops), client, NULL), GRPC_CALL_OK);
    grpc_byte_buffer_destroy(request);
}

rpc_client_stream *rpc_client_open(rpc_client *client, const char *path)
{
    rpc_client_stream *stream = IST_NEW(rpc_client_stream);
    assert_non_null(stream);
    stream->client = client;
    stream->call = make_call(client, path);
    stream->details = grpc_empty_slice();
    grpc_metadata_array_init(&stream->headers);
    grpc_metadata_array_init(&stream->trailers);
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &stream->headers;
    (void)do_batch(client, stream->call, ops, IST_COUNT(ops)); // if it has ended, writing and reading say so
    return stream;
}

bool rpc_client_write(rpc_client_stream *stream, ist_strv message)
{
    grpc_byte_buffer *bytes = ist_grpc_bytes_new(message);
    grpc_op what = {.op = GRPC_OP_SEND_MESSAGE};
    what.data.send_message.send_message = bytes;
    bool sent = do_batch(stream->client, stream->call, &what, 1);
    grpc_byte_buffer_destroy(bytes);
    return sent;
}

bool rpc_client_read(rpc_client_stream *stream, rpc_client_answer *ret_answer)
{
    grpc_byte_buffer *message = NULL;
    grpc_op what = {.op = GRPC_OP_RECV_MESSAGE};
    what.data.recv_message.recv_message = &message;
    (void)do_batch(stream->client, stream->call, &what, 1); // without a message it has ended
    return take_message(message, ret_answer);
}

void rpc_client_close_sending(rpc_client_stream *stream)
{
    grpc_op what = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    (void)do_batch(stream->client, stream->call, &what, 1); // if it has ended, it need not be closed
}

grpc_status_code rpc_client_status(rpc_client_stream *stream)
{
    if (!stream->ended) {
        grpc_op what = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
        what.data.recv_status_on_client.trailing_metadata = &stream->trailers;
        what.data.recv_status_on_client.status = &stream->status;
        what.data.recv_status_on_client.status_details = &stream->details;
        (void)do_batch(stream->client, stream->call, &what, 1); // it always comes
        stream->ended = true;
    }
    return stream->status;
}

void rpc_client_stream_free(rpc_client_stream *stream)
{
    if (!stream->ended) {
        (void)grpc_call_cancel(stream->call, NULL);
        (void)rpc_client_status(stream); // gRPC lets go of its buffers then
    }
    grpc_slice_unref(stream->details);
    grpc_metadata_array_destroy(&stream->headers);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_call_unref(stream->call);
    ist_free(stream);
}
