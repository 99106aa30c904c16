// SPDX-License-Identifier: Apache-2.0
//
// Inside of `isthmus doctor`: a DNS question by UDP, and whose an address is (doctor_ask.c); the checks of DNS
// (doctor_dns.c). doctor.c has the command.
#pragma once

#include "cli_priv.h"
#include "dns_wire/address.h"

#define DOCTOR_TIMEOUT_MS 2000 // of each question, whoever is asked

// --- Asking ---------------------------------------------------------------------------------------------------------

typedef struct doctor_answer {
    uint16_t rcode;
    double ms;
    bool is_ours; // "revision=" stands behind the question, as only _why answers
} doctor_answer;

// Where a listener is asked: at its address, on loopback where that is every address.
ist_dns_addr doctor_asked_at(const ist_dns_addr *listener) IST_NONNULL;
// One question by UDP to `server`, at doctor_asked_at. IST_ETIMEOUT, IST_EIO and others: *err says why.
ist_status doctor_ask(const ist_dns_address *server, ist_strv name, uint16_t type, doctor_answer *ret_answer, ist_err *err)
    IST_NONNULL IST_MUSTCHECK;
// Whether a packet is an answer to the question with this id and these bytes, and what it says (all but `ms`).
bool doctor_read(ist_strv packet, uint16_t id, ist_strv question, doctor_answer *answer) IST_NONNULL;
// Whether a packet to `server` reaches a listener at `listener`: the same address, or every address and this is one of the
// machine's. Ports are not compared.
bool doctor_reaches(const ist_dns_addr *listener, const ist_dns_addr *server) IST_NONNULL;

// --- Findings -------------------------------------------------------------------------------------------------------

typedef enum doctor_result { DOCTOR_OK = 0, DOCTOR_WARN, DOCTOR_FAIL, _DOCTOR_RESULT_MAX } doctor_result;

typedef struct doctor {
    cli_session *session;
    const char *resolv_conf;
    json_t *status; // of the agent; NULL: none answers
    json_t *checks; // what was found, as -o json prints it
    size_t counts[_DOCTOR_RESULT_MAX];
} doctor;

// Adds a finding; the text is "what it is; what to do".
void doctor_add(doctor *self, doctor_result result, const char *check, const char *format, ...) IST_PRINTF(4, 5)
    IST_NONNULL_ARGS(1, 3, 4);
// As cli_fetch within DOCTOR_TIMEOUT_MS, where a failure is only a NULL.
json_t *doctor_fetch(const doctor *self, const char *target) IST_NONNULL;
void doctor_check_dns(doctor *self) IST_NONNULL;
