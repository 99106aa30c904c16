// SPDX-License-Identifier: Apache-2.0
#include "service_priv.h"

#include "base/vec.h"

#define ARENA_BLOCK_BYTES 256

static void free_service(nacos_service *service)
{
    if (service != NULL) {
        ist_arena_free(service->arena);
        ist_free(service);
    }
}

void nacos_services_done(nacos_services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        free_service(services->items[i]);
    }
    IST_VEC_DONE(services);
}

static size_t place_of(const nacos_own *own, const nacos_key *key)
{
    size_t at = 0;
    while (at < own->services.count && !nacos_key_equal(&own->services.items[at]->key, key)) {
        at++;
    }
    return at;
}

nacos_service *nacos_service_find(const nacos_own *own, const nacos_key *key)
{
    size_t at = place_of(own, key);
    return at < own->services.count ? own->services.items[at] : NULL;
}

double nacos_service_threshold(const nacos_own *own, const nacos_key *key)
{
    const nacos_service *service = nacos_service_find(own, key);
    return service != NULL ? service->threshold : 0;
}

static nacos_service *make(const nacos_service *draft)
{
    nacos_service *made = IST_NEW(nacos_service);
    if (made == NULL) {
        return NULL;
    }
    *made = *draft;
    made->arena = ist_arena_new(ARENA_BLOCK_BYTES, 0);
    if (made->arena == NULL || !nacos_key_copy(&made->key, made->arena) ||
        !nacos_metadata_copy(&made->metadata, made->metadata_count, made->arena)) {
        free_service(made);
        return NULL;
    }
    return made;
}

ist_status nacos_service_put(nacos_own *own, const nacos_service *draft)
{
    size_t at = place_of(own, &draft->key);
    if (at == NACOS_SERVICES_MAX || draft->metadata_count > NACOS_OWN_METADATA_MAX ||
        nacos_metadata_bytes(draft->metadata, draft->metadata_count) > NACOS_OWN_TEXT_MAX_BYTES) {
        return IST_ELIMIT;
    }
    nacos_service *made = make(draft);
    ist_status status = made == NULL ? IST_ENOMEM : IST_OK;
    if (status == IST_OK && at == own->services.count) {
        status = IST_VEC_PUSH(&own->services, made, NACOS_SERVICES_MAX);
    } else if (status == IST_OK) {
        free_service(own->services.items[at]);
        own->services.items[at] = made;
    }
    if (status != IST_OK) {
        free_service(made);
        return status;
    }
    own->version++;
    return IST_OK;
}

void nacos_service_remove(nacos_own *own, const nacos_service *service)
{
    size_t at = place_of(own, &service->key);
    if (at < own->services.count) {
        free_service(own->services.items[at]);
        own->services.items[at] = own->services.items[--own->services.count];
        own->version++;
    }
}
