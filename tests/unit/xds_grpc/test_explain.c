// SPDX-License-Identifier: Apache-2.0
//
// The details are what gRPC C core 1.51 and istiod really say.
#include "explain_priv.h"

#include <grpc/status.h>

#include "ist_test.h"

#define TARGET "ipv4:10.0.0.1:15012"
#define TLS_FAILED "UNKNOWN: " TARGET ": Ssl handshake failed: SSL_ERROR_SSL: "
#define ALL "failed to connect to all addresses; last error: "

typedef struct explain_case {
    bool tls;
    bool token;
    bool opened;
    int grpc_status;
    const char *details;
    int want_status;
    const char *want; // a part of the text
} explain_case;

static const explain_case cases[] = {
    {false, false, false, 14, ALL "UNKNOWN: " TARGET ": Failed to connect to remote host: Connection refused", 14,
     "nothing listens on 10.0.0.1:15012"},
    {true, true, false, 14, ALL "UNKNOWN: " TARGET ": Failed to connect to remote host: No route to host", 14,
     "there is no route to 10.0.0.1:15012"},
    {true, true, false, 14, ALL TLS_FAILED "error:0A000086:SSL routines::certificate verify failed", 16,
     "not signed by a root in /root.pem, or has expired"},
    {true, true, false, 14, ALL "UNKNOWN: " TARGET ": Peer name wrong.name.svc is not in peer certificate", 16,
     "does not bear the name wrong.name.svc: set --xds-server-name"},
    {true, true, false, 14, ALL TLS_FAILED "error:0A00010B:SSL routines::wrong version number", 14,
     "10.0.0.1:15012 does not speak TLS"},
    {true, true, false, 14, ALL TLS_FAILED "error:0A000410:SSL routines::x", 14, "Ssl handshake failed: SSL_ERROR_SSL"},
    {false, false, false, 14, ALL "INTERNAL: " TARGET ": Trying to connect an http1.x server", 14, "is a web server"},
    {true, true, false, 14, "empty address list: ", 16, "/root.pem holds no certificate that can be used"},
    {false, false, false, 14, ALL "UNAVAILABLE: " TARGET ": Socket closed", 14, "a port that expects TLS"},
    {true, true, false, 14, ALL "UNAVAILABLE: " TARGET ": Socket closed", 14, "is istiod starting or stopping?"},
    {true, true, false, 4, "no connection", 14, "does not complete a connection within 10 s"},
    {true, true, true, 16, "authentication failure", 16,
     "does not accept the token in /token: expired, for another audience than istio-ca, or of another cluster "
     "(authentication failure)"},
    {true, false, true, 16, "authentication failure", 16,
     "istiod wants a token: set --xds-token (authentication failure)"},
    {true, true, true, 7, "authorization failed: no identities ([spiffe://x]) matched prod/default", 7,
     "authorization failed: no identities ([spiffe://x]) matched prod/default"},
    {false, false, true, 12, "unknown service", 12, "10.0.0.1:15012 does not serve xDS"},
    {true, true, true, 14, "Connection reset by peer", 14, "the connection was reset"},
    {true, true, true, 14, "Socket closed", 14, "the connection was closed"},
    {true, true, true, 14, "keepalive watchdog timeout", 14, "the connection is dead"},
    {true, true, true, 0, "", 0, "no reason was given"},
    {false, false, false, 14, "empty address list: ", 14, "empty address list: "},
};

static void explain_known_details_say_what_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        const explain_case *c = &cases[i];
        const ist_xds_grpc_situation situation = {.target = TARGET,
                                                  .expected_name = "wrong.name.svc",
                                                  .root_file = c->tls ? "/root.pem" : NULL,
                                                  .token_file = c->token ? "/token" : NULL,
                                                  .opened = c->opened};
        char text[IST_XDS_GRPC_EXPLAIN_SIZE] = "";
        int status = ist_xds_grpc_explain(&situation, c->grpc_status, ist_strv_from(c->details), text);
        if (status != c->want_status || strstr(text, c->want) == NULL) {
            fail_msg("\"%s\" gives %d \"%s\"", c->details, status, text);
        }
    }
}

static void explain_long_details_are_cut(void **state)
{
    (void)state;
    static char details[4096];
    char text[IST_XDS_GRPC_EXPLAIN_SIZE];
    memset(details, 'x', sizeof(details) - 1);
    const ist_xds_grpc_situation situation = {
        .target = TARGET, .expected_name = details, .token_file = details, .root_file = details, .opened = true};
    for (int status = 0; status <= GRPC_STATUS_UNAUTHENTICATED; status++) {
        memset(text, 'y', sizeof(text));
        assert_int_equal(ist_xds_grpc_explain(&situation, status, ist_strv_from(details), text), status);
        assert_int_equal(strlen(text), IST_XDS_GRPC_EXPLAIN_SIZE - 1);
    }
}

static void explain_percent_signs_of_others_stay(void **state)
{
    (void)state;
    char text[IST_XDS_GRPC_EXPLAIN_SIZE];
    const ist_xds_grpc_situation situation = {
        .target = "odd", .expected_name = "a%Nb", .root_file = "/r", .opened = true};
    assert_int_equal(ist_xds_grpc_explain(&situation, 16, IST_STRV("100%s %A"), text), 16);
    assert_string_equal(text, "istiod wants a token: set --xds-token (100%s %A)");
    assert_int_equal(ist_xds_grpc_explain(&situation, 12, IST_STRV("x"), text), 12);
    assert_non_null(strstr(text, "odd does not serve xDS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_known_details_say_what_to_do),
        cmocka_unit_test(explain_long_details_are_cut),
        cmocka_unit_test(explain_percent_signs_of_others_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
