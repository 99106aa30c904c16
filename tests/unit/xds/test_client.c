// SPDX-License-Identifier: Apache-2.0
//
// The protocol as scripts: what comes in, what goes out. Every script runs in both protocol variants where they agree.
#include "ist_test.h"

#include "xds_script.h"

static const ist_xds_mode modes[] = {IST_XDS_DELTA, IST_XDS_SOTW};

static xds_script the_script;

static void with_both_modes(void (*body)(xds_script *script))
{
    for (size_t i = 0; i < IST_COUNT(modes); i++) {
        script_args args = {.mode = modes[i], .servers = 3};
        script_init(&the_script, &args);
        body(&the_script);
        script_done(&the_script);
    }
}

static void expect_first_requests(xds_script *script)
{
    const script_request *cds = script_expect(script, IST_XDS_CDS);
    assert_true(cds->node);
    assert_string_equal(cds->nonce, "");
    assert_int_equal(cds->count, 0);
    assert_false(script_expect(script, IST_XDS_LDS)->node); // needed or not: there is no view yet
    const script_request *nds = script_expect(script, IST_XDS_NDS);
    assert_false(nds->node);
    assert_int_equal(nds->count, 0);
    script_expect_none(script);
}

// --- Synchronising --------------------------------------------------------------------------------------------------

static void sync_body(xds_script *script)
{
    script_connect(script);
    expect_first_requests(script);
    assert_true(ist_mesh_store_stale(script->store));

    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 81));
    script_expect_ack(script, IST_XDS_CDS);
    const script_request *eds = script_expect(script, IST_XDS_EDS);
    assert_int_equal(eds->count, 2);
    assert_true(script_has_name(eds, "outbound|80||a.b"));
    assert_true(script_has_name(eds, "outbound|81||c.d"));
    const script_request *rds = script_expect(script, IST_XDS_RDS);
    assert_int_equal(rds->count, 2);
    assert_true(script_has_name(rds, "80"));
    script_expect_none(script);

    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 3), script_assignment(script, "c.d", 81, 1));
    script_expect_ack(script, IST_XDS_EDS);
    SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, "a.b", "10.96.0.1"));
    script_expect_ack(script, IST_XDS_NDS);
    script_send(script, IST_XDS_LDS, NULL, 0);
    script_expect_ack(script, IST_XDS_LDS);
    assert_int_equal(ist_mesh_store_revision(script->store), 0); // routes are missing
    assert_false(ist_xds_client_is_synced(script->client));

    SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, "a.b"), script_table(script, 81, "c.d"));
    script_expect_ack(script, IST_XDS_RDS);
    script_expect_none(script);
    assert_true(ist_xds_client_is_synced(script->client));
    assert_false(ist_mesh_store_stale(script->store));
    assert_int_equal(script_endpoints(script, "a.b", 80), 3);
    assert_int_equal(script->max_unsent, 1);
}

static void sync_in_both_modes_publishes_once_everything_is_answered(void **state)
{
    (void)state;
    with_both_modes(sync_body);
}

static made_resource tcp_listener(xds_script *script, uint32_t port)
{
    char *name = make_text(script->arena, "10.96.0.1_%u", port);
    char *cluster = make_text(script->arena, "outbound|%u||a.b", port);
    return (made_resource){
        .name = name,
        .bytes = make_packed(script->arena, make_listener(script->arena, name, "10.96.0.1", port, cluster))};
}

static void listeners_body(xds_script *script)
{
    script_sync(script);
    script_close(script, 14);
    script_reopen(script); // there is a view now, without a plain port: listeners are not asked for again by themselves
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "a.b", 3306));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 2),
                script_assignment(script, "a.b", 3306, 1));
    SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, "a.b", "10.96.0.1"));
    SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, "a.b"), script_table(script, 3306, NULL));
    made_resource listener = tcp_listener(script, 3306);
    assert_int_equal(script->requests[script->request_count - 1].type, IST_XDS_LDS);
    assert_int_equal(script_status(script).state, IST_XDS_SYNCING);
    script->request_count = script->request_next = 0;
    script_send(script, IST_XDS_LDS, &listener, 1);
    script_expect_ack(script, IST_XDS_LDS);
    assert_int_equal(script_status(script).state, IST_XDS_SYNCED);
    assert_int_equal(script_status(script).types[IST_XDS_LDS].resources, 1);
    if (script->mode == IST_XDS_DELTA) { // what is held counts, not what came last
        SCRIPT_SEND(script, IST_XDS_LDS, tcp_listener(script, 3307));
        assert_int_equal(script_status(script).types[IST_XDS_LDS].resources, 2);
        script_send_removed(script, IST_XDS_LDS, listener.name);
        assert_int_equal(script_status(script).types[IST_XDS_LDS].resources, 1);
    }
}

static void port_without_virtual_host_subscribes_listeners(void **state)
{
    (void)state;
    with_both_modes(listeners_body);
}

static void empty_mesh_body(xds_script *script)
{
    script_connect(script);
    script_send(script, IST_XDS_CDS, NULL, 0);
    script_send(script, IST_XDS_LDS, NULL, 0);
    script_send(script, IST_XDS_NDS, NULL, 0);
    assert_int_equal(script_status(script).state, IST_XDS_SYNCED);
}

static void empty_mesh_is_synced(void **state)
{
    (void)state;
    with_both_modes(empty_mesh_body);
}

static void missing_endpoints_body(xds_script *script)
{
    script_connect(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 80));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 1));
    SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, "a.b"));
    SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, "a.b", "10.96.0.1"));
    script_send(script, IST_XDS_LDS, NULL, 0);
    assert_false(ist_xds_client_is_synced(script->client));
    script_tick(script, 5000);
    assert_true(ist_xds_client_is_synced(script->client));
    assert_int_equal(script_endpoints(script, "a.b", 80), 1);
}

static void endpoints_that_never_come_hold_up_the_first_view_for_five_seconds_only(void **state)
{
    (void)state;
    with_both_modes(missing_endpoints_body);
}

// --- Changes --------------------------------------------------------------------------------------------------------

static void delta_service_added_subscribes_its_endpoints_and_routes(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_DELTA};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_sync(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "c.d", 90));
    script_expect_ack(script, IST_XDS_CDS);
    const script_request *eds = script_expect(script, IST_XDS_EDS);
    assert_int_equal(eds->count, 1);
    assert_string_equal(eds->names[0], "outbound|90||c.d");
    assert_string_equal(eds->nonce, "");
    const script_request *rds = script_expect(script, IST_XDS_RDS);
    assert_int_equal(rds->count, 1);
    assert_string_equal(rds->names[0], "90");
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "c.d", 90, 4));
    script_expect_ack(script, IST_XDS_EDS);
    SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 90, "c.d"));
    script_expect_ack(script, IST_XDS_RDS);
    script_expect_none(script);
    assert_int_equal(script_endpoints(script, "c.d", 90), 4);
    assert_int_equal(script_endpoints(script, "a.b", 80), 2);
    script_done(script);
}

static void delta_service_removed_unsubscribes_and_vanishes(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_DELTA};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_sync(script);
    script_send_removed(script, IST_XDS_CDS, "outbound|80||a.b");
    script_expect_ack(script, IST_XDS_CDS);
    const script_request *eds = script_expect(script, IST_XDS_EDS);
    assert_int_equal(eds->count, 0);
    assert_int_equal(eds->removed_count, 1);
    assert_string_equal(eds->removed[0], "outbound|80||a.b");
    const script_request *rds = script_expect(script, IST_XDS_RDS);
    assert_int_equal(rds->removed_count, 1);
    script_expect_none(script);
    assert_int_equal(script_endpoints(script, "a.b", 80), -1);
    script_done(script);
}

// The request that gives names up is never answered; it may be the last thing that a new stream does.
static void names_leave_last_body(xds_script *script)
{
    script_sync(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 80));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 2), script_assignment(script, "c.d", 80, 1));
    script_close(script, 14);
    script_reopen(script);
    made_resource resources[] = {
        [IST_XDS_CDS] = script_cluster(script, "a.b", 80),
        [IST_XDS_EDS] = script_assignment(script, "a.b", 80, 2),
        [IST_XDS_RDS] = script_table(script, 80, "a.b"),
        [IST_XDS_NDS] = script_names(script, "a.b", "10.96.0.1"),
    };
    static const ist_xds_type order[] = {IST_XDS_LDS, IST_XDS_CDS, IST_XDS_EDS, IST_XDS_RDS, IST_XDS_NDS};
    for (size_t i = 0; i < IST_COUNT(order); i++) { // all of them before anything can be sent
        made_response response = {.mode = script->mode, .type = order[i], .nonce = "x"};
        response.count = order[i] == IST_XDS_LDS ? 0 : 1;
        response.resources = response.count == 0 ? NULL : &resources[order[i]];
        ist_strv bytes = make_response_bytes(script->arena, &response);
        ist_xds_slice slice = {.bytes = (const uint8_t *)bytes.p, .length = bytes.n};
        ist_xds_client_on_message(script->client, script_status(script).stream, &slice, 1, script->now_ms);
    }
    script_settle(script);
    assert_int_equal(script_status(script).state, IST_XDS_SYNCED);
    assert_int_equal(script_endpoints(script, "c.d", 80), -1);
}

static void stream_is_synced_although_names_leave_last(void **state)
{
    (void)state;
    with_both_modes(names_leave_last_body);
}

static void sotw_change_sends_the_whole_list_with_the_last_nonce(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_SOTW};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_sync(script); // nonces: n1 cds, n2 eds, n3 rds, n4 nds
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 80));
    script_expect_ack(script, IST_XDS_CDS);
    const script_request *eds = script_expect(script, IST_XDS_EDS);
    assert_int_equal(eds->count, 2);
    assert_string_equal(eds->nonce, "n2");
    assert_string_equal(eds->version, "v-n2");
    script_expect_none(script);                                                // port 80 is subscribed already
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "c.d", 80, 1)); // only the added one
    script_expect_ack(script, IST_XDS_EDS);
    assert_int_equal(script_endpoints(script, "a.b", 80), 2);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "c.d", 80)); // absence is removal
    script_expect_ack(script, IST_XDS_CDS);
    eds = script_expect(script, IST_XDS_EDS);
    assert_int_equal(eds->count, 1);
    assert_string_equal(eds->names[0], "outbound|80||c.d");
    assert_int_equal(script_endpoints(script, "a.b", 80), -1);
    script_done(script);
}

static void unchanged_body(xds_script *script)
{
    script_sync(script);
    uint64_t revision = ist_mesh_store_revision(script->store);
    SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, "a.b", "10.96.0.1"));
    SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, "a.b"));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 2));
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80));
    assert_int_equal(ist_mesh_store_revision(script->store), revision);
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 5));
    assert_int_equal(ist_mesh_store_revision(script->store), revision + 1);
    assert_int_equal(script->published.revision, revision + 1);
    assert_int_equal(script->published.services_rebuilt, 1);
    assert_int_equal(script->publish_count, revision + 1);
    assert_int_equal(script_endpoints(script, "a.b", 80), 5);
}

static void same_bytes_again_publish_nothing(void **state)
{
    (void)state;
    with_both_modes(unchanged_body);
}

// --- NACKs ----------------------------------------------------------------------------------------------------------

static made_resource bad_assignment(xds_script *script, const char *host)
{
    char *name = make_text(script->arena, "outbound|80||%s", host);
    Envoy__Config__Endpoint__V3__LbEndpoint *endpoint = make_endpoint(script->arena, "10.0.0.1", 70000);
    Envoy__Config__Endpoint__V3__LbEndpoint **list =
        (Envoy__Config__Endpoint__V3__LbEndpoint **)make_list(script->arena, 1);
    list[0] = endpoint;
    return (made_resource){.name = name,
                           .bytes = make_packed(script->arena, make_assignment(script->arena, name, list, 1))};
}

static void nack_body(xds_script *script)
{
    script_sync(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 80));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "c.d", 80, 1));
    script->request_count = script->request_next = 0;
    SCRIPT_SEND(script, IST_XDS_EDS, bad_assignment(script, "a.b"), script_assignment(script, "c.d", 80, 7));
    const script_request *nack = script_expect_nack(script, IST_XDS_EDS, "eds outbound|80||a.b: ");
    assert_non_null(strstr(nack->error, "port_value 70000"));
    assert_null(strstr(nack->error, "c.d"));
    script_expect_none(script);
    assert_int_equal(script_endpoints(script, "a.b", 80), 2); // as before
    assert_int_equal(script_endpoints(script, "c.d", 80), 7); // the good one applies
    assert_int_equal(script_status(script).types[IST_XDS_EDS].nacks, 1);
    assert_true(script_status(script).types[IST_XDS_EDS].last_error.n > 0);
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 3));
    script_expect_ack(script, IST_XDS_EDS);
    assert_int_equal(script_status(script).types[IST_XDS_EDS].last_error.n, 0);
}

static void bad_resource_is_refused_alone(void **state)
{
    (void)state;
    with_both_modes(nack_body);
}

static void sotw_nack_carries_the_last_good_version_and_loses_no_change(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_SOTW};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_sync(script);
    // A change of EDS names that cannot be sent at once, and a bad EDS response before it is.
    made_response cds = {
        .mode = IST_XDS_SOTW,
        .type = IST_XDS_CDS,
        .nonce = "x1",
        .count = 2,
        .resources = (const made_resource[]){script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 80)}};
    made_resource bad = bad_assignment(script, "a.b");
    made_response eds = {.mode = IST_XDS_SOTW, .type = IST_XDS_EDS, .nonce = "x2", .count = 1, .resources = &bad};
    const ist_strv messages[] = {make_response_bytes(script->arena, &cds), make_response_bytes(script->arena, &eds)};
    for (size_t i = 0; i < IST_COUNT(messages); i++) { // nothing is settled in between
        ist_xds_slice slice = {.bytes = (const uint8_t *)messages[i].p, .length = messages[i].n};
        ist_xds_client_on_message(script->client, 1, &slice, 1, script->now_ms);
    }
    script_settle(script);
    script_expect(script, IST_XDS_CDS);
    const script_request *nack = script_expect(script, IST_XDS_EDS);
    assert_non_null(nack->error);
    assert_string_equal(nack->nonce, "x2");
    assert_string_equal(nack->version, "v-n2");
    const script_request *change = script_expect(script, IST_XDS_EDS);
    assert_null(change->error);
    assert_string_equal(change->nonce, "x2");
    assert_int_equal(change->count, 2);
    script_expect_none(script);
    script_done(script);
}

static void many_rejects_body(xds_script *script)
{
    script_sync(script);
    enum { MANY = 200 };
    made_resource bad[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        bad[i] = bad_assignment(script, make_text(script->arena, "host-%u.b", i));
    }
    script_send(script, IST_XDS_EDS, bad, MANY);
    const script_request *nack = script_expect_nack(script, IST_XDS_EDS, "; and more");
    assert_in_range(strlen(nack->error), 3000, 4096);
}

static void many_rejects_are_cut(void **state)
{
    (void)state;
    with_both_modes(many_rejects_body);
}

static void unrequested_body(xds_script *script)
{
    script_connect(script);
    script->request_count = script->request_next = 0;
    made_resource bad = bad_assignment(script, "a.b");
    script_send(script, IST_XDS_EDS, &bad, 1);
    script_send(script, IST_XDS_RDS, NULL, 0);
    script_expect_none(script); // a NACK here would crash istiod
    assert_int_equal(script->close_count, 0);
}

static void type_that_was_not_requested_is_never_answered(void **state)
{
    (void)state;
    with_both_modes(unrequested_body);
}

static void wrong_type_body(xds_script *script)
{
    script_sync(script);
    made_resource wrong = script_assignment(script, "a.b", 80, 1);
    wrong.bytes.n = 3; // cut off
    script_send(script, IST_XDS_EDS, &wrong, 1);
    script_expect_nack(script, IST_XDS_EDS, "");
    assert_int_equal(script->close_count, 0);
}

static void cut_resource_is_refused(void **state)
{
    (void)state;
    with_both_modes(wrong_type_body);
}

static void garbage_body(xds_script *script)
{
    script_sync(script);
    script_send_bytes(script, IST_STRV("\x0a\xff\xff\xff\xff\x0f garbage"));
    assert_int_equal(script->closed, 1);
    assert_true(ist_mesh_store_stale(script->store));
    ist_xds_status status = script_status(script);
    assert_int_equal(status.state, IST_XDS_BACKOFF);
    assert_true(ist_strv_contains(status.last_error, IST_STRV("cut off")));
    assert_int_equal(script_endpoints(script, "a.b", 80), 2); // the last good view stands
}

static void bytes_that_are_no_response_end_the_stream(void **state)
{
    (void)state;
    with_both_modes(garbage_body);
}

static void limit_body(xds_script *script)
{
    script_sync(script);
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 200));
    script_expect_nack(script, IST_XDS_EDS, "at most 2000 are taken");
    assert_int_equal(script_endpoints(script, "a.b", 80), 2);
}

static void resource_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < IST_COUNT(modes); i++) {
        script_args args = {.mode = modes[i], .max_resource_bytes = 2000};
        script_init(&the_script, &args);
        limit_body(&the_script);
        script_done(&the_script);
    }
}

static void too_many_resources_end_the_stream(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_DELTA, .max_resources = 3};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_sync(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 1), script_cluster(script, "a.b", 2),
                script_cluster(script, "a.b", 3), script_cluster(script, "a.b", 4));
    assert_int_equal(script->closed, 1);
    assert_true(ist_strv_contains(script_status(script).last_error, IST_STRV("4 resources")));
    script_done(script);
}

// The next CDS response is the full set. In delta only the first one of a stream is.
static void expect_full_set(xds_script *script)
{
    if (script->mode == IST_XDS_DELTA) {
        script_close(script, 14);
        script_reopen(script);
    }
    script->request_count = script->request_next = 0;
}

static void mistake_in_full_set_body(xds_script *script)
{
    script_sync(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 80));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "c.d", 80, 3));
    expect_full_set(script);
    made_resource bad = script_cluster(script, "c.d", 80);
    bad.bytes.n--;
    SCRIPT_SEND(script, IST_XDS_CDS, bad, script_cluster(script, "e.f", 90));
    script_expect_nack(script, IST_XDS_CDS, "cds outbound|80||c.d: Cluster is cut off");
    assert_int_equal(script_endpoints(script, "c.d", 80), 3);  // what was refused stays as it was
    assert_int_equal(script_endpoints(script, "a.b", 80), -1); // what the set does not name is gone
}

static void full_set_with_a_mistake_keeps_what_was_refused_and_removes_the_rest(void **state)
{
    (void)state;
    with_both_modes(mistake_in_full_set_body);
}

static void nameless_in_full_set_body(xds_script *script)
{
    script_sync(script);
    expect_full_set(script);
    made_resource bad = {.name = "", .bytes = IST_STRV("\x0a\x7f")}; // cut off inside its name
    SCRIPT_SEND(script, IST_XDS_CDS, bad, script_cluster(script, "e.f", 90));
    script_expect_nack(script, IST_XDS_CDS, "cds ");
    assert_int_equal(script_endpoints(script, "a.b", 80), 2); // perhaps it was a.b that could not be read
}

static void full_set_with_an_unreadable_name_removes_nothing(void **state)
{
    (void)state;
    with_both_modes(nameless_in_full_set_body);
}

static void put_static_cluster(xds_script *script)
{
    static const ist_mesh_endpoint item = {.weight = 1,
                                           .port = 80,
                                           .workload = IST_MESH_NO_INDEX,
                                           .alternate = IST_MESH_NO_INDEX,
                                           .family = 4,
                                           .health = IST_MESH_HEALTHY,
                                           .address = {10, 7, 7, 7}};
    static const ist_mesh_locality locality = {.count = 1};
    static const ist_mesh_endpoints endpoints = {
        .items = &item, .localities = &locality, .count = 1, .locality_count = 1};
    ist_mesh_cluster cluster = {.name = IST_STRV("outbound|82||out.side"),
                                .panic_percent = -1,
                                .published = IST_MESH_PUBLISHED_NONE,
                                .inline_endpoints = &endpoints};
    ist_err err = IST_ERR_NULL;
    if (ist_mesh_builder_put_cluster(script->builder, &cluster, &err) != IST_OK) {
        fail_msg("%s", err.text);
    }
    ist_xds_client_on_builder_changed(script->client, script->now_ms);
    script_settle(script);
}

static void builder_changed_body(xds_script *script)
{
    put_static_cluster(script); // before the first view: it is not complete yet
    assert_int_equal(ist_mesh_store_revision(script->store), 0);
    script_sync(script);
    script->request_count = script->request_next = 0;
    put_static_cluster(script);
    assert_int_equal(script_endpoints(script, "out.side", 82), 1);
    assert_true(script_has_name(script_expect(script, IST_XDS_RDS), "82"));
    script_close(script, 14);
    ist_mesh_builder_remove_cluster(script->builder, IST_STRV("outbound|82||out.side"));
    ist_xds_client_on_builder_changed(script->client, script->now_ms); // without a stream too
    assert_int_equal(script_endpoints(script, "out.side", 82), -1);
}

static void change_of_the_builder_is_published_and_subscribed(void **state)
{
    (void)state;
    with_both_modes(builder_changed_body);
}

// --- Big subscriptions ----------------------------------------------------------------------------------------------

enum { BIG = 20000, LABEL = 60 };

static void send_big_cds(xds_script *script)
{
    static made_resource clusters[BIG];
    for (unsigned i = 0; i < BIG; i++) {
        char label[LABEL + 1];
        memset(label, 'x', LABEL);
        label[LABEL] = '\0';
        clusters[i] = script_cluster(script, make_text(script->arena, "h%u.%s.%s.%s.com", i, label, label, label), 80);
    }
    script_send(script, IST_XDS_CDS, clusters, BIG);
}

static void delta_big_subscription_is_split(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_DELTA};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_connect(script);
    script->request_count = script->request_next = 0;
    send_big_cds(script);
    script_expect_ack(script, IST_XDS_CDS);
    size_t names = 0;
    for (unsigned i = 0; i < 2; i++) {
        const script_request *eds = script_expect(script, IST_XDS_EDS);
        assert_in_range(eds->bytes, 1, 3 << 20);
        names += eds->count;
    }
    assert_int_equal(names, BIG);
    script_expect(script, IST_XDS_RDS);
    script_expect_none(script);
    script_done(script);
}

static void sotw_big_subscription_is_cut_and_reported(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_SOTW};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_connect(script);
    script->request_count = script->request_next = 0;
    send_big_cds(script);
    script_expect_ack(script, IST_XDS_CDS);
    const script_request *eds = script_expect(script, IST_XDS_EDS);
    assert_in_range(eds->bytes, 3 << 20, 4 << 20);
    assert_true(
        ist_strv_contains(script_status(script).types[IST_XDS_EDS].last_error, IST_STRV("use the delta protocol")));
    script_done(script);
}

// --- Slices ---------------------------------------------------------------------------------------------------------

static void cut_in_two(xds_script *script, ist_strv bytes, size_t at)
{
    const uint8_t *start = (const uint8_t *)bytes.p;
    uint8_t *first = ist_malloc(at + 1); // each slice in a block of its own: the sanitizer sees every step beyond
    uint8_t *second = ist_malloc(bytes.n - at + 1);
    assert_non_null(first);
    assert_non_null(second);
    memcpy(first, start, at);
    memcpy(second, start + at, bytes.n - at);
    const ist_xds_slice slices[] = {{first, at}, {first, 0}, {second, bytes.n - at}};
    ist_xds_client_on_message(script->client, 1, slices, IST_COUNT(slices), script->now_ms);
    ist_free(first);
    ist_free(second);
    script_settle(script);
}

static void slices_body(xds_script *script)
{
    script_sync(script);
    made_resource resources[] = {script_assignment(script, "a.b", 80, 2), script_assignment(script, "a.b", 80, 3)};
    made_response one = {
        .mode = script->mode, .type = IST_XDS_EDS, .nonce = "n0", .resources = &resources[0], .count = 1};
    made_response two = {
        .mode = script->mode, .type = IST_XDS_EDS, .nonce = "n0", .resources = &resources[1], .count = 1};
    made_resource routes = script_table(script, 80, "a.b");
    made_response table = {.mode = script->mode, .type = IST_XDS_RDS, .nonce = "n0", .resources = &routes, .count = 1};
    const ist_strv bytes[] = {make_response_bytes(script->arena, &one), make_response_bytes(script->arena, &two)};
    const ist_strv table_bytes = make_response_bytes(script->arena, &table);
    for (size_t at = 0; at <= bytes[1].n; at++) {
        cut_in_two(script, bytes[0], at < bytes[0].n ? at : bytes[0].n);
        assert_int_equal(script_endpoints(script, "a.b", 80), 2);
        cut_in_two(script, bytes[1], at);
        assert_int_equal(script_endpoints(script, "a.b", 80), 3);
        script->request_count = script->request_next = 0;
    }
    uint64_t revision = ist_mesh_store_revision(script->store);
    for (size_t at = 0; at <= table_bytes.n; at++) {
        cut_in_two(script, table_bytes, at);
        script->request_count = script->request_next = 0;
    }
    assert_int_equal(ist_mesh_store_revision(script->store), revision); // always the same bytes
    assert_int_equal(script_status(script).types[IST_XDS_EDS].nacks + script_status(script).types[IST_XDS_RDS].nacks,
                     0);
}

static void message_cut_anywhere_gives_the_same_view(void **state)
{
    (void)state;
    with_both_modes(slices_body);
}

// --- Out of memory --------------------------------------------------------------------------------------------------

static ist_status sync_under_failure(void *ctx)
{
    const ist_strv *messages = ctx;
    xds_script *script = &the_script;
    ist_status status = IST_OK;
    for (size_t i = 0; i < 2 && status == IST_OK; i++) {
        uint64_t disconnects = script_status(script).disconnects;
        ist_xds_slice slice = {.bytes = (const uint8_t *)messages[i].p, .length = messages[i].n};
        ist_xds_client_on_message(script->client, script->opens[script->open_count - 1].stream, &slice, 1,
                                  script->now_ms);
        status = script_status(script).disconnects != disconnects ? IST_ENOMEM : IST_OK;
    }
    ist_alloc_fail_at(0);
    if (status == IST_OK) {
        return IST_OK;
    }
    // The client gave the stream up; the last view stands, and the next stream brings everything.
    assert_true(ist_mesh_store_stale(script->store));
    assert_true(script_endpoints(script, "a.b", 80) > 0);
    script->request_count = script->request_next = 0;
    script_reopen(script);
    script->request_count = script->request_next = 0;
    return IST_ENOMEM;
}

static void out_of_memory_in_a_response_ends_the_stream_and_keeps_the_view(void **state)
{
    (void)state;
    script_args args = {.mode = IST_XDS_DELTA};
    xds_script *script = &the_script;
    script_init(script, &args);
    script_sync(script);
    made_resource resources[] = {script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 82),
                                 script_assignment(script, "a.b", 80, 9)};
    made_response cds = {.mode = IST_XDS_DELTA, .type = IST_XDS_CDS, .nonce = "n0", .resources = resources, .count = 2};
    made_response eds = {
        .mode = IST_XDS_DELTA, .type = IST_XDS_EDS, .nonce = "n0", .resources = &resources[2], .count = 1};
    const ist_strv messages[] = {make_response_bytes(script->arena, &cds), make_response_bytes(script->arena, &eds)};
    script->opens[0].stream = 1;
    for (uint64_t nth = 1;; nth++) {
        ist_alloc_fail_at(nth);
        ist_status status = sync_under_failure((void *)(uintptr_t)messages);
        if (status == IST_OK) {
            break;
        }
        assert_true(nth < 10000);
        assert_true(script->open_count < SCRIPT_MAX_OPENS);
        script->opens[0] = script->opens[script->open_count - 1];
        script->open_count = 1;
    }
    assert_int_equal(script_endpoints(script, "a.b", 80), 9);
    script_done(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sync_in_both_modes_publishes_once_everything_is_answered),
        cmocka_unit_test(port_without_virtual_host_subscribes_listeners),
        cmocka_unit_test(empty_mesh_is_synced),
        cmocka_unit_test(endpoints_that_never_come_hold_up_the_first_view_for_five_seconds_only),
        cmocka_unit_test(delta_service_added_subscribes_its_endpoints_and_routes),
        cmocka_unit_test(delta_service_removed_unsubscribes_and_vanishes),
        cmocka_unit_test(stream_is_synced_although_names_leave_last),
        cmocka_unit_test(sotw_change_sends_the_whole_list_with_the_last_nonce),
        cmocka_unit_test(same_bytes_again_publish_nothing),
        cmocka_unit_test(bad_resource_is_refused_alone),
        cmocka_unit_test(sotw_nack_carries_the_last_good_version_and_loses_no_change),
        cmocka_unit_test(many_rejects_are_cut),
        cmocka_unit_test(type_that_was_not_requested_is_never_answered),
        cmocka_unit_test(cut_resource_is_refused),
        cmocka_unit_test(bytes_that_are_no_response_end_the_stream),
        cmocka_unit_test(resource_beyond_the_limit_is_refused),
        cmocka_unit_test(too_many_resources_end_the_stream),
        cmocka_unit_test(full_set_with_a_mistake_keeps_what_was_refused_and_removes_the_rest),
        cmocka_unit_test(full_set_with_an_unreadable_name_removes_nothing),
        cmocka_unit_test(change_of_the_builder_is_published_and_subscribed),
        cmocka_unit_test(delta_big_subscription_is_split),
        cmocka_unit_test(sotw_big_subscription_is_cut_and_reported),
        cmocka_unit_test(message_cut_anywhere_gives_the_same_view),
        cmocka_unit_test(out_of_memory_in_a_response_ends_the_stream_and_keeps_the_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
