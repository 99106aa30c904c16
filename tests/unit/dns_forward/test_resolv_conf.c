// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_forward/resolv_conf.h"

#include <stdlib.h>
#include <unistd.h>

static ist_dns_resolv_conf parse(const char *text)
{
    static ist_dns_resolv_conf conf;
    ist_dns_resolv_conf_parse(ist_strv_from(text), &conf);
    return conf;
}

static void parse_pod_file_gives_all(void **state)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    (void)state;
    ist_dns_resolv_conf conf = parse("search Prod.svc.cluster.local svc.cluster.local. cluster.local\n"
                                     "nameserver 10.96.0.10\nnameserver fd00::a\n"
                                     "options ndots:5 timeout:2\n");
    assert_int_equal(conf.server_count, 2);
    assert_string_equal(ist_dns_address_format(&conf.servers[0], text), "10.96.0.10:53");
    assert_string_equal(ist_dns_address_format(&conf.servers[1], text), "[fd00::a]:53");
    assert_int_equal(conf.search_count, 3);
    assert_string_equal(conf.search[0], "prod.svc.cluster.local");
    assert_string_equal(conf.search[1], "svc.cluster.local");
    assert_int_equal(conf.ndots, 5);
    assert_int_equal(conf.skipped, 0);
}

static void parse_odd_lines_are_skipped(void **state)
{
    (void)state;
    ist_dns_resolv_conf conf =
        parse("# nameserver 1.1.1.1\n; x\n\tnameserver\t9.9.9.9   # ours\r\n"
              "nameserver fe80::1%eth0\nnameserver\nnameserver example.com\n"
              "search a b\ndomain c\noptions ndots:99 ndots:x rotate\nsortlist 1.2.3.4\nnameserver");
    assert_int_equal(conf.server_count, 1);
    assert_int_equal(conf.skipped, 4);
    assert_int_equal(conf.search_count, 1);
    assert_string_equal(conf.search[0], "c");
    assert_int_equal(conf.ndots, 15);
}

static void parse_bytes_that_no_name_has_are_skipped(void **state)
{
    static const char text[] = "search a\0b c\x01 \xC3\xA4 ok.example\nnameserver 10.0.0.1\0\n";
    ist_dns_resolv_conf conf;
    (void)state;
    ist_dns_resolv_conf_parse(ist_strv_make(text, sizeof(text) - 1), &conf);
    assert_int_equal(conf.search_count, 1);
    assert_string_equal(conf.search[0], "ok.example");
    assert_int_equal(conf.server_count, 0);
    assert_int_equal(conf.skipped, 4);
}

static void parse_empty_gives_defaults(void **state)
{
    (void)state;
    ist_dns_resolv_conf conf = parse("");
    assert_int_equal(conf.server_count + conf.search_count, 0);
    assert_int_equal(conf.ndots, 1);
}

static void parse_too_many_are_counted(void **state)
{
    char text[4096] = "search";
    (void)state;
    for (int i = 0; i < IST_DNS_SEARCH_MAX + 2; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " d%d", i);
    }
    for (int i = 0; i < IST_DNS_SERVERS_MAX + 3; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "\nnameserver 10.0.0.%d", i);
    }
    ist_dns_resolv_conf conf = parse(text);
    assert_int_equal(conf.server_count, IST_DNS_SERVERS_MAX);
    assert_int_equal(conf.search_count, IST_DNS_SEARCH_MAX);
    assert_int_equal(conf.skipped, 5);
}

static ist_status load_body(void *path)
{
    ist_dns_resolv_conf conf;
    return ist_dns_resolv_conf_load(path, &conf, NULL);
}

static void load_reads_a_file_and_names_it_when_missing(void **state)
{
    char path[] = "/tmp/ist_resolv_XXXXXX";
    ist_dns_resolv_conf conf;
    ist_err err = IST_ERR_NULL;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "nameserver 10.0.0.1\n", 20), 20);
    (void)close(fd);
    assert_int_equal(ist_dns_resolv_conf_load(path, &conf, &err), IST_OK);
    assert_int_equal(conf.server_count, 1);
    assert_true(ist_test_each_alloc_fails(load_body, path) > 0);
    (void)unlink(path);
    assert_int_not_equal(ist_dns_resolv_conf_load(path, &conf, &err), IST_OK);
    assert_non_null(strstr(err.text, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_pod_file_gives_all),
        cmocka_unit_test(parse_odd_lines_are_skipped),
        cmocka_unit_test(parse_bytes_that_no_name_has_are_skipped),
        cmocka_unit_test(parse_empty_gives_defaults),
        cmocka_unit_test(parse_too_many_are_counted),
        cmocka_unit_test(load_reads_a_file_and_names_it_when_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
