// SPDX-License-Identifier: Apache-2.0
#include "dns_upstreams_priv.h"

#include "base/log.h"

#include <string.h>

enum { DNS_PORT = 53 };

// --- Options --------------------------------------------------------------------------------------------------------

static ist_status too_many(ist_agent_option option, const char *what, size_t max, ist_err *err)
{
    return ist_err_set(err, IST_ELIMIT, "--%s: at most %zu %s", ist_agent_option_table()->rows[option].name, max, what);
}

ist_status dns_addresses_read(const ist_options *options, ist_agent_option option, ist_dns_address *items, size_t max,
                              size_t *ret_count, ist_err *err)
{
    ist_strv part;
    size_t count = 0;
    for (; ist_options_part(options, option, count, &part); count++) {
        if (count == max) {
            return too_many(option, "addresses", max, err);
        }
        ist_status status = ist_dns_address_parse(part, DNS_PORT, &items[count], err);
        if (status != IST_OK) {
            return status;
        }
    }
    *ret_count = count;
    return IST_OK;
}

static ist_status read_route_addresses(ist_strv list, dns_route *route, ist_err *err)
{
    for (bool more = true; more;) {
        ist_strv part = ist_strv_trim(ist_strv_cut(&list, ',', &more));
        if (route->count == IST_DNS_SERVERS_MAX) {
            return too_many(IST_OPT_DNS_ROUTE, "addresses", IST_DNS_SERVERS_MAX, err);
        }
        ist_status status = ist_dns_address_parse(part, DNS_PORT, &route->items[route->count++], err);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// The option table has checked the form: DOMAIN=LIST.
static ist_status read_route(ist_strv text, dns_routes *routes, ist_err *err)
{
    if (routes->count == DNS_ROUTES_MAX) {
        return too_many(IST_OPT_DNS_ROUTE, "routes", DNS_ROUTES_MAX, err);
    }
    dns_route *route = &routes->items[routes->count];
    ist_strv domain = ist_strv_trim(ist_strv_cut(&text, '=', NULL));
    domain.n -= ist_strv_ends_with(domain, IST_STRV(".")) ? 1 : 0;
    *route = (dns_route){.count = 0};
    ist_strv_lower(domain, route->domain);
    for (size_t i = 0; i < routes->count; i++) {
        if (strcmp(route->domain, routes->items[i].domain) == 0) {
            return ist_err_set(err, IST_EINVAL, "--dns-route: there are two routes for %s",
                               domain.n > 0 ? route->domain : "all domains (.)");
        }
    }
    ist_status status = read_route_addresses(text, route, err);
    ist_err_prefix(err, "route %s", domain.n > 0 ? route->domain : ".");
    routes->count += status == IST_OK ? 1 : 0;
    return status;
}

// Upstreams and routes as the options say them; without --dns-upstream the caller's are those of the file.
typedef struct wishes {
    ist_dns_address items[IST_DNS_SERVERS_MAX];
    size_t count;
    bool from_file;
    const char *option; // that says the upstreams
    dns_routes routes;
} wishes;

// A route for all domains is another way to say --dns-upstream.
static void take_default_route(wishes *ret_wishes)
{
    dns_routes *routes = &ret_wishes->routes;
    for (size_t i = 0; i < routes->count; i++) {
        if (routes->items[i].domain[0] == '\0') {
            memcpy(ret_wishes->items, routes->items[i].items, sizeof(ret_wishes->items));
            ret_wishes->count = routes->items[i].count;
            ret_wishes->from_file = false;
            ret_wishes->option = "--dns-route";
            routes->items[i] = routes->items[--routes->count];
            return;
        }
    }
}

static ist_status read_options(const ist_options *options, wishes *ret_wishes, ist_err *err)
{
    ist_strv part;
    ist_status status = IST_OK;
    *ret_wishes = (wishes){.from_file = !ist_options_is_set(options, IST_OPT_DNS_UPSTREAM), .option = "--dns-upstream"};
    if (!ret_wishes->from_file) {
        status = dns_addresses_read(options, IST_OPT_DNS_UPSTREAM, ret_wishes->items, IST_DNS_SERVERS_MAX,
                                    &ret_wishes->count, err);
    }
    for (size_t i = 0; status == IST_OK && ist_options_part(options, IST_OPT_DNS_ROUTE, i, &part); i++) {
        status = read_route(part, &ret_wishes->routes, err);
    }
    take_default_route(ret_wishes);
    return status;
}

// --- What there is --------------------------------------------------------------------------------------------------

static void write_list(const ist_dns_address *items, size_t count, ist_buf *out)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < count; i++) {
        ist_buf_printf(out, "%s%s", i != 0 ? " " : "", ist_dns_address_format(&items[i], text));
    }
    if (count == 0) {
        ist_buf_append_str(out, "none");
    }
}

static void write_routes(const dns_routes *routes, const char *separator, ist_buf *out)
{
    for (size_t i = 0; i < routes->count; i++) {
        ist_buf_printf(out, "%s%s ", i != 0 ? "; " : separator, routes->items[i].domain);
        write_list(routes->items[i].items, routes->items[i].count, out);
    }
}

static void write_search(const ist_dns_resolv_conf *conf, ist_buf *out)
{
    for (size_t i = 0; i < conf->search_count; i++) {
        ist_buf_printf(out, "%s%s", i != 0 ? " " : "", conf->search[i]);
    }
    if (conf->search_count == 0) {
        ist_buf_append_str(out, "none");
    }
}

static void store(dns_upstreams *self, const ist_dns_address *items, size_t count)
{
    (void)pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < count; i++) {
        self->items[i] = items[i];
    }
    self->count = count;
    (void)pthread_mutex_unlock(&self->lock);
}

static bool same_addresses(const ist_dns_address *a, size_t a_count, const ist_dns_address *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = ist_dns_address_equal(&a[i], &b[i]);
    }
    return same;
}

static bool same_routes(const dns_routes *a, const dns_routes *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i].domain, b->items[i].domain) == 0 &&
               same_addresses(a->items[i].items, a->items[i].count, b->items[i].items, b->items[i].count);
    }
    return same;
}

static bool same_search(const ist_dns_resolv_conf *a, const ist_dns_resolv_conf *b)
{
    bool same = a->search_count == b->search_count && a->ndots == b->ndots;
    for (size_t i = 0; same && i < a->search_count; i++) {
        same = strcmp(a->search[i], b->search[i]) == 0;
    }
    return same;
}

ist_status dns_upstreams_init(dns_upstreams *self, const ist_options *options, ist_err *err)
{
    wishes wanted;
    ist_err why = IST_ERR_NULL;
    (void)pthread_mutex_init(&self->lock, NULL);
    self->path = ist_options_string(options, IST_OPT_DNS_RESOLV_CONF);
    ist_status status = read_options(options, &wanted, err);
    if (status != IST_OK) {
        return status;
    }
    self->from_file = wanted.from_file;
    self->routes = wanted.routes;
    if (ist_dns_resolv_conf_load(self->path, &self->conf, &why) != IST_OK) {
        self->conf = (ist_dns_resolv_conf){.ndots = 1};
    }
    if (self->from_file && why.code != IST_OK) {
        IST_WARN(IST_LOG_DNS, "%s; without --dns-upstream other names cannot be forwarded", why.text);
    }
    store(self, self->from_file ? self->conf.servers : wanted.items,
          self->from_file ? self->conf.server_count : wanted.count);
    return IST_OK;
}

// --- Changes --------------------------------------------------------------------------------------------------------

// What is asked from now on, in one line: old -> new.
static void log_change(const dns_upstreams *self, const char *what, const ist_dns_address *items, size_t count)
{
    ist_buf line = IST_BUF_INIT;
    write_list(self->items, self->count, &line);
    ist_buf_append_str(&line, " -> ");
    write_list(items, count, &line);
    IST_NOTICE(IST_LOG_DNS, "%s has changed: upstreams %.*s", what, IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_done(&line);
}

static void log_kept(const dns_upstreams *self, const char *why)
{
    ist_buf line = IST_BUF_INIT;
    write_list(self->items, self->count, &line);
    IST_WARN(IST_LOG_DNS, "%s, keeping the upstreams %.*s", why, IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_done(&line);
}

static void take_search(dns_upstreams *self, const ist_dns_resolv_conf *fresh)
{
    if (same_search(&self->conf, fresh)) {
        return;
    }
    if (ist_dns_resolver_set_conf(self->users.resolver, fresh) != IST_OK) {
        IST_WARN(IST_LOG_DNS, "out of memory, keeping the search list");
        return;
    }
    ist_buf line = IST_BUF_INIT;
    write_search(&self->conf, &line);
    ist_buf_append_str(&line, " -> ");
    write_search(fresh, &line);
    IST_NOTICE(IST_LOG_DNS, "%s has changed: search %.*s, ndots %u -> %u", self->path,
               IST_STRV_ARG(ist_buf_view(&line)), self->conf.ndots, fresh->ndots);
    ist_buf_done(&line);
    self->conf = *fresh;
}

static ist_status set_routes(const dns_upstreams *self, const dns_routes *routes, ist_err *err)
{
    ist_dns_route list[DNS_ROUTES_MAX];
    for (size_t i = 0; i < routes->count; i++) {
        const dns_route *route = &routes->items[i];
        list[i] = (ist_dns_route){
            .suffix = ist_strv_from(route->domain), .upstreams = route->items, .upstream_count = route->count};
    }
    return ist_dns_forwarder_set_routes(self->users.forwarder, list, routes->count, err);
}

// Names may have other upstreams now, which may say something else of them: the cache begins anew.
static ist_status take_routes(dns_upstreams *self, const dns_routes *fresh, ist_err *err)
{
    if (same_routes(&self->routes, fresh)) {
        return IST_OK;
    }
    ist_status status = set_routes(self, fresh, err);
    if (status != IST_OK) {
        return status;
    }
    ist_dns_relay_forget(self->users.relay);
    ist_buf line = IST_BUF_INIT;
    write_routes(&self->routes, "", &line);
    ist_buf_append_str(&line, self->routes.count == 0 ? "none -> " : " -> ");
    write_routes(fresh, "", &line);
    ist_buf_append_str(&line, fresh->count == 0 ? "none" : "");
    IST_NOTICE(IST_LOG_DNS, "--dns-route has changed: %.*s; the cache begins anew", IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_done(&line);
    (void)pthread_mutex_lock(&self->lock);
    self->routes = *fresh;
    (void)pthread_mutex_unlock(&self->lock);
    return IST_OK;
}

static ist_status take_servers(dns_upstreams *self, const char *what, const ist_dns_address *items, size_t count,
                               ist_err *err)
{
    if (same_addresses(self->items, self->count, items, count)) {
        return IST_OK;
    }
    ist_status status = ist_dns_forwarder_set_upstreams(self->users.forwarder, items, count, err);
    if (status == IST_OK) {
        log_change(self, what, items, count);
        store(self, items, count);
    }
    return status;
}

// Can these be asked? resolv.conf is written when a pod gets to know us, too: then it names us alone, and what it named
// before stays right.
static ist_status check_servers(const dns_upstreams *self, const ist_dns_resolv_conf *conf, ist_err *err)
{
    if (conf->server_count == 0) {
        return ist_err_set(err, IST_EINVAL, "%s names no name server by its address", self->path);
    }
    for (size_t i = 0; i < conf->server_count; i++) {
        if (!ist_dns_forwarder_is_own(self->users.forwarder, &conf->servers[i])) {
            return IST_OK;
        }
    }
    return ist_err_set(err, IST_EINVAL, "%s names nobody but ourselves", self->path);
}

// What the upstreams do not come from says how names are searched all the same.
static void read_file(dns_upstreams *self)
{
    ist_dns_resolv_conf fresh;
    ist_err why = IST_ERR_NULL;
    ist_status status = ist_dns_resolv_conf_load(self->path, &fresh, &why);
    if (status == IST_OK && self->from_file) {
        status = check_servers(self, &fresh, &why);
    }
    if (status == IST_OK && self->from_file) {
        status = take_servers(self, self->path, fresh.servers, fresh.server_count, &why);
    }
    if (status == IST_OK) {
        take_search(self, &fresh);
    } else if (self->from_file) {
        log_kept(self, why.text);
    }
}

static void on_file_changed(void *ctx)
{
    read_file(ctx);
}

static void watch_file(dns_upstreams *self)
{
    ist_err why = IST_ERR_NULL;
    self->watch.changed = on_file_changed;
    self->watch.ctx = self;
    if (path_watch_start(&self->watch, self->users.loop, self->path, &why) != IST_OK) {
        IST_WARN(IST_LOG_DNS, "%s: changes of %s are followed at a reload (SIGHUP) only", why.text, self->path);
    }
}

ist_status dns_upstreams_follow(dns_upstreams *self, const dns_upstreams_users *users, ist_err *err)
{
    self->users = *users;
    watch_file(self);
    return set_routes(self, &self->routes, err);
}

// A reload without --dns-upstream goes back to the file.
ist_status dns_upstreams_reload(dns_upstreams *self, const ist_options *options, ist_err *err)
{
    wishes wanted;
    ist_status status = read_options(options, &wanted, err);
    if (status == IST_OK && !wanted.from_file) {
        status = take_servers(self, wanted.option, wanted.items, wanted.count, err);
    }
    if (status == IST_OK) {
        status = take_routes(self, &wanted.routes, err);
    }
    if (status == IST_OK) {
        self->from_file = wanted.from_file;
        path_watch_stop(&self->watch); // the directory may be another one, or there at last
        watch_file(self);
        read_file(self);
    }
    return status;
}

void dns_upstreams_done(dns_upstreams *self)
{
    path_watch_stop(&self->watch);
    (void)pthread_mutex_destroy(&self->lock);
}

// --- Showing --------------------------------------------------------------------------------------------------------

void dns_upstreams_write(dns_upstreams *self, ist_buf *out)
{
    (void)pthread_mutex_lock(&self->lock);
    write_list(self->items, self->count, out);
    if (self->count == 0) {
        ist_buf_append_str(out, ", names outside the mesh are not answered");
    }
    write_routes(&self->routes, "; for ", out);
    (void)pthread_mutex_unlock(&self->lock);
}

void dns_addresses_write(ist_json *json, const char *key, const ist_dns_address *items, size_t count)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    ist_json_begin_array(json, key);
    for (size_t i = 0; i < count; i++) {
        ist_json_string(json, NULL, ist_dns_address_format(&items[i], text));
    }
    ist_json_end_array(json);
}

size_t dns_upstreams_copy(dns_upstreams *self, ist_dns_address items[IST_DNS_SERVERS_MAX])
{
    (void)pthread_mutex_lock(&self->lock);
    size_t count = self->count;
    memcpy(items, self->items, count * sizeof(*items));
    (void)pthread_mutex_unlock(&self->lock);
    return count;
}

void dns_upstreams_write_status(dns_upstreams *self, ist_json *json)
{
    (void)pthread_mutex_lock(&self->lock);
    dns_addresses_write(json, "upstreams", self->items, self->count);
    ist_json_begin_object(json, "upstream_routes");
    for (size_t i = 0; i < self->routes.count; i++) {
        const dns_route *route = &self->routes.items[i];
        dns_addresses_write(json, route->domain, route->items, route->count);
    }
    ist_json_end_object(json);
    (void)pthread_mutex_unlock(&self->lock);
}
