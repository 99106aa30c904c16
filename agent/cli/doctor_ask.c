// SPDX-License-Identifier: Apache-2.0
#include "doctor_priv.h"

#include "base/clock.h"
#include "dns_wire/message.h"
#include "sockets/open.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

ist_dns_addr doctor_asked_at(const ist_dns_addr *listener)
{
    static const ist_dns_addr V4 = {.family = 4, .bytes = {127, 0, 0, 1}};
    static const ist_dns_addr V6 = {.family = 6, .bytes = {[15] = 1}};
    return !ist_dns_addr_is_any(listener) ? *listener : listener->family == 4 ? V4 : V6;
}

bool doctor_reaches(const ist_dns_addr *listener, const ist_dns_addr *server)
{
    if (!ist_dns_addr_is_any(listener)) {
        return ist_dns_addr_equal(listener, server);
    }
    if (listener->family == 4 && server->family == 6) {
        return false;
    }
    const ist_dns_address any_port = {.ip = *server};
    return doctor_bind_errno(&any_port) == 0; // only an address of this machine can be bound
}

bool doctor_read(ist_strv packet, uint16_t id, ist_strv question, doctor_answer *answer)
{
    static const char MARK[] = "revision=";
    static const char OPT[] = {0, 0, IST_DNS_TYPE_OPT}; // of the root, RFC 6891
    const uint8_t *bytes = (const uint8_t *)packet.p;
    if (packet.n < IST_DNS_HEADER_BYTES + question.n || (bytes[0] << 8 | bytes[1]) != id || (bytes[2] & 0x80) == 0 ||
        memcmp(packet.p + IST_DNS_HEADER_BYTES, question.p, question.n) != 0) {
        return false;
    }
    answer->rcode = ist_dns_message_rcode(bytes, packet.n);
    answer->is_ours = ist_strv_contains(ist_strv_skip(packet, IST_DNS_HEADER_BYTES + question.n), ist_strv_from(MARK));
    answer->ends_in_opt = packet.n >= IST_DNS_HEADER_BYTES + question.n + IST_DNS_OPT_BYTES &&
                          memcmp(packet.p + packet.n - IST_DNS_OPT_BYTES, OPT, sizeof(OPT)) == 0;
    return true;
}

// Waits for bytes; what came, 0 where there was nothing to read after all. IST_ETIMEOUT, IST_EIO: *err says why.
static ist_status read_some(int fd, char *bytes, size_t max, int64_t deadline_ms, size_t *ret_count, ist_err *err)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int64_t left_ms = deadline_ms - ist_clock_now_ms(ist_clock_system());
    if (left_ms <= 0) {
        return ist_err_set(err, IST_ETIMEOUT, "no answer within %d s", DOCTOR_TIMEOUT_MS / 1000);
    }
    int count = poll(&ready, 1, (int)left_ms);
    ssize_t got = count > 0 ? recv(fd, bytes, max, MSG_DONTWAIT) : 0;
    if ((count < 0 || got < 0) && errno != EINTR && errno != EAGAIN) {
        return ist_err_errno(err, errno, "no answer");
    }
    if (count > 0 && got == 0) {
        return ist_err_set(err, IST_EIO, "no answer: the connection was closed");
    }
    *ret_count = got > 0 ? (size_t)got : 0;
    return IST_OK;
}

// Waits for the answer among what may come besides.
static ist_status receive_udp(int fd, uint16_t id, ist_strv question, int64_t deadline_ms, doctor_answer *answer, ist_err *err)
{
    char packet[IST_DNS_TCP_MAX];
    size_t got = 0;
    ist_status status = IST_OK;
    while (status == IST_OK && !doctor_read(ist_strv_make(packet, got), id, question, answer)) {
        status = read_some(fd, packet, sizeof(packet), deadline_ms, &got, err);
    }
    return status;
}

static ist_status receive_tcp(int fd, uint16_t id, ist_strv question, int64_t deadline_ms, doctor_answer *answer, ist_err *err)
{
    char bytes[2 + IST_DNS_TCP_MAX];
    size_t have = 0;
    size_t want = 2;
    while (have < want) {
        size_t got = 0;
        ist_status status = read_some(fd, bytes + have, want - have, deadline_ms, &got, err);
        if (status != IST_OK) {
            return status;
        }
        have += got;
        if (have == 2) {
            want = 2 + ((size_t)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1]);
        }
    }
    if (!doctor_read(ist_strv_make(bytes + 2, want - 2), id, question, answer)) {
        return ist_err_set(err, IST_EPARSE, "what came is no answer to the question");
    }
    return IST_OK;
}

static ist_status exchange(int fd, const ist_socket_address *to, const doctor_question *question, const ist_dns_ask *ask,
                           doctor_answer *answer, ist_err *err)
{
    uint8_t bytes[2 + IST_DNS_ASK_BYTES_MAX];
    uint16_t id = 0;
    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
        return ist_err_errno(err, errno, "no random id");
    }
    size_t length = ist_dns_ask_write(ask, id, !question->plain, bytes + 2);
    const uint8_t *start = question->tcp ? bytes : bytes + 2;
    bytes[0] = (uint8_t)(length >> 8);
    bytes[1] = (uint8_t)length;
    int64_t start_us = ist_clock_now_us();
    int64_t deadline_ms = ist_clock_now_ms(ist_clock_system()) + DOCTOR_TIMEOUT_MS;
    if (connect(fd, (const struct sockaddr *)&to->any, to->length) != 0 ||
        send(fd, start, length + (question->tcp ? 2 : 0), MSG_NOSIGNAL) < 0) {
        bool late = errno == EINPROGRESS || errno == EAGAIN; // SO_SNDTIMEO is over
        return late ? ist_err_set(err, IST_ETIMEOUT, "no connection within %d s", DOCTOR_TIMEOUT_MS / 1000)
                    : ist_err_errno(err, errno, "cannot ask");
    }
    ist_strv asked = ist_strv_make((const char *)ask->question, ask->question_length);
    ist_status status = question->tcp ? receive_tcp(fd, id, asked, deadline_ms, answer, err)
                                      : receive_udp(fd, id, asked, deadline_ms, answer, err);
    answer->ms = (double)(ist_clock_now_us() - start_us) / 1e3;
    return status;
}

ist_status doctor_ask(const doctor_question *question, doctor_answer *ret_answer, ist_err *err)
{
    static const struct timeval PATIENCE = {.tv_sec = DOCTOR_TIMEOUT_MS / 1000};
    ist_dns_ask ask;
    ist_dns_addr to = doctor_asked_at(&question->server->ip);
    ist_socket_address address = ist_socket_address_of(to.family, to.bytes, question->server->port);
    if (ist_dns_ask_make(&ask, question->name, question->type) != IST_OK) {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\" cannot be asked", IST_STRV_ARG(question->name));
    }
    int fd = socket(address.any.ss_family, (question->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ist_err_errno(err, errno, "cannot open a socket");
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &PATIENCE, sizeof(PATIENCE)); // else the kernel's, which is longer
    *ret_answer = (doctor_answer){0};
    ist_status status = exchange(fd, &address, question, &ask, ret_answer, err);
    (void)close(fd); // nothing is lost
    return status;
}

int doctor_bind_errno(const ist_dns_address *address)
{
    ist_socket_address socket_address = ist_socket_address_of(address->ip.family, address->ip.bytes, address->port);
    int fd = socket(socket_address.any.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int reason = fd < 0 || bind(fd, (const struct sockaddr *)&socket_address.any, socket_address.length) != 0 ? errno : 0;
    if (fd >= 0) {
        (void)close(fd); // nothing was written
    }
    return reason;
}
