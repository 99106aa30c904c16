// SPDX-License-Identifier: Apache-2.0
//
// What the adapters count of requests, in the same families whatever carries them: HTTP or gRPC.
// Owner: a value in the adapter's server; the families belong to the registry of metrics.
// Threads: the HTTP thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/metric.h"

typedef struct ist_api_request_metrics {
    ist_metric_family *requests;  // api, op, code
    ist_metric_family *durations; // api, op
    ist_metric_family *watchers;  // api: streams and long polls that wait for news
} ist_api_request_metrics;

// False: no memory.
bool ist_api_request_metrics_init(ist_api_request_metrics *self, ist_metrics *metrics) IST_NONNULL IST_MUSTCHECK;
// A request that has been answered with `code`, `elapsed_ms` after it came; `operation` NULL = it was for none.
void ist_api_request_metrics_count(const ist_api_request_metrics *self, const char *api, const char *operation, uint32_t code,
                                   int64_t elapsed_ms) IST_NONNULL_ARGS(1, 2);
// One more (+1) or one less (-1) waits for news; the series is that of the API in `watchers`.
void ist_api_request_metrics_watch(ist_metric *watchers, int change);
