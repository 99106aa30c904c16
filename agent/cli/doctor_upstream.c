// SPDX-License-Identifier: Apache-2.0
//
// The upstreams: does each answer what resolvers ask, in each way in which it is asked, and not by asking us?
#include "doctor_priv.h"

#include "dns_wire/present.h"
#include "dns_wire/types.h"

#include <stdio.h>

#define PROBE "isthmus-doctor.invalid" // RFC 6761: nobody has it, and every name server may say so at once

typedef struct upstream {
    const ist_dns_address *address;
    const char *text; // the address, and the domain of a route
    ist_strv probe;   // a name that it must know of, existing or not
    ist_strv why;
} upstream;

static doctor_question probe(const upstream *up)
{
    return (doctor_question){.server = up->address, .name = up->probe, .type = IST_DNS_TYPE_A};
}

static bool asks_itself(const doctor_addresses *door, const ist_dns_address *address)
{
    for (size_t i = 0; i < door->count; i++) {
        if (door->items[i].port == address->port && doctor_reaches(&door->items[i].ip, &address->ip)) {
            return true;
        }
    }
    return false;
}

// NULL: it does not; else how the questions that we forward come back.
static const char *loops(const doctor_addresses *door, const upstream *up)
{
    static const ist_dns_addr STUB = {.family = 4, .bytes = {127, 0, 0, 53}};
    doctor_question question = {.server = up->address, .name = up->why, .type = IST_DNS_TYPE_TXT};
    doctor_answer answer;
    if (asks_itself(door, up->address)) {
        return "is the agent itself";
    }
    if (ist_dns_addr_equal(&up->address->ip, &STUB)) {
        return "is systemd-resolved, which asks the servers that the machine names";
    }
    bool ours = up->why.n != 0 && doctor_ask(&question, &answer, NULL) == IST_OK && answer.is_ours;
    return ours ? "asks this agent" : NULL;
}

// It has answered A by UDP: then all of these have to work too.
static void check_ways(doctor *self, const upstream *up)
{
    doctor_answer answer;
    ist_err err = IST_ERR_NULL;
    doctor_question question = probe(up);
    question.type = IST_DNS_TYPE_AAAA;
    if (doctor_ask(&question, &answer, &err) != IST_OK) {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "%s answers A, but of AAAA: %s; resolvers ask both and wait for both: it, or what stands before it, must let "
                   "AAAA through",
                   up->text, err.text);
    }
    question = probe(up);
    question.tcp = true;
    if (doctor_ask(&question, &answer, &err) != IST_OK) {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "%s by TCP: %s; answers that are too long for UDP come cut: open TCP port %u to it", up->text, err.text,
                   (unsigned)up->address->port);
    }
}

static void judge(doctor *self, const upstream *up, const doctor_answer *answer)
{
    char text[IST_DNS_CODE_TEXT_SIZE];
    const char *rcode = ist_dns_rcode_present(answer->rcode, text);
    if (answer->rcode == IST_DNS_NXDOMAIN || answer->rcode == IST_DNS_NOERROR) {
        doctor_add(self, DOCTOR_OK, "upstream", "%s answers in %.1f ms", up->text, answer->ms);
        check_ways(self, up);
    } else if (answer->rcode == IST_DNS_REFUSED) {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "%s answers REFUSED: it does not resolve for this machine; allow recursion for it there, or name another "
                   "with --dns-upstream",
                   up->text);
    } else {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "%s answers %s in %.1f ms; it must resolve what it is asked for: look at its own upstreams and its log",
                   up->text, rcode, answer->ms);
    }
}

// Whether it answered.
static bool check_upstream(doctor *self, const doctor_addresses *door, const upstream *up)
{
    doctor_answer answer;
    ist_err err = IST_ERR_NULL;
    doctor_question question = probe(up);
    const char *loop = loops(door, up);
    if (loop != NULL) {
        doctor_add(self, DOCTOR_FAIL, "upstream",
                   "%s %s: what we forward comes back to us; name the cluster's DNS with --dns-upstream", up->text, loop);
        return true;
    }
    if (doctor_ask(&question, &answer, &err) == IST_OK) {
        judge(self, up, &answer);
        return true;
    }
    question.plain = true;
    if (err.code == IST_ETIMEOUT && doctor_ask(&question, &answer, NULL) == IST_OK) {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "%s answers only questions without EDNS; something between, an old firewall perhaps, drops the others: let "
                   "them through, or name another with --dns-upstream",
                   up->text);
        return true;
    }
    doctor_add(self, DOCTOR_WARN, "upstream", "%s: %s; is it a name server, and is there a way to it?", up->text, err.text);
    return false;
}

// Those of one domain.
static void check_route(doctor *self, const doctor_addresses *door, const char *domain, const doctor_addresses *upstreams,
                        ist_strv why)
{
    char name[IST_DNS_NAME_MAX + 1];
    bool fits = snprintf(name, sizeof(name), "isthmus-doctor.%s", domain) < (int)sizeof(name);
    size_t answered = 0;
    for (size_t i = 0; i < upstreams->count; i++) {
        char address[IST_DNS_ADDRESS_TEXT_SIZE];
        char text[IST_DNS_ADDRESS_TEXT_SIZE + sizeof(" (for )") + IST_DNS_NAME_MAX];
        (void)snprintf(text, sizeof(text), "%s (for %s)", ist_dns_address_format(&upstreams->items[i], address), domain);
        upstream up = {
            .address = &upstreams->items[i], .text = text, .probe = ist_strv_from(fits ? name : domain), .why = why};
        answered += check_upstream(self, door, &up) ? 1 : 0;
    }
    if (answered == 0) {
        doctor_add(self, DOCTOR_FAIL, "upstream",
                   "of those for %s none answers, so %s and names below it fail; look at --dns-route", domain, domain);
    }
}

static void check_routes(doctor *self, const doctor_addresses *door, ist_strv why)
{
    const char *domain;
    json_t *list;
    json_object_foreach(json_object_get(self->status, "upstream_routes"), domain, list)
    {
        doctor_addresses upstreams = doctor_read_addresses(list);
        check_route(self, door, domain, &upstreams, why);
    }
}

void doctor_check_upstreams(doctor *self, const doctor_addresses *door, ist_strv why)
{
    doctor_addresses upstreams = doctor_read_addresses(json_object_get(self->status, "upstreams"));
    size_t answered = 0;
    for (size_t i = 0; i < upstreams.count; i++) {
        char text[IST_DNS_ADDRESS_TEXT_SIZE];
        upstream up = {.address = &upstreams.items[i],
                       .text = ist_dns_address_format(&upstreams.items[i], text),
                       .probe = IST_STRV(PROBE),
                       .why = why};
        answered += check_upstream(self, door, &up) ? 1 : 0;
    }
    if (upstreams.count == 0) {
        doctor_add(self, DOCTOR_WARN, "upstream",
                   "there is none, so names outside the mesh are not answered; name the cluster's DNS with --dns-upstream");
    } else if (answered == 0) {
        doctor_add(self, DOCTOR_FAIL, "upstream",
                   "none answers, so names outside the mesh fail; name the cluster's DNS with --dns-upstream");
    }
    check_routes(self, door, why);
}
