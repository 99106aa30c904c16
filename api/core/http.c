// SPDX-License-Identifier: Apache-2.0
#include "api_core/http.h"

#include "api_core/json.h"

#include <string.h>

const char *ist_api_method_name(ist_api_method method)
{
    static const char *const NAMES[] = {[IST_API_GET] = "GET",   [IST_API_HEAD] = "HEAD",    [IST_API_POST] = "POST",
                                        [IST_API_PUT] = "PUT",   [IST_API_DELETE] = "DELETE"};
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
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
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
        int c = text.p[0] == '%' ? decode_escape(text) : text.p[0] == '+' && plus_is_space ? ' ' : text.p[0];
        if (c == 0 || c == -1) {
            return IST_EPARSE;
        }
        text = ist_strv_skip(text, text.p[0] == '%' ? 3 : 1);
        out[length++] = (char)c;
    }
    *ret = ist_strv_make(out, length);
    return IST_OK;
}

static ist_status parse_query(ist_strv query, ist_arena *arena, ist_api_request *request, ist_err *err)
{
    request->query_count = 0;
    for (bool more = query.n != 0; more;) {
        ist_strv value = ist_strv_cut(&query, '&', &more);
        if (value.n == 0) {
            continue;
        }
        if (request->query_count == IST_API_FIELDS_MAX) {
            return ist_err_set(err, IST_ELIMIT, "more than %d query parameters", IST_API_FIELDS_MAX);
        }
        ist_api_field *field = &request->queries[request->query_count];
        ist_status status = decode(ist_strv_cut(&value, '=', NULL), true, arena, &field->name);
        if (status == IST_OK) {
            status = decode(value, true, arena, &field->value);
        }
        if (status != IST_OK) {
            return ist_err_set(err, status, "query parameter %zu: broken %%-escape or NUL byte", request->query_count + 1);
        }
        request->query_count++;
    }
    return IST_OK;
}

ist_status ist_api_target_parse(ist_strv target, ist_arena *arena, ist_api_request *request, ist_err *err)
{
    ist_strv query = target;
    ist_strv path = ist_strv_cut(&query, '?', NULL);
    if (path.n == 0 || path.p[0] != '/') {
        return ist_err_set(err, IST_EPARSE, "the path must start with \"/\"");
    }
    ist_status status = decode(path, false, arena, &request->path);
    if (status != IST_OK) {
        return ist_err_set(err, status, "path: broken %%-escape or NUL byte");
    }
    return parse_query(query, arena, request, err);
}

bool ist_api_host_is_loopback(ist_strv host)
{
    size_t colon = ist_strv_rfind(host, ':');
    bool bracketed = host.n != 0 && host.p[host.n - 1] == ']';
    ist_strv name = bracketed ? host : ist_strv_first(host, colon);
    if (name.n == 0 || ist_strv_equal_nocase(name, IST_STRV("localhost")) || ist_strv_equal(name, IST_STRV("[::1]"))) {
        return true;
    }
    ist_mesh_addr addr;
    return ist_mesh_addr_parse(name, &addr, NULL) == IST_OK && addr.family == 4 && addr.bytes[0] == 127;
}

// --- Routes ---------------------------------------------------------------------------------------------------------

// Does `path` have the form of `pattern`? Fills params from the left.
static bool matches(const char *pattern, ist_strv path, ist_strv *params)
{
    ist_strv rest = ist_strv_from(pattern);
    size_t param_count = 0;
    for (bool more_pattern = true, more_path = true; more_pattern || more_path;) {
        if (!more_pattern || !more_path) {
            return false;
        }
        ist_strv want = ist_strv_cut(&rest, '/', &more_pattern);
        ist_strv have = ist_strv_cut(&path, '/', &more_path);
        if (ist_strv_starts_with(want, IST_STRV("{"))) {
            if (have.n == 0 || param_count == IST_API_PARAMS_MAX) {
                return false;
            }
            params[param_count++] = have;
        } else if (!ist_strv_equal(want, have)) {
            return false;
        }
    }
    return true;
}

static const char *allow_of(bool get, bool post)
{
    return get && post ? "GET, HEAD, POST" : get ? "GET, HEAD" : "POST";
}

const ist_api_route *ist_api_route_find(const ist_api_routes *const *sets, size_t set_count, ist_api_request *request,
                                        const ist_api_routes **ret_set, ist_api_response *response)
{
    ist_api_method method = request->method == IST_API_HEAD ? IST_API_GET : request->method;
    bool get = false;
    bool post = false;
    for (size_t s = 0; s < set_count; s++) {
        for (size_t i = 0; i < sets[s]->count; i++) {
            const ist_api_route *route = &sets[s]->rows[i];
            if (!matches(route->pattern, request->path, request->params)) {
                continue;
            }
            if (route->method == method) {
                *ret_set = sets[s];
                return route;
            }
            get = get || route->method == IST_API_GET;
            post = post || route->method == IST_API_POST;
        }
    }
    if (get || post) {
        response->allow = allow_of(get, post);
        ist_api_problem(response, 405, "%s is not possible here; use %s", ist_api_method_name(request->method), response->allow);
    } else {
        ist_api_problem(response, 404, "nothing is served at %.*s; GET / lists what is", IST_STRV_ARG(request->path));
    }
    return NULL;
}
