// SPDX-License-Identifier: Apache-2.0
//
// The second source of hosts: what applications have registered here. A registration lives as long as the connection that made
// it, or as long as somebody sends its beats; a persistent one until it is taken back. Threads: the HTTP thread.
#pragma once

#include "scope_priv.h"

#include "api_registry/registration.h"
#include "base/arena.h"
#include "mesh/policy.h"

#include <stdint.h>

#define NACOS_OWN_MAX 1024         // registrations; Dubbo makes one an interface
#define NACOS_OWN_METADATA_MAX 256 // pairs of one
#define NACOS_WEIGHT_MAX 10000
#define NACOS_IP_MAX 255
#define NACOS_OWN_TEXT_MAX_BYTES 65536 // of one, all texts together

// As the application says it.
typedef struct nacos_instance {
    nacos_key key;
    ist_strv ip; // without brackets
    ist_strv cluster;
    uint16_t port;
    double weight;
    bool healthy;
    bool enabled;
    bool ephemeral;
    const ist_mesh_metadata *metadata;
    uint32_t metadata_count;
} nacos_instance;

typedef struct nacos_registration {
    uint64_t hash;    // of key, ip and port, by which it is found
    ist_arena *arena; // its texts
    nacos_instance instance;
    const void *owner; // the connection whose end is its end; NULL = beats
    int64_t heard_ms;  // monotonic
    bool silent;       // beats are overdue: it is unhealthy
} nacos_registration;

typedef struct nacos_services {
    struct nacos_service **items; // service_priv.h
    size_t count;
    size_t capacity;
} nacos_services;

typedef struct nacos_own {
    nacos_registration **items;
    size_t count;
    size_t capacity;
    nacos_services services;    // what somebody has said of services
    const nacos_scopes *scopes; // what namespaces and groups mean; borrowed from the door
    uint64_t version;           // raised by every change that lists show
    nacos_registration *ended;  // the one that ended last; NULL = none has
    ist_registry_end end;       // ... and how
} nacos_own;

void nacos_own_done(nacos_own *own);
// By namespace, group, name, address and port; the cluster does not matter, since clients do not keep to one. NULL = none.
nacos_registration *nacos_own_find(const nacos_own *own, const nacos_key *key, ist_strv ip, uint16_t port);
// New, or in the place of the one that was. IST_ELIMIT: too many or too long, IST_ENOMEM: nothing has changed.
ist_status nacos_own_put(nacos_own *own, const nacos_instance *draft, const void *owner, int64_t now_ms) IST_MUSTCHECK;
void nacos_own_remove(nacos_own *own, nacos_registration *registration, ist_registry_end how);
// The connection has ended.
void nacos_own_drop_owner(nacos_own *own, const void *owner);
void nacos_own_beat(nacos_own *own, nacos_registration *registration, int64_t now_ms);
// Marks and ends those whose beats are overdue; returns in how many milliseconds the next one may be, -1 = none.
int64_t nacos_own_age(nacos_own *own, int64_t now_ms);

// Copies the texts into the arena. False: out of memory.
bool nacos_metadata_copy(const ist_mesh_metadata **pairs, uint32_t count, ist_arena *arena);
size_t nacos_metadata_bytes(const ist_mesh_metadata *pairs, uint32_t count);
// A time that the metadata gives in milliseconds.
int64_t nacos_instance_time(const nacos_instance *instance, const char *key, int64_t otherwise_ms);

// "[fd00::1]" and "fd00::1" are one address.
ist_strv nacos_bare_ip(ist_strv ip);
// An address or the name of a host, of printable ASCII.
bool nacos_ip_valid(ist_strv ip);
// 0 to 10000; 1 where there is none.
bool nacos_weight_parse(ist_strv text, double *ret_weight);
