// SPDX-License-Identifier: Apache-2.0
#include "dns_status_priv.h"

// The number of a series; null where nothing was counted yet.
static void write_number(const dns_status *self, const char *key, const char *metric, const char *label, ist_json *json)
{
    double value;
    if (ist_metrics_find(self->metrics, metric, label, &value)) {
        ist_json_u64(json, key, (uint64_t)value);
    } else {
        ist_json_null(json, key);
    }
}

static double number(const dns_status *self, const char *metric, const char *label)
{
    double value;
    return ist_metrics_find(self->metrics, metric, label, &value) ? value : 0;
}

static const char *state_of(const dns_status *self, const char *upstream)
{
    if (number(self, "isthmus_dns_upstream_loop", upstream) > 0) {
        return "loop";
    }
    if (number(self, "isthmus_dns_upstream_up", upstream) > 0) {
        return "up";
    }
    return number(self, "isthmus_dns_upstream_failures_total", upstream) > 0 ? "down" : "unknown";
}

static void write_upstream(const dns_status *self, const ist_dns_address *address, ist_json *json)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    const char *upstream = ist_dns_address_format(address, text);
    double rtt_s = number(self, "isthmus_dns_upstream_smoothed_rtt_seconds", upstream);
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "address", upstream);
    ist_json_string(json, "state", state_of(self, upstream));
    if (rtt_s > 0) {
        ist_json_double(json, "rtt_ms", rtt_s * 1000);
    } else {
        ist_json_null(json, "rtt_ms");
    }
    write_number(self, "requests", "isthmus_dns_upstream_requests_total", upstream, json);
    write_number(self, "failures", "isthmus_dns_upstream_failures_total", upstream, json);
    ist_json_end_object(json);
}

static void write_socket(const dns_status *self, const ist_dns_address *address, ist_json *json)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    const char *listener = ist_dns_address_format(address, text);
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "address", listener);
    write_number(self, "receive_queue_bytes", "isthmus_dns_receive_queue_bytes", listener, json);
    write_number(self, "receive_drops", "isthmus_dns_receive_drops_total", listener, json);
    ist_json_end_object(json);
}

static void write_cache(const dns_status *self, ist_json *json)
{
    ist_json_begin_object(json, "cache");
    ist_json_u64(json, "size_bytes", self->cache_bytes);
    write_number(self, "bytes", "isthmus_dns_cache_bytes", NULL, json);
    write_number(self, "entries", "isthmus_dns_cache_entries", NULL, json);
    write_number(self, "hits", "isthmus_dns_cache_hits_total", NULL, json);
    write_number(self, "misses", "isthmus_dns_cache_misses_total", NULL, json);
    write_number(self, "stale_served", "isthmus_dns_cache_stale_served_total", NULL, json);
    ist_json_end_object(json);
}

void dns_status_write(const dns_status *self, ist_json *json)
{
    ist_json_begin_object(json, "dns");
    ist_json_strv_or_null(json, "mode", ist_strv_from(self->mode));
    ist_json_strv(json, "query_log", self->query_log);
    ist_json_begin_array(json, "sockets");
    for (size_t i = 0; i < self->listener_count; i++) {
        write_socket(self, &self->listeners[i], json);
    }
    ist_json_end_array(json);
    write_number(self, "tcp_connections", "isthmus_dns_tcp_connections", NULL, json);
    write_number(self, "pending_queries", "isthmus_dns_pending_queries", NULL, json);
    ist_json_begin_array(json, "upstreams");
    for (size_t i = 0; i < self->upstream_count; i++) {
        write_upstream(self, &self->upstreams[i], json);
    }
    ist_json_end_array(json);
    write_cache(self, json);
    ist_json_end_object(json);
}
