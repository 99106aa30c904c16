// SPDX-License-Identifier: Apache-2.0
//
// The HTTP client: the parser over bytes, and the whole against a scripted peer.
#include "ist_test.h"

#include "../../../agent/cli/http_get_priv.h"
#include "fake_agent.h"

#define OK "HTTP/1.1 200 OK\r\nX-Isthmus-Revision: 4\r\n"

static void whole_answers_are_read(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t status;
        const char *body;
    } CASES[] = {
        {OK "Content-Length: 5\r\n\r\nhello", 200, "hello"},
        {OK "content-length:5 \r\n\r\nhello, and more", 200, "hello"},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 200, "hello"},
        {OK "Transfer-Encoding: Chunked\r\n\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", 200, "0123456789"},
        {OK "\r\nto the end", 200, "to the end"},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 0\r\n\r\n", 200, ""},
        {"HTTP/1.1 404 Not Found\nX-isthmus-revision: 1\nContent-Length: 2\n\nno", 404, "no"},
        {"HTTP/1.0 200 \r\nX-Isthmus-Revision: 0\r\n\r\nx", 200, "x"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        cli_http_answer answer;
        ist_err err = IST_ERR_NULL;
        if (cli_http_parse(ist_strv_from(CASES[i].bytes), &answer, &err) != IST_OK) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_int_equal(answer.status, CASES[i].status);
        assert_true(answer.from_isthmus);
        ist_test_strv_equal(ist_buf_view(&answer.body), CASES[i].body);
        ist_buf_done(&answer.body);
    }
}

static void broken_answers_are_named(void **state)
{
    static const struct {
        const char *bytes;
        ist_status status;
        const char *text;
    } CASES[] = {
        {"", IST_ECLOSED, "ends in the middle"},
        {"SSH-2.0-OpenSSH\r\n", IST_EPARSE, "does not speak HTTP"},
        {"\x15\x03\x01", IST_EPARSE, "does not speak HTTP"},
        {"HTTP/2 200\r\n\r\n", IST_EPARSE, "does not speak HTTP"},
        {"HTTP/1.1 99 x\r\n\r\n", IST_EPARSE, "does not speak HTTP"},
        {"HTTP/1.1 2x0 x\r\n\r\n", IST_EPARSE, "does not speak HTTP"},
        {OK, IST_ECLOSED, "ends in the middle"},
        {OK "no colon\r\n\r\n", IST_EPARSE, "broken header: no colon"},
        {OK "Content-Length: -1\r\n\r\n", IST_EPARSE, "broken header"},
        {OK "Content-Length: 99999999999\r\n\r\n", IST_EPARSE, "broken header"},
        {OK "Transfer-Encoding: gzip\r\n\r\n", IST_EPARSE, "broken header"},
        {OK "Content-Length: 6\r\n\r\nhello", IST_ECLOSED, "ends in the middle"},
        {OK "Transfer-Encoding: chunked\r\n\r\n", IST_ECLOSED, "ends in the middle"},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", IST_ECLOSED, "ends in the middle"},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", IST_ECLOSED, "ends in the middle"},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", IST_EPARSE, "broken chunk"},
        {OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", IST_EPARSE, "broken chunk"},
        {OK "Transfer-Encoding: chunked\r\n\r\n\r\n", IST_EPARSE, "broken chunk"},
        {OK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", IST_EPARSE, "broken chunk"},
        {OK "Transfer-Encoding: chunked\r\n\r\nffffff\r\n", IST_ECLOSED, "ends in the middle"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        cli_http_answer answer = {.status = 7};
        ist_err err = IST_ERR_NULL;
        ist_status status = cli_http_parse(ist_strv_from(CASES[i].bytes), &answer, &err);
        if (status != CASES[i].status || strstr(err.text, CASES[i].text) == NULL) {
            fail_msg("case %zu: %s, \"%s\"", i, ist_status_name(status), err.text);
        }
        assert_int_equal(answer.status, 7);
    }
}

static void request_is_plain_and_answer_may_come_in_pieces(void **state)
{
    (void)state;
    fake_agent agent = {
        .answers = {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"}, .count = 1, .piece_bytes = 1};
    fake_agent_start(&agent);
    cli_http_request request = {.host = IST_STRV("localhost"), .port = agent.port, .target = "/v1/x?y=z", .timeout_ms = 10000};
    cli_http_answer answer;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(cli_http_get(&request, &answer, &err), IST_OK);
    ist_test_strv_equal(ist_buf_view(&answer.body), "hello");
    ist_buf_done(&answer.body);
    fake_agent_join(&agent);
    char host[64];
    (void)snprintf(host, sizeof(host), "\r\nHost: localhost:%u\r\n", agent.port);
    assert_non_null(strstr(agent.requests[0], "GET /v1/x?y=z HTTP/1.1\r\n"));
    assert_non_null(strstr(agent.requests[0], host));
    assert_non_null(strstr(agent.requests[0], "\r\nConnection: close\r\n"));
}

static void failures_of_the_network_are_told_apart(void **state)
{
    (void)state;
    ist_err err = IST_ERR_NULL;
    cli_http_answer answer;
    uint16_t nobody = fake_agent_dead_port();
    cli_http_request request = {.host = IST_STRV("127.0.0.1"), .port = nobody, .target = "/", .timeout_ms = 10000};
    assert_int_equal(cli_http_get(&request, &answer, &err), IST_EIO);
    assert_non_null(strstr(err.text, "cannot connect: Connection refused"));

    request.host = IST_STRV("agent.example");
    assert_int_equal(cli_http_get(&request, &answer, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "\"agent.example\" is neither an IP address nor localhost"));

    fake_agent silent = {.answers = {NULL}, .count = 1};
    fake_agent_start(&silent);
    request = (cli_http_request){.host = IST_STRV("127.0.0.1"), .port = silent.port, .target = "/", .timeout_ms = 10000};
    assert_int_equal(cli_http_get(&request, &answer, &err), IST_ECLOSED);
    fake_agent_join(&silent);

    fake_agent slow = {.answers = {OK "Content-Length: 400\r\n\r\n"
                                      "0123456789012345678901234567890123456789012345678901234567890123456789"},
                       .count = 1,
                       .piece_bytes = 1};
    fake_agent_start(&slow);
    request = (cli_http_request){.host = IST_STRV("127.0.0.1"), .port = slow.port, .target = "/", .timeout_ms = 30};
    assert_int_equal(cli_http_get(&request, &answer, &err), IST_ETIMEOUT);
    assert_non_null(strstr(err.text, "no answer in time"));
    fake_agent_join(&slow);
}

static ist_status parse_once(void *ctx)
{
    cli_http_answer answer;
    ist_err err = IST_ERR_NULL;
    ist_status status = cli_http_parse(ist_strv_from(ctx), &answer, &err);
    if (status == IST_OK) {
        ist_buf_done(&answer.body);
    }
    return status;
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    char answer[] = OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    assert_true(ist_test_each_alloc_fails(parse_once, answer) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers_are_read),
        cmocka_unit_test(broken_answers_are_named),
        cmocka_unit_test(request_is_plain_and_answer_may_come_in_pieces),
        cmocka_unit_test(failures_of_the_network_are_told_apart),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
