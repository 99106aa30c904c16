// SPDX-License-Identifier: Apache-2.0
//
// Inside of `isthmus doctor`: a DNS question by UDP or TCP, and whose an address is (doctor_ask.c); the checks of the agent's
// door (doctor_dns.c), of what resolves names in the application (doctor_resolver.c) and of the upstreams
// (doctor_upstream.c). doctor.c has the command.
#pragma once

#include "cli_priv.h"
#include "dns_wire/address.h"

#define DOCTOR_TIMEOUT_MS 2000 // of each question, whoever is asked

// --- Asking ---------------------------------------------------------------------------------------------------------

typedef struct doctor_answer {
    uint16_t rcode;
    double ms;
    bool is_ours; // "revision=" stands behind the question, as only _why answers
    bool ends_in_opt; // as all our replies to questions with EDNS do
} doctor_answer;

// Where a listener is asked: at its address, on loopback where that is every address.
ist_dns_addr doctor_asked_at(const ist_dns_addr *listener) IST_NONNULL;
typedef struct doctor_question {
    const ist_dns_address *server; // asked at doctor_asked_at
    ist_strv name;
    uint16_t type;
    bool tcp;
    bool plain; // without EDNS
} doctor_question;
// One question and its answer. IST_ETIMEOUT, IST_EIO and others: *err says why.
ist_status doctor_ask(const doctor_question *question, doctor_answer *ret_answer, ist_err *err) IST_NONNULL_ARGS(1, 2)
    IST_MUSTCHECK;
// Why this process could not listen there by UDP; 0: it could.
int doctor_bind_errno(const ist_dns_address *address) IST_NONNULL;
// Whether a packet is an answer to the question with this id and these bytes, and what it says (all but `ms`).
bool doctor_read(ist_strv packet, uint16_t id, ist_strv question, doctor_answer *answer) IST_NONNULL;
// Whether a packet to `server` reaches a listener at `listener`: the same address, or every address and this is one of the
// machine's. Ports are not compared.
bool doctor_reaches(const ist_dns_addr *listener, const ist_dns_addr *server) IST_NONNULL;

// --- Findings -------------------------------------------------------------------------------------------------------

typedef enum doctor_result { DOCTOR_OK = 0, DOCTOR_WARN, DOCTOR_FAIL, _DOCTOR_RESULT_MAX } doctor_result;

typedef struct doctor {
    cli_session *session;
    const char *root;        // of the application's files: "" or a directory
    const char *resolv_conf; // whole path
    const char *libc;        // "auto", "glibc", "musl"
    json_t *status; // of the agent; NULL: none answers
    json_t *checks; // what was found, as -o json prints it
    size_t counts[_DOCTOR_RESULT_MAX];
} doctor;

// Adds a finding; the text is "what it is; what to do".
void doctor_add(doctor *self, doctor_result result, const char *check, const char *format, ...) IST_PRINTF(4, 5)
    IST_NONNULL_ARGS(1, 3, 4);
// As cli_fetch within DOCTOR_TIMEOUT_MS, where a failure is only a NULL.
json_t *doctor_fetch(const doctor *self, const char *target) IST_NONNULL;
// The agent's listeners, or its upstreams.
#define DOCTOR_ADDRESSES_MAX 16
typedef struct doctor_addresses {
    ist_dns_address items[DOCTOR_ADDRESSES_MAX];
    size_t count;
} doctor_addresses;
// The addresses in an array of texts, those that cannot be read left out. NULL: none.
doctor_addresses doctor_read_addresses(const json_t *array);

// In their order. `why` is a name that only the agent answers, empty where there is none.
void doctor_check_door(doctor *self, const doctor_addresses *door) IST_NONNULL;
void doctor_check_resolver(doctor *self, const doctor_addresses *door) IST_NONNULL;
void doctor_check_capture(doctor *self, const doctor_addresses *door, ist_strv why) IST_NONNULL;
void doctor_check_istio(doctor *self) IST_NONNULL;
void doctor_check_upstreams(doctor *self, const doctor_addresses *door, ist_strv why) IST_NONNULL;
void doctor_check_dns(doctor *self) IST_NONNULL; // all of these

// --- Files ----------------------------------------------------------------------------------------------------------

#define DOCTOR_PATH_BYTES 4096
// `path` below the root; NULL: too long.
const char *doctor_path(const doctor *self, const char *path, char *buffer) IST_NONNULL;
bool doctor_exists(const doctor *self, const char *path) IST_NONNULL; // below the root
// Appends a file's first 64 KiB; false: it cannot be read.
bool doctor_slurp(const char *path, ist_buf *out) IST_NONNULL;
