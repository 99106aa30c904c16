// SPDX-License-Identifier: Apache-2.0
//
// envoy.config.cluster.v3.Cluster -> ist_mesh_cluster.
#include "decode_priv.h"
#include "message_priv.h"

#include "proto/envoy_cluster.pb-c.h"
#include "proto/envoy_http_options.pb-c.h"

#define CLUSTER_NAME 1
#define METADATA_FILTER_METADATA 1
#define HTTP_OPTIONS_KEY "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
#define DYNAMIC_FORWARD_PROXY "envoy.clusters.dynamic_forward_proxy"
#define TLS_CONTEXT "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
#define PROXY_PROTOCOL \
    "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport"
#define ISTIO_CERTIFICATE "default" // the name under which Istio's agent serves the certificate of the mesh
#define HTTP_EXPLICIT \
    ENVOY__EXTENSIONS__UPSTREAMS__HTTP__V3__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_EXPLICIT_HTTP_CONFIG

typedef Envoy__Config__Cluster__V3__Cluster cluster_message;

static uint32_t number_or_unset(const Google__Protobuf__UInt32Value *value)
{
    return value != NULL ? value->value : UINT32_MAX;
}

static ist_status set_discovery(const cluster_message *message, ist_mesh_cluster *spec, ist_err *err)
{
    if (message->cluster_discovery_type_case ==
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE) {
        if (!ist_strv_equal(ist_strv_from(message->cluster_type->name), IST_STRV(DYNAMIC_FORWARD_PROXY))) {
            return ist_err_set(err, IST_EINVAL, "cluster_type %.200s is not known", message->cluster_type->name);
        }
        spec->discovery = IST_MESH_DISCOVERY_DYNAMIC_DNS;
        return IST_OK;
    }
    int type = message->cluster_discovery_type_case == ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE
                   ? (int)message->type
                   : 0;
    if (type < 0 || type > ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__ORIGINAL_DST) {
        return ist_err_set(err, IST_EINVAL, "type %d is not known", type);
    }
    spec->discovery = (ist_mesh_discovery)type; // same numbers
    return IST_OK;
}

static ist_status set_lb(const cluster_message *message, ist_mesh_cluster *spec, ist_err *err)
{
    switch ((int)message->lb_policy) {
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__ROUND_ROBIN:
        spec->lb = IST_MESH_LB_ROUND_ROBIN;
        return IST_OK;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__LEAST_REQUEST:
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__LOAD_BALANCING_POLICY_CONFIG: // Istio's default, wrapped
        spec->lb = IST_MESH_LB_LEAST_REQUEST;
        return IST_OK;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__RING_HASH:
        spec->lb = IST_MESH_LB_RING_HASH;
        return IST_OK;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__RANDOM:
        spec->lb = IST_MESH_LB_RANDOM;
        return IST_OK;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__MAGLEV:
        spec->lb = IST_MESH_LB_MAGLEV;
        return IST_OK;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__CLUSTER_PROVIDED:
        spec->lb = IST_MESH_LB_CLUSTER_PROVIDED;
        return IST_OK;
    default:
        return ist_err_set(err, IST_EINVAL, "lb_policy %d is not known", (int)message->lb_policy);
    }
}

static uint32_t slow_start_ms(const Envoy__Config__Cluster__V3__Cluster__SlowStartConfig *config)
{
    return config != NULL ? ist_xds_duration_ms(config->slow_start_window) : UINT32_MAX;
}

static uint64_t u64_or_zero(const Google__Protobuf__UInt64Value *value)
{
    return value != NULL ? value->value : 0;
}

static void set_lb_config(const cluster_message *message, ist_mesh_cluster *spec)
{
    const Google__Protobuf__UInt64Value *size = NULL;
    switch (message->lb_config_case) {
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_RING_HASH_LB_CONFIG:
        size = message->ring_hash_lb_config->minimum_ring_size;
        spec->max_ring_size = u64_or_zero(message->ring_hash_lb_config->maximum_ring_size);
        spec->hash_unsupported |= message->ring_hash_lb_config->hash_function !=
                                  ENVOY__CONFIG__CLUSTER__V3__CLUSTER__RING_HASH_LB_CONFIG__HASH_FUNCTION__XX_HASH;
        break;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_MAGLEV_LB_CONFIG:
        size = message->maglev_lb_config->table_size;
        break;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_LEAST_REQUEST_LB_CONFIG:
        spec->published.slow_start_ms = slow_start_ms(message->least_request_lb_config->slow_start_config);
        break;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_ROUND_ROBIN_LB_CONFIG:
        spec->published.slow_start_ms = slow_start_ms(message->round_robin_lb_config->slow_start_config);
        break;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG__NOT_SET:
    case _ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG__CASE_IS_INT_SIZE:
        break;
    }
    spec->ring_size = u64_or_zero(size);
}

static void set_common_lb(const cluster_message *message, ist_mesh_cluster *spec)
{
    const Envoy__Config__Cluster__V3__Cluster__CommonLbConfig *common = message->common_lb_config;
    spec->panic_percent = -1;
    if (common == NULL) {
        return;
    }
    spec->locality_weighted =
        common->locality_config_specifier_case ==
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__COMMON_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_LOCALITY_WEIGHTED_LB_CONFIG;
    spec->hash_unsupported |= common->consistent_hashing_lb_config.len != 0; // by host name, or bounded load
    if (common->healthy_panic_threshold != NULL) {
        spec->panic_percent = common->healthy_panic_threshold->value;
    }
}

static void set_published(const cluster_message *message, ist_mesh_published *published)
{
    const Envoy__Config__Cluster__V3__OutlierDetection *outlier = message->outlier_detection;
    const Envoy__Config__Cluster__V3__CircuitBreakers *breakers = message->circuit_breakers;
    published->connect_timeout_ms = ist_xds_duration_ms(message->connect_timeout);
    if (outlier != NULL) {
        published->consecutive_5xx = number_or_unset(outlier->consecutive_5xx);
        published->consecutive_gateway_failure = number_or_unset(outlier->consecutive_gateway_failure);
        published->outlier_interval_ms = ist_xds_duration_ms(outlier->interval);
        published->base_ejection_ms = ist_xds_duration_ms(outlier->base_ejection_time);
        published->max_ejection_percent = number_or_unset(outlier->max_ejection_percent);
    }
    for (size_t i = 0; breakers != NULL && i < breakers->n_thresholds; i++) {
        const Envoy__Config__Cluster__V3__CircuitBreakers__Thresholds *threshold = breakers->thresholds[i];
        if (threshold->priority == 0) { // DEFAULT
            published->max_connections = number_or_unset(threshold->max_connections);
            published->max_pending_requests = number_or_unset(threshold->max_pending_requests);
            published->max_requests = number_or_unset(threshold->max_requests);
            published->max_retries = number_or_unset(threshold->max_retries);
        }
    }
}

static ist_status set_http2(const cluster_message *message, ist_arena *arena, ist_mesh_cluster *spec, ist_err *err)
{
    for (size_t i = 0; i < message->n_typed_extension_protocol_options; i++) {
        const Envoy__Config__Cluster__V3__Cluster__TypedExtensionProtocolOptionsEntry *entry =
            message->typed_extension_protocol_options[i];
        if (entry->value == NULL || !ist_strv_equal(ist_strv_from(entry->key), IST_STRV(HTTP_OPTIONS_KEY))) {
            continue;
        }
        const ProtobufCMessage *base = NULL;
        ist_status status = ist_xds_message_unpack(
            &envoy__extensions__upstreams__http__v3__http_protocol_options__descriptor,
            ist_strv_make((const char *)entry->value->value.data, entry->value->value.len), arena, &base, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "typed_extension_protocol_options");
            return status;
        }
        const Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions *options =
            (const Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions *)base;
        // Only where HTTP/2 is asked for; use_downstream_protocol_config takes whatever the client speaks.
        spec->http2 = options->upstream_protocol_options_case == HTTP_EXPLICIT &&
                      options->explicit_http_config->http2_protocol_options != NULL;
    }
    return IST_OK;
}

// filter_metadata.istio: services: [{host, name, namespace}], config: path of the DestinationRule, external.
static void set_metadata(const cluster_message *message, ist_mesh_cluster *spec)
{
    ist_strv metadata = ist_strv_make((const char *)message->metadata.data, message->metadata.len);
    ist_strv istio = ist_xds_wire_map_value(metadata, METADATA_FILTER_METADATA, IST_STRV("istio"));
    ist_strv service = ist_xds_struct_first_struct(istio, IST_STRV("services"));
    spec->service_name = ist_xds_struct_text(service, IST_STRV("name"));
    spec->service_namespace = ist_xds_struct_text(service, IST_STRV("namespace"));
    spec->config = ist_xds_struct_text(istio, IST_STRV("config"));
    spec->external = ist_xds_struct_flag(istio, IST_STRV("external"));
}

// --- TLS ------------------------------------------------------------------------------------------------------------

enum { // numbers of fields, by message
    SOCKET_CONFIG = 3,
    ANY_TYPE_URL = 1,
    ANY_VALUE = 2,
    PROXY_PROTOCOL_SOCKET = 2,
    CONTEXT_COMMON = 1,
    COMMON_CERTIFICATES = 2,
    COMMON_SECRET_CONFIGS = 6,
    SECRET_CONFIG_NAME = 1,
    MATCH_SOCKET = 3
};

// An UpstreamTlsContext by the client certificate that it presents: the mesh's own, another one, none.
static ist_mesh_tls tls_of_context(ist_strv context)
{
    ist_strv common = ist_xds_wire_bytes(context, CONTEXT_COMMON);
    ist_strv secret = ist_xds_wire_bytes(common, COMMON_SECRET_CONFIGS);
    if (ist_strv_equal(ist_xds_wire_bytes(secret, SECRET_CONFIG_NAME), IST_STRV(ISTIO_CERTIFICATE))) {
        return IST_MESH_TLS_ISTIO_MUTUAL;
    }
    bool presents = secret.p != NULL || ist_xds_wire_bytes(common, COMMON_CERTIFICATES).p != NULL;
    return presents ? IST_MESH_TLS_MUTUAL : IST_MESH_TLS_SIMPLE;
}

// A TransportSocket, also inside the wrapper of the PROXY protocol. All others speak no TLS of their own.
static ist_mesh_tls tls_of_socket(ist_strv socket)
{
    ist_strv config = ist_xds_wire_bytes(socket, SOCKET_CONFIG);
    if (ist_strv_equal(ist_xds_wire_bytes(config, ANY_TYPE_URL), IST_STRV(PROXY_PROTOCOL))) {
        socket = ist_xds_wire_bytes(ist_xds_wire_bytes(config, ANY_VALUE), PROXY_PROTOCOL_SOCKET);
        config = ist_xds_wire_bytes(socket, SOCKET_CONFIG);
    }
    bool tls = ist_strv_equal(ist_xds_wire_bytes(config, ANY_TYPE_URL), IST_STRV(TLS_CONTEXT));
    return tls ? tls_of_context(ist_xds_wire_bytes(config, ANY_VALUE)) : IST_MESH_TLS_DISABLE;
}

static ist_strv bytes_view(ProtobufCBinaryData bytes)
{
    return ist_strv_make((const char *)bytes.data, bytes.len);
}

// With matches the socket depends on the endpoint: mTLS for some and plain text for others is auto mTLS.
static ist_mesh_tls tls_of_cluster(const cluster_message *message)
{
    ist_mesh_tls tls = tls_of_socket(bytes_view(message->transport_socket));
    bool plain = false;
    for (size_t i = 0; i < message->n_transport_socket_matches; i++) {
        ist_mesh_tls one = tls_of_socket(ist_xds_wire_bytes(bytes_view(message->transport_socket_matches[i]), MATCH_SOCKET));
        plain = plain || one == IST_MESH_TLS_DISABLE;
        tls = tls == IST_MESH_TLS_DISABLE ? one : tls;
    }
    return tls == IST_MESH_TLS_ISTIO_MUTUAL && plain ? IST_MESH_TLS_AUTO : tls;
}

static void set_family(const cluster_message *message, ist_mesh_cluster *spec)
{
    if (message->dns_lookup_family == ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DNS_LOOKUP_FAMILY__V4_ONLY) {
        spec->dns_family = 4;
    } else if (message->dns_lookup_family == ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DNS_LOOKUP_FAMILY__V6_ONLY) {
        spec->dns_family = 6;
    }
}

static ist_status fill_cluster(ist_xds_decoder *decoder, const cluster_message *message, ist_mesh_cluster *spec,
                               ist_err *err)
{
    ist_status status = set_discovery(message, spec, err);
    if (status == IST_OK) {
        status = set_lb(message, spec, err);
    }
    if (status == IST_OK) {
        status = set_http2(message, decoder->arena, spec, err);
    }
    spec->name = ist_strv_from(message->name);
    spec->tls = tls_of_cluster(message);
    set_lb_config(message, spec);
    set_common_lb(message, spec);
    set_published(message, &spec->published);
    set_metadata(message, spec);
    set_family(message, spec);
    return status;
}

static bool has_inline_endpoints(ist_mesh_discovery discovery)
{
    return discovery == IST_MESH_DISCOVERY_STATIC || discovery == IST_MESH_DISCOVERY_STRICT_DNS ||
           discovery == IST_MESH_DISCOVERY_LOGICAL_DNS;
}

static ist_status put_cluster(ist_xds_decoder *decoder, const cluster_message *message, uint64_t hash, ist_err *err)
{
    ist_mesh_cluster spec = {.published = IST_MESH_PUBLISHED_NONE, .hash = hash};
    ist_mesh_endpoints endpoints = {0};
    ist_status status = fill_cluster(decoder, message, &spec, err);
    if (status == IST_OK && has_inline_endpoints(spec.discovery)) {
        ist_strv assignment = ist_strv_make((const char *)message->load_assignment.data, message->load_assignment.len);
        status =
            ist_xds_endpoints_unpack(decoder, assignment, spec.discovery != IST_MESH_DISCOVERY_STATIC, &endpoints, err);
        spec.inline_endpoints = &endpoints;
        if (status != IST_OK && status != IST_ENOMEM) {
            ist_err_prefix(err, "load_assignment");
        }
    }
    if (status != IST_OK) {
        return status;
    }
    status = ist_mesh_builder_put_cluster(decoder->builder, &spec, err);
    return status == IST_EUNSUPPORTED ? IST_OK : status;
}

ist_status ist_xds_decode_cluster(ist_xds_decoder *decoder, ist_strv bytes, ist_err *err)
{
    ist_strv name = ist_xds_wire_bytes(bytes, CLUSTER_NAME);
    ist_mesh_cluster_key key;
    if (ist_mesh_cluster_key_parse(name, &key, NULL) == IST_EUNSUPPORTED && ist_strv_valid_utf8(name) && name.n > 0) {
        return IST_OK; // inbound|..., BlackHoleCluster: no destination of ours
    }
    uint64_t hash = ist_xds_content_hash(bytes);
    if (name.n > 0 && ist_mesh_builder_keep_cluster(decoder->builder, name, hash)) {
        return IST_OK;
    }
    const ProtobufCMessage *base = NULL;
    ist_status status =
        ist_xds_message_unpack(&envoy__config__cluster__v3__cluster__descriptor, bytes, decoder->arena, &base, err);
    if (status != IST_OK) {
        return status;
    }
    return put_cluster(decoder, (const cluster_message *)base, hash, err);
}
