// SPDX-License-Identifier: Apache-2.0
#include "page_priv.h"

#include "api_core/xml.h"

#include <stdlib.h>

// An endpoint of the mesh, by its place.
typedef struct known_place {
    ist_strv address;
    uint16_t port;
    ist_mesh_health health;
} known_place;

typedef struct known_places {
    known_place *items; // sorted
    uint32_t count;
    uint32_t usable;
} known_places;

typedef struct table {
    const page_source *source;
    ist_buf *out;
    uint32_t left; // rows that may still be written
    size_t hidden; // instances that could not be
} table;

// --- What the mesh knows of an application --------------------------------------------------------------------------

static int compare_places(const void *a, const void *b)
{
    const known_place *x = a;
    const known_place *y = b;
    int order = ist_strv_compare(x->address, y->address);
    return order != 0 ? order : (int)x->port - (int)y->port;
}

static bool is_usable(ist_mesh_health health)
{
    return health == IST_MESH_HEALTHY || health == IST_MESH_UNKNOWN || health == IST_MESH_DEGRADED;
}

// The endpoints behind a name. None where the name is not of the mesh, or memory is short: then the page shows less.
static known_places find_places(const page_source *source, ist_strv name)
{
    ist_registry_target target;
    known_places places = {.count = 0};
    if (!ist_registry_find(source->view, name, &target)) {
        return places;
    }
    const ist_mesh_destination *whole = ist_mesh_port_destination(target.port, target.subset);
    uint32_t count = whole != NULL ? whole->endpoints->count : 0;
    places.items = IST_ARENA_ARRAY(source->scratch, (size_t)count + 1, known_place);
    for (uint32_t i = 0; places.items != NULL && i < count; i++) {
        char text[IST_MESH_ADDR_TEXT_SIZE];
        ist_mesh_addr addr = ist_mesh_endpoint_addr(whole->endpoints, i, 0);
        known_place *place = &places.items[places.count++];
        *place =
            (known_place){.address = ist_arena_strv(source->scratch, ist_strv_from(ist_mesh_addr_format(&addr, text))),
                          .port = whole->endpoints->items[i].port,
                          .health = (ist_mesh_health)whole->endpoints->items[i].health};
        places.usable += is_usable(place->health) ? 1 : 0;
    }
    if (places.count != 0) {
        qsort(places.items, places.count, sizeof(*places.items), compare_places);
    }
    return places;
}

static const known_place *find_place(const known_places *places, const eureka_instance *instance)
{
    known_place wanted = {.address = instance->ip,
                          .port = instance->secure_port_enabled ? instance->secure_port : instance->port};
    return places->count != 0 ? bsearch(&wanted, places->items, places->count, sizeof(*places->items), compare_places)
                              : NULL;
}

// --- Names in vipAddress --------------------------------------------------------------------------------------------

// The next name of a comma list with how often it stands there in a row. False: there is no more.
static bool next_name(ist_strv *rest, ist_strv *ret_name, uint32_t *ret_times)
{
    if (rest->n == 0) {
        return false;
    }
    *ret_name = ist_strv_cut(rest, ',', NULL);
    *ret_times = 1;
    for (ist_strv more = *rest; more.n != 0; *rest = more, ++*ret_times) {
        if (!ist_strv_equal(ist_strv_cut(&more, ',', NULL), *ret_name)) {
            break;
        }
    }
    return true;
}

// What stands behind the application's name: "v1" of "reviews--v1". Empty: another name.
static ist_strv suffix_of(ist_strv name, ist_strv app)
{
    bool derived = name.n > app.n + 2 && ist_strv_equal_nocase(ist_strv_first(name, app.n), app) &&
                   ist_strv_starts_with(ist_strv_skip(name, app.n), IST_STRV("--"));
    return derived ? ist_strv_skip(name, app.n + 2) : IST_STRV_NULL;
}

// Subsets and contexts that the instance is in, with its slots there.
static void write_parts(ist_buf *out, const eureka_instance *instance, ist_strv app)
{
    ist_strv rest = instance->vips;
    ist_strv name;
    uint32_t times = 0;
    ist_buf_append_str(out, "<td data-label=\"Subsets\">");
    while (next_name(&rest, &name, &times)) {
        ist_strv suffix = suffix_of(name, app);
        if (suffix.n != 0) {
            ist_buf_append_str(out, "<span class=\"part\">");
            page_text(out, suffix);
            ist_buf_printf(out, times > 1 ? " &#215;%u</span> " : "</span> ", times);
        }
    }
    ist_buf_append_str(out, "</td>");
}

// Other names that the application answers to, as the first instance has them.
static void write_aliases(ist_buf *out, const eureka_app *app)
{
    ist_strv rest = app->count != 0 ? app->instances[0]->vips : IST_STRV_NULL;
    ist_strv name;
    uint32_t times = 0;
    ist_buf_append_str(out, " <span class=\"quiet\">");
    while (next_name(&rest, &name, &times)) {
        if (!ist_strv_equal_nocase(name, app->name) && suffix_of(name, app->name).n == 0 &&
            !ist_strv_contains(name, IST_STRV("--"))) {
            page_text(out, name);
            ist_buf_append_char(out, ' ');
        }
    }
    ist_buf_append_str(out, "</span>");
}

// --- Rows -----------------------------------------------------------------------------------------------------------

static ist_strv metadata_of(const eureka_instance *instance, const char *key)
{
    for (uint32_t i = 0; i < instance->metadata_count; i++) {
        if (ist_strv_equal(instance->metadata[i].key, ist_strv_from(key))) {
            return instance->metadata[i].value;
        }
    }
    return IST_STRV("");
}

// A registration may say anything: only what a browser opens as a page becomes a link.
static void write_id(ist_buf *out, const eureka_instance *instance)
{
    ist_strv url = instance->status_page;
    bool link = ist_strv_starts_with(url, IST_STRV("http://")) || ist_strv_starts_with(url, IST_STRV("https://"));
    ist_buf_append_str(out, "<td class=\"id\" data-label=\"Instance\">");
    if (link) {
        ist_buf_append_str(out, "<a rel=\"noreferrer\" href=\"");
        page_text(out, url);
        ist_buf_append_str(out, "\">");
    }
    page_text(out, instance->id);
    ist_buf_append_str(out, link ? "</a>" : "");
    ist_buf_append_str(out, instance->leased ? " <span class=\"part\">own</span></td>" : "</td>");
}

void page_status(ist_buf *out, const eureka_instance *instance, const char *more)
{
    const char *status = eureka_status_name(instance->status);
    ist_buf_printf(out, "<td data-label=\"Status\"><span class=\"state %s\">%s</span>%s</td>",
                   instance->status == EUREKA_UP ? "good" : "bad", status, more);
}

static void write_health(ist_buf *out, const known_place *place)
{
    if (place == NULL) {
        page_cell(out, "Health", IST_STRV(""));
        return;
    }
    ist_buf_printf(out, "<td data-label=\"Health\"><span class=\"state %s\">%s</span></td>",
                   is_usable(place->health) ? "good" : "bad", ist_mesh_health_name(place->health));
}

static void write_share(ist_buf *out, uint32_t slots, uint64_t total)
{
    if (slots == 0) {
        ist_buf_append_str(
            out, "<td class=\"number\" data-label=\"Share\"></td><td class=\"number\" data-label=\"Weight\">0</td>");
        return;
    }
    ist_buf_printf(
        out,
        "<td class=\"number\" data-label=\"Share\">%.1f&#160;%%</td><td class=\"number\" data-label=\"Weight\">%u</td>",
        100.0 * slots / (double)total, slots);
}

static void write_instance(table *t, const eureka_app *app, const eureka_instance *instance, uint64_t total,
                           const known_places *places)
{
    ist_buf *out = t->out;
    ist_buf_append_str(out, "<tr>");
    write_id(out, instance);
    page_status(out, instance, "");
    write_health(out, find_place(places, instance));
    write_share(out, own_count_name(instance->vips, app->name), total);
    write_parts(out, instance, app->name);
    page_cell(out, "Version", metadata_of(instance, "version"));
    page_cell(out, "Workload", metadata_of(instance, "workload"));
    page_cell(out, "Locality", metadata_of(instance, "locality"));
    ist_buf_append_str(out, "</tr>");
}

static void write_app_head(ist_buf *out, const eureka_app *app, const known_places *places)
{
    ist_buf_append_str(out, "<tr class=\"app\"><th scope=\"rowgroup\" colspan=\"9\"><b>");
    page_text(out, app->name);
    ist_buf_append_str(out, "</b>");
    write_aliases(out, app);
    if (places->count != 0) {
        ist_buf_printf(out, "<span class=\"note%s\">%u of %u endpoints usable</span>",
                       places->usable < places->count ? " bad" : "", places->usable, places->count);
    }
    ist_buf_append_str(out, "</th></tr>");
}

static void write_app(table *t, const eureka_app *app)
{
    uint64_t total = 0;
    ist_arena_clear(t->source->scratch);
    known_places places = find_places(t->source, app->name);
    for (uint32_t i = 0; i < app->count; i++) {
        total += own_count_name(app->instances[i]->vips, app->name);
    }
    ist_buf_append_str(t->out, "<tbody>");
    write_app_head(t->out, app, &places);
    for (uint32_t i = 0; i < app->count && t->left != 0; i++, t->left--) {
        write_instance(t, app, app->instances[i], total, &places);
    }
    ist_buf_append_str(t->out, "</tbody>");
}

void page_write_apps(const page_source *source, ist_buf *out)
{
    table t = {.source = source, .out = out, .left = PAGE_INSTANCES_MAX};
    const eureka_apps *apps = &source->list->apps;
    ist_buf_append_str(
        out, "<table><thead><tr><th>Instance</th><th>Status</th><th>Health</th><th class=\"number\">Share</th>"
             "<th class=\"number\">Weight</th><th>Subsets</th><th>Version</th><th>Workload</th>"
             "<th>Locality</th></tr></thead>");
    for (size_t i = 0; i < apps->count; i++) {
        const eureka_app *app = apps->items[i];
        if (source->filter.n != 0 && !ist_strv_contains(app->name, source->filter)) {
            continue;
        }
        uint32_t before = t.left;
        if (t.left != 0) {
            write_app(&t, app);
        }
        t.hidden += app->count - (before - t.left);
    }
    ist_buf_append_str(out, "</table>");
    if (t.left == PAGE_INSTANCES_MAX) {
        ist_buf_append_str(out, "<p>No application to show.</p>");
    }
    if (t.hidden != 0) {
        ist_buf_printf(out, "<p class=\"more\">%zu more instances; part of a name narrows the list.</p>", t.hidden);
    }
}
