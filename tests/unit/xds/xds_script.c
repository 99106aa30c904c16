// SPDX-License-Identifier: Apache-2.0
#include "xds_script.h"

#include "ist_test.h"

// --- Transport ------------------------------------------------------------------------------------------------------

static void on_open_wanted(void *ctx, uint32_t server, ist_xds_mode mode, uint64_t stream)
{
    xds_script *script = ctx;
    assert_int_equal(mode, script->mode);
    assert_true(script->open_count < SCRIPT_MAX_OPENS);
    script->opens[script->open_count++] = (script_open){.server = server, .stream = stream};
    script->unsent = 0;
}

static ist_xds_type type_of(const char *url)
{
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        if (strcmp(url, ist_xds_type_url((ist_xds_type)i)) == 0) {
            return (ist_xds_type)i;
        }
    }
    fail_msg("request for unknown type %s", url);
    return IST_XDS_CDS;
}

static void *arena_alloc(void *ctx, size_t size)
{
    return ist_arena_alloc(ctx, size);
}

static void arena_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

static script_request read_delta(xds_script *script, const void *bytes, size_t length)
{
    ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = script->arena};
    const Envoy__Service__Discovery__V3__DeltaDiscoveryRequest *message =
        envoy__service__discovery__v3__delta_discovery_request__unpack(&allocator, length, bytes);
    assert_non_null(message);
    return (script_request){
        .type = type_of(message->type_url),
        .node = message->node != NULL,
        .nonce = message->response_nonce,
        .version = "",
        .error = message->error_detail != NULL ? message->error_detail->message : NULL,
        .names = message->resource_names_subscribe,
        .count = message->n_resource_names_subscribe,
        .removed = message->resource_names_unsubscribe,
        .removed_count = message->n_resource_names_unsubscribe,
    };
}

static script_request read_sotw(xds_script *script, const void *bytes, size_t length)
{
    ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = script->arena};
    const Envoy__Service__Discovery__V3__DiscoveryRequest *message =
        envoy__service__discovery__v3__discovery_request__unpack(&allocator, length, bytes);
    assert_non_null(message);
    return (script_request){
        .type = type_of(message->type_url),
        .node = message->node != NULL,
        .nonce = message->response_nonce,
        .version = message->version_info,
        .error = message->error_detail != NULL ? message->error_detail->message : NULL,
        .names = message->resource_names,
        .count = message->n_resource_names,
    };
}

static void on_send_wanted(void *ctx, uint64_t stream, const void *bytes, size_t length)
{
    xds_script *script = ctx;
    assert_true(script->request_count < SCRIPT_MAX_REQUESTS);
    script_request request =
        script->mode == IST_XDS_DELTA ? read_delta(script, bytes, length) : read_sotw(script, bytes, length);
    request.stream = stream;
    request.bytes = length;
    script->requests[script->request_count++] = request;
    script->unsent++;
    script->max_unsent = script->unsent > script->max_unsent ? script->unsent : script->max_unsent;
}

static void on_close_wanted(void *ctx, uint64_t stream)
{
    xds_script *script = ctx;
    script->closed = stream;
    script->close_count++;
}

static void on_timer_wanted(void *ctx, int64_t at_ms)
{
    xds_script *script = ctx;
    script->timer_ms = at_ms;
}

static void on_published(void *ctx, const ist_mesh_commit *commit)
{
    xds_script *script = ctx;
    assert_true(commit->published);
    script->published = *commit;
    script->publish_count++;
}

// --- Life -----------------------------------------------------------------------------------------------------------

void script_init(xds_script *script, const script_args *args)
{
    static const ist_strv servers[] = {IST_STRV_INIT("one:15012"), IST_STRV_INIT("two:15012"),
                                       IST_STRV_INIT("three:15012")};
    memset(script, 0, sizeof(*script));
    ist_mesh_policy policy = {
        .namespace_ = IST_STRV("prod"), .domain = IST_STRV("cluster.local"), .identity = IST_STRV("pod.prod")};
    ist_xds_node node = {.pod_name = IST_STRV("pod"),
                         .pod_namespace = IST_STRV("prod"),
                         .pod_ip = IST_STRV("10.1.1.1"),
                         .domain = IST_STRV("cluster.local")};
    script->mode = args->mode;
    script->timer_ms = INT64_MAX;
    script->now_ms = 1000;
    script->arena = ist_arena_new(0, 0);
    script->store = ist_mesh_store_new();
    assert_non_null(script->arena);
    assert_non_null(script->store);
    ist_mesh_builder_args builder_args = {.store = script->store, .policy = &policy};
    script->builder = ist_mesh_builder_new(&builder_args);
    assert_non_null(script->builder);
    ist_xds_transport transport = {.open = on_open_wanted,
                                   .send = on_send_wanted,
                                   .close = on_close_wanted,
                                   .set_timer = on_timer_wanted,
                                   .ctx = script};
    ist_xds_client_args client_args = {
        .builder = script->builder,
        .store = script->store,
        .transport = &transport,
        .node = &node,
        .servers = servers,
        .server_count = args->servers != 0 ? args->servers : 1,
        .mode = args->mode,
        .random_seed = 7,
        .max_resources = args->max_resources,
        .max_resource_bytes = args->max_resource_bytes,
        .on_published = on_published,
        .ctx = script,
        .recorder = args->recorder,
        .loss_guard = args->loss_guard,
    };
    ist_err err = IST_ERR_NULL;
    if (ist_xds_client_new(&client_args, &script->client, &err) != IST_OK) {
        fail_msg("%s", err.text);
    }
}

void script_done(xds_script *script)
{
    ist_xds_client_free(script->client);
    ist_mesh_builder_free(script->builder);
    ist_mesh_store_free(script->store);
    ist_arena_free(script->arena);
}

static uint64_t newest(const xds_script *script)
{
    return script->open_count > 0 ? script->opens[script->open_count - 1].stream : 0;
}

void script_opened(xds_script *script)
{
    ist_xds_client_on_open(script->client, newest(script), script->now_ms);
    script_settle(script);
}

void script_connect(xds_script *script)
{
    ist_xds_client_start(script->client, script->now_ms);
    script_opened(script);
}

void script_settle(xds_script *script)
{
    while (script->unsent > 0) {
        script->unsent--;
        ist_xds_client_on_sent(script->client, newest(script), script->now_ms);
    }
}

void script_tick(xds_script *script, int64_t ms)
{
    int64_t end_ms = script->now_ms + ms;
    while (script->timer_ms <= end_ms) {
        script->now_ms = script->timer_ms > script->now_ms ? script->timer_ms : script->now_ms;
        script->timer_ms = INT64_MAX;
        ist_xds_client_on_timer(script->client, script->now_ms);
        script_settle(script);
    }
    script->now_ms = end_ms;
}

void script_reopen(xds_script *script)
{
    assert_int_equal(script_status(script).state, IST_XDS_BACKOFF);
    script_tick(script, script->timer_ms - script->now_ms);
    assert_int_equal(script_status(script).state, IST_XDS_CONNECTING);
    script_opened(script);
}

void script_close(xds_script *script, int grpc_status)
{
    ist_xds_close why = {.grpc_status = grpc_status, .message = IST_STRV("gone")};
    ist_xds_client_on_closed(script->client, newest(script), &why, script->now_ms);
}

// --- Requests -------------------------------------------------------------------------------------------------------

const script_request *script_expect(xds_script *script, ist_xds_type type)
{
    if (script->request_next >= script->request_count) {
        fail_msg("no request; wanted one for %s", ist_xds_type_name(type));
    }
    const script_request *request = &script->requests[script->request_next++];
    if (request->type != type) {
        fail_msg("request for %s; wanted %s", ist_xds_type_name(request->type), ist_xds_type_name(type));
    }
    assert_int_equal(request->stream, newest(script));
    return request;
}

void script_expect_none(xds_script *script)
{
    if (script->request_next < script->request_count) {
        const script_request *request = &script->requests[script->request_next];
        fail_msg("unexpected request for %s, nonce \"%s\", %zu names, error %s", ist_xds_type_name(request->type),
                 request->nonce, request->count, request->error != NULL ? request->error : "none");
    }
    script->request_next = 0;
    script->request_count = 0;
}

void script_expect_ack(xds_script *script, ist_xds_type type)
{
    const script_request *request = script_expect(script, type);
    assert_string_equal(request->nonce, make_text(script->arena, "n%u", script->nonce));
    if (request->error != NULL) {
        fail_msg("NACK: %s", request->error);
    }
    assert_false(request->node);
    if (script->mode == IST_XDS_DELTA) {
        assert_int_equal(request->count + request->removed_count, 0);
    } else {
        assert_string_equal(request->version, make_text(script->arena, "v-n%u", script->nonce));
    }
}

const script_request *script_expect_nack(xds_script *script, ist_xds_type type, const char *text_inside)
{
    const script_request *request = script_expect(script, type);
    assert_string_equal(request->nonce, make_text(script->arena, "n%u", script->nonce));
    assert_non_null(request->error);
    if (strstr(request->error, text_inside) == NULL) {
        fail_msg("NACK says \"%s\"; wanted \"%s\" inside", request->error, text_inside);
    }
    return request;
}

bool script_has_name(const script_request *request, const char *name)
{
    for (size_t i = 0; i < request->count; i++) {
        if (strcmp(request->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

// --- Responses ------------------------------------------------------------------------------------------------------

void script_send_bytes(xds_script *script, ist_strv bytes)
{
    ist_xds_slice slice = {.bytes = (const uint8_t *)bytes.p, .length = bytes.n};
    ist_xds_client_on_message(script->client, newest(script), &slice, 1, script->now_ms);
    script_settle(script);
}

void script_send(xds_script *script, ist_xds_type type, const made_resource *resources, size_t count)
{
    made_response response = {.mode = script->mode,
                              .type = type,
                              .resources = resources,
                              .count = count,
                              .nonce = make_text(script->arena, "n%u", ++script->nonce)};
    script_send_bytes(script, make_response_bytes(script->arena, &response));
}

void script_send_removed(xds_script *script, ist_xds_type type, const char *removed)
{
    made_response response = {.mode = script->mode,
                              .type = type,
                              .removed = &removed,
                              .removed_count = 1,
                              .nonce = make_text(script->arena, "n%u", ++script->nonce)};
    script_send_bytes(script, make_response_bytes(script->arena, &response));
}

static char *cluster_name(xds_script *script, const char *host, uint32_t port)
{
    return make_text(script->arena, "outbound|%u||%s", port, host);
}

made_resource script_cluster(xds_script *script, const char *host, uint32_t port)
{
    char *name = cluster_name(script, host, port);
    return (made_resource){
        .name = name,
        .bytes = make_packed(script->arena, make_cluster(script->arena, name,
                                                         ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__EDS))};
}

made_resource script_assignment(xds_script *script, const char *host, uint32_t port, unsigned count)
{
    char *name = cluster_name(script, host, port);
    Envoy__Config__Endpoint__V3__LbEndpoint **endpoints =
        (Envoy__Config__Endpoint__V3__LbEndpoint **)make_list(script->arena, count);
    for (unsigned i = 0; i < count; i++) {
        endpoints[i] = make_endpoint(script->arena, make_text(script->arena, "10.0.%u.%u", i / 250, i % 250 + 1), 8080);
    }
    return (made_resource){.name = name,
                           .bytes = make_packed(script->arena, make_assignment(script->arena, name, endpoints, count))};
}

made_resource script_table(xds_script *script, uint32_t port, const char *host)
{
    char *name = make_text(script->arena, "%u", port);
    Envoy__Config__Route__V3__VirtualHost **hosts =
        (Envoy__Config__Route__V3__VirtualHost **)make_list(script->arena, 1);
    if (host != NULL) {
        hosts[0] = make_virtual_host(script->arena, host, port, cluster_name(script, host, port));
    }
    return (made_resource){.name = name,
                           .bytes = make_packed(script->arena, make_table(script->arena, name, hosts, host != NULL))};
}

made_resource script_names(xds_script *script, const char *host, const char *ip)
{
    return (made_resource){.name = "", .bytes = make_packed(script->arena, make_names(script->arena, host, ip, NULL))};
}

void script_sync(xds_script *script)
{
    script_connect(script);
    SCRIPT_SEND(script, IST_XDS_CDS, script_cluster(script, "a.b", 80));
    SCRIPT_SEND(script, IST_XDS_EDS, script_assignment(script, "a.b", 80, 2));
    SCRIPT_SEND(script, IST_XDS_RDS, script_table(script, 80, "a.b"));
    SCRIPT_SEND(script, IST_XDS_NDS, script_names(script, "a.b", "10.96.0.1"));
    script_send(script, IST_XDS_LDS, NULL, 0);
    assert_int_equal(script_status(script).state, IST_XDS_SYNCED);
    script->request_count = 0;
    script->request_next = 0;
}

// --- Looking --------------------------------------------------------------------------------------------------------

ist_xds_status script_status(const xds_script *script)
{
    ist_xds_status status;
    ist_xds_client_status(script->client, &status);
    return status;
}

int script_endpoints(xds_script *script, const char *host, uint16_t port)
{
    int count = -1;
    const ist_mesh_view *view = ist_mesh_store_acquire(script->store);
    if (view != NULL) {
        ist_mesh_cluster_key key = {.host = ist_strv_from(host), .port = port};
        const ist_mesh_destination *destination = ist_mesh_view_destination(view, &key);
        count = destination != NULL ? (int)destination->endpoints->count : -1;
    }
    ist_mesh_store_release(script->store, view);
    return count;
}
