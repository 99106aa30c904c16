// SPDX-License-Identifier: Apache-2.0
//
// The REST door: /v1/services, /v1/services/{host}, /v1/endpoints/{host[:port]}, /v1/status, /v1/watch,
// /v1/openapi.json. Handlers are pure over (request, view); the shapes of the answers are promised in docs/rest.md and
// openapi.json.
//
// Threads: the HTTP thread.
#pragma once

#include "api_core/http.h"
#include "api_core/status_source.h"
#include "base/attr.h"

typedef struct ist_api_rest {
    const ist_api_status_source *status; // borrowed; must outlive the routes
} ist_api_rest;

// The routes, with `rest` (borrowed) as their context.
ist_api_routes ist_api_rest_routes(ist_api_rest *rest) IST_NONNULL;

// Writes the members that describe one selection ("host" ... "share_error") into an open JSON object: the shape that
// /v1/endpoints promises, shared by every answer that contains it.
struct ist_mesh_selection;
void ist_api_rest_write_selection(ist_json *json, const struct ist_mesh_selection *selection, ist_strv subset,
                                  bool has_subset) IST_NONNULL;
