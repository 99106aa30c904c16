// SPDX-License-Identifier: Apache-2.0
//
// Attributes of a request, as far as whoever asks knows them: what routes are matched with and what consistent hashing
// reads (envoy.config.route.v3.RouteMatch, RouteAction.HashPolicy). Doors fill one from what they are asked, the runtime from
// a context of the configuration.
//
// Ownership: plain views; whoever fills one keeps the texts alive. Threads: any, there is no state.
#pragma once

#include "mesh/types.h"

typedef struct ist_mesh_header {
    ist_strv name; // lower case
    ist_strv value;
} ist_mesh_header;

// Empty = not given. Then the route context's value counts (mesh/policy.h), and where that says nothing either: GET, path
// "/", scheme http, authority = the host, no headers (rules section 3).
typedef struct ist_mesh_request {
    ist_strv method;
    ist_strv path; // with query string where there is one
    ist_strv scheme;
    ist_strv authority;
    ist_strv source; // the client's address as text: hashing by source IP reads it; empty = not known
    const ist_mesh_header *headers; // a name that stands several times is a header with several values
    uint32_t header_count;
} ist_mesh_request;
