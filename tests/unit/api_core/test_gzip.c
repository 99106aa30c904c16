// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"
#include "unpack.h"

#include "api_core/gzip.h"

static void body_is_unpacked_as_it_was(void **state)
{
    (void)state;
    ist_buf plain = IST_BUF_INIT;
    for (uint64_t i = 0; i < 50000; i++) {
        ist_buf_append_u64(&plain, i * i * 2654435761U);
    }
    const ist_strv bodies[] = {IST_STRV(""), IST_STRV("x"), ist_buf_view(&plain)};
    for (size_t i = 0; i < IST_COUNT(bodies); i++) {
        ist_buf out = IST_BUF_INIT;
        assert_int_equal(ist_api_gzip(bodies[i], &out), IST_OK);
        test_unpacks_to(ist_buf_view(&out), bodies[i]);
        ist_buf_done(&out);
    }
    ist_buf_done(&plain);
}

static ist_status pack_something(void *ctx)
{
    (void)ctx;
    ist_buf out = IST_BUF_INIT;
    ist_status status = ist_api_gzip(IST_STRV("something"), &out);
    ist_buf_done(&out);
    return status;
}

static void packing_without_memory_says_so(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(pack_something, NULL) > 2);
}

static void offer_is_read_as_the_rfc_says(void **state)
{
    static const struct {
        const char *value;
        bool accepts;
    } CASES[] = {
        {"gzip", true},
        {"gzip, deflate", true},
        {"gzip, x-gzip, deflate", true},
        {"deflate, GZip;q=0.5", true},
        {"x-gzip", true},
        {"", false},
        {"identity", false},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"deflate", false},
        {"gzip;q=1.0", true},
        {"notgzip", false},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_api_request request = {.headers = {{IST_STRV("accept-encoding"), ist_strv_from(CASES[i].value)}},
                                   .header_count = 1};
        if (ist_api_accepts_gzip(&request) != CASES[i].accepts) {
            fail_msg("\"%s\"", CASES[i].value);
        }
    }
    ist_api_request none = {.header_count = 0};
    assert_false(ist_api_accepts_gzip(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_unpacked_as_it_was),
        cmocka_unit_test(packing_without_memory_says_so),
        cmocka_unit_test(offer_is_read_as_the_rfc_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
