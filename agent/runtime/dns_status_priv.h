// SPDX-License-Identifier: Apache-2.0
//
// The "dns" member of /v1/status: what an operator looks for first. Its numbers are those of the metrics, which every thread may
// read, so that nothing is asked of the DNS thread.
// A plain value of what is borrowed for the call. HTTP thread.
#pragma once

#include "api_core/json.h"
#include "base/metric.h"
#include "dns_wire/address.h"

typedef struct dns_status {
    ist_metrics *metrics;
    const char *mode; // NULL: DNS is off
    ist_strv query_log;
    const ist_dns_address *listeners;
    size_t listener_count;
    const ist_dns_address *upstreams;
    size_t upstream_count;
    uint64_t cache_bytes; // that may be used
} dns_status;

void dns_status_write(const dns_status *status, ist_json *json);
