// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_answer/sort.h"

enum { ROUNDS = 20000, SET_MAX = 8 };

static ist_mesh_addr addr(const char *text)
{
    ist_mesh_addr value;
    assert_int_equal(ist_mesh_addr_parse(ist_strv_from(text), &value, NULL), IST_OK);
    return value;
}

static ist_dns_source source_of(const char *text, uint32_t bits)
{
    ist_dns_source known = {.v4_count = 0};
    ist_mesh_addr from = addr(text);
    ist_dns_source_add(&known, &from, bits);
    return known;
}

static ist_dns_rank rank(const ist_dns_source *source, const char *candidate)
{
    ist_mesh_addr to = addr(candidate);
    return ist_dns_sort_rank(source, &to, false);
}

static bool may_follow(const ist_dns_source *source, const char *later, const char *first)
{
    return ist_dns_rank_may_follow(rank(source, later), rank(source, first));
}

static void v4_counts_only_inside_the_subnet(void **state)
{
    ist_dns_source s24 = source_of("10.1.2.3", 24);
    ist_dns_source s16 = source_of("10.1.2.3", 16);
    ist_dns_source s32 = source_of("10.1.2.3", 32);
    (void)state;
    assert_false(may_follow(&s24, "10.1.2.200", "10.1.3.3"));
    assert_true(may_follow(&s24, "10.1.3.3", "10.1.2.200"));
    assert_true(may_follow(&s24, "10.1.3.3", "192.0.2.1") && may_follow(&s24, "192.0.2.1", "10.1.3.3"));
    assert_false(may_follow(&s24, "10.1.2.2", "10.1.2.200"));
    assert_false(may_follow(&s24, "10.1.2.3", "10.1.2.2"));
    assert_false(may_follow(&s16, "10.1.3.3", "10.1.200.3"));
    assert_true(may_follow(&s32, "10.1.2.2", "10.1.3.3"));
    assert_false(may_follow(&s32, "127.0.0.1", "10.1.3.3") && may_follow(&s32, "10.1.3.3", "127.0.0.1")); // scope
}

static void v4_beside_v6_counts_everywhere(void **state)
{
    ist_dns_source source = source_of("10.1.2.3", 24);
    ist_mesh_addr near = addr("10.1.9.9");
    ist_mesh_addr far = addr("192.0.2.1");
    (void)state;
    assert_false(ist_dns_rank_may_follow(ist_dns_sort_rank(&source, &near, true), ist_dns_sort_rank(&source, &far, true)));
    assert_true(ist_dns_rank_may_follow(ist_dns_sort_rank(&source, &near, false), ist_dns_sort_rank(&source, &far, false)));
}

static void each_destination_has_its_own_source(void **state)
{
    ist_dns_source two = source_of("10.1.2.3", 24);
    ist_mesh_addr second = addr("192.168.5.9");
    ist_mesh_addr secondary = addr("10.1.2.77");
    ist_mesh_addr global = addr("2001:db8::5");
    ist_mesh_addr local = addr("fd00::5");
    (void)state;
    ist_dns_source_add(&two, &second, 24);
    ist_dns_source_add(&two, &secondary, 24);
    ist_dns_source_add(&two, &global, 64);
    ist_dns_source_add(&two, &local, 64);
    assert_false(may_follow(&two, "192.168.5.10", "10.7.7.7")); // on the second interface's link
    assert_false(may_follow(&two, "192.168.5.8", "10.1.2.99"));
    assert_false(may_follow(&two, "10.1.2.2", "10.1.2.76")); // from 10.1.2.3, not from the secondary address
    // Both labels match. RFC 6724 puts global addresses first, glibc the longer prefix: neither may follow the other.
    assert_false(may_follow(&two, "fd00::6", "2001:db8:1::6"));
    assert_false(may_follow(&two, "2001:db8:1::6", "fd00::6"));
}

static void v6_follows_the_rules_in_order(void **state)
{
    static const struct {
        const char *source;
        const char *better;
        const char *worse;
    } cases[] = {
        {"fd00::1", "fd00::2", "2001:db8::1"},         // label
        {"2001:db8::1", "2001:db9::1", "fd00::1"},     // label
        {"2001:db8::1", "2001:db8::2", "2001:db9::1"}, // prefix
        {"fd00::1", "fd00::3", "fd00:1::1"},           // prefix
        {"2001:db8::1", "2a00::1", "fe80::1"},         // scope
        {"2002:c633:6401::1", "2002:c633:6401::2", "2001:db8::1"}, // label, RFC 6724 section 10.2
        {"2001:db8::2", "2001:db8::1", "2002:c633:6401::1"},       // label and precedence, the same
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_dns_source source = source_of(cases[i].source, 64);
        assert_false(may_follow(&source, cases[i].better, cases[i].worse));
        assert_true(may_follow(&source, cases[i].worse, cases[i].better));
    }
}

static void unknown_source_ranks_all_alike(void **state)
{
    ist_dns_source unknown = {.v4_count = 0};
    ist_dns_source link = source_of("fe80::1", 64);
    (void)state;
    assert_false(ist_dns_sort_known(&unknown, 4) || ist_dns_sort_known(&unknown, 6) || ist_dns_sort_known(&link, 6));
    assert_true(may_follow(&unknown, "10.0.0.1", "10.0.0.2") && may_follow(&link, "fd00::1", "fd00::2"));
}

static void too_many_addresses_are_left_out(void **state)
{
    ist_dns_source source = {.v4_count = 0};
    (void)state;
    for (uint32_t i = 0; i < 2 * IST_DNS_SOURCE_ADDRESSES_MAX; i++) {
        ist_mesh_addr v4 = {.family = 4, .bytes = {10, (uint8_t)i, 0, 1}};
        ist_mesh_addr v6 = {.family = 6, .bytes = {0xFD, (uint8_t)i, [15] = 1}};
        ist_dns_source_add(&source, &v4, 24);
        ist_dns_source_add(&source, &v6, 64);
    }
    assert_int_equal(source.v4_count, IST_DNS_SOURCE_ADDRESSES_MAX);
    assert_int_equal(source.v6_count, IST_DNS_SOURCE_ADDRESSES_MAX);
}

// --- The libraries' sorts, written down once more and as simply as can be -----------------------------------------------

typedef struct model {
    const char *pod; // one address
    uint32_t bits;
    bool netmask; // glibc: IPv4 prefixes count inside the subnet only
    bool v4_too;  // musl with both families: everywhere
    int compared; // bits of IPv6 prefixes that are compared: Go 64, others all
} model;

static uint32_t bit_at(const ist_mesh_addr *value, uint32_t i)
{
    return (uint32_t)value->bytes[i / 8] >> (7 - i % 8) & 1U;
}

static uint32_t same_bits(const ist_mesh_addr *a, const ist_mesh_addr *b, uint32_t limit)
{
    uint32_t n = 0;
    while (n < limit && bit_at(a, n) == bit_at(b, n)) {
        n++;
    }
    return n;
}

// Inside the addresses that the property uses: unique local ones and 2001:db8::/32.
static uint32_t worth(const model *m, const ist_mesh_addr *pod, const ist_mesh_addr *to)
{
    uint32_t same = same_bits(pod, to, pod->family == 4 ? 32 : (uint32_t)m->compared);
    if (pod->family == 4) {
        return m->v4_too || (m->netmask && same >= m->bits) ? same : 0;
    }
    return ((pod->bytes[0] == 0xFD) == (to->bytes[0] == 0xFD) ? 1000U : 0U) + same; // label; then precedence says the same
}

// Does a stable sort by this library leave the first one first?
static bool stays_first(const model *m, const ist_mesh_addr *pod, const ist_mesh_addr *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (worth(m, pod, &list[i]) > worth(m, pod, &list[0])) {
            return false;
        }
    }
    return true;
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*seed >> 33);
}

// The pod's address with a random number of its leading bits kept.
static ist_mesh_addr neighbour(const ist_mesh_addr *pod, uint64_t *seed)
{
    ist_mesh_addr value = *pod;
    uint32_t bits = pod->family == 4 ? 32 : 128;
    uint32_t kept = pod->family == 4 ? 8 : 32; // no 6to4, no Teredo: those have rows of their own
    for (uint32_t i = kept + next_random(seed) % (bits - kept + 1); i < bits; i++) {
        value.bytes[i / 8] ^= (uint8_t)((next_random(seed) & 1U) << (7 - i % 8));
    }
    if (pod->family == 6 && next_random(seed) % 4 == 0) {
        value.bytes[0] = value.bytes[0] == 0xFD ? 0x20 : 0xFD;
        value.bytes[1] = value.bytes[0] == 0xFD ? 0 : 1;
    }
    return value;
}

// For any set of endpoints, prefix and card: what we let follow never gets in front. And no more is left out than must be.
static void no_library_undoes_the_deal(void **state)
{
    static const model models[] = {
        {.pod = "10.244.1.99", .bits = 16, .netmask = true},  {.pod = "10.244.1.99", .bits = 24, .netmask = true},
        {.pod = "10.244.1.99", .bits = 32, .netmask = true},  {.pod = "10.244.1.99", .bits = 24, .v4_too = true},
        {.pod = "fd00:244::99", .bits = 64, .compared = 128}, {.pod = "fd00:244::99", .bits = 128, .compared = 64},
        {.pod = "2001:db8::99", .bits = 64, .compared = 128},
    };
    uint64_t seed = 20260801;
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        const model *m = &models[round % IST_COUNT(models)];
        ist_mesh_addr pod = addr(m->pod);
        ist_dns_source source = source_of(m->pod, m->bits);
        ist_mesh_addr list[SET_MAX] = {neighbour(&pod, &seed)};
        ist_dns_rank first = ist_dns_sort_rank(&source, &list[0], m->v4_too);
        size_t count = 1;
        while (count < SET_MAX) {
            ist_mesh_addr other = neighbour(&pod, &seed);
            bool follows = ist_dns_rank_may_follow(ist_dns_sort_rank(&source, &other, m->v4_too), first);
            bool harmless = worth(m, &pod, &other) <= worth(m, &pod, &list[0]);
            assert_true(harmless || !follows);
            assert_true(follows || !harmless || m->compared == 64); // Go alone would let more follow
            list[count++] = follows ? other : list[0];
        }
        assert_true(stays_first(m, &pod, list, count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_counts_only_inside_the_subnet),
        cmocka_unit_test(v4_beside_v6_counts_everywhere),
        cmocka_unit_test(each_destination_has_its_own_source),
        cmocka_unit_test(v6_follows_the_rules_in_order),
        cmocka_unit_test(unknown_source_ranks_all_alike),
        cmocka_unit_test(too_many_addresses_are_left_out),
        cmocka_unit_test(no_library_undoes_the_deal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
