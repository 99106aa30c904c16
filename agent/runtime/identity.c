// SPDX-License-Identifier: Apache-2.0
#include "identity_priv.h"

#include "base/arena.h"
#include "config/pod_info.h"

#include <unistd.h>

static ist_status read_label_pairs(identity *self, const ist_options *options, ist_pod_info *ret_pairs, ist_err *err)
{
    ist_strv text = ist_options_text(options, IST_OPT_LABELS);
    bool in_file = ist_strv_starts_with(text, IST_STRV("@"));
    ist_status status =
        in_file ? ist_pod_info_read(ist_options_string(options, IST_OPT_LABELS) + 1, self->arena, ret_pairs, err)
                : ist_pod_info_parse(text, ',', self->arena, ret_pairs, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "--labels");
    }
    return status;
}

static ist_status read_labels(identity *self, const ist_options *options, ist_err *err)
{
    ist_pod_info pairs;
    ist_status status = read_label_pairs(self, options, &pairs, err);
    if (status != IST_OK) {
        return status;
    }
    ist_xds_label *labels = IST_ARENA_ARRAY(self->arena, (size_t)pairs.count + 1, ist_xds_label);
    if (labels == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < pairs.count; i++) {
        labels[i] = (ist_xds_label){.key = pairs.pairs[i].key, .value = pairs.pairs[i].value};
    }
    self->node.labels = labels;
    self->node.label_count = pairs.count;
    return IST_OK;
}

static ist_strv copy_option(identity *self, const ist_options *options, ist_agent_option option)
{
    return ist_arena_strv(self->arena, ist_options_text(options, option));
}

static void read_locality(ist_xds_node *node, ist_strv text)
{
    node->region = ist_strv_cut(&text, '/', NULL);
    node->zone = ist_strv_cut(&text, '/', NULL);
    node->subzone = text;
}

static void read_names(identity *self, const ist_options *options, const char *version)
{
    ist_xds_node *node = &self->node;
    char host[256] = "localhost";
    (void)gethostname(host, sizeof(host) - 1); // then it stays "localhost"
    node->pod_name = ist_options_is_set(options, IST_OPT_POD_NAME) ? copy_option(self, options, IST_OPT_POD_NAME)
                                                                   : ist_arena_strv(self->arena, ist_strv_from(host));
    node->pod_ip = ist_options_is_set(options, IST_OPT_POD_IP) ? copy_option(self, options, IST_OPT_POD_IP)
                                                               : IST_STRV("127.0.0.1");
    node->pod_namespace = copy_option(self, options, IST_OPT_POD_NAMESPACE);
    node->domain = copy_option(self, options, IST_OPT_DOMAIN);
    node->service_account = copy_option(self, options, IST_OPT_SERVICE_ACCOUNT);
    node->cluster_id = copy_option(self, options, IST_OPT_CLUSTER_ID);
    node->network = copy_option(self, options, IST_OPT_NETWORK);
    node->node_name = copy_option(self, options, IST_OPT_NODE_NAME);
    node->workload_name = copy_option(self, options, IST_OPT_WORKLOAD_NAME);
    node->mesh_id = copy_option(self, options, IST_OPT_MESH_ID);
    node->revision = copy_option(self, options, IST_OPT_REVISION);
    node->version = ist_arena_strv(self->arena, ist_strv_from(version));
    read_locality(node, copy_option(self, options, IST_OPT_LOCALITY));
}

ist_status identity_init(identity *self, const ist_options *options, const char *version, ist_err *err)
{
    *self = (identity){.arena = ist_arena_new(0, (size_t)4 << 20)};
    ist_status status = self->arena != NULL ? IST_OK : IST_ENOMEM;
    if (status == IST_OK) {
        read_names(self, options, version);
        status = read_labels(self, options, err);
    }
    const char *full = status != IST_OK ? NULL
                                        : ist_arena_printf(self->arena, "%.*s.%.*s", IST_STRV_ARG(self->node.pod_name),
                                                           IST_STRV_ARG(self->node.pod_namespace));
    self->pod_dot_namespace = ist_strv_from(full);
    if (status == IST_OK && (full == NULL || self->node.version.p == NULL)) {
        status = IST_ENOMEM;
    }
    if (status == IST_ENOMEM) {
        (void)ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (status != IST_OK) {
        identity_done(self);
    }
    return status;
}

void identity_done(identity *self)
{
    ist_arena_free(self->arena);
    *self = (identity){0};
}
