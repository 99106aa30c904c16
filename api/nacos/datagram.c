// SPDX-License-Identifier: Apache-2.0
#include "datagram_priv.h"

#include "nacos_priv.h"

#include "api_core/gzip.h"
#include "api_document/document.h"
#include "base/alloc.h"

#include <stdio.h>

#define PATIENCE_MS 1000
#define TRIES_MAX 4     // a client that takes nothing asks again all the same
#define EXPIRY_MS 70000 // Java's client asks again after a minute where a list was empty
#define PACK_FROM_BYTES 1024
#define DATAGRAM_MAX_BYTES 65507 // of IPv4
#define GO_MAX_BYTES 4024
#define ACK_MAX_BYTES 2048
#define PACKED_PART 8 // a list packs to less than this part of it (tens, as a rule)

// --- Sending --------------------------------------------------------------------------------------------------------

// The list is a text in the message, as if it were no JSON.
static void write_message(const nacos_receiver *receiver, nacos_list *list, uint64_t id, ist_buf *out)
{
    ist_buf info = IST_BUF_INIT;
    ist_json json = ist_json_over(out);
    nacos_list_write(list, NACOS_GROUPED_NAME, NACOS_CACHE_MS, nacos_wall_ms(receiver->nacos), &info);
    ist_json_begin_object(&json, NULL);
    ist_json_string(&json, "type", "dom");
    ist_json_strv(&json, "data", ist_buf_view(&info));
    ist_json_u64(&json, "lastRefTime", id);
    ist_json_end_object(&json);
    out->status = ist_buf_status(&info) != IST_OK ? ist_buf_status(&info) : out->status;
    ist_buf_done(&info);
}

static bool send_list(nacos_subscriber *subscriber, nacos_subscription *subscription, uint64_t id)
{
    nacos_receiver *receiver = (nacos_receiver *)subscriber;
    const ist_api_nacos_outside *outside = &receiver->nacos->outside;
    ist_buf plain = IST_BUF_INIT;
    ist_buf packed = IST_BUF_INIT;
    write_message(receiver, subscription->list, id, &plain);
    ist_status status = ist_buf_status(&plain);
    if (status == IST_OK && plain.length >= PACK_FROM_BYTES) {
        status = ist_api_gzip(ist_buf_view(&plain), &packed);
    }
    ist_strv datagram = ist_buf_view(packed.length != 0 ? &packed : &plain);
    bool sent = status == IST_OK && datagram.n <= receiver->bytes_max;
    if (sent) {
        outside->send(outside->ctx, &receiver->address, receiver->port, datagram);
    }
    ist_buf_done(&plain);
    ist_buf_done(&packed);
    return sent;
}

// --- Receivers ------------------------------------------------------------------------------------------------------

static nacos_receiver *find(const ist_api_nacos *nacos, const ist_mesh_addr *address, uint16_t port)
{
    nacos_receiver *each = nacos->receivers;
    while (each != NULL && !(each->port == port && ist_mesh_addr_equal(&each->address, address))) {
        each = each->next;
    }
    return each;
}

static nacos_receiver *make(ist_api_nacos *nacos, const nacos_pull *pull)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    nacos_receiver *receiver = nacos->receiver_count < NACOS_RECEIVERS_MAX ? IST_NEW(nacos_receiver) : NULL;
    if (receiver == NULL) {
        return NULL;
    }
    *receiver = (nacos_receiver){.subscriber = {.send = send_list, .patience_ms = PATIENCE_MS, .tries_max = TRIES_MAX},
                                 .nacos = nacos,
                                 .next = nacos->receivers,
                                 .address = pull->address,
                                 .port = pull->port};
    (void)snprintf(receiver->peer, sizeof(receiver->peer), "%s:%s:%u", pull->address.family == 4 ? "ipv4" : "ipv6",
                   ist_mesh_addr_format(&pull->address, text), pull->port); // it fits
    receiver->subscriber.peer = receiver->peer;
    nacos->receivers = receiver;
    nacos->receiver_count++;
    return receiver;
}

static void free_receiver(nacos_receiver *receiver)
{
    ist_api_nacos *nacos = receiver->nacos;
    nacos_receiver **at = &nacos->receivers;
    while (*at != receiver) {
        at = &(*at)->next;
    }
    *at = receiver->next;
    nacos->receiver_count--;
    nacos_unsubscribe_all(nacos, &receiver->subscriber);
    ist_free(receiver);
}

void nacos_receivers_done(ist_api_nacos *nacos)
{
    while (nacos->receivers != NULL) {
        free_receiver(nacos->receivers);
    }
}

bool nacos_receiver_renew(ist_api_nacos *nacos, const nacos_pull *pull, nacos_list *list)
{
    size_t bytes_max = pull->is_go ? GO_MAX_BYTES : DATAGRAM_MAX_BYTES;
    if (nacos->outside.send == NULL || pull->port == 0 || pull->address.family == 0 ||
        list->hosts.length / PACKED_PART > bytes_max) {
        return false;
    }
    nacos_receiver *receiver = find(nacos, &pull->address, pull->port);
    receiver = receiver != NULL ? receiver : make(nacos, pull);
    if (receiver == NULL) {
        return false;
    }
    receiver->bytes_max = bytes_max; // the port may be another client's by now
    nacos_subscriber_name(&receiver->subscriber, pull->agent);
    bool subscribed = nacos_subscribe(nacos, &receiver->subscriber, list) != NULL;
    if (receiver->subscriber.subscriptions == NULL) {
        free_receiver(receiver);
    }
    nacos_wake_in(nacos, EXPIRY_MS);
    return subscribed;
}

// Returns in how many milliseconds the next one may expire, -1 = none is left.
static int64_t expire(nacos_receiver *receiver, int64_t now_ms)
{
    int64_t next_ms = -1;
    nacos_subscription *next;
    for (nacos_subscription *each = receiver->subscriber.subscriptions; each != NULL; each = next) {
        int64_t left_ms = each->renewed_ms + EXPIRY_MS - now_ms;
        next = each->next_of_subscriber;
        if (left_ms <= 0) {
            nacos_unsubscribe(receiver->nacos, each);
        } else {
            next_ms = nacos_earlier(next_ms, left_ms);
        }
    }
    return next_ms;
}

int64_t nacos_receivers_tick(ist_api_nacos *nacos, int64_t now_ms)
{
    int64_t next_ms = -1;
    nacos_receiver *next;
    for (nacos_receiver *each = nacos->receivers; each != NULL; each = next) {
        next = each->next;
        int64_t expiry_ms = expire(each, now_ms);
        if (expiry_ms < 0) {
            free_receiver(each);
            continue;
        }
        next_ms = nacos_earlier(next_ms, nacos_earlier(expiry_ms, nacos_push_again(nacos, &each->subscriber, now_ms)));
    }
    return next_ms;
}

// --- What they acknowledge ------------------------------------------------------------------------------------------

// The number of the message that a datagram acknowledges; 0 = it does not. Node's client writes the number as one, others as a
// text.
static uint64_t read_ack(ist_strv datagram, ist_arena *arena)
{
    const ist_document *ack = NULL;
    uint64_t id = 0;
    if (datagram.n > ACK_MAX_BYTES || ist_document_read(IST_DOCUMENT_JSON, datagram, arena, &ack, NULL) != IST_OK ||
        !ist_strv_equal(ist_document_text(ist_document_find(ack, "type")), IST_STRV("push-ack")) ||
        ist_strv_to_u64(ist_document_text(ist_document_find(ack, "lastRefTime")), UINT64_MAX, &id) != IST_OK) {
        return 0;
    }
    return id;
}

void ist_api_nacos_datagram(ist_api_nacos *nacos, const ist_mesh_addr *from, uint16_t port, ist_strv datagram)
{
    nacos_receiver *receiver = find(nacos, from, port);
    if (receiver != NULL) {
        ist_arena_clear(nacos->scratch);
        nacos_acknowledged(nacos, &receiver->subscriber, read_ack(datagram, nacos->scratch));
    }
}
