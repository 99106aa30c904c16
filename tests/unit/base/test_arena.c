// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include "ist_test.h"

static ist_arena *arena_or_fail(size_t block_bytes, size_t max_bytes)
{
    ist_arena *arena = ist_arena_new(block_bytes, max_bytes);
    assert_non_null(arena);
    return arena;
}

static void alloc_any_size_is_aligned_and_apart(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(64, 0);
    unsigned char *parts[100];
    for (size_t i = 0; i < 100; i++) {
        parts[i] = ist_arena_alloc(arena, i);
        assert_non_null(parts[i]);
        assert_int_equal((uintptr_t)parts[i] % 16, 0);
        memset(parts[i], (int)i, i);
    }
    for (size_t i = 1; i < 100; i++) {
        assert_int_equal(parts[i][0], i);
        assert_int_equal(parts[i][i - 1], i);
    }
    ist_arena_free(arena);
}

static void alloc_beyond_max_gives_null(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(256, 1024);
    assert_null(ist_arena_alloc(arena, 2000));
    assert_null(ist_arena_alloc(arena, SIZE_MAX));
    assert_null(ist_arena_calloc(arena, SIZE_MAX / 2, 4));
    size_t got = 0;
    while (ist_arena_alloc(arena, 16) != NULL) {
        got += 16;
    }
    assert_int_equal(got, 1024);
    assert_int_equal(ist_arena_used(arena), 1024);
    ist_arena_free(arena);
}

static void block_larger_than_max_is_cut(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(4096, 64);
    assert_non_null(ist_arena_alloc(arena, 64));
    assert_null(ist_arena_alloc(arena, 1));
    ist_arena_free(arena);
}

static void clear_after_use_allocates_nothing_again(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(0, 0);
    void *first = ist_arena_alloc(arena, 100);
    assert_non_null(ist_arena_alloc(arena, 100000));
    assert_non_null(ist_arena_alloc(arena, 8000));
    ist_arena_clear(arena);
    assert_int_equal(ist_arena_used(arena), 0);
    ist_alloc_fail_at(1);
    assert_ptr_equal(ist_arena_alloc(arena, 100), first);
    assert_non_null(ist_arena_alloc(arena, 3000));
    assert_int_equal(ist_alloc_count(), 0);
    ist_alloc_fail_at(0);
    ist_arena_free(arena);
}

static void oversize_alloc_keeps_current_block_in_use(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(256, 0);
    assert_non_null(ist_arena_alloc(arena, 250)); // fills the first block
    char *a = ist_arena_alloc(arena, 16);         // second block
    assert_non_null(ist_arena_alloc(arena, 1000));
    char *b = ist_arena_alloc(arena, 16);
    assert_ptr_equal(b, a + 16);
    ist_arena_free(arena);
}

static void calloc_reused_memory_is_zero(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(0, 0);
    void *dirty = ist_arena_alloc(arena, 64);
    memset(dirty, 0xAA, 64);
    ist_arena_clear(arena);
    const char *clean = IST_ARENA_ARRAY(arena, 64, char);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(clean[i], 0);
    }
    ist_arena_free(arena);
}

static void strv_copy_is_terminated(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(0, 0);
    ist_strv copy = ist_arena_strv(arena, IST_STRV("hello"));
    assert_string_equal(copy.p, "hello");
    ist_strv empty = ist_arena_strv(arena, IST_STRV_NULL);
    assert_string_equal(empty.p, "");
    assert_int_equal(empty.n, 0);
    ist_arena_free(arena);
}

static void printf_long_text_is_whole(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail(32, 0);
    const char *text = ist_arena_printf(arena, "%s-%0200d", "x", 7);
    assert_non_null(text);
    assert_int_equal(strlen(text), 202);
    assert_int_equal(text[201], '7');
    ist_arena_free(arena);
}

static ist_status use_arena(void *ctx)
{
    (void)ctx;
    ist_status status = IST_ENOMEM;
    ist_arena *arena = ist_arena_new(64, 0);
    if (arena != NULL && ist_arena_alloc(arena, 60) != NULL && ist_arena_alloc(arena, 60) != NULL &&
        ist_arena_printf(arena, "%100d", 1) != NULL && ist_arena_strv(arena, IST_STRV("text")).p != NULL) {
        status = IST_OK;
    }
    ist_arena_free(arena);
    return status;
}

static void arena_each_alloc_failing_stays_whole(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(use_arena, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_any_size_is_aligned_and_apart),
        cmocka_unit_test(alloc_beyond_max_gives_null),
        cmocka_unit_test(block_larger_than_max_is_cut),
        cmocka_unit_test(clear_after_use_allocates_nothing_again),
        cmocka_unit_test(oversize_alloc_keeps_current_block_in_use),
        cmocka_unit_test(calloc_reused_memory_is_zero),
        cmocka_unit_test(strv_copy_is_terminated),
        cmocka_unit_test(printf_long_text_is_whole),
        cmocka_unit_test(arena_each_alloc_failing_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
