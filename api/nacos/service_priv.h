// SPDX-License-Identifier: Apache-2.0
//
// What somebody has said of a service: its protection threshold and its metadata, beside what the mesh says. Kept until it is
// taken back or the agent ends; bounded. Threads: the HTTP thread.
#pragma once

#include "own_priv.h"

#define NACOS_SERVICES_MAX 1024

typedef struct nacos_service {
    ist_arena *arena; // its texts
    nacos_key key;
    double threshold; // 0 to 1; 0 protects nothing
    bool created;     // by name, so that lists of names show it
    const ist_mesh_metadata *metadata;
    uint32_t metadata_count;
} nacos_service;

nacos_service *nacos_service_find(const nacos_own *own, const nacos_key *key); // NULL = nobody has said anything
// New, or in the place of the one that was. IST_ELIMIT: too many or too long, IST_ENOMEM: nothing has changed.
ist_status nacos_service_put(nacos_own *own, const nacos_service *draft) IST_MUSTCHECK;
void nacos_service_remove(nacos_own *own, const nacos_service *service);
double nacos_service_threshold(const nacos_own *own, const nacos_key *key);
void nacos_services_done(nacos_services *services);
