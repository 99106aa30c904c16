// SPDX-License-Identifier: Apache-2.0
#include "own_priv.h"

#include "service_priv.h"

#include "base/hash.h"
#include "base/vec.h"

#include <stdlib.h>

#define ARENA_BLOCK_BYTES 512
#define SILENT_MS 15000 // as the official server, unless the metadata says otherwise
#define GONE_MS 30000
#define TIMEOUT_MAX_MS (24 * 3600 * 1000)

ist_strv nacos_bare_ip(ist_strv ip)
{
    bool bracketed = ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']';
    return bracketed ? ist_strv_make(ip.p + 1, ip.n - 2) : ip;
}

bool nacos_ip_valid(ist_strv ip)
{
    bool valid = ip.n != 0 && ip.n <= NACOS_IP_MAX;
    for (size_t i = 0; i < ip.n && valid; i++) {
        valid = ip.p[i] > ' ' && ip.p[i] < 0x7f && ip.p[i] != '"' && ip.p[i] != '#';
    }
    return valid;
}

bool nacos_weight_parse(ist_strv text, double *ret_weight)
{
    char buffer[64];
    char *end = buffer;
    *ret_weight = 1;
    if (text.n == 0) {
        return true;
    }
    if (!ist_strv_copy(text, buffer, sizeof(buffer))) {
        return false;
    }
    *ret_weight = strtod(buffer, &end);
    return end == buffer + text.n && *ret_weight >= 0 && *ret_weight <= NACOS_WEIGHT_MAX; // no NaN either
}

static uint64_t hash_of(const nacos_key *key, ist_strv ip, uint16_t port)
{
    uint64_t hash = ist_hash_combine(ist_hash_strv(key->name), ist_hash_strv(key->group));
    hash = ist_hash_combine(hash, ist_hash_strv(key->namespace_id));
    return ist_hash_combine(ist_hash_combine(hash, ist_hash_strv(ip)), port);
}

static void free_registration(nacos_registration *registration)
{
    if (registration != NULL) {
        ist_arena_free(registration->arena);
        ist_free(registration);
    }
}

void nacos_own_done(nacos_own *own)
{
    for (size_t i = 0; i < own->count; i++) {
        free_registration(own->items[i]);
    }
    free_registration(own->ended);
    nacos_services_done(&own->services);
    IST_VEC_DONE(own);
}

static size_t place_of(const nacos_own *own, const nacos_key *key, ist_strv ip, uint16_t port)
{
    uint64_t hash = hash_of(key, ip, port);
    size_t at = 0;
    for (; at < own->count; at++) {
        const nacos_registration *each = own->items[at];
        if (each->hash == hash && each->instance.port == port && ist_strv_equal(each->instance.ip, ip) &&
            nacos_key_equal(&each->instance.key, key)) {
            break;
        }
    }
    return at;
}

nacos_registration *nacos_own_find(const nacos_own *own, const nacos_key *key, ist_strv ip, uint16_t port)
{
    size_t at = place_of(own, key, nacos_bare_ip(ip), port);
    return at < own->count ? own->items[at] : NULL;
}

// --- Making ---------------------------------------------------------------------------------------------------------

static bool copy_text(ist_arena *arena, ist_strv *text)
{
    *text = ist_arena_strv(arena, *text);
    return text->p != NULL || text->n == 0;
}

bool nacos_metadata_copy(const ist_mesh_metadata **pairs, uint32_t count, ist_arena *arena)
{
    ist_mesh_metadata *copies = IST_ARENA_ARRAY(arena, (size_t)count + 1, ist_mesh_metadata);
    bool fits = copies != NULL;
    for (uint32_t i = 0; fits && i < count; i++) {
        copies[i] = (*pairs)[i];
        fits = copy_text(arena, &copies[i].key) && copy_text(arena, &copies[i].value);
    }
    *pairs = copies;
    return fits;
}

size_t nacos_metadata_bytes(const ist_mesh_metadata *pairs, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += pairs[i].key.n + pairs[i].value.n;
    }
    return bytes;
}

static bool copy_texts(ist_arena *arena, nacos_instance *instance)
{
    return nacos_key_copy(&instance->key, arena) && copy_text(arena, &instance->ip) &&
           copy_text(arena, &instance->cluster) &&
           nacos_metadata_copy(&instance->metadata, instance->metadata_count, arena);
}

static bool is_too_long(const nacos_instance *draft)
{
    size_t bytes = draft->ip.n + draft->cluster.n + nacos_metadata_bytes(draft->metadata, draft->metadata_count);
    return draft->metadata_count > NACOS_OWN_METADATA_MAX || bytes > NACOS_OWN_TEXT_MAX_BYTES;
}

static nacos_registration *make(const nacos_instance *draft)
{
    nacos_registration *made = IST_NEW(nacos_registration);
    if (made == NULL) {
        return NULL;
    }
    made->arena = ist_arena_new(ARENA_BLOCK_BYTES, 0);
    made->instance = *draft;
    made->instance.ip = nacos_bare_ip(draft->ip);
    made->hash = hash_of(&draft->key, made->instance.ip, draft->port);
    if (made->arena == NULL || !copy_texts(made->arena, &made->instance)) {
        free_registration(made);
        return NULL;
    }
    return made;
}

ist_status nacos_own_put(nacos_own *own, const nacos_instance *draft, const void *owner, int64_t now_ms)
{
    size_t at = place_of(own, &draft->key, nacos_bare_ip(draft->ip), draft->port);
    if (is_too_long(draft) || at == NACOS_OWN_MAX) {
        return IST_ELIMIT;
    }
    nacos_registration *made = make(draft);
    ist_status status = made == NULL ? IST_ENOMEM : IST_OK;
    if (status == IST_OK && at == own->count) {
        status = IST_VEC_PUSH(own, made, NACOS_OWN_MAX);
    } else if (status == IST_OK) {
        free_registration(own->items[at]);
        own->items[at] = made;
    }
    if (status != IST_OK) {
        free_registration(made);
        return status;
    }
    made->owner = owner;
    made->heard_ms = now_ms;
    own->version++;
    return IST_OK;
}

// --- Ending ---------------------------------------------------------------------------------------------------------

static void end_at(nacos_own *own, size_t at, ist_registry_end how)
{
    free_registration(own->ended);
    own->ended = own->items[at];
    own->end = how;
    own->items[at] = own->items[--own->count];
    own->version++;
}

void nacos_own_remove(nacos_own *own, nacos_registration *registration, ist_registry_end how)
{
    size_t at = 0;
    while (at < own->count && own->items[at] != registration) {
        at++;
    }
    if (at < own->count) {
        end_at(own, at, how);
    }
}

void nacos_own_drop_owner(nacos_own *own, const void *owner)
{
    for (size_t i = own->count; i > 0; i--) {
        if (own->items[i - 1]->owner == owner) {
            end_at(own, i - 1, IST_REGISTRY_EXPIRED);
        }
    }
}

void nacos_own_beat(nacos_own *own, nacos_registration *registration, int64_t now_ms)
{
    registration->heard_ms = now_ms;
    if (registration->silent) {
        registration->silent = false;
        own->version++;
    }
}

int64_t nacos_instance_time(const nacos_instance *instance, const char *key, int64_t otherwise_ms)
{
    for (uint32_t i = 0; i < instance->metadata_count; i++) {
        uint64_t value_ms = 0;
        if (ist_strv_equal(instance->metadata[i].key, ist_strv_from(key)) &&
            ist_strv_to_u64(instance->metadata[i].value, TIMEOUT_MAX_MS, &value_ms) == IST_OK && value_ms != 0) {
            return (int64_t)value_ms;
        }
    }
    return otherwise_ms;
}

// Returns in how many milliseconds something happens to it, 0 = it has to go.
static int64_t age(nacos_own *own, nacos_registration *registration, int64_t now_ms)
{
    int64_t silent_ms = nacos_instance_time(&registration->instance, "preserved.heart.beat.timeout", SILENT_MS);
    int64_t gone_ms = nacos_instance_time(&registration->instance, "preserved.ip.delete.timeout", GONE_MS);
    int64_t since_ms = now_ms - registration->heard_ms;
    if (!registration->silent && since_ms >= silent_ms) {
        registration->silent = true;
        own->version++;
    }
    if (since_ms >= gone_ms) {
        return 0;
    }
    return !registration->silent && silent_ms < gone_ms ? silent_ms - since_ms : gone_ms - since_ms;
}

int64_t nacos_own_age(nacos_own *own, int64_t now_ms)
{
    int64_t next_ms = -1;
    for (size_t i = own->count; i > 0; i--) {
        nacos_registration *each = own->items[i - 1];
        if (each->owner != NULL || !each->instance.ephemeral) {
            continue;
        }
        int64_t in_ms = age(own, each, now_ms);
        if (in_ms == 0) {
            end_at(own, i - 1, IST_REGISTRY_EXPIRED);
        } else if (next_ms < 0 || in_ms < next_ms) {
            next_ms = in_ms;
        }
    }
    return next_ms;
}
