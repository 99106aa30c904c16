// SPDX-License-Identifier: Apache-2.0
#include "guard_priv.h"

#include "base/alloc.h"
#include "base/map.h"

#include <stdio.h>
#include <string.h>

#define HOLD_MS 30000
#define GUARDED_MIN 10U  // smaller services come and go
#define KEPT_PERCENT 10U // fewer than so many left is loss
#define HELD_MAX 10000U  // clusters
#define HELD_BYTES_MAX ((size_t)64 << 20)
#define NAME_MAX_BYTES 600
#define UNDECIDED 0 // until_ms of a subset before the end of its response

typedef struct held {
    int64_t until_ms;
    size_t length;
    char bytes[];
} held;

struct ist_xds_guard {
    ist_map *held;
    size_t bytes;
    uint64_t holds;
    char text[320];
};

ist_xds_guard *ist_xds_guard_new(void)
{
    ist_xds_guard *guard = IST_NEW(ist_xds_guard);
    if (guard != NULL) {
        guard->held = ist_map_new(ist_free);
    }
    if (guard != NULL && guard->held == NULL) {
        ist_free(guard);
        return NULL;
    }
    return guard;
}

void ist_xds_guard_free(ist_xds_guard *guard)
{
    if (guard != NULL) {
        ist_map_free(guard->held);
        ist_free(guard);
    }
}

// "outbound|80|v1|host" is a subset of "outbound|80||host". Empty: it is none, or has no such name.
static ist_strv whole_of(ist_strv cluster, char *buffer, size_t size_bytes)
{
    ist_strv host = cluster;
    ist_strv direction = ist_strv_cut(&host, '|', NULL);
    ist_strv port = ist_strv_cut(&host, '|', NULL);
    ist_strv subset = ist_strv_cut(&host, '|', NULL);
    if (subset.n == 0 || host.n == 0 || cluster.n >= size_bytes) {
        return IST_STRV_NULL;
    }
    int length = snprintf(buffer, size_bytes, "%.*s|%.*s||%.*s", IST_STRV_ARG(direction), IST_STRV_ARG(port),
                          IST_STRV_ARG(host));
    return ist_strv_make(buffer, (size_t)length); // shorter than the cluster's name
}

void ist_xds_guard_forget(ist_xds_guard *guard, ist_strv cluster)
{
    const held *old = ist_map_find(guard->held, cluster);
    if (old != NULL) {
        guard->bytes -= old->length;
        (void)ist_map_remove(guard->held, cluster); // it is there
    }
}

static bool is_loss(const ist_xds_loss *loss)
{
    return loss->before >= GUARDED_MIN && (uint64_t)loss->after * 100 < (uint64_t)loss->before * KEPT_PERCENT;
}

static bool keep(ist_xds_guard *guard, const ist_xds_loss *loss, int64_t until_ms)
{
    ist_xds_guard_forget(guard, loss->cluster);
    if (ist_map_count(guard->held) >= HELD_MAX || loss->assignment.n > HELD_BYTES_MAX - guard->bytes) {
        return false;
    }
    held *one = ist_malloc(sizeof(*one) + loss->assignment.n);
    if (one == NULL) {
        return false;
    }
    one->until_ms = until_ms;
    one->length = loss->assignment.n;
    if (one->length != 0) {
        memcpy(one->bytes, loss->assignment.p, one->length);
    }
    if (ist_map_put(guard->held, loss->cluster, one) != IST_OK) {
        ist_free(one);
        return false;
    }
    guard->bytes += one->length;
    return true;
}

static void take_note(ist_xds_guard *guard, const ist_xds_loss *loss)
{
    guard->holds++;
    (void)snprintf(guard->text, sizeof(guard->text), "%.*s: %u of %u endpoints would be left; held for %d s",
                   IST_STRV_ARG(ist_strv_first(loss->cluster, 200)), loss->after, loss->before, HOLD_MS / 1000);
}

bool ist_xds_guard_holds(ist_xds_guard *guard, const ist_xds_loss *loss)
{
    char name[NAME_MAX_BYTES];
    if (!is_loss(loss)) {
        ist_xds_guard_forget(guard, loss->cluster);
        return false;
    }
    const held *old = ist_map_find(guard->held, loss->cluster);
    if (old != NULL) { // said again: the time goes on
        return keep(guard, loss, old->until_ms);
    }
    bool subset = whole_of(loss->cluster, name, sizeof(name)).n != 0;
    if (!keep(guard, loss, subset ? UNDECIDED : loss->now_ms + HOLD_MS)) {
        return false;
    }
    if (!subset) {
        take_note(guard, loss);
    }
    return true;
}

// A subset goes with its service.
static void decide(const ist_xds_guard *guard, ist_strv cluster, held *one, int64_t now_ms)
{
    char name[NAME_MAX_BYTES];
    if (one->until_ms == UNDECIDED) {
        const held *whole = ist_map_find(guard->held, whole_of(cluster, name, sizeof(name)));
        one->until_ms = whole != NULL ? whole->until_ms : now_ms;
    }
}

// First all are decided, then those that are due go: else a service might go before its subsets have looked at it.
void ist_xds_guard_release(ist_xds_guard *guard, int64_t now_ms, void (*apply)(void *ctx, ist_strv assignment),
                           void *ctx)
{
    size_t it = 0;
    ist_strv cluster;
    void *value = NULL;
    while (ist_map_next(guard->held, &it, &cluster, &value)) {
        decide(guard, cluster, value, now_ms);
    }
    it = 0;
    while (ist_map_next(guard->held, &it, &cluster, &value)) {
        const held *one = value;
        if (now_ms >= one->until_ms) {
            apply(ctx, ist_strv_make(one->bytes, one->length));
            guard->bytes -= one->length;
            (void)ist_map_remove(guard->held, cluster); // the one that was just given
        }
    }
}

int64_t ist_xds_guard_next_ms(const ist_xds_guard *guard)
{
    int64_t next_ms = INT64_MAX;
    size_t it = 0;
    ist_strv cluster;
    void *value = NULL;
    while (ist_map_next(guard->held, &it, &cluster, &value)) {
        const held *one = value;
        next_ms = one->until_ms < next_ms ? one->until_ms : next_ms;
    }
    return next_ms;
}

uint32_t ist_xds_guard_held(const ist_xds_guard *guard)
{
    return (uint32_t)ist_map_count(guard->held);
}

uint64_t ist_xds_guard_holds_count(const ist_xds_guard *guard)
{
    return guard->holds;
}

ist_strv ist_xds_guard_text(const ist_xds_guard *guard)
{
    return ist_strv_from(guard->text);
}
