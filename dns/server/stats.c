// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include <linux/sock_diag.h>

static const double duration_bounds[] = {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                         0.01,    0.025,    0.05,    0.1,    0.25,    0.5,    1,     2.5,    5};
static const char *const source_names[SOURCE_COUNT] = {"mesh", "cache", "upstream", "refused"};
static const char *const rcode_names[RCODE_COUNT] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                     "NOTIMP",  "REFUSED", "other"};
static const char *const observed_names[OBSERVED_COUNT] = {"same",         "rcode",    "addresses",
                                                           "not_compared", "not_ours", "upstream_failed"};
static const char *const end_names[TCP_END_COUNT] = {"client", "idle", "full", "protocol", "error", "stopped"};
static const char *const type_names[TYPE_COUNT] = {"A", "AAAA", "SRV", "PTR", "TXT", "CNAME", "HTTPS", "ANY", "other"};

const char *ist_dns_stats_source_name(ist_dns_answer_source source)
{
    return source_names[source];
}

static size_t type_index(uint16_t type)
{
    static const uint16_t types[TYPE_COUNT - 1] = {IST_DNS_TYPE_A,     IST_DNS_TYPE_AAAA, IST_DNS_TYPE_SRV,
                                                   IST_DNS_TYPE_PTR,   IST_DNS_TYPE_TXT,  IST_DNS_TYPE_CNAME,
                                                   IST_DNS_TYPE_HTTPS, IST_DNS_TYPE_ANY};
    size_t i = 0;
    while (i < IST_COUNT(types) && types[i] != type) {
        i++;
    }
    return i;
}

static ist_metric_family *family_of(ist_metrics *metrics, const ist_metric_def *def)
{
    return metrics != NULL ? ist_metrics_family(metrics, def) : NULL;
}

// The only label is `value`, NULL where there is none. What cannot be made is not counted.
static ist_metric *series_of(ist_metric_family *family, const char *value)
{
    return family != NULL ? ist_metric_series(family, value, NULL, NULL) : NULL;
}

static void init_singles(ist_dns_stats *stats, ist_metrics *metrics)
{
    stats->truncated = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_truncated_total",
                                          "UDP replies with the truncation mark: their client asks again by TCP.");
    stats->ignored =
        ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_ignored_total",
                           "Packets that are no query and get no reply: responses, and fragments of a header.");
    stats->pending = ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_dns_pending_queries",
                                        "Queries that wait for an upstream.");
    stats->pending_refused =
        ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_pending_refused_total",
                           "Queries refused with SERVFAIL because too many waited for an upstream.");
    stats->log_entries = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_query_log_entries_total",
                                            "Queries handed to the query log.");
    stats->log_dropped = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_query_log_dropped_total",
                                            "Queries missing in the query log because its reader was too slow.");
    stats->tcp_connections = ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_dns_tcp_connections",
                                                "TCP connections of clients that are open.");
    stats->tcp_accepted = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_tcp_connections_accepted_total",
                                             "TCP connections of clients that were accepted.");
}

static void init_sets(ist_dns_stats *stats, ist_metrics *metrics)
{
    static const ist_metric_def closed = {.kind = IST_METRIC_COUNTER,
                                          .name = "isthmus_dns_tcp_connections_closed_total",
                                          .help = "TCP connections of clients that have ended, by who ended them and why.",
                                          .label_1 = "reason"};
    static const ist_metric_def mode = {.kind = IST_METRIC_GAUGE,
                                        .name = "isthmus_dns_mode",
                                        .help = "1 for the mode that DNS is in.",
                                        .label_1 = "mode"};
    ist_metric_family *closed_family = family_of(metrics, &closed);
    ist_metric_family *mode_family = family_of(metrics, &mode);

    for (size_t i = 0; i < TCP_END_COUNT; i++) {
        stats->tcp_closed[i] = series_of(closed_family, end_names[i]);
    }
    for (ist_dns_mode i = 0; i < _IST_DNS_MODE_MAX; i++) {
        stats->mode[i] = series_of(mode_family, ist_dns_mode_name(i));
    }
}

void ist_dns_stats_init(ist_dns_stats *stats, ist_metrics *metrics)
{
    static const ist_metric_def requests = {.kind = IST_METRIC_COUNTER,
                                            .name = "isthmus_dns_requests_total",
                                            .help = "DNS queries received.",
                                            .label_1 = "proto",
                                            .label_2 = "family",
                                            .label_3 = "type"};
    static const ist_metric_def responses = {.kind = IST_METRIC_COUNTER,
                                             .name = "isthmus_dns_responses_total",
                                             .help = "DNS replies sent.",
                                             .label_1 = "rcode",
                                             .label_2 = "source"};
    static const ist_metric_def duration = {.kind = IST_METRIC_HISTOGRAM,
                                            .name = "isthmus_dns_request_duration_seconds",
                                            .help = "From reading a DNS query to sending its reply; local answers are "
                                                    "measured by the batch.",
                                            .label_1 = "source",
                                            .bounds = duration_bounds,
                                            .bound_count = IST_COUNT(duration_bounds)};
    static const ist_metric_def observed = {.kind = IST_METRIC_COUNTER,
                                            .name = "isthmus_dns_observed_total",
                                            .help = "Upstream replies compared with what the mesh says (observe mode).",
                                            .label_1 = "result"};

    if (metrics != NULL) {
        stats->requests_family = ist_metrics_family(metrics, &requests);
        stats->responses_family = ist_metrics_family(metrics, &responses);
        stats->duration_family = ist_metrics_family(metrics, &duration);
        stats->observed_family = ist_metrics_family(metrics, &observed);
    }
    init_singles(stats, metrics);
    init_sets(stats, metrics);
}

void ist_dns_stats_listeners(ist_dns_stats *stats, ist_metrics *metrics, const ist_dns_address *addresses, size_t count)
{
    static const ist_metric_def drops = {.kind = IST_METRIC_COUNTER,
                                         .name = "isthmus_dns_receive_drops_total",
                                         .help = "Queries by UDP that the kernel dropped, as a rule because they came "
                                                 "faster than they were read; of the socket's whole life.",
                                         .label_1 = "listener"};
    static const ist_metric_def queue = {.kind = IST_METRIC_GAUGE,
                                         .name = "isthmus_dns_receive_queue_bytes",
                                         .help = "Memory of the queries by UDP that wait to be read.",
                                         .label_1 = "listener"};
    ist_metric_family *drops_family = family_of(metrics, &drops);
    ist_metric_family *queue_family = family_of(metrics, &queue);

    for (size_t i = 0; i < count; i++) {
        char text[IST_DNS_ADDRESS_TEXT_SIZE];
        const char *address = ist_dns_address_format(&addresses[i], text);
        stats->receive_drops[i] = series_of(drops_family, address);
        stats->receive_queue[i] = series_of(queue_family, address);
    }
}

void ist_dns_server_refresh_metrics(ist_dns_server *server)
{
    ist_dns_mode now = ist_dns_server_mode(server);

    for (ist_dns_mode mode = 0; mode < _IST_DNS_MODE_MAX; mode++) {
        ist_metric_set(server->stats.mode[mode], mode == now ? 1 : 0);
    }
    for (size_t i = 0; i < server->listener_count; i++) {
        uint32_t values[SK_MEMINFO_VARS] = {0};
        socklen_t bytes = sizeof(values);
        bool known = getsockopt(server->listeners[i].udp.fd, SOL_SOCKET, SO_MEMINFO, values, &bytes) == 0;
        if (known && bytes == sizeof(values)) { // else a kernel before 4.12
            ist_metric_set(server->stats.receive_drops[i], values[SK_MEMINFO_DROPS]);
            ist_metric_set(server->stats.receive_queue[i], values[SK_MEMINFO_RMEM_ALLOC]);
        }
    }
}

void ist_dns_stats_request(ist_dns_stats *stats, bool tcp, bool v6, uint16_t type)
{
    size_t index = type_index(type);
    ist_metric **series = &stats->requests[tcp][v6][index];

    if (*series == NULL && stats->requests_family != NULL) {
        *series = ist_metric_series(stats->requests_family, tcp ? "tcp" : "udp", v6 ? "2" : "1", type_names[index]);
    }
    ist_metric_add(*series, 1);
}

void ist_dns_stats_response(ist_dns_stats *stats, uint16_t rcode, ist_dns_answer_source source)
{
    size_t index = rcode < RCODE_COUNT - 1 ? rcode : RCODE_COUNT - 1;
    ist_metric **series = &stats->responses[index][source];

    if (*series == NULL && stats->responses_family != NULL) {
        *series = ist_metric_series(stats->responses_family, rcode_names[index], source_names[source], NULL);
    }
    ist_metric_add(*series, 1);
}

void ist_dns_stats_duration(ist_dns_stats *stats, ist_dns_answer_source source, double seconds, uint32_t times)
{
    ist_histogram **series = &stats->duration[source];

    if (*series == NULL && stats->duration_family != NULL) {
        *series = ist_histogram_series(stats->duration_family, source_names[source], NULL);
    }
    for (uint32_t i = 0; i < times; i++) {
        ist_histogram_observe(*series, seconds);
    }
}

void ist_dns_stats_observed(ist_dns_stats *stats, ist_dns_observed result)
{
    ist_metric **series = &stats->observed[result];

    if (*series == NULL && stats->observed_family != NULL) {
        *series = ist_metric_series(stats->observed_family, observed_names[result], NULL, NULL);
    }
    ist_metric_add(*series, 1);
}
