// SPDX-License-Identifier: Apache-2.0
//
// The REST door: /v1/services, /v1/services/{host}, /v1/endpoints/{host[:port]}, /v1/resolve, /v1/explain,
// /v1/routes/{host[:port]}, /v1/report, /v1/status, /v1/watch, /v1/openapi.json. Handlers are pure over (request, view), but
// for the positions of /v1/resolve; the shapes of the answers are promised in docs/rest.md and openapi.json.
//
// Threads: the HTTP thread.
#pragma once

#include "api_core/http.h"
#include "api_core/status_source.h"
#include "base/attr.h"

#define IST_API_REST_DECKS 1024

typedef struct ist_api_rest {
    const ist_api_status_source *status;    // borrowed; must outlive the routes
    uint32_t positions[IST_API_REST_DECKS]; // of the decks of /v1/resolve; by hash, so that a few share one
} ist_api_rest;

// The routes, with `rest` (borrowed) as their context.
ist_api_routes ist_api_rest_routes(ist_api_rest *rest) IST_NONNULL;
