// SPDX-License-Identifier: Apache-2.0
//
// The pages: the frame, the facts, the registrations, what has changed.
#include "page_priv.h"

#include "changes_priv.h"
#include "page_css.h"

#include "api_core/xml.h"

#include <stdarg.h>
#include <stdio.h>

#define CHANGES_MAX 1000

// Nothing but our own style sheet; nobody may put the page into a frame.
static const char POLICY[] =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

void page_text(ist_buf *out, ist_strv text)
{
    ist_xml_text(out, text);
}

void page_cell(ist_buf *out, const char *label, ist_strv text)
{
    ist_buf_printf(out, "<td data-label=\"%s\">", label);
    page_text(out, text);
    ist_buf_append_str(out, "</td>");
}

void page_duration(ist_buf *out, int64_t ms)
{
    int64_t seconds = ms > 0 ? ms / 1000 : 0;
    if (seconds < 120) {
        ist_buf_printf(out, "%lld s", (long long)seconds);
    } else if (seconds < 7200) {
        ist_buf_printf(out, "%lld min", (long long)seconds / 60);
    } else {
        ist_buf_printf(out, "%lld h", (long long)seconds / 3600);
    }
}

// --- The frame ------------------------------------------------------------------------------------------------------

static void begin(ist_buf *out, const char *title)
{
    ist_buf_printf(
        out,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\" />"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />"
        "<meta name=\"color-scheme\" content=\"light dark\" /><title>%s - Isthmus</title>"
        "<link rel=\"stylesheet\" href=\"/page.css\" /></head><body>"
        "<header><h1>Isthmus</h1><span class=\"quiet\">the mesh as a Eureka server</span>"
        "<nav><a href=\"/\">Applications</a><a href=\"/lastn\">Changes</a><a href=\"/eureka/apps\">List (XML)</a>"
        "<a href=\"/eureka/status\">Status (JSON)</a></nav></header><main>",
        title);
}

static void end(ist_api_response *response)
{
    ist_buf_append_str(&response->body, "</main></body></html>\n");
    response->content_type = "text/html; charset=utf-8";
    response->security_policy = POLICY;
}

static void fact(ist_buf *out, const char *name, const char *format, ...) IST_PRINTF(3, 4);
static void fact(ist_buf *out, const char *name, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); // cut where it is longer
    va_end(args);
    ist_buf_printf(out, "<div><dt>%s</dt><dd>", name);
    page_text(out, ist_strv_from(text));
    ist_buf_append_str(out, "</dd></div>");
}

static void write_facts(const page_source *source, const own_registrations *own, bool stale, ist_buf *out)
{
    if (source->view == NULL) {
        ist_buf_append_str(
            out, "<p class=\"warning\">There is no view of the mesh yet. Clients that ask for the list wait for it; "
                 "/v1/status of the agent says what is missing.</p>");
        return;
    }
    if (stale) {
        ist_buf_append_str(out, "<p class=\"warning\">The source of the mesh is away: this is the last good view.</p>");
    }
    const ist_mesh_policy *policy = ist_mesh_view_policy(source->view);
    ist_buf_append_str(out, "<dl class=\"facts\">");
    fact(out, "Pod", "%.*s", IST_STRV_ARG(policy->identity));
    fact(out, "Revision of the view", "%llu%s", (unsigned long long)ist_mesh_view_revision(source->view),
         stale ? ", stale" : "");
    if (source->list != NULL) {
        fact(out, "Version of the list", "%lld", (long long)source->list->version);
        fact(out, "Applications", "%zu", source->list->apps.count);
        fact(out, "Instances", "%zu", source->list->instance_count);
        fact(out, "Hash code", "%s", source->list->hash_code);
    }
    fact(out, "Own registrations", "%u", own->count);
    fact(out, "Proxy in this pod", "%s", ist_mesh_proxy_name(policy->proxy));
    ist_buf_append_str(out, "</dl>");
}

// --- Registrations --------------------------------------------------------------------------------------------------

static void write_registration(const own_registration *own, int64_t now_ms, ist_buf *out)
{
    const eureka_instance *instance = own->instance;
    ist_buf_append_str(out, "<tr>");
    page_cell(out, "Application", instance->app);
    page_cell(out, "Instance", instance->id);
    ist_buf_append_str(out, "<td data-label=\"Address\">");
    page_text(out, instance->ip);
    ist_buf_printf(out, ":%u</td>", instance->secure_port_enabled ? instance->secure_port : instance->port);
    page_status(out, instance, own->override != EUREKA_UNKNOWN ? " (overridden)" : "");
    page_cell(out, "VIP", instance->vips);
    ist_buf_append_str(out, "<td data-label=\"Lease ends in\">");
    page_duration(out, own->expires_ms - now_ms);
    ist_buf_append_str(out, "</td></tr>");
}

static void write_registrations(const own_registrations *own, int64_t now_ms, ist_buf *out)
{
    static const char *const ENDS[_IST_REGISTRY_END_MAX] = {"", "was cancelled", "has expired"};
    ist_buf_append_str(out, "<section id=\"own\"><h2>Registered by this pod</h2>");
    if (own->count != 0) {
        ist_buf_append_str(
            out, "<table><thead><tr><th>Application</th><th>Instance</th><th>Address</th><th>Status</th><th>VIP</th>"
                 "<th>Lease ends in</th></tr></thead><tbody>");
        for (uint32_t i = 0; i < own->count; i++) {
            write_registration(&own->items[i], now_ms, out);
        }
        ist_buf_append_str(out, "</tbody></table>");
    } else if (own->ended != NULL) {
        ist_buf_append_str(out, "<p>Nobody. The last one, ");
        page_text(out, own->ended->id);
        ist_buf_printf(out, ", %s.</p>", ENDS[own->end]);
    } else {
        ist_buf_append_str(out, "<p>Nobody has registered with this agent.</p>");
    }
    ist_buf_append_str(out, "</section>");
}

// --- How to point a client ------------------------------------------------------------------------------------------

static void write_pointer(const ist_api_request *request, ist_buf *out)
{
    ist_strv host = IST_STRV("127.0.0.1:8761");
    (void)ist_api_header(request, "host", &host); // a loopback name, or it would not have come here
    ist_buf_append_str(out, "<section id=\"point\"><h2>Pointing a client here</h2><p>Spring and Steeltoe look at "
                            "<code>localhost:8761</code> when they are told nothing else. Otherwise:</p><pre>"
                            "eureka.client.service-url.defaultZone=http://");
    page_text(out, host);
    ist_buf_append_str(out,
                       "/eureka/</pre><p>or, as an environment variable:</p><pre>"
                       "SPRING_APPLICATION_JSON={&quot;eureka&quot;:{&quot;client&quot;:{&quot;serviceUrl&quot;:{&quot;"
                       "defaultZone&quot;:&quot;http://");
    page_text(out, host);
    ist_buf_append_str(
        out, "/eureka/&quot;}}}}</pre><p>A service is found under each of its names; <code>NAME--SUBSET</code> and "
             "<code>NAME--CONTEXT</code> ask for a part of it.</p></section>");
}

// --- Pages ----------------------------------------------------------------------------------------------------------

// The list as Java's clients have it. Looking at it does not count as asking: who asks next still gets all that it may have
// missed.
static page_source begin_page(ist_api_eureka *eureka, const ist_api_request *request)
{
    page_source source = {.view = request->view, .times = eureka_begin(eureka), .scratch = request->arena};
    ist_api_response refusal = {.body = IST_BUF_INIT}; // said by the page in its own words
    if (request->view != NULL) {
        const eureka_list *known = eureka->lists[EUREKA_VIPS];
        int64_t asked_ms = known != NULL ? known->asked_ms : source.times.now_ms;
        source.list = eureka_find_list(eureka, request, EUREKA_VIPS, &refusal);
        if (source.list != NULL) {
            source.list->asked_ms = asked_ms;
        }
        ist_buf_done(&refusal.body);
    }
    return source;
}

static void write_filter(const page_source *source, ist_buf *out)
{
    ist_buf_append_str(
        out, "<form method=\"get\" action=\"/\"><label>Name contains <input type=\"search\" name=\"q\" value=\"");
    page_text(out, source->filter);
    ist_buf_append_str(out, "\" /></label> <button>Show</button></form>");
}

void eureka_get_page(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    char filter[EUREKA_APP_NAME_MAX];
    ist_strv wanted = IST_STRV("");
    page_source source = begin_page(eureka, request);
    if (ist_api_query(request, "q", &wanted)) {
        source.filter = eureka_upper(ist_strv_first(wanted, sizeof(filter)), filter, sizeof(filter));
    }
    begin(&response->body, "Applications");
    write_facts(&source, &eureka->own, request->stale, &response->body);
    write_registrations(&eureka->own, source.times.now_ms, &response->body);
    if (source.list != NULL) {
        ist_buf_append_str(&response->body, "<section id=\"apps\"><h2>Applications</h2>");
        write_filter(&source, &response->body);
        page_write_apps(&source, &response->body);
        ist_buf_append_str(&response->body, "</section>");
    }
    write_pointer(request, &response->body);
    end(response);
}

// --- What has changed -----------------------------------------------------------------------------------------------

typedef struct changes_table {
    ist_buf *out;
    int64_t now_ms;
} changes_table;

static void write_change(void *ctx, const eureka_instance *instance, bool gone, int64_t at_ms)
{
    const changes_table *table = ctx;
    ist_buf_append_str(table->out, "<tr><td data-label=\"When\">");
    page_duration(table->out, table->now_ms - at_ms);
    ist_buf_append_str(table->out, " ago</td>");
    page_cell(table->out, "Change", gone ? IST_STRV("gone") : IST_STRV("new or changed"));
    page_cell(table->out, "Application", instance->app);
    page_cell(table->out, "Instance", instance->id);
    page_status(table->out, instance, "");
    ist_buf_append_str(table->out, "</tr>");
}

void eureka_get_changes_page(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    ist_buf *out = &response->body;
    page_source source = begin_page(eureka, request);
    changes_table table = {.out = out, .now_ms = source.times.now_ms};
    begin(out, "Changes");
    write_facts(&source, &eureka->own, request->stale, out);
    write_registrations(&eureka->own, source.times.now_ms, out);
    ist_buf_append_str(
        out, "<section id=\"changes\"><h2>Changes of the last ten minutes</h2>"
             "<p class=\"quiet\">As far as clients have asked for the list, and were told.</p><table><thead><tr>"
             "<th>When</th><th>Change</th><th>Application</th><th>Instance</th><th>Status</th></tr></thead><tbody>");
    if (source.list != NULL) {
        ist_arena_clear(request->arena);
        changes_each_newest(source.list->changes, CHANGES_MAX, request->arena, write_change, &table);
    }
    ist_buf_append_str(out, "</tbody></table></section>");
    end(response);
}

void eureka_get_style(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    ist_buf_append(&response->body, PAGE_CSS, sizeof(PAGE_CSS));
    response->content_type = "text/css; charset=utf-8";
}
