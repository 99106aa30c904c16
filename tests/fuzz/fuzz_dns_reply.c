// SPDX-License-Identifier: Apache-2.0
//
// Any packet an upstream may send, in answer to a fixed question: fitted for three kinds of clients, appended to an alias,
// and read for addresses. What we pass on must itself be fit to be passed on.
#include "dns_wire/message.h"
#include "dns_wire/splice.h"
#include "dns_wire/upstream.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fit(const ist_dns_query *query, const uint8_t *data, size_t size, size_t limit)
{
    static uint8_t first[IST_DNS_TCP_MAX];
    static uint8_t second[IST_DNS_TCP_MAX];
    size_t length = ist_dns_message_fit(query, data, size, first, limit);

    if (length > limit || (length > 0 && ist_dns_message_fit(query, first, length, second, limit) != length)) {
        __builtin_trap();
    }
}

// The same packet as the end of an alias chain of ours. What comes out must fit to be passed on too.
static void splice(const ist_dns_query *query, const uint8_t *data, size_t size, size_t limit)
{
    static uint8_t first[IST_DNS_TCP_MAX];
    static uint8_t second[IST_DNS_TCP_MAX];
    ist_dns_reply reply;
    uint16_t target;

    ist_dns_reply_begin(&reply, query, first, limit);
    if (!ist_dns_reply_name(&reply, IST_DNS_OWNER_QUESTION, IST_DNS_TYPE_CNAME, 5, IST_STRV("a"), &target) ||
        !ist_dns_splice(&reply, target, data, size)) {
        return;
    }
    size_t length = ist_dns_reply_end(&reply);
    if (length > limit || ist_dns_message_fit(query, first, length, second, limit) != length) {
        __builtin_trap();
    }
}

// What is found good stays good with our own question in it, and answers nothing else than what was asked.
static void judge(const ist_dns_query *query, const uint8_t *data, size_t size)
{
    static uint8_t packet[IST_DNS_TCP_MAX];
    ist_dns_worth worth = ist_dns_upstream_judge(data, size);

    if (size > sizeof(packet)) {
        return;
    }
    memcpy(packet, data, size);
    ist_dns_upstream_restore(packet, size, query->packet + IST_DNS_HEADER_BYTES, query->question_length);
    if (ist_dns_upstream_match(query->packet, query->question_length, data, size) != IST_DNS_MATCH_NOT &&
        ist_dns_upstream_judge(packet, size) != worth) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t plain[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
    static const uint8_t with_opt[] = {0, 1, 1, 0, 0, 1, 0,  0, 0,    0, 0, 1, 1, 'a', 0,
                                       0, 1, 0, 1, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0,   0};
    ist_dns_addresses addresses;
    ist_dns_query query;

    if (ist_dns_query_parse(plain, sizeof(plain), &query) == IST_DNS_QUERY_OK) {
        judge(&query, data, size);
        fit(&query, data, size, IST_DNS_UDP_MIN);
        fit(&query, data, size, IST_DNS_TCP_MAX);
        splice(&query, data, size, IST_DNS_UDP_MIN);
        splice(&query, data, size, IST_DNS_TCP_MAX);
    }
    if (ist_dns_query_parse(with_opt, sizeof(with_opt), &query) == IST_DNS_QUERY_OK) {
        fit(&query, data, size, IST_DNS_UDP_MAX);
    }
    if (ist_dns_message_addresses(data, size, &addresses) == IST_OK && addresses.count > IST_DNS_ADDRESSES_MAX) {
        __builtin_trap();
    }
    return 0;
}
