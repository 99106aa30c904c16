// SPDX-License-Identifier: Apache-2.0
//
// ServiceEntry and WorkloadEntry (networking.istio.io/v1).
#include "objects_priv.h"

static const char *const location_words[] = {"MESH_EXTERNAL", "MESH_INTERNAL", NULL};
static const char *const resolution_words[] = {"NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS", NULL};

static const ist_field port_fields[] = {
    {.name = "number",
     .type = IST_FIELD_U32,
     .offset = offsetof(ist_entry_port, number),
     .max = 65535,
     .required = true},
    {.name = "name", .type = IST_FIELD_STRING, .offset = offsetof(ist_entry_port, name), .required = true},
    IST_F_MAX(ist_entry_port, target, "targetPort", 65535),
    IST_F(STRING, ist_entry_port, protocol, "protocol"),
};
static const ist_schema port_schema = IST_SCHEMA(ist_entry_port, port_fields, false);

static const ist_field workload_fields[] = {
    IST_F(STRING, ist_workload_spec, address, "address"),
    {.name = "ports", .type = IST_FIELD_U32_MAP, .offset = offsetof(ist_workload_spec, ports), .max = 65535},
    IST_F(LABELS, ist_workload_spec, labels, "labels"),
    IST_F(STRING, ist_workload_spec, network, "network"),
    IST_F(STRING, ist_workload_spec, locality, "locality"),
    IST_F(U32, ist_workload_spec, weight, "weight"),
    IST_F(STRING, ist_workload_spec, service_account, "serviceAccount"),
};
static const ist_schema workload_schema = IST_SCHEMA(ist_workload_spec, workload_fields, false);

static const ist_field selector_fields[] = {
    IST_F(LABELS, ist_selector, labels, "labels"),
    IST_F(LABELS, ist_selector, labels, "matchLabels"),
};
const ist_schema ist_schema_selector = IST_SCHEMA(ist_selector, selector_fields, false);

static const ist_field entry_spec_fields[] = {
    {.name = "hosts", .type = IST_FIELD_STRINGS, .offset = offsetof(ist_entry_spec, hosts), .required = true},
    IST_F(STRINGS, ist_entry_spec, addresses, "addresses"),
    IST_F_SUB(LIST, ist_entry_spec, ports, "ports", port_schema),
    IST_F_ENUM(ist_entry_spec, location, "location", location_words),
    IST_F_ENUM(ist_entry_spec, resolution, "resolution", resolution_words),
    IST_F_SUB(LIST, ist_entry_spec, endpoints, "endpoints", workload_schema),
    IST_F_SUB(POINTER, ist_entry_spec, selector, "workloadSelector", ist_schema_selector),
    IST_F(STRINGS, ist_entry_spec, export_to, "exportTo"),
    IST_F_SKIP("subjectAltNames"),
};
static const ist_schema entry_spec_schema = IST_SCHEMA(ist_entry_spec, entry_spec_fields, false);

static const ist_field entry_fields[] = {
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta),
    {.name = "spec",
     .type = IST_FIELD_STRUCT,
     .offset = offsetof(ist_entry, spec),
     .sub = &entry_spec_schema,
     .required = true},
    IST_F_SKIP("apiVersion"),
    IST_F_SKIP("kind"),
    IST_F_SKIP("status"),
};
static const ist_schema entry_schema = IST_SCHEMA(ist_entry, entry_fields, false);

static const ist_field workload_object_fields[] = {
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta),
    {.name = "spec",
     .type = IST_FIELD_STRUCT,
     .offset = offsetof(ist_workload, spec),
     .sub = &workload_schema,
     .required = true},
    IST_F_SKIP("apiVersion"),
    IST_F_SKIP("kind"),
    IST_F_SKIP("status"),
};
static const ist_schema workload_object_schema = IST_SCHEMA(ist_workload, workload_object_fields, false);

// Host names are compared in lower case everywhere: kept so.
static void lower_hosts(ist_decoder *decoder, const ist_yaml_node *root, ist_files_list *hosts)
{
    ist_strv *items = ist_arena_calloc(decoder->arena, hosts->count, sizeof(ist_strv));
    const ist_strv *given = hosts->items;
    char lower[IST_MESH_HOST_MAX];
    if (items == NULL) {
        decoder->status = IST_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < hosts->count; i++) {
        if (given[i].n == 0 || given[i].n > IST_MESH_HOST_MAX) {
            ist_decoder_finding(decoder, root, IST_FILES_ERROR,
                                "spec.hosts[%u] must be a host name of 1..253 characters", i);
            return;
        }
        ist_strv_lower(given[i], lower);
        items[i] = ist_decoder_keep(decoder, ist_strv_make(lower, given[i].n));
        if (!ist_mesh_host_valid(items[i])) {
            ist_decoder_finding(decoder, root, IST_FILES_ERROR, "spec.hosts[%u] \"%.*s\" is no host name", i,
                                IST_STRV_ARG(given[i]));
        }
    }
    hosts->items = items;
}

static ist_object *finish_entry(ist_decoder *decoder, const ist_yaml_node *root, void *raw)
{
    ist_entry *entry = raw;
    if (entry->spec.hosts.count == 0) {
        ist_decoder_finding(decoder, root, IST_FILES_ERROR, "spec.hosts must name at least one host");
        return NULL;
    }
    if (entry->spec.selector != NULL && entry->spec.endpoints.count != 0) {
        ist_decoder_finding(decoder, root, IST_FILES_ERROR,
                            "spec.workloadSelector and spec.endpoints exclude each other");
        return NULL;
    }
    const ist_entry_port *ports = entry->spec.ports.items;
    for (uint32_t i = 0; i < entry->spec.ports.count; i++) {
        if (ports[i].number == 0) {
            ist_decoder_finding(decoder, root, IST_FILES_ERROR, "spec.ports[%u].number must be 1..65535, is \"0\"", i);
        }
    }
    lower_hosts(decoder, root, &entry->spec.hosts);
    return &entry->object;
}

const ist_object_type ist_object_types_entry[] = {
    {"networking.istio.io/", "ServiceEntry", IST_OBJECT_ENTRY, &entry_schema, finish_entry, true, false},
    {"networking.istio.io/", "WorkloadEntry", IST_OBJECT_WORKLOAD, &workload_object_schema, NULL, true, false},
};
const size_t ist_object_types_entry_count = IST_COUNT(ist_object_types_entry);
