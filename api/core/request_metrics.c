// SPDX-License-Identifier: Apache-2.0
#include "api_core/request_metrics.h"

#include <stdio.h>

bool ist_api_request_metrics_init(ist_api_request_metrics *self, ist_metrics *metrics)
{
    static const double BOUNDS[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10};
    static const ist_metric_def REQUESTS = {.kind = IST_METRIC_COUNTER,
                                            .name = "isthmus_registry_requests_total",
                                            .help = "Requests by door, operation and status, of HTTP or of gRPC.",
                                            .label_1 = "api",
                                            .label_2 = "op",
                                            .label_3 = "code"};
    static const ist_metric_def DURATIONS = {.kind = IST_METRIC_HISTOGRAM,
                                             .name = "isthmus_registry_request_duration_seconds",
                                             .help = "Time from request to answer, long polls included.",
                                             .label_1 = "api",
                                             .label_2 = "op",
                                             .bounds = BOUNDS,
                                             .bound_count = IST_COUNT(BOUNDS)};
    static const ist_metric_def WATCHERS = {.kind = IST_METRIC_GAUGE,
                                            .name = "isthmus_registry_watchers",
                                            .help = "Long polls and streams that wait for news.",
                                            .label_1 = "api"};
    self->requests = ist_metrics_family(metrics, &REQUESTS);
    self->durations = ist_metrics_family(metrics, &DURATIONS);
    self->watchers = ist_metrics_family(metrics, &WATCHERS);
    return self->requests != NULL && self->durations != NULL && self->watchers != NULL;
}

void ist_api_request_metrics_count(const ist_api_request_metrics *self, const char *api, const char *operation, uint32_t code,
                                   int64_t elapsed_ms)
{
    char text[16];
    operation = operation != NULL ? operation : "none";
    (void)snprintf(text, sizeof(text), "%u", code);
    ist_metric_add(ist_metric_series(self->requests, api, operation, text), 1);
    ist_histogram_observe(ist_histogram_series(self->durations, api, operation), (double)elapsed_ms / 1000.0);
}

void ist_api_request_metrics_watch(ist_metric *watchers, int change)
{
    ist_metric_set(watchers, ist_metric_value(watchers) + change);
}
