// SPDX-License-Identifier: Apache-2.0
//
// An upstream name server inside a test: a UDP socket on the test's own loop that answers as the first label of the question
// says. No second thread, so every run is the same.
//   ok...: 192.0.2.1   fail...: SERVFAIL   nx...: NXDOMAIN   drop...: silence   empty...: NOERROR without records
// and any name that is not under `known`: NXDOMAIN.
#pragma once

#include "ist_test.h"

#include "dns_wire/message.h"
#include "dns_wire/reply.h"
#include "loop/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct test_upstream {
    ist_loop *loop;
    ist_loop_io io;
    ist_dns_address address;
    const char *known; // suffix of the names that exist; NULL = all
    bool silent;
    bool failing;
    bool no_edns;                                                    // FORMERR to OPT
    bool formerr;                                                    // FORMERR to everything
    bool lame;                                                       // refers to others: no answer, neither AA nor RA
    bool lowers;                                                     // the question comes back in lower case
    bool forges;                                                     // sends the reply under another id first
    bool garbles;                                                    // sends records that cannot be read
    void (*on_probe)(struct test_upstream *upstream, ist_strv name); // a question for HINFO: NULL = answered as others
    void *ctx;                                                       // of on_probe
    unsigned probes;
    unsigned queries;   // without them
    uint16_t last_port; // it was asked from
    bool last_edns;
    bool last_upper; // the question had an upper case letter
    char last_name[256];
} test_upstream;

static inline size_t test_upstream_reply(test_upstream *upstream, const ist_dns_query *query, uint8_t *buffer)
{
    static const ist_dns_addr v4 = {.family = 4, .bytes = {192, 0, 2, 1}};
    static const ist_dns_addr v6 = {.family = 6, .bytes = {0x20, 0x01, 0x0D, 0xB8, [15] = 1}};
    ist_strv name = ist_dns_query_name(query);
    ist_dns_reply reply;
    if (upstream->silent || ist_strv_starts_with(name, IST_STRV("drop"))) {
        return 0;
    }
    ist_dns_reply_begin(&reply, query, buffer, 512);
    if (upstream->formerr || (upstream->no_edns && query->has_edns)) {
        reply.rcode = IST_DNS_FORMERR;
    } else if (upstream->failing || ist_strv_starts_with(name, IST_STRV("fail"))) {
        reply.rcode = IST_DNS_SERVFAIL;
    } else if (ist_strv_starts_with(name, IST_STRV("nx")) ||
               (upstream->known != NULL && !ist_strv_ends_with(name, ist_strv_from(upstream->known)))) {
        reply.rcode = IST_DNS_NXDOMAIN;
    } else if (!upstream->lame && !ist_strv_starts_with(name, IST_STRV("empty"))) {
        assert_true(ist_dns_reply_address(&reply, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION, 60,
                                          query->type == IST_DNS_TYPE_AAAA ? &v6 : &v4));
    }
    return ist_dns_reply_end(&reply);
}

// What is wrong with this upstream, done to its reply.
static inline void test_upstream_spoil(const test_upstream *upstream, const ist_dns_query *query, uint8_t *reply)
{
    if (upstream->lame) {
        reply[3] &= (uint8_t)~IST_DNS_FLAG_RA;
    }
    if (upstream->garbles) {
        reply[7] = 9; // answers that are not there
    }
    for (size_t i = 0; upstream->lowers && i < query->question_length - 4u; i++) {
        uint8_t *byte = &reply[IST_DNS_HEADER_BYTES + i];
        *byte = *byte >= 'A' && *byte <= 'Z' ? (uint8_t)(*byte | 0x20) : *byte;
    }
}

static inline void test_upstream_ready(void *ctx, uint32_t events)
{
    test_upstream *upstream = ctx;
    uint8_t packet[2048];
    uint8_t buffer[512];
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    ist_dns_query query;
    (void)events;
    ssize_t length = recvfrom(upstream->io.fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&peer, &size);
    if (length < 0) {
        return;
    }
    assert_int_equal(ist_dns_query_parse(packet, (size_t)length, &query), IST_DNS_QUERY_OK);
    if (query.type == IST_DNS_TYPE_HINFO) {
        upstream->probes++;
        if (upstream->on_probe != NULL) {
            upstream->on_probe(upstream, ist_dns_query_name(&query));
        }
    } else {
        upstream->queries++;
    }
    upstream->last_port = ntohs(((struct sockaddr_in *)&peer)->sin_port);
    upstream->last_edns = query.has_edns;
    upstream->last_upper = false;
    for (size_t i = 0; i < query.question_length - 4u; i++) {
        uint8_t byte = packet[IST_DNS_HEADER_BYTES + i];
        upstream->last_upper = upstream->last_upper || (byte >= 'A' && byte <= 'Z');
    }
    (void)snprintf(upstream->last_name, sizeof(upstream->last_name), "%s", query.name);
    size_t reply = test_upstream_reply(upstream, &query, buffer);
    if (reply > 0) {
        test_upstream_spoil(upstream, &query, buffer);
        if (upstream->forges) {
            buffer[0] ^= 1;
            (void)sendto(upstream->io.fd, buffer, reply, 0, (struct sockaddr *)&peer, size);
            buffer[0] ^= 1;
        }
        (void)sendto(upstream->io.fd, buffer, reply, 0, (struct sockaddr *)&peer, size);
    }
}

static inline void test_upstream_open(test_upstream *upstream, ist_loop *loop)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(local);
    *upstream = (test_upstream){.loop = loop};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&local, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &size), 0);
    upstream->address = (ist_dns_address){.ip = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = ntohs(local.sin_port)};
    upstream->io = (ist_loop_io){.ready = test_upstream_ready, .ctx = upstream, .fd = fd, .events = EPOLLIN};
    assert_int_equal(ist_loop_add(loop, &upstream->io, NULL), IST_OK);
}

static inline void test_upstream_close(test_upstream *upstream)
{
    ist_loop_remove(upstream->loop, &upstream->io);
    (void)close(upstream->io.fd);
}

static inline void test_loop_stop(void *loop)
{
    ist_loop_stop(loop);
}

// Runs the loop until somebody stops it, or for `ms`.
static inline void test_loop_run(ist_loop *loop, int64_t ms)
{
    ist_loop_timer timer = {.fire = test_loop_stop, .ctx = loop};
    assert_int_equal(ist_loop_arm(loop, &timer, ms), IST_OK);
    assert_int_equal(ist_loop_run(loop, NULL), IST_OK);
    ist_loop_disarm(loop, &timer);
}
