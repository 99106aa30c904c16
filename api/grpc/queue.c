// SPDX-License-Identifier: Apache-2.0
//
// What waits to be sent on a stream is counted, so that a peer that does not read cannot make us keep what it will never get.
#include "grpc_priv.h"

#include "base/alloc.h"
#include "grpc_loop/bytes.h"

ist_status rpc_queue_add(rpc_queue *queue, ist_strv message)
{
    if (queue->bytes > RPC_UNSENT_MAX_BYTES) {
        return IST_ELIMIT;
    }
    rpc_message *last = IST_NEW(rpc_message);
    if (last == NULL) {
        return IST_ENOMEM;
    }
    *last = (rpc_message){.buffer = ist_grpc_bytes_new(message), .size_bytes = message.n};
    *(queue->first != NULL ? &queue->last->next : &queue->first) = last;
    queue->last = last;
    queue->bytes += message.n;
    return IST_OK;
}

grpc_byte_buffer *rpc_queue_take(rpc_queue *queue)
{
    rpc_message *first = queue->first;
    if (first == NULL) {
        return NULL;
    }
    grpc_byte_buffer *buffer = first->buffer;
    queue->first = first->next;
    queue->taken_bytes = first->size_bytes;
    ist_free(first);
    return buffer;
}

void rpc_queue_sent(rpc_queue *queue)
{
    queue->bytes -= queue->taken_bytes;
    queue->taken_bytes = 0;
}

void rpc_queue_clear(rpc_queue *queue)
{
    size_t taken_bytes = queue->taken_bytes;
    for (grpc_byte_buffer *each = rpc_queue_take(queue); each != NULL; each = rpc_queue_take(queue)) {
        rpc_queue_sent(queue);
        grpc_byte_buffer_destroy(each);
    }
    queue->bytes = taken_bytes; // what is being sent is not ours to drop
    queue->taken_bytes = taken_bytes;
}
