// SPDX-License-Identifier: Apache-2.0
#include "secret_priv.h"

#include "ist_test.h"

#include <stdlib.h>
#include <unistd.h>

static char path[64];

static int make_file(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/isthmus-secret-XXXXXX");
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void bearer_token_is_trimmed(void **state)
{
    (void)state;
    char *text = NULL;
    put(" abc.def-_\r\n", 12);
    assert_int_equal(ist_xds_grpc_read_bearer(path, &text, NULL), IST_OK);
    assert_string_equal(text, "Bearer abc.def-_");
    ist_xds_grpc_secret_free(text);
    ist_xds_grpc_secret_free(NULL);
}

static void bearer_bad_files_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *want;
    } cases[] = {
        {"", 0, "is empty; mount"}, {" \n", 2, "is empty; mount"}, {"a b", 3, "is no token"},
        {"a\nb", 3, "is no token"}, {"a\0b", 3, "is no token"},    {"\xc3\xa9", 2, "is no token"},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        char *text = NULL;
        ist_err err = IST_ERR_NULL;
        put(cases[i].bytes, cases[i].length);
        assert_int_equal(ist_xds_grpc_read_bearer(path, &text, &err), IST_EINVAL);
        assert_null(text);
        assert_non_null(strstr(err.text, path));
        assert_non_null(strstr(err.text, cases[i].want));
    }
}

static void bearer_longest_token_passes_and_one_more_does_not(void **state)
{
    (void)state;
    static char token[IST_XDS_GRPC_MAX_TOKEN_BYTES + 1];
    char *text = NULL;
    ist_err err = IST_ERR_NULL;
    memset(token, 'a', sizeof(token));
    put(token, sizeof(token));
    assert_int_equal(ist_xds_grpc_read_bearer(path, &text, &err), IST_ELIMIT);
    assert_non_null(strstr(err.text, path));
    put(token, sizeof(token) - 1);
    assert_int_equal(ist_xds_grpc_read_bearer(path, &text, NULL), IST_OK);
    assert_int_equal(strlen(text), IST_XDS_GRPC_MAX_TOKEN_BYTES + strlen("Bearer "));
    ist_xds_grpc_secret_free(text);
}

static void missing_files_are_named_with_advice(void **state)
{
    (void)state;
    char *text = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_xds_grpc_read_bearer("/nowhere/token", &text, &err), IST_ENOTFOUND);
    assert_non_null(strstr(err.text, "/nowhere/token"));
    assert_non_null(strstr(err.text, "--xds-token"));
    assert_int_equal(ist_xds_grpc_read_root("/nowhere/root", &text, &err), IST_ENOTFOUND);
    assert_non_null(strstr(err.text, "--xds-root-ca"));
    assert_int_not_equal(ist_xds_grpc_read_root("/tmp", &text, &err), IST_OK); // a directory
    assert_null(text);
}

static void root_needs_a_certificate(void **state)
{
    (void)state;
    char *text = NULL;
    ist_err err = IST_ERR_NULL;
    put("hello", 5);
    assert_int_equal(ist_xds_grpc_read_root(path, &text, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "no PEM certificate"));
    put("-----BEGIN CERTIFICATE-----\n", 28);
    assert_int_equal(ist_xds_grpc_read_root(path, &text, NULL), IST_OK);
    ist_xds_grpc_secret_free(text);
}

static ist_status read_both(void *ctx)
{
    (void)ctx;
    char *text = NULL;
    put("-----BEGIN CERTIFICATE-----\n", 28);
    ist_status status = ist_xds_grpc_read_root(path, &text, NULL);
    ist_xds_grpc_secret_free(text);
    if (status != IST_OK) {
        return status;
    }
    text = NULL;
    put("abc", 3);
    status = ist_xds_grpc_read_bearer(path, &text, NULL);
    ist_xds_grpc_secret_free(text);
    return status;
}

static void reading_without_memory_reports_it(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(read_both, NULL) >= 3);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(bearer_token_is_trimmed),
        FILE_TEST(bearer_bad_files_are_refused_by_name),
        FILE_TEST(bearer_longest_token_passes_and_one_more_does_not),
        cmocka_unit_test(missing_files_are_named_with_advice),
        FILE_TEST(root_needs_a_certificate),
        FILE_TEST(reading_without_memory_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
