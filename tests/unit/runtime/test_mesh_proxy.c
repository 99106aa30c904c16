// SPDX-License-Identifier: Apache-2.0
//
// Istio's proxy in this pod, by the options and the pod's annotations.
#include "ist_test.h"

#include "mesh_proxy_priv.h"

#include <stdlib.h>
#include <unistd.h>

#define STATUS(containers, inits) \
    "sidecar.istio.io/status=\"{\\\"initContainers\\\":[" inits "],\\\"containers\\\":[" containers "]}\"\n"
#define PROXY "\\\"istio-proxy\\\""

static ist_options *options_of(const char *yaml)
{
    ist_options *options = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_new(ist_agent_option_table(), &options, &err), IST_OK);
    assert_int_equal(ist_options_read_yaml(options, "f", ist_strv_from(yaml), &err), IST_OK);
    return options;
}

static ist_status find(const char *yaml, ist_mesh_proxy *ret_proxy, ist_err *err)
{
    ist_options *options = options_of(yaml);
    ist_buf why = IST_BUF_INIT;
    *err = IST_ERR_NULL;
    ist_status status = mesh_proxy_find(options, ret_proxy, &why, err);
    assert_int_equal(status == IST_OK, why.length != 0);
    ist_buf_done(&why);
    ist_options_free(options);
    return status;
}

static void annotations_are_judged(void **state)
{
    static const struct {
        const char *text;
        ist_mesh_proxy proxy;
    } CASES[] = {
        {"", IST_MESH_PROXY_NONE},
        {"kubernetes.io/config.seen=\"x\"\n", IST_MESH_PROXY_NONE},
        {STATUS(PROXY, "\\\"istio-init\\\""), IST_MESH_PROXY_ENVOY},
        {STATUS("", PROXY), IST_MESH_PROXY_ENVOY},
        {STATUS("\\\"isthmus\\\"", ""), IST_MESH_PROXY_NONE}, // the injector had another template to apply
        {"sidecar.istio.io/status=\"\"\n", IST_MESH_PROXY_NONE},
        {"sidecar.istio.io/status=\"injected\"\n", IST_MESH_PROXY_ENVOY}, // cannot be told
        {"ambient.istio.io/redirection=\"enabled\"\n", IST_MESH_PROXY_AMBIENT},
        {"ambient.istio.io/redirection=\"disabled\"\n", IST_MESH_PROXY_NONE},
        {"ambient.istio.io/redirection=\"enabled\"\n" STATUS(PROXY, ""), IST_MESH_PROXY_ENVOY},
    };
    char path[] = "/tmp/isthmus-annotations-XXXXXX";
    char yaml[128];
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)snprintf(yaml, sizeof(yaml), "annotations-file: %s\n", path);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_mesh_proxy proxy = _IST_MESH_PROXY_MAX;
        ist_err err;
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, CASES[i].text, strlen(CASES[i].text), 0), strlen(CASES[i].text));
        assert_int_equal(find(yaml, &proxy, &err), IST_OK);
        if (proxy != CASES[i].proxy) {
            fail_msg("%s: %s", CASES[i].text, ist_mesh_proxy_name(proxy));
        }
    }
    (void)close(fd);
    (void)unlink(path);
}

static void option_goes_before_the_annotations(void **state)
{
    ist_mesh_proxy proxy = _IST_MESH_PROXY_MAX;
    ist_err err;
    (void)state;
    assert_int_equal(find("mesh-proxy: ambient\nannotations-file: /nonexistent/x\n", &proxy, &err), IST_OK);
    assert_int_equal(proxy, IST_MESH_PROXY_AMBIENT);
    assert_int_equal(find("mesh-proxy: envoy\n", &proxy, &err), IST_OK);
    assert_int_equal(proxy, IST_MESH_PROXY_ENVOY);
    assert_int_equal(find("mesh-proxy: none\n", &proxy, &err), IST_OK);
    assert_int_equal(proxy, IST_MESH_PROXY_NONE);
    assert_int_equal(find("{}\n", &proxy, &err), IST_OK); // auto, and nothing to look into
    assert_int_equal(proxy, IST_MESH_PROXY_NONE);
}

static void file_that_cannot_be_read_is_named(void **state)
{
    ist_mesh_proxy proxy = _IST_MESH_PROXY_MAX;
    ist_err err;
    (void)state;
    assert_int_not_equal(find("annotations-file: /nonexistent/x\n", &proxy, &err), IST_OK);
    assert_non_null(strstr(err.text, "--annotations-file"));
    assert_non_null(strstr(err.text, "/nonexistent/x"));
    assert_int_equal(proxy, _IST_MESH_PROXY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(annotations_are_judged),
        cmocka_unit_test(option_goes_before_the_annotations),
        cmocka_unit_test(file_that_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
