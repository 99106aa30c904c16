// SPDX-License-Identifier: Apache-2.0
//
// A small mesh for the tests of the HTTP doors, made through the builder as every source makes it. Failures end the
// test. Single-threaded.
#pragma once

#include "ist_test.h"

#include "mesh/builder.h"
#include "mesh/store.h"

typedef struct mesh_world {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
} mesh_world;

mesh_world mesh_world_open(void);
void mesh_world_close(mesh_world *world);
// Cluster "outbound|PORT|SUBSET|HOST" with `count` healthy endpoints 10.0.NET.1, 10.0.NET.2, ... port 8080.
void mesh_world_cluster(mesh_world *world, const char *name, uint8_t net, uint32_t count);
// A Kubernetes name with a VIP.
void mesh_world_name(mesh_world *world, const char *host, const char *name, const char *namespace_, const char *vip);
// On port 80: with header "who: tester" all to subset v2, else `percent_a` per cent to v1 and the rest to v2.
void mesh_world_split(mesh_world *world, const char *host, uint32_t percent_a);
// On port 80: all to the whole service, which makes the port one for HTTP.
void mesh_world_route(mesh_world *world, const char *host);
// Commits; the revision that is current then.
uint64_t mesh_world_publish(mesh_world *world);
// reviews.prod (subsets v1, v2; routes), ratings.prod, details.shop, empty.prod without endpoints; revision 1.
void mesh_world_fill(mesh_world *world);
