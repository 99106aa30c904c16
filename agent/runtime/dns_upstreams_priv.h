// SPDX-License-Identifier: Apache-2.0
//
// Whom the forwarder asks: the servers of --dns-upstream, else those of resolv.conf, which is followed; with its search list
// for the resolver of host names; and for some domains those of --dns-route. What cannot be used keeps the last good one. DNS
// thread, or before it runs; writing from any thread.
#pragma once

#include "path_watch_priv.h"

#include "api_core/json.h"
#include "config/agent.h"
#include "dns_forward/relay.h"
#include "dns_forward/resolver.h"

#include <pthread.h>

enum { DNS_ROUTES_MAX = 32 };

typedef struct dns_route {
    char domain[IST_DNS_NAME_MAX + 1]; // lower case, without final dot
    ist_dns_address items[IST_DNS_SERVERS_MAX];
    size_t count;
} dns_route;

typedef struct dns_routes {
    dns_route items[DNS_ROUTES_MAX];
    size_t count;
} dns_routes;

// Borrowed.
typedef struct dns_upstreams_users {
    ist_loop *loop;
    ist_dns_forwarder *forwarder;
    ist_dns_relay *relay;
    ist_dns_resolver *resolver;
} dns_upstreams_users;

typedef struct dns_upstreams {
    pthread_mutex_t lock; // of what other threads show: items, count and routes
    ist_dns_address items[IST_DNS_SERVERS_MAX];
    size_t count;
    bool from_file;
    dns_routes routes;
    ist_dns_resolv_conf conf; // the last good one
    dns_upstreams_users users; // none until they are followed
    const char *path;          // of resolv.conf
    path_watch watch;
} dns_upstreams;

// The addresses of a list option, port 53 where none is written. IST_EINVAL, IST_ELIMIT (more than `max`).
ist_status dns_addresses_read(const ist_options *options, ist_agent_option option, ist_dns_address *items, size_t max,
                              size_t *ret_count, ist_err *err) IST_MUSTCHECK;
// As an array of texts.
void dns_addresses_write(ist_json *json, const char *key, const ist_dns_address *items, size_t count);

// Reads options and file: what the forwarder and the resolver are made of. The options stay.
ist_status dns_upstreams_init(dns_upstreams *upstreams, const ist_options *options, ist_err *err) IST_MUSTCHECK;
// Sets the routes; from now on changes go to these, too.
ist_status dns_upstreams_follow(dns_upstreams *upstreams, const dns_upstreams_users *users, ist_err *err) IST_MUSTCHECK;
// Reads options and file again. An error changes nothing.
ist_status dns_upstreams_reload(dns_upstreams *upstreams, const ist_options *options, ist_err *err) IST_MUSTCHECK;
void dns_upstreams_done(dns_upstreams *upstreams);

// "10.96.0.10:53 ...; for corp.example 10.1.0.53:53", or that there is none.
void dns_upstreams_write(dns_upstreams *upstreams, ist_buf *out);
// Those that names without a route are asked of; returns how many. Any thread.
size_t dns_upstreams_copy(dns_upstreams *upstreams, ist_dns_address items[IST_DNS_SERVERS_MAX]);
// The "upstreams" and "upstream_routes" members.
void dns_upstreams_write_status(dns_upstreams *upstreams, ist_json *json);
