// SPDX-License-Identifier: Apache-2.0
#include "seen_priv.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

void seen_done(seen_things *seen)
{
    for (size_t i = 0; i < seen->name_count; i++) {
        ist_free(seen->names[i].text);
    }
    seen->name_count = 0;
}

static void add_time(seen_times *times, int64_t now_ms)
{
    times->first_ms = times->count == 0 ? now_ms : times->first_ms;
    times->last_ms = now_ms;
    times->count++;
}

// --- Clients --------------------------------------------------------------------------------------------------------

// "Steeltoe/4.2.0": its balancers drop equal addresses from 4.2 on.
bool seen_drops_twins(ist_strv agent)
{
    ist_strv rest = ist_strv_skip(agent, ist_strv_find(agent, '/') + 1);
    uint64_t major = 0;
    uint64_t minor = 0;
    bool more = false;
    if (!ist_strv_starts_with(agent, IST_STRV("Steeltoe/"))) {
        return false;
    }
    if (ist_strv_to_u64(ist_strv_cut(&rest, '.', &more), UINT32_MAX, &major) != IST_OK || !more) {
        return major > 4;
    }
    bool known = ist_strv_to_u64(ist_strv_cut(&rest, '.', NULL), UINT32_MAX, &minor) == IST_OK;
    return major > 4 || (major == 4 && known && minor >= 2);
}

// The first product of the User-Agent, "Steeltoe/4.2.0"; the clients that send none are known by what they read.
static void name_client(ist_strv agent, bool json, char name[SEEN_CLIENT_NAME_SIZE])
{
    size_t length = 0;
    while (length < agent.n && length + 1 < SEEN_CLIENT_NAME_SIZE && agent.p[length] > ' ' && agent.p[length] < 0x7F) {
        name[length] = agent.p[length];
        length++;
    }
    name[length] = '\0';
    if (length == 0) {
        (void)snprintf(name, SEEN_CLIENT_NAME_SIZE, "%s",
                       json ? "eureka-js-client (JSON, no User-Agent)" : "py-eureka-client (XML, no User-Agent)");
    }
}

// What is told, and what its balancer makes of it: JavaScript's client drops equal addresses too. Names that are repeated in
// vipAddress mean nothing to those who read XML, to Steeltoe and to Go.
static bool is_steered(ist_strv agent, bool json, eureka_layout layout)
{
    bool is_javascript = agent.n == 0 && json;
    if (is_javascript || seen_drops_twins(agent)) {
        return false;
    }
    bool reads_vips = json && !ist_strv_starts_with(agent, IST_STRV("Steeltoe/")) &&
                      !ist_strv_starts_with(agent, IST_STRV("Go-http-client/"));
    return layout == EUREKA_IDS || (layout == EUREKA_VIPS && reads_vips);
}

static seen_client *find_client(seen_things *seen, const char *name)
{
    seen_client *oldest = &seen->clients[0];
    for (size_t i = 0; i < seen->client_count; i++) {
        if (strcmp(seen->clients[i].name, name) == 0) {
            return &seen->clients[i];
        }
        oldest = seen->clients[i].times.last_ms < oldest->times.last_ms ? &seen->clients[i] : oldest;
    }
    seen_client *fresh = seen->client_count < SEEN_CLIENTS_MAX ? &seen->clients[seen->client_count++] : oldest;
    *fresh = (seen_client){.layout = EUREKA_VIPS};
    (void)snprintf(fresh->name, sizeof(fresh->name), "%s", name); // of the same size
    return fresh;
}

void seen_client_add(seen_things *seen, const ist_api_request *request, eureka_layout layout, int64_t now_ms)
{
    char name[SEEN_CLIENT_NAME_SIZE];
    ist_strv agent = IST_STRV_NULL;
    ist_strv accept = IST_STRV_NULL;
    (void)ist_api_header(request, "user-agent", &agent);
    (void)ist_api_header(request, "accept", &accept);
    bool json = ist_strv_contains(accept, IST_STRV("json"));
    name_client(agent, json, name);
    seen_client *client = find_client(seen, name);
    client->layout = layout;
    client->steered = is_steered(agent, json, layout);
    add_time(&client->times, now_ms);
}

// --- Names that nobody knows ----------------------------------------------------------------------------------------

static void drop_name(seen_things *seen, seen_name *name)
{
    ist_free(name->text);
    *name = seen->names[--seen->name_count];
}

// Is nobody waiting for it any more?
static bool is_past(const seen_name *name, int64_t now_ms)
{
    int64_t age_ms = now_ms - name->times.last_ms;
    return age_ms > (name->times.count == 1 ? SEEN_NAME_YOUNG_MS : SEEN_NAME_KEEP_MS);
}

static void make_room(seen_things *seen, int64_t now_ms)
{
    for (size_t i = seen->name_count; i > 0 && seen->name_count == SEEN_NAMES_MAX; i--) {
        if (is_past(&seen->names[i - 1], now_ms)) {
            drop_name(seen, &seen->names[i - 1]);
        }
    }
}

static seen_name *find_name(seen_things *seen, ist_strv name)
{
    for (size_t i = 0; i < seen->name_count; i++) {
        if (ist_strv_equal(ist_strv_from(seen->names[i].text), name)) {
            return &seen->names[i];
        }
    }
    return NULL;
}

void seen_name_add(seen_things *seen, ist_strv name, int64_t now_ms)
{
    char buffer[IST_MESH_HOST_MAX];
    if (name.n > sizeof(buffer)) {
        seen->names_left_out++;
        return;
    }
    ist_strv_lower(name, buffer);
    name = ist_strv_make(buffer, name.n);
    seen_name *known = find_name(seen, name);
    if (known != NULL) {
        add_time(&known->times, now_ms);
        return;
    }
    make_room(seen, now_ms);
    char *copy = seen->name_count < SEEN_NAMES_MAX && ist_mesh_host_valid(name) ? ist_strndup(name.p, name.n) : NULL;
    if (copy == NULL) {
        seen->names_left_out++;
        return;
    }
    seen->names[seen->name_count] = (seen_name){.text = copy};
    add_time(&seen->names[seen->name_count++].times, now_ms);
}
