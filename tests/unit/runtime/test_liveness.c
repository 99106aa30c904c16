// SPDX-License-Identifier: Apache-2.0
//
// A worker that does not run looks like one that hangs; once it runs it is live again.
#include "ist_test.h"

#include "liveness_priv.h"

static void check(liveness *self, int64_t now_ms, const char *text)
{
    ist_buf why = IST_BUF_INIT;
    assert_true(liveness_check(self, now_ms, &why) == (text[0] == '\0'));
    ist_test_strv_equal(ist_buf_view(&why), text);
    ist_buf_done(&why);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void thread_that_does_not_move_is_named_until_it_does(void **state)
{
    (void)state;
    static liveness lively;
    worker first;
    worker second;
    worker *const workers[] = {&first, &second};
    assert_int_equal(worker_init(&first, "first", NULL), IST_OK);
    assert_int_equal(worker_init(&second, "second", NULL), IST_OK);
    liveness_init(&lively, workers, 2);
    assert_int_equal(worker_start(&first, NULL), IST_OK);
    check(&lively, 1000, "");           // asks
    worker_call(&first, nothing, NULL); // what was posted before has run
    check(&lively, 2000, "");           // asks the first again
    worker_call(&first, nothing, NULL);
    check(&lively, 1000 + LIVENESS_LIMIT_MS - 1, "");
    worker_call(&first, nothing, NULL);
    check(&lively, 1000 + LIVENESS_LIMIT_MS, "thread second has not moved for 20 s");
    assert_int_equal(worker_start(&second, NULL), IST_OK);
    worker_call(&second, nothing, NULL);
    check(&lively, 2000 + LIVENESS_LIMIT_MS, "");
    worker_done(&first);
    worker_done(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(thread_that_does_not_move_is_named_until_it_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
