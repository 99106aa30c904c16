// SPDX-License-Identifier: Apache-2.0
#include "base/metric.h"

#include "base/alloc.h"
#include "base/strv.h"
#include "base/vec.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EXACT_MAX 9007199254740992.0 // 2^53: whole numbers below it have a double of their own

#define MAX_LABELS 3
#define MAX_SERIES ((size_t)1000)
#define MAX_FAMILIES ((size_t)1000)

// What the two kinds of series have in common; their first member.
typedef struct series {
    ist_metric_kind kind;
    char *label_values[MAX_LABELS]; // NULL where the family has no such label
} series;

struct ist_metric {
    series head;
    _Atomic uint64_t bits; // a double: counters of seconds have fractions, others are exact up to 2^53
};

struct ist_histogram {
    series head;
    const ist_metric_def *def;
    _Atomic uint64_t sum_bits;  // a double
    _Atomic uint64_t buckets[]; // def->bound_count + 1, not cumulative
};

struct ist_metric_family {
    ist_metrics *registry;
    ist_metric_def def;
    const char *labels[MAX_LABELS];
    ist_strv base_name; // a counter's name without "_total"
    struct {
        series **items; // sorted by label values
        size_t count, capacity;
    } all;
};

struct ist_metrics {
    pthread_mutex_t lock; // the two vectors, not the numbers
    struct {
        ist_metric_family **items; // sorted by name
        size_t count, capacity;
    } families;
};

static uint64_t bits_of(double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double value = 0;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

// --- Registry -------------------------------------------------------------------------------------------------------

ist_metrics *ist_metrics_new(void)
{
    ist_metrics *metrics = IST_NEW(ist_metrics);
    if (metrics == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&metrics->lock, NULL) != 0) {
        ist_free(metrics);
        return NULL;
    }
    return metrics;
}

static void series_free(series *s)
{
    if (s != NULL) {
        for (size_t i = 0; i < MAX_LABELS; i++) {
            ist_free(s->label_values[i]);
        }
        ist_free(s);
    }
}

static void family_free(ist_metric_family *family)
{
    for (size_t i = 0; i < family->all.count; i++) {
        series_free(family->all.items[i]);
    }
    IST_VEC_DONE(&family->all);
    ist_free(family);
}

void ist_metrics_free(ist_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    for (size_t i = 0; i < metrics->families.count; i++) {
        family_free(metrics->families.items[i]);
    }
    IST_VEC_DONE(&metrics->families);
    (void)pthread_mutex_destroy(&metrics->lock); // fails only while held
    ist_free(metrics);
}

static ist_metric_family *family_new(ist_metrics *metrics, const ist_metric_def *def)
{
    ist_metric_family *family = IST_NEW(ist_metric_family);
    if (family == NULL) {
        return NULL;
    }
    family->registry = metrics;
    family->def = *def;
    family->labels[0] = def->label_1;
    family->labels[1] = def->label_2;
    family->labels[2] = def->label_3;
    family->base_name = ist_strv_from(def->name);
    if (def->kind == IST_METRIC_COUNTER && ist_strv_ends_with(family->base_name, IST_STRV("_total"))) {
        family->base_name.n -= strlen("_total");
    }
    return family;
}

// Where a family of this name stands or belongs.
static size_t family_position(const ist_metrics *metrics, const char *name, bool *ret_found)
{
    size_t i = 0;
    while (i < metrics->families.count && strcmp(metrics->families.items[i]->def.name, name) < 0) {
        i++;
    }
    *ret_found = i < metrics->families.count && strcmp(metrics->families.items[i]->def.name, name) == 0;
    return i;
}

static ist_metric_family *family_locked(ist_metrics *metrics, const ist_metric_def *def)
{
    bool found = false;
    size_t at = family_position(metrics, def->name, &found);
    if (found) {
        ist_metric_family *family = metrics->families.items[at];
        return family->def.kind == def->kind ? family : NULL;
    }
    ist_metric_family *family = family_new(metrics, def);
    if (family == NULL || IST_VEC_PUSH(&metrics->families, family, MAX_FAMILIES) != IST_OK) {
        ist_free(family);
        return NULL;
    }
    ist_metric_family **place = metrics->families.items + at;
    memmove(place + 1, place, (metrics->families.count - 1 - at) * sizeof(family));
    *place = family;
    return family;
}

ist_metric_family *ist_metrics_family(ist_metrics *metrics, const ist_metric_def *def)
{
    (void)pthread_mutex_lock(&metrics->lock); // a plain mutex that we hold nowhere else: cannot fail
    ist_metric_family *family = family_locked(metrics, def);
    (void)pthread_mutex_unlock(&metrics->lock); // as above
    return family;
}

// --- Series ---------------------------------------------------------------------------------------------------------

// The exposition is UTF-8: of a value that is not, every byte beyond ASCII becomes '_' in a copy, which the caller
// frees. NULL on ENOMEM.
static const char *clean_label_value(const char *value, char **ret_copy)
{
    ist_strv text = ist_strv_from(value);
    if (ist_strv_valid_utf8(text)) {
        return value != NULL ? value : "";
    }
    char *copy = ist_strndup(text.p, text.n);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x80 ? *c : '_';
    }
    *ret_copy = copy;
    return copy;
}

static series *series_new(const ist_metric_family *family, const char *const *values)
{
    bool is_histogram = family->def.kind == IST_METRIC_HISTOGRAM;
    size_t histogram_bytes = sizeof(ist_histogram) + (family->def.bound_count + 1) * sizeof(_Atomic uint64_t);
    series *s = ist_calloc(1, is_histogram ? histogram_bytes : sizeof(ist_metric));
    if (s == NULL) {
        return NULL;
    }
    s->kind = family->def.kind;
    if (is_histogram) {
        ((ist_histogram *)s)->def = &family->def;
    }
    for (size_t i = 0; i < MAX_LABELS; i++) {
        if (family->labels[i] != NULL) {
            s->label_values[i] = ist_strndup(values[i], strlen(values[i]));
            if (s->label_values[i] == NULL) {
                series_free(s);
                return NULL;
            }
        }
    }
    return s;
}

static int compare_labels(const ist_metric_family *family, const series *s, const char *const *values)
{
    int order = 0;
    for (size_t i = 0; i < MAX_LABELS && order == 0; i++) {
        if (family->labels[i] != NULL) {
            order = strcmp(s->label_values[i], values[i]);
        }
    }
    return order;
}

// Where the series with these values stands or belongs.
static size_t series_position(const ist_metric_family *family, const char *const *values, bool *ret_found)
{
    size_t low = 0;
    size_t high = family->all.count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_labels(family, family->all.items[middle], values);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static series *series_locked(ist_metric_family *family, const char *const *values)
{
    bool found = false;
    size_t at = series_position(family, values, &found);
    if (found) {
        return family->all.items[at];
    }
    series *s = series_new(family, values);
    if (s == NULL || IST_VEC_PUSH(&family->all, s, MAX_SERIES) != IST_OK) {
        series_free(s);
        return NULL;
    }
    series **place = family->all.items + at;
    memmove(place + 1, place, (family->all.count - 1 - at) * sizeof(s));
    *place = s;
    return s;
}

static series *get_series(ist_metric_family *family, const char *const *raw_values)
{
    series *s = NULL;
    char *copies[MAX_LABELS] = {NULL};
    const char *values[MAX_LABELS] = {NULL};
    for (size_t i = 0; i < MAX_LABELS; i++) {
        values[i] = clean_label_value(raw_values[i], &copies[i]);
        if (values[i] == NULL) {
            goto out;
        }
    }
    (void)pthread_mutex_lock(&family->registry->lock); // see ist_metrics_family
    s = series_locked(family, values);
    (void)pthread_mutex_unlock(&family->registry->lock);
out:
    for (size_t i = 0; i < MAX_LABELS; i++) {
        ist_free(copies[i]);
    }
    return s;
}

ist_metric *ist_metric_series(ist_metric_family *family, const char *v1, const char *v2, const char *v3)
{
    const char *const values[MAX_LABELS] = {v1, v2, v3};
    return family->def.kind != IST_METRIC_HISTOGRAM ? (ist_metric *)get_series(family, values) : NULL;
}

ist_histogram *ist_histogram_series(ist_metric_family *family, const char *v1, const char *v2)
{
    const char *const values[MAX_LABELS] = {v1, v2, NULL};
    return family->def.kind == IST_METRIC_HISTOGRAM ? (ist_histogram *)get_series(family, values) : NULL;
}

ist_metric *ist_metrics_single(ist_metrics *metrics, ist_metric_kind kind, const char *name, const char *help)
{
    const ist_metric_def def = {.kind = kind, .name = name, .help = help};
    ist_metric_family *family = metrics != NULL ? ist_metrics_family(metrics, &def) : NULL;
    return family != NULL ? ist_metric_series(family, NULL, NULL, NULL) : NULL;
}

static ist_metric *find_locked(const ist_metrics *metrics, const char *name, const char *label)
{
    bool found = false;
    size_t at = family_position(metrics, name, &found);
    const ist_metric_family *family = found ? metrics->families.items[at] : NULL;
    if (family == NULL || family->def.kind == IST_METRIC_HISTOGRAM) {
        return NULL;
    }
    for (size_t i = 0; i < family->all.count; i++) {
        const char *value = family->all.items[i]->label_values[0];
        if (label == NULL || (value != NULL && strcmp(value, label) == 0)) {
            return (ist_metric *)family->all.items[i];
        }
    }
    return NULL;
}

bool ist_metrics_find(ist_metrics *metrics, const char *name, const char *label, double *ret_value)
{
    (void)pthread_mutex_lock(&metrics->lock); // see ist_metrics_family
    const ist_metric *metric = find_locked(metrics, name, label);
    (void)pthread_mutex_unlock(&metrics->lock);
    if (metric != NULL) { // it lives as long as the registry
        *ret_value = ist_metric_value(metric);
    }
    return metric != NULL;
}

// --- Updating -------------------------------------------------------------------------------------------------------

// One writer each, so a relaxed load and store is enough and costs no locked instruction.

static uint64_t load(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static void store(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

void ist_metric_add(ist_metric *metric, uint64_t delta)
{
    if (metric == NULL) {
        return;
    }
    store(&metric->bits, bits_of(double_of(load(&metric->bits)) + (double)delta));
}

void ist_metric_set(ist_metric *metric, double value)
{
    if (metric != NULL && (metric->head.kind != IST_METRIC_COUNTER || value >= 0)) {
        store(&metric->bits, bits_of(value));
    }
}

double ist_metric_value(const ist_metric *metric)
{
    return metric != NULL ? double_of(load(&metric->bits)) : 0;
}

void ist_histogram_observe(ist_histogram *histogram, double value)
{
    if (histogram == NULL || isnan(value)) {
        return;
    }
    size_t i = 0;
    while (i < histogram->def->bound_count && value > histogram->def->bounds[i]) {
        i++;
    }
    store(&histogram->buckets[i], load(&histogram->buckets[i]) + 1);
    store(&histogram->sum_bits, bits_of(double_of(load(&histogram->sum_bits)) + value));
}

// --- Rendering ------------------------------------------------------------------------------------------------------

static void write_escaped(ist_buf *out, const char *text, bool quotes)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n') {
            ist_buf_append_str(out, "\\n");
        } else {
            if (*c == '\\' || (*c == '"' && quotes)) {
                ist_buf_append_char(out, '\\');
            }
            ist_buf_append_char(out, *c);
        }
    }
}

static bool is_whole(double value)
{
    return value > -EXACT_MAX && value < EXACT_MAX && !(value < (double)(int64_t)value) && !(value > (double)(int64_t)value);
}

static void write_double(ist_buf *out, double value)
{
    if (isnan(value)) {
        ist_buf_append_str(out, "NaN");
    } else if (isinf(value)) {
        ist_buf_append_str(out, value > 0 ? "+Inf" : "-Inf");
    } else {
        ist_buf_printf(out, is_whole(value) ? "%.0f" : "%.15g", value);
    }
}

// OpenMetrics wants bounds in one spelling, Go's: "1.0", "0.005", "1e+06", "1.048576e+06".
static void write_canonical_bound(ist_buf *out, double bound)
{
    if (bound < 1e6) {
        write_double(out, bound);
        ist_buf_append_str(out, is_whole(bound) ? ".0" : "");
        return;
    }
    char text[32];
    (void)snprintf(text, sizeof(text), "%.14e", bound); // at most 22 characters
    ist_strv exponent = ist_strv_from(text);
    ist_strv mantissa = ist_strv_cut(&exponent, 'e', NULL);
    while (mantissa.n > 1 && mantissa.p[mantissa.n - 1] == '0') {
        mantissa.n--;
    }
    mantissa.n -= mantissa.p[mantissa.n - 1] == '.' ? 1 : 0;
    ist_buf_append_strv(out, mantissa);
    ist_buf_append_char(out, 'e');
    ist_buf_append_strv(out, exponent);
}

static void write_bound(ist_buf *out, ist_metrics_format format, double bound)
{
    if (format == IST_METRICS_OPENMETRICS && !isinf(bound)) {
        write_canonical_bound(out, bound);
    } else {
        write_double(out, bound);
    }
}

// What one sample line is made of besides the number.
typedef struct sample {
    const ist_metric_family *family;
    const series *series;
    const char *suffix;  // behind the family's base name
    const double *bound; // "le" label, or NULL
    ist_metrics_format format;
} sample;

static void write_sample_name(ist_buf *out, const sample *what)
{
    ist_buf_append_strv(out, what->family->base_name);
    ist_buf_append_str(out, what->suffix);
    const char *before = "{";
    for (size_t i = 0; i < MAX_LABELS; i++) {
        if (what->family->labels[i] != NULL) {
            ist_buf_printf(out, "%s%s=\"", before, what->family->labels[i]);
            write_escaped(out, what->series->label_values[i], true);
            ist_buf_append_char(out, '"');
            before = ",";
        }
    }
    if (what->bound != NULL) {
        ist_buf_printf(out, "%sle=\"", before);
        write_bound(out, what->format, *what->bound);
        ist_buf_append_char(out, '"');
        before = ",";
    }
    ist_buf_append_str(out, before[0] == ',' ? "} " : " ");
}

static void write_u64_sample(ist_buf *out, const sample *what, uint64_t value)
{
    write_sample_name(out, what);
    ist_buf_append_u64(out, value);
    ist_buf_append_char(out, '\n');
}

static void write_double_sample(ist_buf *out, const sample *what, double value)
{
    write_sample_name(out, what);
    write_double(out, value);
    ist_buf_append_char(out, '\n');
}

static void write_metric(ist_buf *out, sample what)
{
    if (what.series->kind == IST_METRIC_COUNTER) {
        what.suffix = "_total";
    }
    write_double_sample(out, &what, ist_metric_value((const ist_metric *)what.series));
}

// The count is the sum of the buckets as read here, so that the lines agree while somebody observes.
static void write_histogram(ist_buf *out, sample what)
{
    const ist_histogram *histogram = (const ist_histogram *)what.series;
    uint64_t count = 0;
    what.suffix = "_bucket";
    for (size_t i = 0; i <= histogram->def->bound_count; i++) {
        double bound = i < histogram->def->bound_count ? histogram->def->bounds[i] : (double)INFINITY;
        what.bound = &bound;
        count += load(&histogram->buckets[i]);
        write_u64_sample(out, &what, count);
    }
    what.bound = NULL;
    what.suffix = "_sum";
    write_double_sample(out, &what, double_of(load(&histogram->sum_bits)));
    what.suffix = "_count";
    write_u64_sample(out, &what, count);
}

static void write_family(ist_buf *out, const ist_metric_family *family, ist_metrics_format format)
{
    static const char *const kinds[] = {
        [IST_METRIC_COUNTER] = "counter", [IST_METRIC_GAUGE] = "gauge", [IST_METRIC_HISTOGRAM] = "histogram"};
    // The older format names a counter as its samples are named, OpenMetrics without the suffix.
    bool with_total = family->def.kind == IST_METRIC_COUNTER && format == IST_METRICS_PROMETHEUS_TEXT;
    const char *suffix = with_total ? "_total" : "";
    ist_buf_printf(out, "# HELP %.*s%s ", IST_STRV_ARG(family->base_name), suffix);
    write_escaped(out, family->def.help, format == IST_METRICS_OPENMETRICS);
    ist_buf_printf(out, "\n# TYPE %.*s%s %s\n", IST_STRV_ARG(family->base_name), suffix, kinds[family->def.kind]);
    for (size_t i = 0; i < family->all.count; i++) {
        sample what = {.family = family, .series = family->all.items[i], .suffix = "", .format = format};
        if (family->def.kind == IST_METRIC_HISTOGRAM) {
            write_histogram(out, what);
        } else {
            write_metric(out, what);
        }
    }
}

void ist_metrics_render(ist_metrics *metrics, ist_metrics_format format, ist_buf *out)
{
    (void)pthread_mutex_lock(&metrics->lock); // see ist_metrics_family
    for (size_t i = 0; i < metrics->families.count; i++) {
        if (metrics->families.items[i]->all.count != 0) {
            write_family(out, metrics->families.items[i], format);
        }
    }
    (void)pthread_mutex_unlock(&metrics->lock);
    if (format == IST_METRICS_OPENMETRICS) {
        ist_buf_append_str(out, "# EOF\n");
    }
}
