// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include "ist_test.h"

static void bytes_same_content_same_hash(void **state)
{
    (void)state;
    char copy[] = "resource";
    assert_int_equal(ist_hash_bytes("resource", 8, 7), ist_hash_bytes(copy, 8, 7));
    assert_int_not_equal(ist_hash_bytes("resource", 8, 7), ist_hash_bytes("resource", 8, 8));
    assert_int_not_equal(ist_hash_bytes("resource", 8, 7), ist_hash_bytes("resourcf", 8, 7));
}

static void bytes_unseeded_matches_xxh3(void **state)
{
    (void)state;
    assert_int_equal(ist_hash_bytes(NULL, 0, 0), 0x2d06800538d394c2); // XXH3_64bits of nothing
}

static void strv_uses_process_seed(void **state)
{
    (void)state;
    assert_int_not_equal(ist_hash_seed(), 0);
    assert_int_equal(ist_hash_seed(), ist_hash_seed());
    assert_int_equal(ist_hash_strv(IST_STRV("a.b")), ist_hash_bytes("a.b", 3, ist_hash_seed()));
    assert_int_equal(ist_hash_strv(IST_STRV_NULL), ist_hash_strv(IST_STRV("")));
}

static void u64_neighbours_differ_in_half_the_bits(void **state)
{
    (void)state;
    int differing = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        differing += __builtin_popcountll(ist_hash_u64(i) ^ ist_hash_u64(i + 1));
    }
    assert_in_range(differing, 31000, 33000);
}

static void combine_order_matters(void **state)
{
    (void)state;
    assert_int_not_equal(ist_hash_combine(1, 2), ist_hash_combine(2, 1));
    assert_int_not_equal(ist_hash_combine(0, 0), 0);
    assert_int_equal(ist_hash_combine(5, 6), ist_hash_combine(5, 6));
}

// The first two values stand in the reference implementation's own checks.
static void xx64_is_what_others_compute(void **state)
{
    (void)state;
    assert_int_equal(ist_hash_xx64(IST_STRV_NULL, 0), 0xef46db3751d8e999);
    assert_int_equal(ist_hash_xx64(IST_STRV("a"), 0), 0xd24ec4f1a98c6e5b);
    assert_int_not_equal(ist_hash_xx64(IST_STRV("a"), 1), ist_hash_xx64(IST_STRV("a"), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_same_content_same_hash),
        cmocka_unit_test(bytes_unseeded_matches_xxh3),
        cmocka_unit_test(strv_uses_process_seed),
        cmocka_unit_test(u64_neighbours_differ_in_half_the_bits),
        cmocka_unit_test(combine_order_matters),
        cmocka_unit_test(xx64_is_what_others_compute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
