// SPDX-License-Identifier: Apache-2.0
#include "resolve_bridge_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"

#include <string.h>

#define QUEUE_MAX 20000

typedef struct message {
    struct message *next;
    char *host;
    bool watch;        // requests: watch or unwatch
    ist_status status; // results
    size_t count;
    ist_mesh_addr addrs[];
} message;

typedef struct queue {
    message *first;
    message **end;
    size_t length;
} queue;

struct resolve_bridge {
    worker *writer;
    worker *dns;
    ist_dns_resolver *resolver;
    ist_resolve_result_fn on_result;
    void *ctx;
    ist_map *watches; // host -> count; writer thread
    ist_loop_job to_dns;
    ist_loop_job to_writer;
    pthread_mutex_t lock; // protects both queues
    queue requests;
    queue results;
};

static message *message_new(ist_strv host, size_t count)
{
    message *new = ist_calloc(1, sizeof(message) + count * sizeof(ist_mesh_addr));
    char *copy = ist_strndup(host.p, host.n);
    if (new == NULL || copy == NULL) {
        ist_free(new);
        ist_free(copy);
        return NULL;
    }
    new->host = copy;
    new->count = count;
    return new;
}

static void message_free(message *old)
{
    if (old != NULL) {
        ist_free(old->host);
        ist_free(old);
    }
}

// Appends; false (and the message is freed) where the queue is full.
static bool push(resolve_bridge *bridge, queue *to, message *new)
{
    (void)pthread_mutex_lock(&bridge->lock);
    bool room = to->length < QUEUE_MAX;
    if (room) {
        *to->end = new;
        to->end = &new->next;
        to->length++;
    }
    (void)pthread_mutex_unlock(&bridge->lock);
    if (!room) {
        message_free(new);
    }
    return room;
}

static message *pop(resolve_bridge *bridge, queue *from)
{
    (void)pthread_mutex_lock(&bridge->lock);
    message *first = from->first;
    if (first != NULL) {
        from->first = first->next;
        from->length--;
        if (from->first == NULL) {
            from->end = &from->first;
        }
    }
    (void)pthread_mutex_unlock(&bridge->lock);
    return first;
}

// --- The writer's side ----------------------------------------------------------------------------------------------

static ist_status request(resolve_bridge *bridge, ist_strv host, bool watch)
{
    message *new = message_new(host, 0);
    if (new == NULL) {
        return IST_ENOMEM;
    }
    new->watch = watch;
    if (!push(bridge, &bridge->requests, new)) {
        return IST_ELIMIT;
    }
    ist_loop_post(bridge->dns->loop, &bridge->to_dns);
    return IST_OK;
}

static ist_status watch(void *ctx, ist_strv host)
{
    resolve_bridge *bridge = ctx;
    size_t *count = ist_map_find(bridge->watches, host);
    if (count != NULL) {
        (*count)++;
        return IST_OK;
    }
    count = IST_NEW(size_t);
    if (count == NULL) {
        return IST_ENOMEM;
    }
    *count = 1;
    ist_status status = ist_map_put(bridge->watches, host, count);
    if (status != IST_OK) {
        ist_free(count);
        return status;
    }
    status = request(bridge, host, true);
    if (status != IST_OK) {
        (void)ist_map_remove(bridge->watches, host); // was just put
    }
    return status;
}

static void unwatch(void *ctx, ist_strv host)
{
    resolve_bridge *bridge = ctx;
    size_t *count = ist_map_find(bridge->watches, host);
    if (count == NULL || --*count != 0) {
        return;
    }
    (void)ist_map_remove(bridge->watches, host); // is there
    if (request(bridge, host, false) != IST_OK) {
        IST_WARN(IST_LOG_DNS, "no memory to stop resolving %.*s, which goes on", IST_STRV_ARG(host));
    }
}

static void deliver_results(void *ctx)
{
    resolve_bridge *bridge = ctx;
    for (message *result = pop(bridge, &bridge->results); result != NULL; result = pop(bridge, &bridge->results)) {
        bridge->on_result(bridge->ctx, ist_strv_from(result->host), result->status, result->addrs, result->count);
        message_free(result);
    }
}

// --- The DNS thread's side ------------------------------------------------------------------------------------------

static void carry_out(resolve_bridge *bridge, const message *order)
{
    ist_strv host = ist_strv_from(order->host);
    if (!order->watch) {
        ist_dns_resolver_unwatch(bridge->resolver, host);
        return;
    }
    ist_status status = ist_dns_resolver_watch(bridge->resolver, host);
    if (status != IST_OK) {
        resolve_bridge_result(bridge, host, status, NULL, 0);
    }
}

static void take_requests(void *ctx)
{
    resolve_bridge *bridge = ctx;
    for (message *order = pop(bridge, &bridge->requests); order != NULL; order = pop(bridge, &bridge->requests)) {
        carry_out(bridge, order);
        message_free(order);
    }
}

void resolve_bridge_result(void *ctx, ist_strv host, ist_status status, const ist_mesh_addr *addrs, size_t count)
{
    resolve_bridge *bridge = ctx;
    message *new = message_new(host, count);
    if (new != NULL) {
        new->status = status;
        if (count != 0) {
            memcpy(new->addrs, addrs, count * sizeof(*addrs));
        }
    }
    if (new == NULL || !push(bridge, &bridge->results, new)) {
        IST_WARN(IST_LOG_DNS, "the addresses of %.*s are lost for want of memory, asking again by TTL",
                 IST_STRV_ARG(host));
        return;
    }
    ist_loop_post(bridge->writer->loop, &bridge->to_writer);
}

// --- Life -----------------------------------------------------------------------------------------------------------

ist_status resolve_bridge_new(worker *writer, worker *dns, ist_resolve_result_fn on_result, void *ctx,
                              resolve_bridge **ret_bridge, ist_err *err)
{
    resolve_bridge *bridge = IST_NEW(resolve_bridge);
    ist_map *watches = ist_map_new(ist_free);
    if (bridge == NULL || watches == NULL) {
        ist_free(bridge);
        ist_map_free(watches);
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    *bridge = (resolve_bridge){.writer = writer, .dns = dns, .on_result = on_result, .ctx = ctx, .watches = watches};
    bridge->requests.end = &bridge->requests.first;
    bridge->results.end = &bridge->results.first;
    bridge->to_dns = (ist_loop_job){.run = take_requests, .ctx = bridge};
    bridge->to_writer = (ist_loop_job){.run = deliver_results, .ctx = bridge};
    (void)pthread_mutex_init(&bridge->lock, NULL); // default attributes cannot fail on Linux
    *ret_bridge = bridge;
    return IST_OK;
}

static void drop_all(resolve_bridge *bridge, queue *from)
{
    for (message *left = pop(bridge, from); left != NULL; left = pop(bridge, from)) {
        message_free(left);
    }
}

void resolve_bridge_free(resolve_bridge *bridge)
{
    if (bridge == NULL) {
        return;
    }
    ist_loop_cancel(bridge->dns->loop, &bridge->to_dns);
    ist_loop_cancel(bridge->writer->loop, &bridge->to_writer);
    drop_all(bridge, &bridge->requests);
    drop_all(bridge, &bridge->results);
    ist_map_free(bridge->watches);
    (void)pthread_mutex_destroy(&bridge->lock);
    ist_free(bridge);
}

void resolve_bridge_attach(resolve_bridge *bridge, ist_dns_resolver *resolver)
{
    bridge->resolver = resolver;
}

ist_resolve resolve_bridge_interface(resolve_bridge *bridge)
{
    return (ist_resolve){.watch = watch, .unwatch = unwatch, .ctx = bridge};
}
