// SPDX-License-Identifier: Apache-2.0
#include "mesh/request.h"

#include "path_priv.h"
#include "request_priv.h"

#include "mesh/select.h"

#include <string.h>

static const ist_mesh_request NOTHING = {.header_count = 0};

static bool gives_header(const ist_mesh_request *request, ist_strv name)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (ist_strv_equal_nocase(request->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

// The context's headers that the question does not give, then the question's.
static ist_status join_headers(const ist_mesh_request *context, const ist_mesh_request *request, ist_arena *arena,
                               ist_mesh_request *full)
{
    if (context->header_count == 0) {
        return IST_OK; // the question's own array serves
    }
    ist_mesh_header *headers =
        IST_ARENA_ARRAY(arena, (size_t)context->header_count + request->header_count, ist_mesh_header);
    if (headers == NULL) {
        return IST_ENOMEM;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < context->header_count; i++) {
        if (!gives_header(request, context->headers[i].name)) {
            headers[count++] = context->headers[i];
        }
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        headers[count++] = request->headers[i];
    }
    full->headers = headers;
    full->header_count = count;
    return IST_OK;
}

static ist_strv or_else(ist_strv first, ist_strv second)
{
    return first.n != 0 ? first : second;
}

// Paths are compared as Envoy normalizes them, by Istio's default.
static ist_status normalize_path(ist_arena *arena, ist_mesh_request *full)
{
    size_t size = full->path.n * 3; // every byte may become an escape
    char *room = size != 0 ? ist_arena_alloc(arena, size) : NULL;
    if (room == NULL) {
        return size != 0 ? IST_ENOMEM : IST_OK;
    }
    full->path = ist_mesh_path_normalize(full->path, room, size);
    return IST_OK;
}

ist_status ist_mesh_request_complete(const ist_mesh_context *context, const ist_mesh_request *request, ist_strv host,
                                     ist_arena *arena, ist_mesh_request *ret_full)
{
    const ist_mesh_request *given = request != NULL ? request : &NOTHING;
    const ist_mesh_request *behind = &context->request;
    ist_mesh_request full = {.method = or_else(given->method, behind->method),
                             .path = or_else(given->path, behind->path),
                             .scheme = or_else(given->scheme, behind->scheme),
                             .authority = or_else(or_else(given->authority, behind->authority), host),
                             .source = or_else(given->source, behind->source),
                             .headers = given->headers,
                             .header_count = given->header_count};
    ist_status status = join_headers(behind, given, arena, &full);
    status = status == IST_OK ? normalize_path(arena, &full) : status;
    if (status == IST_OK) {
        *ret_full = full;
    }
    return status;
}

// --- Reading ----------------------------------------------------------------------------------------------------------

ist_strv ist_mesh_request_path(const ist_mesh_request *request)
{
    return or_else(request->path, IST_STRV("/"));
}

bool ist_mesh_request_pseudo_header(const ist_mesh_request *request, ist_strv name, ist_strv *ret_value)
{
    if (ist_strv_equal(name, IST_STRV(":method"))) {
        *ret_value = or_else(request->method, IST_STRV("GET"));
    } else if (ist_strv_equal(name, IST_STRV(":path"))) {
        *ret_value = ist_mesh_request_path(request);
    } else if (ist_strv_equal(name, IST_STRV(":scheme"))) {
        *ret_value = or_else(request->scheme, IST_STRV("http"));
    } else if (ist_strv_equal(name, IST_STRV(":authority")) || ist_strv_equal(name, IST_STRV("host"))) {
        *ret_value = request->authority;
    } else {
        return false;
    }
    return true;
}

bool ist_mesh_request_is_joined_header(ist_strv name)
{
    static const char *const names[] = {
        "accept",           "accept-encoding", "authorization", "cache-control",     "content-type",
        "grpc-timeout",     "origin",          "referer",       "user-agent",        "via",
        "x-forwarded-host", "x-forwarded-for", "x-request-id",  "x-client-trace-id", "x-forwarded-proto",
    };
    for (size_t i = 0; i < IST_COUNT(names); i++) {
        if (ist_strv_equal_nocase(name, ist_strv_from(names[i]))) {
            return true;
        }
    }
    return false;
}

static size_t append(char *room, size_t length, ist_strv text)
{
    size_t left = length < IST_MESH_REQUEST_JOINED_MAX ? IST_MESH_REQUEST_JOINED_MAX - length : 0;
    ist_strv fits = ist_strv_first(text, left);
    if (fits.n != 0) {
        memcpy(room + length, fits.p, fits.n);
    }
    return length + text.n;
}

bool ist_mesh_request_join_header(const ist_mesh_request *request, ist_strv name,
                                  char room[IST_MESH_REQUEST_JOINED_MAX], size_t *ret_length)
{
    bool present = false;
    size_t length = 0;
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (ist_strv_equal_nocase(request->headers[i].name, name)) {
            ist_strv value = request->headers[i].value;
            if (length != 0 && value.n != 0) { // an empty value adds nothing
                length = append(room, length, IST_STRV(","));
            }
            length = append(room, length, value);
            present = true;
        }
    }
    *ret_length = length;
    return present;
}

bool ist_mesh_request_query(const ist_mesh_request *request, ist_strv wanted, ist_strv *ret_value)
{
    ist_strv path = ist_mesh_request_path(request);
    path = ist_strv_first(path, ist_strv_find(path, '#'));
    ist_strv rest = ist_strv_skip(path, ist_strv_find(path, '?') + 1);
    while (rest.n != 0) {
        ist_strv value = ist_strv_cut(&rest, '&', NULL);
        ist_strv name = ist_strv_cut(&value, '=', NULL);
        if (ist_strv_equal(name, wanted)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}
