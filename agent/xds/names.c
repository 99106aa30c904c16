// SPDX-License-Identifier: Apache-2.0
#include "names_priv.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"

#include "encode_priv.h"

#define MAX_NAMES ((size_t)1000000)
#define FIELD_OVERHEAD_BYTES 16 // tag and length

typedef struct name_change {
    char *text; // owned
    size_t length;
    bool joins;
} name_change;

struct ist_xds_names {
    ist_map *wanted; // name -> the round in which it was last wanted, as a number in the pointer
    uintptr_t round; // never 0
    struct {
        name_change *items;
        size_t count;
        size_t capacity;
    } queue;
    size_t sent; // so many at the front of the queue are done
};

ist_xds_names *ist_xds_names_new(void)
{
    ist_xds_names *names = IST_NEW(ist_xds_names);
    if (names == NULL) {
        return NULL;
    }
    names->round = 1;
    names->wanted = ist_map_new(NULL);
    if (names->wanted == NULL) {
        ist_free(names);
        return NULL;
    }
    return names;
}

void ist_xds_names_forget_changes(ist_xds_names *names)
{
    for (size_t i = names->sent; i < names->queue.count; i++) {
        ist_free(names->queue.items[i].text);
    }
    names->queue.count = 0;
    names->sent = 0;
}

void ist_xds_names_free(ist_xds_names *names)
{
    if (names == NULL) {
        return;
    }
    ist_xds_names_forget_changes(names);
    IST_VEC_DONE(&names->queue);
    ist_map_free(names->wanted);
    ist_free(names);
}

static ist_status enqueue(ist_xds_names *names, ist_strv name, bool joins)
{
    name_change change = {.text = ist_strndup(name.p, name.n), .length = name.n, .joins = joins};
    if (change.text == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = IST_VEC_PUSH(&names->queue, change, MAX_NAMES * 4);
    if (status != IST_OK) {
        ist_free(change.text);
    }
    return status;
}

void ist_xds_names_update_begin(ist_xds_names *names)
{
    names->round++;
}

ist_status ist_xds_names_want(ist_xds_names *names, ist_strv name)
{
    if (ist_map_find(names->wanted, name) != NULL) {
        return ist_map_put(names->wanted, name, (void *)names->round); // replaces in place
    }
    if (ist_map_count(names->wanted) >= MAX_NAMES) {
        return IST_ELIMIT;
    }
    ist_status status = enqueue(names, name, true);
    if (status != IST_OK) {
        return status;
    }
    status = ist_map_put(names->wanted, name, (void *)names->round);
    if (status != IST_OK) {
        ist_free(names->queue.items[--names->queue.count].text);
    }
    return status;
}

ist_status ist_xds_names_update_end(ist_xds_names *names, void (*gone)(void *ctx, ist_strv name), void *ctx)
{
    size_t it = 0;
    ist_strv name;
    void *round;
    while (ist_map_next(names->wanted, &it, &name, &round)) {
        if ((uintptr_t)round == names->round) {
            continue;
        }
        ist_status status = enqueue(names, name, false);
        if (status != IST_OK) {
            return status;
        }
        if (gone != NULL) {
            gone(ctx, name);
        }
        (void)ist_map_remove(names->wanted, name); // it is there: the iteration has just given it
    }
    return IST_OK;
}

ist_status ist_xds_names_resubscribe(ist_xds_names *names)
{
    size_t it = 0;
    ist_strv name;
    ist_xds_names_forget_changes(names);
    while (ist_map_next(names->wanted, &it, &name, NULL)) {
        ist_status status = enqueue(names, name, true);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

size_t ist_xds_names_count(const ist_xds_names *names)
{
    return ist_map_count(names->wanted);
}

bool ist_xds_names_is_pending(const ist_xds_names *names)
{
    return names->sent < names->queue.count;
}

bool ist_xds_names_joins(const ist_xds_names *names)
{
    for (size_t i = names->sent; i < names->queue.count; i++) {
        if (names->queue.items[i].joins) {
            return true;
        }
    }
    return false;
}

// End of the changes that the next request can carry: first all that join, then all that leave, so that no name that leaves
// and comes back stands in one request twice.
static size_t batch_end(const ist_xds_names *names, size_t max_bytes)
{
    size_t bytes = 0;
    size_t end = names->sent;
    bool leaving = false;
    while (end < names->queue.count) {
        const name_change *change = &names->queue.items[end];
        bytes += change->length + FIELD_OVERHEAD_BYTES;
        if ((leaving && change->joins) || (bytes > max_bytes && end > names->sent)) {
            break;
        }
        leaving = !change->joins;
        end++;
    }
    return end;
}

void ist_xds_names_write_changes(ist_xds_names *names, ist_xds_name_fields fields, size_t max_bytes, ist_buf *out,
                                 bool *ret_joins)
{
    size_t end = batch_end(names, max_bytes);
    bool joins = false;
    for (size_t i = names->sent; i < end; i++) {
        const name_change *change = &names->queue.items[i];
        joins |= change->joins;
        ist_xds_encode_text(out, change->joins ? fields.subscribe : fields.unsubscribe,
                            ist_strv_make(change->text, change->length));
    }
    *ret_joins = joins;
    if (ist_buf_status(out) != IST_OK) {
        return;
    }
    for (size_t i = names->sent; i < end; i++) {
        ist_free(names->queue.items[i].text);
    }
    names->sent = end;
    if (end == names->queue.count) {
        names->queue.count = 0;
        names->sent = 0;
    }
}

size_t ist_xds_names_write_all(const ist_xds_names *names, uint32_t field, size_t max_bytes, ist_buf *out)
{
    size_t it = 0;
    size_t bytes = 0;
    size_t omitted = 0;
    ist_strv name;
    while (ist_map_next(names->wanted, &it, &name, NULL)) {
        if (bytes + name.n + FIELD_OVERHEAD_BYTES > max_bytes) {
            omitted++;
            continue;
        }
        bytes += name.n + FIELD_OVERHEAD_BYTES;
        ist_xds_encode_text(out, field, name);
    }
    return omitted;
}
