// SPDX-License-Identifier: Apache-2.0
#include "base/metric.h"

#include <math.h>
#include <pthread.h>

#include "ist_test.h"

static const double latency_bounds[] = {0.00001, 0.005, 0.5, 1, 2.5, 1000000, 1048576};

static const ist_metric_def queries_def = {.kind = IST_METRIC_COUNTER,
                                           .name = "ist_queries_total",
                                           .help = "Queries, by \"type\"\nand C:\\result.",
                                           .label_1 = "type",
                                           .label_2 = "result",
                                           .label_3 = "door"};
static const ist_metric_def ready_def = {.kind = IST_METRIC_GAUGE, .name = "ist_ready", .help = "1 once ready."};
static const ist_metric_def latency_def = {.kind = IST_METRIC_HISTOGRAM,
                                           .name = "ist_latency_seconds",
                                           .help = "Time to answer.",
                                           .label_1 = "door",
                                           .bounds = latency_bounds,
                                           .bound_count = IST_COUNT(latency_bounds)};

static ist_metrics *metrics_or_fail(void)
{
    ist_metrics *metrics = ist_metrics_new();
    assert_non_null(metrics);
    return metrics;
}

static ist_metric_family *family_or_fail(ist_metrics *metrics, const ist_metric_def *def)
{
    ist_metric_family *family = ist_metrics_family(metrics, def);
    assert_non_null(family);
    return family;
}

// The text; the caller frees it.
static char *render(ist_metrics *metrics, ist_metrics_format format)
{
    ist_buf out = IST_BUF_INIT;
    ist_metrics_render(metrics, format, &out);
    char *text = ist_buf_steal(&out, NULL);
    ist_buf_done(&out);
    return text;
}

static void assert_rendered(ist_metrics *metrics, ist_metrics_format format, const char *want)
{
    char *text = render(metrics, format);
    assert_non_null(text);
    assert_string_equal(text, want);
    ist_free(text);
}

static void render_empty_registry_is_empty(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    (void)family_or_fail(metrics, &ready_def); // a family without series is left out
    assert_rendered(metrics, IST_METRICS_PROMETHEUS_TEXT, "");
    assert_rendered(metrics, IST_METRICS_OPENMETRICS, "# EOF\n");
    ist_metrics_free(metrics);
    ist_metrics_free(NULL);
}

static void render_counter_and_gauge_sorts_and_escapes(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    ist_metric_set(ist_metric_series(family_or_fail(metrics, &ready_def), NULL, NULL, NULL), 1);
    ist_metric_family *queries = family_or_fail(metrics, &queries_def);
    ist_metric_add(ist_metric_series(queries, "SRV", "ok", NULL), 2);
    ist_metric_add(ist_metric_series(queries, "A", "a\\b\"c\nd", "\xE2\x82\xAC"), (UINT64_C(1) << 53) - 1);
    ist_metric_add(ist_metric_series(queries, "A", "bad\xFF", "dns"), 0);
    assert_rendered(metrics, IST_METRICS_PROMETHEUS_TEXT,
                    "# HELP ist_queries_total Queries, by \"type\"\\nand C:\\\\result.\n"
                    "# TYPE ist_queries_total counter\n"
                    "ist_queries_total{type=\"A\",result=\"a\\\\b\\\"c\\nd\",door=\"\xE2\x82\xAC\"} "
                    "9007199254740991\n"
                    "ist_queries_total{type=\"A\",result=\"bad_\",door=\"dns\"} 0\n"
                    "ist_queries_total{type=\"SRV\",result=\"ok\",door=\"\"} 2\n"
                    "# HELP ist_ready 1 once ready.\n"
                    "# TYPE ist_ready gauge\n"
                    "ist_ready 1\n");
    assert_rendered(metrics, IST_METRICS_OPENMETRICS,
                    "# HELP ist_queries Queries, by \\\"type\\\"\\nand C:\\\\result.\n"
                    "# TYPE ist_queries counter\n"
                    "ist_queries_total{type=\"A\",result=\"a\\\\b\\\"c\\nd\",door=\"\xE2\x82\xAC\"} "
                    "9007199254740991\n"
                    "ist_queries_total{type=\"A\",result=\"bad_\",door=\"dns\"} 0\n"
                    "ist_queries_total{type=\"SRV\",result=\"ok\",door=\"\"} 2\n"
                    "# HELP ist_ready 1 once ready.\n"
                    "# TYPE ist_ready gauge\n"
                    "ist_ready 1\n"
                    "# EOF\n");
    ist_metrics_free(metrics);
}

static void render_histogram_is_cumulative(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    ist_histogram *latency = ist_histogram_series(family_or_fail(metrics, &latency_def), "dns", NULL);
    ist_histogram_observe(latency, 0.005); // a bound belongs to its bucket
    ist_histogram_observe(latency, 0.75);
    ist_histogram_observe(latency, 2e6);
    ist_histogram_observe(latency, (double)NAN); // not counted
    assert_rendered(metrics, IST_METRICS_PROMETHEUS_TEXT,
                    "# HELP ist_latency_seconds Time to answer.\n"
                    "# TYPE ist_latency_seconds histogram\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"1e-05\"} 0\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"0.005\"} 1\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"0.5\"} 1\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"1\"} 2\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"2.5\"} 2\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"1000000\"} 2\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"1048576\"} 2\n"
                    "ist_latency_seconds_bucket{door=\"dns\",le=\"+Inf\"} 3\n"
                    "ist_latency_seconds_sum{door=\"dns\"} 2000000.755\n"
                    "ist_latency_seconds_count{door=\"dns\"} 3\n");
    char *text = render(metrics, IST_METRICS_OPENMETRICS);
    assert_non_null(strstr(text, "le=\"1e-05\"} 0\n"));
    assert_non_null(strstr(text, "le=\"1.0\"} 2\n"));
    assert_non_null(strstr(text, "le=\"2.5\"} 2\n"));
    assert_non_null(strstr(text, "le=\"1e+06\"} 2\n"));
    assert_non_null(strstr(text, "le=\"1.048576e+06\"} 2\n"));
    assert_non_null(strstr(text, "le=\"+Inf\"} 3\n"));
    ist_free(text);
    ist_metrics_free(metrics);
}

static void render_odd_gauge_values_are_spelt_out(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *want;
    } rows[] = {
        {0, "0"},           {-3, "-3"},    {0.1, "0.1"},  {1763695225.25, "1763695225.25"}, {1e18, "1e+18"},
        {123456789, "123456789"}, {1e-9, "1e-09"}, {(double)INFINITY, "+Inf"}, {-(double)INFINITY, "-Inf"},
        {(double)NAN, "NaN"},
    };
    ist_metrics *metrics = metrics_or_fail();
    ist_metric *gauge = ist_metric_series(family_or_fail(metrics, &ready_def), NULL, NULL, NULL);
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        char want[128];
        ist_metric_set(gauge, rows[i].value);
        (void)snprintf(want, sizeof(want), "# HELP ist_ready 1 once ready.\n# TYPE ist_ready gauge\nist_ready %s\n",
                       rows[i].want);
        assert_rendered(metrics, IST_METRICS_PROMETHEUS_TEXT, want);
    }
    ist_metrics_free(metrics);
}

static void family_same_name_is_the_same(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    ist_metric_family *family = family_or_fail(metrics, &ready_def);
    assert_ptr_equal(ist_metrics_family(metrics, &ready_def), family);
    const ist_metric_def other_kind = {.kind = IST_METRIC_COUNTER, .name = "ist_ready", .help = "x"};
    assert_null(ist_metrics_family(metrics, &other_kind));
    ist_metrics_free(metrics);
}

static void single_is_the_series_without_labels(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    ist_metric *single = ist_metrics_single(metrics, ready_def.kind, ready_def.name, ready_def.help);
    assert_non_null(single);
    assert_ptr_equal(ist_metric_series(family_or_fail(metrics, &ready_def), NULL, NULL, NULL), single);
    assert_null(ist_metrics_single(metrics, IST_METRIC_COUNTER, ready_def.name, ready_def.help)); // the name is taken
    assert_null(ist_metrics_single(NULL, ready_def.kind, ready_def.name, ready_def.help));
    ist_metrics_free(metrics);
}

static void series_same_labels_is_the_same(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    ist_metric_family *queries = family_or_fail(metrics, &queries_def);
    ist_metric *a = ist_metric_series(queries, "A", "ok", "dns");
    assert_ptr_equal(ist_metric_series(queries, "A", "ok", "dns"), a);
    assert_ptr_not_equal(ist_metric_series(queries, "A", "ok", NULL), a);
    assert_ptr_equal(ist_metric_series(queries, "A", "ok", NULL), ist_metric_series(queries, "A", "ok", ""));
    ist_metric *cleaned = ist_metric_series(queries, "x\xFFy", NULL, NULL);
    assert_ptr_equal(ist_metric_series(queries, "x\xFEy", NULL, NULL), cleaned);
    ist_metrics_free(metrics);
}

static void series_of_the_other_sort_is_null(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    assert_null(ist_histogram_series(family_or_fail(metrics, &queries_def), "A", "ok"));
    assert_null(ist_metric_series(family_or_fail(metrics, &latency_def), "dns", NULL, NULL));
    ist_metrics_free(metrics);
}

static void series_beyond_limit_is_null(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    ist_metric_family *queries = family_or_fail(metrics, &queries_def);
    for (int i = 0; i < 1000; i++) {
        char label[16];
        (void)snprintf(label, sizeof(label), "%d", (i * 7919) % 1000);
        assert_non_null(ist_metric_series(queries, label, NULL, NULL));
    }
    assert_null(ist_metric_series(queries, "one more", NULL, NULL));
    assert_non_null(ist_metric_series(queries, "999", NULL, NULL));
    ist_metrics_free(metrics);
}

static void update_null_is_ignored(void **state)
{
    (void)state;
    ist_metric_add(NULL, 1);
    ist_metric_set(NULL, 1);
    ist_histogram_observe(NULL, 1);
    assert_true(ist_metric_value(NULL) <= 0);
}

static void value_counter_and_gauge_follow_updates(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    ist_metric *counter = ist_metric_series(family_or_fail(metrics, &queries_def), "A", "ok", "dns");
    ist_metric *gauge = ist_metric_series(family_or_fail(metrics, &ready_def), NULL, NULL, NULL);
    ist_metric_add(counter, 5);
    ist_metric_add(counter, 6);
    assert_int_equal((int)ist_metric_value(counter), 11);
    ist_metric_set(counter, 0.25); // seconds, say
    assert_true(ist_metric_value(counter) > 0.2 && ist_metric_value(counter) < 0.3);
    ist_metric_set(counter, 20); // a count kept elsewhere
    ist_metric_set(counter, -1); // no count
    ist_metric_set(counter, (double)NAN);
    assert_int_equal((int)ist_metric_value(counter), 20);
    ist_metric_set(gauge, 2.5);
    ist_metric_add(gauge, 2);
    assert_int_equal((int)(ist_metric_value(gauge) * 10), 45);
    ist_metrics_free(metrics);
}

typedef struct worker {
    ist_metric *counter;
    ist_histogram *histogram;
} worker;

static void *work(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < 20000; i++) {
        ist_metric_add(w->counter, 1);
        ist_histogram_observe(w->histogram, 0.001);
    }
    return NULL;
}

static void render_while_two_threads_write_is_consistent(void **state)
{
    (void)state;
    ist_metrics *metrics = metrics_or_fail();
    pthread_t threads[2];
    worker workers[2];
    static const char *const names[2] = {"0", "1"};
    for (size_t i = 0; i < 2; i++) {
        workers[i].counter = ist_metric_series(family_or_fail(metrics, &queries_def), "A", "ok", names[i]);
        workers[i].histogram = ist_histogram_series(family_or_fail(metrics, &latency_def), names[i], NULL);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        char *text = render(metrics, IST_METRICS_OPENMETRICS);
        assert_non_null(text);
        ist_free(text);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal((int)ist_metric_value(workers[i].counter), 20000);
    }
    ist_metrics_free(metrics);
}

static ist_status make_and_render(void *ctx)
{
    (void)ctx;
    ist_status status = IST_ENOMEM;
    ist_buf out = IST_BUF_INIT;
    ist_metrics *metrics = ist_metrics_new();
    ist_metric_family *queries = metrics != NULL ? ist_metrics_family(metrics, &queries_def) : NULL;
    ist_metric_family *latency = queries != NULL ? ist_metrics_family(metrics, &latency_def) : NULL;
    if (latency != NULL && ist_metric_series(queries, "A", "ok", "dns") != NULL &&
        ist_histogram_series(latency, "dns", NULL) != NULL) {
        ist_metrics_render(metrics, IST_METRICS_OPENMETRICS, &out);
        status = ist_buf_status(&out);
    }
    ist_buf_done(&out);
    ist_metrics_free(metrics);
    return status;
}

static void find_knows_series_by_name_and_first_label(void **state)
{
    static const ist_metric_def LABELLED = {.kind = IST_METRIC_COUNTER, .name = "x_total", .help = "X.", .label_1 = "to"};
    static const ist_metric_def SINGLE = {.kind = IST_METRIC_GAUGE, .name = "y", .help = "Y."};
    double value = -1;
    (void)state;
    ist_metrics *metrics = ist_metrics_new();
    assert_non_null(metrics);
    ist_metric_family *labelled = ist_metrics_family(metrics, &LABELLED);
    ist_metric_family *single = ist_metrics_family(metrics, &SINGLE);
    assert_true(labelled != NULL && single != NULL);
    ist_metric_add(ist_metric_series(labelled, "a", NULL, NULL), 3);
    assert_false(ist_metrics_find(metrics, "y", NULL, &value));
    ist_metric_set(ist_metric_series(single, NULL, NULL, NULL), 7);
    assert_true(ist_metrics_find(metrics, "x_total", "a", &value) && value > 2.9 && value < 3.1);
    assert_true(ist_metrics_find(metrics, "y", NULL, &value) && value > 6.9);
    assert_false(ist_metrics_find(metrics, "x_total", "b", &value));
    assert_false(ist_metrics_find(metrics, "z", NULL, &value));
    ist_metrics_free(metrics);
}

static void registry_each_alloc_failing_stays_whole(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(make_and_render, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(render_empty_registry_is_empty),
        cmocka_unit_test(render_counter_and_gauge_sorts_and_escapes),
        cmocka_unit_test(render_histogram_is_cumulative),
        cmocka_unit_test(render_odd_gauge_values_are_spelt_out),
        cmocka_unit_test(family_same_name_is_the_same),
        cmocka_unit_test(single_is_the_series_without_labels),
        cmocka_unit_test(series_same_labels_is_the_same),
        cmocka_unit_test(series_of_the_other_sort_is_null),
        cmocka_unit_test(series_beyond_limit_is_null),
        cmocka_unit_test(update_null_is_ignored),
        cmocka_unit_test(value_counter_and_gauge_follow_updates),
        cmocka_unit_test(render_while_two_threads_write_is_consistent),
        cmocka_unit_test(find_knows_series_by_name_and_first_label),
        cmocka_unit_test(registry_each_alloc_failing_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
