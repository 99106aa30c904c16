// SPDX-License-Identifier: Apache-2.0
//
// A copy of the xDS client's status that outlives its next input, for the threads that show it: JSON, readiness, metrics.
// The owner synchronises.
#pragma once

#include "api_core/json.h"
#include "base/metric.h"
#include "xds/client.h"

#define XDS_STATUS_TEXT 320

typedef struct xds_status {
    ist_xds_status now; // its views point into the buffers below
    bool synced;
    char last_error[XDS_STATUS_TEXT];
    char last_hold[XDS_STATUS_TEXT];
    char version[_IST_XDS_TYPE_MAX][80];
    char nack[_IST_XDS_TYPE_MAX][XDS_STATUS_TEXT];
} xds_status;

// Has anything changed that is shown?
bool xds_status_same(const xds_status *status, const ist_xds_status *now);
void xds_status_copy(xds_status *status, const ist_xds_status *now, bool synced);
void xds_status_write(const xds_status *status, const ist_strv *servers, uint32_t server_count, ist_json *json);
// Synced? One line of why (not) either way.
bool xds_status_explain(const xds_status *status, ist_buf *why);

typedef struct xds_metrics {
    ist_metric_family *connected;
    ist_metric_family *connect_failures;
    ist_metric_family *disconnects;
    ist_metric_family *responses;
    ist_metric_family *bytes;
    ist_metric_family *acks;
    ist_metric_family *nacks;
    ist_metric_family *resources;
    ist_metric_family *held;
    ist_metric_family *holds;
    ist_metric_family *last_update;
} xds_metrics;

ist_status xds_metrics_init(xds_metrics *metrics, ist_metrics *registry);
void xds_metrics_refresh(const xds_metrics *metrics, const xds_status *status, const ist_strv *servers,
                         uint32_t server_count);
