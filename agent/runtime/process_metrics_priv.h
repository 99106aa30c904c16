// SPDX-License-Identifier: Apache-2.0
//
// What every Prometheus client exports about its process: CPU, memory, descriptors, start time, and our build.
#pragma once

#include "base/metric.h"

typedef struct process_metrics {
    ist_metric *cpu;
    ist_metric *resident;
    ist_metric *virtual_size;
    ist_metric *open_fds;
    ist_metric *max_fds;
    ist_metric *start_time;
    ist_metric *threads;
} process_metrics;

// IST_ENOMEM.
ist_status process_metrics_init(process_metrics *metrics, ist_metrics *registry);
// HTTP thread.
void process_metrics_refresh(const process_metrics *metrics);
