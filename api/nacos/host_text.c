// SPDX-License-Identifier: Apache-2.0
//
// Hosts as JSON. Clients that ignore weights go round over the list as it stands, so that copies of a host are spread evenly.
#include "hosts_priv.h"

#include <stdlib.h>

static void write_id(ist_json *json, const nacos_key *key, const nacos_host *host, uint32_t copy)
{
    ist_buf id = IST_BUF_INIT;
    ist_buf_printf(&id, "%.*s#%u#%.*s#", IST_STRV_ARG(host->ip), host->port, IST_STRV_ARG(host->cluster));
    nacos_key_append_grouped(key, &id);
    if (copy > 0) {
        ist_buf_printf(&id, "#%u", copy + 1);
    }
    json->out->status = ist_buf_status(&id) != IST_OK ? ist_buf_status(&id) : json->out->status;
    ist_json_strv(json, "instanceId", ist_buf_view(&id));
    ist_buf_done(&id);
}

static void write_grouped(ist_json *json, const char *json_key, const nacos_key *key)
{
    char text[2 * NACOS_TEXT_MAX + 2];
    ist_buf name;
    ist_buf_init(&name, sizeof(text));
    nacos_key_append_grouped(key, &name);
    json->out->status = ist_buf_status(&name) != IST_OK ? ist_buf_status(&name) : json->out->status;
    ist_json_strv(json, json_key, ist_buf_view(&name));
    ist_buf_done(&name);
}

// Values are texts: clients take no others.
static void write_metadata(ist_json *json, const nacos_host *host)
{
    bool told = false;
    ist_json_begin_object(json, "metadata");
    for (uint32_t i = 0; i < host->metadata_count; i++) {
        told = told || ist_strv_equal(host->metadata[i].key, IST_STRV("secure"));
        ist_json_pair(json, host->metadata[i].key, host->metadata[i].value);
    }
    if (host->secure && !told) {
        ist_json_string(json, "secure", "true");
    }
    ist_json_end_object(json);
}

static void write_host(ist_json *json, const nacos_key *key, const nacos_host *host, uint32_t weight, uint32_t copy)
{
    ist_json_begin_object(json, NULL);
    write_id(json, key, host, copy);
    ist_json_strv(json, "ip", host->ip);
    ist_json_u64(json, "port", host->port);
    ist_json_u64(json, "weight", weight);
    ist_json_bool(json, "healthy", host->healthy);
    ist_json_bool(json, "enabled", true);
    ist_json_bool(json, "ephemeral", host->ephemeral);
    ist_json_strv(json, "clusterName", host->cluster);
    write_grouped(json, "serviceName", key);
    write_metadata(json, host);
    ist_json_end_object(json);
}

void nacos_hosts_write_gone(ist_strv ip, uint16_t port, const nacos_key *key, ist_json *json)
{
    nacos_host host = {.ip = ip, .port = port, .cluster = NACOS_CLUSTER};
    ist_json_begin_object(json, NULL);
    write_id(json, key, &host, 0);
    ist_json_strv(json, "ip", ip);
    ist_json_u64(json, "port", port);
    ist_json_u64(json, "weight", 0);
    ist_json_bool(json, "healthy", false);
    ist_json_bool(json, "enabled", false);
    ist_json_bool(json, "ephemeral", true);
    ist_json_strv(json, "clusterName", host.cluster);
    write_grouped(json, "serviceName", key);
    ist_json_begin_object(json, "metadata");
    ist_json_end_object(json);
    ist_json_end_object(json);
}

// One appearance of a host, and how far through the list it should be (0 to 1).
typedef struct appearance {
    double at;
    uint32_t host;
    uint32_t copy;
} appearance;

static int compare_appearances(const void *a, const void *b)
{
    const appearance *x = a;
    const appearance *y = b;
    int order = (x->at > y->at) - (x->at < y->at);
    return order != 0 ? order : (x->host > y->host) - (x->host < y->host);
}

// As many times as they have slots, each host's at even distances; what gets no calls at the end.
static void write_copies(const nacos_hosts *hosts, const nacos_key *key, ist_arena *arena, ist_json *json)
{
    size_t total = 0;
    size_t count = 0;
    for (size_t i = 0; i < hosts->count; i++) {
        total += hosts->items[i].slots != 0 ? hosts->items[i].slots : 1;
    }
    appearance *all = IST_ARENA_ARRAY(arena, total + 1, appearance);
    if (all == NULL) {
        json->out->status = IST_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < hosts->count; i++) {
        uint32_t copies = hosts->items[i].slots != 0 ? hosts->items[i].slots : 1;
        for (uint32_t c = 0; c < copies; c++) {
            double at = hosts->items[i].slots != 0 ? (c + 0.5) / copies : 1;
            all[count++] = (appearance){.at = at, .host = i, .copy = c};
        }
    }
    qsort(all, count, sizeof(*all), compare_appearances);
    for (size_t i = 0; i < count; i++) {
        const nacos_host *host = &hosts->items[all[i].host];
        write_host(json, key, host, host->slots != 0 ? 1 : 0, all[i].copy);
    }
}

static bool all_same(const nacos_hosts *hosts)
{
    for (size_t i = 1; i < hosts->count; i++) {
        if (hosts->items[i].slots != hosts->items[0].slots) {
            return false;
        }
    }
    return true;
}

void nacos_hosts_write(const nacos_hosts *hosts, const nacos_key *key, nacos_layout layout, ist_arena *arena,
                       ist_json *json)
{
    bool same = all_same(hosts);
    if (layout == NACOS_REPEAT && !same) {
        write_copies(hosts, key, arena, json);
        return;
    }
    for (size_t i = 0; i < hosts->count; i++) {
        uint32_t slots = hosts->items[i].slots;
        bool as_weight = layout == NACOS_WEIGHTS && !same;
        write_host(json, key, &hosts->items[i], as_weight || slots == 0 ? slots : 1, 0);
    }
}

void nacos_host_write_detail(const nacos_hosts *hosts, const nacos_host *host, const nacos_key *key,
                             const char *service_key, const char *json_key, ist_json *json)
{
    ist_json_begin_object(json, json_key);
    write_grouped(json, service_key, key);
    ist_json_strv(json, "ip", host->ip);
    ist_json_u64(json, "port", host->port);
    ist_json_strv(json, "clusterName", host->cluster);
    ist_json_u64(json, "weight", host->slots != 0 && all_same(hosts) ? 1 : host->slots);
    ist_json_bool(json, "healthy", host->healthy);
    write_id(json, key, host, 0);
    write_metadata(json, host);
    ist_json_end_object(json);
}
