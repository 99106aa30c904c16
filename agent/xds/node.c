// SPDX-License-Identifier: Apache-2.0
#include "node_priv.h"

#include "base/arena.h"

#include "proto/envoy_core.pb-c.h"

#define MAX_FIELDS 24
#define MAX_LABELS 1000

typedef Google__Protobuf__Struct struct_message;
typedef Google__Protobuf__Struct__FieldsEntry entry_message;
typedef Google__Protobuf__Value value_message;

// A Struct under construction. `failed` is sticky.
typedef struct field_list {
    ist_arena *arena;
    struct_message *message;
    size_t capacity;
    bool failed;
} field_list;

static struct_message *struct_new(ist_arena *arena, size_t capacity)
{
    struct_message *message = IST_ARENA_NEW(arena, struct_message);
    if (message == NULL) {
        return NULL;
    }
    google__protobuf__struct__init(message);
    message->fields = IST_ARENA_ARRAY(arena, capacity + 1, entry_message *);
    return message->fields != NULL ? message : NULL;
}

static value_message *add_field(field_list *fields, ist_strv key)
{
    entry_message *entry = IST_ARENA_NEW(fields->arena, entry_message);
    value_message *value = IST_ARENA_NEW(fields->arena, value_message);
    char *name = ist_arena_printf(fields->arena, "%.*s", IST_STRV_ARG(key));
    if (entry == NULL || value == NULL || name == NULL || fields->message->n_fields >= fields->capacity) {
        fields->failed = true;
        return NULL;
    }
    google__protobuf__struct__fields_entry__init(entry);
    google__protobuf__value__init(value);
    entry->key = name;
    entry->value = value;
    fields->message->fields[fields->message->n_fields++] = entry;
    return value;
}

static void add_text(field_list *fields, ist_strv key, ist_strv text)
{
    if (text.n == 0 || fields->failed) {
        return;
    }
    value_message *value = add_field(fields, key);
    char *copy = ist_arena_printf(fields->arena, "%.*s", IST_STRV_ARG(text));
    if (value == NULL || copy == NULL) {
        fields->failed = true;
        return;
    }
    value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
    value->string_value = copy;
}

static void add_struct(field_list *fields, ist_strv key, struct_message *structure)
{
    value_message *value = fields->failed ? NULL : add_field(fields, key);
    if (value == NULL || structure == NULL) {
        fields->failed = true;
        return;
    }
    value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
    value->struct_value = structure;
}

static void add_labels(field_list *outer, const ist_xds_node *node)
{
    if (node->label_count == 0) {
        return;
    }
    field_list labels = {
        .arena = outer->arena, .capacity = node->label_count, .message = struct_new(outer->arena, node->label_count)};
    if (labels.message == NULL) {
        outer->failed = true;
        return;
    }
    for (uint32_t i = 0; i < node->label_count; i++) {
        value_message *value = add_field(&labels, node->labels[i].key);
        char *copy = ist_arena_printf(outer->arena, "%.*s", IST_STRV_ARG(node->labels[i].value));
        if (value == NULL || copy == NULL) {
            outer->failed = true;
            return;
        }
        value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE; // an empty label value is a value
        value->string_value = copy;
    }
    add_struct(outer, IST_STRV("LABELS"), labels.message);
}

static struct_message *metadata_new(const ist_xds_node *node, ist_arena *arena)
{
    field_list fields = {.arena = arena, .capacity = MAX_FIELDS, .message = struct_new(arena, MAX_FIELDS)};
    if (fields.message == NULL) {
        return NULL;
    }
    char *version = ist_arena_printf(arena, "%s%s%.*s", IST_XDS_ISTIO_VERSION, node->version.n > 0 ? "-" : "",
                                     IST_STRV_ARG(node->version));
    add_text(&fields, IST_STRV("INSTANCE_IPS"), node->pod_ip);
    add_text(&fields, IST_STRV("NAMESPACE"), node->pod_namespace);
    add_text(&fields, IST_STRV("CLUSTER_ID"), node->cluster_id);
    add_text(&fields, IST_STRV("NETWORK"), node->network);
    add_text(&fields, IST_STRV("NODE_NAME"), node->node_name);
    add_text(&fields, IST_STRV("SERVICE_ACCOUNT"), node->service_account);
    add_text(&fields, IST_STRV("WORKLOAD_NAME"), node->workload_name);
    add_text(&fields, IST_STRV("MESH_ID"), node->mesh_id);
    add_text(&fields, IST_STRV("ISTIO_VERSION"), ist_strv_from(version));
    add_text(&fields, IST_STRV("ISTIO_REVISION"), node->revision);
    add_text(&fields, IST_STRV("DISABLE_HBONE_SEND"), IST_STRV("true")); // plain pod addresses in ambient meshes
    add_struct(&fields, IST_STRV("PROXY_CONFIG"), struct_new(arena, 0)); // istioctl lists only who has one
    add_labels(&fields, node);
    return fields.failed || version == NULL ? NULL : fields.message;
}

static char *text_new(ist_arena *arena, ist_strv text)
{
    return ist_arena_printf(arena, "%.*s", IST_STRV_ARG(text));
}

static Envoy__Config__Core__V3__Locality *locality_new(const ist_xds_node *node, ist_arena *arena)
{
    Envoy__Config__Core__V3__Locality *locality = IST_ARENA_NEW(arena, Envoy__Config__Core__V3__Locality);
    if (locality == NULL) {
        return NULL;
    }
    envoy__config__core__v3__locality__init(locality);
    locality->region = text_new(arena, node->region);
    locality->zone = text_new(arena, node->zone);
    locality->sub_zone = text_new(arena, node->subzone);
    return locality->region != NULL && locality->zone != NULL && locality->sub_zone != NULL ? locality : NULL;
}

static ist_status pack(const Envoy__Config__Core__V3__Node *message, ist_buf *out)
{
    size_t size = envoy__config__core__v3__node__get_packed_size(message);
    char *bytes = ist_buf_reserve(out, size);
    if (bytes != NULL) {
        ist_buf_commit(out, envoy__config__core__v3__node__pack(message, (uint8_t *)bytes));
    }
    return ist_buf_status(out);
}

static ist_status build(const ist_xds_node *node, ist_arena *arena, ist_buf *out, ist_err *err)
{
    Envoy__Config__Core__V3__Node message;
    ist_strv ips = node->pod_ip;
    ist_strv ip = ist_strv_trim(ist_strv_cut(&ips, ',', NULL));
    envoy__config__core__v3__node__init(&message);
    message.id = ist_arena_printf(arena, "sidecar~%.*s~%.*s.%.*s~%.*s.svc.%.*s", IST_STRV_ARG(ip),
                                  IST_STRV_ARG(node->pod_name), IST_STRV_ARG(node->pod_namespace),
                                  IST_STRV_ARG(node->pod_namespace), IST_STRV_ARG(node->domain));
    ist_strv workload = node->workload_name.n > 0 ? node->workload_name : node->pod_name;
    message.cluster = ist_arena_printf(arena, "%.*s.%.*s", IST_STRV_ARG(workload), IST_STRV_ARG(node->pod_namespace));
    message.user_agent_name = ist_arena_printf(arena, "isthmus");
    message.metadata = metadata_new(node, arena);
    bool place = node->region.n > 0 || node->zone.n > 0 || node->subzone.n > 0;
    message.locality = place ? locality_new(node, arena) : NULL;
    if (message.id == NULL || message.cluster == NULL || message.user_agent_name == NULL || message.metadata == NULL ||
        (place && message.locality == NULL)) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (pack(&message, out) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    return IST_OK;
}

static ist_status check(const ist_xds_node *node, ist_err *err)
{
    if (node->pod_ip.n == 0 || node->pod_namespace.n == 0 || node->pod_name.n == 0 || node->domain.n == 0) {
        return ist_err_set(err, IST_EINVAL, "the node needs a pod name, a pod namespace, a pod IP and a domain");
    }
    ist_mesh_addr addr;
    ist_strv ips = node->pod_ip;
    bool more = true;
    while (more) {
        ist_status status = ist_mesh_addr_parse(ist_strv_trim(ist_strv_cut(&ips, ',', &more)), &addr, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "pod IP");
            return status;
        }
    }
    if (node->label_count > MAX_LABELS) {
        return ist_err_set(err, IST_ELIMIT, "%u pod labels; at most %d are taken", node->label_count, MAX_LABELS);
    }
    return IST_OK;
}

ist_status ist_xds_node_write(const ist_xds_node *node, ist_buf *out, ist_err *err)
{
    ist_status status = check(node, err);
    if (status != IST_OK) {
        return status;
    }
    ist_arena *arena = ist_arena_new(0, 0);
    if (arena == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    status = build(node, arena, out, err);
    ist_arena_free(arena);
    return status;
}
