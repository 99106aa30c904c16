// SPDX-License-Identifier: Apache-2.0
//
// The commands as a shell sees them: words in; output, errors and exit code out; a scripted agent behind.
#include "ist_test.h"

#include "cli/cli.h"
#include "fake_agent.h"

#define ANSWER(head, body) "HTTP/1.1 " head "\r\nX-Isthmus-Revision: 4\r\nContent-Type: application/json\r\n\r\n" body
#define FINE(body) ANSWER("200 OK", body)
#define PROBLEM(status, detail) ANSWER(status " x", "{\"type\":\"about:blank\",\"detail\":\"" detail "\"}")

typedef struct outcome {
    int code;
    char out[4096];
    char err[2048];
} outcome;

#define WORDS_MAX 16

// Runs "COMMAND WORD WORD ..." with ISTHMUS_ADMIN=127.0.0.1:PORT.
static outcome run(const char *line, uint16_t port)
{
    char copy[512];
    char admin[64];
    const char *words[WORDS_MAX];
    const char *env[] = {"PATH=/bin", admin, "NO_COLOR=1", NULL};
    outcome result = {0};
    int count = 0;
    ist_strv rest = ist_strv_from(line);
    size_t used = 0;
    (void)snprintf(admin, sizeof(admin), "ISTHMUS_ADMIN=127.0.0.1:%u", port);
    for (bool more = true; more && count < WORDS_MAX;) {
        ist_strv word = ist_strv_cut(&rest, ' ', &more);
        assert_true(ist_strv_copy(word, copy + used, sizeof(copy) - used));
        words[count++] = copy + used;
        used += word.n + 1;
    }
    FILE *out = fmemopen(result.out, sizeof(result.out), "w");
    FILE *err = fmemopen(result.err, sizeof(result.err), "w");
    assert_true(out != NULL && err != NULL);
    result.code = ist_cli_run(words[0], count - 1, words + 1, env, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return result;
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", text, part);
    }
}

// One request, one answer.
static outcome run_with(const char *line, const char *answer, const char *want_request)
{
    fake_agent agent = {.answers = {answer}, .count = 1};
    fake_agent_start(&agent);
    outcome result = run(line, agent.port);
    fake_agent_join(&agent);
    assert_contains(agent.requests[0], want_request);
    return result;
}

// --- Forms ----------------------------------------------------------------------------------------------------------

#define SERVICES                                                                                                       \
    "{\"revision\":4,\"services\":[{\"host\":\"a.prod\",\"namespace\":\"prod\",\"kind\":\"vip\",\"names\":[\"a.prod\",\"a\"]," \
    "\"vips\":[\"10.0.0.1\"],\"ports\":[{\"number\":80,\"name\":\"\",\"protocol\":\"http\"},"                              \
    "{\"number\":9090,\"name\":\"\",\"protocol\":\"tcp\"}],\"subsets\":[\"v1\",\"v2\"],\"endpoints\":3},"                  \
    "{\"host\":\"*.wild\",\"namespace\":\"\",\"kind\":\"wildcard\",\"names\":[],\"vips\":[],\"ports\":[],\"subsets\":[],"  \
    "\"endpoints\":0}]}"

static void services_print_as_a_table(void **state)
{
    (void)state;
    outcome result = run_with("services -n prod --query a&b", FINE(SERVICES),
                              "GET /v1/services?namespace=prod&q=a%26b HTTP/1.1\r\n");
    assert_int_equal(result.code, 0);
    assert_string_equal(result.out, "HOST     NAMESPACE   KIND       VIP        PORTS              SUBSETS   ENDPOINTS\n"
                                    "a.prod   prod        vip        10.0.0.1   80/http,9090/tcp   v1,v2     3\n"
                                    "*.wild   -           wildcard   -          -                  -         0\n");
    assert_string_equal(result.err, "");
}

static void services_print_in_every_other_form(void **state)
{
    (void)state;
    outcome result = run_with("services -o wide --no-headers", FINE(SERVICES), "GET /v1/services HTTP/1.1\r\n");
    assert_contains(result.out, "a.prod   prod");
    assert_contains(result.out, "   a.prod,a\n");
    assert_null(strstr(result.out, "HOST"));
    result = run_with("services -ojson", FINE(SERVICES), "GET /v1/services");
    assert_contains(result.out, "{\n  \"revision\": 4,\n  \"services\": [\n    {\n      \"host\": \"a.prod\",\n");
    result = run_with("services --output=yaml", FINE(SERVICES), "GET /v1/services");
    assert_contains(result.out, "revision: 4\nservices:\n- host: a.prod\n  namespace: prod\n");
    result = run_with("services", FINE("{\"services\":[]}"), "GET /v1/services");
    assert_int_equal(result.code, 0);
    assert_contains(result.err, "no service is like that");
}

#define ENDPOINTS                                                                                                      \
    "{\"revision\":4,\"host\":\"a.prod\",\"endpoints\":[{\"address\":\"10.0.0.1\",\"port\":8080,\"share\":0.375,\"slots\":3," \
    "\"cluster\":\"outbound|80|v1|a.prod\",\"subset\":\"v1\",\"weight\":1,\"priority\":0,\"locality\":\"r1/z1\","          \
    "\"health\":\"HEALTHY\",\"mtls\":true,\"workload\":{\"name\":\"a-v1\",\"namespace\":\"prod\",\"cluster\":\"K\"}},"     \
    "{\"address\":\"fd00::1\",\"port\":80,\"share\":1.0,\"slots\":1,\"cluster\":\"c\",\"subset\":null,\"weight\":2,"      \
    "\"priority\":1,\"locality\":\"\",\"health\":\"DEGRADED\",\"mtls\":false,\"workload\":null}]}"

static void endpoints_print_with_shares(void **state)
{
    (void)state;
    outcome result = run_with("endpoints a/b:80 --subset v1 --path /x?y -H User=J=D -H b=2 -X PUT", FINE(ENDPOINTS),
                      "GET /v1/endpoints/a%2Fb%3A80?subset=v1&path=%2Fx%3Fy&method=PUT&header.User=J%3DD&header.b=2 ");
    assert_int_equal(result.code, 0);
    assert_string_equal(result.out,
                        "ENDPOINT        STATUS     SHARE    SLOTS   SUBSET   LOCALITY   CLUSTER\n"
                        "10.0.0.1:8080   HEALTHY    37.5%    3       v1       r1/z1      outbound|80|v1|a.prod\n"
                        "[fd00::1]:80    DEGRADED   100.0%   1       -        -          c\n");
    result = run_with("endpoints a -o wide", FINE(ENDPOINTS), "GET /v1/endpoints/a HTTP");
    assert_contains(result.out, "1        0      yes    a-v1       prod        K\n");
    result = run_with("endpoints a", FINE("{\"host\":\"a.prod\",\"endpoints\":[]}"), "GET ");
    assert_int_equal(result.code, 0);
    assert_contains(result.err, "a.prod has no usable endpoint");
}

static void status_prints_every_value_by_its_path(void **state)
{
    (void)state;
    outcome result = run_with("status",
                              FINE("{\"revision\":4,\"ready\":true,\"ready_reason\":\"fine\",\"up\":1.5,\"none\":null,"
                                   "\"sync\":{\"CDS\":{\"synced\":true}},\"listeners\":[\"a\",\"b\"]}"),
                              "GET /v1/status HTTP");
    assert_int_equal(result.code, 0);
    assert_string_equal(result.out, "FIELD             VALUE\n"
                                    "revision          4\n"
                                    "ready             yes\n"
                                    "ready_reason      fine\n"
                                    "up                1.5\n"
                                    "none              -\n"
                                    "sync.CDS.synced   yes\n"
                                    "listeners.0       a\n"
                                    "listeners.1       b\n");
    result = run_with("status -o json", FINE("{\"ready\":false,\"ready_reason\":\"waiting for \\u001b[1mCDS\"}"), "GET ");
    assert_int_equal(result.code, 4);
    assert_contains(result.out, "\"ready\": false");
    assert_contains(result.err, "isthmus status: the agent is not ready: waiting for ?[1mCDS\n");
}

// --- Watch ----------------------------------------------------------------------------------------------------------

#define STATUS_4 FINE("{\"revision\":4,\"ready\":true}")
#define CHANGE(revision, hosts) FINE("{\"revision\":" revision ",\"stale\":false,\"changed\":[" hosts "]}")

static void watch_goes_on_from_the_present_revision(void **state)
{
    (void)state;
    fake_agent agent = {.answers = {STATUS_4, CHANGE("4", ""), NULL, CHANGE("5", "\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"")},
                        .count = 4};
    fake_agent_start(&agent);
    outcome result = run("watch --once", agent.port);
    fake_agent_join(&agent);
    assert_int_equal(result.code, 0);
    assert_contains(agent.requests[1], "GET /v1/watch?revision=4&timeout=60 ");
    assert_contains(agent.requests[3], "GET /v1/watch?revision=4&timeout=60 ");
    assert_contains(result.out, "REVISION   STALE   CHANGED\n");
    assert_contains(result.out, "Z   5          no      a,b,c,d and 2 more\n");
    assert_contains(result.err, "the answer ends in the middle");
}

static void watch_ends_in_time(void **state)
{
    (void)state;
    fake_agent agent = {.answers = {STATUS_4, CHANGE("9", "\"a\""), CHANGE("9", "")}, .count = 3, .piece_bytes = 1};
    fake_agent_start(&agent);
    outcome result = run("watch --revision 7 --timeout 300ms -o yaml", agent.port);
    fake_agent_join(&agent);
    assert_int_equal(result.code, 0);
    assert_contains(agent.requests[1], "GET /v1/watch?revision=7&timeout=1 ");
    assert_string_equal(result.out, "revision: 9\nstale: false\nchanged:\n- a\n");

    agent = (fake_agent){.answers = {STATUS_4, CHANGE("4", "")}, .count = 2};
    fake_agent_start(&agent);
    result = run("watch --once --timeout 0", agent.port);
    fake_agent_join(&agent);
    assert_int_equal(result.code, 1);
    assert_contains(result.err, "nothing has changed in time");
}

// --- Errors ---------------------------------------------------------------------------------------------------------

static void errors_have_a_code_and_a_next_step(void **state)
{
    static const struct {
        const char *line;
        const char *answer;
        int code;
        const char *err;
    } CASES[] = {
        {"endpoints x", PROBLEM("404", "no service answers to x; GET /v1/services lists all"), 1,
         "isthmus endpoints: no service answers to x; `isthmus services -o wide` lists what there is\n"},
        {"endpoints x", PROBLEM("400", "bad; do this"), 2, "isthmus endpoints: bad; do this\n"},
        {"services", PROBLEM("403", "only localhost"), 2, "isthmus services: only localhost\n"},
        {"services", PROBLEM("503", "no view of the mesh yet; GET /v1/status says"), 4,
         "isthmus services: no view of the mesh yet; `isthmus status` says more\n"},
        {"services", ANSWER("500 x", "oops"), 3, "the agent answers with status 500\n"},
        {"services", FINE("{\"half\":"), 3, "no JSON"},
        {"services", "HTTP/1.1 404 x\r\n\r\n", 3, "is no Isthmus agent (status 404)"},
        {"services", "hello\r\n", 3, "does not speak HTTP/1.1; start one with `isthmus agent`"},
        {"watch", PROBLEM("503", "gone"), 4, "isthmus watch: gone; `isthmus status` says more\n"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        outcome result = run_with(CASES[i].line, CASES[i].answer, "GET ");
        assert_contains(result.err, CASES[i].err);
        assert_int_equal(result.code, CASES[i].code);
        assert_string_equal(result.out, "");
    }
    outcome result = run("services", fake_agent_dead_port());
    assert_int_equal(result.code, 3);
    assert_contains(result.err, "cannot connect: Connection refused; start one with `isthmus agent`, or name its address");
}

static void wrong_usage_is_refused_before_asking(void **state)
{
    static const struct {
        const char *line;
        const char *err;
    } CASES[] = {
        {"servces", "isthmus: no command \"servces\"; did you mean services?; `isthmus --help` lists all\n"},
        {"agnet", "did you mean agent?"},
        {"x", "isthmus: no command \"x\"; `isthmus --help` lists all\n"},
        {"services x", "unexpected argument \"x\"; `isthmus services --help` has examples"},
        {"endpoints", "HOST[:PORT] is missing; `isthmus endpoints --help` has examples"},
        {"services -x", "unknown flag -x"},
        {"services --nmespace y", "did you mean --namespace?"},
        {"services -o xml", "--output: must be table|wide|json|yaml, is \"xml\""},
        {"services --admin 1.2.3.4:99999", "--admin: \"1.2.3.4:99999\": the port must be 0 to 65535"},
        {"services --admin agent.example", "--admin: \"agent.example\" is neither an IP address nor localhost"},
        {"endpoints a -H b", "--header: must be K=V"},
        {"watch --revision x", "--revision: must be a whole number"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        outcome result = run(CASES[i].line, 1);
        assert_contains(result.err, CASES[i].err);
        assert_int_equal(result.code, 2);
        assert_string_equal(result.out, "");
    }
}

static void admin_flag_beats_the_environment(void **state)
{
    static const char *const FORMS[] = {"http://127.0.0.1:", "localhost:"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(FORMS); i++) {
        fake_agent agent = {.answers = {FINE("{\"services\":[]}")}, .count = 1};
        char line[96];
        fake_agent_start(&agent);
        (void)snprintf(line, sizeof(line), "services --admin %s%u/", FORMS[i], agent.port);
        assert_int_equal(run(line, 1).code, 0);
        fake_agent_join(&agent);
    }
}

static void help_has_usage_examples_flags_and_codes(void **state)
{
    static const char *const COMMANDS[] = {"services", "endpoints", "status", "watch"};
    (void)state;
    ist_buf all = IST_BUF_INIT;
    ist_cli_write_commands(&all);
    for (size_t i = 0; i < IST_COUNT(COMMANDS); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "%s --help", COMMANDS[i]);
        outcome result = run(line, 1);
        assert_int_equal(result.code, 0);
        assert_string_equal(result.err, "");
        assert_contains(result.out, "Usage: isthmus ");
        assert_contains(result.out, "\nExamples:\n  isthmus ");
        assert_contains(result.out, "\n  --admin ADDR[:PORT]");
        assert_contains(result.out, "ISTHMUS_ADMIN");
        assert_contains(result.out, "\n  -o, --output table|wide|json|yaml");
        assert_contains(result.out, "\nExit codes: 0 fine, 1 not found");
        assert_true(ist_strv_contains(ist_buf_view(&all), ist_strv_from(COMMANDS[i])));
    }
    ist_buf_done(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_print_as_a_table),
        cmocka_unit_test(services_print_in_every_other_form),
        cmocka_unit_test(endpoints_print_with_shares),
        cmocka_unit_test(status_prints_every_value_by_its_path),
        cmocka_unit_test(watch_goes_on_from_the_present_revision),
        cmocka_unit_test(watch_ends_in_time),
        cmocka_unit_test(errors_have_a_code_and_a_next_step),
        cmocka_unit_test(wrong_usage_is_refused_before_asking),
        cmocka_unit_test(admin_flag_beats_the_environment),
        cmocka_unit_test(help_has_usage_examples_flags_and_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
