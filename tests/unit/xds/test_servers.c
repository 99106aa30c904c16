// SPDX-License-Identifier: Apache-2.0
//
// Streams that end, servers that do not answer, and what a new stream does to the old state.
#include "ist_memory.h"
#include "ist_test.h"

#include "xds_script.h"

static xds_script the_script;

static xds_script *start(ist_xds_mode mode, uint32_t servers)
{
    script_args args = {.mode = mode, .servers = servers};
    script_init(&the_script, &args);
    return &the_script;
}

static void forget_requests(xds_script *script)
{
    script->request_count = script->request_next = 0;
}

static void reconnect_subscribes_everything_and_removes_what_vanished(void **state)
{
    (void)state;
    for (int mode = IST_XDS_DELTA; mode <= IST_XDS_SOTW; mode++) {
        xds_script *script = start((ist_xds_mode)mode, 1);
        script_sync(script);
        SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 80));
        SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "c.d", 80, 1));
        forget_requests(script);
        script_close(script, 14);
        assert_true(ist_mesh_store_stale(script->store));
        assert_int_equal(script_endpoints(script, "c.d", 80), 1);
        script_reopen(script);
        assert_true(script_expect(script, IST_XDS_CDS)->node);
        const script_request *eds = script_expect(script, IST_XDS_EDS);
        assert_int_equal(eds->count, 2);
        assert_string_equal(eds->nonce, "");
        // c.d's port 80 has no virtual host, so its listener is wanted.
        script_expect(script, IST_XDS_LDS);
        assert_int_equal(script_expect(script, IST_XDS_RDS)->count, 1);
        script_expect(script, IST_XDS_NDS);
        script_expect_none(script);
        SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80)); // the full set: c.d is gone
        assert_int_equal(script_endpoints(script, "c.d", 80), -1);
        assert_int_equal(script_endpoints(script, "a.b", 80), 2);
        assert_true(ist_mesh_store_stale(script->store));
        SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 2));
        SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, "a.b"));
        SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, "a.b", "10.96.0.1"));
        script_send(script, IST_XDS_LDS, NULL, 0);
        assert_false(ist_mesh_store_stale(script->store));
        assert_int_equal(script_status(script).disconnects, 1);
        script_done(script);
    }
}

static void events_of_an_old_stream_are_ignored(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 1);
    script_sync(script);
    script_close(script, 14);
    ist_xds_close why = {.grpc_status = 14};
    ist_xds_client_on_closed(script->client, 1, &why, script->now_ms);
    ist_xds_client_on_open(script->client, 1, script->now_ms);
    ist_xds_client_on_sent(script->client, 1, script->now_ms);
    ist_xds_client_on_message(script->client, 1, &(ist_xds_slice){.bytes = NULL}, 0, script->now_ms);
    assert_int_equal(script_status(script).disconnects, 1);
    assert_int_equal(script_status(script).state, IST_XDS_BACKOFF);
    script_expect_none(script);
    script_done(script);
}

static void back_off_grows_with_jitter_up_to_its_cap(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 1);
    int64_t longest_ms = 0;
    int64_t bound_ms = 500;
    ist_xds_client_start(script->client, script->now_ms);
    for (unsigned i = 0; i < 40; i++) {
        script_close(script, 14);
        int64_t wait_ms = script->timer_ms - script->now_ms;
        assert_in_range(wait_ms, 0, bound_ms);
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
        bound_ms = bound_ms * 2 < 30000 ? bound_ms * 2 : 30000;
        script_tick(script, wait_ms);
    }
    assert_in_range(longest_ms, 10000, 30000);
    assert_int_equal(script_status(script).connect_failures, 40);
    assert_true(
        ist_strv_contains(script_status(script).last_error, IST_STRV("no stream to one:15012: ")));
    script_done(script);
}

static void servers_are_tried_in_order_and_the_list_only_again_after_a_while(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 3);
    ist_xds_client_start(script->client, script->now_ms);
    script_close(script, 14);
    script_close(script, 14);
    assert_int_equal(script->open_count, 3);
    assert_int_equal(script->opens[1].server, 1);
    assert_int_equal(script->opens[2].server, 2);
    script_close(script, 14);
    assert_int_equal(script->open_count, 3);
    assert_int_equal(script_status(script).state, IST_XDS_BACKOFF);
    script_tick(script, 500);
    assert_int_equal(script->open_count, 4);
    assert_int_equal(script->opens[3].server, 0);
    script_done(script);
}

static void exhausted_server_is_given_time(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 2);
    ist_xds_client_start(script->client, script->now_ms);
    script_close(script, 8);
    assert_int_equal(script->open_count, 1);
    assert_int_equal(script_status(script).state, IST_XDS_BACKOFF);
    script_tick(script, 500);
    assert_int_equal(script->open_count, 2);
    assert_int_equal(script->opens[1].server, 1);
    script_done(script);
}

static void later_server_is_left_for_the_first_when_its_stream_ends(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 2);
    ist_xds_client_start(script->client, script->now_ms);
    script_close(script, 14);
    script_sync(script); // start is idempotent; this opens the second
    assert_int_equal(script_status(script).server, 1);
    script_tick(script, 60000);
    script_close(script, 0);
    script_reopen(script);
    assert_int_equal(script_status(script).server, 0);
    script_done(script);
}

static void later_server_is_left_for_the_first_after_ten_minutes(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 2);
    ist_xds_client_start(script->client, script->now_ms);
    script_close(script, 14);
    script_sync(script);
    script_tick(script, 599999);
    assert_int_equal(script->open_count, 2);
    script_tick(script, 1);
    assert_int_equal(script->open_count, 3);
    assert_int_equal(script->opens[2].server, 0);
    assert_int_equal(script->closed, 2);
    script_close(script, 14); // still dead: back to the second at once
    assert_int_equal(script->opens[3].server, 1);
    assert_int_equal(script_endpoints(script, "a.b", 80), 2);
    script_done(script);
}

static void server_that_cannot_be_reached_times_out(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 2);
    ist_xds_client_start(script->client, script->now_ms);
    script_tick(script, 14999);
    assert_int_equal(script->open_count, 1);
    script_tick(script, 1);
    assert_int_equal(script->open_count, 2);
    assert_int_equal(script->closed, 1);
    assert_true(
        ist_strv_contains(script_status(script).last_error, IST_STRV("one:15012 could not be reached within 15 s")));
    script_done(script);
}

static void stream_without_any_response_times_out(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 2);
    script_connect(script);
    script_tick(script, 15000);
    assert_int_equal(script->open_count, 2);
    assert_true(
        ist_strv_contains(script_status(script).last_error, IST_STRV("one:15012 has sent nothing within 15 s")));
    script_done(script);
}

static void type_without_response_times_out(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 2);
    script_connect(script);
    script_send(script, IST_XDS_LDS, NULL, 0);
    script_send(script, IST_XDS_NDS, NULL, 0);
    script_tick(script, 29999);
    assert_int_equal(script->open_count, 1);
    script_tick(script, 1);
    assert_int_equal(script->open_count, 2);
    assert_true(
        ist_strv_contains(script_status(script).last_error, IST_STRV("has not answered a cds request within 30 s")));
    script_done(script);
}

static void types_that_a_control_plane_lacks_are_done_without(void **state)
{
    (void)state;
    for (int mode = IST_XDS_DELTA; mode <= IST_XDS_SOTW; mode++) {
        xds_script *script = start((ist_xds_mode)mode, 2);
        script_connect(script);
        SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80));
        SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 3));
        SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, "a.b"));
        script_tick(script, 29999);
        assert_int_equal(script_endpoints(script, "a.b", 80), -1);
        script_tick(script, 1);
        assert_int_equal(script->open_count, 1); // the stream goes on
        assert_int_equal(script_status(script).state, IST_XDS_SYNCED);
        assert_true(script_status(script).types[IST_XDS_NDS].unanswered);
        assert_false(script_status(script).types[IST_XDS_NDS].synced);
        assert_false(script_status(script).types[IST_XDS_RDS].unanswered);
        assert_int_equal(script_endpoints(script, "a.b", 80), 3);
        assert_false(ist_mesh_store_stale(script->store));
        assert_int_equal(script->timer_ms, INT64_MAX);
        SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, "a.b", "10.96.0.1")); // late is not never
        assert_false(script_status(script).types[IST_XDS_NDS].unanswered);
        assert_true(script_status(script).types[IST_XDS_NDS].synced);
        script_done(script);
    }
}

static void type_that_falls_silent_ends_the_stream(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 1);
    script_sync(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80), script_cluster(script, "c.d", 81));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "c.d", 81, 1));
    script_tick(script, 30000);
    assert_int_equal(script->closed, 1);
    assert_true(
        ist_strv_contains(script_status(script).last_error, IST_STRV("has not answered a rds request within 30 s")));
    script_done(script);
}

static void synced_stream_needs_no_timer(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 1);
    script_sync(script);
    assert_int_equal(script->timer_ms, INT64_MAX);
    script_done(script);
}

static void stop_closes_the_stream_and_start_begins_anew(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 1);
    script_sync(script);
    ist_xds_client_stop(script->client, script->now_ms);
    assert_int_equal(script->closed, 1);
    assert_int_equal(script->timer_ms, INT64_MAX);
    assert_true(ist_mesh_store_stale(script->store));
    script_send(script, IST_XDS_CDS, NULL, 0); // too late
    assert_int_equal(script_endpoints(script, "a.b", 80), 2);
    script_connect(script);
    assert_int_equal(script->open_count, 2);
    assert_int_equal(script_status(script).state, IST_XDS_SYNCING);
    script_done(script);
}

// --- Thousands of streams -------------------------------------------------------------------------------------------

// What the script has recorded is forgotten; it goes on with its newest stream.
static void forget_records(xds_script *script)
{
    forget_requests(script);
    script->opens[0] = script->opens[script->open_count - 1];
    script->open_count = 1;
    ist_arena_clear(script->arena);
}

// A whole mesh of one service, with a name that no other stream has.
static void sync_anew(xds_script *script, unsigned round)
{
    char host[32];
    (void)snprintf(host, sizeof(host), "host-%u.b", round); // fits
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, host, 80));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, host, 80, 1 + round % 3));
    SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, host));
    SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, host, "10.96.0.1"));
    if (script_status(script).types[IST_XDS_LDS].subscribed) {
        script_send(script, IST_XDS_LDS, NULL, 0);
    }
    assert_int_equal(script_endpoints(script, host, 80), 1 + (int)(round % 3));
    assert_int_equal(script_status(script).state, IST_XDS_SYNCED);
    script_close(script, 14);
    script_reopen(script);
    forget_records(script);
}

static void thousands_of_reconnects_leave_nothing_behind(void **state)
{
    (void)state;
    enum { WARM_UP = 500, ROUNDS = 5000, SLACK_BYTES = 131072 };
    for (int mode = IST_XDS_DELTA; mode <= IST_XDS_SOTW; mode++) {
        xds_script *script = start((ist_xds_mode)mode, 1);
        size_t before = 0;
        script_connect(script);
        for (unsigned round = 0; round < ROUNDS; round++) {
            before = round == WARM_UP ? ist_memory_in_use() : before;
            sync_anew(script, round);
        }
        assert_in_range(ist_memory_in_use(), 0, before + SLACK_BYTES);
        assert_int_equal(script_status(script).disconnects, ROUNDS);
        script_done(script);
    }
}

static ist_status make_client(void *ctx)
{
    xds_script *script = ctx;
    ist_xds_transport transport = {.ctx = script};
    const ist_xds_label labels[] = {{IST_STRV("app"), IST_STRV("a")}, {IST_STRV("empty"), IST_STRV("")}};
    ist_xds_node node = {.pod_name = IST_STRV("pod"),
                         .pod_namespace = IST_STRV("prod"),
                         .pod_ip = IST_STRV("10.1.1.1"),
                         .domain = IST_STRV("cluster.local"),
                         .region = IST_STRV("r"),
                         .labels = labels,
                         .label_count = IST_COUNT(labels)};
    const ist_strv server = IST_STRV("one");
    ist_xds_client_args args = {.builder = script->builder,
                                .store = script->store,
                                .transport = &transport,
                                .node = &node,
                                .servers = &server,
                                .server_count = 1};
    ist_xds_client *client = NULL;
    ist_status status = ist_xds_client_new(&args, &client, NULL);
    if (status == IST_OK) {
        ist_xds_client_free(client);
    }
    return status;
}

static void new_client_survives_every_failed_allocation(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 1);
    assert_in_range(ist_test_each_alloc_fails(make_client, script), 10, 1000);
    script_done(script);
}

static void new_client_without_servers_is_refused(void **state)
{
    (void)state;
    xds_script *script = start(IST_XDS_DELTA, 1);
    ist_xds_transport transport = {.ctx = script};
    ist_xds_node node = {.pod_name = IST_STRV("pod")};
    ist_xds_client_args args = {
        .builder = script->builder, .store = script->store, .transport = &transport, .node = &node};
    ist_xds_client *client = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_xds_client_new(&args, &client, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "xDS address"));
    script_done(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reconnect_subscribes_everything_and_removes_what_vanished),
        cmocka_unit_test(events_of_an_old_stream_are_ignored),
        cmocka_unit_test(back_off_grows_with_jitter_up_to_its_cap),
        cmocka_unit_test(servers_are_tried_in_order_and_the_list_only_again_after_a_while),
        cmocka_unit_test(exhausted_server_is_given_time),
        cmocka_unit_test(later_server_is_left_for_the_first_when_its_stream_ends),
        cmocka_unit_test(later_server_is_left_for_the_first_after_ten_minutes),
        cmocka_unit_test(server_that_cannot_be_reached_times_out),
        cmocka_unit_test(stream_without_any_response_times_out),
        cmocka_unit_test(type_without_response_times_out),
        cmocka_unit_test(types_that_a_control_plane_lacks_are_done_without),
        cmocka_unit_test(type_that_falls_silent_ends_the_stream),
        cmocka_unit_test(synced_stream_needs_no_timer),
        cmocka_unit_test(stop_closes_the_stream_and_start_begins_anew),
        cmocka_unit_test(thousands_of_reconnects_leave_nothing_behind),
        cmocka_unit_test(new_client_survives_every_failed_allocation),
        cmocka_unit_test(new_client_without_servers_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
