// SPDX-License-Identifier: Apache-2.0
//
// What can be seen without a control plane: wrong settings, no memory, attempts that fail. The streams themselves are
// tested on the real istiod (tests/integration).
#include "xds_grpc/transport.h"

#include "ist_memory.h"
#include "ist_test.h"

static const ist_strv closed_port[] = {IST_STRV_INIT("127.0.0.1:1")};
static const ist_strv named[] = {IST_STRV_INIT("istiod.test:15012")};

typedef struct test_setting {
    const ist_strv *servers;
    bool tls;
    const char *root_ca_file;
    const char *token_file;
    const char *want; // a part of the error
} test_setting;

static ist_xds_grpc_args args_of(const test_setting *setting, ist_loop *loop, const ist_resolve *resolve)
{
    return (ist_xds_grpc_args){.loop = loop,
                               .resolve = resolve,
                               .servers = setting->servers,
                               .server_count = 1,
                               .tls = setting->tls,
                               .root_ca_file = ist_strv_from(setting->root_ca_file),
                               .token_file = ist_strv_from(setting->token_file)};
}

static void new_wrong_settings_are_refused_with_reason(void **state)
{
    (void)state;
    static const ist_strv no_port[] = {IST_STRV_INIT("istiod")};
    static const test_setting settings[] = {
        {no_port, false, NULL, NULL, "write HOST:PORT"},
        {closed_port, true, NULL, NULL, "set --xds-root-ca"},
        {named, false, NULL, NULL, "an IP address is needed"},
    };
    ist_loop *loop = NULL;
    assert_int_equal(ist_loop_new(NULL, &loop, NULL), IST_OK);
    for (size_t i = 0; i < IST_COUNT(settings); i++) {
        ist_xds_grpc *grpc = NULL;
        ist_err err = IST_ERR_NULL;
        ist_xds_grpc_args args = args_of(&settings[i], loop, NULL);
        assert_int_equal(ist_xds_grpc_new(&args, &grpc, &err), IST_EINVAL);
        assert_null(grpc);
        assert_non_null(strstr(err.text, settings[i].want));
        args.server_count = 0;
        assert_int_equal(ist_xds_grpc_new(&args, &grpc, &err), IST_EINVAL);
    }
    ist_loop_free(loop);
}

// --- A client on the transport ---------------------------------------------------------------------------------------

typedef struct world {
    ist_loop *loop;
    ist_xds_grpc *grpc;
    ist_xds_client *client;
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_resolve resolve;
    ist_loop_job answer;
    ist_loop_timer look;
    uint32_t watches;
    char error[480];
} world;

static void no_such_name(void *ctx)
{
    world *w = ctx;
    ist_xds_grpc_resolved(w->grpc, IST_STRV("other.test"), IST_OK, NULL, 0);
    ist_xds_grpc_resolved(w->grpc, IST_STRV("istiod.test"), IST_OK, NULL, 0);
}

static ist_status watch(void *ctx, ist_strv host)
{
    world *w = ctx;
    ist_test_strv_equal(host, "istiod.test");
    w->watches++;
    w->answer = (ist_loop_job){.run = no_such_name, .ctx = w};
    ist_loop_post(w->loop, &w->answer);
    return IST_OK;
}

static void unwatch(void *ctx, ist_strv host)
{
    world *w = ctx;
    ist_test_strv_equal(host, "istiod.test");
    w->watches--;
}

static void look(void *ctx)
{
    world *w = ctx;
    ist_xds_status status;
    ist_xds_client_status(w->client, &status);
    if (status.connect_failures >= 2) { // the second attempt is like the first
        assert_true(ist_strv_copy(status.last_error, w->error, sizeof(w->error)));
        ist_loop_stop(w->loop);
        return;
    }
    assert_int_equal(ist_loop_arm(w->loop, &w->look, 5), IST_OK);
}

static ist_status start_client(world *w, const test_setting *setting)
{
    const ist_mesh_policy policy = {.namespace_ = IST_STRV("prod"), .domain = IST_STRV("cluster.local")};
    const ist_mesh_builder_args builder_args = {.store = w->store, .policy = &policy};
    w->builder = ist_mesh_builder_new(&builder_args);
    assert_non_null(w->builder);
    const ist_xds_node node = {.pod_name = IST_STRV("app"),
                               .pod_namespace = IST_STRV("prod"),
                               .pod_ip = IST_STRV("10.9.9.9"),
                               .domain = IST_STRV("cluster.local")};
    const ist_xds_transport transport = ist_xds_grpc_transport(w->grpc);
    const ist_xds_client_args args = {.builder = w->builder,
                                      .store = w->store,
                                      .transport = &transport,
                                      .node = &node,
                                      .servers = setting->servers,
                                      .server_count = 1,
                                      .random_seed = 1};
    return ist_xds_client_new(&args, &w->client, NULL);
}

static void run_until_failed(world *w, const test_setting *setting)
{
    w->resolve = (ist_resolve){.watch = watch, .unwatch = unwatch, .ctx = w};
    w->look = (ist_loop_timer){.fire = look, .ctx = w};
    assert_int_equal(ist_loop_new(NULL, &w->loop, NULL), IST_OK);
    ist_xds_grpc_args args = args_of(setting, w->loop, &w->resolve);
    assert_int_equal(ist_xds_grpc_new(&args, &w->grpc, NULL), IST_OK);
    w->store = ist_mesh_store_new();
    assert_non_null(w->store);
    assert_int_equal(start_client(w, setting), IST_OK);
    ist_xds_grpc_attach(w->grpc, w->client);
    assert_int_equal(ist_loop_arm(w->loop, &w->look, 5), IST_OK);
    ist_xds_client_start(w->client, ist_loop_now_ms(w->loop));
    assert_int_equal(ist_loop_run(w->loop, NULL), IST_OK);
    ist_xds_grpc_free(w->grpc);
    assert_int_equal(w->watches, 0);
    ist_xds_client_free(w->client);
    ist_mesh_builder_free(w->builder);
    ist_mesh_store_free(w->store);
    ist_loop_free(w->loop);
}

static void open_hopeless_attempts_end_with_reason(void **state)
{
    (void)state;
    static const test_setting settings[] = {
        {closed_port, false, NULL, NULL, "nothing listens on 127.0.0.1:1"},
        {closed_port, false, NULL, "/nowhere/token", "cannot open /nowhere/token"},
        {closed_port, true, "/nowhere/root", NULL, "cannot open /nowhere/root"},
        {named, false, NULL, NULL, "the name istiod.test cannot be resolved (not found)"},
    };
    for (size_t i = 0; i < IST_COUNT(settings); i++) {
        world w = {0};
        run_until_failed(&w, &settings[i]);
        if (strstr(w.error, settings[i].want) == NULL) {
            fail_msg("got \"%s\", want \"%s\"", w.error, settings[i].want);
        }
    }
}

enum { WARM_UP = 200, OPENS = 2000, REST_MS = 500, RESTS_MAX = 60, SLACK_BYTES = 1 << 20 }; // gRPC has caches

typedef struct opener {
    world w;
    ist_xds_transport transport;
    ist_loop_timer next;
    uint64_t stream;
    bool rested; // time for what was given up to go
    int rests;   // at the end
    size_t before;
} opener;

// gRPC's threads take down what was given up when they get to it.
static bool is_too_early(opener *o)
{
    return ist_memory_in_use() > o->before + SLACK_BYTES && ++o->rests < RESTS_MAX;
}

// Every other stream is given up before it has failed by itself.
static void open_next(void *ctx)
{
    opener *o = ctx;
    if (!o->rested && (o->stream == WARM_UP || o->stream == OPENS)) {
        o->rested = true;
        o->transport.close(o->transport.ctx, o->stream);
        assert_int_equal(ist_loop_arm(o->w.loop, &o->next, REST_MS), IST_OK);
        return;
    }
    o->rested = false;
    o->before = o->stream == WARM_UP ? ist_memory_in_use() : o->before;
    if (o->stream == OPENS && is_too_early(o)) {
        o->rested = true;
        assert_int_equal(ist_loop_arm(o->w.loop, &o->next, REST_MS), IST_OK);
        return;
    }
    if (o->stream == OPENS) {
        ist_loop_stop(o->w.loop);
        return;
    }
    o->transport.open(o->transport.ctx, 0, IST_XDS_DELTA, ++o->stream);
    assert_int_equal(ist_loop_arm(o->w.loop, &o->next, o->stream % 2 != 0 ? 0 : 2), IST_OK);
}

static void hundreds_of_streams_leave_nothing_behind(void **state)
{
    (void)state;
    static const test_setting setting = {closed_port, false, NULL, NULL, NULL};
    opener o = {.next = {.fire = open_next, .ctx = &o}};
    assert_int_equal(ist_loop_new(NULL, &o.w.loop, NULL), IST_OK);
    ist_xds_grpc_args args = args_of(&setting, o.w.loop, NULL);
    assert_int_equal(ist_xds_grpc_new(&args, &o.w.grpc, NULL), IST_OK);
    o.transport = ist_xds_grpc_transport(o.w.grpc);
    o.w.store = ist_mesh_store_new();
    assert_non_null(o.w.store);
    assert_int_equal(start_client(&o.w, &setting), IST_OK); // idle: it takes no part
    ist_xds_grpc_attach(o.w.grpc, o.w.client);
    assert_int_equal(ist_loop_arm(o.w.loop, &o.next, 0), IST_OK);
    assert_int_equal(ist_loop_run(o.w.loop, NULL), IST_OK);
    assert_in_range(ist_memory_in_use(), 0, o.before + SLACK_BYTES);
    ist_xds_grpc_free(o.w.grpc);
    ist_xds_client_free(o.w.client);
    ist_mesh_builder_free(o.w.builder);
    ist_mesh_store_free(o.w.store);
    ist_loop_free(o.w.loop);
}

static ist_status make(void *ctx)
{
    (void)ctx;
    static const test_setting setting = {named, true, "/root", "/token", NULL};
    ist_loop *loop = NULL;
    ist_xds_grpc *grpc = NULL;
    ist_status status = ist_loop_new(NULL, &loop, NULL);
    if (status == IST_OK) {
        const ist_resolve resolve = {.ctx = NULL};
        ist_xds_grpc_args args = args_of(&setting, loop, &resolve);
        status = ist_xds_grpc_new(&args, &grpc, NULL);
        assert_true(status == IST_OK || grpc == NULL);
    }
    ist_xds_grpc_free(grpc);
    ist_loop_free(loop);
    return status;
}

static void new_without_memory_reports_it(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(make, NULL) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_wrong_settings_are_refused_with_reason),
        cmocka_unit_test(open_hopeless_attempts_end_with_reason),
        cmocka_unit_test(hundreds_of_streams_leave_nothing_behind),
        cmocka_unit_test(new_without_memory_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
