// SPDX-License-Identifier: Apache-2.0
#include "doors_priv.h"

#include "address_watch_priv.h"
#include "dns_source_priv.h"
#include "dns_status_priv.h"
#include "nacos_door_priv.h"
#include "query_log_priv.h"
#include "dns_upstreams_priv.h"

#include "api_admin/admin.h"
#include "api_eureka/eureka.h"
#include "api_http/server.h"
#include "api_rest/rest.h"
#include "base/alloc.h"
#include "base/log.h"
#include "dns_forward/relay.h"
#include "dns_server/server.h"

#include <stdio.h>

enum { ADMIN = 0, HEALTH, EUREKA, NACOS, NACOS_GRPC, HTTP_DOORS }; // and what is like one
enum { EUREKA_BASES_MAX = 64 }; // as the option takes

typedef struct http_door {
    const char *name; // on the ready line
    ist_agent_option option;
    ist_agent_option connections; // how many clients; 0 = as the server thinks fit
    ist_strv host;                // of the listener
    uint16_t port; // 0 = not open
    int fd;        // borrowed from the server
} http_door;

struct doors {
    doors_args args;
    ist_metric_family *up;
    ist_dns_forwarder *forwarder;
    ist_dns_relay *relay;
    ist_dns_resolver *resolver;
    ist_dns_server *dns;
    ist_dns_source source; // the pod's addresses, as the DNS server has them
    address_watch addresses;
    query_log query_log;
    ist_http_server *http;
    ist_api_rest rest;
    ist_api_admin admin;
    ist_api_eureka *eureka;
    nacos_door nacos;
    http_door https[HTTP_DOORS];
    dns_upstreams upstreams;
};

static void record(const doors *self, const char *listener, bool up)
{
    ist_metric_set(ist_metric_series(self->up, listener, NULL, NULL), up ? 1 : 0);
}

// --- DNS ------------------------------------------------------------------------------------------------------------

// The resolver works with the DNS door off: it needs the forwarder only.
static ist_status new_forwarder(doors *self, ist_err *err)
{
    ist_status status = dns_upstreams_init(&self->upstreams, self->args.options, err);
    if (status != IST_OK) {
        return status;
    }
    ist_dns_forwarder_args forwarder = {.loop = self->args.dns->loop,
                                        .upstreams = self->upstreams.items,
                                        .upstream_count = self->upstreams.count,
                                        .metrics = self->args.metrics};
    status = ist_dns_forwarder_new(&forwarder, &self->forwarder, err);
    if (status != IST_OK) {
        return status;
    }
    ist_dns_relay_args relay = {.loop = self->args.dns->loop,
                                .forwarder = self->forwarder,
                                .cache_bytes = ist_options_number(self->args.options, IST_OPT_DNS_CACHE_SIZE),
                                .metrics = self->args.metrics};
    self->relay = ist_dns_relay_new(&relay);
    if (self->relay == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_dns_resolver_args resolver = {.loop = self->args.dns->loop,
                                      .forwarder = self->forwarder,
                                      .conf = &self->upstreams.conf,
                                      .on_result = resolve_bridge_result,
                                      .ctx = self->args.bridge};
    self->resolver = ist_dns_resolver_new(&resolver);
    if (self->resolver == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    resolve_bridge_attach(self->args.bridge, self->resolver);
    dns_upstreams_users users = {.loop = self->args.dns->loop,
                                 .forwarder = self->forwarder,
                                 .relay = self->relay,
                                 .resolver = self->resolver};
    return dns_upstreams_follow(&self->upstreams, &users, err);
}

static void log_source(const char *what, const ist_dns_source *source)
{
    ist_buf line = IST_BUF_INIT;
    dns_source_write(source, &line);
    IST_NOTICE(IST_LOG_DNS, "%s: %.*s", what, IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_done(&line);
}

// DNS thread: an address of the pod has come or gone, or something else of an interface.
static void on_addresses_changed(void *ctx)
{
    doors *self = ctx;
    ist_dns_source fresh;
    ist_err why = IST_ERR_NULL;
    if (dns_source_find(self->args.options, &fresh, &why) != IST_OK) {
        IST_WARN(IST_LOG_DNS, "%s, keeping what is known of the pod's addresses", why.text);
    } else if (!ist_dns_source_equal(&fresh, &self->source)) {
        self->source = fresh;
        ist_dns_server_set_source(self->dns, &fresh);
        log_source("the pod's addresses have changed", &fresh);
    }
}

// An address that comes between reading and watching is not missed: the watch begins first.
static ist_status find_source(doors *self, ist_err *err)
{
    ist_err why = IST_ERR_NULL;
    self->addresses.changed = on_addresses_changed;
    self->addresses.ctx = self;
    if (!ist_options_is_set(self->args.options, IST_OPT_DNS_PREFIX) &&
        address_watch_start(&self->addresses, self->args.dns->loop, &why) != IST_OK) {
        IST_WARN(IST_LOG_DNS, "%s: changes of the pod's addresses are not followed, going on with those of the start",
                 why.text);
    }
    ist_status status = dns_source_find(self->args.options, &self->source, &why);
    if (status == IST_EIO) {
        IST_WARN(IST_LOG_DNS, "%s; --dns-prefix can say them", why.text);
        status = IST_OK; // none are known: answers that no sorting harms
    } else if (status != IST_OK && err != NULL) {
        *err = why;
    }
    if (status == IST_OK) {
        log_source("answers are made for the addresses", &self->source);
    }
    return status;
}

static ist_status open_query_log(doors *self, ist_err *err)
{
    return query_log_init(&self->query_log, ist_options_choice(self->args.options, IST_OPT_LOG_FORMAT) != 0, err);
}

static ist_status start_query_log(doors *self, ist_err *err)
{
    self->query_log.dns = self->dns;
    return query_log_set(&self->query_log, ist_options_text(self->args.options, IST_OPT_DNS_QUERY_LOG), err);
}

static ist_status open_dns(doors *self, ist_err *err)
{
    ist_dns_address listen[IST_DNS_LISTEN_MAX];
    ist_dns_server_args args = {.loop = self->args.dns->loop,
                                .store = self->args.store,
                                .forwarder = self->forwarder,
                                .relay = self->relay,
                                .metrics = self->args.metrics,
                                .listen = listen,
                                .mode = (ist_dns_mode)ist_options_choice(self->args.options, IST_OPT_DNS_MODE),
                                .answer = IST_DNS_ANSWERER_CONFIG_DEFAULT,
                                .on_logged = query_log_on_logged,
                                .on_logged_ctx = &self->query_log,
                                .inherited = &self->args.handover->sockets,
                                .inbox = self->args.handover->inbox,
                                .held = self->args.handover->kind != HANDOVER_NONE};
    ist_status status = dns_addresses_read(self->args.options, IST_OPT_DNS_LISTEN, listen, IST_DNS_LISTEN_MAX,
                                           &args.listen_count, err);
    args.answer.no_aaaa = !ist_options_flag(self->args.options, IST_OPT_DNS_AAAA);
    if (status == IST_OK) {
        status = find_source(self, err);
        args.answer.source = self->source;
        args.answer.cluster_complete = ist_options_flag(self->args.options, IST_OPT_DNS_CLUSTER_COMPLETE);
    }
    if (status == IST_OK) {
        status = open_query_log(self, err);
    }
    if (status == IST_OK) {
        status = ist_dns_server_new(&args, &self->dns, err);
    }
    if (status == IST_OK) {
        status = start_query_log(self, err);
    }
    status = status == IST_OK ? ist_dns_server_start(self->dns, err) : status;
    if (status != IST_OK) {
        address_watch_stop(&self->addresses); // nobody there to be told
    }
    return status;
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

static void list_routes(doors *self, const http_door *door, ist_http_listener_args *args)
{
    if (door == &self->https[EUREKA]) {
        args->sets[args->set_count++] = ist_api_eureka_routes(self->eureka);
        args->sets[args->set_count++] = ist_api_eureka_page_routes(self->eureka);
        return;
    }
    if (door == &self->https[NACOS]) {
        args->sets[args->set_count++] = ist_api_nacos_routes(self->nacos.nacos);
        args->sets[args->set_count++] = ist_api_nacos_config_routes(self->nacos.nacos);
        return;
    }
    args->sets[args->set_count++] = ist_api_admin_public_routes(&self->admin);
    if (door == &self->https[ADMIN]) {
        args->sets[args->set_count++] = ist_api_rest_routes(&self->rest);
        args->sets[args->set_count++] = ist_api_admin_private_routes(&self->admin);
    }
}

static ist_status listen_grpc(doors *self, http_door *door, uint16_t port, ist_err *err)
{
    ist_grpc_listener_args args = {
        .host = door->host, .port = port, .inherited = &self->args.handover->sockets, .name = door->name};
    return nacos_door_listen(&self->nacos, &args, &door->port, &door->fd, err);
}

static ist_status listen_http(doors *self, http_door *door, uint16_t port, ist_err *err)
{
    ist_http_listener_args args = {
        .host = door->host, .port = port, .inherited = &self->args.handover->sockets, .name = door->name};
    list_routes(self, door, &args);
    if (door->connections != 0) {
        args.max_connections = (uint32_t)ist_options_number(self->args.options, door->connections);
    }
    return ist_http_server_listen(self->http, &args, &door->port, &door->fd, err);
}

static ist_status open_http(doors *self, http_door *door, ist_err *err)
{
    uint16_t port = 0;
    ist_strv text;
    if (!ist_options_part(self->args.options, door->option, 0, &text)) {
        return ist_err_set(err, IST_EINVAL, "no address"); // the option table has checked its form
    }
    ist_status status = ist_hostport_parse(text, 0, &door->host, &port, err);
    if (status != IST_OK) {
        return status;
    }
    status = door == &self->https[NACOS_GRPC] ? listen_grpc(self, door, port, err) : listen_http(self, door, port, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "--%s", ist_agent_option_table()->rows[door->option].name);
    }
    return status;
}

// The choices of the option stand in the order of the enum.
static ist_api_eureka *new_eureka(doors *self)
{
    ist_strv bases[EUREKA_BASES_MAX];
    size_t count = 0;
    while (count < EUREKA_BASES_MAX &&
           ist_options_part(self->args.options, IST_OPT_EUREKA_BASE, count, &bases[count])) {
        count++;
    }
    ist_api_eureka_args args = {
        .bases = bases,
        .base_count = count,
        .clock = ist_clock_system(),
        .metrics = self->args.metrics,
        .store = self->args.store,
        .profile = (ist_api_eureka_profile)ist_options_choice(self->args.options, IST_OPT_EUREKA_PROFILE),
        .on_registered = self->args.on_registered,
        .ctx = self->args.ctx};
    return ist_api_eureka_new(&args);
}

static ist_status new_http(doors *self, ist_err *err)
{
    ist_http_server_args args = {
        .loop = self->args.http->loop, .store = self->args.store, .metrics = self->args.metrics};
    self->rest.status = self->args.status;
    self->https[ADMIN] = (http_door){.name = "admin", .option = IST_OPT_ADMIN_LISTEN};
    self->https[HEALTH] = (http_door){.name = "health", .option = IST_OPT_HEALTH_LISTEN};
    self->https[EUREKA] = (http_door){
        .name = "eureka", .option = IST_OPT_EUREKA_LISTEN, .connections = IST_OPT_EUREKA_CONNECTIONS};
    self->https[NACOS] =
        (http_door){.name = "nacos", .option = IST_OPT_NACOS_LISTEN, .connections = IST_OPT_NACOS_CONNECTIONS};
    self->https[NACOS_GRPC] = (http_door){.name = IST_SOCKET_NACOS_GRPC, .option = IST_OPT_NACOS_GRPC_LISTEN};
    if (ist_api_admin_init(&self->admin, self->args.status, self->args.metrics) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (!ist_options_off(self->args.options, IST_OPT_EUREKA_LISTEN)) {
        self->eureka = new_eureka(self);
        if (self->eureka == NULL) {
            return ist_err_set(err, IST_ENOMEM, "out of memory");
        }
    }
    nacos_door_args nacos = {.options = self->args.options,
                             .loop = self->args.http->loop,
                             .store = self->args.store,
                             .metrics = self->args.metrics,
                             .on_registered = self->args.on_registered,
                             .ctx = self->args.ctx};
    if (nacos_door_init(&self->nacos, &nacos) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    return ist_http_server_new(&args, &self->http, err);
}

// --- All ------------------------------------------------------------------------------------------------------------

// A door that cannot be opened is reported; returns whether it is open.
static bool open_door(doors *self, const char *name, ist_status status, const ist_err *err)
{
    record(self, name, status == IST_OK);
    if (status != IST_OK) {
        IST_ERROR(IST_LOG_AGENT, "the %s door stays closed: %s", name, err->text);
    }
    return status == IST_OK;
}

static ist_status open_all(doors *self, ist_err *err)
{
    const ist_options *options = self->args.options;
    size_t wanted = 0;
    size_t open = 0;
    if (!ist_options_off(options, IST_OPT_DNS_LISTEN)) {
        wanted++;
        open += open_door(self, "dns", open_dns(self, err), err) ? 1 : 0;
    }
    for (size_t i = 0; i < HTTP_DOORS; i++) {
        if (!ist_options_off(options, self->https[i].option)) {
            wanted++;
            open += open_door(self, self->https[i].name, open_http(self, &self->https[i], err), err) ? 1 : 0;
        }
    }
    if (self->https[NACOS_GRPC].port != 0 && self->https[NACOS].port == 0) {
        nacos_door_watch(&self->nacos, self->args.store);
    }
    handover_close_rest(self->args.handover);
    if (wanted == 0) {
        return ist_err_set(err, IST_EINVAL, "every door is off: nobody could ask this agent anything");
    }
    return open != 0 ? IST_OK : ist_err_set(err, IST_EBUSY, "no door could be opened; the lines above say why");
}

ist_status doors_new(const doors_args *args, doors **ret_doors, ist_err *err)
{
    static const ist_metric_def UP = {.kind = IST_METRIC_GAUGE,
                                      .name = "isthmus_listener_up",
                                      .help = "1 while the listener is open.",
                                      .label_1 = "listener"};
    doors *self = IST_NEW(doors);
    if (self == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    self->args = *args;
    self->up = ist_metrics_family(args->metrics, &UP);
    ist_status status = self->up != NULL ? new_forwarder(self, err) : ist_err_set(err, IST_ENOMEM, "out of memory");
    if (status == IST_OK) {
        status = new_http(self, err);
    }
    if (status == IST_OK) {
        status = open_all(self, err);
    }
    if (status != IST_OK) {
        doors_free(self);
        return status;
    }
    *ret_doors = self;
    return IST_OK;
}

void doors_free(doors *self)
{
    if (self == NULL) {
        return;
    }
    ist_http_server_free(self->http);
    ist_api_eureka_free(self->eureka);
    nacos_door_done(&self->nacos);
    address_watch_stop(&self->addresses);
    dns_upstreams_done(&self->upstreams);
    query_log_done(&self->query_log);
    ist_dns_server_free(self->dns);
    ist_dns_resolver_free(self->resolver);
    ist_dns_relay_free(self->relay);
    ist_dns_forwarder_free(self->forwarder);
    ist_free(self);
}

// --- Mode -----------------------------------------------------------------------------------------------------------

const char *doors_dns_mode(const doors *self)
{
    return self->dns != NULL ? ist_dns_mode_name(ist_dns_server_mode(self->dns)) : NULL;
}

bool doors_set_dns_mode(doors *self, ist_strv name)
{
    ist_dns_mode mode;
    if (self->dns == NULL || !ist_dns_mode_parse(name, &mode)) {
        return false;
    }
    if (mode != ist_dns_server_mode(self->dns)) {
        IST_NOTICE(IST_LOG_DNS, "mode %s instead of %s", ist_dns_mode_name(mode), doors_dns_mode(self));
        ist_dns_server_set_mode(self->dns, mode);
    }
    return true;
}

// --- Reload ---------------------------------------------------------------------------------------------------------

typedef struct reload_call {
    doors *doors;
    const ist_options *options;
    ist_err *err;
    ist_status status;
} reload_call;

static void reload_dns(void *ctx)
{
    reload_call *call = ctx;
    call->status = dns_upstreams_reload(&call->doors->upstreams, call->options, call->err);
    if (call->status == IST_OK && call->doors->dns != NULL) {
        ist_dns_server_set_cluster_complete(call->doors->dns,
                                            ist_options_flag(call->options, IST_OPT_DNS_CLUSTER_COMPLETE));
    }
}

static void reload_nacos(void *ctx)
{
    reload_call *call = ctx;
    call->status = ist_api_nacos_set_scopes(call->doors->nacos.nacos,
                                            ist_options_text(call->options, IST_OPT_NACOS_NAMESPACES),
                                            ist_options_text(call->options, IST_OPT_NACOS_GROUPS));
    if (call->status != IST_OK) {
        (void)ist_err_set(call->err, call->status, "out of memory");
    }
}

ist_status doors_reload(doors *self, const ist_options *options, ist_err *err)
{
    reload_call call = {.doors = self, .options = options, .err = err};
    worker_call(self->args.dns, reload_dns, &call);
    if (call.status == IST_OK && self->nacos.nacos != NULL) {
        worker_call(self->args.http, reload_nacos, &call);
    }
    return call.status;
}

void doors_write_query_log(const doors *self, ist_buf *out)
{
    if (self->dns != NULL) {
        query_log_write_setting(&self->query_log, out);
    } else {
        ist_buf_append_str(out, "off");
    }
}

ist_status doors_set_query_log(doors *self, ist_strv text, ist_err *err)
{
    ist_buf now = IST_BUF_INIT;
    if (self->dns == NULL) {
        return ist_err_set(err, IST_ENOTFOUND, "DNS is off; --dns-listen says where it is served");
    }
    ist_status status = query_log_set(&self->query_log, text, err);
    if (status == IST_OK) {
        query_log_write_setting(&self->query_log, &now);
        IST_NOTICE(IST_LOG_DNS, "query log %.*s", IST_STRV_ARG(ist_buf_view(&now)));
    }
    ist_buf_done(&now);
    return status;
}

// --- Beginning and leaving ------------------------------------------------------------------------------------------

static void go_on(void *ctx)
{
    doors *self = ctx;
    ist_err err = IST_ERR_NULL;
    if (ist_dns_server_go_on(self->dns, &err) != IST_OK) {
        record(self, "dns", false);
        IST_ERROR(IST_LOG_DNS, "the dns door stays closed: %s", err.text);
    }
}

void doors_go_on(doors *self)
{
    if (self->dns != NULL) {
        worker_call(self->args.dns, go_on, self);
    }
}

static void quiesce_dns(void *ctx)
{
    doors *self = ctx;
    ist_dns_server_quiesce(self->dns);
}

static void quiesce_http(void *ctx)
{
    doors *self = ctx;
    ist_http_server_quiesce(self->http);
    nacos_door_quiesce(&self->nacos);
}

typedef struct busy_call {
    const doors *doors;
    bool busy;
} busy_call;

static void ask_busy(void *ctx)
{
    busy_call *call = ctx;
    call->busy = ist_dns_server_busy(call->doors->dns);
}

void doors_leave(doors *self, bool (*is_over)(void *ctx), void *ctx)
{
    busy_call call = {.doors = self, .busy = self->dns != NULL};
    worker_call(self->args.http, quiesce_http, self);
    if (self->dns != NULL) {
        worker_call(self->args.dns, quiesce_dns, self);
    }
    while (call.busy) {
        worker_call(self->args.dns, ask_busy, &call);
        call.busy = call.busy && !is_over(ctx);
    }
}

static void list(ist_sockets *out, const char *name, const int *fds, size_t count)
{
    for (size_t i = 0; i < count && out->count < IST_SOCKETS_MAX; i++) {
        ist_socket *one = &out->items[out->count++];
        *one = (ist_socket){.fd = fds[i]};
        (void)snprintf(one->name, sizeof(one->name), "%s", name);
    }
}

void doors_list_sockets(const doors *self, ist_sockets *out)
{
    int fds[IST_SOCKETS_MAX] = {0};
    if (self->dns != NULL) {
        list(out, IST_SOCKET_DNS, fds, ist_dns_server_sockets(self->dns, fds, IST_SOCKETS_MAX));
    }
    for (size_t i = 0; i < HTTP_DOORS; i++) {
        if (self->https[i].port != 0) {
            list(out, self->https[i].name, &self->https[i].fd, 1);
        }
    }
}

bool doors_registered(const doors *self, ist_buf *why)
{
    ist_registry_registrar open[2];
    size_t count = 0;
    if (self->https[EUREKA].port != 0) {
        open[count++] = ist_api_eureka_registrar(self->eureka);
    }
    if (self->https[NACOS].port != 0 || self->https[NACOS_GRPC].port != 0) {
        open[count++] = ist_api_nacos_registrar(self->nacos.nacos);
    }
    return ist_registry_is_up(open, count, why);
}

void doors_refresh_metrics(const doors *self)
{
    if (self->dns != NULL) {
        ist_dns_server_refresh_metrics(self->dns);
    }
}

void doors_write_registries(const doors *self, const ist_mesh_view *view, ist_json *json)
{
    if (self->eureka != NULL) {
        ist_api_eureka_write_seen(self->eureka, view, json);
    }
}

void doors_write_unsteered(const doors *self, ist_buf *out)
{
    if (self->eureka != NULL) {
        ist_api_eureka_write_unsteered(self->eureka, out);
    }
}

// --- Showing --------------------------------------------------------------------------------------------------------

static void append_http(const http_door *door, ist_buf *out)
{
    bool v6 = ist_strv_find(door->host, ':') < door->host.n;
    ist_buf_printf(out, "%s%.*s%s:%u", v6 ? "[" : "", IST_STRV_ARG(door->host), v6 ? "]" : "", door->port);
}

void doors_write_line(const doors *self, ist_buf *out)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    const char *separator = "";
    size_t count = 0;
    const ist_dns_address *addresses = self->dns != NULL ? ist_dns_server_addresses(self->dns, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        ist_buf_printf(out, "%sdns=%s", separator, ist_dns_address_format(&addresses[i], text));
        separator = " ";
    }
    for (size_t i = 0; i < HTTP_DOORS; i++) {
        if (self->https[i].port != 0) {
            ist_buf_printf(out, "%s%s=", separator, self->https[i].name);
            append_http(&self->https[i], out);
            separator = " ";
        }
    }
}

void doors_write_upstreams(doors *self, ist_buf *out)
{
    dns_upstreams_write(&self->upstreams, out);
}

static void write_dns_status(doors *self, const ist_dns_address *listeners, size_t count, ist_json *json)
{
    ist_dns_address upstreams[IST_DNS_SERVERS_MAX];
    ist_buf setting = IST_BUF_INIT;
    doors_refresh_metrics(self); // of the sockets
    doors_write_query_log(self, &setting);
    dns_status status = {.metrics = self->args.metrics,
                         .mode = doors_dns_mode(self),
                         .query_log = ist_buf_view(&setting),
                         .listeners = listeners,
                         .listener_count = count,
                         .upstreams = upstreams,
                         .upstream_count = dns_upstreams_copy(&self->upstreams, upstreams),
                         .cache_bytes = ist_options_number(self->args.options, IST_OPT_DNS_CACHE_SIZE)};
    dns_status_write(&status, json);
    ist_buf_done(&setting);
}

void doors_write_status(doors *self, ist_json *json)
{
    size_t count = 0;
    const ist_dns_address *addresses = self->dns != NULL ? ist_dns_server_addresses(self->dns, &count) : NULL;
    ist_json_begin_object(json, "listeners");
    if (addresses != NULL) {
        dns_addresses_write(json, "dns", addresses, count);
    }
    for (size_t i = 0; i < HTTP_DOORS; i++) {
        ist_buf text = IST_BUF_INIT;
        if (self->https[i].port != 0) {
            append_http(&self->https[i], &text);
            ist_json_strv(json, self->https[i].name, ist_buf_view(&text));
        }
        ist_buf_done(&text);
    }
    ist_json_end_object(json);
    ist_json_strv_or_null(json, "dns_mode", ist_strv_from(doors_dns_mode(self)));
    dns_upstreams_write_status(&self->upstreams, json);
    write_dns_status(self, addresses, count, json);
}
