// SPDX-License-Identifier: Apache-2.0
//
// Requests and responses of every HTTP door, free of any HTTP library: the adapter (api/http) fills the one and carries
// out the other. A handler is a pure function of request and view; it may ask to be called again at a later revision.
//
// Ownership: a request lives for the call; its strings and its arena with it. The response's body is handed over, and so is the
// hold of a shared one.
// Threads: the HTTP thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api_core/body.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"
#include "mesh/view.h"

typedef enum ist_api_method {
    IST_API_GET = 0,
    IST_API_HEAD,
    IST_API_POST,
    IST_API_PUT,
    IST_API_DELETE,
    IST_API_PATCH,
    _IST_API_METHOD_MAX // also: any other method
} ist_api_method;
const char *ist_api_method_name(ist_api_method method) IST_RETURNS_NONNULL;

// A decoded query parameter or a header; header names are in lower case.
typedef struct ist_api_field {
    ist_strv name;
    ist_strv value;
} ist_api_field;

#define IST_API_FIELDS_MAX 64
#define IST_API_PARAMS_MAX 4

typedef struct ist_api_request {
    ist_api_method method;
    ist_strv path;        // decoded once, without query
    ist_strv target_host; // authority of a target in absolute form ("http://HOST/PATH"), else empty
    ist_mesh_addr peer;   // who asks; family 0 where it is not known
    ist_api_field queries[IST_API_FIELDS_MAX];
    ist_api_field headers[IST_API_FIELDS_MAX];
    ist_strv params[IST_API_PARAMS_MAX]; // "{host}" parts of the matched pattern, in order
    size_t query_count;
    size_t header_count;
    ist_strv body;
    ist_arena *arena;          // for the handler's scratch: empty at each call; it may be cleared, since
                               // nothing of the request lies in it
    const ist_mesh_view *view; // NULL before the first one
    bool stale;
    bool resumed;            // called again after a wait, with:
    uint64_t resumed_beyond; // ... the wait_beyond of the last call
    bool timed_out;          // ... and whether the time was over rather than a newer view there
    int64_t elapsed_ms;      // since the request came in
} ist_api_request;

// The first parameter or header of that name; false where there is none.
bool ist_api_query(const ist_api_request *request, const char *name, ist_strv *ret_value) IST_NONNULL;
bool ist_api_header(const ist_api_request *request, const char *name, ist_strv *ret_value) IST_NONNULL;

typedef struct ist_api_response {
    uint32_t status;              // HTTP status; 0 is taken as 200
    const char *content_type;     // constant; NULL = application/json
    const char *security_policy;  // constant: Content-Security-Policy of a page for people; NULL = it is none
    const char *content_encoding; // constant: what the body is packed with ("gzip"); NULL = nothing
    ist_buf body;
    ist_api_body *shared; // a hold of the body that is sent in the place of `body`; NULL = none
    char cookie[96];      // value of Set-Cookie; "" = none
    bool bare;            // neither body nor Content-Type
    const char *allow;    // value of Allow for 405, or NULL; may lie in the request's arena
    bool wait;            // no (further) answer yet; call again when
    uint64_t wait_beyond; // ... the view's revision is greater than this, or
    int64_t wait_ms;      // ... this time since the request came in has passed
    bool stream;          // send the body now and go on: a stream of events, each call gives one
} ist_api_response;

// Fills a problem document (RFC 9457): title from the status, `detail` says what is wrong and what to do.
void ist_api_problem(ist_api_response *response, uint32_t status, const char *detail, ...) IST_PRINTF(3, 4)
    IST_NONNULL_ARGS(1, 3);

typedef void (*ist_api_handler)(void *ctx, const ist_api_request *request, ist_api_response *response);

typedef struct ist_api_route {
    ist_api_method method;
    const char *pattern;   // "/v1/services/{host}"; a "{part}" matches one path segment that is not empty
    const char *operation; // short name for metrics: "services"
    ist_api_handler handle;
} ist_api_route;

// A dialect: its routes and their context. Several make up one listener.
typedef struct ist_api_routes {
    const char *api; // for metrics: "rest", "admin"
    const ist_api_route *rows;
    size_t count;
    void *ctx;
    const char *const
        *bases;   // patterns stand behind one of these paths ("/eureka"); the last is NULL. NULL = behind none
    bool lenient;               // empty segments ("//", a slash at the end) count for nothing
    bool bare_refusals;         // what has no route below the bases is refused without a body
    void (*on_view)(void *ctx); // NULL, or called after a view was published, so that what was made from older ones can be let
                                // go; several publications may make one call
} ist_api_routes;

// Finds the route for request->method and ->path over `sets` and fills request->params. HEAD matches GET. NULL: the
// response has become 404 (nothing has this path) or 405 with Allow, which lies in request->arena.
const ist_api_route *ist_api_route_find(const ist_api_routes *const *sets, size_t set_count, ist_api_request *request,
                                        const ist_api_routes **ret_set, ist_api_response *response) IST_NONNULL;

// Parses a request target as it came in, "PATH?QUERY" or "http://HOST/PATH?QUERY" (RFC 9112 section 3.2):
// percent-decodes path and parameters ("+" in parameters is a space). IST_EPARSE for broken escapes, NUL bytes or a
// path that does not start with "/", IST_ELIMIT for too many parameters, IST_ENOMEM. Views point into the arena and
// into `target`.
ist_status ist_api_target_parse(ist_strv target, ist_arena *arena, ist_api_request *request, ist_err *err)
    IST_NONNULL_ARGS(2, 3) IST_MUSTCHECK;
// Decodes the name or the value of a parameter, as in application/x-www-form-urlencoded, into the arena: "+" is a space.
// IST_EPARSE for a broken escape or a NUL byte, IST_ENOMEM.
ist_status ist_api_parameter_decode(ist_strv text, ist_arena *arena, ist_strv *ret_text) IST_NONNULL IST_MUSTCHECK;
// Is this Host header one of a loopback client (localhost, 127.x.y.z, [::1], each with or without port, or none at
// all)?
bool ist_api_host_is_loopback(ist_strv host);
// Is this Origin header one of a page that came from loopback, so that it may use a loopback port? "null" is not.
bool ist_api_origin_is_loopback(ist_strv origin);
