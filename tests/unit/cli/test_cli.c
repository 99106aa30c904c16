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
    char out[32768];
    char err[2048];
} outcome;

#define WORDS_MAX 24

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

// --- Resolve --------------------------------------------------------------------------------------------------------

#define QUESTION_FLAGS "--subset v1 --context c --path /p --method PUT --authority h --scheme https --source 10.0.0.9 -H a=b"
#define QUESTION_QUERY "subset=v1&context=c&path=%2Fp&method=PUT&authority=h&scheme=https&source=10.0.0.9&header.a=b "

#define PICK                                                                                                           \
    "{\"revision\":4,\"host\":\"a.prod\",\"basis\":\"route\",\"subset\":null,\"hash\":\"hashed\",\"response\":null,"     \
    "\"route\":{\"virtual_host\":\"a.prod:80\",\"index\":2,\"name\":\"canary\",\"config\":"                              \
    "\"/apis/networking.istio.io/v1/namespaces/prod/virtual-service/a\"},\"pick\":{\"address\":\"fd00::1\",\"port\":80,"  \
    "\"share\":0.25,\"slots\":1,\"cluster\":\"c\",\"subset\":\"v2\",\"weight\":3,\"priority\":0,\"locality\":\"r/z\","    \
    "\"health\":\"HEALTHY\",\"mtls\":false,\"workload\":null}}"

static void resolve_prints_one_endpoint(void **state)
{
    (void)state;
    outcome result = run_with("resolve a:80 " QUESTION_FLAGS, FINE(PICK),
                              "GET /v1/resolve?brief=true&host=a%3A80&" QUESTION_QUERY);
    assert_int_equal(result.code, 0);
    assert_string_equal(result.out,
                        "ENDPOINT       STATUS    SHARE   SUBSET   LOCALITY   HASH     DECIDED BY\n"
                        "[fd00::1]:80   HEALTHY   25.0%   v2       r/z        hashed   "
                        "route 2 (canary) of VirtualService prod/a\n");
    result = run_with("resolve a -o address", FINE(PICK), "GET /v1/resolve?brief=true&host=a HTTP");
    assert_string_equal(result.out, "[fd00::1]:80\n");
    result = run_with("resolve a -o wide --no-headers", FINE(PICK), "GET /v1/resolve?brief=true&host=a HTTP");
    assert_contains(result.out, "prod/a   1   c   3   0   no   -   -   -\n");
    result = run_with("resolve a -o json", FINE(PICK), "GET /v1/resolve?host=a HTTP");
    assert_contains(result.out, "\"hash\": \"hashed\"");
}

static void resolve_without_an_endpoint_says_why_and_fails(void **state)
{
    static const struct {
        const char *answer;
        const char *err;
    } CASES[] = {
        {FINE("{\"host\":\"a.prod\",\"basis\":\"service\",\"pick\":null}"), "a.prod has no usable endpoint"},
        {FINE("{\"host\":\"a.prod\",\"basis\":\"response\",\"pick\":null,\"route\":{\"index\":0,\"name\":\"\",\"config\":null},"
              "\"response\":{\"status\":301,\"redirect\":true,\"host\":\"b\",\"path\":\"/new\"}}"),
         "route 0 answers by itself: status 301, redirect to host b, path /new"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        outcome result = run_with("resolve a -o address", CASES[i].answer, "GET ");
        assert_int_equal(result.code, 1);
        assert_string_equal(result.out, "");
        assert_contains(result.err, CASES[i].err);
    }
}

// --- Explain --------------------------------------------------------------------------------------------------------

#define ENDPOINT_OF(address, more)                                                                                     \
    "{\"address\":\"" address "\",\"port\":80,\"weight\":1,\"priority\":0,\"locality\":\"r\",\"health\":\"HEALTHY\","    \
    "\"mtls\":true,\"workload\":null," more "}"
#define LISTED(address, share, slots)                                                                                  \
    ENDPOINT_OF(address, "\"cluster\":\"c1\",\"share\":" share ",\"slots\":" slots)
#define DROPPED(address, fate) ENDPOINT_OF(address, "\"fate\":\"" fate "\"")
#define TIER                                                                                                           \
    "{\"priority\":0,\"hosts\":3,\"healthy\":2,\"degraded\":1,\"gateways\":1,\"load_percent\":80,"                        \
    "\"degraded_load_percent\":20,\"panic\":true}"
#define TIMEOUT_FINDING                                                                                                \
    "{\"finding\":\"timeout\",\"port\":80,\"route\":{\"index\":1,\"name\":\"b\"},\"cluster\":null,\"detail\":\"9 ms\","    \
    "\"text\":\"a time-out\",\"doors\":[\"dns\",\"rest\"]}"
#define EXPLANATION_OF(basis, considered, listed, dropped)                                                             \
    "{\"host\":\"a.prod\",\"port\":80,\"subset\":null,\"context\":\"default\",\"basis\":\"" basis "\",\"route\":null,"     \
    "\"endpoints\":[" listed "],\"total_slots\":7,\"share_error\":0.0123,\"lost_share\":0.25,\"unlisted\":3,"            \
    "\"request\":{\"method\":\"GET\",\"path\":\"/x\",\"scheme\":\"http\",\"authority\":\"a\",\"source\":null,"          \
    "\"headers\":[{\"name\":\"who\",\"value\":\"me\"}]},\"policies\":{\"unmatched\":\"strict\","                         \
    "\"empty_subset\":\"service\"},\"virtual_host\":\"a.prod:80\",\"l4_route\":null,\"considered\":[" considered "],"   \
    "\"destinations\":[{\"cluster\":\"c1\",\"state\":\"used\",\"weight\":3,\"asked\":0.75,\"share\":0.75,"              \
    "\"lb_policy\":\"MAGLEV\",\"locality_weighted\":true,\"config\":\"mine\",\"tiers\":[" TIER "],"                      \
    "\"dropped\":[" dropped "]},"                                                                                      \
    "{\"cluster\":\"c2\",\"state\":\"absent\",\"weight\":1,\"asked\":0.25,\"share\":0}],"                                \
    "\"doors\":[{\"door\":\"dns\",\"carries\":false,\"name\":null,\"reason\":\"the VIP\"},"                              \
    "{\"door\":\"rest\",\"carries\":true,\"name\":\"a.prod\",\"reason\":null}],\"findings\":[" TIMEOUT_FINDING "]}"
#define LOST "{\"index\":0,\"name\":\"\",\"matched\":false,\"reason\":\"it wants: path is \\\"/\\\"; it is \\u001b[2J\"}"

static void explain_prints_every_section(void **state)
{
    (void)state;
    outcome result = run_with("explain a:80 " QUESTION_FLAGS,
                              FINE(EXPLANATION_OF("unmatched", LOST, LISTED("10.0.0.1", "0.75", "7"),
                                                  DROPPED("10.0.0.2", "unhealthy") ","
                                                  DROPPED("10.0.0.3", "gateway"))),
                              "GET /v1/explain?host=a%3A80&" QUESTION_QUERY);
    assert_int_equal(result.code, 0);
    assert_string_equal(result.err, "");
    assert_string_equal(
        result.out,
        "Question\n"
        "  service    a.prod, port 80\n"
        "  request    GET /x, authority a, scheme http\n"
        "  header     who: me\n"
        "  source     -\n"
        "  context    default\n"
        "  policies   unmatched=strict, empty-subset=service\n"
        "\n"
        "Routes of virtual host a.prod:80\n"
        "  ROUTE   NAME   MATCHED   WHY\n"
        "  0       -      no        it wants: path is \"/\"; it is ?[2J\n"
        "  => no route that a look-up can follow matched (Envoy would answer 404): by unmatched=strict no endpoints\n"
        "\n"
        "Destinations\n"
        "  CLUSTER   WEIGHT   ASKED   SHARE   STATE\n"
        "  c1        3        75.0%   75.0%   used\n"
        "  c2        1        25.0%   0.0%    does not exist in the mesh\n"
        "\n"
        "c1: MAGLEV, weighted by locality, set by mine\n"
        "  TIER   HOSTS   HEALTHY   DEGRADED   GATEWAYS   LOAD     TO DEGRADED   PANIC\n"
        "  0      3       2         1          1          100.0%   20.0%         yes\n"
        "\n"
        "  ENDPOINT      TIER   STATUS    LOCALITY   WEIGHT   SHARE   SLOTS   WHY\n"
        "  10.0.0.1:80   0      HEALTHY   r          1        75.0%   7       listed\n"
        "  10.0.0.2:80   0      HEALTHY   r          1        0.0%    0       dropped: unhealthy\n"
        "  10.0.0.3:80   0      HEALTHY   r          1        0.0%    0       dropped: gateway of another network, wants mTLS\n"
        "\n"
        "Slots\n"
        "  total 7, endpoints listed 1, remaining error 1.23 points\n"
        "  3 usable endpoints have none; others of their destination carry their share\n"
        "  25.0% of the traffic is lost: its destinations have no usable endpoint\n"
        "\n"
        "Doors\n"
        "  DOOR   CARRIES THIS   ASK IT FOR   WHY NOT\n"
        "  dns    no             -            the VIP\n"
        "  rest   yes            a.prod       -\n"
        "\n"
        "What the rules say and a door cannot honour\n"
        "  FINDING   ABOUT         DETAIL   DOORS\n"
        "  timeout   route 1 (b)   9 ms     dns,rest\n");
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

// 25 of them, divided by commas.
static void append_many(ist_buf *answer, const char *endpoint)
{
    for (size_t i = 0; i < 25; i++) {
        ist_buf_append_str(answer, i != 0 ? "," : "");
        ist_buf_append_str(answer, endpoint);
    }
}

static void explain_groups_what_is_too_much_to_list(void **state)
{
    static const char SCHEME[] = FINE(EXPLANATION_OF("service", "", "@", "^"));
    const char *listed = strchr(SCHEME, '@');
    const char *dropped = strchr(SCHEME, '^');
    ist_buf answer = IST_BUF_INIT;
    (void)state;
    ist_buf_append(&answer, SCHEME, (size_t)(listed - SCHEME));
    append_many(&answer, LISTED("10.0.0.1", "0.04", "1"));
    ist_buf_append(&answer, listed + 1, (size_t)(dropped - listed) - 1);
    append_many(&answer, DROPPED("10.0.0.2", "priority"));
    ist_buf_append_str(&answer, dropped + 1);
    ist_buf_append_char(&answer, '\0');
    outcome result = run_with("explain a", answer.data, "GET ");
    assert_int_equal(count_of(result.out, "10.0.0.1:80"), 20);
    assert_int_equal(count_of(result.out, "10.0.0.2:80"), 0);
    assert_contains(result.out, "  and 5 more, listed\n"
                                "  and 25 more, dropped: better priorities carry all the load\n"
                                "  (-o wide lists each of the 50)\n");
    result = run_with("explain a -o wide", answer.data, "GET ");
    assert_int_equal(count_of(result.out, "10.0.0.1:80"), 25);
    assert_int_equal(count_of(result.out, "10.0.0.2:80"), 25);
    assert_null(strstr(result.out, " more, "));
    assert_contains(result.out, "DOORS      MEANING\n");
    ist_buf_done(&answer);
}

static void explain_bears_an_answer_without_anything(void **state)
{
    (void)state;
    outcome result = run_with("explain a", FINE("{}"), "GET ");
    assert_int_equal(result.code, 0);
    assert_contains(result.out, "Destinations\n  none\n");
    result = run_with("routes a", FINE("[]"), "GET ");
    assert_int_equal(result.code, 0);
    result = run_with("report", FINE("[]"), "GET ");
    assert_int_equal(result.code, 0);
    assert_string_equal(result.out, "0 findings in 0 services\n");
    result = run_with("resolve a", FINE("{\"pick\":{\"address\":5}}"), "GET ");
    assert_int_equal(result.code, 0);
}

// --- Routes ---------------------------------------------------------------------------------------------------------

#define ROUTES                                                                                                         \
    "{\"host\":\"a.prod\",\"ports\":[{\"port\":80,\"protocol\":\"http\",\"virtual_host\":\"a:80\",\"l4_routes\":[],"       \
    "\"routes\":[{\"index\":0,\"name\":\"n\",\"config\":null,\"conditions\":[\"path is \\\"/a\\\"\",\"method is \\\"GET\\\"\"]," \
    "\"action\":\"forward\",\"destinations\":[{\"cluster\":\"c1\",\"weight\":1},{\"cluster\":\"c2\",\"weight\":7},"       \
    "{\"cluster\":\"c3\",\"weight\":0}],\"published\":{\"timeout_ms\":5,\"retry_on\":\"5xx\"},"                         \
    "\"hash_policies\":[{\"kind\":\"cookie\",\"name\":\"s\",\"terminal\":true,\"generated\":true},"                        \
    "{\"kind\":\"source_ip\",\"name\":\"\",\"terminal\":false,\"generated\":false}]},"                                      \
    "{\"index\":1,\"name\":\"\",\"conditions\":[\"x\"],\"action\":\"redirect\",\"status\":302,\"redirect_host\":\"h\","   \
    "\"redirect_path\":\"/p\",\"destinations\":[],\"published\":{}},"                                                    \
    "{\"index\":2,\"name\":\"\",\"conditions\":[],\"action\":\"direct_response\",\"status\":418,\"destinations\":[],"    \
    "\"published\":{}},{\"index\":3,\"name\":\"\",\"conditions\":[],\"action\":\"other\",\"destinations\":[],"            \
    "\"published\":{}}]},"                                                                                              \
    "{\"port\":90,\"protocol\":\"tcp\",\"virtual_host\":null,\"routes\":[],\"l4_routes\":[{\"index\":0,\"tls\":true,"      \
    "\"server_names\":[\"*.x\",\"y\"],\"prefixes\":[\"10.0.0.0/8\"],\"destinations\":[{\"cluster\":\"d\",\"weight\":1},"  \
    "{\"cluster\":\"e\",\"weight\":1}]}]},"                                                                           \
    "{\"port\":91,\"protocol\":\"tcp\",\"virtual_host\":null,\"routes\":[],\"l4_routes\":[]}]}"

static void routes_print_port_by_port(void **state)
{
    (void)state;
    outcome result = run_with("routes a/b:80", FINE(ROUTES), "GET /v1/routes/a%2Fb%3A80 HTTP");
    assert_int_equal(result.code, 0);
    assert_string_equal(result.out,
                        "Port 80 (http), virtual host a:80\n"
                        "  INDEX   NAME   WHEN                  THEN\n"
                        "  0       n      path is \"/a\"           12.5%  c1\n"
                        "                 and method is \"GET\"    87.5%  c2\n"
                        "                                         0.0%  c3\n"
                        "  1       -      x                     redirect 302 to host h, path /p\n"
                        "  2       -      always                answer 418\n"
                        "  3       -      always                only a proxy can know\n"
                        "\n"
                        "Port 90 (tcp)\n"
                        "  INDEX   KIND   SERVER NAMES   ADDRESSES    THEN\n"
                        "  0       tls    *.x,y          10.0.0.0/8    50.0%  d\n"
                        "                                              50.0%  e\n"
                        "\n"
                        "Port 91 (tcp)\n"
                        "  no routes: all goes to the whole service\n");
    result = run_with("routes a -o wide", FINE(ROUTES), "GET /v1/routes/a HTTP");
    assert_contains(result.out, "12.5%  c1                        cookie s, else one is made, and no more   timeout_ms 5    -\n");
    assert_contains(result.out, "87.5%  c2                        source_ip                                 retry_on 5xx\n");
}

// --- Report ---------------------------------------------------------------------------------------------------------

#define REPORT                                                                                                         \
    "{\"services\":[{\"host\":\"a.prod\",\"namespace\":\"prod\",\"findings\":[" TIMEOUT_FINDING                            \
    ",{\"finding\":\"mtls\",\"port\":81,\"route\":null,\"cluster\":\"c\",\"detail\":null,\"text\":\"mTLS\",\"doors\":[\"dns\"]}" \
    "]}],\"summary\":{\"services\":1,\"findings\":{\"timeout\":1,\"mtls\":1}},"                                         \
    "\"source\":[{\"finding\":\"unused\",\"subject\":\"f.yaml:3\",\"text\":\"not read\"}]"
#define REGISTRIES                                                                                                     \
    ",\"registries\":[{\"door\":\"eureka\",\"clients\":["                                                              \
    "{\"client\":\"Java-EurekaClient/v2.0.6\",\"profile\":\"vips\",\"honours_shares\":true,\"count\":120,"             \
    "\"first_seconds_ago\":7300.5,\"last_seconds_ago\":12.3},"                                                         \
    "{\"client\":\"Steeltoe/4.2.0\",\"profile\":\"plain\",\"honours_shares\":false,\"count\":1,"                       \
    "\"first_seconds_ago\":61,\"last_seconds_ago\":61}],\"unknown_names\":["                                           \
    "{\"name\":\"stock\",\"count\":3,\"first_seconds_ago\":180,\"last_seconds_ago\":0}],\"unknown_names_left_out\":0}" \
    "]"

static void report_prints_findings_and_sums_them_up(void **state)
{
    (void)state;
    outcome result =
        run_with("report a&b --finding mtls", FINE(REPORT "}"), "GET /v1/report?host=a%26b&finding=mtls HTTP");
    assert_int_equal(result.code, 0);
    assert_string_equal(result.out, "SERVICE   PORT   FINDING   ABOUT         DETAIL   DOORS\n"
                                    "a.prod    80     timeout   route 1 (b)   9 ms     dns,rest\n"
                                    "a.prod    81     mtls      c             -        dns\n"
                                    "\n"
                                    "2 findings in 1 service: 1 timeout, 1 mtls\n"
                                    "\n"
                                    "What the source could not use\n"
                                    "  FINDING   SUBJECT    MEANING\n"
                                    "  unused    f.yaml:3   not read\n");
    result = run_with("report -o wide --no-headers", FINE(REPORT REGISTRIES "}"), "GET /v1/report HTTP");
    assert_string_equal(result.out, "a.prod   80   timeout   route 1 (b)   9 ms   dns,rest   a time-out\n"
                                    "a.prod   81   mtls      c             -      dns        mTLS\n"
                                    "unused   f.yaml:3   not read\n"
                                    "Java-EurekaClient/v2.0.6   vips    yes   120   2 h     12 s\n"
                                    "Steeltoe/4.2.0             plain   no    1     1 min   1 min\n"
                                    "stock   3   3 min   0 s\n");
    result = run_with("report", FINE(REPORT REGISTRIES "}"), "GET /v1/report HTTP");
    assert_contains(result.out, "Clients of eureka\n"
                                "  CLIENT                     PROFILE   HONOURS SHARES   REQUESTS   SINCE   LAST\n"
                                "  Java-EurekaClient/v2.0.6   vips      yes              120        2 h     12 s\n"
                                "  Steeltoe/4.2.0             plain     no               1          1 min   1 min\n"
                                "\n"
                                "Names that clients of eureka asked for and nobody knows\n"
                                "  NAME    REQUESTS   SINCE   LAST\n"
                                "  stock   3          3 min   0 s\n");
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
    outcome result = run("watch --revision 7 --timeout 2500ms -o yaml", agent.port); // long enough for three slow answers
    fake_agent_join(&agent);
    assert_int_equal(result.code, 0);
    assert_contains(agent.requests[1], "GET /v1/watch?revision=7&timeout="); // 3, or less where the status took long
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
        {"explain x", PROBLEM("400", "no context x; add it"), 2, "isthmus explain: no context x; add it\n"},
        {"resolve x", PROBLEM("404", "no service; GET /v1/services lists all"), 1,
         "isthmus resolve: no service; `isthmus services -o wide` lists what there is\n"},
        {"routes x:1", PROBLEM("404", "no port 1; GET that"), 1, "isthmus routes: no port 1; `isthmus services"},
        {"report --finding x", PROBLEM("400", "no finding x; known are y"), 2, "report: no finding x; known are y\n"},
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
        {"explain", "HOST[:PORT] is missing"},
        {"resolve a b", "unexpected argument \"b\"; `isthmus resolve --help` has examples"},
        {"report a b", "unexpected argument \"b\""},
        {"endpoints a -o address", "--output: must be table|wide|json|yaml, is \"address\""},
        {"explian a", "did you mean explain?"},
        {"services --nmespace y", "did you mean --namespace?"},
        {"services -o xml", "--output: must be table|wide|json|yaml, is \"xml\""},
        {"services --admin 1.2.3.4:99999", "--admin: \"1.2.3.4:99999\": the port must be 0 to 65535"},
        {"services --admin agent.example", "--admin: \"agent.example\" is neither an IP address nor localhost"},
        {"endpoints a -H b", "--header: must be K=V"},
        {"watch --revision x", "--revision: must be a whole number"},
        {"inject", "template is missing; `isthmus inject --help` has examples"},
        {"inject values", "\"values\" cannot be printed; `isthmus inject template` can"},
        {"inject template", "--cluster-dns is missing: kubectl -n kube-system get service kube-dns"},
        {"inject template --cluster-dns kube-dns", "--cluster-dns kube-dns is no address"},
        {"inject template --cluster-dns ::1 --image a`b", "--image a`b: letters, digits and . : / _ - are allowed"},
        {"inject template --cluster-dns ::1 --admin 127.0.0.1", "unknown flag --admin"},
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

static void help_names_the_flags_of_each_command(void **state)
{
    static const char ATTRIBUTES[] = "subset context path method header authority scheme source";
    static const struct {
        const char *command;
        const char *flags;
    } CASES[] = {{"endpoints", ATTRIBUTES}, {"resolve", ATTRIBUTES}, {"explain", ATTRIBUTES}, {"report", "finding"}};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        char line[64];
        ist_strv rest = ist_strv_from(CASES[i].flags);
        (void)snprintf(line, sizeof(line), "%s --help", CASES[i].command);
        outcome result = run(line, 1);
        for (bool more = true; more;) {
            char flag[32];
            ist_strv name = ist_strv_cut(&rest, ' ', &more);
            (void)snprintf(flag, sizeof(flag), "--%.*s ", IST_STRV_ARG(name));
            assert_contains(result.out, flag);
        }
    }
    assert_contains(run("resolve --help", 1).out, "table|wide|json|yaml|address");
}

// No agent is there: nothing is asked.
static void inject_puts_the_settings_of_the_cluster_into_the_template(void **state)
{
    (void)state;
    outcome plain = run("inject template --cluster-dns 10.96.0.10", 1);
    assert_int_equal(plain.code, IST_CLI_OK);
    assert_contains(plain.out, "\nsidecarInjectorWebhook:\n  templates:\n    isthmus: |\n");
    assert_contains(plain.out, "\"clusterAddress\": \"10.96.0.10\",\n");
    assert_contains(plain.out, "\"repository\": \"isthmus\",\n");
    assert_contains(plain.out, "\"clusterDomain\": \"\",\n");
    outcome full = run("inject template --cluster-dns fd00::a --cluster-domain k8s.example --image r.example:5000/m/isthmus:1.2",
                       1);
    assert_contains(full.out, "\"clusterDomain\": \"k8s.example\",\n");
    assert_contains(full.out, "\"clusterAddress\": \"fd00::a\",\n");
    assert_contains(full.out, "\"repository\": \"r.example:5000/m/isthmus\",\n");
    assert_contains(full.out, "\"tag\": \"1.2\"\n");
    const char *rest = strstr(full.out, "\"istiod\": {"); // what follows the settings is the same
    assert_non_null(rest);
    assert_contains(plain.out, rest);
    assert_contains(run("inject template --cluster-dns ::1 --image r.example:5000/isthmus", 1).out,
                    "\"repository\": \"r.example:5000/isthmus\",\n"); // the colon is that of a port
}

static void help_has_usage_examples_flags_and_codes(void **state)
{
    static const char *const COMMANDS[] = {"services", "endpoints", "status", "watch",
                                           "resolve",  "explain",   "routes", "report"};
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
        cmocka_unit_test(resolve_prints_one_endpoint),
        cmocka_unit_test(resolve_without_an_endpoint_says_why_and_fails),
        cmocka_unit_test(explain_prints_every_section),
        cmocka_unit_test(explain_groups_what_is_too_much_to_list),
        cmocka_unit_test(explain_bears_an_answer_without_anything),
        cmocka_unit_test(routes_print_port_by_port),
        cmocka_unit_test(report_prints_findings_and_sums_them_up),
        cmocka_unit_test(watch_goes_on_from_the_present_revision),
        cmocka_unit_test(watch_ends_in_time),
        cmocka_unit_test(errors_have_a_code_and_a_next_step),
        cmocka_unit_test(wrong_usage_is_refused_before_asking),
        cmocka_unit_test(admin_flag_beats_the_environment),
        cmocka_unit_test(help_names_the_flags_of_each_command),
        cmocka_unit_test(inject_puts_the_settings_of_the_cluster_into_the_template),
        cmocka_unit_test(help_has_usage_examples_flags_and_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
