// SPDX-License-Identifier: Apache-2.0
//
// The mass-loss guard by itself, then inside the client: what is held, for how long, and what ends it.
#include "ist_test.h"

#include "guard_priv.h"
#include "xds_script.h"

#include "base/buf.h"

static bool holds(ist_xds_guard *guard, const char *cluster, uint32_t before, uint32_t after, int64_t now_ms)
{
    ist_xds_loss loss = {.cluster = ist_strv_from(cluster),
                         .assignment = ist_strv_from(cluster), // any bytes
                         .before = before,
                         .after = after,
                         .now_ms = now_ms};
    return ist_xds_guard_holds(guard, &loss);
}

static void add_text(void *ctx, ist_strv assignment)
{
    ist_buf_printf(ctx, "%.*s;", IST_STRV_ARG(assignment));
}

static void expect_released(ist_xds_guard *guard, int64_t now_ms, const char *text)
{
    ist_buf out = IST_BUF_INIT;
    ist_xds_guard_release(guard, now_ms, add_text, &out);
    ist_test_strv_equal(ist_buf_view(&out), text);
    ist_buf_done(&out);
}

static void only_a_great_loss_of_a_large_service_is_held(void **state)
{
    (void)state;
    ist_xds_guard *guard = ist_xds_guard_new();
    assert_non_null(guard);
    assert_false(holds(guard, "outbound|80||a", 9, 0, 1));
    assert_false(holds(guard, "outbound|80||a", 10, 1, 1)); // exactly 90 %
    assert_false(holds(guard, "outbound|80||a", 100, 10, 1));
    assert_false(holds(guard, "outbound|80||a", 0, 50, 1));
    assert_int_equal(ist_xds_guard_next_ms(guard), INT64_MAX);
    assert_true(holds(guard, "outbound|80||a", 10, 0, 1));
    assert_true(holds(guard, "outbound|80||b", 100, 9, 1));
    assert_int_equal(ist_xds_guard_held(guard), 2);
    assert_int_equal(ist_xds_guard_holds_count(guard), 2);
    ist_test_strv_equal(ist_xds_guard_text(guard), "outbound|80||b: 9 of 100 endpoints would be left; held for 30 s");
    ist_xds_guard_free(guard);
}

static void hold_ends_after_its_time_or_with_the_loss(void **state)
{
    (void)state;
    ist_xds_guard *guard = ist_xds_guard_new();
    assert_true(holds(guard, "outbound|80||a", 10, 0, 1000));
    assert_true(holds(guard, "outbound|80||a", 10, 0, 20000)); // said again: not longer
    assert_int_equal(ist_xds_guard_holds_count(guard), 1);
    assert_int_equal(ist_xds_guard_next_ms(guard), 31000);
    expect_released(guard, 30999, "");
    expect_released(guard, 31000, "outbound|80||a;");
    assert_int_equal(ist_xds_guard_held(guard), 0);
    assert_true(holds(guard, "outbound|80||a", 10, 0, 40000));
    assert_false(holds(guard, "outbound|80||a", 10, 8, 41000)); // they are back
    expect_released(guard, 99000, "");
    assert_true(holds(guard, "outbound|80||a", 10, 0, 40000));
    ist_xds_guard_forget(guard, IST_STRV("outbound|80||a"));
    ist_xds_guard_forget(guard, IST_STRV("outbound|80||a"));
    expect_released(guard, 99000, "");
    ist_xds_guard_free(guard);
}

static void subset_is_held_with_its_service_only(void **state)
{
    (void)state;
    ist_xds_guard *guard = ist_xds_guard_new();
    assert_true(holds(guard, "outbound|80|v1|a", 20, 0, 1000));
    expect_released(guard, 1000, "outbound|80|v1|a;"); // a new version has taken over
    assert_int_equal(ist_xds_guard_holds_count(guard), 0);
    assert_true(holds(guard, "outbound|80|v1|a", 20, 0, 2000));
    assert_true(holds(guard, "outbound|80||a", 40, 1, 2000));
    assert_true(holds(guard, "outbound|81|v1|a", 20, 0, 2000)); // of another port
    expect_released(guard, 2000, "outbound|81|v1|a;");
    assert_int_equal(ist_xds_guard_held(guard), 2);
    assert_int_equal(ist_xds_guard_holds_count(guard), 1);
    ist_buf out = IST_BUF_INIT;
    ist_xds_guard_release(guard, 32000, add_text, &out);
    assert_true(ist_strv_contains(ist_buf_view(&out), IST_STRV("outbound|80|v1|a;")));
    assert_true(ist_strv_contains(ist_buf_view(&out), IST_STRV("outbound|80||a;")));
    ist_buf_done(&out);
    ist_xds_guard_free(guard);
}

static ist_status hold_many(void *ctx)
{
    (void)ctx;
    ist_xds_guard *guard = ist_xds_guard_new();
    if (guard == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = IST_OK;
    for (int i = 0; i < 50 && status == IST_OK; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "outbound|80||h%d", i);
        status = holds(guard, name, 10, 0, 1) ? IST_OK : IST_ENOMEM; // without memory it is shown at once
    }
    ist_xds_guard_free(guard);
    return status;
}

static void without_memory_nothing_is_held(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(hold_many, NULL) > 50);
}

// --- In the client --------------------------------------------------------------------------------------------------

static xds_script the_script;

static void begin(bool guard)
{
    script_args args = {.mode = IST_XDS_DELTA, .loss_guard = guard};
    script_init(&the_script, &args);
    script_sync(&the_script);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 12));
    script_expect_ack(&the_script, IST_XDS_EDS);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 12);
}

static void loss_is_acknowledged_and_shown_30_s_later(void **state)
{
    (void)state;
    begin(true);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 1));
    script_expect_ack(&the_script, IST_XDS_EDS);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 12);
    assert_int_equal(script_status(&the_script).held, 1);
    script_tick(&the_script, 29999);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 12);
    script_tick(&the_script, 1);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 1);
    assert_int_equal(script_status(&the_script).held, 0);
    assert_int_equal(script_status(&the_script).holds, 1);
    script_done(&the_script);
}

static void loss_that_is_mended_is_never_shown(void **state)
{
    (void)state;
    begin(true);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 0));
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 12);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 12)); // the same bytes as before
    assert_int_equal(script_status(&the_script).held, 0);
    script_tick(&the_script, 60000);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 12);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 0));
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 5));
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 5);
    script_done(&the_script);
}

static void loss_ends_also_while_there_is_no_stream(void **state)
{
    (void)state;
    begin(true);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 0));
    script_close(&the_script, 14);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 12);
    script_tick(&the_script, 30000);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 0);
    script_done(&the_script);
}

static void cluster_that_goes_takes_its_hold_along(void **state)
{
    (void)state;
    begin(true);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 0));
    script_send_removed(&the_script, IST_XDS_CDS, "outbound|80||a.b");
    assert_int_equal(script_status(&the_script).held, 0);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), -1);
    script_done(&the_script);
}

static void without_the_guard_loss_is_shown_at_once(void **state)
{
    (void)state;
    begin(false);
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 0));
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 0);
    script_done(&the_script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_great_loss_of_a_large_service_is_held),
        cmocka_unit_test(hold_ends_after_its_time_or_with_the_loss),
        cmocka_unit_test(subset_is_held_with_its_service_only),
        cmocka_unit_test(without_memory_nothing_is_held),
        cmocka_unit_test(loss_is_acknowledged_and_shown_30_s_later),
        cmocka_unit_test(loss_that_is_mended_is_never_shown),
        cmocka_unit_test(loss_ends_also_while_there_is_no_stream),
        cmocka_unit_test(cluster_that_goes_takes_its_hold_along),
        cmocka_unit_test(without_the_guard_loss_is_shown_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
