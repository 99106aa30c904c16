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
    ist_socket_address address = ist_socket_address_of(server->family, server->bytes, 0);
    int fd = socket(address.any.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // Only an address of this machine can be bound.
    bool local = fd >= 0 && bind(fd, (const struct sockaddr *)&address.any, address.length) == 0;
    if (fd >= 0) {
        (void)close(fd); // nothing was written
    }
    return local;
}

bool doctor_read(ist_strv packet, uint16_t id, ist_strv question, doctor_answer *answer)
{
    static const char MARK[] = "revision=";
    const uint8_t *bytes = (const uint8_t *)packet.p;
    if (packet.n < IST_DNS_HEADER_BYTES + question.n || (bytes[0] << 8 | bytes[1]) != id || (bytes[2] & 0x80) == 0 ||
        memcmp(packet.p + IST_DNS_HEADER_BYTES, question.p, question.n) != 0) {
        return false;
    }
    answer->rcode = ist_dns_message_rcode(bytes, packet.n);
    answer->is_ours = ist_strv_contains(ist_strv_skip(packet, IST_DNS_HEADER_BYTES + question.n), ist_strv_from(MARK));
    return true;
}

// Waits for the answer among what may come besides.
static ist_status receive(int fd, uint16_t id, ist_strv question, int64_t deadline_ms, doctor_answer *answer, ist_err *err)
{
    char packet[IST_DNS_TCP_MAX];
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left_ms = deadline_ms - ist_clock_now_ms(ist_clock_system());
        if (left_ms <= 0) {
            return ist_err_set(err, IST_ETIMEOUT, "no answer within %d s", DOCTOR_TIMEOUT_MS / 1000);
        }
        int count = poll(&ready, 1, (int)left_ms);
        ssize_t got = count > 0 ? recv(fd, packet, sizeof(packet), MSG_DONTWAIT) : 0;
        if (count < 0 || got < 0) {
            if (errno != EINTR && errno != EAGAIN) {
                return ist_err_errno(err, errno, "no answer");
            }
        } else if (doctor_read(ist_strv_make(packet, (size_t)got), id, question, answer)) {
            return IST_OK;
        }
    }
}

static ist_status exchange(int fd, const ist_socket_address *to, const ist_dns_ask *ask, doctor_answer *answer, ist_err *err)
{
    uint8_t packet[IST_DNS_ASK_BYTES_MAX];
    uint16_t id = 0;
    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
        return ist_err_errno(err, errno, "no random id");
    }
    size_t length = ist_dns_ask_write(ask, id, true, packet);
    int64_t start_us = ist_clock_now_us();
    int64_t deadline_ms = ist_clock_now_ms(ist_clock_system()) + DOCTOR_TIMEOUT_MS;
    if (connect(fd, (const struct sockaddr *)&to->any, to->length) != 0 || send(fd, packet, length, MSG_NOSIGNAL) < 0) {
        return ist_err_errno(err, errno, "cannot ask");
    }
    ist_status status =
        receive(fd, id, ist_strv_make((const char *)ask->question, ask->question_length), deadline_ms, answer, err);
    answer->ms = (double)(ist_clock_now_us() - start_us) / 1e3;
    return status;
}

ist_status doctor_ask(const ist_dns_address *server, ist_strv name, uint16_t type, doctor_answer *ret_answer, ist_err *err)
{
    ist_dns_ask ask;
    ist_dns_addr to = doctor_asked_at(&server->ip);
    ist_socket_address address = ist_socket_address_of(to.family, to.bytes, server->port);
    if (ist_dns_ask_make(&ask, name, type) != IST_OK) {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\" cannot be asked", IST_STRV_ARG(name));
    }
    int fd = socket(address.any.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ist_err_errno(err, errno, "cannot open a socket");
    }
    *ret_answer = (doctor_answer){0};
    ist_status status = exchange(fd, &address, &ask, ret_answer, err);
    (void)close(fd); // nothing is lost
    return status;
}
