// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "ist_test.h"

// Keeps the last message.
typedef struct recorder {
    int lines;
    ist_log_level level;
    ist_log_scope scope;
    char message[4096];
} recorder;

static void record(void *ctx, ist_log_level level, ist_log_scope scope, const char *message)
{
    recorder *r = ctx;
    r->lines++;
    r->level = level;
    r->scope = scope;
    assert_true(ist_strv_copy(ist_strv_from(message), r->message, sizeof(r->message)));
}

static void set_all(ist_log_level level)
{
    for (int scope = 0; scope < _IST_LOG_SCOPE_MAX; scope++) {
        ist_log_set_level((ist_log_scope)scope, level);
    }
}

static int reset(void **state)
{
    (void)state;
    ist_log_set_sink(NULL);
    set_all(IST_LOG_NOTICE);
    return 0;
}

static void levels_at_start_are_notice(void **state)
{
    (void)state;
    for (int scope = 0; scope < _IST_LOG_SCOPE_MAX; scope++) {
        assert_int_equal(ist_log_get_level((ist_log_scope)scope), IST_LOG_NOTICE);
    }
}

static void write_without_sink_is_silent(void **state)
{
    (void)state;
    assert_false(ist_log_enabled(IST_LOG_DNS, IST_LOG_ERROR));
    IST_ERROR(IST_LOG_DNS, "nobody hears %d", 1);
    ist_log_write(IST_LOG_ERROR, IST_LOG_DNS, "nobody hears");
}

static void write_reaches_sink_from_its_level_up(void **state)
{
    (void)state;
    recorder r = {0};
    const ist_log_sink sink = {.write = record, .ctx = &r};
    ist_log_set_sink(&sink);
    ist_log_set_level(IST_LOG_XDS, IST_LOG_INFO);
    IST_DEBUG(IST_LOG_XDS, "no");
    IST_INFO(IST_LOG_DNS, "no");
    assert_int_equal(r.lines, 0);
    IST_INFO(IST_LOG_XDS, "connected address=%s", "1.2.3.4:15010");
    assert_int_equal(r.lines, 1);
    assert_int_equal(r.level, IST_LOG_INFO);
    assert_int_equal(r.scope, IST_LOG_XDS);
    assert_string_equal(r.message, "connected address=1.2.3.4:15010");
    IST_NOTICE(IST_LOG_DNS, "a");
    IST_WARN(IST_LOG_DNS, "b");
    IST_ERROR(IST_LOG_DNS, "c");
    assert_int_equal(r.lines, 4);
    ist_log_set_level(IST_LOG_DNS, IST_LOG_NONE);
    IST_ERROR(IST_LOG_DNS, "d");
    assert_int_equal(r.lines, 4);
    assert_false(ist_log_enabled(IST_LOG_XDS, IST_LOG_NONE));
}

static void write_stays_one_bounded_line(void **state)
{
    (void)state;
    recorder r = {0};
    const ist_log_sink sink = {.write = record, .ctx = &r};
    ist_log_set_sink(&sink);
    IST_ERROR(IST_LOG_API, "name=%s", "a\nERROR forged\x1b[0m\x7f");
    assert_string_equal(r.message, "name=a ERROR forged [0m ");
    IST_ERROR(IST_LOG_API, "%05000d", 1);
    assert_in_range(strlen(r.message), 1000, 4000);
}

static void names_parse_back(void **state)
{
    (void)state;
    for (int i = 0; i < _IST_LOG_LEVEL_MAX; i++) {
        ist_log_level level = _IST_LOG_LEVEL_MAX;
        assert_true(ist_log_level_parse(ist_strv_from(ist_log_level_name((ist_log_level)i)), &level));
        assert_int_equal(level, i);
    }
    for (int i = 0; i < _IST_LOG_SCOPE_MAX; i++) {
        ist_log_scope scope = _IST_LOG_SCOPE_MAX;
        assert_true(ist_log_scope_parse(ist_strv_from(ist_log_scope_name((ist_log_scope)i)), &scope));
        assert_int_equal(scope, i);
    }
    ist_log_level level = IST_LOG_ERROR;
    ist_log_scope scope = IST_LOG_API;
    assert_true(ist_log_level_parse(IST_STRV("WARN"), &level));
    assert_false(ist_log_level_parse(IST_STRV("loud"), &level));
    assert_false(ist_log_scope_parse(IST_STRV("default"), &scope));
    assert_string_equal(ist_log_level_name(_IST_LOG_LEVEL_MAX), "unknown");
    assert_string_equal(ist_log_scope_name(_IST_LOG_SCOPE_MAX), "unknown");
}

static void out_of_range_scope_is_never_enabled(void **state)
{
    (void)state;
    ist_log_set_level(_IST_LOG_SCOPE_MAX, IST_LOG_DEBUG);
    assert_int_equal(ist_log_get_level(_IST_LOG_SCOPE_MAX), IST_LOG_NONE);
}

static void spec_good_words_set_levels(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        ist_log_level xds;
        ist_log_level dns;
        ist_log_level api;
    } rows[] = {
        {"info", IST_LOG_INFO, IST_LOG_INFO, IST_LOG_INFO},
        {"info,xds:debug,dns:warn", IST_LOG_DEBUG, IST_LOG_WARN, IST_LOG_INFO},
        {"xds:debug,info", IST_LOG_DEBUG, IST_LOG_INFO, IST_LOG_INFO},
        {"xds:debug", IST_LOG_DEBUG, IST_LOG_NOTICE, IST_LOG_NOTICE},
        {"default:error,dns:none", IST_LOG_ERROR, IST_LOG_NONE, IST_LOG_ERROR},
        {" Default : ERROR , Dns : none ", IST_LOG_ERROR, IST_LOG_NONE, IST_LOG_ERROR},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        set_all(IST_LOG_NOTICE);
        assert_int_equal(ist_log_apply_spec(ist_strv_from(rows[i].spec), NULL), IST_OK);
        assert_int_equal(ist_log_get_level(IST_LOG_XDS), rows[i].xds);
        assert_int_equal(ist_log_get_level(IST_LOG_DNS), rows[i].dns);
        assert_int_equal(ist_log_get_level(IST_LOG_API), rows[i].api);
    }
}

static void spec_bad_word_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        const char *bad_word;
    } rows[] = {
        {"", "level \"\""},         {"loud", "level \"loud\""},        {"info,", "level \"\""},
        {"info,bgp:debug", "scope \"bgp\""}, {"debug,xds:", "level \"\""}, {"debug,:info", "scope \"\""},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_log_apply_spec(ist_strv_from(rows[i].spec), &err), IST_EINVAL);
        assert_true(ist_strv_contains(ist_strv_from(err.text), ist_strv_from(rows[i].bad_word)));
        assert_int_equal(ist_log_get_level(IST_LOG_AGENT), IST_LOG_NOTICE);
    }
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_log_apply_spec(IST_STRV("loud"), &err), IST_EINVAL);
    assert_string_equal(err.text, "unknown log level \"loud\" (want none, error, warn, notice, info or debug)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_at_start_are_notice),
        cmocka_unit_test_teardown(write_without_sink_is_silent, reset),
        cmocka_unit_test_teardown(write_reaches_sink_from_its_level_up, reset),
        cmocka_unit_test_teardown(write_stays_one_bounded_line, reset),
        cmocka_unit_test_teardown(names_parse_back, reset),
        cmocka_unit_test_teardown(out_of_range_scope_is_never_enabled, reset),
        cmocka_unit_test_teardown(spec_good_words_set_levels, reset),
        cmocka_unit_test_teardown(spec_bad_word_changes_nothing, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
