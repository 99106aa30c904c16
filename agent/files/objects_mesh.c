// SPDX-License-Identifier: Apache-2.0
//
// Sidecar, and the ConfigMap istio-system/istio whose keys mesh and meshNetworks are YAML inside YAML.
#include "objects_priv.h"

#include <string.h>

// --- Sidecar ---------------------------------------------------------------------------------------------------------

static const ist_field egress_fields[] = {
    {.name = "hosts", .type = IST_FIELD_STRINGS, .offset = offsetof(ist_egress, hosts), .required = true},
    IST_F_REPORT("port"),
    IST_F_SKIP("bind"),
    IST_F_SKIP("captureMode"),
};
static const ist_schema egress_schema = IST_SCHEMA(ist_egress, egress_fields, false);

static const ist_field sidecar_spec_fields[] = {
    IST_F_SUB(POINTER, ist_sidecar_spec, selector, "workloadSelector", ist_schema_selector),
    IST_F_SUB(LIST, ist_sidecar_spec, egress, "egress", egress_schema),
    IST_F_SKIP("ingress"),
    IST_F_SKIP("outboundTrafficPolicy"),
    IST_F_SKIP("inboundConnectionPool"),
};
static const ist_schema sidecar_spec_schema = IST_SCHEMA(ist_sidecar_spec, sidecar_spec_fields, false);

static const ist_field sidecar_fields[] = {
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta),
    IST_F_SUB(STRUCT, ist_sidecar, spec, "spec", sidecar_spec_schema),
    IST_F_SKIP("apiVersion"),
    IST_F_SKIP("kind"),
    IST_F_SKIP("status"),
};
static const ist_schema sidecar_schema = IST_SCHEMA(ist_sidecar, sidecar_fields, false);

// --- MeshConfig and MeshNetworks -------------------------------------------------------------------------------------

static const ist_field settings_fields[] = {
    IST_F(STRING, ist_mesh_settings, root_namespace, "rootNamespace"),
    IST_F_SUB(POINTER, ist_mesh_settings, locality, "localityLbSetting", ist_schema_locality_lb),
    IST_F(STRINGS, ist_mesh_settings, service_export_to, "defaultServiceExportTo"),
    IST_F(STRINGS, ist_mesh_settings, routes_export_to, "defaultVirtualServiceExportTo"),
    IST_F(STRINGS, ist_mesh_settings, rule_export_to, "defaultDestinationRuleExportTo"),
    IST_F_SUB(POINTER, ist_mesh_settings, policy, "defaultTrafficPolicy", ist_schema_default_policy),
    IST_F(DURATION, ist_mesh_settings, connect_timeout_ms, "connectTimeout"),
    IST_F(BOOL, ist_mesh_settings, auto_mtls, "enableAutoMtls"),
    IST_F_REPORT("zoneAwareLbSetting"),
    IST_F_REPORT("serviceSettings"),
};
static const ist_schema settings_schema = IST_SCHEMA(ist_mesh_settings, settings_fields, true);

static const ist_field network_endpoint_fields[] = {
    IST_F(STRING, ist_network_endpoint, from_cidr, "fromCidr"),
    IST_F(STRING, ist_network_endpoint, from_registry, "fromRegistry"),
};
static const ist_schema network_endpoint_schema = IST_SCHEMA(ist_network_endpoint, network_endpoint_fields, false);

static const ist_field network_gateway_fields[] = {
    IST_F(STRING, ist_network_gateway, address, "address"),
    IST_F(STRING, ist_network_gateway, registry_service, "registryServiceName"),
    IST_F_MAX(ist_network_gateway, port, "port", 65535),
    IST_F_SKIP("locality"),
};
static const ist_schema network_gateway_schema = IST_SCHEMA(ist_network_gateway, network_gateway_fields, false);

static const ist_field network_fields[] = {
    IST_F_SUB(LIST, ist_network, endpoints, "endpoints", network_endpoint_schema),
    IST_F_SUB(LIST, ist_network, gateways, "gateways", network_gateway_schema),
};
static const ist_schema network_schema = IST_SCHEMA(ist_network, network_fields, false);

typedef struct networks {
    ist_files_list items;
} networks;

static const ist_field networks_fields[] = {IST_F_SUB(KEYED, networks, items, "networks", network_schema)};
static const ist_schema networks_schema = IST_SCHEMA(networks, networks_fields, false);

typedef struct raw_data {
    ist_strv mesh;
    ist_strv networks;
} raw_data;

typedef struct raw_mesh {
    ist_object object;
    raw_data data;
} raw_mesh;

static const ist_field data_fields[] = {
    IST_F(STRING, raw_data, mesh, "mesh"),
    IST_F(STRING, raw_data, networks, "meshNetworks"),
};
static const ist_schema data_schema = IST_SCHEMA(raw_data, data_fields, true);
static const ist_field mesh_fields[] = {
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta),
    IST_F_SUB(STRUCT, raw_mesh, data, "data", data_schema),
};
static const ist_schema mesh_schema = IST_SCHEMA(raw_mesh, mesh_fields, true);

typedef struct inner {
    ist_decoder *decoder;
    const ist_schema *schema;
    void *out;
    ist_strv rest;
} inner;

static ist_status inner_read(void *ctx, unsigned char *buffer, size_t capacity, size_t *ret_length)
{
    inner *in = ctx;
    size_t length = in->rest.n < capacity ? in->rest.n : capacity;
    if (length != 0) {
        memcpy(buffer, in->rest.p, length);
    }
    in->rest = ist_strv_skip(in->rest, length);
    *ret_length = length;
    return IST_OK;
}

static ist_status inner_object(void *ctx, const ist_yaml_node *root)
{
    inner *in = ctx;
    ist_decode_struct(in->decoder, in->schema, root, in->out);
    return in->decoder->status;
}

// Lines inside the inner text count from its own first line.
static void decode_inner(ist_decoder *decoder, const ist_yaml_node *root, ist_strv text, const char *key, inner *in)
{
    ist_yaml_place place;
    ist_err err;
    in->decoder = decoder;
    in->rest = text;
    size_t mark = ist_decoder_push(decoder, IST_STRV("data"));
    (void)ist_decoder_push(decoder, ist_strv_from(key)); // `mark` takes both away
    ist_status status = ist_yaml_read(inner_read, in, inner_object, in, &place, &err);
    if (status == IST_ENOMEM) {
        decoder->status = IST_ENOMEM;
    } else if (status != IST_OK) {
        ist_decoder_finding(decoder, root, IST_FILES_ERROR, "line %u of the inner YAML: %s", place.line, err.text);
    }
    ist_decoder_pop(decoder, mark);
}

static ist_object *finish_mesh(ist_decoder *decoder, const ist_yaml_node *root, void *raw_object)
{
    const raw_mesh *raw = raw_object;
    bool ours = ist_strv_equal(raw->object.meta.name, IST_STRV("istio")) &&
                ist_strv_equal(raw->object.meta.namespace_, IST_STRV("istio-system"));
    if (!ours) {
        return NULL; // any other ConfigMap is none of our business
    }
    decoder->structs = decoder->arena;
    ist_mesh *mesh = IST_ARENA_NEW(decoder->arena, ist_mesh);
    if (mesh == NULL) {
        decoder->status = IST_ENOMEM;
        return NULL;
    }
    mesh->object = raw->object;
    mesh->object.meta.labels = (ist_files_list){NULL, 0};
    mesh->object.meta.annotations = (ist_files_list){NULL, 0};
    mesh->object.meta.owners = (ist_files_list){NULL, 0};
    networks found = {{NULL, 0}};
    decode_inner(decoder, root, raw->data.mesh, "mesh", &(inner){.schema = &settings_schema, .out = &mesh->settings});
    decode_inner(decoder, root, raw->data.networks, "meshNetworks",
                 &(inner){.schema = &networks_schema, .out = &found});
    mesh->networks = found.items;
    return &mesh->object;
}

const ist_object_type ist_object_types_mesh[] = {
    {"networking.istio.io/", "Sidecar", IST_OBJECT_SIDECAR, &sidecar_schema, NULL, true, false},
    {"v1", "ConfigMap", IST_OBJECT_MESH, &mesh_schema, finish_mesh, true, true},
};
const size_t ist_object_types_mesh_count = IST_COUNT(ist_object_types_mesh);
