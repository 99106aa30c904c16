// SPDX-License-Identifier: Apache-2.0
//
// What `isthmus doctor` looks at of the agent's DNS door: does it listen, does it serve, and who answers there?
#include "doctor_priv.h"

#include "dns_wire/types.h"

#include <errno.h>

#define PORT 53 // the only one that resolv.conf can name
#define ANNOTATION                                                                                                     \
    "the pod's annotation proxy.istio.io/config: '{\"proxyMetadata\":{\"ISTIO_META_DNS_CAPTURE\":\"false\"}}' switches it off"

doctor_addresses doctor_read_addresses(const json_t *array)
{
    doctor_addresses list = {.count = 0};
    size_t i;
    json_t *text;
    json_array_foreach(array, i, text)
    {
        ist_strv address = ist_strv_make(json_string_value(text), json_string_length(text));
        if (list.count < DOCTOR_ADDRESSES_MAX &&
            ist_dns_address_parse(address, PORT, &list.items[list.count], NULL) == IST_OK) {
            list.count++;
        }
    }
    return list;
}

// --- The door -------------------------------------------------------------------------------------------------------

// The agent's log has the reason; what we can see ourselves of it is said at once.
static const char *why_closed(void)
{
    static const ist_dns_address USUAL = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = PORT};
    switch (doctor_bind_errno(&USUAL)) {
    case EACCES:
        return "this process may not bind port 53: give the container the capability NET_BIND_SERVICE, or the pod the sysctl "
               "net.ipv4.ip_unprivileged_port_start=53";
    case EADDRINUSE:
        return "another program has port 53 (`ss -lunp 'sport = :53'` shows it): stop it, or give --dns-listen another address, "
               "such as 127.0.0.54:53";
    default:
        return "it is off, or its address was busy; see --dns-listen and the agent's log";
    }
}

void doctor_check_door(doctor *self, const doctor_addresses *door)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    if (door->count == 0) {
        doctor_add(self, DOCTOR_FAIL, "dns-door", "DNS does not listen: %s", why_closed());
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

// --- Who answers at the agent's address -----------------------------------------------------------------------------

// One way to the door. Whether the agent itself answers.
static bool judge_capture(doctor *self, const doctor_question *question, const char *address)
{
    doctor_answer answer;
    ist_err err = IST_ERR_NULL;
    const char *way = question->tcp ? " by TCP" : "";
    bool is_why = question->type == IST_DNS_TYPE_TXT;
    if (doctor_ask(question, &answer, &err) != IST_OK) {
        doctor_add(self, DOCTOR_FAIL, "capture", "%s%s: %s; look for a packet filter, and at the agent's log", address, way,
                   err.text);
    } else if (is_why && !answer.is_ours) {
        doctor_add(self, DOCTOR_FAIL, "capture", "another answers for %s%s, as Istio's DNS capture does; %s", address, way,
                   ANNOTATION);
    } else if (!answer.ends_in_opt) {
        doctor_add(self, DOCTOR_FAIL, "capture",
                   "another answers addresses for %s%s and passes only what it does not know on to us, as Istio's DNS capture "
                   "does: services get virtual IPs; %s, or use names that only we have",
                   address, way, ANNOTATION);
    } else if (question->type == IST_DNS_TYPE_A && !question->tcp) {
        doctor_add(self, DOCTOR_OK, "capture", "%s answers itself, by UDP in %.1f ms, and by TCP", address, answer.ms);
    }
    return err.code == IST_OK && (!is_why || answer.is_ours) && answer.ends_in_opt;
}

void doctor_check_capture(doctor *self, const doctor_addresses *door, ist_strv why)
{
    if (why.n == 0 && door->count != 0) {
        doctor_add(self, DOCTOR_WARN, "capture", "not looked at: no service of the mesh is served by DNS now");
        return;
    }
    for (size_t i = 0; i < door->count; i++) {
        char text[IST_DNS_ADDRESS_TEXT_SIZE];
        const char *address = ist_dns_address_format(&door->items[i], text);
        doctor_question question = {.server = &door->items[i], .name = why, .type = IST_DNS_TYPE_TXT};
        bool fine = judge_capture(self, &question, address);
        question.tcp = true;
        fine = fine && judge_capture(self, &question, address);
        question = (doctor_question){
            .server = question.server, .name = ist_strv_skip(why, sizeof("_why.") - 1), .type = IST_DNS_TYPE_A};
        if (fine) {
            (void)judge_capture(self, &question, address);
        }
    }
}

// --- Istio's own DNS proxy ------------------------------------------------------------------------------------------

// Does somebody have this port? The kernel's tables have it behind the first colon of each line's second word, in hexadecimal.
static bool has_port(const char *table, const char *port)
{
    ist_buf text = IST_BUF_INIT;
    bool found = false;
    bool more = doctor_slurp(table, &text);
    ist_strv rest = ist_buf_view(&text);
    while (more && !found) {
        ist_strv line = ist_strv_trim(ist_strv_cut(&rest, '\n', &more));
        (void)ist_strv_cut(&line, ' ', NULL); // the number of the line, with a colon
        ist_strv local = ist_strv_cut(&line, ' ', NULL);
        (void)ist_strv_cut(&local, ':', NULL);
        found = ist_strv_equal(local, ist_strv_from(port));
    }
    ist_buf_done(&text);
    return found;
}

static bool says_true(ist_strv text)
{
    size_t at = 0;
    static const ist_strv NAME = IST_STRV_INIT("ISTIO_META_DNS_CAPTURE");
    while (at < text.n && !ist_strv_starts_with(ist_strv_skip(text, at), NAME)) {
        at++;
    }
    ist_strv value = ist_strv_skip(text, at < text.n ? at + NAME.n : text.n);
    // The annotation is YAML or JSON, escaped once more in the file: NAME\":\"true\" or NAME: "true".
    while (value.n != 0 && ist_strv_find(IST_STRV("\\\": '="), value.p[0]) < 6) {
        value = ist_strv_skip(value, 1);
    }
    return ist_strv_starts_with(value, IST_STRV("true"));
}

void doctor_check_istio(doctor *self)
{
    char path[DOCTOR_PATH_BYTES];
    ist_buf annotations = IST_BUF_INIT;
    const char *file = doctor_path(self, "/etc/istio/pod/annotations", path);
    bool known = file != NULL && doctor_slurp(file, &annotations);
    bool asked = says_true(ist_buf_view(&annotations));
    if (has_port("/proc/net/udp", "3ACD") || has_port("/proc/net/udp6", "3ACD")) { // 15053
        doctor_add(self, DOCTOR_WARN, "istio-dns",
                   "Istio's DNS proxy runs in this pod, on port 15053: where the pod's rules lead port 53 there, it answers "
                   "before us; %s",
                   ANNOTATION);
    } else if (asked) {
        doctor_add(self, DOCTOR_WARN, "istio-dns", "the pod asks for Istio's DNS capture, which answers before us; %s",
                   ANNOTATION);
    } else if (known) {
        doctor_add(self, DOCTOR_OK, "istio-dns", "the pod does not ask for Istio's DNS capture, and nobody has port 15053");
    }
    ist_buf_done(&annotations);
}

// --- All ------------------------------------------------------------------------------------------------------------

// A name that only we know, "_why." and a service. There is none where the mesh is empty, or where the upstream answers.
static void find_why(const doctor *self, const doctor_addresses *door, ist_buf *out)
{
    json_t *services = door->count != 0 && cli_is(self->status, "dns_mode", "serve") ? doctor_fetch(self, "/v1/services")
                                                                                     : NULL;
    size_t i;
    json_t *service;
    json_array_foreach(json_object_get(services, "services"), i, service)
    {
        ist_strv host = cli_text(service, "host");
        if (host.n != 0 && ist_strv_find(host, '*') == host.n) {
            ist_buf_printf(out, "_why.%.*s", IST_STRV_ARG(host));
            break;
        }
    }
    json_decref(services);
}

void doctor_check_dns(doctor *self)
{
    ist_buf why = IST_BUF_INIT;
    doctor_addresses door = doctor_read_addresses(json_object_get(json_object_get(self->status, "listeners"), "dns"));
    if (self->status != NULL) {
        doctor_check_door(self, &door);
        check_mode(self);
        find_why(self, &door, &why);
    }
    doctor_check_resolver(self, &door);
    if (self->status != NULL) {
        doctor_check_capture(self, &door, ist_buf_view(&why));
    }
    doctor_check_istio(self);
    if (self->status != NULL) {
        doctor_check_upstreams(self, &door, ist_buf_view(&why));
    }
    ist_buf_done(&why);
}
