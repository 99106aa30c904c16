// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include "ist_test.h"

typedef struct address_case {
    const char *address;
    const char *host;
    uint16_t port;
    const char *target; // NULL = a name, to be resolved
} address_case;

static void init_good_addresses_are_taken_apart(void **state)
{
    (void)state;
    static const address_case cases[] = {
        {"istiod.istio-system.svc:15012", "istiod.istio-system.svc", 15012, NULL},
        {"10.0.0.1:15010", "10.0.0.1", 15010, "ipv4:10.0.0.1:15010"},
        {"[::1]:65535", "::1", 65535, "ipv6:[::1]:65535"},
        {"[fd00:0:0::1]:1", "fd00:0:0::1", 1, "ipv6:[fd00::1]:1"},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_xds_grpc_server server = {0};
        char target[IST_XDS_GRPC_TARGET_SIZE] = "";
        assert_int_equal(ist_xds_grpc_server_init(&server, ist_strv_from(cases[i].address), NULL), IST_OK);
        assert_string_equal(server.authority, cases[i].address);
        assert_string_equal(server.host, cases[i].host);
        assert_int_equal(server.port, cases[i].port);
        assert_int_equal(server.literal, cases[i].target != NULL);
        assert_int_equal(ist_xds_grpc_server_target(&server, target), cases[i].target != NULL);
        assert_string_equal(target, cases[i].target != NULL ? cases[i].target : "");
        ist_xds_grpc_server_done(&server);
    }
}

static void init_bad_addresses_are_refused_with_reason(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "istiod",    ":15012", "istiod:", "istiod:0", "istiod:65536",
                                      "a:+1",  "::1:15012", "[::1]",  "[]:1",    "a b:x",    "istiod:15012/",
                                      "a:1:2", "[::1]:port"};
    for (size_t i = 0; i < IST_COUNT(bad); i++) {
        ist_xds_grpc_server server = {0};
        ist_err err = IST_ERR_NULL;
        if (ist_xds_grpc_server_init(&server, ist_strv_from(bad[i]), &err) != IST_EINVAL) {
            fail_msg("\"%s\" is taken", bad[i]);
        }
        assert_non_null(strstr(err.text, bad[i]));
        assert_null(server.host);
    }
}

static void init_long_host_is_refused(void **state)
{
    (void)state;
    char address[400];
    ist_xds_grpc_server server = {0};
    memset(address, 'a', sizeof(address));
    memcpy(address + 300, ":15012", sizeof(":15012"));
    assert_int_equal(ist_xds_grpc_server_init(&server, ist_strv_from(address), NULL), IST_EINVAL);
}

static ist_mesh_addr addr(const char *text)
{
    ist_mesh_addr parsed = IST_MESH_ADDR_NONE;
    assert_int_equal(ist_mesh_addr_parse(ist_strv_from(text), &parsed, NULL), IST_OK);
    return parsed;
}

static void target_addresses_take_turns(void **state)
{
    (void)state;
    ist_xds_grpc_server server = {0};
    char target[IST_XDS_GRPC_TARGET_SIZE] = "";
    const ist_mesh_addr addrs[] = {addr("10.0.0.1"), addr("fd00::2")};
    assert_int_equal(ist_xds_grpc_server_init(&server, IST_STRV("istiod:15012"), NULL), IST_OK);
    assert_int_equal(server.resolved, IST_EAGAIN);
    ist_xds_grpc_server_resolved(&server, IST_OK, addrs, 2);
    static const char *const want[] = {"ipv4:10.0.0.1:15012", "ipv6:[fd00::2]:15012", "ipv4:10.0.0.1:15012"};
    for (size_t i = 0; i < IST_COUNT(want); i++) {
        assert_true(ist_xds_grpc_server_target(&server, target));
        assert_string_equal(target, want[i]);
    }
    ist_xds_grpc_server_resolved(&server, IST_OK, addrs, 2); // the same: the turn goes on
    assert_true(ist_xds_grpc_server_target(&server, target));
    assert_string_equal(target, want[1]);
    ist_xds_grpc_server_resolved(&server, IST_OK, &addrs[1], 1); // others: from the first
    assert_true(ist_xds_grpc_server_target(&server, target));
    assert_string_equal(target, want[1]);
    ist_xds_grpc_server_done(&server);
}

static void resolved_failure_keeps_addresses(void **state)
{
    (void)state;
    ist_xds_grpc_server server = {0};
    char target[IST_XDS_GRPC_TARGET_SIZE] = "";
    const ist_mesh_addr one = addr("10.0.0.1");
    assert_int_equal(ist_xds_grpc_server_init(&server, IST_STRV("istiod:15012"), NULL), IST_OK);
    ist_xds_grpc_server_resolved(&server, IST_ETIMEOUT, NULL, 0);
    assert_int_equal(server.resolved, IST_ETIMEOUT);
    assert_false(ist_xds_grpc_server_target(&server, target));
    ist_xds_grpc_server_resolved(&server, IST_OK, &one, 1);
    ist_xds_grpc_server_resolved(&server, IST_OK, NULL, 0);
    assert_int_equal(server.resolved, IST_ENOTFOUND);
    assert_true(ist_xds_grpc_server_target(&server, target));
    ist_xds_grpc_server_done(&server);
}

static void resolved_literal_and_many_addresses_are_bounded(void **state)
{
    (void)state;
    ist_xds_grpc_server server = {0};
    ist_mesh_addr many[IST_XDS_GRPC_MAX_ADDRS + 3];
    for (size_t i = 0; i < IST_COUNT(many); i++) {
        many[i] = addr("10.0.0.1");
    }
    assert_int_equal(ist_xds_grpc_server_init(&server, IST_STRV("127.0.0.1:1"), NULL), IST_OK);
    ist_xds_grpc_server_resolved(&server, IST_OK, many, IST_COUNT(many));
    assert_int_equal(server.addr_count, 1);
    ist_xds_grpc_server_done(&server);
    assert_int_equal(ist_xds_grpc_server_init(&server, IST_STRV("istiod:1"), NULL), IST_OK);
    ist_xds_grpc_server_resolved(&server, IST_OK, many, IST_COUNT(many));
    assert_int_equal(server.addr_count, IST_XDS_GRPC_MAX_ADDRS);
    ist_xds_grpc_server_done(&server);
}

static ist_status make(void *ctx)
{
    (void)ctx;
    ist_xds_grpc_server server = {0};
    ist_status status = ist_xds_grpc_server_init(&server, IST_STRV("istiod:15012"), NULL);
    ist_xds_grpc_server_done(&server);
    return status;
}

static void init_without_memory_reports_it(void **state)
{
    (void)state;
    assert_int_equal(ist_test_each_alloc_fails(make, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_good_addresses_are_taken_apart),
        cmocka_unit_test(init_bad_addresses_are_refused_with_reason),
        cmocka_unit_test(init_long_host_is_refused),
        cmocka_unit_test(target_addresses_take_turns),
        cmocka_unit_test(resolved_failure_keeps_addresses),
        cmocka_unit_test(resolved_literal_and_many_addresses_are_bounded),
        cmocka_unit_test(init_without_memory_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
