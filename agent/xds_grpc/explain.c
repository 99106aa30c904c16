// SPDX-License-Identifier: Apache-2.0
#include "explain_priv.h"

#include <grpc/status.h>

#include <stdio.h>

// What a stretch of gRPC's details means. The patterns are those of gRPC C core 1.51; what none of them fits is shown
// as it came. In the text %A is the address, %N the expected name, %R the root certificate's file, %T the token's.
typedef struct meaning {
    const char *pattern;
    int grpc_status; // -1 = as it was
    const char *tls; // NULL = not known
    const char *plain;
} meaning;

static const meaning connect_meanings[] = {
    {"Connection refused", -1, "nothing listens on %A: check the port and that istiod runs",
     "nothing listens on %A: check the port and that istiod runs"},
    {"No route to host", -1, "there is no route to %A", "there is no route to %A"},
    {"Network is unreachable", -1, "there is no route to %A", "there is no route to %A"},
    {"certificate verify failed", GRPC_STATUS_UNAUTHENTICATED,
     "the certificate of %A is not signed by a root in %R, or has expired: check --xds-root-ca", NULL},
    {"is not in peer certificate", GRPC_STATUS_UNAUTHENTICATED,
     "the certificate of %A does not bear the name %N: set --xds-server-name (istiod's usual name is "
     "istiod.istio-system.svc)",
     NULL},
    {"wrong version number", -1, "%A does not speak TLS: use istiod's TLS port (15012), or --xds-tls off", NULL},
    {"http1.x server", -1, "%A is a web server: use istiod's xDS port (15012 with TLS, 15010 without)",
     "%A is a web server: use istiod's xDS port (15012 with TLS, 15010 without)"},
    {"empty address list", GRPC_STATUS_UNAUTHENTICATED, "%R holds no certificate that can be used: check --xds-root-ca",
     NULL},
    {"Socket closed", -1, "%A closes new connections: is istiod starting or stopping?",
     "%A closes new connections: a port that expects TLS does so (--xds-tls on)"},
};

static const meaning deadline_meaning = {
    "", GRPC_STATUS_UNAVAILABLE,
    "%A does not complete a connection within 10 s: wrong address, network policy, or istiod hangs",
    "%A does not complete a connection within 10 s: wrong address, network policy, or istiod hangs"};

static const meaning stream_meanings[] = {
    {"keepalive watchdog timeout", -1, "%A has not answered for 10 s: the connection is dead",
     "%A has not answered for 10 s: the connection is dead"},
    {"Connection reset by peer", -1, "the connection was reset", "the connection was reset"},
    // Also after istiod's maximal age of a connection, 30 minutes in its Helm chart.
    {"Socket closed", -1, "the connection was closed", "the connection was closed"},
};

static const meaning *find_meaning(const meaning *table, size_t count, ist_strv details)
{
    for (size_t i = 0; i < count; i++) {
        if (ist_strv_contains(details, ist_strv_from(table[i].pattern))) {
            return &table[i];
        }
    }
    return NULL;
}

// The place of `target` without its scheme.
static const char *address_of(const char *target)
{
    ist_strv whole = ist_strv_from(target);
    size_t colon = ist_strv_find(whole, ':');
    return colon < whole.n ? target + colon + 1 : target;
}

static const char *value_of(const ist_xds_grpc_situation *situation, char key)
{
    const char *value = NULL;
    switch (key) {
    case 'A':
        return address_of(situation->target);
    case 'N':
        return situation->expected_name;
    case 'R':
        value = situation->root_file;
        break;
    case 'T':
        value = situation->token_file;
        break;
    default:
        break;
    }
    return value != NULL ? value : "?";
}

static void append(char *text, size_t *length, ist_strv piece)
{
    int written = snprintf(text + *length, IST_XDS_GRPC_EXPLAIN_SIZE - *length, "%.*s", IST_STRV_ARG(piece));
    if (written > 0) {
        *length += (size_t)written;
    }
    if (*length >= IST_XDS_GRPC_EXPLAIN_SIZE) {
        *length = IST_XDS_GRPC_EXPLAIN_SIZE - 1;
    }
}

static void write_text(const ist_xds_grpc_situation *situation, const char *format, ist_strv details, char *text)
{
    size_t length = 0;
    ist_strv rest = ist_strv_from(format);
    bool more = true;
    append(text, &length, ist_strv_cut(&rest, '%', &more));
    while (more) {
        append(text, &length, ist_strv_from(value_of(situation, rest.p[0])));
        rest = ist_strv_skip(rest, 1);
        append(text, &length, ist_strv_cut(&rest, '%', &more));
    }
    if (details.n != 0) {
        append(text, &length, IST_STRV(" ("));
        append(text, &length, details);
        append(text, &length, IST_STRV(")"));
    }
}

// "failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:5: Socket closed": only the end is news.
static ist_strv strip_noise(const ist_xds_grpc_situation *situation, ist_strv details)
{
    ist_strv target = ist_strv_from(situation->target);
    for (size_t i = 0; i + target.n + 2 <= details.n; i++) {
        ist_strv here = ist_strv_skip(details, i);
        if (ist_strv_starts_with(here, target) && here.p[target.n] == ':') {
            return ist_strv_trim(ist_strv_skip(here, target.n + 1));
        }
    }
    return details;
}

static const meaning *find_connect_meaning(int grpc_status, ist_strv details)
{
    if (grpc_status == GRPC_STATUS_DEADLINE_EXCEEDED) {
        return &deadline_meaning;
    }
    return find_meaning(connect_meanings, IST_COUNT(connect_meanings), details);
}

// The server's own refusal: its words stand in brackets.
static const char *refusal(const ist_xds_grpc_situation *situation, int grpc_status)
{
    if (grpc_status == GRPC_STATUS_UNAUTHENTICATED) {
        return situation->token_file != NULL
                   ? "istiod does not accept the token in %T: expired, for another audience than istio-ca, or of "
                     "another cluster"
                   : "istiod wants a token: set --xds-token";
    }
    if (grpc_status == GRPC_STATUS_UNIMPLEMENTED) {
        return "%A does not serve xDS: use istiod's xDS port (15012 with TLS, 15010 without)";
    }
    return NULL;
}

int ist_xds_grpc_explain(const ist_xds_grpc_situation *situation, int grpc_status, ist_strv details, char *text)
{
    const meaning *known = situation->opened ? find_meaning(stream_meanings, IST_COUNT(stream_meanings), details)
                                             : find_connect_meaning(grpc_status, details);
    const char *format = NULL;
    if (known != NULL) {
        format = situation->root_file != NULL ? known->tls : known->plain;
    }
    if (format != NULL) {
        write_text(situation, format, IST_STRV_NULL, text);
        return known->grpc_status >= 0 ? known->grpc_status : grpc_status;
    }
    format = refusal(situation, grpc_status);
    if (format != NULL) {
        write_text(situation, format, details, text);
        return grpc_status;
    }
    ist_strv rest = strip_noise(situation, details);
    size_t length = 0;
    append(text, &length, rest.n != 0 ? rest : IST_STRV("no reason was given"));
    return grpc_status;
}
