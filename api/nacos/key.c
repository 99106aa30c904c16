// SPDX-License-Identifier: Apache-2.0
#include "key_priv.h"

#include <string.h>

static ist_strv or_default(ist_strv text, ist_strv otherwise)
{
    return text.n != 0 ? text : otherwise;
}

// Cuts "GROUP@@NAME" at its first "@@".
static bool cut_group(ist_strv *name, ist_strv *group)
{
    const char *found = name->n != 0 ? memmem(name->p, name->n, NACOS_SEPARATOR.p, NACOS_SEPARATOR.n) : NULL;
    if (found == NULL) {
        return false;
    }
    size_t length = (size_t)(found - name->p);
    *group = ist_strv_first(*name, length);
    *name = ist_strv_skip(*name, length + NACOS_SEPARATOR.n);
    return true;
}

ist_status nacos_key_make(ist_strv namespace_id, ist_strv group, ist_strv name, nacos_key *ret_key, ist_err *err)
{
    if (name.n == 0) {
        return ist_err_set(err, IST_EINVAL, "Param 'serviceName' is required.");
    }
    bool grouped = cut_group(&name, &group);
    if (name.n == 0 || (grouped && group.n == 0)) {
        return ist_err_set(err, IST_EINVAL, "Param 'serviceName' is illegal: both sides of \"@@\" must have a name");
    }
    if (namespace_id.n > NACOS_TEXT_MAX || group.n > NACOS_TEXT_MAX || name.n > NACOS_TEXT_MAX) {
        return ist_err_set(err, IST_EINVAL, "Param 'serviceName', 'groupName' or 'namespaceId' is longer than %d bytes",
                           NACOS_TEXT_MAX);
    }
    if (!ist_strv_valid_utf8(name) || !ist_strv_valid_utf8(group) || !ist_strv_valid_utf8(namespace_id)) {
        return ist_err_set(err, IST_EINVAL, "Param 'serviceName', 'groupName' or 'namespaceId' is no UTF-8");
    }
    *ret_key = (nacos_key){
        .namespace_id = or_default(namespace_id, NACOS_PUBLIC), .group = or_default(group, NACOS_GROUP), .name = name};
    return IST_OK;
}

bool nacos_key_equal(const nacos_key *a, const nacos_key *b)
{
    return ist_strv_equal(a->name, b->name) && ist_strv_equal(a->group, b->group) &&
           ist_strv_equal(a->namespace_id, b->namespace_id);
}

bool nacos_key_copy(nacos_key *key, ist_arena *arena)
{
    key->namespace_id = ist_arena_strv(arena, key->namespace_id);
    key->group = ist_arena_strv(arena, key->group);
    key->name = ist_arena_strv(arena, key->name);
    return key->namespace_id.p != NULL && key->group.p != NULL && key->name.p != NULL;
}

void nacos_key_append_grouped(const nacos_key *key, ist_buf *out)
{
    ist_buf_append_strv(out, key->group);
    ist_buf_append_strv(out, NACOS_SEPARATOR);
    ist_buf_append_strv(out, key->name);
}

ist_strv nacos_cluster_of(ist_strv text)
{
    return text.n == 0 || ist_strv_equal(text, IST_STRV("None")) ? NACOS_CLUSTER : text;
}
