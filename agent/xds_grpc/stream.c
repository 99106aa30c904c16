// SPDX-License-Identifier: Apache-2.0
#include "stream_priv.h"

#include "base/alloc.h"
#include "base/vec.h"
#include "channel_priv.h"
#include "grpc_loop/bytes.h"
#include "grpc_loop/op.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include <assert.h>

// Each kind of operation is under way at most once, so its job can live in the stream.
typedef enum op_kind {
    OP_SEND_HEADERS = 0, // its end means: connected
    OP_RECV_HEADERS,
    OP_SEND,
    OP_RECV,
    OP_STATUS,
    _OP_MAX
} op_kind;

typedef struct stream_op {
    ist_grpc_op op;
    ist_xds_grpc_stream *stream;
    op_kind kind;
} stream_op;

struct ist_xds_grpc_stream {
    const ist_xds_grpc_stream_events *events;
    void *ctx;
    grpc_channel *channel;
    grpc_call *call;
    stream_op ops[_OP_MAX];
    bool abandoned;
    bool closed;
    grpc_byte_buffer *sending;
    grpc_byte_buffer *received;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice details;
    struct {
        ist_xds_slice *items;
        size_t count, capacity;
    } slices; // of the message in hand; kept for the next
};

#define MAX_SLICES ((size_t)1 << 24)

// --- Operations ------------------------------------------------------------------------------------------------------

static void start(ist_xds_grpc_stream *stream, op_kind kind, const grpc_op *what)
{
    grpc_call_error error = grpc_call_start_batch(stream->call, what, 1, ist_grpc_op_tag(&stream->ops[kind].op), NULL);
    assert(error == GRPC_CALL_OK); // it refuses wrong use only
    (void)error;
}

static void start_recv(ist_xds_grpc_stream *stream)
{
    grpc_op what = {.op = GRPC_OP_RECV_MESSAGE};
    what.data.recv_message.recv_message = &stream->received;
    start(stream, OP_RECV, &what);
}

static void start_status(ist_xds_grpc_stream *stream)
{
    grpc_op what = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    what.data.recv_status_on_client.trailing_metadata = &stream->trailers;
    what.data.recv_status_on_client.status = &stream->status;
    what.data.recv_status_on_client.status_details = &stream->details;
    start(stream, OP_STATUS, &what);
}

// Without wait_for_ready: where no connection comes about, the call fails at once with the reason.
static void start_headers(ist_xds_grpc_stream *stream, const ist_xds_grpc_stream_args *args)
{
    grpc_metadata metadata[2];
    size_t count = 0;
    if (args->authorization != NULL) {
        metadata[count].key = grpc_slice_from_static_string("authorization");
        metadata[count++].value = grpc_slice_from_copied_string(args->authorization);
    }
    if (args->cluster_id != NULL) {
        metadata[count].key = grpc_slice_from_static_string("clusterid");
        metadata[count++].value = grpc_slice_from_copied_string(args->cluster_id);
    }
    grpc_op send = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    send.data.send_initial_metadata.count = count;
    send.data.send_initial_metadata.metadata = metadata;
    start(stream, OP_SEND_HEADERS, &send);
    for (size_t i = 0; i < count; i++) {
        grpc_slice_unref(metadata[i].value); // gRPC keeps its own reference
    }
    grpc_op recv = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    recv.data.recv_initial_metadata.recv_initial_metadata = &stream->headers;
    start(stream, OP_RECV_HEADERS, &recv);
}

// --- Events, on the loop ---------------------------------------------------------------------------------------------

// The slices where they lie in gRPC's buffer: nothing is copied.
static bool gather(ist_xds_grpc_stream *stream, grpc_byte_buffer_reader *reader)
{
    grpc_slice *slice = NULL;
    stream->slices.count = 0;
    while (grpc_byte_buffer_reader_peek(reader, &slice) != 0) {
        ist_xds_slice view = {.bytes = GRPC_SLICE_START_PTR(*slice), .length = GRPC_SLICE_LENGTH(*slice)};
        if (IST_VEC_PUSH(&stream->slices, view, MAX_SLICES) != IST_OK) {
            return false;
        }
    }
    return true;
}

static void deliver(ist_xds_grpc_stream *stream)
{
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, stream->received) == 0) {
        ist_xds_grpc_stream_cancel(stream, GRPC_STATUS_INTERNAL, "a response could not be decompressed");
        return;
    }
    if (gather(stream, &reader)) {
        stream->events->message(stream->ctx, stream, stream->slices.items, stream->slices.count);
    } else {
        ist_xds_grpc_stream_cancel(stream, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory of ours for a response");
    }
    grpc_byte_buffer_reader_destroy(&reader);
}

static void on_received(ist_xds_grpc_stream *stream)
{
    if (stream->received == NULL) {
        return; // the end; the status tells more
    }
    if (!stream->abandoned && !stream->closed) {
        deliver(stream);
    }
    grpc_byte_buffer_destroy(stream->received);
    stream->received = NULL;
    if (!stream->abandoned && !stream->closed) {
        start_recv(stream); // only now: a slow consumer slows the server down
    }
}

static void on_status(ist_xds_grpc_stream *stream)
{
    stream->closed = true;
    if (!stream->abandoned) {
        const char *text = (const char *)GRPC_SLICE_START_PTR(stream->details);
        stream->events->closed(stream->ctx, stream, (int)stream->status,
                               ist_strv_make(text, GRPC_SLICE_LENGTH(stream->details)));
    }
}

static void dispatch(ist_xds_grpc_stream *stream, op_kind kind, bool ok)
{
    bool tell = ok && !stream->abandoned && !stream->closed;
    switch (kind) {
    case OP_SEND_HEADERS:
        if (tell) {
            stream->events->opened(stream->ctx, stream);
        }
        break;
    case OP_RECV_HEADERS:
        break;
    case OP_SEND:
        grpc_byte_buffer_destroy(stream->sending);
        stream->sending = NULL;
        if (tell) {
            stream->events->sent(stream->ctx, stream);
        }
        break;
    case OP_RECV:
        on_received(stream);
        break;
    case OP_STATUS:
        on_status(stream);
        break;
    case _OP_MAX:
        break;
    }
}

static size_t count_pending(const ist_xds_grpc_stream *stream)
{
    size_t pending = 0;
    for (size_t i = 0; i < _OP_MAX; i++) {
        pending += ist_grpc_op_is_pending(&stream->ops[i].op) ? 1 : 0;
    }
    return pending;
}

static void on_op(void *ctx, bool ok)
{
    const stream_op *self = ctx;
    ist_xds_grpc_stream *stream = self->stream;
    dispatch(stream, self->kind, ok);
    if (count_pending(stream) == 0) { // the operation for the status is the last to end, or one that ends with it
        stream->events->gone(stream->ctx, stream);
    }
}

// --- Life -----------------------------------------------------------------------------------------------------------

static grpc_call *make_call(grpc_channel *channel, const ist_xds_grpc_stream_args *args)
{
    static const char *const methods[] = {
        [IST_XDS_DELTA] = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
        [IST_XDS_SOTW] = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    };
    return grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, args->queue,
                                    grpc_slice_from_static_string(methods[args->mode]), NULL,
                                    gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
}

ist_xds_grpc_stream *ist_xds_grpc_stream_new(const ist_xds_grpc_stream_args *args)
{
    ist_xds_grpc_stream *stream = IST_NEW(ist_xds_grpc_stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->events = args->events;
    stream->ctx = args->ctx;
    for (op_kind kind = OP_SEND_HEADERS; kind < _OP_MAX; kind++) {
        stream_op *self = &stream->ops[kind];
        self->stream = stream;
        self->kind = kind;
        ist_grpc_op_init(&self->op, args->loop, on_op, self);
    }
    stream->details = grpc_empty_slice();
    grpc_metadata_array_init(&stream->headers);
    grpc_metadata_array_init(&stream->trailers);
    stream->channel = ist_xds_grpc_channel_new(args);
    stream->call = make_call(stream->channel, args);
    start_status(stream);
    start_headers(stream, args);
    start_recv(stream);
    return stream;
}

void ist_xds_grpc_stream_free(ist_xds_grpc_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    grpc_call_unref(stream->call);
    grpc_channel_destroy(stream->channel);
    grpc_metadata_array_destroy(&stream->headers);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_slice_unref(stream->details);
    IST_VEC_DONE(&stream->slices);
    ist_free(stream);
}

void ist_xds_grpc_stream_send(ist_xds_grpc_stream *stream, const void *bytes, size_t length)
{
    if (stream->closed) {
        return; // the owner knows already
    }
    stream->sending = ist_grpc_bytes_new(ist_strv_make(bytes, length));
    grpc_op what = {.op = GRPC_OP_SEND_MESSAGE};
    what.data.send_message.send_message = stream->sending;
    start(stream, OP_SEND, &what);
}

void ist_xds_grpc_stream_cancel(ist_xds_grpc_stream *stream, int grpc_status, const char *text)
{
    (void)grpc_call_cancel_with_status(stream->call, (grpc_status_code)grpc_status, text, NULL); // no effect at its end
}

void ist_xds_grpc_stream_abandon(ist_xds_grpc_stream *stream)
{
    stream->abandoned = true;
    (void)grpc_call_cancel(stream->call, NULL);
}

void ist_xds_grpc_stream_finish(ist_xds_grpc_stream *stream)
{
    size_t left = count_pending(stream);
    for (size_t i = 0; left != 0; i++) {
        if (ist_grpc_op_is_pending(&stream->ops[i].op)) {
            left--;
            ist_grpc_op_finish(&stream->ops[i].op); // the last one tells `gone`, where the stream is freed
        }
    }
}
