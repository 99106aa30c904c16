// SPDX-License-Identifier: Apache-2.0
//
// The model: instances and applications as Eureka knows them. Both are immutable once made, counted, each one block; lists of
// several revisions share what has not changed, and with it the rendered text. Threads: the HTTP thread only.
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "base/strv.h"
#include "mesh/policy.h"

#include <stdbool.h>
#include <stdint.h>

// In the order of their names, which is the order of the hash code.
typedef enum eureka_status {
    EUREKA_DOWN = 0,
    EUREKA_OUT_OF_SERVICE,
    EUREKA_STARTING,
    EUREKA_UNKNOWN,
    EUREKA_UP,
    _EUREKA_STATUS_MAX
} eureka_status;
const char *eureka_status_name(eureka_status status);
bool eureka_status_parse(ist_strv text, eureka_status *ret_status); // any case

#define EUREKA_APP_NAME_MAX 1024
// The text with ASCII in upper case, in the buffer; cut where that is too small.
ist_strv eureka_upper(ist_strv text, char *buffer, size_t size_bytes);

typedef ist_mesh_metadata eureka_pair;

typedef struct eureka_lease {
    int64_t renewal_s;
    int64_t duration_s;
    int64_t registered_ms; // wall clock, as all below
    int64_t renewed_ms;
    int64_t up_ms;
} eureka_lease;

typedef struct eureka_instance {
    ist_strv id;
    ist_strv app; // upper case
    ist_strv host_name;
    ist_strv ip;
    ist_strv vips; // a name as often as it has slots, separated by commas
    ist_strv secure_vips;
    ist_strv home_page;
    ist_strv status_page;
    ist_strv health_check;
    ist_strv secure_health_check;
    const eureka_pair *metadata;
    uint32_t metadata_count;
    eureka_status status;
    eureka_status overridden;
    uint16_t port;
    uint16_t secure_port;
    bool port_enabled;
    bool secure_port_enabled;
    bool leased; // an application's own registration, with `lease`
    eureka_lease lease;
    int64_t updated_ms;
    int64_t dirty_ms;
    uint64_t content;  // hash of everything but the times
    size_t size_bytes; // of this block
    uint32_t refs;
} eureka_instance;

// A deep copy of `draft`, refs = 1; NULL on ENOMEM.
eureka_instance *eureka_instance_new(const eureka_instance *draft);
eureka_instance *eureka_instance_ref(eureka_instance *instance);
void eureka_instance_unref(eureka_instance *instance); // NULL is fine

typedef enum eureka_format { EUREKA_JSON = 0, EUREKA_XML, _EUREKA_FORMAT_MAX } eureka_format;
typedef enum eureka_detail { EUREKA_FULL = 0, EUREKA_COMPACT, _EUREKA_DETAIL_MAX } eureka_detail;

typedef struct eureka_app {
    ist_strv name; // upper case, in this block
    eureka_instance **instances;
    uint32_t count;
    ist_buf texts[_EUREKA_FORMAT_MAX][_EUREKA_DETAIL_MAX]; // rendered on demand
    uint32_t refs;
} eureka_app;

// Takes a reference to each instance. NULL on ENOMEM. They are sorted by id.
eureka_app *eureka_app_new(ist_strv name, eureka_instance *const *instances, uint32_t count);
eureka_app *eureka_app_ref(eureka_app *app);
void eureka_app_unref(eureka_app *app); // NULL is fine
// NULL = none.
eureka_instance *eureka_app_find(const eureka_app *app, ist_strv id);

// A list that owns one reference to each.
typedef struct eureka_apps {
    eureka_app **items;
    size_t count;
    size_t capacity;
} eureka_apps;
void eureka_apps_done(eureka_apps *apps);
// Takes the caller's reference, also where it fails.
ist_status eureka_apps_add_take(eureka_apps *apps, eureka_app *app);
ist_status eureka_apps_add_all(eureka_apps *apps, const eureka_apps *more); // with references; IST_ENOMEM: some of them
ist_status eureka_apps_reserve(eureka_apps *apps, size_t more); // so many can be added or inserted then without failing
void eureka_apps_sort(eureka_apps *apps);                       // by name
// By name, of a sorted list; NULL = none. *ret_place (may be NULL): where it is or would be.
eureka_app *eureka_apps_find(const eureka_apps *apps, ist_strv name, size_t *ret_place);
ist_status eureka_apps_insert_take(eureka_apps *apps, size_t place, eureka_app *app);
void eureka_apps_replace_take(eureka_apps *apps, size_t place, eureka_app *app);
void eureka_apps_remove(eureka_apps *apps, size_t place);
