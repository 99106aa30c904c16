// SPDX-License-Identifier: Apache-2.0
//
// Which kinds there are, and what every object has in common.
#include "objects_priv.h"

#include <stdio.h>
#include <string.h>

static const ist_field owner_fields[] = {
    IST_F(STRING, ist_owner, kind, "kind"),
    IST_F(STRING, ist_owner, name, "name"),
    IST_F(BOOL, ist_owner, controller, "controller"),
};
const ist_schema ist_schema_owner = IST_SCHEMA(ist_owner, owner_fields, true);

static const ist_field meta_fields[] = {
    {.name = "name", .type = IST_FIELD_STRING, .offset = offsetof(ist_meta, name), .required = true},
    IST_F(STRING, ist_meta, namespace_, "namespace"),
    IST_F(STRING, ist_meta, generated, "generateName"),
    IST_F(STRING, ist_meta, created, "creationTimestamp"),
    IST_F(LABELS, ist_meta, labels, "labels"),
    IST_F(ISTIO_LABELS, ist_meta, annotations, "annotations"),
    IST_F_SUB(LIST, ist_meta, owners, "ownerReferences", ist_schema_owner),
};
const ist_schema ist_schema_meta = IST_SCHEMA(ist_meta, meta_fields, true);

// Kinds that exist beside ours: reported by their own name, so that a dump of a cluster raises no alarm.
static const char *const known_kinds[] = {
    "HTTPRoute",
    "GRPCRoute",
    "TCPRoute",
    "TLSRoute",
    "UDPRoute",
    "GatewayClass",
    "Gateway",
    "ReferenceGrant",
    "BackendTLSPolicy",
    "PeerAuthentication",
    "RequestAuthentication",
    "AuthorizationPolicy",
    "EnvoyFilter",
    "WasmPlugin",
    "Telemetry",
    "ProxyConfig",
    "WorkloadGroup",
    "ConfigMap",
    "Secret",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "ServiceAccount",
    "Endpoints",
    "Ingress",
    "NetworkPolicy",
    "CustomResourceDefinition",
    "ServiceImport",
    "ServiceExport",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "IstioOperator",
};

ist_strv ist_label_find(ist_files_list labels, ist_strv key)
{
    const ist_files_label *items = labels.items;
    for (uint32_t i = 0; i < labels.count; i++) {
        if (ist_strv_equal(items[i].key, key)) {
            return items[i].value;
        }
    }
    return IST_STRV_NULL;
}

bool ist_labels_subset(ist_files_list wanted, ist_files_list have)
{
    const ist_files_label *items = wanted.items;
    for (uint32_t i = 0; i < wanted.count; i++) {
        ist_strv value = ist_label_find(have, items[i].key);
        if (value.p == NULL || !ist_strv_equal(value, items[i].value)) {
            return false;
        }
    }
    return true;
}

static ist_strv text_of(const ist_yaml_node *map, ist_strv key)
{
    const ist_yaml_node *child = ist_yaml_child(map, key);
    return child != NULL && child->kind == IST_YAML_SCALAR ? child->text : IST_STRV_NULL;
}

static const ist_object_type *find_type_in(const ist_object_type *types, size_t count, ist_strv version, ist_strv kind)
{
    for (size_t i = 0; i < count; i++) {
        if (ist_strv_equal(kind, ist_strv_from(types[i].kind)) &&
            ist_strv_starts_with(version, ist_strv_from(types[i].group))) {
            return &types[i];
        }
    }
    return NULL;
}

static const ist_object_type *find_type(ist_strv version, ist_strv kind)
{
    const ist_object_type *type = find_type_in(ist_object_types_k8s, ist_object_types_k8s_count, version, kind);
    type = type != NULL ? type : find_type_in(ist_object_types_entry, ist_object_types_entry_count, version, kind);
    type = type != NULL ? type : find_type_in(&ist_object_type_rule, 1, version, kind);
    type = type != NULL ? type : find_type_in(&ist_object_type_routes, 1, version, kind);
    return type != NULL ? type : find_type_in(ist_object_types_mesh, ist_object_types_mesh_count, version, kind);
}

static void name_object(ist_decoder *decoder, const ist_yaml_node *root, ist_strv kind)
{
    const ist_yaml_node *meta = ist_yaml_child(root, IST_STRV("metadata"));
    ist_strv name = meta != NULL ? text_of(meta, IST_STRV("name")) : IST_STRV_NULL;
    ist_strv space = meta != NULL ? text_of(meta, IST_STRV("namespace")) : IST_STRV_NULL;
    (void)snprintf(decoder->object, sizeof(decoder->object), "%.*s %.*s%s%.*s", IST_STRV_ARG(ist_strv_first(kind, 40)),
                   IST_STRV_ARG(ist_strv_first(space, 63)), space.n != 0 ? "/" : "",
                   IST_STRV_ARG(ist_strv_first(name, 80))); // fits
}

static void report_unknown(ist_decoder *decoder, const ist_yaml_node *root, ist_strv version, ist_strv kind)
{
    for (size_t i = 0; i < IST_COUNT(known_kinds); i++) {
        if (ist_strv_equal(kind, ist_strv_from(known_kinds[i]))) {
            ist_decoder_finding(decoder, root, IST_FILES_INFO, "kind is not translated by the file source");
            return;
        }
    }
    ist_decoder_finding(decoder, root, IST_FILES_WARNING, "kind %.*s of %.*s is not known; nothing is taken from it",
                        IST_STRV_ARG(ist_strv_first(kind, 63)), IST_STRV_ARG(ist_strv_first(version, 80)));
}

static bool name_valid(ist_strv name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) {
            return false;
        }
    }
    return name.n != 0 && name.n <= IST_MESH_HOST_MAX;
}

static void check_meta(ist_decoder *decoder, const ist_yaml_node *root, const ist_object_type *type, ist_meta *meta)
{
    if (!type->namespaced) {
        meta->namespace_ = IST_STRV("");
    } else if (meta->namespace_.n == 0) {
        meta->namespace_ = IST_STRV("default");
    }
    if (!decoder->failed && !name_valid(meta->name)) {
        ist_decoder_finding(decoder, root, IST_FILES_ERROR,
                            "metadata.name must be lower case letters, digits, '-' and '.'");
    }
    if (!decoder->failed && type->namespaced && !name_valid(meta->namespace_)) {
        ist_decoder_finding(decoder, root, IST_FILES_ERROR,
                            "metadata.namespace must be lower case letters, digits and '-'");
    }
}

static ist_status decode_as(ist_decoder *decoder, const ist_yaml_node *root, const ist_object_type *type,
                            ist_object **ret_object)
{
    decoder->structs = type->packed ? decoder->scratch : decoder->arena;
    ist_object *raw = ist_arena_calloc(decoder->structs, 1, type->schema->size_bytes);
    if (raw == NULL) {
        return IST_ENOMEM;
    }
    if (type->schema->defaults != NULL) {
        memcpy(raw, type->schema->defaults, type->schema->size_bytes);
    }
    raw->kind = type->object_kind;
    raw->line = root->line;
    raw->file = decoder->file;
    ist_decode_struct(decoder, type->schema, root, raw);
    check_meta(decoder, root, type, &raw->meta);
    if (decoder->status == IST_OK && !decoder->failed) {
        ist_object *object = type->finish != NULL ? type->finish(decoder, root, raw) : raw;
        if (decoder->status == IST_OK && !decoder->failed) {
            *ret_object = object;
        }
    }
    return decoder->status;
}

ist_status ist_object_decode(ist_decoder *decoder, const ist_yaml_node *root, ist_object **ret_object)
{
    *ret_object = NULL;
    decoder->failed = false;
    ist_decoder_pop(decoder, 0);
    decoder->object[0] = '\0';
    if (ist_yaml_is_null(root)) {
        return IST_OK; // an empty document, as "---" at the end leaves
    }
    if (root->kind != IST_YAML_MAP) {
        ist_decoder_finding(decoder, root, IST_FILES_ERROR, "a document must be a mapping with apiVersion and kind");
        return decoder->status;
    }
    ist_strv version = text_of(root, IST_STRV("apiVersion"));
    ist_strv kind = text_of(root, IST_STRV("kind"));
    name_object(decoder, root, kind);
    if (kind.n == 0 || version.n == 0) {
        ist_decoder_finding(decoder, root, IST_FILES_ERROR, "%s is missing", kind.n == 0 ? "kind" : "apiVersion");
        return decoder->status;
    }
    const ist_object_type *type = find_type(version, kind);
    if (type == NULL) {
        report_unknown(decoder, root, version, kind);
        return decoder->status;
    }
    return decode_as(decoder, root, type, ret_object);
}
