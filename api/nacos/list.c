// SPDX-License-Identifier: Apache-2.0
#include "list_priv.h"

#include "service_priv.h"

#include "base/vec.h"

#include <stdio.h>
#include <string.h>

#define KEEP_MS 60000 // without subscription: longer than clients that poll wait between two questions
#define TEXTS_BLOCK_BYTES 1024
#define PLACES_MAX 10000

// --- Finding --------------------------------------------------------------------------------------------------------

static void free_list(void *value)
{
    nacos_list *list = value;
    ist_buf_done(&list->hosts);
    IST_VEC_DONE(&list->last);
    ist_arena_free(list->texts);
    ist_free(list);
}

ist_status nacos_lists_init(nacos_lists *lists)
{
    lists->by_wish = ist_map_new(free_list);
    return lists->by_wish != NULL ? IST_OK : IST_ENOMEM;
}

void nacos_lists_done(nacos_lists *lists, ist_mesh_store *store)
{
    ist_map_free(lists->by_wish);
    ist_mesh_store_release(store, lists->view);
}

// Parts that clients choose are told apart by their lengths.
static void append_wish(const nacos_wish *wish, ist_buf *out)
{
    ist_buf_printf(out, "%d %d %d ", (int)wish->layout, wish->keeps_gone, wish->healthy_only);
    ist_buf_printf(out, "%zu %zu %zu ", wish->key.namespace_id.n, wish->key.group.n, wish->key.name.n);
    ist_buf_append_strv(out, wish->key.namespace_id);
    ist_buf_append_strv(out, wish->key.group);
    ist_buf_append_strv(out, wish->key.name);
    ist_buf_append_strv(out, wish->clusters);
}

static nacos_list *make_list(const nacos_wish *wish)
{
    nacos_list *list = IST_NEW(nacos_list);
    if (list == NULL) {
        return NULL;
    }
    list->hosts = IST_BUF_INIT;
    list->wish = *wish;
    list->texts = ist_arena_new(TEXTS_BLOCK_BYTES, 0);
    if (list->texts != NULL) {
        list->wish.clusters = ist_arena_strv(list->texts, wish->clusters);
    }
    if (list->texts == NULL || list->wish.clusters.p == NULL || !nacos_key_copy(&list->wish.key, list->texts)) {
        free_list(list);
        return NULL;
    }
    return list;
}

// Frees lists that nobody subscribes to and nobody has asked for in so long.
static void forget(nacos_lists *lists, int64_t now_ms, int64_t keep_ms)
{
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (ist_map_next(lists->by_wish, &it, &key, &value)) {
        const nacos_list *list = value;
        if (list->subscriptions == NULL && now_ms - list->asked_ms >= keep_ms) {
            (void)ist_map_remove(lists->by_wish, key);
        }
    }
}

void nacos_lists_forget(nacos_lists *lists, int64_t now_ms)
{
    forget(lists, now_ms, KEEP_MS);
}

static bool has_room(nacos_lists *lists, int64_t now_ms)
{
    if (ist_map_count(lists->by_wish) >= NACOS_LISTS_MAX) {
        forget(lists, now_ms, 0); // somebody asks for name after name; what is missed is made anew
    }
    return ist_map_count(lists->by_wish) < NACOS_LISTS_MAX;
}

nacos_list *nacos_list_find(nacos_lists *lists, const nacos_wish *wish, int64_t now_ms)
{
    ist_buf text = IST_BUF_INIT;
    append_wish(wish, &text);
    nacos_list *list = ist_buf_status(&text) == IST_OK ? ist_map_find(lists->by_wish, ist_buf_view(&text)) : NULL;
    if (list == NULL && ist_buf_status(&text) == IST_OK && has_room(lists, now_ms)) {
        list = make_list(wish);
        if (list != NULL && ist_map_put(lists->by_wish, ist_buf_view(&text), list) != IST_OK) {
            free_list(list);
            list = NULL;
        }
    }
    ist_buf_done(&text);
    if (list != NULL) {
        list->asked_ms = now_ms;
    }
    return list;
}

// --- Bringing up to date --------------------------------------------------------------------------------------------

// Could its hosts be others than when it was looked at?
static bool is_touched(const nacos_list *list, const nacos_state *state)
{
    uint64_t revision = state->view != NULL ? ist_mesh_view_revision(state->view) : 0;
    if (!list->made || list->own_version != state->own->version) {
        return true;
    }
    if (list->revision == revision) {
        return false;
    }
    if (list->crosses || !state->alike || list->revision == 0) {
        return true;
    }
    const ist_mesh_service *service =
        list->service_host.n != 0 ? ist_mesh_view_service(state->view, list->service_host) : NULL;
    return (service != NULL ? service->revision : 0) != list->service_revision;
}

static void note_service(nacos_list *list, const nacos_state *state, const nacos_hosts *hosts)
{
    const ist_mesh_service *service = hosts->service;
    ist_strv host = service != NULL ? service->host : IST_STRV_NULL;
    if (!ist_strv_equal(host, list->service_host)) {
        list->service_host = ist_arena_strv(list->texts, host);
    }
    list->crosses = service != NULL && (list->service_host.p == NULL || ist_registry_crosses(service));
    list->service_revision = service != NULL ? service->revision : 0;
    list->revision = state->view != NULL ? ist_mesh_view_revision(state->view) : 0;
    list->own_version = state->own->version;
    list->known = hosts->known;
}

static ist_status note_places(nacos_list *list, const nacos_hosts *hosts)
{
    ist_status status = IST_OK;
    list->last.count = 0;
    for (size_t i = 0; i < hosts->count && i < PLACES_MAX && status == IST_OK; i++) {
        nacos_place place = {.port = hosts->items[i].port};
        if (ist_strv_copy(hosts->items[i].ip, place.ip,
                          sizeof(place.ip))) { // else the name of a host that is always there
            status = IST_VEC_PUSH(&list->last, place, PLACES_MAX);
        }
    }
    return status;
}

// Where nothing is left, but was: what has gone, told as such. A service that never had any is known by its virtual IP.
static void write_gone(const nacos_list *list, const nacos_hosts *hosts, ist_json *json)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    const ist_mesh_service *service = hosts->service;
    for (size_t i = 0; i < list->last.count; i++) {
        nacos_hosts_write_gone(ist_strv_from(list->last.items[i].ip), list->last.items[i].port, &list->wish.key, json);
    }
    if (list->last.count == 0 && service != NULL && service->vip_count != 0) {
        ist_strv vip = ist_strv_from(ist_mesh_addr_format(&service->vips[0], text));
        nacos_hosts_write_gone(vip, service->primary_port, &list->wish.key, json);
    }
}

static void write_hosts(const nacos_list *list, const nacos_hosts *hosts, ist_arena *scratch, ist_buf *out)
{
    ist_json json = ist_json_over(out);
    ist_json_begin_array(&json, NULL);
    // Who asks for the healthy ones alone is told of no others.
    if (hosts->count == 0 && list->wish.keeps_gone && !list->wish.healthy_only) {
        write_gone(list, hosts, &json);
    } else {
        nacos_hosts_write(hosts, &list->wish.key, list->wish.layout, scratch, &json);
    }
    ist_json_end_array(&json);
}

// The new text in the place of the old one, where it differs.
static bool take_text(nacos_list *list, ist_buf *text)
{
    bool changed = !list->made || !ist_strv_equal(ist_buf_view(&list->hosts), ist_buf_view(text));
    if (changed) {
        ist_buf_done(&list->hosts);
        list->hosts = *text;
        *text = IST_BUF_INIT;
    }
    ist_buf_done(text);
    list->made = true;
    return changed;
}

ist_status nacos_list_refresh(nacos_list *list, const nacos_state *state, ist_arena *scratch, bool *ret_changed)
{
    nacos_hosts hosts;
    ist_buf text = IST_BUF_INIT;
    bool protects = false;
    *ret_changed = false;
    if (!is_touched(list, state)) {
        list->revision = state->view != NULL ? ist_mesh_view_revision(state->view) : 0;
        return IST_OK;
    }
    ist_arena_clear(scratch);
    ist_status status = nacos_hosts_of(state->view, state->own, &list->wish.key, scratch, &hosts);
    if (status == IST_OK) {
        protects = nacos_hosts_protect(&hosts, nacos_service_threshold(state->own, &list->wish.key));
        nacos_hosts_filter(&hosts, list->wish.clusters, list->wish.healthy_only);
        write_hosts(list, &hosts, scratch, &text);
        status = ist_buf_status(&text);
    }
    if (status == IST_OK && hosts.count != 0 && list->wish.keeps_gone) {
        status = note_places(list, &hosts);
    }
    if (status != IST_OK) {
        ist_buf_done(&text);
        return status;
    }
    note_service(list, state, &hosts);
    *ret_changed = take_text(list, &text) || protects != list->protects;
    list->protects = protects;
    return IST_OK;
}

// --- Writing --------------------------------------------------------------------------------------------------------

static void write_name(const nacos_list *list, nacos_style style, ist_json *json)
{
    ist_buf name = IST_BUF_INIT;
    if (style == NACOS_GROUPED_NAME) {
        nacos_key_append_grouped(&list->wish.key, &name);
    } else {
        ist_buf_append_strv(&name, list->wish.key.name);
    }
    json->out->status = ist_buf_status(&name) != IST_OK ? ist_buf_status(&name) : json->out->status;
    ist_json_strv(json, "name", ist_buf_view(&name));
    ist_buf_done(&name);
}

void nacos_list_write(nacos_list *list, nacos_style style, uint32_t cache_ms, int64_t wall_ms, ist_buf *out)
{
    ist_json json = ist_json_over(out);
    list->ref_ms = wall_ms > list->ref_ms ? wall_ms : list->ref_ms + 1;
    ist_json_begin_object(&json, NULL);
    write_name(list, style, &json);
    ist_json_strv(&json, "groupName", list->wish.key.group);
    ist_json_strv(&json, "clusters", list->wish.clusters);
    ist_json_u64(&json, "cacheMillis", cache_ms);
    ist_buf_append_str(out, ",\"hosts\":");
    ist_buf_append_strv(out, ist_buf_view(&list->hosts));
    ist_json_i64(&json, "lastRefTime", list->ref_ms);
    ist_json_string(&json, "checksum", "");
    ist_json_bool(&json, "allIPs", false);
    ist_json_bool(&json, "reachProtectionThreshold", list->protects);
    ist_json_bool(&json, "valid", true);
    ist_json_end_object(&json);
}
