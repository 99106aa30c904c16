// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "config/agent.h"

#include <string.h>

static const char *const NO_ENV[] = {NULL};

static ist_status load(int argc, const char *const *argv, const char *const *env, ist_options **ret_options, ist_err *err)
{
    *err = IST_ERR_NULL;
    return ist_agent_options_load(argc, argv, env, ret_options, err);
}

static void defaults_need_no_flag(void **state)
{
    (void)state;
    ist_options *options = NULL;
    ist_err err;
    assert_int_equal(load(0, NO_ENV, NO_ENV, &options, &err), IST_OK);
    assert_string_equal(ist_options_string(options, IST_OPT_XDS_ADDRESS), "istiod.istio-system.svc:15012");
    assert_true(ist_options_flag(options, IST_OPT_XDS_TLS));
    assert_int_equal(ist_agent_source_directory(options).n, 0);
    ist_options_free(options);
}

static void plaintext_off_loopback_is_refused_unless_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *argv[3];
        int argc;
        ist_status status;
    } CASES[] = {
        {{"--xds-tls=off", "--xds-address=10.0.0.1:15010"}, 2, IST_EINVAL},
        {{"--xds-tls=off", "--xds-address=10.0.0.1:15010", "--xds-allow-plaintext"}, 3, IST_OK},
        {{"--xds-tls=off", "--xds-address=127.0.0.1:15010,[::1]:1"}, 2, IST_OK},
        {{"--xds-tls=off", "--xds-address=127.0.0.1:1,istiod:15010"}, 2, IST_EINVAL},
        {{"--xds-tls=off", "--source=dir:/x"}, 2, IST_OK},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options = NULL;
        ist_err err;
        assert_int_equal(load(CASES[i].argc, CASES[i].argv, NO_ENV, &options, &err), CASES[i].status);
        if (CASES[i].status != IST_OK) {
            assert_non_null(strstr(err.text, "--xds-allow-plaintext"));
        }
        ist_options_free(options);
    }
}

static void nacos_config_is_read(void **state)
{
    (void)state;
    ist_agent_nacos_config config;
    assert_int_equal(ist_agent_nacos_config_parse(IST_STRV("deny"), &config, NULL), IST_OK);
    assert_int_equal(config.what, IST_AGENT_NACOS_CONFIG_DENY);
    assert_int_equal(ist_agent_nacos_config_parse(IST_STRV("empty"), &config, NULL), IST_OK);
    assert_int_equal(config.what, IST_AGENT_NACOS_CONFIG_EMPTY);
    assert_int_equal(ist_agent_nacos_config_parse(IST_STRV("proxy:nacos.infra:8848"), &config, NULL), IST_OK);
    assert_int_equal(config.what, IST_AGENT_NACOS_CONFIG_PROXY);
    ist_test_strv_equal(config.host, "nacos.infra");
    assert_int_equal(config.port, 8848);
    assert_int_equal(ist_agent_nacos_config_parse(IST_STRV("proxy:[::1]:64535"), &config, NULL), IST_OK);
    ist_test_strv_equal(config.host, "::1");
    static const char *const WRONG[] = {"", "Deny", "proxy", "proxy:", "proxy:nacos", "proxy:nacos:0", "proxy:nacos:64536"};
    for (size_t i = 0; i < IST_COUNT(WRONG); i++) {
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_agent_nacos_config_parse(ist_strv_from(WRONG[i]), &config, &err), IST_EINVAL);
        assert_int_not_equal(err.text[0], '\0');
    }
}

static void query_log_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ist_agent_query_log_what what;
        uint32_t one_in;
    } CASES[] = {
        {"off", IST_AGENT_QUERY_LOG_OFF, 1},
        {"errors", IST_AGENT_QUERY_LOG_ERRORS, 1},
        {"all", IST_AGENT_QUERY_LOG_ALL, 1},
        {"errors:1/2", IST_AGENT_QUERY_LOG_ERRORS, 2},
        {"all:1/1000000", IST_AGENT_QUERY_LOG_ALL, 1000000},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_agent_query_log log;
        assert_int_equal(ist_agent_query_log_parse(ist_strv_from(CASES[i].text), &log, NULL), IST_OK);
        assert_int_equal(log.what, CASES[i].what);
        assert_int_equal(log.one_in, CASES[i].one_in);
    }
}

static void source_and_log_level_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *flag;
        const char *text;
    } CASES[] = {
        {"--source=consul", "must be istiod or dir:PATH"},
        {"--source=dir:", "must be istiod or dir:PATH"},
        {"--log-level=loud", "no level \"loud\""},
        {"--log-level=info,dsn:debug", "no scope \"dsn\""},
        {"--dns-query-log=some", "is not off, errors or all"},
        {"--dns-query-log=all:1/0", "is not off, errors or all"},
        {"--dns-query-log=all:1/1000001", "up to 1000000"},
        {"--dns-query-log=off:1/2", "is not off, errors or all"},
        {"--config=/nonexistent", "/nonexistent"},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options = NULL;
        ist_err err;
        assert_int_not_equal(load(1, &CASES[i].flag, NO_ENV, &options, &err), IST_OK);
        assert_non_null(strstr(err.text, CASES[i].text));
    }
}

static void istio_environment_names_are_read(void **state)
{
    (void)state;
    const char *env[] = {"POD_NAME=p", "POD_NAMESPACE=n", "INSTANCE_IP=10.0.0.9", "XDS_ADDRESS=istiod:15012",
                         "ISTIO_META_NETWORK=net", NULL};
    ist_options *options = NULL;
    ist_err err;
    assert_int_equal(load(0, NO_ENV, env, &options, &err), IST_OK);
    assert_string_equal(ist_options_string(options, IST_OPT_POD_NAME), "p");
    assert_string_equal(ist_options_string(options, IST_OPT_POD_IP), "10.0.0.9");
    assert_string_equal(ist_options_string(options, IST_OPT_XDS_ADDRESS), "istiod:15012");
    ist_options_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_need_no_flag),
        cmocka_unit_test(plaintext_off_loopback_is_refused_unless_allowed),
        cmocka_unit_test(query_log_is_read),
        cmocka_unit_test(nacos_config_is_read),
        cmocka_unit_test(source_and_log_level_are_checked),
        cmocka_unit_test(istio_environment_names_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
