// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "node_priv.h"
#include "proto/envoy_core.pb-c.h"

static const ist_xds_label labels[] = {
    {IST_STRV_INIT("app"), IST_STRV_INIT("reviews")},
    {IST_STRV_INIT("empty"), IST_STRV_INIT("")},
};

static const ist_xds_node full = {
    .pod_name = IST_STRV_INIT("reviews-v1-abc"),
    .pod_namespace = IST_STRV_INIT("prod"),
    .pod_ip = IST_STRV_INIT("10.1.1.1,fd00::1"),
    .domain = IST_STRV_INIT("cluster.local"),
    .service_account = IST_STRV_INIT("reviews"),
    .cluster_id = IST_STRV_INIT("Kubernetes"),
    .network = IST_STRV_INIT("net1"),
    .node_name = IST_STRV_INIT("worker-1"),
    .workload_name = IST_STRV_INIT("reviews-v1"),
    .mesh_id = IST_STRV_INIT("mesh1"),
    .revision = IST_STRV_INIT("canary"),
    .version = IST_STRV_INIT("0.1.0"),
    .region = IST_STRV_INIT("r1"),
    .zone = IST_STRV_INIT("z1"),
    .labels = labels,
    .label_count = IST_COUNT(labels),
};

static Envoy__Config__Core__V3__Node *written(const ist_xds_node *node)
{
    ist_buf buf = IST_BUF_INIT;
    ist_err err = IST_ERR_NULL;
    if (ist_xds_node_write(node, &buf, &err) != IST_OK) {
        fail_msg("%s", err.text);
    }
    Envoy__Config__Core__V3__Node *message =
        envoy__config__core__v3__node__unpack(NULL, buf.length, (const uint8_t *)buf.data);
    assert_non_null(message);
    ist_buf_done(&buf);
    return message;
}

static const Google__Protobuf__Value *value_of(const Google__Protobuf__Struct *structure, const char *key)
{
    for (size_t i = 0; i < structure->n_fields; i++) {
        if (strcmp(structure->fields[i]->key, key) == 0) {
            return structure->fields[i]->value;
        }
    }
    return NULL;
}

static void full_node_carries_everything_as_text(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        {"INSTANCE_IPS", "10.1.1.1,fd00::1"},
        {"NAMESPACE", "prod"},
        {"CLUSTER_ID", "Kubernetes"},
        {"NETWORK", "net1"},
        {"NODE_NAME", "worker-1"},
        {"SERVICE_ACCOUNT", "reviews"},
        {"WORKLOAD_NAME", "reviews-v1"},
        {"MESH_ID", "mesh1"},
        {"ISTIO_VERSION", "1.30.0-isthmus-0.1.0"},
        {"ISTIO_REVISION", "canary"},
        {"DISABLE_HBONE_SEND", "true"},
    };
    Envoy__Config__Core__V3__Node *node = written(&full);
    assert_string_equal(node->id, "sidecar~10.1.1.1~reviews-v1-abc.prod~prod.svc.cluster.local");
    assert_string_equal(node->cluster, "reviews-v1.prod");
    assert_string_equal(node->locality->region, "r1");
    assert_string_equal(node->locality->zone, "z1");
    for (size_t i = 0; i < IST_COUNT(expected); i++) {
        const Google__Protobuf__Value *value = value_of(node->metadata, expected[i][0]);
        assert_non_null(value);
        assert_string_equal(value->string_value, expected[i][1]);
    }
    assert_int_equal(value_of(node->metadata, "PROXY_CONFIG")->kind_case, GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE);
    const Google__Protobuf__Struct *written_labels = value_of(node->metadata, "LABELS")->struct_value;
    assert_string_equal(value_of(written_labels, "app")->string_value, "reviews");
    assert_string_equal(value_of(written_labels, "empty")->string_value, "");
    assert_null(value_of(node->metadata, "DNS_CAPTURE")); // else VIPs arrive that only Envoy can route
    assert_null(value_of(node->metadata, "GENERATOR"));
    envoy__config__core__v3__node__free_unpacked(node, NULL);
}

static void absent_values_are_left_out(void **state)
{
    (void)state;
    ist_xds_node bare = {.pod_name = IST_STRV("p"),
                         .pod_namespace = IST_STRV("n"),
                         .pod_ip = IST_STRV("fd00::1"),
                         .domain = IST_STRV("cluster.local")};
    Envoy__Config__Core__V3__Node *node = written(&bare);
    assert_string_equal(node->id, "sidecar~fd00::1~p.n~n.svc.cluster.local");
    assert_null(node->locality);
    assert_int_equal(node->metadata->n_fields, 5);
    assert_string_equal(value_of(node->metadata, "ISTIO_VERSION")->string_value, "1.30.0-isthmus");
    envoy__config__core__v3__node__free_unpacked(node, NULL);
}

static void unusable_node_is_refused(void **state)
{
    (void)state;
    ist_xds_node cases[4] = {full, full, full, full};
    static const char *const says[] = {"pod IP: ", "needs a pod name", "needs a pod name", "1001 pod labels"};
    cases[0].pod_ip = IST_STRV("10.1.1.1,nonsense");
    cases[1].pod_namespace = IST_STRV("");
    cases[2].domain = IST_STRV("");
    cases[3].label_count = 1001;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_buf buf = IST_BUF_INIT;
        ist_err err = IST_ERR_NULL;
        assert_int_not_equal(ist_xds_node_write(&cases[i], &buf, &err), IST_OK);
        if (strstr(err.text, says[i]) == NULL) {
            fail_msg("\"%s\"; wanted \"%s\"", err.text, says[i]);
        }
        assert_int_equal(buf.length, 0);
        ist_buf_done(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_node_carries_everything_as_text),
        cmocka_unit_test(absent_values_are_left_out),
        cmocka_unit_test(unusable_node_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
