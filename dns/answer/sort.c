// SPDX-License-Identifier: Apache-2.0
#include "dns_answer/sort.h"

#include <endian.h>
#include <string.h>

// One row of a policy table. Longer prefixes stand before those that contain them; the last row matches all.
typedef struct policy_row {
    uint8_t prefix[16];
    uint8_t bits;
    uint8_t precedence;
    uint8_t label;
} policy_row;

static const policy_row rfc6724[] = {
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

// The table that glibc has without gai.conf: the precedences of RFC 3484, with labels for what came later.
static const policy_row glibc[] = {
    {.prefix = {[15] = 1}, .bits = 128, .precedence = 50, .label = 0},
    {.prefix = {[10] = 0xFF, [11] = 0xFF}, .bits = 96, .precedence = 10, .label = 4},
    {.prefix = {0}, .bits = 96, .precedence = 20, .label = 3},
    {.prefix = {0x20, 0x01}, .bits = 32, .precedence = 40, .label = 7},
    {.prefix = {0x20, 0x02}, .bits = 16, .precedence = 30, .label = 2},
    {.prefix = {0xFE, 0xC0}, .bits = 10, .precedence = 40, .label = 5},
    {.prefix = {0xFC}, .bits = 7, .precedence = 40, .label = 6},
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

static const policy_row *policy_find(const policy_row *table, const uint8_t *bytes)
{
    while (common_bits(table->prefix, bytes, 16) < table->bits) {
        table++;
    }
    return table;
}

static uint8_t scope_of(const uint8_t *bytes)
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

static uint32_t v4_value(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return be32toh(value);
}

static bool v4_link_scope(uint32_t addr)
{
    return addr >> 24 == 127 || addr >> 16 == 0xA9FE; // 127/8, 169.254/16
}

static uint32_t common_v4_bits(uint32_t left, uint32_t right)
{
    return left == right ? 32 : (uint32_t)__builtin_clz(left ^ right);
}

// --- The pod's addresses --------------------------------------------------------------------------------------------

static void add_v4(ist_dns_source *source, uint32_t addr, uint32_t mask)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < source->v4_count; i++) {
        if (source->v4[i].mask == mask && (source->v4[i].addr & mask) == (addr & mask)) {
            mask = UINT32_MAX; // a secondary address: the source of what is sent to itself only
        }
    }
    while (at < source->v4_count && source->v4[at].mask >= mask) {
        at++;
    }
    memmove(&source->v4[at + 1], &source->v4[at], (source->v4_count - at) * sizeof(source->v4[0]));
    source->v4[at] = (ist_dns_source_v4){.addr = addr, .mask = mask};
    source->v4_count++;
    if (!source->known_v4 && !v4_link_scope(addr)) {
        source->v4_main = addr;
        source->known_v4 = true;
    }
}

static void add_v6(ist_dns_source *source, const uint8_t *bytes, uint32_t bits)
{
    ist_dns_source_v6 *added = &source->v6[source->v6_count++];

    memcpy(added->bytes, bytes, sizeof(added->bytes));
    added->scope = scope_of(bytes);
    added->label = policy_find(rfc6724, bytes)->label;
    added->label_glibc = policy_find(glibc, bytes)->label;
    added->bits = bits < 128 ? (uint8_t)bits : 128;
    source->known_v6 = source->known_v6 || added->scope != SCOPE_LINK;
}

void ist_dns_source_add(ist_dns_source *source, const ist_mesh_addr *addr, uint32_t prefix_bits)
{
    if (addr->family == 6 && source->v6_count < IST_DNS_SOURCE_ADDRESSES_MAX) {
        add_v6(source, addr->bytes, prefix_bits);
    } else if (addr->family == 4 && source->v4_count < IST_DNS_SOURCE_ADDRESSES_MAX) {
        uint32_t below = prefix_bits < 32 ? UINT32_MAX >> prefix_bits : 0;
        add_v4(source, v4_value(addr->bytes), ~below);
    }
}

bool ist_dns_source_equal(const ist_dns_source *left, const ist_dns_source *right)
{
    return left->v4_count == right->v4_count && left->v6_count == right->v6_count && left->v4_main == right->v4_main &&
           left->known_v4 == right->known_v4 && left->known_v6 == right->known_v6 &&
           memcmp(left->v4, right->v4, left->v4_count * sizeof(left->v4[0])) == 0 &&
           memcmp(left->v6, right->v6, left->v6_count * sizeof(left->v6[0])) == 0;
}

// --- Ranks ----------------------------------------------------------------------------------------------------------

// Rules 2 (scope), 8 (smaller scope) and 9 (prefix), which glibc applies inside a subnet only.
static ist_dns_rank v4_rank(const ist_dns_source *source, const uint8_t *bytes, bool mixed)
{
    uint32_t candidate = v4_value(bytes);
    uint32_t from = source->v4_main;
    uint32_t near_bits = 0;
    ist_dns_rank rank;

    for (uint32_t i = 0; i < source->v4_count; i++) {
        if (((source->v4[i].addr ^ candidate) & source->v4[i].mask) == 0) {
            from = source->v4[i].addr;
            near_bits = common_v4_bits(from, candidate);
            break;
        }
    }
    bool link = v4_link_scope(candidate);
    uint32_t scope = (uint32_t)(link == v4_link_scope(from)) << 31 | (link ? 1U : 0U) << 8;
    rank.glibc = scope | near_bits;
    rank.rfc6724 = scope | (mixed ? common_v4_bits(from, candidate) : 0);
    return rank;
}

// A source address of the kernel's choice: itself, then scope, label, common prefix (RFC 6724 section 5: rules 1, 2, 6, 8).
static const ist_dns_source_v6 *v6_source(const ist_dns_source *source, const uint8_t *bytes, uint8_t scope, uint8_t label)
{
    const ist_dns_source_v6 *best = &source->v6[0];
    uint32_t best_key = 0;

    for (uint32_t i = 0; i < source->v6_count; i++) {
        const ist_dns_source_v6 *each = &source->v6[i];
        uint32_t common = common_bits(each->bytes, bytes, 16);
        uint32_t fits = each->scope == scope ? 32U : each->scope > scope ? 31U - each->scope : each->scope;
        uint32_t prefix = common < each->bits ? common : each->bits;
        uint32_t key = (common == 128 ? 1U << 30 : 0U) | fits << 16 | (each->label == label ? 1U : 0U) << 8 | prefix;
        if (key > best_key) {
            best = each;
            best_key = key;
        }
    }
    return best;
}

static uint32_t v6_key(bool same_scope, bool same_label, uint32_t precedence, uint32_t scope, uint32_t common)
{
    return (uint32_t)same_scope << 31 | (uint32_t)same_label << 30 | precedence << 16 | (15 - scope) << 8 | common;
}

// RFC 6724 section 6, rules 2 (scope), 5 (label), 6 (precedence), 8 (smaller scope) and 9 (prefix), in this order.
static ist_dns_rank v6_rank(const ist_dns_source *source, const uint8_t *bytes)
{
    const policy_row *row = policy_find(rfc6724, bytes);
    const policy_row *row_glibc = policy_find(glibc, bytes);
    uint8_t scope = scope_of(bytes);
    const ist_dns_source_v6 *from = v6_source(source, bytes, scope, row->label);
    uint32_t common = common_bits(from->bytes, bytes, 16);
    bool same_scope = from->scope == scope;

    return (ist_dns_rank){
        .glibc = v6_key(same_scope, row_glibc->label == from->label_glibc, row_glibc->precedence, scope, common),
        .rfc6724 = v6_key(same_scope, row->label == from->label, row->precedence, scope, common),
    };
}

bool ist_dns_sort_known(const ist_dns_source *source, uint8_t family)
{
    return family == 6 ? source->known_v6 : source->known_v4;
}

ist_dns_rank ist_dns_sort_rank(const ist_dns_source *source, const ist_mesh_addr *candidate, bool mixed)
{
    if (!ist_dns_sort_known(source, candidate->family)) {
        return (ist_dns_rank){.glibc = 0};
    }
    return candidate->family == 6 ? v6_rank(source, candidate->bytes) : v4_rank(source, candidate->bytes, mixed);
}
