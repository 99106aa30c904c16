// SPDX-License-Identifier: Apache-2.0
//
// One endpoint of a selection: dealt by slots, or by hash inside the destination that was dealt.
#include "ist_memory.h"
#include "ist_test.h"

#include "mesh/choose.h"

#define S(text) IST_STRV_INIT(text)

static const ist_mesh_endpoint ITEMS[] = {
    {.weight = 1, .port = 80, .family = 4, .health = IST_MESH_HEALTHY, .address = {127, 1, 0, 1}},
    {.weight = 1, .port = 80, .family = 4, .health = IST_MESH_HEALTHY, .address = {127, 1, 0, 2}},
    {.weight = 1, .port = 80, .family = 4, .health = IST_MESH_HEALTHY, .address = {127, 1, 0, 3}}};
static const ist_mesh_locality LOCALITY = {.count = IST_COUNT(ITEMS)};
static const ist_mesh_endpoints ENDPOINTS = {
    .items = ITEMS, .localities = &LOCALITY, .count = IST_COUNT(ITEMS), .locality_count = 1};
static const ist_mesh_cluster PLAIN = {.name = S("plain"), .lb = IST_MESH_LB_ROUND_ROBIN};
static const ist_mesh_cluster RING = {.name = S("ring"), .lb = IST_MESH_LB_RING_HASH};
static const ist_mesh_destination BY_SLOTS = {&PLAIN, &ENDPOINTS};
static const ist_mesh_destination BY_HASH = {&RING, &ENDPOINTS};
static const ist_mesh_service SERVICE = {.host = S("a.b")};
static const ist_mesh_port PORT = {.number = 80};
static const ist_mesh_hash_policy BY_USER = {.kind = IST_MESH_HASH_HEADER, .name = S("user")};
static const ist_mesh_route ROUTE = {.hash_policies = &BY_USER, .hash_policy_count = 1};

static const ist_mesh_place NOWHERE;

static ist_mesh_selection selection_of(const ist_mesh_pick *picks, uint32_t count)
{
    return (ist_mesh_selection){
        .service = &SERVICE, .port = &PORT, .place = &NOWHERE, .route = &ROUTE, .picks = picks, .pick_count = count};
}

static void two_decks_give_each_endpoint_twice_its_slots(void **state)
{
    (void)state;
    const ist_mesh_pick picks[] = {{.destination = &BY_SLOTS, .index = 0, .slots = 5},
                                   {.destination = &BY_SLOTS, .index = 1, .slots = 1},
                                   {.destination = &BY_SLOTS, .index = 2, .slots = 3}};
    const ist_mesh_selection selection = selection_of(picks, 3);
    uint32_t seen[3] = {0};
    ist_arena *arena = ist_arena_new(0, 0);
    for (uint32_t position = 0; position < 18; position++) {
        ist_mesh_choice choice;
        assert_int_equal(ist_mesh_choose(&selection, position, arena, &choice), IST_OK);
        assert_true(choice.found && choice.hash == IST_MESH_HASH_NOT_HASHED);
        seen[choice.pick.index]++;
    }
    assert_int_equal(seen[0], 10);
    assert_int_equal(seen[1], 2);
    assert_int_equal(seen[2], 6);
    ist_arena_free(arena);
}

static ist_status choose_by_hash(void *ctx)
{
    (void)ctx;
    static const ist_mesh_header anna = {S("user"), S("anna")};
    const ist_mesh_pick listed = {.destination = &BY_HASH, .index = 1, .share = 1, .slots = 1};
    ist_mesh_selection selection = selection_of(&listed, 1);
    ist_arena *arena = ist_arena_new(64, 0);
    if (arena == NULL) {
        return IST_ENOMEM;
    }
    uint32_t first = UINT32_MAX;
    ist_status status = IST_OK;
    selection.request = (ist_mesh_request){.headers = &anna, .header_count = 1};
    for (uint32_t position = 0; position < 8 && status == IST_OK; position++) {
        ist_mesh_choice choice;
        status = ist_mesh_choose(&selection, position, arena, &choice);
        if (status == IST_OK) {
            assert_int_equal(choice.hash, IST_MESH_HASH_HASHED);
            first = first == UINT32_MAX ? choice.pick.index : first;
            assert_int_equal(choice.pick.index, first); // wherever the deck stands
            assert_int_equal(choice.pick.slots, first == 1 ? 1 : 0);
        }
    }
    ist_arena_free(arena);
    return status;
}

static void the_same_request_gets_the_same_endpoint(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(choose_by_hash, NULL) >= 1);
}

static void without_hash_input_slots_decide_and_it_says_why(void **state)
{
    (void)state;
    const ist_mesh_pick listed = {.destination = &BY_HASH, .index = 1, .share = 1, .slots = 1};
    ist_mesh_selection selection = selection_of(&listed, 1);
    ist_arena *arena = ist_arena_new(0, 0);
    ist_mesh_choice choice;
    assert_int_equal(ist_mesh_choose(&selection, 0, arena, &choice), IST_OK);
    assert_int_equal(choice.hash, IST_MESH_HASH_NO_INPUT);
    assert_int_equal(choice.pick.index, 1);
    selection.route = NULL;
    assert_int_equal(ist_mesh_choose(&selection, 0, arena, &choice), IST_OK);
    assert_int_equal(choice.hash, IST_MESH_HASH_NO_INPUT);
    selection.pick_count = 0;
    assert_int_equal(ist_mesh_choose(&selection, 0, arena, &choice), IST_OK);
    assert_false(choice.found);
    ist_arena_free(arena);
}

static void tcp_connection_has_a_source_and_no_headers(void **state)
{
    (void)state;
    static const ist_mesh_hash_policy policies[] = {{.kind = IST_MESH_HASH_SOURCE_IP},
                                                    {.kind = IST_MESH_HASH_HEADER, .name = S("user")}};
    static const ist_mesh_l4_route l4 = {.hash_policies = policies, .hash_policy_count = IST_COUNT(policies)};
    static const ist_mesh_header headers[] = {{S("x-forwarded-for"), S("127.0.0.9")}, {S("user"), S("anna")}};
    const ist_mesh_pick listed = {.destination = &BY_HASH, .index = 1, .share = 1, .slots = 1};
    ist_mesh_selection selection = selection_of(&listed, 1);
    ist_arena *arena = ist_arena_new(0, 0);
    selection.route = NULL;
    selection.l4_route = &l4;
    for (char digit = '0'; digit <= '9'; digit++) {
        char source[] = {'1', '2', '7', '.', '0', '.', '0', '.', digit, '\0'};
        ist_mesh_choice with;
        ist_mesh_choice without;
        selection.request = (ist_mesh_request){.source = ist_strv_from(source), .headers = headers, .header_count = 2};
        assert_int_equal(ist_mesh_choose(&selection, 0, arena, &with), IST_OK);
        selection.request.header_count = 0;
        assert_int_equal(ist_mesh_choose(&selection, 0, arena, &without), IST_OK);
        assert_int_equal(with.hash, IST_MESH_HASH_HASHED);
        assert_int_equal(with.pick.index, without.pick.index);
    }
    ist_arena_free(arena);
}

static void decks_differ_by_what_decided(void **state)
{
    (void)state;
    static const ist_mesh_l4_route l4[2] = {{.tls = false}};
    const ist_mesh_port port = {.number = 80, .l4_routes = l4, .l4_route_count = 2};
    const ist_mesh_target targets[2] = {{.destination = &BY_SLOTS}, {.destination = &BY_HASH}};
    const ist_mesh_selection selections[] = {
        {.service = &SERVICE, .port = &PORT, .route_index = 0},
        {.service = &SERVICE, .port = &PORT, .route_index = 1},
        {.service = &SERVICE, .port = &PORT, .basis = IST_MESH_BASIS_SERVICE},
        {.service = &SERVICE, .port = &port, .basis = IST_MESH_BASIS_L4_ROUTE, .l4_route = &l4[0]},
        {.service = &SERVICE, .port = &port, .basis = IST_MESH_BASIS_L4_ROUTE, .l4_route = &l4[1]},
        {.service = &SERVICE, .port = &PORT, .basis = IST_MESH_BASIS_SUBSET, .targets = targets, .target_count = 1},
    };
    for (size_t i = 0; i < IST_COUNT(selections); i++) {
        for (size_t k = 0; k < i; k++) {
            assert_true(ist_mesh_choice_key(&selections[i]) != ist_mesh_choice_key(&selections[k]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_decks_give_each_endpoint_twice_its_slots),
        cmocka_unit_test(the_same_request_gets_the_same_endpoint),
        cmocka_unit_test(without_hash_input_slots_decide_and_it_says_why),
        cmocka_unit_test(tcp_connection_has_a_source_and_no_headers),
        cmocka_unit_test(decks_differ_by_what_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
