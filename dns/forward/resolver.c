// SPDX-License-Identifier: Apache-2.0
#include "dns_forward/resolver.h"

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/map.h"
#include "base/random.h"

#include <string.h>

enum {
    DEFAULT_MAX_HOSTS = 10000,
    TTL_MIN_S = 5,
    TTL_MAX_S = 300,
    TTL_EMPTY_S = 30,
    RETRY_MIN_MS = 1000,
    RETRY_MAX_MS = 30000,
    ADDRESSES_MAX = 64, // of both families together
};

struct ist_dns_resolver {
    ist_dns_resolver_args args;
    char (*search)[IST_DNS_NAME_MAX + 1];
    size_t search_count;
    uint32_t ndots;
    ist_map *hosts; // host -> entry
};

typedef struct watched_host {
    ist_dns_resolver *resolver;
    uint32_t watches;
    uint32_t candidate; // which name of the search is being asked
    uint32_t pending;   // replies awaited
    ist_status failure; // of this candidate
    uint32_t ttl_s;
    size_t count;
    ist_loop_timer timer;
    ist_backoff backoff;
    ist_dns_request requests[2]; // A and AAAA
    ist_mesh_addr addrs[ADDRESSES_MAX];
    size_t host_length;
    char host[];
} watched_host;

static ist_strv host_of(const watched_host *entry)
{
    return ist_strv_make(entry->host, entry->host_length);
}

static void free_entry(void *value)
{
    watched_host *old = value;

    for (size_t i = 0; i < IST_COUNT(old->requests); i++) {
        ist_dns_forwarder_cancel(&old->requests[i]);
    }
    ist_loop_disarm(old->resolver->args.loop, &old->timer);
    ist_free(old);
}

// --- One round ------------------------------------------------------------------------------------------------------

// Tells the owner and sleeps until the next round.
static void publish(watched_host *entry, ist_status status, int64_t delay_ms)
{
    ist_dns_resolver *resolver = entry->resolver;

    if (ist_loop_arm(resolver->args.loop, &entry->timer, delay_ms) != IST_OK) {
        status = IST_ENOMEM; // what was known stays until the name is watched again
    }
    resolver->args.on_result(resolver->args.ctx, host_of(entry), status, entry->addrs,
                             status == IST_OK ? entry->count : 0);
}

static uint32_t count_dots(ist_strv name)
{
    uint32_t dots = 0;

    for (size_t i = 0; i < name.n; i++) {
        dots += name.p[i] == '.' ? 1 : 0;
    }
    return dots;
}

// The candidate's name into `buffer` (of IST_DNS_NAME_MAX + 1); false where there is no such candidate, or it is too long.
static bool candidate_name(const watched_host *entry, uint32_t candidate, char *buffer, ist_strv *ret_name)
{
    const ist_dns_resolver *resolver = entry->resolver;
    ist_strv host = host_of(entry);
    bool absolute = host.p[host.n - 1] == '.';
    bool plain_first = count_dots(host) >= resolver->ndots;
    uint32_t plain = plain_first ? 0 : (uint32_t)resolver->search_count;

    if (absolute || candidate == plain) {
        *ret_name = ist_strv_first(host, host.n - (absolute ? 1 : 0));
        return !absolute || candidate == 0;
    }
    uint32_t index = candidate - (plain_first ? 1 : 0);
    if (index >= resolver->search_count) {
        return false;
    }
    ist_strv domain = ist_strv_from(resolver->search[index]);
    if (host.n + 1 + domain.n > IST_DNS_NAME_MAX) {
        return false;
    }
    memcpy(buffer, host.p, host.n);
    buffer[host.n] = '.';
    memcpy(buffer + host.n + 1, domain.p, domain.n);
    *ret_name = ist_strv_make(buffer, host.n + 1 + domain.n);
    return true;
}

static void ask_one(watched_host *entry, ist_dns_request *request, ist_strv name, uint16_t type)
{
    ist_status status = ist_dns_ask_make(&request->ask, name, type);

    if (status == IST_OK) {
        status = ist_dns_forwarder_ask(entry->resolver->args.forwarder, request);
    }
    if (status == IST_OK) {
        entry->pending++;
    } else {
        entry->failure = status;
    }
}

// Asks from the present candidate on; names that are too long are skipped.
static void ask(watched_host *entry)
{
    char buffer[IST_DNS_NAME_MAX + 1];
    ist_strv name;

    entry->count = 0;
    entry->ttl_s = TTL_MAX_S;
    entry->failure = IST_OK;
    while (!candidate_name(entry, entry->candidate, buffer, &name)) {
        if (entry->candidate > entry->resolver->search_count) {
            ist_backoff_reset(&entry->backoff);
            publish(entry, IST_OK, (int64_t)TTL_EMPTY_S * 1000);
            return;
        }
        entry->candidate++;
    }
    ask_one(entry, &entry->requests[0], name, IST_DNS_TYPE_A);
    ask_one(entry, &entry->requests[1], name, IST_DNS_TYPE_AAAA);
    if (entry->pending == 0) {
        publish(entry, entry->failure, ist_backoff_next_ms(&entry->backoff, ist_random_u64()));
    }
}

static void begin_round(void *ctx)
{
    watched_host *entry = ctx;
    ist_mesh_addr literal;

    if (ist_mesh_addr_parse(host_of(entry), &literal, NULL) == IST_OK) {
        entry->addrs[0] = literal;
        entry->count = 1;
        entry->resolver->args.on_result(entry->resolver->args.ctx, host_of(entry), IST_OK, entry->addrs, 1);
        return;
    }
    entry->candidate = 0;
    ask(entry);
}

static void conclude(watched_host *entry)
{
    if (entry->count > 0) {
        uint32_t ttl_s = entry->ttl_s > TTL_MIN_S ? entry->ttl_s : TTL_MIN_S;
        ist_backoff_reset(&entry->backoff);
        publish(entry, IST_OK, (int64_t)ttl_s * 1000);
    } else if (entry->failure != IST_OK) {
        publish(entry, entry->failure, ist_backoff_next_ms(&entry->backoff, ist_random_u64()));
    } else {
        entry->candidate++;
        ask(entry);
    }
}

static void take_addresses(watched_host *entry, const ist_dns_addresses *addresses)
{
    for (size_t i = 0; i < addresses->count && entry->count < ADDRESSES_MAX; i++) {
        ist_mesh_addr *addr = &entry->addrs[entry->count++];
        addr->family = addresses->items[i].family;
        memcpy(addr->bytes, addresses->items[i].bytes, sizeof(addr->bytes));
    }
    if (addresses->ttl_s < entry->ttl_s) {
        entry->ttl_s = addresses->ttl_s;
    }
}

static void on_done(void *ctx, ist_status status, const uint8_t *packet, size_t length)
{
    watched_host *entry = ctx;
    ist_dns_addresses addresses;

    entry->pending--;
    if (status == IST_OK) {
        status = ist_dns_message_addresses(packet, length, &addresses);
    }
    if (status != IST_OK) {
        entry->failure = status;
    } else if (addresses.rcode == IST_DNS_NOERROR) {
        take_addresses(entry, &addresses);
    } else if (addresses.rcode != IST_DNS_NXDOMAIN) {
        entry->failure = IST_EIO; // the upstream failed or refused
    }
    if (entry->pending == 0) {
        conclude(entry);
    }
}

// --- Life -----------------------------------------------------------------------------------------------------------

ist_dns_resolver *ist_dns_resolver_new(const ist_dns_resolver_args *args)
{
    ist_dns_resolver *resolver = IST_NEW(ist_dns_resolver);

    if (resolver == NULL) {
        return NULL;
    }
    resolver->args = *args;
    resolver->args.conf = NULL; // only for the call
    resolver->args.max_hosts = args->max_hosts != 0 ? args->max_hosts : DEFAULT_MAX_HOSTS;
    resolver->hosts = ist_map_new(free_entry);
    if (resolver->hosts == NULL || (args->conf != NULL && ist_dns_resolver_set_conf(resolver, args->conf) != IST_OK)) {
        ist_dns_resolver_free(resolver);
        return NULL;
    }
    return resolver;
}

ist_status ist_dns_resolver_set_conf(ist_dns_resolver *resolver, const ist_dns_resolv_conf *conf)
{
    char(*search)[IST_DNS_NAME_MAX + 1] = NULL;

    if (conf->search_count > 0) {
        search = ist_calloc(conf->search_count, sizeof(search[0]));
        if (search == NULL) {
            return IST_ENOMEM;
        }
        memcpy(search, conf->search, conf->search_count * sizeof(search[0]));
    }
    ist_free(resolver->search);
    resolver->search = search;
    resolver->search_count = conf->search_count;
    resolver->ndots = conf->ndots;
    return IST_OK;
}

void ist_dns_resolver_free(ist_dns_resolver *resolver)
{
    if (resolver != NULL) {
        ist_map_free(resolver->hosts);
        ist_free(resolver->search);
        ist_free(resolver);
    }
}

static watched_host *new_entry(ist_dns_resolver *resolver, ist_strv host)
{
    watched_host *new = ist_calloc(1, sizeof(watched_host) + host.n);

    if (new == NULL) {
        return NULL;
    }
    new->resolver = resolver;
    new->watches = 1;
    new->timer = (ist_loop_timer){.fire = begin_round, .ctx = new};
    new->backoff = (ist_backoff){.base_ms = RETRY_MIN_MS, .cap_ms = RETRY_MAX_MS, .floor_ms = RETRY_MIN_MS};
    new->host_length = host.n;
    memcpy(new->host, host.p, host.n);
    for (size_t i = 0; i < IST_COUNT(new->requests); i++) {
        new->requests[i].done = on_done;
        new->requests[i].ctx = new;
    }
    return new;
}

ist_status ist_dns_resolver_watch(ist_dns_resolver *resolver, ist_strv host)
{
    watched_host *old = ist_map_find(resolver->hosts, host);

    if (old != NULL) {
        old->watches++;
        return IST_OK;
    }
    if (host.n == 0 || host.n > IST_DNS_NAME_MAX + 1) {
        return IST_EINVAL;
    }
    if (ist_map_count(resolver->hosts) >= resolver->args.max_hosts) {
        return IST_ELIMIT;
    }
    watched_host *new = new_entry(resolver, host);
    if (new == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = ist_map_put(resolver->hosts, host, new);
    if (status != IST_OK) {
        free_entry(new);
        return status;
    }
    status = ist_loop_arm(resolver->args.loop, &new->timer, 0);
    if (status != IST_OK) {
        (void)ist_map_remove(resolver->hosts, host); // was just put; frees the entry
    }
    return status;
}

void ist_dns_resolver_unwatch(ist_dns_resolver *resolver, ist_strv host)
{
    watched_host *entry = ist_map_find(resolver->hosts, host);

    if (entry != NULL && --entry->watches == 0) {
        (void)ist_map_remove(resolver->hosts, host); // is there; frees the entry
    }
}
