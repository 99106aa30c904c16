// SPDX-License-Identifier: Apache-2.0
#include "dns_upstreams_priv.h"

#include "base/log.h"

#include <string.h>

enum { DNS_PORT = 53 };

ist_status dns_addresses_read(const ist_options *options, ist_agent_option option, ist_dns_address *items, size_t max,
                              size_t *ret_count, ist_err *err)
{
    ist_strv part;
    size_t count = 0;
    for (; ist_options_part(options, option, count, &part); count++) {
        if (count == max) {
            return ist_err_set(err, IST_ELIMIT, "--%s: at most %zu addresses",
                               ist_agent_option_table()->rows[option].name, max);
        }
        ist_status status = ist_dns_address_parse(part, DNS_PORT, &items[count], err);
        if (status != IST_OK) {
            return status;
        }
    }
    *ret_count = count;
    return IST_OK;
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

static bool same_addresses(const dns_upstreams *self, const ist_dns_address *items, size_t count)
{
    bool same = count == self->count;
    for (size_t i = 0; same && i < count; i++) {
        same = ist_dns_address_equal(&items[i], &self->items[i]);
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
    ist_err why = IST_ERR_NULL;
    (void)pthread_mutex_init(&self->lock, NULL);
    self->path = ist_options_string(options, IST_OPT_DNS_RESOLV_CONF);
    self->from_file = !ist_options_is_set(options, IST_OPT_DNS_UPSTREAM);
    if (ist_dns_resolv_conf_load(self->path, &self->conf, &why) != IST_OK) {
        self->conf = (ist_dns_resolv_conf){.ndots = 1};
    }
    if (!self->from_file) {
        return dns_addresses_read(options, IST_OPT_DNS_UPSTREAM, self->items, IST_DNS_SERVERS_MAX, &self->count, err);
    }
    if (why.code != IST_OK) {
        IST_WARN(IST_LOG_DNS, "%s; without --dns-upstream other names cannot be forwarded", why.text);
    }
    store(self, self->conf.servers, self->conf.server_count);
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
    if (ist_dns_resolver_set_conf(self->resolver, fresh) != IST_OK) {
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

static ist_status take_servers(dns_upstreams *self, const char *what, const ist_dns_address *items, size_t count,
                               ist_err *err)
{
    if (same_addresses(self, items, count)) {
        return IST_OK;
    }
    ist_status status = ist_dns_forwarder_set_upstreams(self->forwarder, items, count, err);
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
        if (!ist_dns_forwarder_is_own(self->forwarder, &conf->servers[i])) {
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
    if (path_watch_start(&self->watch, self->loop, self->path, &why) != IST_OK) {
        IST_WARN(IST_LOG_DNS, "%s: changes of %s are followed at a reload (SIGHUP) only", why.text, self->path);
    }
}

void dns_upstreams_follow(dns_upstreams *self, ist_loop *loop, ist_dns_forwarder *forwarder, ist_dns_resolver *resolver)
{
    self->loop = loop;
    self->forwarder = forwarder;
    self->resolver = resolver;
    watch_file(self);
}

// A reload without --dns-upstream goes back to the file.
ist_status dns_upstreams_reload(dns_upstreams *self, const ist_options *options, ist_err *err)
{
    ist_dns_address items[IST_DNS_SERVERS_MAX];
    size_t count = 0;
    bool from_file = !ist_options_is_set(options, IST_OPT_DNS_UPSTREAM);
    if (!from_file) {
        ist_status status = dns_addresses_read(options, IST_OPT_DNS_UPSTREAM, items, IST_DNS_SERVERS_MAX, &count, err);
        if (status == IST_OK) {
            status = take_servers(self, "--dns-upstream", items, count, err);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    self->from_file = from_file;
    path_watch_stop(&self->watch); // the directory may be another one, or there at last
    watch_file(self);
    read_file(self);
    return IST_OK;
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
    (void)pthread_mutex_unlock(&self->lock);
}

void dns_upstreams_write_status(dns_upstreams *self, ist_json *json)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    (void)pthread_mutex_lock(&self->lock);
    ist_json_begin_array(json, "upstreams");
    for (size_t i = 0; i < self->count; i++) {
        ist_json_string(json, NULL, ist_dns_address_format(&self->items[i], text));
    }
    ist_json_end_array(json);
    (void)pthread_mutex_unlock(&self->lock);
}
