// SPDX-License-Identifier: Apache-2.0
//
// Request targets: "METHOD-DIGIT TARGET" through the parser and the router. Whatever comes out must lie in the arena or in
// the input, and every refusal must be a whole problem document.
#include "api_core/http.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    (void)response;
}

static const ist_api_route ROWS[] = {
    {IST_API_GET, "/", "index", nothing},
    {IST_API_GET, "/v1/services", "services", nothing},
    {IST_API_GET, "/v1/services/{host}", "service", nothing},
    {IST_API_POST, "/drain", "drain", nothing},
    {IST_API_PUT, "/{a}/{b}/{c}/{d}", "four", nothing},
    {IST_API_DELETE, "/{a}/{b}/{c}/{d}/{e}", "more parts than a request holds", nothing},
};
static const ist_api_routes SET = {.api = "fuzz", .rows = ROWS, .count = IST_COUNT(ROWS)};
static const ist_api_routes *const SETS[] = {&SET};

// Reads every byte, so that the sanitizer sees a view that points nowhere.
static unsigned touch(ist_strv text)
{
    unsigned sum = 0;
    for (size_t i = 0; i < text.n; i++) {
        sum += (unsigned char)text.p[i];
    }
    return sum;
}

static void find(ist_api_request *request)
{
    ist_api_response response = {.body = IST_BUF_INIT};
    const ist_api_routes *set = NULL;
    const ist_api_route *route = ist_api_route_find(SETS, 1, request, &set, &response);
    for (size_t i = 0; route != NULL && i < IST_API_PARAMS_MAX; i++) {
        (void)touch(request->params[i]);
    }
    ist_strv body = ist_buf_view(&response.body);
    if (route == NULL && (!ist_strv_ends_with(body, IST_STRV("\"}\n")) || !ist_strv_valid_utf8(body))) {
        abort();
    }
    ist_buf_done(&response.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ist_arena *arena = ist_arena_new(256, (size_t)1 << 20);
    if (arena == NULL || size == 0) {
        ist_arena_free(arena);
        return 0;
    }
    ist_api_request request = {.method = (ist_api_method)(data[0] % (_IST_API_METHOD_MAX + 1)), .arena = arena};
    ist_strv target = ist_strv_make((const char *)data + 1, size - 1);
    if (ist_api_target_parse(target, arena, &request, NULL) == IST_OK) {
        if (request.path.n == 0 || request.path.p[0] != '/' || memchr(request.path.p, '\0', request.path.n) != NULL) {
            abort();
        }
        for (size_t i = 0; i < request.query_count; i++) {
            (void)touch(request.queries[i].name);
            (void)touch(request.queries[i].value);
        }
        (void)ist_api_host_is_loopback(request.target_host);
        find(&request);
    }
    (void)ist_api_host_is_loopback(target);
    (void)ist_api_origin_is_loopback(target);
    ist_arena_free(arena);
    return 0;
}
