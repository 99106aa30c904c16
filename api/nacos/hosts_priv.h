// SPDX-License-Identifier: Apache-2.0
//
// The hosts of a name: what the view says, with the application's own registration in the place of its endpoint, and their text
// as clients want it. Functions of their arguments; memory in the caller's arena, or borrowed from view and registrations.
#pragma once

#include "own_priv.h"

#include "api_core/json.h"
#include "api_registry/metadata.h"

// How weights are told.
typedef enum nacos_layout {
    NACOS_WEIGHTS = 0, // as weight
    NACOS_REPEAT,      // a host of n slots stands there n times, with weight 1 and ids of its own
    NACOS_PLAIN,       // once, weight 1
    _NACOS_LAYOUT_MAX
} nacos_layout;

typedef struct nacos_host {
    ist_strv ip; // IPv6 in brackets, since clients make URLs by putting texts together
    ist_strv cluster;
    uint16_t port;
    uint32_t slots; // 0: it is to get no calls
    bool secure;
    bool healthy;
    bool ephemeral;
    const ist_mesh_metadata *metadata;
    uint32_t metadata_count;
} nacos_host;

typedef struct nacos_hosts {
    nacos_host *items;
    size_t count;
    const ist_mesh_service *service; // that the view has under this name; NULL = none
    bool known;                      // somebody has this name: the mesh, or a registration
} nacos_hosts;

// `view` may be NULL: registrations only. A registration takes the place of the mesh's endpoint of the same address and port,
// with its metadata and the mesh's slots; under a name for which the mesh has others, but not it, it is not listed: there the
// mesh decides. IST_ENOMEM.
ist_status nacos_hosts_of(const ist_mesh_view *view, const nacos_own *own, const nacos_key *key, ist_arena *arena,
                          nacos_hosts *ret_hosts) IST_MUSTCHECK;

// Where the part of healthy ones is not above `threshold` (0 = never), all are said to be healthy: better to call some that do
// not answer than to drown those that do. Returns whether that is so.
bool nacos_hosts_protect(nacos_hosts *hosts, double threshold);
// Keeps those whose cluster is in the comma list (empty: all), and the healthy ones.
void nacos_hosts_filter(nacos_hosts *hosts, ist_strv clusters, bool healthy_only);

// The members of a list of hosts, in the order in which clients that go round should call them.
void nacos_hosts_write(const nacos_hosts *hosts, const nacos_key *key, nacos_layout layout, ist_arena *arena,
                       ist_json *json);
// One of the hosts, as the answer to a question about it alone; the name of its service under `service_key`.
void nacos_host_write_detail(const nacos_hosts *hosts, const nacos_host *host, const nacos_key *key,
                             const char *service_key, const char *json_key, ist_json *json);
// One host that gets no calls any more: what is sent to clients that ignore empty lists.
void nacos_hosts_write_gone(ist_strv ip, uint16_t port, const nacos_key *key, ist_json *json);
