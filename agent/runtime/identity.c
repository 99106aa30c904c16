// SPDX-License-Identifier: Apache-2.0
#include "identity_priv.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define LABELS_MAX 1000
#define LABEL_FILE_MAX_BYTES ((size_t)256 << 10)

typedef struct label_list {
    ist_xds_label *items;
    size_t count;
    size_t capacity;
} label_list;

// "key=value" or, as the downward API writes it, key="value" with C-like escapes of quotes and backslashes.
static ist_status add_label(label_list *labels, ist_strv text, ist_arena *arena)
{
    ist_strv value = text;
    ist_strv key = ist_strv_trim(ist_strv_cut(&value, '=', NULL));
    value = ist_strv_trim(value);
    if (key.n == 0) {
        return IST_OK;
    }
    char *copy = ist_arena_alloc(arena, value.n + 1);
    if (copy == NULL) {
        return IST_ENOMEM;
    }
    bool quoted = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
    ist_strv inner = quoted ? ist_strv_first(ist_strv_skip(value, 1), value.n - 2) : value;
    size_t length = 0;
    for (size_t i = 0; i < inner.n; i++) {
        bool escape = quoted && inner.p[i] == '\\' && i + 1 < inner.n;
        copy[length++] = inner.p[escape ? ++i : i];
    }
    ist_xds_label label = {.key = ist_arena_strv(arena, key), .value = ist_strv_make(copy, length)};
    return label.key.p == NULL ? IST_ENOMEM : IST_VEC_PUSH(labels, label, LABELS_MAX);
}

static ist_status add_labels(label_list *labels, ist_strv text, char separator, ist_arena *arena)
{
    for (bool more = text.n != 0; more;) {
        ist_status status = add_label(labels, ist_strv_trim(ist_strv_cut(&text, separator, &more)), arena);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static ist_status add_label_file(label_list *labels, const char *path, ist_arena *arena, ist_err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ist_err_errno(err, errno, "--labels: cannot read %s", path);
    }
    ist_buf text;
    ist_buf_init(&text, LABEL_FILE_MAX_BYTES);
    char chunk[1024];
    size_t got;
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        ist_buf_append(&text, chunk, got);
    }
    ist_status status =
        ferror(file) ? ist_err_errno(err, errno, "--labels: cannot read %s", path) : ist_buf_status(&text);
    if (status == IST_OK) {
        status = add_labels(labels, ist_buf_view(&text), '\n', arena);
    }
    ist_buf_done(&text);
    (void)fclose(file); // opened for reading
    return status;
}

static ist_status read_labels(identity *self, const ist_options *options, ist_err *err)
{
    label_list labels = {0};
    ist_strv text = ist_options_text(options, IST_OPT_LABELS);
    ist_status status = ist_strv_starts_with(text, IST_STRV("@"))
                            ? add_label_file(&labels, ist_options_string(options, IST_OPT_LABELS) + 1, self->arena, err)
                            : add_labels(&labels, text, ',', self->arena);
    ist_xds_label *copy = IST_ARENA_ARRAY(self->arena, labels.count + 1, ist_xds_label);
    if (status == IST_OK && copy == NULL) {
        status = IST_ENOMEM;
    }
    for (size_t i = 0; status == IST_OK && i < labels.count; i++) {
        copy[i] = labels.items[i];
    }
    if (status == IST_OK) {
        self->node.labels = copy;
        self->node.label_count = (uint32_t)labels.count;
    }
    IST_VEC_DONE(&labels);
    return status;
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
