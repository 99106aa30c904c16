// SPDX-License-Identifier: Apache-2.0
//
// A route's conditions (kinds, flags, texts, a pattern) and a request, all from the input. Checks what must hold whatever
// the texts are: matching ends, answers the same twice, negation negates, the verdict agrees and can be said in words, the
// completed request has a path that stays when it is normalized again, and hashes the same twice.
#include "fuzz_input.h"

#include "mesh/explain.h"
#include "mesh/hash_pick.h"
#include "regex/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ist_mesh_match take_match(input *in)
{
    uint8_t flags = take_byte(in);
    ist_mesh_match match = {.kind = (ist_mesh_match_kind)(take_byte(in) % _IST_MESH_MATCH_KIND_MAX)};
    match.ignore_case = (flags & 1) != 0;
    match.invert = (flags & 2) != 0;
    match.missing_as_empty = (flags & 4) != 0;
    match.range_start = (int8_t)take_byte(in);
    match.range_end = (int8_t)take_byte(in);
    match.name = take_text(in);
    match.value = take_text(in);
    if (match.kind == IST_MESH_MATCH_REGEX && ist_regex_compile(match.value, &match.regex, NULL) != IST_OK) {
        match.regex = NULL; // never matches
    }
    return match;
}

static void check_verdict(const ist_mesh_route *route, const ist_mesh_request *request, bool found)
{
    ist_buf words = IST_BUF_INIT;
    ist_mesh_verdict verdict = ist_mesh_route_verdict(route, request);
    require((verdict.failed == IST_MESH_CONDITION_NONE) == found);
    ist_mesh_verdict_describe(route, &verdict, &words);
    require(words.length != 0);
    ist_buf_done(&words);
}

static void check_completed(const ist_mesh_request *request, const ist_mesh_match *header)
{
    const ist_mesh_context none = {.name = IST_STRV("default")};
    const ist_mesh_hash_policy policies[] = {{.kind = IST_MESH_HASH_HEADER, .name = header->name},
                                             {.kind = IST_MESH_HASH_COOKIE, .name = header->value},
                                             {.kind = IST_MESH_HASH_QUERY, .name = header->name},
                                             {.kind = IST_MESH_HASH_SOURCE_IP}};
    ist_arena *arena = ist_arena_new(0, 0);
    ist_mesh_request full;
    ist_mesh_request again;
    if (arena != NULL && ist_mesh_request_complete(&none, request, IST_STRV("a.b"), arena, &full) == IST_OK &&
        ist_mesh_request_complete(&none, &full, IST_STRV("a.b"), arena, &again) == IST_OK) {
        uint64_t first = 0;
        uint64_t second = 0;
        require(ist_mesh_request_hash(policies, 4, &full, &first) == ist_mesh_request_hash(policies, 4, &full, &second));
        require(first == second);
        require(again.path.n <= full.path.n); // what was unescaped may make a new dot segment or escape, nothing longer
    }
    ist_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX_HEADERS = 4 };
    input in = {.bytes = data, .left = size};
    ist_mesh_match path = take_match(&in);
    ist_mesh_match header = take_match(&in);
    ist_mesh_match query = take_match(&in);
    path.invert = false;
    ist_mesh_header headers[MAX_HEADERS];
    ist_mesh_request request = {.method = take_text(&in), .path = take_text(&in), .scheme = take_text(&in)};
    request.authority = take_text(&in);
    request.headers = headers;
    while (request.header_count < MAX_HEADERS && in.left != 0) {
        headers[request.header_count].name = take_text(&in);
        headers[request.header_count++].value = take_text(&in);
    }
    ist_mesh_match opposite = header;
    opposite.invert = !header.invert;
    const ist_mesh_route routes[] = {
        {.fraction_per_million = 1000000,
         .path = path,
         .headers = &header,
         .header_count = 1,
         .queries = &query,
         .query_count = 1},
        {.fraction_per_million = 1000000, .headers = &header, .header_count = 1},
        {.fraction_per_million = 1000000, .headers = &opposite, .header_count = 1},
    };
    const ist_mesh_virtual_host all = {.routes = routes, .route_count = 3};
    const ist_mesh_virtual_host straight = {.routes = routes + 1, .route_count = 1};
    const ist_mesh_virtual_host inverted = {.routes = routes + 2, .route_count = 1};
    uint32_t index = 0;
    uint32_t again = 0;
    const ist_mesh_route *found = ist_mesh_match_route(&all, &request, &index);
    require(found == ist_mesh_match_route(&all, &request, &again) && index == again);
    require(found == NULL || found == &routes[index]);
    bool yes = ist_mesh_match_route(&straight, &request, &again) != NULL;
    bool no = ist_mesh_match_route(&inverted, &request, &again) != NULL;
    require(header.kind == IST_MESH_MATCH_ANY || !(yes && no));
    require(header.missing_as_empty == false || yes || no);
    check_verdict(&routes[1], &request, yes);
    check_verdict(&routes[2], &request, no);
    check_completed(&request, &header);
    ist_regex_free(path.regex);
    ist_regex_free(header.regex);
    ist_regex_free(query.regex);
    return 0;
}
