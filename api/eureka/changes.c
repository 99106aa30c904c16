// SPDX-License-Identifier: Apache-2.0
#include "changes_priv.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

typedef struct list_change {
    eureka_instance *instance;
    bool gone;
    int64_t at_ms;
} list_change;

static void change_free(void *value)
{
    list_change *change = value;
    eureka_instance_unref(change->instance);
    ist_free(change);
}

ist_map *changes_new(void)
{
    return ist_map_new(change_free);
}

// --- Comparing ------------------------------------------------------------------------------------------------------

static bool same_instance(const eureka_instance *a, const eureka_instance *b)
{
    return a == b || (a->content == b->content && ist_strv_equal(a->id, b->id));
}

static bool same_app(const eureka_app *a, const eureka_app *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!same_instance(a->instances[i], b->instances[i])) {
            return false;
        }
    }
    return true;
}

ist_status changes_keep(eureka_app *before, eureka_app **fresh_ref)
{
    eureka_app *fresh = *fresh_ref;
    if (same_app(before, fresh)) {
        *fresh_ref = eureka_app_ref(before);
        eureka_app_unref(fresh);
        return IST_OK;
    }
    eureka_instance **mixed = ist_calloc((size_t)fresh->count + 1, sizeof(*mixed));
    if (mixed == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < fresh->count; i++) {
        eureka_instance *known = eureka_app_find(before, fresh->instances[i]->id);
        mixed[i] = known != NULL && same_instance(known, fresh->instances[i]) ? known : fresh->instances[i];
    }
    eureka_app *next = eureka_app_new(fresh->name, mixed, fresh->count);
    ist_free(mixed);
    if (next == NULL) {
        return IST_ENOMEM;
    }
    eureka_app_unref(fresh);
    *fresh_ref = next;
    return IST_OK;
}

// --- Recording ------------------------------------------------------------------------------------------------------

typedef struct recorder {
    ist_map *changes;
    ist_buf key;
    int64_t now_ms;
    bool changed;
} recorder;

static ist_status record(recorder *r, eureka_instance *instance, bool gone)
{
    r->changed = true;
    ist_buf_clear(&r->key);
    ist_buf_append_strv(&r->key, instance->app);
    ist_buf_append_char(&r->key, '\n'); // in neither part: an application's name is a token of a path
    ist_buf_append_strv(&r->key, instance->id);
    list_change *change = ist_buf_status(&r->key) == IST_OK ? IST_NEW(list_change) : NULL;
    if (change == NULL) {
        return IST_ENOMEM;
    }
    *change = (list_change){.instance = eureka_instance_ref(instance), .gone = gone, .at_ms = r->now_ms};
    ist_status status = ist_map_put(r->changes, ist_buf_view(&r->key), change);
    if (status != IST_OK) {
        change_free(change);
    }
    return status;
}

// Both are sorted by id; NULL stands for an application that is not there.
static ist_status compare_apps(recorder *r, const eureka_app *before, const eureka_app *fresh)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; before != NULL && i < before->count && status == IST_OK; i++) {
        if (fresh == NULL || eureka_app_find(fresh, before->instances[i]->id) == NULL) {
            status = record(r, before->instances[i], true);
        }
    }
    for (uint32_t i = 0; fresh != NULL && i < fresh->count && status == IST_OK; i++) {
        const eureka_instance *known = before != NULL ? eureka_app_find(before, fresh->instances[i]->id) : NULL;
        if (known == NULL || !same_instance(known, fresh->instances[i])) {
            status = record(r, fresh->instances[i], false);
        }
    }
    return status;
}

static ist_status compare_lists(recorder *r, const eureka_apps *before, const eureka_apps *fresh)
{
    ist_status status = IST_OK;
    size_t b = 0;
    size_t f = 0;
    while ((b < before->count || f < fresh->count) && status == IST_OK) {
        int order = b == before->count  ? 1
                    : f == fresh->count ? -1
                                        : ist_strv_compare(before->items[b]->name, fresh->items[f]->name);
        const eureka_app *old = order <= 0 ? before->items[b++] : NULL;
        const eureka_app *now = order >= 0 ? fresh->items[f++] : NULL;
        status = old != now ? compare_apps(r, old, now) : IST_OK;
    }
    return status;
}

ist_status changes_record(ist_map *changes, const eureka_apps *before, const eureka_apps *fresh, int64_t now_ms,
                          bool *changed)
{
    recorder r = {.changes = changes, .key = IST_BUF_INIT, .now_ms = now_ms};
    ist_status status = compare_lists(&r, before, fresh);
    ist_buf_done(&r.key);
    *changed = r.changed;
    return status;
}

void changes_prune(ist_map *changes, int64_t since_ms)
{
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (ist_map_next(changes, &it, &key, &value)) {
        const list_change *change = value;
        if (change->at_ms < since_ms) {
            (void)ist_map_remove(changes, key); // it was there
        }
    }
}

// --- Writing --------------------------------------------------------------------------------------------------------

// An entry of the delta.
typedef struct entry {
    eureka_instance *instance;
    bool gone;
} entry;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a;
    const entry *y = b;
    int order = ist_strv_compare(x->instance->app, y->instance->app);
    order = order != 0 ? order : (int)x->gone - (int)y->gone;
    return order != 0 ? order : ist_strv_compare(x->instance->id, y->instance->id);
}

static size_t count_instances(const eureka_apps *apps)
{
    size_t count = 0;
    for (size_t i = 0; apps != NULL && i < apps->count; i++) {
        count += apps->items[i]->count;
    }
    return count;
}

// What is to be told, sorted. With the whole list, of the changes only what has gone.
static entry *list_entries(const ist_map *changes, const eureka_apps *whole, ist_arena *scratch, size_t *ret_count)
{
    size_t count = 0;
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    entry *entries = IST_ARENA_ARRAY(scratch, count_instances(whole) + ist_map_count(changes) + 1, entry);
    while (entries != NULL && ist_map_next(changes, &it, &key, &value)) {
        const list_change *change = value;
        if (change->gone || whole == NULL) {
            entries[count++] = (entry){change->instance, change->gone};
        }
    }
    for (size_t i = 0; entries != NULL && whole != NULL && i < whole->count; i++) {
        for (uint32_t k = 0; k < whole->items[i]->count; k++) {
            entries[count++] = (entry){whole->items[i]->instances[k], false};
        }
    }
    if (count > 1) {
        qsort(entries, count, sizeof(*entries), compare_entries);
    }
    *ret_count = count;
    return entries;
}

void changes_write(const ist_map *changes, const eureka_apps *whole, eureka_format format, eureka_detail detail,
                   ist_arena *scratch, ist_buf *out)
{
    size_t count = 0;
    entry *entries = list_entries(changes, whole, scratch, &count);
    eureka_instance **instances = IST_ARENA_ARRAY(scratch, count + 1, eureka_instance *);
    if (entries == NULL || instances == NULL) {
        out->status = IST_ENOMEM;
        return;
    }
    size_t end;
    for (size_t at = 0; at < count; at = end) {
        eureka_app_part part = {.name = entries[at].instance->app, .instances = instances + at};
        for (end = at; end < count && ist_strv_equal(entries[end].instance->app, part.name); end++) {
            instances[end] = entries[end].instance;
            part.count++;
            part.deleted_from += entries[end].gone ? 0 : 1;
        }
        eureka_write_separator(out, format, at == 0);
        eureka_write_app_part(out, format, detail, &part);
    }
}
