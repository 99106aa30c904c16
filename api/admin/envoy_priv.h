// SPDX-License-Identifier: Apache-2.0
//
// The view in the form of Envoy's admin interface (envoy.admin.v3: ConfigDump, Clusters), in Envoy's own spelling, so that
// istioctl proxy-config reads us as it reads a sidecar. What Envoy would have and we do not know is left out.
// Threads: the HTTP thread.
#pragma once

#include "admin_priv.h"

#include "api_core/json.h"

// Every cluster of the view, by service, port and subset.
typedef void (*envoy_cluster_fn)(ist_json *json, const ist_mesh_destination *destination);
void envoy_each_cluster(const ist_mesh_service *const *services, size_t count, envoy_cluster_fn fn, ist_json *json);

// The sections of a ConfigDump.
void envoy_write_clusters(ist_json *json, const ist_mesh_view *view, const ist_mesh_service *const *services,
                          size_t count);
void envoy_write_endpoints(ist_json *json, const ist_mesh_service *const *services, size_t count);
// False: out of memory.
bool envoy_write_routes(ist_json *json, const ist_mesh_view *view, const ist_mesh_service *const *services,
                        size_t count);

// {"filter_metadata": {"istio": {"config": ...}}}: which rule of Istio shaped it; nothing where none did.
void envoy_write_metadata(ist_json *json, ist_strv config);
void envoy_write_version(ist_json *json, const ist_mesh_view *view);
