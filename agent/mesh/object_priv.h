// SPDX-License-Identifier: Apache-2.0
//
// Objects: deep copies of specifications in one block each, immutable, counted. What readers see as ist_mesh_cluster,
// ist_mesh_endpoints, ist_mesh_virtual_host or ist_mesh_listener stands inside such a block. Services and the builder's
// records hold references. Counts are plain integers: writer thread only.
// `_copy` gives an object with one reference, NULL on ENOMEM; `_unref` accepts NULL.
#pragma once

#include "mesh/cluster.h"
#include "mesh/endpoint.h"
#include "mesh/route.h"
#include "mesh/types.h"

// --- A counted text: host names stand once and are shared by records, services and plans ----------------------------
typedef struct ist_mesh_text {
    uint32_t refs;
    uint32_t length;
    char chars[];
} ist_mesh_text;

ist_mesh_text *ist_mesh_text_new(ist_strv text) IST_MUSTCHECK;
ist_mesh_text *ist_mesh_text_ref(ist_mesh_text *text) IST_NONNULL IST_RETURNS_NONNULL;
void ist_mesh_text_unref(ist_mesh_text *text);
ist_strv ist_mesh_text_view(const ist_mesh_text *text) IST_NONNULL;

// --- Endpoints ------------------------------------------------------------------------------------------------------
// IST_EINVAL or IST_ELIMIT with the field; `hostnames`: family 0 is allowed.
ist_status ist_mesh_endpoints_check(const ist_mesh_endpoints *spec, uint32_t max_count, bool hostnames, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// The empty list, which needs no counting.
const ist_mesh_endpoints *ist_mesh_endpoints_none(void) IST_RETURNS_NONNULL;
const ist_mesh_endpoints *ist_mesh_endpoints_copy(const ist_mesh_endpoints *spec) IST_NONNULL IST_MUSTCHECK;
const ist_mesh_endpoints *ist_mesh_endpoints_ref(const ist_mesh_endpoints *endpoints) IST_NONNULL IST_RETURNS_NONNULL;
void ist_mesh_endpoints_unref(const ist_mesh_endpoints *endpoints);

// The parts of a cluster name; empty where it is no outbound destination.
ist_mesh_cluster_key ist_mesh_cluster_key_of(ist_strv name);

// --- Clusters -------------------------------------------------------------------------------------------------------
// `spec->name` must have been parsed by ist_mesh_cluster_key_parse; the copy's key views into its own name.
const ist_mesh_cluster *ist_mesh_cluster_copy(const ist_mesh_cluster *spec) IST_NONNULL IST_MUSTCHECK;
const ist_mesh_cluster *ist_mesh_cluster_ref(const ist_mesh_cluster *cluster) IST_NONNULL IST_RETURNS_NONNULL;
void ist_mesh_cluster_unref(const ist_mesh_cluster *cluster);

// --- Virtual hosts: they are their own record in a route table -------------------------------------------------------
typedef struct ist_mesh_virtual_host_object {
    uint32_t refs;
    uint32_t epoch;                              // staging: last mentioned
    struct ist_mesh_virtual_host_object *doomed; // staging: list of those to remove
    const ist_regex **regexes;                   // compiled for this object, freed with it
    uint32_t regex_count;
    ist_mesh_virtual_host body;
} ist_mesh_virtual_host_object;

// Copies, compiles and checks. `spec->domains` are those to keep. IST_ENOMEM, IST_EINVAL, IST_ELIMIT.
ist_status ist_mesh_virtual_host_make(const ist_mesh_virtual_host *spec, uint32_t max_routes,
                                      ist_mesh_virtual_host_object **ret_object, ist_err *err) IST_NONNULL_ARGS(1, 3)
    IST_MUSTCHECK;
void ist_mesh_virtual_host_ref(const ist_mesh_virtual_host *body) IST_NONNULL;
void ist_mesh_virtual_host_unref(const ist_mesh_virtual_host *body);

// --- Listeners ------------------------------------------------------------------------------------------------------
typedef struct ist_mesh_listener_object {
    uint32_t refs;
    uint32_t epoch;
    struct ist_mesh_listener_object *doomed;
    ist_mesh_listener body;
} ist_mesh_listener_object;

ist_status ist_mesh_listener_make(const ist_mesh_listener *spec, ist_mesh_listener_object **ret_object, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_mesh_listener_object_unref(ist_mesh_listener_object *object);
