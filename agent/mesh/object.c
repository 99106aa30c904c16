// SPDX-License-Identifier: Apache-2.0
#include "object_priv.h"

#include "pack_priv.h"

#include "base/alloc.h"

#include <string.h>

// --- Text -----------------------------------------------------------------------------------------------------------

ist_mesh_text *ist_mesh_text_new(ist_strv text)
{
    ist_mesh_text *object = ist_malloc(sizeof(*object) + text.n);
    if (object == NULL) {
        return NULL;
    }
    object->refs = 1;
    object->length = (uint32_t)text.n;
    if (text.n != 0) {
        memcpy(object->chars, text.p, text.n);
    }
    return object;
}

ist_mesh_text *ist_mesh_text_ref(ist_mesh_text *text)
{
    text->refs++;
    return text;
}

void ist_mesh_text_unref(ist_mesh_text *text)
{
    if (text != NULL && --text->refs == 0) {
        ist_free(text);
    }
}

ist_strv ist_mesh_text_view(const ist_mesh_text *text)
{
    return ist_strv_make(text->chars, text->length);
}

// --- Clusters -------------------------------------------------------------------------------------------------------

ist_mesh_cluster_key ist_mesh_cluster_key_of(ist_strv name)
{
    ist_mesh_cluster_key key = {.port = 0};
    ist_mesh_cluster_key parsed;
    return ist_mesh_cluster_key_parse(name, &parsed, NULL) == IST_OK ? parsed : key;
}

typedef struct cluster_object {
    uint32_t refs;
    ist_mesh_cluster body;
} cluster_object;

static cluster_object *object_of(const ist_mesh_cluster *cluster)
{
    return ist_mesh_object_of(cluster, offsetof(cluster_object, body));
}

static cluster_object *pack_cluster(ist_mesh_pack *pack, const ist_mesh_cluster *spec)
{
    cluster_object *object = ist_mesh_pack_room(pack, sizeof(*object), alignof(cluster_object));
    ist_mesh_cluster body = *spec;
    body.name = ist_mesh_pack_strv(pack, spec->name);
    body.service_name = ist_mesh_pack_within(pack, spec->service_name, spec->name, body.name);
    body.service_namespace = ist_mesh_pack_within(pack, spec->service_namespace, spec->name, body.name);
    body.config = ist_mesh_pack_strv(pack, spec->config);
    if (object != NULL) {
        body.key = ist_mesh_cluster_key_of(body.name);
        *object = (cluster_object){.refs = 1, .body = body};
    }
    return object;
}

const ist_mesh_cluster *ist_mesh_cluster_copy(const ist_mesh_cluster *spec)
{
    ist_mesh_pack pack = {0};
    (void)pack_cluster(&pack, spec); // measures
    const ist_mesh_endpoints *inline_endpoints = NULL;
    if (spec->inline_endpoints != NULL) {
        inline_endpoints = ist_mesh_endpoints_copy(spec->inline_endpoints);
        if (inline_endpoints == NULL) {
            return NULL;
        }
    }
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    cluster_object *object = pack.base != NULL ? pack_cluster(&pack, spec) : NULL;
    if (object == NULL) {
        ist_mesh_endpoints_unref(inline_endpoints);
        return NULL;
    }
    object->body.inline_endpoints = inline_endpoints;
    return &object->body;
}

const ist_mesh_cluster *ist_mesh_cluster_ref(const ist_mesh_cluster *cluster)
{
    object_of(cluster)->refs++;
    return cluster;
}

void ist_mesh_cluster_unref(const ist_mesh_cluster *cluster)
{
    if (cluster == NULL || --object_of(cluster)->refs != 0) {
        return;
    }
    ist_mesh_endpoints_unref(cluster->inline_endpoints);
    ist_free(object_of(cluster));
}
