// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include "base/alloc.h"
#include "base/random.h"

#include <string.h>

enum {
    SLOTS = 1024, // a power of two; 320 KB
    WHAT_BITS = 2, // of the setting; the rest is one_in
    TYPE_BYTES = 4, // and class, behind the name of a question
};

struct ist_dns_query_ring {
    _Atomic uint32_t written; // by the DNS thread; both only grow, and wrap
    _Atomic uint32_t taken;   // by the reader
    ist_dns_logged slots[SLOTS];
};

ist_status ist_dns_server_set_query_log(ist_dns_server *server, ist_dns_query_log what, uint32_t one_in)
{
    ist_dns_query_log_state *log = &server->query_log;

    if (what != IST_DNS_QUERY_LOG_OFF && atomic_load_explicit(&log->ring, memory_order_relaxed) == NULL) {
        ist_dns_query_ring *ring = IST_NEW(ist_dns_query_ring);
        if (ring == NULL) {
            return IST_ENOMEM;
        }
        atomic_store_explicit(&log->ring, ring, memory_order_release);
    }
    uint32_t setting = what == IST_DNS_QUERY_LOG_OFF ? 0 : one_in << WHAT_BITS | (uint32_t)what;
    atomic_store_explicit(&log->setting, setting, memory_order_release);
    return IST_OK;
}

void ist_dns_server_query_log(const ist_dns_server *server, ist_dns_query_log *ret_what, uint32_t *ret_one_in)
{
    uint32_t setting = atomic_load_explicit(&server->query_log.setting, memory_order_relaxed);

    *ret_what = (ist_dns_query_log)(setting & ((1u << WHAT_BITS) - 1));
    *ret_one_in = *ret_what == IST_DNS_QUERY_LOG_OFF ? 1 : setting >> WHAT_BITS;
}

const ist_dns_logged *ist_dns_server_next_logged(const ist_dns_server *server)
{
    const ist_dns_query_ring *ring = atomic_load_explicit(&server->query_log.ring, memory_order_acquire);

    if (ring == NULL) {
        return NULL;
    }
    uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    uint32_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    return taken != written ? &ring->slots[taken % SLOTS] : NULL;
}

void ist_dns_server_logged_taken(ist_dns_server *server)
{
    ist_dns_query_ring *ring = atomic_load_explicit(&server->query_log.ring, memory_order_relaxed);
    uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

    atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
}

// At random: A and AAAA come in turns, so that every second one would be of one type.
static bool is_drawn(uint32_t one_in)
{
    return one_in <= 1 || ist_random_u64() % one_in == 0;
}

static void fill(ist_dns_logged *entry, const ist_dns_server *server, const ist_dns_query *query)
{
    entry->wall_ms = ist_clock_wall_ms(ist_clock_system());
    entry->revision = server->view != NULL ? ist_mesh_view_revision(server->view) : 0;
    entry->type = query->question_length != 0 ? query->type : 0;
    entry->name_length = 0;
    if (query->question_length > TYPE_BYTES && query->question_length - TYPE_BYTES <= IST_DNS_LOGGED_NAME_MAX) {
        entry->name_length = (uint16_t)(query->question_length - TYPE_BYTES);
        memcpy(entry->name, query->packet + IST_DNS_HEADER_BYTES, entry->name_length);
    }
}

void ist_dns_query_log_note(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                            const ist_dns_outcome_noted *outcome)
{
    ist_dns_query_log what;
    uint32_t one_in;

    ist_dns_server_query_log(server, &what, &one_in);
    bool fine = outcome->rcode == IST_DNS_NOERROR || outcome->rcode == IST_DNS_NXDOMAIN;
    if (what == IST_DNS_QUERY_LOG_OFF || (what == IST_DNS_QUERY_LOG_ERRORS && fine) || !is_drawn(one_in)) {
        return;
    }
    ist_dns_query_ring *ring = atomic_load_explicit(&server->query_log.ring, memory_order_acquire);
    uint32_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    if (written - atomic_load_explicit(&ring->taken, memory_order_acquire) == SLOTS) {
        ist_metric_add(server->stats.log_dropped, 1);
        return;
    }
    ist_dns_logged *entry = &ring->slots[written % SLOTS];
    fill(entry, server, query);
    entry->rcode = outcome->rcode;
    entry->source = ist_dns_stats_source_name(outcome->source);
    entry->took_us = ist_clock_now_us() - outcome->started_us;
    entry->client = client->connection != NULL ? client->tcp_peer : ist_dns_serve_peer_port(&client->peer);
    entry->tcp = client->connection != NULL;
    atomic_store_explicit(&ring->written, written + 1, memory_order_release);
    ist_metric_add(server->stats.log_entries, 1);
    if (server->args.on_logged != NULL) {
        server->args.on_logged(server->args.on_logged_ctx);
    }
}

void ist_dns_query_log_done(ist_dns_server *server)
{
    ist_free(atomic_load_explicit(&server->query_log.ring, memory_order_relaxed));
}
