// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"
#include "unpack.h"

#include "api_core/pack.h"
#include "base/random.h"

#include <stdlib.h>

#define RECORDS 4000
#define FRAME "{\"version\":1,\"records\":["

// A list of records, each of which has a number that can change.
typedef struct world {
    ist_api_packer *packer;
    ist_buf out;
    ist_buf want;
    uint32_t numbers[RECORDS]; // 0 = there is no such record
} world;

static void open_world(world *w)
{
    *w = (world){.packer = ist_api_packer_new(), .out = IST_BUF_INIT, .want = IST_BUF_INIT};
    assert_non_null(w->packer);
    for (uint32_t i = 0; i < RECORDS; i++) {
        w->numbers[i] = i + 1;
    }
}

static void close_world(world *w)
{
    ist_api_packer_free(w->packer);
    ist_buf_done(&w->out);
    ist_buf_done(&w->want);
}

static void frame(world *w, const char *text)
{
    ist_api_packer_frame(w->packer, ist_strv_from(text));
    ist_buf_append_str(&w->want, text);
}

static void record(world *w, uint32_t i)
{
    char name[32];
    char text[256];
    (void)snprintf(name, sizeof(name), "record-%u", i);
    (void)snprintf(text, sizeof(text), "{\"name\":\"%s\",\"number\":%u,\"url\":\"http://10.0.%u.%u/of/%s\"},", name,
                   w->numbers[i], i >> 8, i & 255U, name);
    ist_api_packer_record(w->packer, ist_strv_from(name));
    ist_api_packer_text(w->packer, ist_strv_from(text));
    ist_buf_append_str(&w->want, text);
}

static ist_status pack(world *w)
{
    ist_buf_clear(&w->out);
    ist_buf_clear(&w->want);
    ist_api_packer_begin(w->packer, &w->out);
    frame(w, FRAME);
    for (uint32_t i = 0; i < RECORDS; i++) {
        if (w->numbers[i] != 0) {
            record(w, i);
        }
    }
    frame(w, "]}");
    return ist_api_packer_end(w->packer);
}

static void pack_and_check(world *w)
{
    assert_int_equal(pack(w), IST_OK);
    test_unpacks_to(ist_buf_view(&w->out), ist_buf_view(&w->want));
}

static void body_is_unpacked_as_it_was(void **state)
{
    world w;
    (void)state;
    open_world(&w);
    pack_and_check(&w);
    assert_true(w.out.length < w.want.length / 4);
    assert_true(ist_api_packer_fresh_bytes(w.packer) > w.want.length - sizeof(FRAME) - 2);
    pack_and_check(&w);
    assert_int_equal(ist_api_packer_fresh_bytes(w.packer), 0);
    close_world(&w);
}

// A body of nothing but frames, an empty one, and one that holds little.
static void small_bodies_are_bodies(void **state)
{
    world w;
    (void)state;
    open_world(&w);
    memset(w.numbers, 0, sizeof(w.numbers));
    pack_and_check(&w);
    w.numbers[7] = 1;
    pack_and_check(&w);
    ist_buf_clear(&w.out);
    ist_api_packer_begin(w.packer, &w.out);
    assert_int_equal(ist_api_packer_end(w.packer), IST_OK);
    test_unpacks_to(ist_buf_view(&w.out), IST_STRV(""));
    close_world(&w);
}

// Whatever changes, comes or goes, the body is right, and what has to be packed again is little: the chunk in which the change
// is, and the next one where that refers to it.
static void change_packs_what_is_near_it(void **state)
{
    world w;
    ist_prng prng = {.state = 5};
    size_t fresh_bytes = 0;
    (void)state;
    open_world(&w);
    pack_and_check(&w);
    for (uint32_t round = 1; round <= 100; round++) {
        uint32_t i = (uint32_t)ist_prng_below(&prng, RECORDS);
        w.numbers[i] = ist_prng_below(&prng, 3) == 0 ? 0 : RECORDS + round;
        pack_and_check(&w);
        fresh_bytes += ist_api_packer_fresh_bytes(w.packer);
    }
    assert_true(fresh_bytes / 100 < w.want.length / 2);
    close_world(&w);
}

static void record_larger_than_a_chunk_is_packed(void **state)
{
    world w;
    ist_prng prng = {.state = 9};
    ist_buf large = IST_BUF_INIT;
    (void)state;
    open_world(&w);
    while (large.length < (size_t)3 << 20) {
        ist_buf_append_u64(&large, ist_prng_next(&prng)); // hardly to be packed
    }
    for (int round = 0; round < 2; round++) {
        ist_buf_clear(&w.out);
        ist_api_packer_begin(w.packer, &w.out);
        ist_api_packer_record(w.packer, IST_STRV("large"));
        ist_api_packer_text(w.packer, ist_buf_view(&large));
        assert_int_equal(ist_api_packer_end(w.packer), IST_OK);
        test_unpacks_to(ist_buf_view(&w.out), ist_buf_view(&large));
    }
    ist_buf_done(&large);
    close_world(&w);
}

static void frame_has_a_limit(void **state)
{
    world w;
    char text[1 << 16] = "";
    (void)state;
    open_world(&w);
    ist_api_packer_begin(w.packer, &w.out);
    ist_api_packer_frame(w.packer, ist_strv_make(text, sizeof(text)));
    assert_int_equal(ist_api_packer_end(w.packer), IST_ELIMIT);
    pack_and_check(&w); // and it can be used again
    close_world(&w);
}

static ist_status pack_twice(void *ctx)
{
    world *w = ctx;
    w->numbers[1]++; // so that something has to be packed
    ist_status status = pack(w);
    status = status == IST_OK ? ist_buf_status(&w->want) : status;
    if (status == IST_OK) {
        test_unpacks_to(ist_buf_view(&w->out), ist_buf_view(&w->want));
    }
    ist_buf_done(&w->out);
    ist_buf_done(&w->want);
    return status;
}

static ist_status make_one(void *ctx)
{
    ist_api_packer *packer = ist_api_packer_new();
    (void)ctx;
    ist_api_packer_free(packer);
    return packer != NULL ? IST_OK : IST_ENOMEM;
}

static void packing_without_memory_says_so(void **state)
{
    world w;
    (void)state;
    assert_true(ist_test_each_alloc_fails(make_one, NULL) >= 2);
    open_world(&w);
    memset(w.numbers + 100, 0, sizeof(w.numbers) - 100 * sizeof(w.numbers[0]));
    assert_true(ist_test_each_alloc_fails(pack_twice, &w) > 5);
    pack_and_check(&w);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_unpacked_as_it_was),
        cmocka_unit_test(small_bodies_are_bodies),
        cmocka_unit_test(change_packs_what_is_near_it),
        cmocka_unit_test(record_larger_than_a_chunk_is_packed),
        cmocka_unit_test(frame_has_a_limit),
        cmocka_unit_test(packing_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
