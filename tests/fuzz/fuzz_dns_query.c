// SPDX-License-Identifier: Apache-2.0
//
// Any packet a client may send: it is parsed, and what may be answered is answered within the client's limit.
#include "dns_wire/message.h"
#include "dns_wire/present.h"
#include "dns_wire/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer_all(const ist_dns_query *query, size_t limit)
{
    static uint8_t buffer[IST_DNS_TCP_MAX];
    static const ist_dns_addr addr = {.family = 6, .bytes = {0xFD, [15] = 1}};
    ist_dns_srv srv = {
        .ttl_s = 5, .port = 80, .weight = 1, .label = IST_STRV("10-0-0-1"), .host = ist_dns_query_name(query)};
    ist_dns_reply reply;
    uint16_t target = IST_DNS_OWNER_QUESTION;

    ist_dns_reply_begin(&reply, query, buffer, limit);
    for (int i = 0; i < 40; i++) {
        (void)ist_dns_reply_name(&reply, target, IST_DNS_TYPE_CNAME, 5, ist_dns_query_name(query), &target);
        (void)ist_dns_reply_srv(&reply, &srv, &target);
        (void)ist_dns_reply_txt(&reply, 5, ist_dns_query_name(query));
    }
    (void)ist_dns_reply_soa(&reply, IST_DNS_OWNER_QUESTION, 1, 5);
    (void)ist_dns_reply_address(&reply, IST_DNS_ADDITIONAL, target, 5, &addr);
    if (ist_dns_reply_end(&reply) > limit) {
        __builtin_trap();
    }
}

// The query log writes any name down: printable, without spaces, and an end.
static void present(const uint8_t *data, size_t size)
{
    char text[IST_DNS_NAME_TEXT_SIZE];
    for (const char *at = ist_dns_name_present(ist_strv_make((const char *)data, size), text); *at != '\0'; at++) {
        if (*at < '!' || *at > '~') {
            __builtin_trap();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buffer[IST_DNS_TCP_MAX];
    ist_dns_query query;

    present(data, size);
    if (size > IST_DNS_HEADER_BYTES) {
        present(data + IST_DNS_HEADER_BYTES, size - IST_DNS_HEADER_BYTES);
    }
    switch (ist_dns_query_parse(data, size, &query)) {
    case IST_DNS_QUERY_OK: {
        ist_dns_ask ask;
        ist_dns_query again;
        answer_all(&query, query.udp_size);
        answer_all(&query, IST_DNS_TCP_MAX);
        ist_dns_ask_from_query(&ask, &query);
        size_t length = ist_dns_ask_write(&ask, 1, true, buffer);
        if (ist_dns_query_parse(buffer, length, &again) != IST_DNS_QUERY_OK || again.type != query.type ||
            !ist_strv_equal(ist_dns_query_name(&again), ist_dns_query_name(&query))) {
            __builtin_trap();
        }
        break;
    }
    case IST_DNS_QUERY_ERROR:
        if (ist_dns_reply_error(&query, query.rcode, buffer, IST_DNS_UDP_MIN) > IST_DNS_UDP_MIN) {
            __builtin_trap();
        }
        break;
    case IST_DNS_QUERY_DROP:
        break;
    }
    return 0;
}
