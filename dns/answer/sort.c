// SPDX-License-Identifier: Apache-2.0
#include "dns_answer/sort.h"

#include <endian.h>
#include <string.h>

// One row of the policy table (RFC 6724 section 2.1).
typedef struct policy_row {
    uint8_t prefix[16];
    uint8_t bits;
    uint8_t precedence;
    uint8_t label;
} policy_row;

static const policy_row policy[] = {
    {.prefix = {[15] = 1}, .bits = 128, .precedence = 50, .label = 0},                // ::1
    {.prefix = {[10] = 0xFF, [11] = 0xFF}, .bits = 96, .precedence = 35, .label = 4}, // IPv4-mapped
    {.prefix = {0}, .bits = 96, .precedence = 1, .label = 3},                         // IPv4-compatible
    {.prefix = {0x20, 0x01}, .bits = 32, .precedence = 5, .label = 5},                // Teredo
    {.prefix = {0x20, 0x02}, .bits = 16, .precedence = 30, .label = 2},               // 6to4
    {.prefix = {0x3F, 0xFE}, .bits = 16, .precedence = 1, .label = 12},               // 6bone
    {.prefix = {0xFE, 0xC0}, .bits = 10, .precedence = 1, .label = 11},               // site-local
    {.prefix = {0xFC}, .bits = 7, .precedence = 3, .label = 13},                      // unique local
    {.prefix = {0}, .bits = 0, .precedence = 40, .label = 1},
};

enum { SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

static uint32_t common_bits(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        uint32_t difference = (uint32_t)(a[i] ^ b[i]);
        if (difference != 0) {
            return (uint32_t)i * 8 + (uint32_t)__builtin_clz(difference) - 24;
        }
    }
    return (uint32_t)bytes * 8;
}

// The same for four bytes at once: every address of every answer of endpoints is compared.
static uint32_t common_v4_bits(const uint8_t *a, const uint8_t *b)
{
    uint32_t left;
    uint32_t right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return left == right ? 32 : (uint32_t)__builtin_clz(be32toh(left ^ right));
}

static const policy_row *policy_find(const uint8_t *bytes)
{
    size_t i = 0;
    while (common_bits(policy[i].prefix, bytes, 16) < policy[i].bits) { // the last row matches all
        i++;
    }
    return &policy[i];
}

static uint32_t scope_of(const uint8_t *bytes)
{
    static const uint8_t loopback[16] = {[15] = 1};

    if (memcmp(bytes, loopback, sizeof(loopback)) == 0 || (bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80)) {
        return SCOPE_LINK;
    }
    if (bytes[0] == 0xFF) {
        return bytes[1] & 0x0F;
    }
    return bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0xC0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

// RFC 6724 section 6, rules 2 (scope), 5 (label), 6 (precedence), 8 (smaller scope) and 9 (prefix), in this order.
static uint32_t v6_key(const uint8_t *source, const uint8_t *candidate)
{
    const policy_row *row = policy_find(candidate);
    uint32_t scope = scope_of(candidate);
    uint32_t same_scope = scope == scope_of(source) ? 1 : 0;
    uint32_t same_label = row->label == policy_find(source)->label ? 1 : 0;

    return same_scope << 31 | same_label << 30 | (uint32_t)row->precedence << 16 | (15 - scope) << 8 |
           common_bits(source, candidate, 16);
}

bool ist_dns_sort_known(const ist_dns_source *source, uint8_t family)
{
    return family == 6 ? source->v6.family == 6 : source->v4.family == 4;
}

uint32_t ist_dns_sort_key(const ist_dns_source *source, const ist_mesh_addr *candidate)
{
    if (!ist_dns_sort_known(source, candidate->family)) {
        return 0;
    }
    if (candidate->family == 6) {
        return v6_key(source->v6.bytes, candidate->bytes);
    }
    uint32_t bits = common_v4_bits(source->v4.bytes, candidate->bytes);
    return bits >= source->v4_prefix_bits ? bits : 0;
}
