// SPDX-License-Identifier: Apache-2.0
#include "changes_priv.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

typedef struct list_change {
    eureka_instance *instance;
    bool gone;
    change_time time;
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

// Where *fresh_ref says the same as `before`, `before` takes its place, so that its text and its times go on; else the instances
// that are what they were do.
static ist_status keep(eureka_app *before, eureka_app **fresh_ref)
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

ist_status changes_keep_all(const eureka_apps *known, eureka_apps *fresh)
{
    ist_status status = IST_OK;
    for (size_t i = 0; i < fresh->count && status == IST_OK; i++) {
        eureka_app *before = eureka_apps_find(known, fresh->items[i]->name, NULL);
        if (before != NULL && before != fresh->items[i]) {
            status = keep(before, &fresh->items[i]);
        }
    }
    return status;
}

// --- Recording ------------------------------------------------------------------------------------------------------

typedef struct recorder {
    ist_map *changes;
    ist_buf key;
    change_time time;
    bool changed;
    size_t gone_bytes;
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
    *change = (list_change){.instance = eureka_instance_ref(instance), .gone = gone, .time = r->time};
    ist_status status = ist_map_put(r->changes, ist_buf_view(&r->key), change);
    if (status != IST_OK) {
        change_free(change);
    } else if (gone) {
        r->gone_bytes += instance->size_bytes;
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

ist_status changes_record(ist_map *changes, const eureka_apps *before, const eureka_apps *fresh, change_time time,
                          bool *changed, size_t *gone_bytes)
{
    recorder r = {.changes = changes, .key = IST_BUF_INIT, .time = time};
    ist_status status = compare_lists(&r, before, fresh);
    ist_buf_done(&r.key);
    *changed = r.changed;
    *gone_bytes += r.gone_bytes;
    return status;
}

changes_past changes_prune(ist_map *changes, int64_t since_ms, int64_t recent_ms)
{
    changes_past past = {0};
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (ist_map_next(changes, &it, &key, &value)) {
        const list_change *change = value;
        bool forgotten = change->time.at_ms < since_ms;
        change_time *newest = forgotten ? &past.forgotten : &past.kept;
        if (change->time.at_ms < recent_ms && change->time.version > newest->version) {
            *newest = change->time;
        }
        if (forgotten) {
            (void)ist_map_remove(changes, key); // it was there
        } else {
            past.gone_bytes += change->gone ? change->instance->size_bytes : 0;
        }
    }
    return past;
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

typedef struct delta_writer {
    const eureka_apps *whole; // may be NULL
    ist_arena *scratch;
    body_sink *sink;
    const entry *entries; // sorted
    size_t count;
    ist_buf text; // of one application
} delta_writer;

// What has changed, sorted. With the whole list, only what has gone.
static bool list_entries(delta_writer *w, const ist_map *changes, int64_t since_ms)
{
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    entry *entries = IST_ARENA_ARRAY(w->scratch, ist_map_count(changes) + 1, entry);
    while (entries != NULL && ist_map_next(changes, &it, &key, &value)) {
        const list_change *change = value;
        if (change->time.at_ms >= since_ms && (change->gone || w->whole == NULL)) {
            entries[w->count++] = (entry){change->instance, change->gone};
        }
    }
    if (w->count > 1) {
        qsort(entries, w->count, sizeof(*entries), compare_entries);
    }
    w->entries = entries;
    return entries != NULL;
}

// `app` (may be NULL) and the entries from `first` to `end`, which have its name. An entry of what is there again is left out.
static void write_part(delta_writer *w, const eureka_app *app, size_t first, size_t end)
{
    size_t room = (app != NULL ? app->count : 0) + (end - first);
    eureka_instance **instances = IST_ARENA_ARRAY(w->scratch, room, eureka_instance *);
    eureka_app_part part = {.name = w->entries[first].instance->app, .instances = instances};
    if (instances == NULL) {
        w->sink->status = IST_ENOMEM;
        return;
    }
    for (; app != NULL && part.count < app->count; part.count++) {
        instances[part.count] = app->instances[part.count];
    }
    part.deleted_from = part.count;
    for (size_t i = first; i < end; i++) {
        const entry *each = &w->entries[i];
        if (app == NULL || eureka_app_find(app, each->instance->id) == NULL) {
            instances[part.count++] = each->instance;
            part.deleted_from += each->gone ? 0 : 1;
        }
    }
    ist_buf_clear(&w->text);
    eureka_write_app_part(&w->text, w->sink->format, w->sink->detail, &part);
    body_sink_app(w->sink, part.name, &w->text);
}

// Applications and entries, both sorted by name, side by side.
static void write_all(delta_writer *w)
{
    size_t at = 0;
    size_t app_count = w->whole != NULL ? w->whole->count : 0;
    for (size_t a = 0; a < app_count || at < w->count;) {
        eureka_app *app = a < app_count ? w->whole->items[a] : NULL;
        ist_strv name = at < w->count ? w->entries[at].instance->app : IST_STRV_NULL;
        int order = at == w->count ? -1 : app == NULL ? 1 : ist_strv_compare(app->name, name);
        size_t end = at;
        while (order >= 0 && end < w->count && ist_strv_equal(w->entries[end].instance->app, name)) {
            end++;
        }
        if (order < 0) {
            body_sink_app(w->sink, app->name, eureka_app_text(app, w->sink->format, w->sink->detail));
        } else {
            write_part(w, order == 0 ? app : NULL, at, end);
        }
        a += order <= 0 ? 1 : 0;
        at = end;
    }
}

void changes_write(const ist_map *changes, int64_t since_ms, const eureka_apps *whole, ist_arena *scratch,
                   body_sink *sink)
{
    delta_writer w = {.whole = whole, .scratch = scratch, .sink = sink, .text = IST_BUF_INIT};
    if (list_entries(&w, changes, since_ms)) {
        write_all(&w);
    } else {
        sink->status = IST_ENOMEM;
    }
    ist_buf_done(&w.text);
}

// --- For people -----------------------------------------------------------------------------------------------------

static int compare_ages(const void *a, const void *b)
{
    const list_change *x = *(const list_change *const *)a;
    const list_change *y = *(const list_change *const *)b;
    int order = (y->time.at_ms > x->time.at_ms) - (y->time.at_ms < x->time.at_ms);
    order = order != 0 ? order : ist_strv_compare(x->instance->app, y->instance->app);
    return order != 0 ? order : ist_strv_compare(x->instance->id, y->instance->id);
}

void changes_each_newest(const ist_map *changes, size_t max, ist_arena *scratch, changes_fn fn, void *ctx)
{
    const list_change **all = IST_ARENA_ARRAY(scratch, ist_map_count(changes) + 1, const list_change *);
    size_t count = 0;
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (all != NULL && ist_map_next(changes, &it, &key, &value)) {
        all[count++] = value;
    }
    if (count != 0) {
        qsort(all, count, sizeof(*all), compare_ages);
    }
    for (size_t i = 0; i < count && i < max; i++) {
        fn(ctx, all[i]->instance, all[i]->gone, all[i]->time.at_ms);
    }
}
