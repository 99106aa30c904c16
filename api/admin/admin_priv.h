// SPDX-License-Identifier: Apache-2.0
//
// Shared by the files of the admin door.
#pragma once

#include "api_admin/admin.h"

// The services of the view, sorted, to be freed with ist_free; NULL: the response says why there are none.
const ist_mesh_service **admin_begin(const ist_api_request *request, size_t *ret_count, ist_api_response *response);

// /debug/view: every service, cluster, endpoint, route and name in a canonical order, for comparing two agents.
void admin_view(void *ctx, const ist_api_request *request, ist_api_response *response);
// /config_dump[?include_eds] and /clusters[?format=json]: the same as Envoy's admin interface would show it.
void admin_config_dump(void *ctx, const ist_api_request *request, ist_api_response *response);
void admin_clusters(void *ctx, const ist_api_request *request, ist_api_response *response);
