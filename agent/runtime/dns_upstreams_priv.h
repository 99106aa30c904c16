// SPDX-License-Identifier: Apache-2.0
//
// Whom the forwarder asks: the servers of --dns-upstream, else those of resolv.conf, which is followed; with its search list
// for the resolver of host names. What cannot be used keeps the last good one. DNS thread, or before it runs; writing from
// any thread.
#pragma once

#include "path_watch_priv.h"

#include "api_core/json.h"
#include "config/agent.h"
#include "dns_forward/forward.h"
#include "dns_forward/resolver.h"

#include <pthread.h>

typedef struct dns_upstreams {
    pthread_mutex_t lock; // of what other threads show: items and count
    ist_dns_address items[IST_DNS_SERVERS_MAX];
    size_t count;
    bool from_file;
    ist_dns_resolv_conf conf;     // the last good one
    ist_loop *loop;               // NULL until followed, as the next two; all borrowed
    ist_dns_forwarder *forwarder;
    ist_dns_resolver *resolver;
    const char *path; // of resolv.conf
    path_watch watch;
} dns_upstreams;

// The addresses of a list option, port 53 where none is written. IST_EINVAL, IST_ELIMIT (more than `max`).
ist_status dns_addresses_read(const ist_options *options, ist_agent_option option, ist_dns_address *items, size_t max,
                              size_t *ret_count, ist_err *err) IST_MUSTCHECK;

// Reads options and file: what the forwarder and the resolver are made of. The options stay.
ist_status dns_upstreams_init(dns_upstreams *upstreams, const ist_options *options, ist_err *err) IST_MUSTCHECK;
// From now on the file's changes go to these.
void dns_upstreams_follow(dns_upstreams *upstreams, ist_loop *loop, ist_dns_forwarder *forwarder,
                          ist_dns_resolver *resolver);
// Reads options and file again. An error changes nothing.
ist_status dns_upstreams_reload(dns_upstreams *upstreams, const ist_options *options, ist_err *err) IST_MUSTCHECK;
void dns_upstreams_done(dns_upstreams *upstreams);

// "10.96.0.10:53 ...", or that there is none.
void dns_upstreams_write(dns_upstreams *upstreams, ist_buf *out);
// The "upstreams" member.
void dns_upstreams_write_status(dns_upstreams *upstreams, ist_json *json);
