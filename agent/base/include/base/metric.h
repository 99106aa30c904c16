// SPDX-License-Identifier: Apache-2.0
//
// Metrics: counters and gauges with at most three labels, histograms with at most two, registered once at start,
// written without locks by one thread each (relaxed atomics), read by the one that renders the Prometheus text. No
// living C library does this.
//
// A family is created once per name; a series (family + label values) is created before its writer starts or by that
// writer; both live as long as the registry. Creating is serialised by a lock, updating never locks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"

typedef struct ist_metrics ist_metrics;
typedef struct ist_metric_family ist_metric_family;
typedef struct ist_metric ist_metric;          // one counter or gauge series
typedef struct ist_histogram ist_histogram;    // one histogram series

ist_metrics *ist_metrics_new(void) IST_MUSTCHECK;
void ist_metrics_free(ist_metrics *metrics);

typedef enum ist_metric_kind {
    IST_METRIC_COUNTER,
    IST_METRIC_GAUGE,
    IST_METRIC_HISTOGRAM,
    _IST_METRIC_KIND_MAX
} ist_metric_kind;

// `name`, `help`, `label_1..3`: string constants (not copied; labels NULL where unused). A counter's name ends in
// "_total". For histograms `bounds` (finite upper bounds in the metric's base unit, ascending, constant) and
// `bound_count`; the bucket without bound is added.
typedef struct ist_metric_def {
    ist_metric_kind kind;
    const char *name;
    const char *help;
    const char *label_1;
    const char *label_2;
    const char *label_3;
    const double *bounds;
    size_t bound_count;
} ist_metric_def;

// The family of this name; made on first use. NULL on ENOMEM, and where the name is taken by another kind.
ist_metric_family *ist_metrics_family(ist_metrics *metrics, const ist_metric_def *def) IST_NONNULL IST_MUSTCHECK;
// The series with these label values (copied; NULL where the family has no such label); made on first use. NULL on
// ENOMEM, beyond 1,000 series of one family, and for a family of the other sort.
ist_metric *ist_metric_series(ist_metric_family *family, const char *v1, const char *v2, const char *v3)
    IST_NONNULL_ARGS(1);
ist_histogram *ist_histogram_series(ist_metric_family *family, const char *v1, const char *v2) IST_NONNULL_ARGS(1);
// The one series of a counter or gauge without labels. NULL as for these two, and where `metrics` is NULL: nobody counts.
ist_metric *ist_metrics_single(ist_metrics *metrics, ist_metric_kind kind, const char *name, const char *help)
    IST_NONNULL_ARGS(3, 4);

// Updates tolerate NULL (a series that could not be made), so callers need not check.
void ist_metric_add(ist_metric *metric, uint64_t delta); // counter or gauge: single writer
void ist_metric_set(ist_metric *metric, double value);   // gauge, or a counter kept elsewhere: single writer
double ist_metric_value(const ist_metric *metric);
// The value of a counter or gauge by its name and first label (NULL where the family has none), the others not looked at. False:
// there is no such series. Any thread.
bool ist_metrics_find(ist_metrics *metrics, const char *name, const char *label, double *ret_value) IST_NONNULL_ARGS(1, 2, 4);
void ist_histogram_observe(ist_histogram *histogram, double value); // single writer

typedef enum ist_metrics_format { IST_METRICS_PROMETHEUS_TEXT, IST_METRICS_OPENMETRICS } ist_metrics_format;
// Appends the exposition text (0.0.4 or OpenMetrics 1.0 with "# EOF"), families sorted by name, those without
// series left out. Any thread. A result that did not fit is in ist_buf_status(out).
void ist_metrics_render(ist_metrics *metrics, ist_metrics_format format, ist_buf *out) IST_NONNULL;
