// SPDX-License-Identifier: Apache-2.0
//
// Readiness by registrations, over doors that a script plays.
#include "ist_test.h"

#include "api_registry/registration.h"

#define S(text) IST_STRV_INIT(text)
#define WANTED "; --ready-when registered waits until the application is UP"

typedef struct script {
    ist_registry_registration items[2];
    size_t count;
} script;

static bool find(void *ctx, size_t n, ist_registry_registration *ret_registration)
{
    const script *all = ctx;
    if (n < all->count) {
        *ret_registration = all->items[n];
    }
    return n < all->count;
}

static void expect(script *scripts, size_t count, bool up, const char *text)
{
    static const char *const NAMES[] = {"eureka", "nacos"};
    ist_registry_registrar registrars[IST_COUNT(NAMES)];
    ist_buf why = IST_BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        registrars[i] = (ist_registry_registrar){.name = NAMES[i], .find = find, .ctx = &scripts[i]};
    }
    assert_int_equal(ist_registry_is_up(registrars, count, &why), up);
    ist_buf_append_char(&why, '\0');
    assert_string_equal(why.data, text);
    ist_buf_done(&why);
}

static void nobody_says_where_to_register(void **state)
{
    script scripts[2] = {0};
    (void)state;
    expect(scripts, 0, false,
           "no registry door is open, so that the application cannot register" WANTED
           ", the log says why the door is closed");
    expect(scripts, 1, false, "the application has not registered with eureka yet" WANTED);
    expect(scripts, 2, false, "the application has not registered with eureka or nacos yet" WANTED);
}

static void one_that_is_up_is_enough(void **state)
{
    script scripts[2] = {{.items = {{.app = S("A"), .id = S("a"), .status = S("DOWN")}}, .count = 1},
                         {.items = {{.app = S("B"), .id = S("b"), .status = S("UP"), .up = true}}, .count = 1}};
    (void)state;
    expect(scripts, 1, false, "A (a) has registered with eureka as DOWN" WANTED);
    expect(scripts, 2, true, "ready: B (b) has registered with nacos and is UP");
}

static void what_has_ended_is_not_up(void **state)
{
    script scripts[2] = {
        {.items = {{.app = S("A"), .id = S("a"), .status = S("UP"), .up = true, .end = IST_REGISTRY_EXPIRED}},
         .count = 1},
        {.items = {{.app = S("B"), .id = S("b"), .status = S("UP"), .up = true, .end = IST_REGISTRY_CANCELLED}},
         .count = 1}};
    (void)state;
    expect(scripts, 1, false, "the registration of A (a) with eureka has expired, no heartbeat came in time" WANTED);
    expect(scripts + 1, 1, false, "B (b) has cancelled its registration with eureka" WANTED);
    scripts[1].items[0] = (ist_registry_registration){.app = S("B"), .id = S("b"), .status = S("STARTING")};
    expect(scripts, 2, false, "B (b) has registered with nacos as STARTING" WANTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_says_where_to_register),
        cmocka_unit_test(one_that_is_up_is_enough),
        cmocka_unit_test(what_has_ended_is_not_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
