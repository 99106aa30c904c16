// SPDX-License-Identifier: Apache-2.0
#include "model_priv.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define APPS_MAX 1000000

static const char *const STATUS_NAMES[_EUREKA_STATUS_MAX] = {[EUREKA_DOWN] = "DOWN",
                                                             [EUREKA_OUT_OF_SERVICE] = "OUT_OF_SERVICE",
                                                             [EUREKA_STARTING] = "STARTING",
                                                             [EUREKA_UNKNOWN] = "UNKNOWN",
                                                             [EUREKA_UP] = "UP"};

const char *eureka_status_name(eureka_status status)
{
    return STATUS_NAMES[status];
}

bool eureka_status_parse(ist_strv text, eureka_status *ret_status)
{
    for (eureka_status i = 0; i < _EUREKA_STATUS_MAX; i++) {
        if (ist_strv_equal_nocase(text, ist_strv_from(STATUS_NAMES[i]))) {
            *ret_status = i;
            return true;
        }
    }
    return false;
}

ist_strv eureka_upper(ist_strv text, char *buffer, size_t size_bytes)
{
    size_t length = text.n < size_bytes ? text.n : size_bytes;
    for (size_t i = 0; i < length; i++) {
        char c = text.p[i];
        buffer[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return ist_strv_make(buffer, length);
}

// --- Instances ------------------------------------------------------------------------------------------------------

enum { TEXTS = 10 };

// The texts of an instance, for all that treats them alike.
static void list_texts(eureka_instance *instance, ist_strv *texts[TEXTS])
{
    texts[0] = &instance->id;
    texts[1] = &instance->app;
    texts[2] = &instance->host_name;
    texts[3] = &instance->ip;
    texts[4] = &instance->vips;
    texts[5] = &instance->secure_vips;
    texts[6] = &instance->home_page;
    texts[7] = &instance->status_page;
    texts[8] = &instance->health_check;
    texts[9] = &instance->secure_health_check;
}

static ist_strv move_text(char **at, ist_strv text)
{
    ist_strv copy = ist_strv_make(*at, text.n);
    if (text.n != 0) {
        memcpy(*at, text.p, text.n);
    }
    *at += text.n;
    return copy;
}

static uint64_t hash_text(uint64_t hash, ist_strv text)
{
    return ist_hash_bytes(text.n != 0 ? text.p : "", text.n, ist_hash_combine(hash, text.n));
}

static uint64_t hash_content(eureka_instance *instance)
{
    ist_strv *texts[TEXTS];
    const uint64_t numbers[] = {(uint64_t)instance->status,
                                (uint64_t)instance->overridden,
                                instance->port,
                                instance->secure_port,
                                instance->port_enabled ? 1 : 0,
                                instance->secure_port_enabled ? 1 : 0,
                                (uint64_t)instance->lease.renewal_s,
                                (uint64_t)instance->lease.duration_s,
                                (uint64_t)instance->dirty_ms * (instance->leased ? 1 : 0)};
    uint64_t hash = ist_hash_bytes(numbers, sizeof(numbers), 0);
    list_texts(instance, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        hash = hash_text(hash, *texts[i]);
    }
    for (uint32_t i = 0; i < instance->metadata_count; i++) {
        hash = hash_text(hash_text(hash, instance->metadata[i].key), instance->metadata[i].value);
    }
    return hash;
}

eureka_instance *eureka_instance_new(const eureka_instance *draft)
{
    eureka_instance shape = *draft;
    ist_strv *texts[TEXTS];
    size_t bytes = sizeof(*draft) + draft->metadata_count * sizeof(eureka_pair);
    list_texts(&shape, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        bytes += texts[i]->n;
    }
    for (uint32_t i = 0; i < draft->metadata_count; i++) {
        bytes += draft->metadata[i].key.n + draft->metadata[i].value.n;
    }
    eureka_instance *instance = ist_calloc(1, bytes);
    if (instance == NULL) {
        return NULL;
    }
    *instance = *draft;
    instance->refs = 1;
    instance->size_bytes = bytes;
    eureka_pair *metadata = (eureka_pair *)(instance + 1);
    char *at = (char *)(metadata + draft->metadata_count);
    list_texts(instance, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        *texts[i] = move_text(&at, *texts[i]);
    }
    for (uint32_t i = 0; i < draft->metadata_count; i++) {
        metadata[i].key = move_text(&at, draft->metadata[i].key);
        metadata[i].value = move_text(&at, draft->metadata[i].value);
    }
    instance->metadata = metadata;
    instance->content = hash_content(instance);
    return instance;
}

eureka_instance *eureka_instance_ref(eureka_instance *instance)
{
    instance->refs++;
    return instance;
}

void eureka_instance_unref(eureka_instance *instance)
{
    if (instance != NULL && --instance->refs == 0) {
        ist_free(instance);
    }
}

// --- Applications ---------------------------------------------------------------------------------------------------

static int compare_ids(const void *a, const void *b)
{
    const eureka_instance *const *x = a;
    const eureka_instance *const *y = b;
    return ist_strv_compare((*x)->id, (*y)->id);
}

eureka_app *eureka_app_new(ist_strv name, eureka_instance *const *instances, uint32_t count)
{
    eureka_app *app = ist_calloc(1, sizeof(*app) + count * sizeof(eureka_instance *) + name.n);
    if (app == NULL) {
        return NULL;
    }
    app->instances = (eureka_instance **)(app + 1);
    char *text = (char *)(app->instances + count);
    app->name = move_text(&text, name);
    app->refs = 1;
    app->count = count;
    for (uint32_t i = 0; i < count; i++) {
        app->instances[i] = eureka_instance_ref(instances[i]);
    }
    if (count > 1) {
        qsort(app->instances, count, sizeof(eureka_instance *), compare_ids);
    }
    for (eureka_format format = 0; format < _EUREKA_FORMAT_MAX; format++) {
        for (eureka_detail detail = 0; detail < _EUREKA_DETAIL_MAX; detail++) {
            app->texts[format][detail] = IST_BUF_INIT;
        }
    }
    return app;
}

eureka_app *eureka_app_ref(eureka_app *app)
{
    app->refs++;
    return app;
}

void eureka_app_unref(eureka_app *app)
{
    if (app == NULL || --app->refs != 0) {
        return;
    }
    for (uint32_t i = 0; i < app->count; i++) {
        eureka_instance_unref(app->instances[i]);
    }
    for (eureka_format format = 0; format < _EUREKA_FORMAT_MAX; format++) {
        for (eureka_detail detail = 0; detail < _EUREKA_DETAIL_MAX; detail++) {
            ist_buf_done(&app->texts[format][detail]);
        }
    }
    ist_free(app);
}

eureka_instance *eureka_app_find(const eureka_app *app, ist_strv id)
{
    const eureka_instance wanted = {.id = id};
    const eureka_instance *key = &wanted;
    eureka_instance **found =
        app->count != 0 ? bsearch(&key, app->instances, app->count, sizeof(key), compare_ids) : NULL;
    return found != NULL ? *found : NULL;
}

// --- Lists ----------------------------------------------------------------------------------------------------------

void eureka_apps_done(eureka_apps *apps)
{
    for (size_t i = 0; i < apps->count; i++) {
        eureka_app_unref(apps->items[i]);
    }
    IST_VEC_DONE(apps);
}

ist_status eureka_apps_add_take(eureka_apps *apps, eureka_app *app)
{
    ist_status status = IST_VEC_PUSH(apps, app, APPS_MAX);
    if (status != IST_OK) {
        eureka_app_unref(app);
    }
    return status;
}

ist_status eureka_apps_add_all(eureka_apps *apps, const eureka_apps *more)
{
    ist_status status = IST_OK;
    for (size_t i = 0; i < more->count && status == IST_OK; i++) {
        status = eureka_apps_add_take(apps, eureka_app_ref(more->items[i]));
    }
    return status;
}

ist_status eureka_apps_reserve(eureka_apps *apps, size_t more)
{
    if (more <= apps->capacity - apps->count) {
        return IST_OK;
    }
    size_t capacity = apps->count + more + apps->count / 2;
    eureka_app **items = ist_realloc_array(apps->items, capacity, sizeof(*items));
    if (items == NULL) {
        return IST_ENOMEM;
    }
    apps->items = items;
    apps->capacity = capacity;
    return IST_OK;
}

static int compare_names(const void *a, const void *b)
{
    const eureka_app *const *x = a;
    const eureka_app *const *y = b;
    return ist_strv_compare((*x)->name, (*y)->name);
}

void eureka_apps_sort(eureka_apps *apps)
{
    if (apps->count > 1) {
        qsort(apps->items, apps->count, sizeof(*apps->items), compare_names);
    }
}

eureka_app *eureka_apps_find(const eureka_apps *apps, ist_strv name, size_t *ret_place)
{
    size_t low = 0;
    size_t high = apps->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ist_strv_compare(apps->items[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (ret_place != NULL) {
        *ret_place = low;
    }
    return low < apps->count && ist_strv_equal(apps->items[low]->name, name) ? apps->items[low] : NULL;
}

ist_status eureka_apps_insert_take(eureka_apps *apps, size_t place, eureka_app *app)
{
    ist_status status = eureka_apps_add_take(apps, app);
    if (status == IST_OK) {
        memmove(apps->items + place + 1, apps->items + place, (apps->count - 1 - place) * sizeof(*apps->items));
        apps->items[place] = app;
    }
    return status;
}

void eureka_apps_replace_take(eureka_apps *apps, size_t place, eureka_app *app)
{
    eureka_app_unref(apps->items[place]);
    apps->items[place] = app;
}

void eureka_apps_remove(eureka_apps *apps, size_t place)
{
    eureka_app_unref(apps->items[place]);
    memmove(apps->items + place, apps->items + place + 1, (apps->count - place - 1) * sizeof(*apps->items));
    apps->count--;
}
