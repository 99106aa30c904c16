// SPDX-License-Identifier: Apache-2.0
//
// Hash policies, a request with cookies and a small cluster, all from the input. Checks what must hold whatever they are:
// the same hash twice, also with the headers the other way round where their order must not matter; nothing behind a
// terminal policy that gave a hash; and a pick that may be picked.
#include "fuzz_input.h"

#include "mesh/hash_pick.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_POLICIES = 3, MAX_HEADERS = 4, MAX_ENDPOINTS = 8 };

// The first cookie of a name and the last of x-forwarded-for count, and some headers are joined.
static bool order_matters(const ist_mesh_hash_policy *policy)
{
    return policy->kind == IST_MESH_HASH_COOKIE || policy->kind == IST_MESH_HASH_SOURCE_IP ||
           (policy->kind == IST_MESH_HASH_HEADER && !ist_strv_equal(policy->name, IST_STRV("x-user")));
}

static void check_hash(const ist_mesh_hash_policy *policies, uint32_t count, const ist_mesh_request *request)
{
    ist_mesh_header reversed[MAX_HEADERS];
    ist_mesh_request other = *request;
    other.headers = reversed;
    for (uint32_t i = 0; i < request->header_count; i++) {
        reversed[i] = request->headers[request->header_count - 1 - i];
    }
    bool ordered = false;
    for (uint32_t i = 0; i < count; i++) {
        ordered = ordered || order_matters(&policies[i]);
    }
    uint64_t hash = 0;
    uint64_t again = 0;
    ist_mesh_hash_result result = ist_mesh_request_hash(policies, count, request, &hash);
    require(result == ist_mesh_request_hash(policies, count, ordered ? request : &other, &again) && hash == again);
    require(ist_mesh_hash_result_name(result)[0] != '?');
    uint64_t first = 0;
    if (count > 1 && policies[0].terminal &&
        ist_mesh_request_hash(policies, 1, request, &first) == IST_MESH_HASH_HASHED) {
        require(result == IST_MESH_HASH_HASHED && hash == first);
    }
}

static void check_pick(input *in, uint64_t hash)
{
    static const uint32_t sizes[] = {0, 1, 2, 3, 7, 11, 100, 257}; // Maglev takes the primes above 2
    ist_mesh_endpoint items[MAX_ENDPOINTS] = {{0}};
    ist_mesh_locality places[2] = {{.weight = 0}};
    const ist_mesh_place nowhere = {.region = IST_STRV_INIT("")};
    ist_mesh_endpoints endpoints = {.items = items, .localities = places, .locality_count = 2};
    uint8_t flags = take_byte(in);
    ist_mesh_cluster cluster = {.lb = (flags & 1) != 0 ? IST_MESH_LB_RING_HASH : IST_MESH_LB_MAGLEV};
    cluster.locality_weighted = (flags & 2) != 0;
    cluster.panic_percent = (flags & 4) != 0 ? -1 : 0;
    cluster.ring_size = sizes[flags >> 5];
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t place = take_byte(in);
        places[i] = (ist_mesh_locality){.priority = place & 1, .weight = place >> 1, .first = endpoints.count};
        for (places[i].count = 0; places[i].count < MAX_ENDPOINTS / 2 && in->left != 0; places[i].count++) {
            ist_mesh_endpoint *item = &items[endpoints.count++];
            item->family = 4;
            item->port = 80;
            item->address[3] = take_byte(in);
            item->weight = take_byte(in);
            item->health = item->address[3] % _IST_MESH_HEALTH_MAX;
            item->flags = item->weight == 3 ? IST_MESH_ENDPOINT_GATEWAY : 0;
        }
    }
    ist_arena *arena = ist_arena_new(0, 0);
    require(arena != NULL);
    ist_mesh_hash_result result = _IST_MESH_HASH_RESULT_MAX;
    uint32_t index = UINT32_MAX;
    const ist_mesh_hash_hosts hosts = {.cluster = &cluster, .endpoints = &endpoints, .place = &nowhere};
    require(ist_mesh_hash_pick(&hosts, hash, arena, &result, &index) == IST_OK);
    if (result == IST_MESH_HASH_HASHED) {
        require(index < endpoints.count && items[index].weight != 0 && items[index].flags == 0);
    } else {
        require(result == IST_MESH_HASH_NO_HOST || result == IST_MESH_HASH_UNSUPPORTED);
    }
    ist_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {.bytes = data, .left = size};
    ist_mesh_hash_policy policies[MAX_POLICIES];
    ist_mesh_header headers[MAX_HEADERS];
    uint32_t count = take_byte(&in) % (MAX_POLICIES + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = take_byte(&in);
        policies[i] = (ist_mesh_hash_policy){.kind = (ist_mesh_hash_kind)(kind % _IST_MESH_HASH_KIND_MAX),
                                             .terminal = (kind & 64) != 0,
                                             .generated = (kind & 128) != 0,
                                             .name = take_text(&in)};
    }
    ist_mesh_request request = {.path = take_text(&in), .source = take_text(&in), .headers = headers};
    uint32_t header_count = take_byte(&in) % (MAX_HEADERS + 1);
    while (request.header_count < header_count) {
        headers[request.header_count].name = take_text(&in);
        headers[request.header_count++].value = take_text(&in);
    }
    check_hash(policies, count, &request);
    check_pick(&in, (uint64_t)size * 0x9e3779b97f4a7c15U);
    return 0;
}
