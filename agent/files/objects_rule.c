// SPDX-License-Identifier: Apache-2.0
//
// DestinationRule (networking.istio.io/v1) and the pieces of it that MeshConfig has too.
#include "objects_priv.h"

static const char *const lb_words[] = {"UNSPECIFIED",   "RANDOM",     "PASSTHROUGH", "ROUND_ROBIN",
                                       "LEAST_REQUEST", "LEAST_CONN", NULL};
static const char *const h2_words[] = {"DEFAULT", "DO_NOT_UPGRADE", "UPGRADE", NULL};
static const char *const tls_words[] = {"DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL", NULL};

// --- Load balancer ---------------------------------------------------------------------------------------------------

static const ist_field distribute_fields[] = {
    IST_F(STRING, ist_distribute, from, "from"),
    {.name = "to", .type = IST_FIELD_U32_MAP, .offset = offsetof(ist_distribute, to), .max = 100},
};
static const ist_schema distribute_schema = IST_SCHEMA(ist_distribute, distribute_fields, false);

static const ist_field failover_fields[] = {
    IST_F(STRING, ist_failover, from, "from"),
    IST_F(STRING, ist_failover, to, "to"),
};
static const ist_schema failover_schema = IST_SCHEMA(ist_failover, failover_fields, false);

static const ist_field locality_fields[] = {
    IST_F_SUB(LIST, ist_locality_lb, distribute, "distribute", distribute_schema),
    IST_F_SUB(LIST, ist_locality_lb, failover, "failover", failover_schema),
    IST_F(STRINGS, ist_locality_lb, priority, "failoverPriority"),
    IST_F(BOOL, ist_locality_lb, enabled, "enabled"),
};
const ist_schema ist_schema_locality_lb = IST_SCHEMA(ist_locality_lb, locality_fields, false);

static const ist_field ring_fields[] = {IST_F(U32, ist_ring_hash, minimum_ring_size, "minimumRingSize")};
static const ist_schema ring_schema = IST_SCHEMA(ist_ring_hash, ring_fields, false);
static const ist_field maglev_fields[] = {IST_F(U32, ist_maglev, table_size, "tableSize")};
static const ist_schema maglev_schema = IST_SCHEMA(ist_maglev, maglev_fields, false);

static const ist_field cookie_fields[] = {
    IST_F(STRING, ist_hash_cookie, name, "name"),
    IST_F(DURATION, ist_hash_cookie, ttl_ms, "ttl"),
    IST_F_SKIP("path"),
    IST_F_SKIP("attributes"),
};
static const ist_hash_cookie cookie_defaults = {.ttl_ms = IST_ABSENT};
static const ist_schema cookie_schema = {sizeof(ist_hash_cookie), &cookie_defaults, cookie_fields,
                                         IST_COUNT(cookie_fields), false};

static const ist_field hash_fields[] = {
    IST_F_SUB(POINTER, ist_consistent_hash, ring_hash, "ringHash", ring_schema),
    IST_F_SUB(POINTER, ist_consistent_hash, maglev, "maglev", maglev_schema),
    IST_F(U32, ist_consistent_hash, minimum_ring_size, "minimumRingSize"),
    IST_F(STRING, ist_consistent_hash, header, "httpHeaderName"),
    IST_F_SUB(POINTER, ist_consistent_hash, cookie, "httpCookie", cookie_schema),
    IST_F(BOOL, ist_consistent_hash, source_ip, "useSourceIp"),
    IST_F(STRING, ist_consistent_hash, query, "httpQueryParameterName"),
};
static const ist_schema hash_schema = IST_SCHEMA(ist_consistent_hash, hash_fields, false);

static const ist_field warmup_fields[] = {
    IST_F(DURATION, ist_warmup, duration_ms, "duration"),
    IST_F_SKIP("minimumPercent"),
    IST_F_SKIP("aggression"),
};
static const ist_schema warmup_schema = IST_SCHEMA(ist_warmup, warmup_fields, false);

static const ist_field lb_fields[] = {
    IST_F_ENUM(ist_load_balancer, simple, "simple", lb_words),
    IST_F_SUB(POINTER, ist_load_balancer, hash, "consistentHash", hash_schema),
    IST_F_SUB(POINTER, ist_load_balancer, locality, "localityLbSetting", ist_schema_locality_lb),
    IST_F_SUB(POINTER, ist_load_balancer, warmup, "warmup", warmup_schema),
    IST_F(DURATION, ist_load_balancer, warmup_ms, "warmupDurationSecs"),
    IST_F_REPORT("zoneAwareLbSetting"),
};
static const ist_schema lb_schema = IST_SCHEMA(ist_load_balancer, lb_fields, false);

// --- Connection pool, outlier detection, TLS -------------------------------------------------------------------------

static const ist_field pool_tcp_fields[] = {
    IST_F(U32, ist_pool_tcp, max_connections, "maxConnections"),
    IST_F(DURATION, ist_pool_tcp, connect_timeout_ms, "connectTimeout"),
    IST_F_SKIP("tcpKeepalive"),
    IST_F_SKIP("maxConnectionDuration"),
    IST_F_SKIP("idleTimeout"),
};
static const ist_pool_tcp pool_tcp_defaults = {.max_connections = IST_ABSENT, .connect_timeout_ms = IST_ABSENT};
static const ist_schema pool_tcp_schema = {sizeof(ist_pool_tcp), &pool_tcp_defaults, pool_tcp_fields,
                                           IST_COUNT(pool_tcp_fields), false};

static const ist_field pool_http_fields[] = {
    IST_F(U32, ist_pool_http, max_pending, "http1MaxPendingRequests"),
    IST_F(U32, ist_pool_http, max_requests, "http2MaxRequests"),
    IST_F(U32, ist_pool_http, max_retries, "maxRetries"),
    IST_F_ENUM(ist_pool_http, h2_upgrade, "h2UpgradePolicy", h2_words),
    IST_F_SKIP("maxRequestsPerConnection"),
    IST_F_SKIP("idleTimeout"),
    IST_F_SKIP("useClientProtocol"),
    IST_F_SKIP("maxConcurrentStreams"),
};
static const ist_pool_http pool_http_defaults = {
    .max_pending = IST_ABSENT, .max_requests = IST_ABSENT, .max_retries = IST_ABSENT};
static const ist_schema pool_http_schema = {sizeof(ist_pool_http), &pool_http_defaults, pool_http_fields,
                                            IST_COUNT(pool_http_fields), false};

static const ist_field pool_fields[] = {
    IST_F_SUB(POINTER, ist_pool, tcp, "tcp", pool_tcp_schema),
    IST_F_SUB(POINTER, ist_pool, http, "http", pool_http_schema),
};
static const ist_schema pool_schema = IST_SCHEMA(ist_pool, pool_fields, false);

static const ist_field outlier_fields[] = {
    IST_F(U32, ist_outlier, consecutive_5xx, "consecutive5xxErrors"),
    IST_F(U32, ist_outlier, consecutive_5xx, "consecutiveErrors"),
    IST_F(U32, ist_outlier, consecutive_gateway, "consecutiveGatewayErrors"),
    IST_F(DURATION, ist_outlier, interval_ms, "interval"),
    IST_F(DURATION, ist_outlier, base_ejection_ms, "baseEjectionTime"),
    IST_F_MAX(ist_outlier, max_ejection_percent, "maxEjectionPercent", 100),
    IST_F_MAX(ist_outlier, min_health_percent, "minHealthPercent", 100),
    IST_F_SKIP("splitExternalLocalOriginErrors"),
    IST_F_SKIP("consecutiveLocalOriginFailures"),
};
static const ist_outlier outlier_defaults = {IST_ABSENT, IST_ABSENT, IST_ABSENT, IST_ABSENT, IST_ABSENT, 0};
static const ist_schema outlier_schema = {sizeof(ist_outlier), &outlier_defaults, outlier_fields,
                                          IST_COUNT(outlier_fields), false};

static const ist_field tls_fields[] = {
    IST_F_ENUM(ist_tls, mode, "mode", tls_words),
    IST_F(STRING, ist_tls, credential, "credentialName"),
    IST_F_SKIP("clientCertificate"),
    IST_F_SKIP("privateKey"),
    IST_F_SKIP("caCertificates"),
    IST_F_SKIP("subjectAltNames"),
    IST_F_SKIP("sni"),
    IST_F_SKIP("insecureSkipVerify"),
    IST_F_SKIP("caCrl"),
};
static const ist_schema tls_schema = IST_SCHEMA(ist_tls, tls_fields, false);

// --- Policies --------------------------------------------------------------------------------------------------------

static const ist_field port_ref_fields[] = {IST_F_MAX(ist_port_ref, number, "number", 65535)};
static const ist_schema port_ref_schema = IST_SCHEMA(ist_port_ref, port_ref_fields, false);

#define POLICY_FIELDS                                                                \
    IST_F_SUB(POINTER, ist_policy, lb, "loadBalancer", lb_schema),                   \
        IST_F_SUB(POINTER, ist_policy, pool, "connectionPool", pool_schema),         \
        IST_F_SUB(POINTER, ist_policy, outlier, "outlierDetection", outlier_schema), \
        IST_F_SUB(POINTER, ist_policy, tls, "tls", tls_schema)

static const ist_field port_policy_fields[] = {
    POLICY_FIELDS,
    IST_F_SUB(STRUCT, ist_policy, port, "port", port_ref_schema),
};
static const ist_schema port_policy_schema = IST_SCHEMA(ist_policy, port_policy_fields, false);

static const ist_field policy_fields[] = {
    POLICY_FIELDS,
    IST_F_SUB(LIST, ist_policy, ports, "portLevelSettings", port_policy_schema),
    IST_F_REPORT("tunnel"),
    IST_F_SKIP("proxyProtocol"),
    IST_F_SKIP("retryBudget"),
};
const ist_schema ist_schema_policy = IST_SCHEMA(ist_policy, policy_fields, false);

static const ist_field default_policy_fields[] = {
    IST_F_SUB(POINTER, ist_policy, pool, "connectionPool", pool_schema),
    IST_F_SUB(POINTER, ist_policy, outlier, "outlierDetection", outlier_schema),
};
const ist_schema ist_schema_default_policy = IST_SCHEMA(ist_policy, default_policy_fields, false);

static const ist_field subset_fields[] = {
    {.name = "name", .type = IST_FIELD_STRING, .offset = offsetof(ist_subset, name), .required = true},
    IST_F(LABELS, ist_subset, labels, "labels"),
    IST_F_SUB(POINTER, ist_subset, policy, "trafficPolicy", ist_schema_policy),
};
static const ist_schema subset_schema = IST_SCHEMA(ist_subset, subset_fields, false);

static const ist_field rule_spec_fields[] = {
    {.name = "host", .type = IST_FIELD_STRING, .offset = offsetof(ist_rule_spec, host), .required = true},
    IST_F_SUB(POINTER, ist_rule_spec, policy, "trafficPolicy", ist_schema_policy),
    IST_F_SUB(LIST, ist_rule_spec, subsets, "subsets", subset_schema),
    IST_F(STRINGS, ist_rule_spec, export_to, "exportTo"),
    IST_F_SUB(POINTER, ist_rule_spec, selector, "workloadSelector", ist_schema_selector),
};
static const ist_schema rule_spec_schema = IST_SCHEMA(ist_rule_spec, rule_spec_fields, false);

static const ist_field rule_fields[] = {
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta),
    {.name = "spec",
     .type = IST_FIELD_STRUCT,
     .offset = offsetof(ist_rule, spec),
     .sub = &rule_spec_schema,
     .required = true},
    IST_F_SKIP("apiVersion"),
    IST_F_SKIP("kind"),
    IST_F_SKIP("status"),
};
static const ist_schema rule_schema = IST_SCHEMA(ist_rule, rule_fields, false);

static ist_object *finish_rule(ist_decoder *decoder, const ist_yaml_node *root, void *raw)
{
    ist_rule *rule = raw;
    const ist_subset *subsets = rule->spec.subsets.items;
    for (uint32_t i = 0; i < rule->spec.subsets.count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (ist_strv_equal(subsets[i].name, subsets[j].name)) {
                ist_decoder_finding(decoder, root, IST_FILES_ERROR, "spec.subsets[%u].name \"%.*s\" stands there twice",
                                    i, IST_STRV_ARG(ist_strv_first(subsets[i].name, 63)));
                return NULL;
            }
        }
    }
    return &rule->object;
}

const ist_object_type ist_object_type_rule = {
    "networking.istio.io/", "DestinationRule", IST_OBJECT_RULE, &rule_schema, finish_rule, true, false};
