// SPDX-License-Identifier: Apache-2.0
#include "api_core/http.h"

#include "api_core/json.h"

#include <string.h>

const char *ist_api_method_name(ist_api_method method)
{
    static const char *const NAMES[] = {[IST_API_GET] = "GET",
                                        [IST_API_HEAD] = "HEAD",
                                        [IST_API_POST] = "POST",
                                        [IST_API_PUT] = "PUT",
                                        [IST_API_DELETE] = "DELETE",
                                        [IST_API_PATCH] = "PATCH"};
    return method < _IST_API_METHOD_MAX ? NAMES[method] : "?";
}

static bool field_find(const ist_api_field *fields, size_t count, const char *name, ist_strv *ret_value)
{
    for (size_t i = 0; i < count; i++) {
        if (ist_strv_equal(fields[i].name, ist_strv_from(name))) {
            *ret_value = fields[i].value;
            return true;
        }
    }
    return false;
}

bool ist_api_query(const ist_api_request *request, const char *name, ist_strv *ret_value)
{
    return field_find(request->queries, request->query_count, name, ret_value);
}

bool ist_api_header(const ist_api_request *request, const char *name, ist_strv *ret_value)
{
    return field_find(request->headers, request->header_count, name, ret_value);
}

static const char *title_of(uint32_t status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

void ist_api_problem(ist_api_response *response, uint32_t status, const char *detail, ...)
{
    ist_buf text = IST_BUF_INIT;
    va_list args;
    va_start(args, detail);
    ist_buf_vprintf(&text, detail, args);
    va_end(args);
    ist_buf_clear(&response->body);
    ist_api_body_release(response->shared);
    response->shared = NULL;
    response->status = status;
    response->content_type = "application/problem+json";
    response->wait = false;
    response->stream = false;
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    ist_json_string(&json, "type", "about:blank");
    ist_json_string(&json, "title", title_of(status));
    ist_json_u64(&json, "status", status);
    ist_json_strv(&json, "detail", ist_buf_view(&text));
    ist_json_end_object(&json);
    ist_buf_append_char(&response->body, '\n');
    ist_buf_done(&text);
}

// --- Targets --------------------------------------------------------------------------------------------------------

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that "%XY" at the start of `text` stands for, or -1.
static int decode_escape(ist_strv text)
{
    int high = text.n >= 3 ? hex_digit(text.p[1]) : -1;
    int low = text.n >= 3 ? hex_digit(text.p[2]) : -1;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Percent-decodes into the arena. IST_EPARSE for a broken escape or a NUL byte, IST_ENOMEM.
static ist_status decode(ist_strv text, bool plus_is_space, ist_arena *arena, ist_strv *ret)
{
    char *out = ist_arena_alloc(arena, text.n + 1);
    if (out == NULL) {
        return IST_ENOMEM;
    }
    size_t length = 0;
    while (text.n != 0) {
        bool escaped = text.p[0] == '%';
        int c = escaped ? decode_escape(text) : (unsigned char)text.p[0];
        if (c == 0 || c == -1) {
            return IST_EPARSE;
        }
        c = c == '+' && !escaped && plus_is_space ? ' ' : c;
        text = ist_strv_skip(text, escaped ? 3 : 1);
        out[length++] = (char)c;
    }
    *ret = ist_strv_make(out, length);
    return IST_OK;
}

ist_status ist_api_parameter_decode(ist_strv text, ist_arena *arena, ist_strv *ret_text)
{
    return decode(text, true, arena, ret_text);
}

static ist_status decode_parameter(ist_strv text, ist_arena *arena, ist_api_field *field)
{
    ist_strv value = text;
    ist_strv name = ist_strv_cut(&value, '=', NULL);
    ist_status status = decode(name, true, arena, &field->name);
    return status == IST_OK ? decode(value, true, arena, &field->value) : status;
}

static ist_status decode_failed(ist_status status, ist_err *err)
{
    return status == IST_ENOMEM ? ist_err_set(err, status, "out of memory; try again")
                                : ist_err_set(err, status, "broken %%-escape or NUL byte; write %%25 for a plain %%");
}

static ist_status parse_query(ist_strv query, ist_arena *arena, ist_api_request *request, ist_err *err)
{
    request->query_count = 0;
    for (bool more = query.n != 0; more;) {
        ist_strv parameter = ist_strv_cut(&query, '&', &more);
        if (parameter.n == 0) {
            continue;
        }
        if (request->query_count == IST_API_FIELDS_MAX) {
            return ist_err_set(err, IST_ELIMIT, "more than %d query parameters", IST_API_FIELDS_MAX);
        }
        ist_status status = decode_parameter(parameter, arena, &request->queries[request->query_count]);
        if (status != IST_OK) {
            (void)decode_failed(status, err);
            ist_err_prefix(err, "query parameter %zu", request->query_count + 1);
            return status;
        }
        request->query_count++;
    }
    return IST_OK;
}

// Takes "http://HOST" off an absolute form; an empty path behind it is "/".
static ist_strv cut_authority(ist_strv path, ist_strv *ret_host)
{
    *ret_host = IST_STRV_NULL;
    if (!ist_strv_equal_nocase(ist_strv_first(path, 7), IST_STRV("http://"))) {
        return path;
    }
    ist_strv rest = ist_strv_skip(path, 7);
    size_t slash = ist_strv_find(rest, '/');
    *ret_host = ist_strv_first(rest, slash);
    return slash < rest.n ? ist_strv_skip(rest, slash) : IST_STRV("/");
}

ist_status ist_api_target_parse(ist_strv target, ist_arena *arena, ist_api_request *request, ist_err *err)
{
    ist_strv query = target;
    ist_strv path = cut_authority(ist_strv_cut(&query, '?', NULL), &request->target_host);
    if (path.n == 0 || path.p[0] != '/') {
        return ist_err_set(err, IST_EPARSE, "the path must start with \"/\"");
    }
    ist_status status = decode(path, false, arena, &request->path);
    if (status != IST_OK) {
        (void)decode_failed(status, err);
        ist_err_prefix(err, "path");
        return status;
    }
    return parse_query(query, arena, request, err);
}

bool ist_api_host_is_loopback(ist_strv host)
{
    bool has_port = host.n != 0 && host.p[host.n - 1] != ']';
    ist_strv name = has_port ? ist_strv_first(host, ist_strv_rfind(host, ':')) : host;
    if (host.n == 0 || ist_strv_equal_nocase(name, IST_STRV("localhost")) || ist_strv_equal(name, IST_STRV("[::1]"))) {
        return true;
    }
    ist_mesh_addr addr;
    return ist_mesh_addr_parse(name, &addr, NULL) == IST_OK && addr.family == 4 && addr.bytes[0] == 127;
}

bool ist_api_origin_is_loopback(ist_strv origin)
{
    ist_strv host = ist_strv_starts_with(origin, IST_STRV("http://"))    ? ist_strv_skip(origin, 7)
                    : ist_strv_starts_with(origin, IST_STRV("https://")) ? ist_strv_skip(origin, 8)
                                                                         : IST_STRV_NULL;
    return host.n != 0 && ist_api_host_is_loopback(host);
}

// --- Routes ---------------------------------------------------------------------------------------------------------

// The segments of a path, or of a base and the pattern behind it, one after the other.
typedef struct segments {
    ist_strv rest;
    ist_strv then; // goes on here when `rest` is over
    bool more;
    bool skip_empty;
} segments;

static segments segments_of(ist_strv first, ist_strv then, bool skip_empty)
{
    segments self = {.rest = first, .then = then, .more = true, .skip_empty = skip_empty};
    if (ist_strv_starts_with(first, IST_STRV("/"))) {
        self.rest = ist_strv_skip(first, 1);
    }
    return self;
}

// False: there is no further one.
static bool next_segment(segments *self, ist_strv *ret_segment)
{
    while (self->more) {
        *ret_segment = ist_strv_cut(&self->rest, '/', &self->more);
        if (!self->more && self->then.n != 0) {
            *self = segments_of(self->then, IST_STRV_NULL, self->skip_empty);
        }
        if (ret_segment->n != 0 || !self->skip_empty) {
            return true;
        }
    }
    return false;
}

// Does a path have the form of a pattern? Fills params from the left.
static bool matches(segments pattern, segments path, ist_strv *params)
{
    size_t param_count = 0;
    ist_strv want;
    ist_strv have;
    while (next_segment(&pattern, &want)) {
        if (!next_segment(&path, &have)) {
            return false;
        }
        if (ist_strv_starts_with(want, IST_STRV("{"))) {
            if (have.n == 0 || param_count == IST_API_PARAMS_MAX) {
                return false;
            }
            params[param_count++] = have;
        } else if (!ist_strv_equal(want, have)) {
            return false;
        }
    }
    return !next_segment(&path, &have);
}

static bool route_matches(const ist_api_routes *set, const ist_api_route *route, ist_api_request *request)
{
    segments path = segments_of(request->path, IST_STRV_NULL, set->lenient);
    ist_strv pattern = ist_strv_from(route->pattern);
    if (set->bases == NULL) {
        return matches(segments_of(pattern, IST_STRV_NULL, set->lenient), path, request->params);
    }
    for (size_t i = 0; set->bases[i] != NULL; i++) {
        segments whole = segments_of(ist_strv_from(set->bases[i]), pattern, set->lenient);
        if (matches(whole, path, request->params)) {
            return true;
        }
    }
    return false;
}

// "GET, HEAD, POST" from a set of bits (1 << method); NULL where the arena is full.
static const char *allow_of(unsigned methods, ist_arena *arena)
{
    ist_strv list = IST_STRV_NULL;
    for (ist_api_method m = 0; m < _IST_API_METHOD_MAX; m++) {
        if ((methods & (1U << m)) == 0) {
            continue;
        }
        const char *separator = list.n != 0 ? ", " : "";
        list =
            ist_strv_from(ist_arena_printf(arena, "%.*s%s%s", IST_STRV_ARG(list), separator, ist_api_method_name(m)));
    }
    return list.p;
}

// Is the path one of this set's, whatever its routes are?
static bool is_below(const ist_api_routes *set, const ist_api_request *request)
{
    for (size_t i = 0; set->bases != NULL && set->bases[i] != NULL; i++) {
        segments base = segments_of(ist_strv_from(set->bases[i]), IST_STRV_NULL, set->lenient);
        segments path = segments_of(request->path, IST_STRV_NULL, set->lenient);
        ist_strv want;
        ist_strv have;
        bool same = true;
        while (same && next_segment(&base, &want)) {
            same = next_segment(&path, &have) && ist_strv_equal(want, have);
        }
        if (same) {
            return true;
        }
    }
    return false;
}

// Gives the 405 or 404 of a path: `methods` are the bits of those that it has.
static void no_route(const ist_api_request *request, unsigned methods, bool has_index, ist_api_response *response)
{
    if (methods == 0) {
        ist_api_problem(response, 404, "nothing is served at %.*s%s", IST_STRV_ARG(request->path),
                        has_index ? "; GET / lists what is" : "");
        return;
    }
    methods |= (methods & (1U << IST_API_GET)) != 0 ? 1U << IST_API_HEAD : 0;
    response->allow = allow_of(methods, request->arena);
    ist_api_problem(response, 405, "%s is not possible here; use %s",
                    request->method < _IST_API_METHOD_MAX ? ist_api_method_name(request->method) : "this method",
                    response->allow != NULL ? response->allow : "another one");
}

const ist_api_route *ist_api_route_find(const ist_api_routes *const *sets, size_t set_count, ist_api_request *request,
                                        const ist_api_routes **ret_set, ist_api_response *response)
{
    ist_api_method method = request->method == IST_API_HEAD ? IST_API_GET : request->method;
    unsigned methods = 0;
    bool has_index = false;
    bool bare = false;
    for (size_t s = 0; s < set_count; s++) {
        for (size_t i = 0; i < sets[s]->count; i++) {
            const ist_api_route *route = &sets[s]->rows[i];
            has_index = has_index || (route->method == IST_API_GET && strcmp(route->pattern, "/") == 0);
            if (!route_matches(sets[s], route, request)) {
                continue;
            }
            if (route->method == method) {
                *ret_set = sets[s];
                return route;
            }
            methods |= 1U << route->method;
        }
        bare = bare || (sets[s]->bare_refusals && is_below(sets[s], request));
    }
    no_route(request, methods, has_index, response);
    response->bare = bare;
    return NULL;
}
