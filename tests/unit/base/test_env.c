// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"

#include "ist_test.h"

static void find_compares_whole_names(void **state)
{
    (void)state;
    static const char *const ENV[] = {"AB=long", "odd", "A=x=y", "EMPTY=", NULL};
    assert_string_equal(ist_env_find(ENV, "A"), "x=y");
    assert_string_equal(ist_env_find(ENV, "AB"), "long");
    assert_string_equal(ist_env_find(ENV, "EMPTY"), "");
    assert_null(ist_env_find(ENV, "odd"));
    assert_null(ist_env_find(ENV, "B"));
    assert_null(ist_env_find(ENV + 4, "A"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(find_compares_whole_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
