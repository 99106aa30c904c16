// SPDX-License-Identifier: Apache-2.0
#include "own_priv.h"

#include <string.h>

void own_done(own_registrations *own)
{
    while (own->count != 0) {
        own_cancel(own, &own->items[own->count - 1]);
    }
    eureka_instance_unref(own->ended);
}

static void end(own_registrations *own, own_registration *registration, ist_registry_end how)
{
    eureka_instance_unref(own->ended);
    own->ended = registration->instance;
    own->end = how;
    *registration = own->items[--own->count];
    own->version++;
}

void own_cancel(own_registrations *own, own_registration *registration)
{
    end(own, registration, IST_REGISTRY_CANCELLED);
}

void own_expire(own_registrations *own, int64_t now_ms)
{
    for (uint32_t i = own->count; i > 0; i--) {
        if (own->items[i - 1].expires_ms <= now_ms) {
            end(own, &own->items[i - 1], IST_REGISTRY_EXPIRED);
        }
    }
}

own_registration *own_find(own_registrations *own, ist_strv app, ist_strv id)
{
    for (uint32_t i = 0; i < own->count; i++) {
        const eureka_instance *instance = own->items[i].instance;
        if (ist_strv_equal(instance->id, id) && ist_strv_equal_nocase(instance->app, app)) {
            return &own->items[i];
        }
    }
    return NULL;
}

own_registration *own_find_id(own_registrations *own, ist_strv id)
{
    for (uint32_t i = 0; i < own->count; i++) {
        if (ist_strv_equal(own->items[i].instance->id, id)) {
            return &own->items[i];
        }
    }
    return NULL;
}

void own_renew(own_registration *registration, int64_t now_ms)
{
    registration->expires_ms = now_ms + registration->instance->lease.duration_s * 1000;
}

// Puts a changed copy in the place of the instance.
static ist_status replace(own_registrations *own, own_registration *registration, const eureka_instance *draft)
{
    eureka_instance *instance = eureka_instance_new(draft);
    if (instance == NULL) {
        return IST_ENOMEM;
    }
    eureka_instance_unref(registration->instance);
    registration->instance = instance;
    own->version++;
    return IST_OK;
}

// An override holds against what the application says of itself, unless that is less than OUT_OF_SERVICE.
static eureka_status shown_status(eureka_status reported, eureka_status override)
{
    bool in_question = reported == EUREKA_UP || reported == EUREKA_OUT_OF_SERVICE;
    return in_question && override != EUREKA_UNKNOWN ? override : reported;
}

static ist_status register_again(own_registrations *own, own_registration *registration, const eureka_instance *draft,
                                 int64_t now_ms)
{
    eureka_instance next = *draft;
    if (draft->dirty_ms < registration->instance->dirty_ms) { // a late one: what is known is newer
        own_renew(registration, now_ms);
        return IST_OK;
    }
    next.overridden = registration->override;
    next.status = shown_status(draft->status, registration->override);
    next.lease.up_ms =
        registration->instance->lease.up_ms != 0 ? registration->instance->lease.up_ms : next.lease.up_ms;
    ist_status status = replace(own, registration, &next);
    if (status == IST_OK) {
        own_renew(registration, now_ms);
    }
    return status;
}

ist_status own_register(own_registrations *own, const eureka_instance *draft, int64_t now_ms)
{
    own_registration *known = own_find(own, draft->app, draft->id);
    if (known != NULL) {
        return register_again(own, known, draft, now_ms);
    }
    if (own->count == OWN_MAX) {
        return IST_ELIMIT;
    }
    own_registration *registration = &own->items[own->count];
    *registration = (own_registration){.override = draft->overridden, .instance = eureka_instance_new(draft)};
    if (registration->instance == NULL) {
        return IST_ENOMEM;
    }
    own->count++;
    own->version++;
    own_renew(registration, now_ms);
    return IST_OK;
}

static ist_status set_status(own_registrations *own, own_registration *registration, const eureka_instance *draft,
                             int64_t wall_ms)
{
    eureka_instance next = *draft;
    next.updated_ms = wall_ms;
    if (next.status == EUREKA_UP && next.lease.up_ms == 0) {
        next.lease.up_ms = wall_ms;
    }
    ist_status result = replace(own, registration, &next);
    if (result == IST_OK) {
        registration->override = draft->overridden;
    }
    return result;
}

static eureka_instance changed(const own_registration *registration, eureka_status status, eureka_status override,
                               int64_t dirty_ms)
{
    eureka_instance next = *registration->instance;
    next.status = status;
    next.overridden = override;
    next.dirty_ms = dirty_ms > next.dirty_ms ? dirty_ms : next.dirty_ms;
    return next;
}

ist_status own_override(own_registrations *own, own_registration *registration, eureka_status status, int64_t wall_ms,
                        int64_t dirty_ms)
{
    eureka_instance next = changed(registration, status, status, dirty_ms);
    return set_status(own, registration, &next, wall_ms);
}

ist_status own_clear_override(own_registrations *own, own_registration *registration, eureka_status status,
                              int64_t wall_ms, int64_t dirty_ms)
{
    if (registration->override == EUREKA_UNKNOWN) {
        return IST_OK; // there is nothing to clear, as in the reference
    }
    eureka_instance next = changed(registration, status, EUREKA_UNKNOWN, dirty_ms);
    return set_status(own, registration, &next, wall_ms);
}

// Puts the value of a key, the last one wins.
static void put_pair(eureka_pair *pairs, uint32_t *count, const eureka_pair *pair)
{
    uint32_t at = 0;
    while (at < *count && !ist_strv_equal(pairs[at].key, pair->key)) {
        at++;
    }
    pairs[at] = *pair;
    *count += at == *count ? 1 : 0;
}

ist_status own_put_metadata(own_registrations *own, own_registration *registration, const eureka_pair *pairs,
                            uint32_t count, int64_t wall_ms)
{
    eureka_pair all[OWN_METADATA_MAX];
    eureka_instance next = *registration->instance;
    size_t bytes = 0;
    if (next.metadata_count + count > OWN_METADATA_MAX) {
        return IST_ELIMIT;
    }
    for (uint32_t i = 0; i < next.metadata_count; i++) {
        all[i] = next.metadata[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        put_pair(all, &next.metadata_count, &pairs[i]);
    }
    for (uint32_t i = 0; i < next.metadata_count; i++) {
        bytes += all[i].key.n + all[i].value.n;
    }
    next.metadata = all;
    next.updated_ms = wall_ms;
    return bytes <= OWN_TEXT_MAX_BYTES ? replace(own, registration, &next) : IST_ELIMIT;
}
