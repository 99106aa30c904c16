// SPDX-License-Identifier: Apache-2.0
//
// One resource at a time through its decoder into a real builder; looked at in the published view.
#include "ist_test.h"

#include "decode_priv.h"
#include "proto/envoy_fault.pb-c.h"
#include "proto/envoy_http_options.pb-c.h"
#include "route_priv.h"
#include "xds_make.h"

typedef struct fixture {
    ist_arena *arena; // what is made
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_xds_rejects rejects;
    ist_xds_decoder decoder;
    const ist_mesh_view *view;
    ist_err err;
} fixture;

static fixture the_fixture;

static int setup(void **state)
{
    fixture *f = &the_fixture;
    ist_mesh_policy policy = {
        .namespace_ = IST_STRV("prod"), .domain = IST_STRV("cluster.local"), .identity = IST_STRV("pod.prod")};
    memset(f, 0, sizeof(*f));
    f->arena = ist_arena_new(0, 0);
    f->store = ist_mesh_store_new();
    ist_mesh_builder_args args = {.store = f->store, .policy = &policy};
    f->builder = ist_mesh_builder_new(&args);
    f->decoder = (ist_xds_decoder){.builder = f->builder,
                                   .arena = ist_arena_new(0, 0),
                                   .unit = ist_arena_new(0, 0),
                                   .rejects = &f->rejects,
                                   .max_resource_bytes = 1 << 20};
    ist_xds_rejects_clear(&f->rejects);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ist_mesh_store_release(f->store, f->view);
    ist_arena_free(f->decoder.arena);
    ist_arena_free(f->decoder.unit);
    ist_arena_free(f->arena);
    ist_mesh_builder_free(f->builder);
    ist_mesh_store_free(f->store);
    return 0;
}

static const ist_mesh_view *commit(fixture *f)
{
    if (ist_mesh_builder_commit(f->builder, NULL, &f->err) != IST_OK) {
        fail_msg("%s", f->err.text);
    }
    ist_mesh_store_release(f->store, f->view);
    f->view = ist_mesh_store_acquire(f->store);
    assert_non_null(f->view);
    return f->view;
}

static void must(fixture *f, ist_status status)
{
    if (status != IST_OK || f->rejects.count != 0) {
        fail_msg("%s: %s %s", ist_status_name(status), f->err.text, f->rejects.text);
    }
}

static void refused(fixture *f, ist_status status, const char *says)
{
    assert_int_not_equal(status, IST_OK);
    assert_int_not_equal(status, IST_ENOMEM);
    if (strstr(f->err.text, says) == NULL) {
        fail_msg("\"%s\"; wanted \"%s\"", f->err.text, says);
    }
}

static ist_status cluster(fixture *f, const void *message)
{
    return ist_xds_decode_cluster(&f->decoder, make_packed(f->arena, message), &f->err);
}

static ist_status assignment(fixture *f, const void *message)
{
    return ist_xds_decode_assignment(&f->decoder, make_packed(f->arena, message), &f->err);
}

static ist_status routes(fixture *f, const void *message)
{
    ist_xds_slice slice;
    return ist_xds_decode_routes(&f->decoder, ist_xds_span_of(make_packed(f->arena, message), &slice), &f->err);
}

static ist_status names(fixture *f, const void *message)
{
    ist_xds_slice slice;
    return ist_xds_decode_names(&f->decoder, ist_xds_span_of(make_packed(f->arena, message), &slice), &f->err);
}

static const ist_mesh_destination *destination(fixture *f, const char *host, uint16_t port)
{
    ist_mesh_cluster_key key = {.host = ist_strv_from(host), .port = port};
    const ist_mesh_destination *found = ist_mesh_view_destination(commit(f), &key);
    assert_non_null(found);
    return found;
}

#define EDS ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__EDS
#define STRICT_DNS ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__STRICT_DNS
#define STATIC ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__STATIC
#define NAME "outbound|80||a.b"

// --- CDS ------------------------------------------------------------------------------------------------------------

static Envoy__Config__Cluster__V3__Cluster *rich_cluster(fixture *f)
{
    Envoy__Config__Cluster__V3__Cluster *message = make_cluster(f->arena, NAME, EDS);
    message->lb_policy = ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__RING_HASH;
    message->lb_config_case = ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_RING_HASH_LB_CONFIG;
    message->ring_hash_lb_config = MAKE(f->arena, Envoy__Config__Cluster__V3__Cluster__RingHashLbConfig,
                                        envoy__config__cluster__v3__cluster__ring_hash_lb_config__descriptor);
    message->ring_hash_lb_config->minimum_ring_size =
        MAKE(f->arena, Google__Protobuf__UInt64Value, google__protobuf__uint64_value__descriptor);
    message->ring_hash_lb_config->minimum_ring_size->value = 1024;
    message->ring_hash_lb_config->maximum_ring_size =
        MAKE(f->arena, Google__Protobuf__UInt64Value, google__protobuf__uint64_value__descriptor);
    message->ring_hash_lb_config->maximum_ring_size->value = 4096;
    message->ring_hash_lb_config->hash_function =
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__RING_HASH_LB_CONFIG__HASH_FUNCTION__MURMUR_HASH_2;
    message->connect_timeout = MAKE(f->arena, Google__Protobuf__Duration, google__protobuf__duration__descriptor);
    message->connect_timeout->seconds = 10;
    message->common_lb_config = MAKE(f->arena, Envoy__Config__Cluster__V3__Cluster__CommonLbConfig,
                                     envoy__config__cluster__v3__cluster__common_lb_config__descriptor);
    message->common_lb_config->healthy_panic_threshold =
        MAKE(f->arena, Envoy__Type__V3__Percent, envoy__type__v3__percent__descriptor);
    message->common_lb_config->locality_config_specifier_case =
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__COMMON_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_LOCALITY_WEIGHTED_LB_CONFIG;
    message->common_lb_config->locality_weighted_lb_config =
        MAKE(f->arena, Envoy__Config__Cluster__V3__Cluster__CommonLbConfig__LocalityWeightedLbConfig,
             envoy__config__cluster__v3__cluster__common_lb_config__locality_weighted_lb_config__descriptor);
    message->outlier_detection = MAKE(f->arena, Envoy__Config__Cluster__V3__OutlierDetection,
                                      envoy__config__cluster__v3__outlier_detection__descriptor);
    message->outlier_detection->consecutive_5xx = make_u32(f->arena, 7);
    return message;
}

static void add_http2(fixture *f, Envoy__Config__Cluster__V3__Cluster *message)
{
    Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions *options =
        MAKE(f->arena, Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions,
             envoy__extensions__upstreams__http__v3__http_protocol_options__descriptor);
    options->upstream_protocol_options_case =
        ENVOY__EXTENSIONS__UPSTREAMS__HTTP__V3__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_EXPLICIT_HTTP_CONFIG;
    options->explicit_http_config =
        MAKE(f->arena, Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions__ExplicitHttpConfig,
             envoy__extensions__upstreams__http__v3__http_protocol_options__explicit_http_config__descriptor);
    options->explicit_http_config->protocol_config_case = 2; // its only member
    options->explicit_http_config->http2_protocol_options =
        MAKE(f->arena, Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions__Http2Options,
             envoy__extensions__upstreams__http__v3__http_protocol_options__http2_options__descriptor);
    Envoy__Config__Cluster__V3__Cluster__TypedExtensionProtocolOptionsEntry *entry =
        MAKE(f->arena, Envoy__Config__Cluster__V3__Cluster__TypedExtensionProtocolOptionsEntry,
             envoy__config__cluster__v3__cluster__typed_extension_protocol_options_entry__descriptor);
    entry->key = make_text(f->arena, "envoy.extensions.upstreams.http.v3.HttpProtocolOptions");
    entry->value = make_any(f->arena, "", make_packed(f->arena, options));
    message->typed_extension_protocol_options =
        (Envoy__Config__Cluster__V3__Cluster__TypedExtensionProtocolOptionsEntry **)make_list(f->arena, 1);
    message->typed_extension_protocol_options[0] = entry;
    message->n_typed_extension_protocol_options = 1;
}

static void cluster_fields_arrive_in_the_view(void **state)
{
    fixture *f = *state;
    Envoy__Config__Cluster__V3__Cluster *message = rich_cluster(f);
    Envoy__Config__Core__V3__Metadata *metadata = make_metadata(f->arena);
    make_metadata_add(f->arena, metadata, "istio",
                      make_struct(f->arena, "config", "/apis/x/destination-rule/dr", "external", "true", NULL));
    message->metadata = make_bytes(f->arena, metadata);
    add_http2(f, message);
    must(f, cluster(f, message));
    must(f, assignment(f, make_assignment(f->arena, NAME, NULL, 0)));
    const ist_mesh_cluster *got = destination(f, "a.b", 80)->cluster;
    assert_int_equal(got->discovery, IST_MESH_DISCOVERY_EDS);
    assert_int_equal(got->lb, IST_MESH_LB_RING_HASH);
    assert_int_equal(got->ring_size, 1024);
    assert_int_equal(got->max_ring_size, 4096);
    assert_true(got->hash_unsupported);
    assert_true(got->locality_weighted);
    assert_true(got->http2);
    assert_true(got->external);
    assert_int_equal(got->tls, IST_MESH_TLS_DISABLE);
    assert_true(got->panic_percent >= 0 && got->panic_percent <= 0);
    assert_int_equal(got->published.connect_timeout_ms, 10000);
    assert_int_equal(got->published.consecutive_5xx, 7);
    assert_int_equal(got->published.max_connections, UINT32_MAX);
    ist_test_strv_equal(got->config, "/apis/x/destination-rule/dr");
}

static void cluster_that_is_no_destination_of_ours_is_ignored(void **state)
{
    fixture *f = *state;
    static const char *const ours_not[] = {"BlackHoleCluster", "PassthroughCluster", "inbound|80||", "local_cluster"};
    for (size_t i = 0; i < IST_COUNT(ours_not); i++) {
        must(f, cluster(f, make_cluster(f->arena, ours_not[i], STATIC)));
    }
}

static void bad_cluster_is_refused_with_its_field(void **state)
{
    fixture *f = *state;
    Envoy__Config__Cluster__V3__Cluster *message = make_cluster(f->arena, NAME, EDS);
    message->type = (Envoy__Config__Cluster__V3__Cluster__DiscoveryType)9;
    refused(f, cluster(f, message), "type 9 is not known");
    message = make_cluster(f->arena, NAME, EDS);
    message->lb_policy = (Envoy__Config__Cluster__V3__Cluster__LbPolicy)4;
    refused(f, cluster(f, message), "lb_policy 4 is not known");
    message = make_cluster(f->arena, "outbound|80||\xff", EDS);
    refused(f, cluster(f, message), "name of Cluster is not valid UTF-8");
    refused(f, cluster(f, make_cluster(f->arena, "outbound|70000||a.b", EDS)), "70000");
}

static void lb_policies_are_told_apart(void **state)
{
    fixture *f = *state;
    static const struct {
        unsigned number;
        ist_mesh_lb lb;
    } cases[] = {{0, IST_MESH_LB_ROUND_ROBIN},  {1, IST_MESH_LB_LEAST_REQUEST}, {2, IST_MESH_LB_RING_HASH},
                 {3, IST_MESH_LB_RANDOM},       {5, IST_MESH_LB_MAGLEV},        {6, IST_MESH_LB_CLUSTER_PROVIDED},
                 {7, IST_MESH_LB_LEAST_REQUEST}};
    must(f, assignment(f, make_assignment(f->arena, NAME, NULL, 0)));
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        Envoy__Config__Cluster__V3__Cluster *message = make_cluster(f->arena, NAME, EDS);
        message->lb_policy = (Envoy__Config__Cluster__V3__Cluster__LbPolicy)cases[i].number;
        must(f, cluster(f, message));
        assert_int_equal(destination(f, "a.b", 80)->cluster->lb, cases[i].lb);
    }
}

// A field with a length.
static ist_strv bytes_field(fixture *f, char number, ist_strv value)
{
    char *out = ist_arena_alloc(f->arena, value.n + 3);
    assert_non_null(out);
    out[0] = (char)((number << 3) | 2);
    out[1] = (char)((value.n & 0x7f) | 0x80);
    out[2] = (char)(value.n >> 7);
    memcpy(out + 3, value.p, value.n);
    return ist_strv_make(out, value.n + 3);
}

static ist_strv two_fields(fixture *f, ist_strv a, ist_strv b)
{
    char *out = ist_arena_alloc(f->arena, a.n + b.n);
    assert_non_null(out);
    memcpy(out, a.p, a.n);
    memcpy(out + a.n, b.p, b.n);
    return ist_strv_make(out, a.n + b.n);
}

static ist_strv socket_of(fixture *f, const char *type, ist_strv config)
{
    ist_strv url = ist_strv_from(make_text(f->arena, "type.googleapis.com/envoy.extensions.transport_sockets.%s", type));
    ist_strv any = two_fields(f, bytes_field(f, 1, url), bytes_field(f, 2, config));
    return two_fields(f, bytes_field(f, 1, IST_STRV("some.name")), bytes_field(f, 3, any));
}

// `secret`: name of the client certificate's secret; NULL = none.
static ist_strv tls_socket(fixture *f, const char *secret)
{
    ist_strv common = IST_STRV("");
    if (secret != NULL) {
        common = bytes_field(f, 6, bytes_field(f, 1, ist_strv_from(secret)));
    }
    return socket_of(f, "tls.v3.UpstreamTlsContext", bytes_field(f, 1, common));
}

static ProtobufCBinaryData data_of(fixture *f, ist_strv bytes)
{
    uint8_t *out = ist_arena_alloc(f->arena, bytes.n + 1);
    assert_non_null(out);
    memcpy(out, bytes.p, bytes.n);
    return (ProtobufCBinaryData){bytes.n, out};
}

static ist_mesh_tls tls_of(fixture *f, ist_strv socket, const ist_strv *matches, size_t match_count)
{
    Envoy__Config__Cluster__V3__Cluster *message = make_cluster(f->arena, NAME, EDS);
    message->transport_socket = data_of(f, socket);
    message->n_transport_socket_matches = match_count;
    message->transport_socket_matches = IST_ARENA_ARRAY(f->arena, match_count + 1, ProtobufCBinaryData);
    assert_non_null(message->transport_socket_matches);
    for (size_t i = 0; i < match_count; i++) {
        ist_strv one = two_fields(f, bytes_field(f, 1, IST_STRV("x")), bytes_field(f, 3, matches[i]));
        message->transport_socket_matches[i] = data_of(f, one);
    }
    must(f, cluster(f, message));
    return destination(f, "a.b", 80)->cluster->tls;
}

static void tls_mode_is_told_by_the_sockets(void **state)
{
    fixture *f = *state;
    must(f, assignment(f, make_assignment(f->arena, NAME, NULL, 0)));
    ist_strv raw = socket_of(f, "raw_buffer.v3.RawBuffer", IST_STRV(""));
    ist_strv mtls = tls_socket(f, "default");
    ist_strv own = tls_socket(f, "file-cert:/etc/c.pem~/etc/k.pem");
    ist_strv wrapped = socket_of(f, "proxy_protocol.v3.ProxyProtocolUpstreamTransport", bytes_field(f, 2, own));
    ist_strv certificates = bytes_field(f, 1, bytes_field(f, 2, IST_STRV("")));
    assert_int_equal(tls_of(f, raw, NULL, 0), IST_MESH_TLS_DISABLE);
    assert_int_equal(tls_of(f, IST_STRV(""), NULL, 0), IST_MESH_TLS_DISABLE);
    assert_int_equal(tls_of(f, mtls, NULL, 0), IST_MESH_TLS_ISTIO_MUTUAL);
    assert_int_equal(tls_of(f, own, NULL, 0), IST_MESH_TLS_MUTUAL);
    assert_int_equal(tls_of(f, socket_of(f, "tls.v3.UpstreamTlsContext", certificates), NULL, 0), IST_MESH_TLS_MUTUAL);
    assert_int_equal(tls_of(f, wrapped, NULL, 0), IST_MESH_TLS_MUTUAL);
    assert_int_equal(tls_of(f, tls_socket(f, NULL), NULL, 0), IST_MESH_TLS_SIMPLE);
    assert_int_equal(tls_of(f, IST_STRV(""), (ist_strv[]){mtls, raw}, 2), IST_MESH_TLS_AUTO);
    assert_int_equal(tls_of(f, IST_STRV(""), (ist_strv[]){raw, mtls}, 2), IST_MESH_TLS_AUTO);
    assert_int_equal(tls_of(f, IST_STRV(""), (ist_strv[]){mtls}, 1), IST_MESH_TLS_ISTIO_MUTUAL);
    assert_int_equal(tls_of(f, IST_STRV(""), (ist_strv[]){tls_socket(f, NULL)}, 1), IST_MESH_TLS_SIMPLE);
    assert_int_equal(tls_of(f, IST_STRV(""), (ist_strv[]){raw}, 1), IST_MESH_TLS_DISABLE);
    assert_int_equal(tls_of(f, IST_STRV("\x08\xff"), (ist_strv[]){IST_STRV("\xff")}, 1), IST_MESH_TLS_DISABLE);
}

static void custom_cluster_type_is_dynamic_dns_or_refused(void **state)
{
    fixture *f = *state;
    Envoy__Config__Cluster__V3__Cluster *message = make_cluster(f->arena, "outbound|80||*.x.y", EDS);
    message->cluster_discovery_type_case = ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE;
    message->cluster_type = MAKE(f->arena, Envoy__Config__Cluster__V3__Cluster__CustomClusterType,
                                 envoy__config__cluster__v3__cluster__custom_cluster_type__descriptor);
    message->cluster_type->name = make_text(f->arena, "envoy.clusters.dynamic_forward_proxy");
    must(f, cluster(f, message));
    assert_int_equal(destination(f, "*.x.y", 80)->cluster->discovery, IST_MESH_DISCOVERY_DYNAMIC_DNS);
    message->cluster_type->name = make_text(f->arena, "envoy.clusters.redis");
    refused(f, cluster(f, message), "cluster_type envoy.clusters.redis is not known");
}

static void dns_cluster_keeps_its_host_names(void **state)
{
    fixture *f = *state;
    Envoy__Config__Endpoint__V3__LbEndpoint **list = (Envoy__Config__Endpoint__V3__LbEndpoint **)make_list(f->arena, 2);
    list[0] = make_endpoint(f->arena, "db.example.com", 5432);
    list[1] = make_endpoint(f->arena, "10.9.9.9", 5432);
    ist_mesh_endpoints got;
    ist_strv bytes = make_packed(f->arena, make_assignment(f->arena, NAME, list, 2));
    must(f, ist_xds_endpoints_unpack(&f->decoder, bytes, true, &got, &f->err));
    assert_int_equal(got.count, 2);
    assert_int_equal(got.items[0].family, 0);
    ist_test_strv_equal(got.hostnames[got.items[0].alternate], "db.example.com");
    assert_int_equal(got.items[1].family, 4);
    refused(f, ist_xds_endpoints_unpack(&f->decoder, bytes, false, &got, &f->err), "lb_endpoints[0]");
    Envoy__Config__Cluster__V3__Cluster *message = make_cluster(f->arena, NAME, STRICT_DNS);
    message->load_assignment = make_bytes(f->arena, make_assignment(f->arena, NAME, list, 2));
    must(f, cluster(f, message));
}

// --- EDS ------------------------------------------------------------------------------------------------------------

static void set_workload(fixture *f, Envoy__Config__Endpoint__V3__LbEndpoint *endpoint, const char *workload, bool mtls)
{
    Envoy__Config__Core__V3__Metadata *metadata = make_metadata(f->arena);
    make_metadata_add(f->arena, metadata, "istio", make_struct(f->arena, "workload", workload, NULL));
    if (mtls) {
        make_metadata_add(f->arena, metadata, "envoy.transport_socket_match",
                          make_struct(f->arena, "tlsMode", "istio", NULL));
    }
    endpoint->metadata = make_bytes(f->arena, metadata);
}

static void endpoint_fields_arrive(void **state)
{
    fixture *f = *state;
    Envoy__Config__Endpoint__V3__LbEndpoint **list = (Envoy__Config__Endpoint__V3__LbEndpoint **)make_list(f->arena, 4);
    list[0] = make_endpoint(f->arena, "10.0.0.1", 8080);
    list[1] = make_endpoint(f->arena, "::ffff:10.0.0.2", 8081);
    list[2] = make_endpoint(f->arena, "10.0.0.3", 15443);
    list[3] = make_endpoint(f->arena, "fd00::4", 1);
    set_workload(f, list[0], "w-v1;ns;w;v1;Kubernetes", true);
    set_workload(f, list[1], "w-v1;ns;w;v1;Kubernetes", false);
    set_workload(f, list[2], ";;;;remote", true);
    list[0]->load_balancing_weight = make_u32(f->arena, 3);
    list[1]->load_balancing_weight = NULL;
    list[1]->health_status = ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__UNHEALTHY;
    Envoy__Config__Endpoint__V3__Endpoint__AdditionalAddress *other =
        MAKE(f->arena, Envoy__Config__Endpoint__V3__Endpoint__AdditionalAddress,
             envoy__config__endpoint__v3__endpoint__additional_address__descriptor);
    other->address = make_address(f->arena, "fd00::1", 8080);
    list[0]->endpoint->additional_addresses =
        (Envoy__Config__Endpoint__V3__Endpoint__AdditionalAddress **)make_list(f->arena, 1);
    list[0]->endpoint->additional_addresses[0] = other;
    list[0]->endpoint->n_additional_addresses = 1;
    Envoy__Config__Endpoint__V3__ClusterLoadAssignment *message = make_assignment(f->arena, NAME, list, 4);
    message->endpoints[0]->priority = 2;
    ist_mesh_endpoints got;
    must(f, ist_xds_endpoints_unpack(&f->decoder, make_packed(f->arena, message), false, &got, &f->err));
    assert_int_equal(got.count, 4);
    assert_int_equal(got.locality_count, 1);
    assert_int_equal(got.localities[0].priority, 2);
    assert_int_equal(got.localities[0].weight, 4);
    assert_int_equal(got.localities[0].count, 4);
    ist_test_strv_equal(got.localities[0].zone, "z1");
    assert_int_equal(got.items[0].weight, 3);
    assert_int_equal(got.items[0].flags, IST_MESH_ENDPOINT_MTLS);
    assert_int_equal(got.alternates[got.items[0].alternate].family, 6);
    assert_int_equal(got.items[1].weight, 1);
    assert_int_equal(got.items[1].family, 4);
    assert_int_equal(got.items[1].health, IST_MESH_UNHEALTHY);
    assert_int_equal(got.items[1].flags, 0);
    assert_int_equal(got.workload_count, 2); // shared
    assert_int_equal(got.items[0].workload, got.items[1].workload);
    ist_test_strv_equal(got.workloads[got.items[0].workload], "w-v1;ns;w;v1;Kubernetes");
    assert_int_equal(got.items[2].flags, IST_MESH_ENDPOINT_MTLS | IST_MESH_ENDPOINT_GATEWAY);
    assert_int_equal(got.items[3].family, 6);
    assert_int_equal(got.items[3].workload, IST_MESH_NO_INDEX);
}

static void endpoint_that_only_envoy_can_reach_is_skipped(void **state)
{
    fixture *f = *state;
    Envoy__Config__Endpoint__V3__LbEndpoint **list = (Envoy__Config__Endpoint__V3__LbEndpoint **)make_list(f->arena, 3);
    list[0] = make_endpoint(f->arena, "10.0.0.1", 8080);
    list[1] = make_endpoint(f->arena, "10.0.0.1", 8080);
    list[2] = make_endpoint(f->arena, "10.0.0.1", 8080);
    list[1]->endpoint->address->address_case = ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_PIPE;
    list[1]->endpoint->address->pipe =
        MAKE(f->arena, Envoy__Config__Core__V3__Pipe, envoy__config__core__v3__pipe__descriptor);
    list[2]->endpoint->address->address_case = ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_ENVOY_INTERNAL_ADDRESS;
    list[2]->endpoint->address->envoy_internal_address =
        MAKE(f->arena, Envoy__Config__Core__V3__EnvoyInternalAddress,
             envoy__config__core__v3__envoy_internal_address__descriptor);
    ist_mesh_endpoints got;
    must(f, ist_xds_endpoints_unpack(&f->decoder, make_packed(f->arena, make_assignment(f->arena, NAME, list, 3)),
                                     false, &got, &f->err));
    assert_int_equal(got.count, 1);
    assert_int_equal(got.localities[0].count, 1);
    assert_int_equal(f->decoder.skipped_endpoints, 2);
}

static void bad_endpoint_refuses_its_assignment(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *ip;
        uint32_t port;
        const char *says;
    } cases[] = {
        {"10.0.0.1", 0, "endpoints[0].lb_endpoints[1]: socket_address.port_value 0 is no port"},
        {"10.0.0.1", 70000, "port_value 70000"},
        {"fe80::1%eth0", 80, "socket_address.address"},
        {"host.example.com", 80, "socket_address.address"},
        {"10.0.0.256", 80, "socket_address.address"},
        {"10.0.0.\xff", 80, "field address of SocketAddress is not valid UTF-8"},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        Envoy__Config__Endpoint__V3__LbEndpoint **list =
            (Envoy__Config__Endpoint__V3__LbEndpoint **)make_list(f->arena, 2);
        list[0] = make_endpoint(f->arena, "10.0.0.1", 80);
        list[1] = make_endpoint(f->arena, cases[i].ip, cases[i].port);
        refused(f, assignment(f, make_assignment(f->arena, NAME, list, 2)), cases[i].says);
    }
    Envoy__Config__Endpoint__V3__LbEndpoint *endpoint = make_endpoint(f->arena, "10.0.0.1", 80);
    endpoint->health_status = (Envoy__Config__Core__V3__HealthStatus)6;
    refused(f, assignment(f, make_assignment(f->arena, NAME, &endpoint, 1)), "health_status 6 is not known");
    refused(f, assignment(f, make_assignment(f->arena, "", &endpoint, 1)), "cluster_name is missing");
}

static void endpoints_of_an_unknown_cluster_wait_for_it(void **state)
{
    fixture *f = *state;
    Envoy__Config__Endpoint__V3__LbEndpoint *endpoint = make_endpoint(f->arena, "10.0.0.1", 80);
    must(f, assignment(f, make_assignment(f->arena, NAME, &endpoint, 1)));
    must(f, cluster(f, make_cluster(f->arena, NAME, EDS)));
    assert_int_equal(destination(f, "a.b", 80)->endpoints->count, 1);
}

// --- RDS ------------------------------------------------------------------------------------------------------------

static ist_mesh_virtual_host filled(fixture *f, const Envoy__Config__Route__V3__VirtualHost *message)
{
    ist_mesh_virtual_host spec = {0};
    must(f, ist_xds_virtual_host_fill(&message->base, f->arena, &spec, &f->err));
    return spec;
}

static void route_matches_are_translated(void **state)
{
    fixture *f = *state;
    Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "A.B", 80, NAME);
    Envoy__Config__Route__V3__RouteMatch *match = message->routes[0]->match;
    Envoy__Config__Route__V3__HeaderMatcher *header =
        MAKE(f->arena, Envoy__Config__Route__V3__HeaderMatcher, envoy__config__route__v3__header_matcher__descriptor);
    Envoy__Config__Route__V3__HeaderMatcher *absent =
        MAKE(f->arena, Envoy__Config__Route__V3__HeaderMatcher, envoy__config__route__v3__header_matcher__descriptor);
    Envoy__Config__Route__V3__QueryParameterMatcher *query =
        MAKE(f->arena, Envoy__Config__Route__V3__QueryParameterMatcher,
             envoy__config__route__v3__query_parameter_matcher__descriptor);
    header->name = make_text(f->arena, "X-User");
    header->header_match_specifier_case = ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH;
    header->string_match =
        MAKE(f->arena, Envoy__Type__Matcher__V3__StringMatcher, envoy__type__matcher__v3__string_matcher__descriptor);
    header->string_match->match_pattern_case = ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_SUFFIX;
    header->string_match->suffix = make_text(f->arena, "son");
    header->string_match->ignore_case = true;
    absent->name = make_text(f->arena, "y");
    absent->header_match_specifier_case =
        ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PRESENT_MATCH;
    absent->present_match = false;
    query->name = make_text(f->arena, "q");
    query->query_parameter_match_specifier_case =
        ENVOY__CONFIG__ROUTE__V3__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_PRESENT_MATCH;
    query->present_match = true;
    match->headers = (Envoy__Config__Route__V3__HeaderMatcher **)make_list(f->arena, 2);
    match->headers[0] = header;
    match->headers[1] = absent;
    match->n_headers = 2;
    match->query_parameters = &query;
    match->n_query_parameters = 1;
    match->case_sensitive = MAKE(f->arena, Google__Protobuf__BoolValue, google__protobuf__bool_value__descriptor);
    ist_mesh_virtual_host got = filled(f, message);
    ist_test_strv_equal(got.domains[0], "a.b");
    const ist_mesh_route *route = &got.routes[0];
    assert_int_equal(route->path.kind, IST_MESH_MATCH_PREFIX);
    assert_true(route->path.ignore_case);
    ist_test_strv_equal(route->headers[0].name, "x-user");
    assert_int_equal(route->headers[0].kind, IST_MESH_MATCH_SUFFIX);
    assert_true(route->headers[0].ignore_case);
    assert_int_equal(route->headers[1].kind, IST_MESH_MATCH_PRESENT);
    assert_true(route->headers[1].invert);
    assert_int_equal(route->queries[0].kind, IST_MESH_MATCH_PRESENT);
    assert_int_equal(route->fraction_per_million, 1000000);
    assert_false(route->unsupported_match);
}

static ist_mesh_match_kind header_kind(fixture *f, Envoy__Config__Route__V3__HeaderMatcher *header)
{
    Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
    header->name = make_text(f->arena, "x");
    message->routes[0]->match->headers = &header;
    message->routes[0]->match->n_headers = 1;
    return filled(f, message).routes[0].headers[0].kind;
}

static void header_specifiers_are_told_apart(void **state)
{
    fixture *f = *state;
    static const struct {
        unsigned number; // of the field, which is its case
        ist_mesh_match_kind kind;
    } cases[] = {{4, IST_MESH_MATCH_EXACT},   {9, IST_MESH_MATCH_PREFIX},    {10, IST_MESH_MATCH_SUFFIX},
                 {7, IST_MESH_MATCH_PRESENT}, {12, IST_MESH_MATCH_CONTAINS}, {0, IST_MESH_MATCH_PRESENT}};
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        Envoy__Config__Route__V3__HeaderMatcher *header = MAKE(f->arena, Envoy__Config__Route__V3__HeaderMatcher,
                                                               envoy__config__route__v3__header_matcher__descriptor);
        header->header_match_specifier_case =
            (Envoy__Config__Route__V3__HeaderMatcher__HeaderMatchSpecifierCase)cases[i].number;
        header->exact_match = make_text(f->arena, "v");
        assert_int_equal(header_kind(f, header), cases[i].kind);
    }
    Envoy__Config__Route__V3__HeaderMatcher *header =
        MAKE(f->arena, Envoy__Config__Route__V3__HeaderMatcher, envoy__config__route__v3__header_matcher__descriptor);
    header->header_match_specifier_case = ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_RANGE_MATCH;
    header->range_match = MAKE(f->arena, Envoy__Type__V3__Int64Range, envoy__type__v3__int64_range__descriptor);
    assert_int_equal(header_kind(f, header), IST_MESH_MATCH_RANGE);
    header->header_match_specifier_case =
        ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SAFE_REGEX_MATCH;
    header->safe_regex_match =
        MAKE(f->arena, Envoy__Type__Matcher__V3__RegexMatcher, envoy__type__matcher__v3__regex_matcher__descriptor);
    assert_int_equal(header_kind(f, header), IST_MESH_MATCH_REGEX);
}

static void string_patterns_are_told_apart(void **state)
{
    fixture *f = *state;
    static const struct {
        unsigned number;
        ist_mesh_match_kind kind;
    } cases[] = {{1, IST_MESH_MATCH_EXACT},
                 {2, IST_MESH_MATCH_PREFIX},
                 {3, IST_MESH_MATCH_SUFFIX},
                 {7, IST_MESH_MATCH_CONTAINS}};
    Envoy__Config__Route__V3__HeaderMatcher *header =
        MAKE(f->arena, Envoy__Config__Route__V3__HeaderMatcher, envoy__config__route__v3__header_matcher__descriptor);
    header->header_match_specifier_case = ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH;
    header->string_match =
        MAKE(f->arena, Envoy__Type__Matcher__V3__StringMatcher, envoy__type__matcher__v3__string_matcher__descriptor);
    header->string_match->exact = make_text(f->arena, "v");
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        header->string_match->match_pattern_case =
            (Envoy__Type__Matcher__V3__StringMatcher__MatchPatternCase)cases[i].number;
        assert_int_equal(header_kind(f, header), cases[i].kind);
    }
    header->string_match->match_pattern_case = ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN__NOT_SET;
    Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
    ist_mesh_virtual_host spec = {0};
    message->routes[0]->match->headers = &header;
    message->routes[0]->match->n_headers = 1;
    refused(f, ist_xds_virtual_host_fill(&message->base, f->arena, &spec, &f->err),
            "routes[0]: match.headers[0]: string_match has no pattern");
}

static void fractions_are_millionths(void **state)
{
    fixture *f = *state;
    static const struct {
        uint32_t numerator;
        unsigned denominator;
        uint32_t millionths;
    } cases[] = {{50, 0, 500000}, {50, 1, 5000}, {50, 2, 50}, {200, 0, 1000000}};
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
        Envoy__Config__Route__V3__RuntimeFractionalPercent *fraction =
            MAKE(f->arena, Envoy__Config__Route__V3__RuntimeFractionalPercent,
                 envoy__config__route__v3__runtime_fractional_percent__descriptor);
        fraction->default_value =
            MAKE(f->arena, Envoy__Type__V3__FractionalPercent, envoy__type__v3__fractional_percent__descriptor);
        fraction->default_value->numerator = cases[i].numerator;
        fraction->default_value->denominator =
            (Envoy__Type__V3__FractionalPercent__DenominatorType)cases[i].denominator;
        message->routes[0]->match->runtime_fraction = fraction;
        assert_int_equal(filled(f, message).routes[0].fraction_per_million, cases[i].millionths);
    }
}

static void redirect_codes_are_statuses(void **state)
{
    fixture *f = *state;
    static const uint32_t statuses[] = {301, 302, 303, 307, 308};
    for (unsigned i = 0; i < IST_COUNT(statuses); i++) {
        Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
        message->routes[0]->action_case = ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_REDIRECT;
        message->routes[0]->redirect = MAKE(f->arena, Envoy__Config__Route__V3__RedirectAction,
                                            envoy__config__route__v3__redirect_action__descriptor);
        message->routes[0]->redirect->response_code = (Envoy__Config__Route__V3__RedirectAction__RedirectResponseCode)i;
        assert_int_equal(filled(f, message).routes[0].response_status, statuses[i]);
    }
}

static void path_specifiers_are_told_apart(void **state)
{
    fixture *f = *state;
    Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
    Envoy__Config__Route__V3__RouteMatch *match = message->routes[0]->match;
    match->path_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PATH;
    match->path = make_text(f->arena, "/x");
    assert_int_equal(filled(f, message).routes[0].path.kind, IST_MESH_MATCH_EXACT);
    match->path_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PATH_SEPARATED_PREFIX;
    assert_int_equal(filled(f, message).routes[0].path.kind, IST_MESH_MATCH_SEPARATED_PREFIX);
    match->path_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_SAFE_REGEX;
    match->safe_regex =
        MAKE(f->arena, Envoy__Type__Matcher__V3__RegexMatcher, envoy__type__matcher__v3__regex_matcher__descriptor);
    match->safe_regex->regex = make_text(f->arena, "/x.*");
    assert_int_equal(filled(f, message).routes[0].path.kind, IST_MESH_MATCH_REGEX);
    match->path_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER__NOT_SET;
    assert_true(filled(f, message).routes[0].unsupported_match);
}

static Envoy__Config__Route__V3__WeightedCluster__ClusterWeight *weighted(fixture *f, const char *name, uint32_t weight)
{
    Envoy__Config__Route__V3__WeightedCluster__ClusterWeight *cluster =
        MAKE(f->arena, Envoy__Config__Route__V3__WeightedCluster__ClusterWeight,
             envoy__config__route__v3__weighted_cluster__cluster_weight__descriptor);
    cluster->name = make_text(f->arena, "%s", name);
    cluster->weight = weight != 0 ? make_u32(f->arena, weight) : NULL;
    return cluster;
}

typedef Envoy__Config__Route__V3__RouteAction__HashPolicy hash_policy_message;

#define MAKE_HASH(f, type, descriptor)                                                                                 \
    MAKE((f)->arena, Envoy__Config__Route__V3__RouteAction__HashPolicy__##type,                                        \
         envoy__config__route__v3__route_action__hash_policy__##descriptor##__descriptor)

// One of each kind, the number of its field deciding.
static hash_policy_message *hash_policy(fixture *f, unsigned number)
{
    hash_policy_message *policy =
        MAKE(f->arena, hash_policy_message, envoy__config__route__v3__route_action__hash_policy__descriptor);
    policy->policy_specifier_case =
        (Envoy__Config__Route__V3__RouteAction__HashPolicy__PolicySpecifierCase)number;
    switch (number) {
    case 1:
        policy->header = MAKE_HASH(f, Header, header);
        policy->header->header_name = make_text(f->arena, "X-User");
        break;
    case 2:
        policy->cookie = MAKE_HASH(f, Cookie, cookie);
        policy->cookie->name = make_text(f->arena, "Sid");
        break;
    case 3:
        policy->connection_properties = MAKE_HASH(f, ConnectionProperties, connection_properties);
        policy->connection_properties->source_ip = true;
        break;
    case 5:
        policy->query_parameter = MAKE_HASH(f, QueryParameter, query_parameter);
        policy->query_parameter->name = make_text(f->arena, "K");
        break;
    default:
        break;
    }
    return policy;
}

static void hash_policies_are_told_apart(void **state)
{
    fixture *f = *state;
    enum { COUNT = 8 };
    Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
    hash_policy_message *policies[COUNT];
    static const unsigned numbers[COUNT] = {1, 2, 2, 3, 3, 5, 6, 1};
    for (size_t i = 0; i < COUNT; i++) {
        policies[i] = hash_policy(f, numbers[i]);
    }
    policies[0]->terminal = true;
    policies[2]->cookie->ttl = MAKE(f->arena, Google__Protobuf__Duration, google__protobuf__duration__descriptor);
    policies[4]->connection_properties->source_ip = false; // says nothing, is left out
    policies[7]->header->regex_rewrite = make_bytes(f->arena, hash_policy(f, 1));
    message->routes[0]->route->hash_policy = policies;
    message->routes[0]->route->n_hash_policy = COUNT;
    ist_mesh_virtual_host got = filled(f, message);
    static const ist_mesh_hash_policy want[] = {
        {.kind = IST_MESH_HASH_HEADER, .terminal = true, .name = IST_STRV_INIT("x-user")},
        {.kind = IST_MESH_HASH_COOKIE, .name = IST_STRV_INIT("Sid")},
        {.kind = IST_MESH_HASH_COOKIE, .generated = true, .name = IST_STRV_INIT("Sid")},
        {.kind = IST_MESH_HASH_SOURCE_IP},
        {.kind = IST_MESH_HASH_QUERY, .name = IST_STRV_INIT("K")},
        {.kind = IST_MESH_HASH_OTHER},
        {.kind = IST_MESH_HASH_OTHER, .name = IST_STRV_INIT("x-user")},
    };
    assert_int_equal(got.routes[0].hash_policy_count, IST_COUNT(want));
    for (size_t i = 0; i < IST_COUNT(want); i++) {
        const ist_mesh_hash_policy *policy = &got.routes[0].hash_policies[i];
        assert_int_equal(policy->kind, want[i].kind);
        assert_int_equal(policy->terminal, want[i].terminal);
        assert_int_equal(policy->generated, want[i].generated);
        assert_true(ist_strv_equal(policy->name, want[i].name));
    }
}

static void route_actions_are_translated(void **state)
{
    fixture *f = *state;
    Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
    Envoy__Config__Route__V3__RouteAction *action = message->routes[0]->route;
    action->cluster_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    action->weighted_clusters = MAKE(f->arena, Envoy__Config__Route__V3__WeightedCluster,
                                     envoy__config__route__v3__weighted_cluster__descriptor);
    action->weighted_clusters->clusters =
        (Envoy__Config__Route__V3__WeightedCluster__ClusterWeight **)make_list(f->arena, 2);
    action->weighted_clusters->clusters[0] = weighted(f, "outbound|80|v1|a.b", 90);
    action->weighted_clusters->clusters[1] = weighted(f, "outbound|80|v2|a.b", 20);
    action->weighted_clusters->n_clusters = 2;
    ist_mesh_virtual_host got = filled(f, message);
    assert_int_equal(got.routes[0].destination_count, 2);
    assert_int_equal(got.routes[0].destinations[0].weight, 90);
    ist_test_strv_equal(got.routes[0].destinations[1].cluster, "outbound|80|v2|a.b");

    action->weighted_clusters->clusters[1] = weighted(f, "outbound|80|v2|a.b", 0);
    ist_mesh_virtual_host spec = {0};
    refused(f, ist_xds_virtual_host_fill(&message->base, f->arena, &spec, &f->err), "clusters[1].weight is missing");

    action->cluster_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER_HEADER;
    action->cluster_header = make_text(f->arena, "x");
    assert_int_equal(filled(f, message).routes[0].action, IST_MESH_ACTION_OTHER);

    message->routes[0]->action_case = ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_REDIRECT;
    message->routes[0]->redirect =
        MAKE(f->arena, Envoy__Config__Route__V3__RedirectAction, envoy__config__route__v3__redirect_action__descriptor);
    message->routes[0]->redirect->host_redirect = make_text(f->arena, "new.b");
    got = filled(f, message);
    assert_int_equal(got.routes[0].action, IST_MESH_ACTION_REDIRECT);
    assert_int_equal(got.routes[0].response_status, 301);
    ist_test_strv_equal(got.routes[0].redirect_host, "new.b");

    message->routes[0]->action_case = ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_DIRECT_RESPONSE;
    message->routes[0]->direct_response = MAKE(f->arena, Envoy__Config__Route__V3__DirectResponseAction,
                                               envoy__config__route__v3__direct_response_action__descriptor);
    message->routes[0]->direct_response->status = 503;
    assert_int_equal(filled(f, message).routes[0].response_status, 503);
}

static void fault_and_timeouts_are_published(void **state)
{
    fixture *f = *state;
    Envoy__Config__Route__V3__VirtualHost *message = make_virtual_host(f->arena, "a.b", 80, NAME);
    Envoy__Extensions__Filters__Http__Fault__V3__HTTPFault *fault =
        MAKE(f->arena, Envoy__Extensions__Filters__Http__Fault__V3__HTTPFault,
             envoy__extensions__filters__http__fault__v3__httpfault__descriptor);
    fault->abort = MAKE(f->arena, Envoy__Extensions__Filters__Http__Fault__V3__FaultAbort,
                        envoy__extensions__filters__http__fault__v3__fault_abort__descriptor);
    fault->abort->error_type_case = ENVOY__EXTENSIONS__FILTERS__HTTP__FAULT__V3__FAULT_ABORT__ERROR_TYPE_HTTP_STATUS;
    fault->abort->http_status = 418;
    Envoy__Config__Route__V3__Route__TypedPerFilterConfigEntry *entry =
        MAKE(f->arena, Envoy__Config__Route__V3__Route__TypedPerFilterConfigEntry,
             envoy__config__route__v3__route__typed_per_filter_config_entry__descriptor);
    entry->key = make_text(f->arena, "envoy.filters.http.fault");
    entry->value = make_any(f->arena, "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
                            make_packed(f->arena, fault));
    message->routes[0]->typed_per_filter_config = &entry;
    message->routes[0]->n_typed_per_filter_config = 1;
    message->routes[0]->route->timeout =
        MAKE(f->arena, Google__Protobuf__Duration, google__protobuf__duration__descriptor);
    ist_mesh_virtual_host got = filled(f, message);
    assert_int_equal(got.routes[0].policy.fault_abort_status, 418);
    assert_int_equal(got.routes[0].policy.fault_delay_ms, UINT32_MAX);
    assert_int_equal(got.routes[0].policy.timeout_ms, 0);
    assert_int_equal(got.routes[0].policy.retries, UINT32_MAX);
}

static void virtual_host_that_is_refused_leaves_the_others(void **state)
{
    fixture *f = *state;
    Envoy__Config__Route__V3__VirtualHost **hosts = (Envoy__Config__Route__V3__VirtualHost **)make_list(f->arena, 4);
    hosts[0] = make_virtual_host(f->arena, "a.b", 80, NAME);
    hosts[1] = make_virtual_host(f->arena, "bad.b", 80, NAME);
    hosts[1]->routes[0]->match = NULL;
    hosts[2] = make_virtual_host(f->arena, "c.d", 80, NAME);
    hosts[3] = make_virtual_host(f->arena, "a.b", 80, "outbound|80||other.b");
    assert_int_equal(routes(f, make_table(f->arena, "80", hosts, 4)), IST_OK);
    assert_int_equal(f->rejects.count, 2);
    assert_non_null(strstr(f->rejects.text, "rds 80: virtual host bad.b:80: routes[0]: match is missing"));
    assert_non_null(strstr(f->rejects.text, "virtual host a.b:80: its name occurs twice"));
    uint64_t hash = ist_xds_content_hash(make_packed(f->arena, hosts[0]));
    assert_true(ist_mesh_builder_keep_virtual_host(f->builder, IST_STRV("80"), IST_STRV("a.b:80"), hash));
    hash = ist_xds_content_hash(make_packed(f->arena, hosts[2]));
    assert_true(ist_mesh_builder_keep_virtual_host(f->builder, IST_STRV("80"), IST_STRV("c.d:80"), hash));
}

static void route_table_is_the_full_set_of_its_virtual_hosts(void **state)
{
    fixture *f = *state;
    Envoy__Config__Route__V3__VirtualHost **hosts = (Envoy__Config__Route__V3__VirtualHost **)make_list(f->arena, 2);
    hosts[0] = make_virtual_host(f->arena, "a.b", 80, NAME);
    hosts[1] = make_virtual_host(f->arena, "c.d", 80, NAME);
    must(f, routes(f, make_table(f->arena, "80", hosts, 2)));
    must(f, routes(f, make_table(f->arena, "80", hosts, 1)));
    uint64_t hash = ist_xds_content_hash(make_packed(f->arena, hosts[1]));
    assert_false(ist_mesh_builder_keep_virtual_host(f->builder, IST_STRV("80"), IST_STRV("c.d:80"), hash));
    refused(f, routes(f, make_table(f->arena, "", hosts, 1)), "name is missing");
}

static void refused_virtual_host_stays_and_the_others_of_the_table_go(void **state)
{
    fixture *f = *state;
    Envoy__Config__Route__V3__VirtualHost **hosts = (Envoy__Config__Route__V3__VirtualHost **)make_list(f->arena, 2);
    hosts[0] = make_virtual_host(f->arena, "a.b", 80, NAME);
    hosts[1] = make_virtual_host(f->arena, "c.d", 80, NAME);
    uint64_t hash_a = ist_xds_content_hash(make_packed(f->arena, hosts[0]));
    uint64_t hash_c = ist_xds_content_hash(make_packed(f->arena, hosts[1]));
    must(f, routes(f, make_table(f->arena, "80", hosts, 2)));
    hosts[0]->routes[0]->match = NULL;
    assert_int_equal(routes(f, make_table(f->arena, "80", hosts, 1)), IST_OK);
    assert_int_equal(f->rejects.count, 1);
    assert_true(ist_mesh_builder_keep_virtual_host(f->builder, IST_STRV("80"), IST_STRV("a.b:80"), hash_a));
    assert_false(ist_mesh_builder_keep_virtual_host(f->builder, IST_STRV("80"), IST_STRV("c.d:80"), hash_c));
}

// --- LDS and NDS ----------------------------------------------------------------------------------------------------

static ist_status listener(fixture *f, const void *message)
{
    return ist_xds_decode_listener(&f->decoder, make_packed(f->arena, message), &f->err);
}

static void listeners_without_a_tcp_route_of_ours_are_no_error(void **state)
{
    fixture *f = *state;
    Envoy__Config__Listener__V3__Listener *message = make_listener(f->arena, "0.0.0.0_80", "0.0.0.0", 80, NAME);
    must(f, listener(f, message));
    message->filter_chains[0]->filters[0]->typed_config->type_url = make_text(f->arena, "type.googleapis.com/x.Http");
    must(f, listener(f, message));
    message->traffic_direction = 1;
    must(f, listener(f, message));
    message->address = NULL;
    must(f, listener(f, message));
}

// A chain to the service's own cluster is no news, unless it says what to hash.
static void hash_policies_of_tcp_routes_arrive_in_the_view(void **state)
{
    fixture *f = *state;
    must(f, cluster(f, make_cluster(f->arena, NAME, EDS)));
    must(f, assignment(f, make_assignment(f->arena, NAME, NULL, 0)));
    Envoy__Config__Listener__V3__Listener *message = make_listener(f->arena, "0.0.0.0_80", "0.0.0.0", 80, NAME);
    must(f, listener(f, message));
    ist_mesh_cluster_key key = {.host = IST_STRV("a.b"), .port = 80};
    assert_int_equal(ist_mesh_view_service(commit(f), key.host)->ports[0].l4_route_count, 0);
    Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy__HashPolicy *policies[2];
    for (size_t i = 0; i < IST_COUNT(policies); i++) {
        policies[i] = MAKE(f->arena, Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy__HashPolicy,
                           envoy__extensions__filters__network__tcp_proxy__v3__tcp_proxy__hash_policy__descriptor);
        policies[i]->policy_specifier_case =
            (Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy__HashPolicy__PolicySpecifierCase)(i + 1);
    }
    Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy *proxy =
        MAKE(f->arena, Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy,
             envoy__extensions__filters__network__tcp_proxy__v3__tcp_proxy__descriptor);
    proxy->cluster_specifier_case =
        ENVOY__EXTENSIONS__FILTERS__NETWORK__TCP_PROXY__V3__TCP_PROXY__CLUSTER_SPECIFIER_CLUSTER;
    proxy->cluster = make_text(f->arena, NAME);
    proxy->hash_policy = policies;
    proxy->n_hash_policy = IST_COUNT(policies);
    Google__Protobuf__Any *config = message->filter_chains[0]->filters[0]->typed_config;
    message->filter_chains[0]->filters[0]->typed_config = make_any(f->arena, config->type_url, make_packed(f->arena, proxy));
    must(f, listener(f, message));
    const ist_mesh_port *port = &ist_mesh_view_service(commit(f), key.host)->ports[0];
    assert_int_equal(port->l4_route_count, 1);
    assert_int_equal(port->l4_routes[0].hash_policy_count, 2);
    assert_int_equal(port->l4_routes[0].hash_policies[0].kind, IST_MESH_HASH_SOURCE_IP);
    assert_int_equal(port->l4_routes[0].hash_policies[1].kind, IST_MESH_HASH_OTHER);
}

static void bad_listener_is_refused_with_its_field(void **state)
{
    fixture *f = *state;
    refused(f, listener(f, make_listener(f->arena, "l", "10.0.0.1", 70000, NAME)), "port_value 70000");
    refused(f, listener(f, make_listener(f->arena, "l", "nonsense", 80, NAME)), "address.socket_address.address");
    Envoy__Config__Listener__V3__Listener *message = make_listener(f->arena, "l", "10.0.0.1", 80, NAME);
    Envoy__Config__Listener__V3__FilterChainMatch *match =
        MAKE(f->arena, Envoy__Config__Listener__V3__FilterChainMatch,
             envoy__config__listener__v3__filter_chain_match__descriptor);
    Envoy__Config__Core__V3__CidrRange *range =
        MAKE(f->arena, Envoy__Config__Core__V3__CidrRange, envoy__config__core__v3__cidr_range__descriptor);
    range->address_prefix = make_text(f->arena, "10.0.0.0");
    range->prefix_len = make_u32(f->arena, 33);
    match->prefix_ranges = &range;
    match->n_prefix_ranges = 1;
    message->filter_chains[0]->filter_chain_match = match;
    refused(f, listener(f, message), "filter_chains[0]: prefix_ranges[0].prefix_len 33");
}

static void names_are_a_full_set_and_bad_ones_are_refused_alone(void **state)
{
    fixture *f = *state;
    must(f, names(f, make_names(f->arena, "a.b", "10.96.0.1", "c.d", "10.96.0.2", NULL)));
    assert_int_equal(ist_mesh_builder_held(f->builder).names, 2);
    assert_non_null(ist_mesh_view_name(commit(f), IST_STRV("c.d"), NULL));
    must(f, names(f, make_names(f->arena, "a.b", "10.96.0.1", NULL)));
    assert_null(ist_mesh_view_name(commit(f), IST_STRV("c.d"), NULL));
    assert_int_equal(names(f, make_names(f->arena, "bad.b", "10.96.0.1/16", "e.f", "10.96.0.3", NULL)), IST_OK);
    assert_int_equal(f->rejects.count, 1);
    assert_non_null(strstr(f->rejects.text, "nds bad.b: ips[0]"));
    assert_non_null(ist_mesh_view_name(commit(f), IST_STRV("e.f"), NULL));
    assert_null(ist_mesh_view_name(commit(f), IST_STRV("a.b"), NULL));
    assert_int_equal(names(f, make_names(f->arena, "e.f", "10.96.0.3/16", NULL)), IST_OK);
    assert_non_null(ist_mesh_view_name(commit(f), IST_STRV("e.f"), NULL)); // refused: it stays as it was
    assert_int_equal(names(f, make_names(f->arena, NULL)), IST_OK);
    assert_null(ist_mesh_view_name(commit(f), IST_STRV("e.f"), NULL)); // an empty table is a table
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(cluster_fields_arrive_in_the_view),
        TEST(cluster_that_is_no_destination_of_ours_is_ignored),
        TEST(bad_cluster_is_refused_with_its_field),
        TEST(lb_policies_are_told_apart),
        TEST(tls_mode_is_told_by_the_sockets),
        TEST(custom_cluster_type_is_dynamic_dns_or_refused),
        TEST(dns_cluster_keeps_its_host_names),
        TEST(endpoint_fields_arrive),
        TEST(endpoint_that_only_envoy_can_reach_is_skipped),
        TEST(bad_endpoint_refuses_its_assignment),
        TEST(endpoints_of_an_unknown_cluster_wait_for_it),
        TEST(route_matches_are_translated),
        TEST(header_specifiers_are_told_apart),
        TEST(string_patterns_are_told_apart),
        TEST(fractions_are_millionths),
        TEST(redirect_codes_are_statuses),
        TEST(path_specifiers_are_told_apart),
        TEST(hash_policies_are_told_apart),
        TEST(route_actions_are_translated),
        TEST(fault_and_timeouts_are_published),
        TEST(virtual_host_that_is_refused_leaves_the_others),
        TEST(refused_virtual_host_stays_and_the_others_of_the_table_go),
        TEST(route_table_is_the_full_set_of_its_virtual_hosts),
        TEST(listeners_without_a_tcp_route_of_ours_are_no_error),
        TEST(hash_policies_of_tcp_routes_arrive_in_the_view),
        TEST(bad_listener_is_refused_with_its_field),
        TEST(names_are_a_full_set_and_bad_ones_are_refused_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
