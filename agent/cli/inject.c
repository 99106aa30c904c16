// SPDX-License-Identifier: Apache-2.0
//
// `isthmus inject template`: the injection template of charts/isthmus as values for the istiod chart. The text is what Helm
// makes of the chart (charts/isthmus/plain/istiod-values.yaml, which a test compares); what depends on the cluster is put into
// the settings at its top, which are JSON.
#include "cli_priv.h"
#include "injection_template.h"

#include "dns_wire/address.h"

#include <assert.h>
#include <string.h>

enum { IMAGE = 0, CLUSTER_DNS, CLUSTER_DOMAIN, HELP };
_Static_assert((int)HELP == (int)CLI_HELP, "help has the same row in all tables");

static const ist_option ROWS[] = {
    [IMAGE] = {"image", NULL, IST_OPTION_TEXT, NULL, NULL, "REPOSITORY[:TAG]", "Flags", "image of the agent"},
    [CLUSTER_DNS] = {"cluster-dns", NULL, IST_OPTION_TEXT, NULL, NULL, "ADDR", "Flags",
                     "ClusterIP of the cluster DNS, the pods' second name server"},
    [CLUSTER_DOMAIN] = {"cluster-domain", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", "Flags",
                        "cluster domain, where it is not the one that istiod knows"},
    [HELP] = {"help", NULL, IST_OPTION_FLAG, NULL, NULL, NULL, "Flags", "this text"},
};
static const ist_option_short SHORTS[] = {{'h', HELP}};

// Nothing that would end the string, the JSON or the template's raw string around it.
static bool is_plain(ist_strv value)
{
    for (size_t n = 0; n < value.n; n++) {
        char c = value.p[n];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (c == '\0' || strchr(".:/_-", c) == NULL)) {
            return false;
        }
    }
    return true;
}

// Moves the text up to the value of this key from *rest to `out`, and there the value, where it is not empty, instead of the
// text's own.
static void put(ist_buf *out, ist_strv *rest, const char *key, ist_strv value)
{
    const char *at = memmem(rest->p, rest->n, key, strlen(key));
    assert(at != NULL); // the settings have all keys, in this order
    size_t start = (size_t)(at - rest->p) + strlen(key);
    size_t end = start + ist_strv_find(ist_strv_skip(*rest, start), '"');
    ist_buf_append(out, rest->p, value.n != 0 ? start : end);
    ist_buf_append(out, value.p, value.n);
    *rest = ist_strv_skip(*rest, end);
}

static void write_template(ist_buf *out, ist_strv cluster_domain, ist_strv cluster_dns, ist_strv image)
{
    ist_strv rest = ist_strv_make(INJECTION_TEMPLATE, sizeof(INJECTION_TEMPLATE));
    size_t slash = ist_strv_rfind(image, '/');
    size_t colon = ist_strv_rfind(image, ':'); // that of a port stands before the last slash
    bool tagged = colon < image.n && (slash == image.n || colon > slash);
    put(out, &rest, "\"clusterDomain\": \"", cluster_domain);
    put(out, &rest, "\"clusterAddress\": \"", cluster_dns);
    put(out, &rest, "\"repository\": \"", tagged ? ist_strv_first(image, colon) : image);
    put(out, &rest, "\"tag\": \"", tagged ? ist_strv_skip(image, colon + 1) : ist_strv_make("", 0));
    ist_buf_append(out, rest.p, rest.n);
}

// IST_CLI_OK; else said why.
static int check(const cli_session *session)
{
    ist_dns_addr address;
    ist_strv dns = ist_options_text(session->options, CLUSTER_DNS);
    if (strcmp(ist_options_argument(session->options, 0), "template") != 0) {
        return cli_fail(session, IST_CLI_USAGE, "\"%s\" cannot be printed; `isthmus inject template` can",
                        ist_options_argument(session->options, 0));
    }
    if (dns.n == 0) {
        return cli_fail(session, IST_CLI_USAGE, "--cluster-dns is missing: kubectl -n kube-system get service kube-dns -o "
                                                "jsonpath={.spec.clusterIP}");
    }
    if (ist_dns_addr_parse(dns, &address) != IST_OK) {
        return cli_fail(session, IST_CLI_USAGE, "--cluster-dns %.*s is no address", IST_STRV_ARG(dns));
    }
    for (size_t row = IMAGE; row <= CLUSTER_DOMAIN; row++) {
        ist_strv value = ist_options_text(session->options, row);
        if (!is_plain(value)) {
            return cli_fail(session, IST_CLI_USAGE, "--%s %.*s: letters, digits and . : / _ - are allowed", ROWS[row].name,
                            IST_STRV_ARG(value));
        }
    }
    return IST_CLI_OK;
}

static int run(cli_session *session)
{
    ist_buf text = IST_BUF_INIT;
    int code = check(session);
    if (code != IST_CLI_OK) {
        return code;
    }
    write_template(&text, ist_options_text(session->options, CLUSTER_DOMAIN), ist_options_text(session->options, CLUSTER_DNS),
                   ist_options_text(session->options, IMAGE));
    if (ist_buf_status(&text) != IST_OK) {
        code = cli_fail(session, IST_CLI_NOT_FOUND, "out of memory");
    } else {
        (void)fwrite(text.data, 1, text.length, session->out); // checked with the stream's state at the end
    }
    ist_buf_done(&text);
    return code;
}

const cli_command *cli_inject(void)
{
    static const cli_command COMMAND = {
        .name = "inject",
        .arguments = "template",
        .help = "values for istiod with the injection template",
        .text = "Prints the injection template of the chart (charts/isthmus) as values for the istiod chart, so that Istio's\n"
                "injector puts the agent into pods with the annotation inject.istio.io/templates: sidecar,isthmus. No agent\n"
                "is asked. The chart has more settings.\n\n"
                "Examples:\n"
                "  isthmus inject template --cluster-dns 10.96.0.10 --image registry.example/isthmus:0.1.0 > isthmus.yaml\n"
                "  helm upgrade istiod istio/istiod -n istio-system --reuse-values -f isthmus.yaml\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .argument_count = 1,
        .offline = true,
        .run = run};
    return &COMMAND;
}
