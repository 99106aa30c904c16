// SPDX-License-Identifier: Apache-2.0
//
// What `isthmus doctor` looks at around the DNS door: the door, resolv.conf, capture by Istio, the upstreams.
#include "doctor_priv.h"

#include "dns_forward/resolv_conf.h"

#define PORT 53                       // the only one that resolv.conf can name
#define LISTENERS_MAX 16
#define PROBE "isthmus-doctor.invalid" // RFC 6761: nobody has it, and every name server may say so at once

typedef struct addresses {
    ist_dns_address items[LISTENERS_MAX];
    size_t count;
} addresses;

// The addresses in an array of texts, those that cannot be read left out.
static addresses read_addresses(const json_t *array)
{
    addresses list = {.count = 0};
    size_t i;
    json_t *text;
    json_array_foreach(array, i, text)
    {
        ist_strv address = ist_strv_make(json_string_value(text), json_string_length(text));
        if (list.count < LISTENERS_MAX &&
            ist_dns_address_parse(address, PORT, &list.items[list.count], NULL) == IST_OK) {
            list.count++;
        }
    }
    return list;
}

static bool is_agent(const addresses *door, const ist_dns_addr *server)
{
    for (size_t i = 0; i < door->count; i++) {
        if (doctor_reaches(&door->items[i].ip, server)) {
            return true;
        }
    }
    return false;
}

// --- The door -------------------------------------------------------------------------------------------------------

static void check_door(doctor *self, const addresses *door)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    if (door->count == 0) {
        doctor_add(self, DOCTOR_FAIL, "dns-door",
                   "DNS does not listen: it is off or its address is busy; see --dns-listen and the agent's log");
    }
    for (size_t i = 0; i < door->count; i++) {
        const char *address = ist_dns_address_format(&door->items[i], text);
        if (door->items[i].port == PORT) {
            doctor_add(self, DOCTOR_OK, "dns-door", "listens on %s", address);
        } else {
            doctor_add(self, DOCTOR_WARN, "dns-door",
                       "listens on %s, and resolv.conf can only name port 53; set --dns-listen to port 53, or ask this port "
                       "by its number",
                       address);
        }
    }
}

static void check_mode(doctor *self)
{
    ist_strv mode = cli_text(self->status, "dns_mode");
    if (mode.n == 0) {
        return; // the door is off, and that was said
    }
    if (ist_strv_equal(mode, IST_STRV("serve"))) {
        doctor_add(self, DOCTOR_OK, "dns-mode", "serve");
    } else {
        doctor_add(self, DOCTOR_WARN, "dns-mode",
                   "%.*s: the upstream answers, not the mesh; `isthmus dns-mode serve` switches us on", IST_STRV_ARG(mode));
    }
}

// --- resolv.conf ----------------------------------------------------------------------------------------------------

static void write_settings(const ist_dns_resolv_conf *conf, ist_buf *out)
{
    ist_buf_printf(out, "ndots %u, search", conf->ndots);
    for (size_t i = 0; i < conf->search_count; i++) {
        ist_buf_printf(out, " %s", conf->search[i]);
    }
    ist_buf_append_str(out, conf->search_count == 0 ? " nothing" : "");
}

static void judge_order(doctor *self, const addresses *door, const ist_dns_resolv_conf *conf)
{
    size_t at = 0;
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    ist_dns_addr asked_at = doctor_asked_at(&door->items[0].ip); // what resolv.conf should name
    const char *wanted = ist_dns_addr_format(&asked_at, text);
    while (at < conf->server_count && !is_agent(door, &conf->servers[at].ip)) {
        at++;
    }
    if (at == conf->server_count) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf",
                   "%s does not name the agent, so nobody asks it; write `nameserver %s` as its first name server",
                   self->resolv_conf, wanted);
    } else if (at != 0) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf",
                   "%s names the agent behind others, which answer before it; make `nameserver %s` the first",
                   self->resolv_conf, wanted);
    } else if (conf->server_count > 1) {
        doctor_add(self, DOCTOR_WARN, "resolv-conf",
                   "%s names the agent first and %zu more; musl (Alpine) asks all at once and takes the first answer: leave "
                   "the agent alone where nothing resolves before it starts",
                   self->resolv_conf, conf->server_count - 1);
    } else {
        doctor_add(self, DOCTOR_OK, "resolv-conf", "%s names the agent alone", self->resolv_conf);
    }
}

static void check_resolv_conf(doctor *self, const addresses *door)
{
    ist_dns_resolv_conf conf;
    ist_err err = IST_ERR_NULL;
    ist_buf settings = IST_BUF_INIT;
    if (ist_dns_resolv_conf_load(self->resolv_conf, &conf, &err) != IST_OK) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf", "%s; name the file of the application with --resolv-conf", err.text);
        return;
    }
    if (door->count != 0) {
        judge_order(self, door, &conf);
    }
    write_settings(&conf, &settings);
    doctor_add(self, DOCTOR_OK, "search", "%.*s", IST_STRV_ARG(ist_buf_view(&settings)));
    ist_buf_done(&settings);
}

// --- Who answers at the agent's address -----------------------------------------------------------------------------

static void judge_capture(doctor *self, const ist_dns_address *door, ist_strv name)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    doctor_answer answer;
    ist_err err = IST_ERR_NULL;
    const char *address = ist_dns_address_format(door, text);
    if (doctor_ask(door, name, IST_DNS_TYPE_TXT, &answer, &err) != IST_OK) {
        doctor_add(self, DOCTOR_FAIL, "capture", "%s: %s; look for a packet filter, and at the agent's log", address,
                   err.text);
    } else if (answer.is_ours) {
        doctor_add(self, DOCTOR_OK, "capture", "%s answers itself, in %.1f ms", address, answer.ms);
    } else {
        doctor_add(self, DOCTOR_FAIL, "capture",
                   "another answers for %s, as Istio's DNS capture does; give the pod the annotation "
                   "proxy.istio.io/config: '{\"proxyMetadata\":{\"ISTIO_META_DNS_CAPTURE\":\"false\"}}'",
                   address);
    }
}

// Asks for a name that only we know. There is none where the mesh is empty, or where the upstream answers.
static void check_capture(doctor *self, const addresses *door)
{
    ist_buf name = IST_BUF_INIT;
    json_t *services = door->count != 0 && cli_is(self->status, "dns_mode", "serve") ? doctor_fetch(self, "/v1/services")
                                                                                     : NULL;
    size_t i;
    json_t *service;
    json_array_foreach(json_object_get(services, "services"), i, service)
    {
        ist_strv host = cli_text(service, "host");
        if (host.n != 0 && ist_strv_find(host, '*') == host.n) {
            ist_buf_printf(&name, "_why.%.*s", IST_STRV_ARG(host));
            break;
        }
    }
    for (i = 0; name.length != 0 && i < door->count; i++) {
        judge_capture(self, &door->items[i], ist_buf_view(&name));
    }
    if (name.length == 0 && door->count != 0) {
        doctor_add(self, DOCTOR_WARN, "capture", "not looked at: no service of the mesh is served by DNS now");
    }
    ist_buf_done(&name);
    json_decref(services);
}

// --- Upstreams ------------------------------------------------------------------------------------------------------

// NULL: it does not; else how the questions that we forward come back.
static const char *loops(const addresses *door, const ist_dns_address *upstream)
{
    static const ist_dns_addr STUB = {.family = 4, .bytes = {127, 0, 0, 53}};
    for (size_t i = 0; i < door->count; i++) {
        if (door->items[i].port == upstream->port && doctor_reaches(&door->items[i].ip, &upstream->ip)) {
            return "the agent itself";
        }
    }
    return ist_dns_addr_equal(&upstream->ip, &STUB) ? "systemd-resolved, which asks the servers that the machine names" : NULL;
}

// Whether it answered.
static bool check_upstream(doctor *self, const addresses *door, const ist_dns_address *upstream)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    doctor_answer answer;
    ist_err err = IST_ERR_NULL;
    const char *address = ist_dns_address_format(upstream, text);
    const char *loop = loops(door, upstream);
    if (loop != NULL) {
        doctor_add(self, DOCTOR_FAIL, "upstream",
                   "%s is %s: what we forward comes back to us; name the cluster's DNS with --dns-upstream", address, loop);
    } else if (doctor_ask(upstream, IST_STRV(PROBE), IST_DNS_TYPE_A, &answer, &err) != IST_OK) {
        doctor_add(self, DOCTOR_WARN, "upstream", "%s: %s; is it the cluster's DNS, and is there a way to it?", address,
                   err.text);
        return false;
    } else if (answer.rcode == IST_DNS_NXDOMAIN || answer.rcode == IST_DNS_NOERROR) {
        doctor_add(self, DOCTOR_OK, "upstream", "%s answers in %.1f ms", address, answer.ms);
    } else {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "%s answers with rcode %u (2 SERVFAIL, 5 REFUSED) in %.1f ms; it must resolve for this machine", address,
                   answer.rcode, answer.ms);
    }
    return true;
}

static void check_upstreams(doctor *self, const addresses *door)
{
    addresses upstreams = read_addresses(json_object_get(self->status, "upstreams"));
    size_t answered = 0;
    for (size_t i = 0; i < upstreams.count; i++) {
        answered += check_upstream(self, door, &upstreams.items[i]);
    }
    if (upstreams.count == 0) {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "there is none, so names outside the mesh are not answered; name the cluster's DNS with --dns-upstream");
    } else if (answered == 0) {
        doctor_add(self, DOCTOR_FAIL, "upstream",
                   "none answers, so names outside the mesh fail; name the cluster's DNS with --dns-upstream");
    }
}

void doctor_check_dns(doctor *self)
{
    addresses door = read_addresses(json_object_get(json_object_get(self->status, "listeners"), "dns"));
    if (self->status != NULL) {
        check_door(self, &door);
        check_mode(self);
    }
    check_resolv_conf(self, &door);
    if (self->status != NULL) {
        check_capture(self, &door);
        check_upstreams(self, &door);
    }
}
