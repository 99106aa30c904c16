// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

static const double duration_bounds[] = {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                         0.01,    0.025,    0.05,    0.1,    0.25,    0.5,    1,     2.5,    5};
static const char *const source_names[SOURCE_COUNT] = {"mesh", "cache", "upstream", "refused"};
static const char *const rcode_names[RCODE_COUNT] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                     "NOTIMP",  "REFUSED", "other"};
static const char *const observed_names[OBSERVED_COUNT] = {"same",         "rcode",    "addresses",
                                                           "not_compared", "not_ours", "upstream_failed"};
static const char *const type_names[TYPE_COUNT] = {"A", "AAAA", "SRV", "PTR", "TXT", "CNAME", "HTTPS", "ANY", "other"};

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
