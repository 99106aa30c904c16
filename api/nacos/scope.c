// SPDX-License-Identifier: Apache-2.0
#include "scope_priv.h"

// --- Setting --------------------------------------------------------------------------------------------------------

static bool read_list(ist_strv text, ist_arena *arena, nacos_scope_list *list)
{
    size_t count = 1;
    for (size_t i = 0; i < text.n; i++) {
        count += text.p[i] == ',' ? 1 : 0;
    }
    list->items = IST_ARENA_ARRAY(arena, count, nacos_scope);
    bool fits = list->items != NULL;
    for (bool more = text.n != 0; fits && more;) {
        ist_strv means = ist_strv_trim(ist_strv_cut(&text, ',', &more));
        ist_strv name = ist_strv_cut(&means, '=', NULL);
        nacos_scope *scope = &list->items[list->count++];
        *scope = (nacos_scope){.name = ist_arena_strv(arena, ist_strv_trim(name)),
                               .means = ist_arena_strv(arena, ist_strv_trim(means))};
        fits = scope->name.p != NULL && scope->means.p != NULL;
    }
    return fits;
}

ist_status nacos_scopes_set(nacos_scopes *scopes, ist_strv namespaces, ist_strv groups)
{
    nacos_scopes fresh = {.arena = NULL};
    if (namespaces.n != 0 || groups.n != 0) {
        fresh.arena = ist_arena_new(0, 0);
        if (fresh.arena == NULL || !read_list(namespaces, fresh.arena, &fresh.namespaces) ||
            !read_list(groups, fresh.arena, &fresh.groups)) {
            nacos_scopes_done(&fresh);
            return IST_ENOMEM;
        }
    }
    nacos_scopes_done(scopes);
    *scopes = fresh;
    return IST_OK;
}

void nacos_scopes_done(nacos_scopes *scopes)
{
    ist_arena_free(scopes->arena);
    *scopes = (nacos_scopes){.arena = NULL};
}

// --- Finding --------------------------------------------------------------------------------------------------------

static ist_strv meaning_of(const nacos_scope_list *list, ist_strv name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (ist_strv_equal(list->items[i].name, name)) {
            return list->items[i].means;
        }
    }
    return IST_STRV_NULL;
}

// "NAME--PART.NAMESPACE"; a name with dots says its namespace itself.
static void append_name(ist_buf *out, ist_strv name, ist_strv part, ist_strv namespace_)
{
    size_t dot = ist_strv_find(name, '.');
    ist_buf_append_strv(out, ist_strv_first(name, dot));
    if (part.n != 0) {
        ist_buf_append_str(out, "--");
        ist_buf_append_strv(out, part);
    }
    if (dot < name.n) {
        ist_buf_append_strv(out, ist_strv_skip(name, dot));
    } else if (namespace_.n != 0) {
        ist_buf_append_char(out, '.');
        ist_buf_append_strv(out, namespace_);
    }
}

static bool find(const ist_mesh_view *view, ist_strv name, ist_strv part, ist_strv namespace_,
                 ist_registry_target *ret_target)
{
    if (part.n == 0 && namespace_.n == 0) {
        return ist_registry_find(view, name, ret_target);
    }
    ist_buf text = IST_BUF_INIT;
    append_name(&text, name, part, namespace_);
    bool found = ist_buf_status(&text) == IST_OK && ist_registry_find(view, ist_buf_view(&text), ret_target);
    ist_buf_done(&text);
    return found;
}

bool nacos_scopes_find(const nacos_scopes *scopes, const ist_mesh_view *view, const nacos_key *key,
                       ist_registry_target *ret_target)
{
    ist_strv namespace_ = meaning_of(&scopes->namespaces, key->namespace_id);
    ist_strv part = meaning_of(&scopes->groups, key->group);
    if (ist_strv_starts_with(part, IST_STRV("."))) {
        namespace_ = ist_strv_skip(part, 1);
        part = IST_STRV_NULL;
    }
    return (part.n != 0 && find(view, key->name, part, namespace_, ret_target)) ||
           find(view, key->name, IST_STRV_NULL, namespace_, ret_target);
}
