// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "mesh/endpoint.h"
#include "mesh/types.h"

static void addresses_parse_and_format(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out; // NULL = refused
        uint8_t family;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", 4},   {"::ffff:10.0.0.1", "10.0.0.1", 4}, {"2001:DB8:0:0::1", "2001:db8::1", 6},
        {"::", "::", 6},               {"fe80::1%eth0", NULL, 0},          {"10.0.0", NULL, 0},
        {"010.0.0.1", NULL, 0},        {"", NULL, 0},                      {"host", NULL, 0},
        {"10.0.0.1.", NULL, 0},        {"256.0.0.1", NULL, 0},             {"1:2:3:4:5:6:7:8:9", NULL, 0},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        ist_mesh_addr addr = IST_MESH_ADDR_NONE;
        char text[IST_MESH_ADDR_TEXT_SIZE];
        ist_status status = ist_mesh_addr_parse(ist_strv_from(rows[i].in), &addr, NULL);
        assert_int_equal(status, rows[i].out != NULL ? IST_OK : IST_EINVAL);
        assert_int_equal(addr.family, rows[i].family);
        assert_string_equal(ist_mesh_addr_format(&addr, text), rows[i].out != NULL ? rows[i].out : "");
    }
}

static void prefixes_compare_bits_of_one_family(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        const char *prefix;
        uint32_t bits;
        bool inside;
    } rows[] = {
        {"10.1.2.3", "10.1.2.0", 24, true}, {"10.1.3.3", "10.1.2.0", 24, false}, {"10.1.2.129", "10.1.2.128", 25, true},
        {"10.1.2.3", "10.1.2.128", 25, false}, {"10.1.2.3", "10.1.2.3", 32, true}, {"10.1.2.3", "0.0.0.0", 0, true},
        {"10.1.2.3", "::", 0, false}, {"fd00::1", "fd00::", 8, true}, {"10.1.2.3", "10.1.2.3", 33, false},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        ist_mesh_addr addr;
        ist_mesh_addr prefix;
        assert_int_equal(ist_mesh_addr_parse(ist_strv_from(rows[i].addr), &addr, NULL), IST_OK);
        assert_int_equal(ist_mesh_addr_parse(ist_strv_from(rows[i].prefix), &prefix, NULL), IST_OK);
        assert_int_equal(ist_mesh_addr_in_prefix(&addr, &prefix, rows[i].bits), rows[i].inside);
    }
    ist_mesh_addr e = {.family = 4, .bytes = {240}};
    ist_mesh_addr d = {.family = 4, .bytes = {239}};
    assert_true(ist_mesh_addr_is_class_e(&e));
    assert_false(ist_mesh_addr_is_class_e(&d));
}

static void cluster_names_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ist_status status;
        uint16_t port;
        const char *subset;
        const char *host;
    } rows[] = {
        {"outbound|80||a.b", IST_OK, 80, "", "a.b"},
        {"outbound|443|v1|*.example.com", IST_OK, 443, "v1", "*.example.com"},
        {"inbound|80||", IST_EUNSUPPORTED, 0, "", ""},
        {"outbound_.80_._.a.b", IST_EUNSUPPORTED, 0, "", ""},
        {"PassthroughCluster", IST_EUNSUPPORTED, 0, "", ""},
        {"", IST_EUNSUPPORTED, 0, "", ""},
        {"outbound|80|a.b", IST_EINVAL, 0, "", ""},
        {"outbound|80||a|b", IST_EINVAL, 0, "", ""},
        {"outbound|0||a", IST_EINVAL, 0, "", ""},
        {"outbound|65536||a", IST_EINVAL, 0, "", ""},
        {"outbound|80||A", IST_EINVAL, 0, "", ""},
        {"outbound|80||", IST_EINVAL, 0, "", ""},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        ist_mesh_cluster_key key = {.port = 0};
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_mesh_cluster_key_parse(ist_strv_from(rows[i].name), &key, &err), rows[i].status);
        assert_int_equal(key.port, rows[i].port);
        ist_test_strv_equal(key.subset, rows[i].subset);
        ist_test_strv_equal(key.host, rows[i].host);
        assert_int_equal(err.text[0] != '\0', rows[i].status != IST_OK);
    }
}

static void hosts_are_lower_case_dns_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a.b-c.d_e", "*.a", "1.2.3.4", "_x.y"};
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "A", "*", "*a.b", "a.*", "a b", "a/b", "\xc3\xa4"};
    for (size_t i = 0; i < IST_COUNT(good); i++) {
        assert_true(ist_mesh_host_valid(ist_strv_from(good[i])));
    }
    for (size_t i = 0; i < IST_COUNT(bad); i++) {
        assert_false(ist_mesh_host_valid(ist_strv_from(bad[i])));
    }
    char label[65];
    memset(label, 'a', sizeof(label));
    assert_true(ist_mesh_host_valid(ist_strv_make(label, 63)));
    assert_false(ist_mesh_host_valid(ist_strv_make(label, 64)));
}

static void values_have_names(void **state)
{
    (void)state;
    assert_string_equal(ist_mesh_health_name(IST_MESH_DEGRADED), "DEGRADED");
    assert_string_equal(ist_mesh_protocol_name(IST_MESH_HTTP2), "http2");
    assert_string_equal(ist_mesh_kind_name(IST_MESH_ROUTE_ONLY), "route-only");
    assert_string_equal(ist_mesh_discovery_name(IST_MESH_DISCOVERY_DYNAMIC_DNS), "DYNAMIC_DNS");
    assert_string_equal(ist_mesh_lb_name(IST_MESH_LB_CLUSTER_PROVIDED), "CLUSTER_PROVIDED");
}

static void workload_text_may_be_short(void **state)
{
    (void)state;
    ist_mesh_workload whole = ist_mesh_workload_parse(IST_STRV("name;ns;canonical;v1;cluster"));
    ist_test_strv_equal(whole.name, "name");
    ist_test_strv_equal(whole.cluster, "cluster");
    ist_mesh_workload part = ist_mesh_workload_parse(IST_STRV("name;;c"));
    ist_test_strv_equal(part.namespace_, "");
    ist_test_strv_equal(part.canonical, "c");
    ist_test_strv_equal(part.cluster, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_parse_and_format),   cmocka_unit_test(prefixes_compare_bits_of_one_family),
        cmocka_unit_test(cluster_names_are_taken_apart), cmocka_unit_test(hosts_are_lower_case_dns_names),
        cmocka_unit_test(values_have_names),             cmocka_unit_test(workload_text_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
