// SPDX-License-Identifier: Apache-2.0
//
// What a cluster says that no look-up can apply, as JSON: the same words in the REST API and in the dump of the view.
// Threads: any, there is no state.
// Source of the meaning: envoy.config.cluster.v3.Cluster; ClientTLSSettings of Istio.
#pragma once

#include "api_core/json.h"
#include "mesh/cluster.h"

// The members "tls" and "published" of the object that is open; null stands for what the control plane does not set.
void ist_api_write_published(ist_json *json, const ist_mesh_cluster *cluster) IST_NONNULL;
