// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <errno.h>

#include "ist_test.h"

static void name_every_status_is_distinct(void **state)
{
    (void)state;
    for (int i = 0; i < _IST_STATUS_MAX; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(ist_status_name((ist_status)i), ist_status_name((ist_status)j));
        }
    }
    assert_string_equal(ist_status_name(IST_ENOTFOUND), "not found");
    assert_string_equal(ist_status_name(_IST_STATUS_MAX), "unknown status");
}

static void set_fills_and_returns_code(void **state)
{
    (void)state;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_err_set(&err, IST_EINVAL, "port %d", 70000), IST_EINVAL);
    assert_int_equal(err.code, IST_EINVAL);
    assert_string_equal(err.text, "port 70000");
    assert_int_equal(ist_err_set(NULL, IST_ELIMIT, "x"), IST_ELIMIT);
}

static void set_long_text_is_cut_at_a_character(void **state)
{
    (void)state;
    // The limit of 479 bytes falls on each byte of a four-byte character in turn.
    for (int shift = 0; shift < 5; shift++) {
        ist_err err = IST_ERR_NULL;
        (void)ist_err_set(&err, IST_EINVAL, "%0*d%s", 475 + shift, 0, "\xF0\x9F\x98\x80\xF0\x9F\x98\x80");
        size_t length = strlen(err.text);
        assert_true(ist_strv_valid_utf8(ist_strv_make(err.text, length)));
        assert_int_equal(length, shift == 0 ? 479 : 475 + shift);
    }
}

static void prefix_on_error_stands_in_front(void **state)
{
    (void)state;
    ist_err err = IST_ERR_NULL;
    ist_err_prefix(&err, "nothing");
    assert_string_equal(err.text, "");
    ist_err_prefix(NULL, "nothing");
    (void)ist_err_set(&err, IST_EPARSE, "bad length");
    ist_err_prefix(&err, "resource %s", "a");
    assert_string_equal(err.text, "resource a: bad length");
    assert_int_equal(err.code, IST_EPARSE);
}

static void prefix_on_full_text_cuts_the_end(void **state)
{
    (void)state;
    ist_err err = IST_ERR_NULL;
    (void)ist_err_set(&err, IST_EPARSE, "%0600d", 0);
    ist_err_prefix(&err, "front");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "front: 000", 10);
}

static void errno_is_mapped_and_explained(void **state)
{
    (void)state;
    static const struct {
        int errnum;
        ist_status want;
    } rows[] = {
        {ENOMEM, IST_ENOMEM},     {EINVAL, IST_EINVAL},    {EMFILE, IST_ELIMIT},           {ENOENT, IST_ENOTFOUND},
        {EEXIST, IST_EEXIST},     {EADDRINUSE, IST_EBUSY}, {EACCES, IST_EACCES},           {ETIMEDOUT, IST_ETIMEOUT},
        {EAGAIN, IST_EAGAIN},     {EPIPE, IST_ECLOSED},    {EAFNOSUPPORT, IST_EUNSUPPORTED}, {EIO, IST_EIO},
        {ENETUNREACH, IST_EIO},   {0, IST_EIO},            {99999, IST_EIO},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        assert_int_equal(ist_err_errno(NULL, rows[i].errnum, "x"), rows[i].want);
    }
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_err_errno(&err, EADDRINUSE, "bind %s", "[::1]:53"), IST_EBUSY);
    assert_string_equal(err.text, "bind [::1]:53: Address already in use");
    (void)ist_err_errno(&err, 99999, "odd");
    assert_string_equal(err.text, "odd: unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_every_status_is_distinct),
        cmocka_unit_test(set_fills_and_returns_code),
        cmocka_unit_test(set_long_text_is_cut_at_a_character),
        cmocka_unit_test(prefix_on_error_stands_in_front),
        cmocka_unit_test(prefix_on_full_text_cuts_the_end),
        cmocka_unit_test(errno_is_mapped_and_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
