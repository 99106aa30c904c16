// SPDX-License-Identifier: Apache-2.0
//
// Parts of routes as JSON: the same words in the REST API and in the dump of the view. What is written is borrowed for the
// call only; errors stick to the buffer under the writer. Threads: any, there is no state.
// Source of the meaning: envoy.config.route.v3.WeightedCluster, RouteAction.HashPolicy.
#pragma once

#include "api_core/json.h"
#include "mesh/route.h"

// The array "destinations" of the object that is open: clusters with their weights.
void ist_api_write_weighted(ist_json *json, const ist_mesh_weighted *destinations, uint32_t count) IST_NONNULL_ARGS(1);
// The array "hash_policies": what a request's hash is made from.
void ist_api_write_hash_policies(ist_json *json, const ist_mesh_hash_policy *policies, uint32_t count) IST_NONNULL_ARGS(1);
