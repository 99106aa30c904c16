// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "config/options.h"

#include "base/alloc.h"

#include <string.h>

enum { NAME, LOUD, MODE, WAIT, SIZE, LISTEN, SERVERS, LABELS, HEADER, ROUTE, PLACES, BASES, PAGE };

static const ist_option ROWS[] = {
    [NAME] = {"name", "OLD_NAME", IST_OPTION_TEXT, NULL, NULL, "NAME", "One", "a name"},
    [LOUD] = {"loud", NULL, IST_OPTION_FLAG, "off", NULL, "on | off", "One", "be loud"},
    [MODE] = {"mode", NULL, IST_OPTION_CHOICE, "slow", "slow|fast", "slow | fast", "Two", "how"},
    [WAIT] = {"wait-time", NULL, IST_OPTION_DURATION, "5s", NULL, "TIME", "Two", "how long"},
    [SIZE] = {"size", NULL, IST_OPTION_SIZE, "auto", "auto", "SIZE", "Two", "how much"},
    [LISTEN] = {"listen", NULL, IST_OPTION_LISTEN, "127.0.0.1:53", "off", "ADDR:PORT", "Two", "where"},
    [SERVERS] = {"servers", NULL, IST_OPTION_SERVERS, NULL, NULL, "HOST:PORT", "Two", "who"},
    [LABELS] = {"labels", NULL, IST_OPTION_LABELS, NULL, NULL, "K=V", "Two", "labels"},
    [HEADER] = {"header", NULL, IST_OPTION_PAIRS, NULL, NULL, "K=V", "Two", "a header"},
    [ROUTE] = {"route", NULL, IST_OPTION_ROUTES, NULL, NULL, "DOMAIN=ADDR", "Two", "a route"},
    [PLACES] = {"places", NULL, IST_OPTION_NAMES, "a,b-1", NULL, "NAME[,...]", "Two", "namespaces"},
    [BASES] = {"bases", NULL, IST_OPTION_PATHS, NULL, NULL, "PATH[,...]", "Two", "paths"},
    [PAGE] = {"page", NULL, IST_OPTION_URL_PATH, "/", NULL, "PATH", "Two", "a page"},
};
static const ist_option_short SHORTS[] = {{'n', NAME}, {'l', LOUD}, {'H', HEADER}};
static const ist_option_table TABLE = {.rows = ROWS,
                                       .count = IST_COUNT(ROWS),
                                       .shorts = SHORTS,
                                       .short_count = IST_COUNT(SHORTS),
                                       .other_env = "ISTHMUS_ADMIN|ISTHMUS_MORE"};

static ist_options *make(void)
{
    ist_options *options = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_new(&TABLE, &options, &err), IST_OK);
    return options;
}

static void options_defaults_are_parsed(void **state)
{
    (void)state;
    ist_options *options = make();
    assert_false(ist_options_is_set(options, NAME));
    assert_false(ist_options_flag(options, LOUD));
    assert_int_equal(ist_options_number(options, WAIT), 5000);
    assert_int_equal(ist_options_choice(options, MODE), 0);
    assert_string_equal(ist_options_string(options, SIZE), "auto");
    ist_options_free(options);
}

static void args_forms_are_all_read(void **state)
{
    (void)state;
    const char *argv[] = {"one", "--name=x", "--mode", "fast", "--loud", "two", "--wait-time", "250ms", "--", "--name"};
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_read_args(options, IST_COUNT(argv), argv, &err), IST_OK);
    assert_string_equal(ist_options_string(options, NAME), "x");
    assert_int_equal(ist_options_choice(options, MODE), 1);
    assert_true(ist_options_flag(options, LOUD));
    assert_int_equal(ist_options_number(options, WAIT), 250);
    assert_int_equal(ist_options_argument_count(options), 3);
    assert_string_equal(ist_options_argument(options, 1), "two");
    assert_string_equal(ist_options_argument(options, 2), "--name");
    ist_options_free(options);
}

static void args_flag_values_follow_or_stand_alone(void **state)
{
    (void)state;
    const char *argv[] = {"--loud", "off", "--loud", "on", "--no-loud"};
    for (int n = 1; n <= 5; n++) {
        ist_options *options = make();
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_options_read_args(options, n, argv, &err), IST_OK);
        assert_int_equal(ist_options_flag(options, LOUD), n == 1 || n == 3 || n == 4);
        ist_options_free(options);
    }
}

static void args_short_forms_are_read(void **state)
{
    (void)state;
    const char *argv[] = {"-nx", "-", "-l", "-H", "a=1,2", "-Hb==", "--header=c=", "-n", "-y"};
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_read_args(options, IST_COUNT(argv), argv, &err), IST_OK);
    assert_string_equal(ist_options_string(options, NAME), "-y");
    assert_true(ist_options_flag(options, LOUD));
    assert_int_equal(ist_options_argument_count(options), 1);
    assert_string_equal(ist_options_argument(options, 0), "-");
    static const char *const PAIRS[] = {"a=1,2", "b==", "c="};
    ist_strv part;
    for (size_t i = 0; i < IST_COUNT(PAIRS); i++) {
        assert_true(ist_options_part(options, HEADER, i, &part));
        ist_test_strv_equal(part, PAIRS[i]);
    }
    assert_false(ist_options_part(options, HEADER, IST_COUNT(PAIRS), &part));
    ist_options_free(options);
}

static void bad_input_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *argv[2];
        int argc;
        const char *text;
    } CASES[] = {
        {{"--nmae", "x"}, 2, "unknown flag --nmae; did you mean --name?"},
        {{"--name"}, 1, "--name needs a value"},
        {{"--mode", "quick"}, 2, "--mode: must be slow | fast, is \"quick\""},
        {{"--wait-time", "5 s"}, 2, "250ms, 5s or 2m"},
        {{"--wait-time", "99999999999s"}, 2, "--wait-time"},
        {{"--listen", "127.0.0.1"}, 2, "has no port"},
        {{"--listen", "127.0.0.1:70000"}, 2, "0 to 65535"},
        {{"--listen", "localhost:53"}, 2, "no IP address"},
        {{"--listen", "::1:53"}, 2, "[ADDRESS]:PORT"},
        {{"--listen", ""}, 2, "--listen"},
        {{"--servers", "a:1,,b:2"}, 2, "no host"},
        {{"--labels", "a"}, 2, "K=V"},
        {{"--no-name"}, 1, "unknown flag --no-name"},
        {{"--no-loud=on"}, 1, "unknown flag --no-loud"},
        {{"-x"}, 1, "unknown flag -x; --help lists all flags"},
        {{"-n"}, 1, "--name needs a value (NAME)"},
        {{"--header", "a"}, 2, "--header: must be K=V"},
        {{"--header", "=a"}, 2, "--header: must be K=V"},
        {{"--header", "a=b\nc=d"}, 2, "on one line"},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options = make();
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_options_read_args(options, CASES[i].argc, CASES[i].argv, &err), IST_EINVAL);
        if (strstr(err.text, CASES[i].text) == NULL) {
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, CASES[i].text);
        }
        ist_options_free(options);
    }
}

static void precedence_flag_beats_env_beats_file(void **state)
{
    (void)state;
    const char *argv[] = {"--mode", "fast"};
    const char *env[] = {"ISTHMUS_MODE=slow", "ISTHMUS_NAME=env", "OLD_NAME=old", "PATH=/bin", NULL};
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_read_args(options, 2, argv, &err), IST_OK);
    assert_int_equal(ist_options_read_env(options, env, &err), IST_OK);
    assert_int_equal(
        ist_options_read_yaml(options, "f", IST_STRV("name: file\nmode: slow\nwait-time: 1m\n"), &err), IST_OK);
    assert_int_equal(ist_options_choice(options, MODE), 1);
    assert_string_equal(ist_options_string(options, NAME), "env");
    assert_int_equal(ist_options_number(options, WAIT), 60000);
    assert_int_equal(ist_options_origin(options, WAIT), IST_ORIGIN_FILE);
    ist_options_free(options);
}

static void env_other_name_is_read_when_ours_is_absent(void **state)
{
    (void)state;
    const char *env[] = {"OLD_NAME=old", NULL};
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_read_env(options, env, &err), IST_OK);
    assert_string_equal(ist_options_string(options, NAME), "old");
    ist_options_free(options);
}

static void env_variables_of_others_are_left_alone(void **state)
{
    (void)state;
    const char *env[] = {"ISTHMUS_ADMIN=1",
                         "ISTHMUS_MORE=1",
                         "ISTHMUS_SERVICE_HOST=10.0.0.1",
                         "ISTHMUS_SERVICE_PORT=80",
                         "ISTHMUS_DNS_SERVICE_PORT_HTTP=80",
                         "ISTHMUS_PORT=tcp://10.0.0.1:80",
                         "ISTHMUS_PORT_80_TCP_ADDR=10.0.0.1",
                         NULL};
    const char *unknown[] = {"ISTHMUS_PORT_NAME=80", NULL};
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_read_env(options, env, &err), IST_OK);
    assert_int_equal(ist_options_read_env(options, unknown, &err), IST_EINVAL);
    ist_options_free(options);
}

static void env_unknown_variable_is_an_error_with_a_hint(void **state)
{
    (void)state;
    const char *env[] = {"ISTHMUS_LISTENN=1", NULL};
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_options_read_env(options, env, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "ISTHMUS_LISTENN; did you mean --listen?"));
    ist_options_free(options);
}

static void yaml_lists_join_and_errors_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *text; // NULL = fine
    } CASES[] = {
        {"listen:\n  - 127.0.0.1:1\n  - '[::1]:2'\n", NULL},
        {"", NULL},
        {"# nothing\n", NULL},
        {"name: x\nlistn: y\n", "f:2: unknown key \"listn\"; did you mean listen?"},
        {"name: [a, [b]]\n", "f:1: a list here"},
        {"name: {a: b}\n", "f:1: the value must be"},
        {"- a\n", "must be a mapping"},
        {"name: \"\nmode: x", "f:"},
        {"mode: quick\n", "f:1: --mode"},
        {"name: a\0b\n", "f:1"},
        {"? [a]\n: b\n", "key must be"},
        {"name: \xff\xff\n", "f:1"},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options = make();
        ist_err err = IST_ERR_NULL;
        size_t length = i == 9 ? 10 : strlen(CASES[i].yaml);
        ist_status status = ist_options_read_yaml(options, "f", ist_strv_make(CASES[i].yaml, length), &err);
        if (CASES[i].text == NULL) {
            assert_int_equal(status, IST_OK);
        } else {
            assert_int_not_equal(status, IST_OK);
            if (strstr(err.text, CASES[i].text) == NULL) {
                fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, CASES[i].text);
            }
        }
        ist_options_free(options);
    }
}

static void file_missing_or_unreadable_is_named(void **state)
{
    (void)state;
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    assert_int_not_equal(ist_options_read_file(options, "/nonexistent/x.yaml", &err), IST_OK);
    assert_non_null(strstr(err.text, "/nonexistent/x.yaml"));
    assert_int_not_equal(ist_options_read_file(options, "/", &err), IST_OK); // a directory
    ist_options_free(options);
}

static void parts_are_cut_and_trimmed(void **state)
{
    (void)state;
    ist_options *options = make();
    ist_strv part;
    assert_int_equal(ist_options_set(options, SERVERS, IST_STRV("a:1, b:2"), IST_ORIGIN_FLAG, NULL), IST_OK);
    assert_true(ist_options_part(options, SERVERS, 1, &part));
    assert_true(ist_strv_equal(part, IST_STRV("b:2")));
    assert_false(ist_options_part(options, SERVERS, 2, &part));
    assert_false(ist_options_part(options, NAME, 0, &part));
    ist_options_free(options);
}

static void hostport_forms_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t fallback;
        const char *host; // NULL = refused
        uint16_t port;
    } CASES[] = {
        {"a:1", 0, "a", 1},      {"[::1]:2", 0, "::1", 2}, {"::1", 53, "::1", 53}, {"10.0.0.1", 53, "10.0.0.1", 53},
        {"[::1]", 53, "::1", 53}, {"[::1]x", 53, NULL, 0}, {":1", 0, NULL, 0},      {"a:", 0, NULL, 0},
        {"a:b", 0, NULL, 0},     {"", 53, NULL, 0},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_strv host;
        uint16_t port;
        ist_status status = ist_hostport_parse(ist_strv_from(CASES[i].text), CASES[i].fallback, &host, &port, NULL);
        assert_int_equal(status, CASES[i].host != NULL ? IST_OK : IST_EINVAL);
        if (status == IST_OK) {
            assert_true(ist_strv_equal(host, ist_strv_from(CASES[i].host)));
            assert_int_equal(port, CASES[i].port);
        }
    }
}

static void help_lists_every_option_under_its_group(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_options_write_help(&TABLE, &out);
    ist_options_write_markdown(&TABLE, &out);
    char *text = ist_buf_steal(&out, NULL);
    assert_non_null(text);
    for (size_t i = 0; i < IST_COUNT(ROWS); i++) {
        assert_non_null(strstr(text, ROWS[i].name));
        assert_non_null(strstr(text, ROWS[i].help));
    }
    assert_non_null(strstr(text, "ISTHMUS_WAIT_TIME"));
    ist_free(text);
}

static ist_status load_under_failure(void)
{
    const char *argv[] = {"--name", "x"};
    ist_options *options = NULL;
    ist_status status = ist_options_new(&TABLE, &options, NULL);
    if (status == IST_OK) {
        status = ist_options_read_args(options, 2, argv, NULL);
    }
    ist_options_free(options);
    return status;
}

static void options_every_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        ist_alloc_fail_at(nth);
        ist_status status = load_under_failure();
        ist_alloc_fail_at(0);
        if (status == IST_OK) {
            assert_true(nth > 5);
            return;
        }
        assert_int_equal(status, IST_ENOMEM);
    }
}

static void routes_add_up_and_are_parts(void **state)
{
    static const char *const WANT[] = {"a=1.1.1.1", "b.c.=[::1]:5,2.2.2.2", ".=3.3.3.3:53"};
    const char *argv[] = {"--route", "a=1.1.1.1; b.c.=[::1]:5,2.2.2.2", "--route=.=3.3.3.3:53"};
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    ist_strv part;
    (void)state;
    assert_int_equal(ist_options_read_args(options, IST_COUNT(argv), argv, &err), IST_OK);
    for (size_t i = 0; i < IST_COUNT(WANT); i++) {
        assert_true(ist_options_part(options, ROUTE, i, &part));
        assert_true(ist_strv_equal(part, ist_strv_from(WANT[i])));
    }
    assert_false(ist_options_part(options, ROUTE, IST_COUNT(WANT), &part));
    ist_options_free(options);
}

static void routes_of_the_file_are_a_mapping_a_list_or_a_text(void **state)
{
    static const char *const CASES[] = {
        "route:\n  a: 1.1.1.1\n  b.c: [2.2.2.2, \"[::1]:5\"]\n",
        "route: [a=1.1.1.1, 'b.c=2.2.2.2,[::1]:5']\n",
        "route: a=1.1.1.1;b.c=2.2.2.2,[::1]:5\n",
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options = make();
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_options_read_yaml(options, "f", ist_strv_from(CASES[i]), &err), IST_OK);
        assert_string_equal(ist_options_string(options, ROUTE), "a=1.1.1.1;b.c=2.2.2.2,[::1]:5");
        ist_options_free(options);
    }
}

static void routes_that_are_wrong_are_named(void **state)
{
    static const struct {
        const char *value;
        const char *text;
    } CASES[] = {
        {"", "must be DOMAIN=ADDR"},
        {"a=1.1.1.1;", "must be DOMAIN=ADDR"},
        {"a", "must be DOMAIN=ADDR"},
        {"=1.1.1.1", "\"\" is no domain"},
        {"*.a=1.1.1.1", "\"*.a\" is no domain"},
        {".a=1.1.1.1", "\".a\" is no domain"},
        {"a..b=1.1.1.1", "\"a..b\" is no domain"},
        {"a..=1.1.1.1", "\"a..\" is no domain"},
        {"a b=1.1.1.1", "\"a b\" is no domain"},
        {"x123456789012345678901234567890123456789012345678901234567890123=1.1.1.1", "is no domain"},
        {"fine=1.1.1.1;a.b=", "route a.b: --route"},
        {"a.b=1.1.1.1,ns.example", "route a.b: --route: \"ns.example\" is no IP address"},
        {"a.b=1.1.1.1:99999", "route a.b: --route: \"1.1.1.1:99999\": the port"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options = make();
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_options_set(options, ROUTE, ist_strv_from(CASES[i].value), IST_ORIGIN_FLAG, &err), IST_EINVAL);
        assert_non_null(strstr(err.text, CASES[i].text));
        ist_options_free(options);
    }
}

static void names_and_paths_have_their_forms(void **state)
{
    static const struct {
        size_t row;
        const char *value;
        bool fine;
    } CASES[] = {
        {PLACES, "", true},           {PLACES, "a", true},           {PLACES, "istio-system, b2", true},
        {PLACES, "a,", false},        {PLACES, "A", false},          {PLACES, "a.b", false},
        {PLACES, "-a", false},        {PLACES, "a_b", false},        {PLACES, "off, a b", false},
        {BASES, "", true},            {BASES, "/discovery/v2", true}, {BASES, "/a_b.c~1/,/", true},
        {BASES, "discovery", false},  {BASES, "/a,b", false},        {BASES, "/{id}", false},
        {BASES, "/a?b", false},       {BASES, "/a%20b", false},      {BASES, "/a b", false},
        {PAGE, "/", true},            {PAGE, "/i?x=1;y", true},      {PAGE, "/%7Eme", true},
        {PAGE, "", false},            {PAGE, "info", false},         {PAGE, "/a b", false},
        {PAGE, "/a#b", false},        {PAGE, "/a\"b", false},        {PAGE, "/a<b", false},
        {PAGE, "/a&b", false},        {PAGE, "/a,/b", false},        {PAGE, "/a\nb", false},
    };
    (void)state;
    ist_options *options = make();
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_err err = IST_ERR_NULL;
        ist_status status =
            ist_options_set(options, CASES[i].row, ist_strv_from(CASES[i].value), IST_ORIGIN_FLAG, &err);
        if (status != (CASES[i].fine ? IST_OK : IST_EINVAL)) {
            fail_msg("--%s \"%s\": %s", ROWS[CASES[i].row].name, CASES[i].value, err.text);
        }
        assert_true(CASES[i].fine || strstr(err.text, "must be ") != NULL);
    }
    ist_options_free(options);
}

static void a_list_of_names_is_bounded(void **state)
{
    enum { MOST = 64 };
    (void)state;
    ist_options *options = make();
    ist_err err = IST_ERR_NULL;
    ist_buf list = IST_BUF_INIT;
    for (int i = 0; i < MOST; i++) {
        ist_buf_append_str(&list, i == 0 ? "n" : ",n");
    }
    assert_int_equal(ist_options_set(options, PLACES, ist_buf_view(&list), IST_ORIGIN_FLAG, &err), IST_OK);
    ist_buf_append_str(&list, ",n");
    assert_int_equal(ist_options_set(options, PLACES, ist_buf_view(&list), IST_ORIGIN_FLAG, &err), IST_EINVAL);
    assert_string_equal(err.text, "--places: more than 64");
    ist_buf_done(&list);
    ist_options_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_paths_have_their_forms),
        cmocka_unit_test(a_list_of_names_is_bounded),
        cmocka_unit_test(options_defaults_are_parsed),
        cmocka_unit_test(args_forms_are_all_read),
        cmocka_unit_test(args_short_forms_are_read),
        cmocka_unit_test(env_variables_of_others_are_left_alone),
        cmocka_unit_test(args_flag_values_follow_or_stand_alone),
        cmocka_unit_test(bad_input_is_named),
        cmocka_unit_test(precedence_flag_beats_env_beats_file),
        cmocka_unit_test(env_other_name_is_read_when_ours_is_absent),
        cmocka_unit_test(env_unknown_variable_is_an_error_with_a_hint),
        cmocka_unit_test(routes_add_up_and_are_parts),
        cmocka_unit_test(routes_of_the_file_are_a_mapping_a_list_or_a_text),
        cmocka_unit_test(routes_that_are_wrong_are_named),
        cmocka_unit_test(yaml_lists_join_and_errors_name_the_line),
        cmocka_unit_test(file_missing_or_unreadable_is_named),
        cmocka_unit_test(parts_are_cut_and_trimmed),
        cmocka_unit_test(hostport_forms_are_told_apart),
        cmocka_unit_test(help_lists_every_option_under_its_group),
        cmocka_unit_test(options_every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
