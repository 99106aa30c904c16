// SPDX-License-Identifier: Apache-2.0
#include "http_get_priv.h"

#include "base/clock.h"
#include "sockets/open.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES ((size_t)256 << 20)
#define READ_BYTES ((size_t)64 << 10)

// --- The socket -----------------------------------------------------------------------------------------------------

static bool fill_address(const cli_http_request *request, ist_socket_address *ret_address)
{
    bool local = ist_strv_equal(request->host, IST_STRV("localhost"));
    return ist_socket_address_make(local ? IST_STRV("127.0.0.1") : request->host, request->port, ret_address);
}

// Waits for `events` until the deadline (monotonic).
static ist_status wait_for(int fd, short events, int64_t deadline_ms, ist_err *err)
{
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = events};
        int64_t left_ms = deadline_ms - ist_clock_now_ms(ist_clock_system());
        int count = left_ms > 0 ? poll(&ready, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX) : 0;
        if (count > 0) {
            return IST_OK;
        }
        if (count == 0) {
            return ist_err_set(err, IST_ETIMEOUT, "no answer in time");
        }
        if (errno != EINTR) {
            return ist_err_errno(err, errno, "poll");
        }
    }
}

static ist_status connect_to(int fd, const struct sockaddr *address, socklen_t length, int64_t deadline_ms, ist_err *err)
{
    int code = connect(fd, address, length) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        socklen_t size = sizeof(code);
        ist_status status = wait_for(fd, POLLOUT, deadline_ms, err);
        if (status != IST_OK) {
            return status;
        }
        code = getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
    }
    return code == 0 ? IST_OK : ist_err_errno(err, code, "cannot connect");
}

static ist_status send_all(int fd, ist_strv bytes, int64_t deadline_ms, ist_err *err)
{
    while (bytes.n != 0) {
        ssize_t sent = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return ist_err_errno(err, errno, "cannot send");
        }
        bytes = ist_strv_skip(bytes, sent > 0 ? (size_t)sent : 0);
        ist_status status = sent < 0 ? wait_for(fd, POLLOUT, deadline_ms, err) : IST_OK;
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// Reads to the end of the connection.
static ist_status receive_all(int fd, int64_t deadline_ms, ist_buf *in, ist_err *err)
{
    for (;;) {
        char *place = ist_buf_reserve(in, READ_BYTES);
        if (place == NULL) {
            return ist_err_set(err, ist_buf_status(in), "the answer is too large");
        }
        ssize_t got = recv(fd, place, READ_BYTES, 0);
        if (got == 0) {
            return IST_OK;
        }
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            return ist_err_errno(err, errno, "cannot read the answer");
        }
        ist_buf_commit(in, got > 0 ? (size_t)got : 0);
        ist_status status = got < 0 ? wait_for(fd, POLLIN, deadline_ms, err) : IST_OK;
        if (status != IST_OK) {
            return status;
        }
    }
}

static void write_request(const cli_http_request *request, ist_buf *out)
{
    bool v6 = ist_strv_find(request->host, ':') < request->host.n;
    ist_buf_printf(out,
                   "%s %s HTTP/1.1\r\nHost: %s%.*s%s:%u\r\nAccept: application/json\r\nUser-Agent: isthmus\r\n"
                   "Connection: close\r\n%s\r\n",
                   request->post ? "POST" : "GET", request->target, v6 ? "[" : "", IST_STRV_ARG(request->host),
                   v6 ? "]" : "", request->port, request->post ? "Content-Length: 0\r\n" : "");
}

static ist_status exchange(const cli_http_request *request, ist_buf *in, ist_err *err)
{
    ist_socket_address address;
    int64_t deadline_ms = ist_clock_now_ms(ist_clock_system()) + request->timeout_ms;
    if (!fill_address(request, &address)) {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\" is neither an IP address nor localhost", IST_STRV_ARG(request->host));
    }
    ist_buf out = IST_BUF_INIT;
    write_request(request, &out);
    ist_status status = ist_buf_status(&out);
    int fd = socket(address.any.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (status != IST_OK) {
        status = ist_err_set(err, status, "out of memory");
    } else if (fd < 0) {
        status = ist_err_errno(err, errno, "cannot open a socket");
    } else {
        status = connect_to(fd, (const struct sockaddr *)&address.any, address.length, deadline_ms, err);
    }
    if (status == IST_OK) {
        status = send_all(fd, ist_buf_view(&out), deadline_ms, err);
    }
    if (status == IST_OK) {
        status = receive_all(fd, deadline_ms, in, err);
    }
    if (fd >= 0) {
        (void)close(fd); // nothing is lost: all was read
    }
    ist_buf_done(&out);
    return status;
}

ist_status cli_http_get(const cli_http_request *request, cli_http_answer *ret_answer, ist_err *err)
{
    ist_buf in;
    ist_buf_init(&in, ANSWER_MAX_BYTES);
    ist_status status = exchange(request, &in, err);
    if (status == IST_OK) {
        status = cli_http_parse(ist_buf_view(&in), ret_answer, err);
    }
    ist_buf_done(&in);
    return status;
}

// --- The answer -----------------------------------------------------------------------------------------------------

typedef struct http_head {
    uint32_t status;
    bool from_isthmus;
    bool chunked;
    bool has_length;
    uint64_t length;
} http_head;

static ist_status not_http(ist_err *err)
{
    return ist_err_set(err, IST_EPARSE, "what answers there does not speak HTTP/1.1");
}

static ist_status cut_off(ist_err *err)
{
    return ist_err_set(err, IST_ECLOSED, "the answer ends in the middle");
}

// Cuts a line with its CR LF off the front; false where there is no whole one.
static bool cut_line(ist_strv *bytes, ist_strv *ret_line)
{
    bool found = false;
    ist_strv rest = *bytes;
    ist_strv line = ist_strv_cut(&rest, '\n', &found);
    if (!found) {
        return false;
    }
    *bytes = rest;
    *ret_line = ist_strv_ends_with(line, IST_STRV("\r")) ? ist_strv_first(line, line.n - 1) : line;
    return true;
}

// "HTTP/1.1 200 OK" (RFC 9112 section 4).
static bool parse_status_line(ist_strv line, uint32_t *ret_status)
{
    uint64_t status = 0;
    bool fine = ist_strv_starts_with(line, IST_STRV("HTTP/1.")) && line.n >= 12 && line.p[8] == ' ' &&
                ist_strv_to_u64(ist_strv_first(ist_strv_skip(line, 9), 3), 999, &status) == IST_OK && status >= 100;
    *ret_status = (uint32_t)status;
    return fine;
}

static bool parse_field(ist_strv line, http_head *head)
{
    ist_strv value = line;
    bool found = false;
    ist_strv name = ist_strv_cut(&value, ':', &found);
    value = ist_strv_trim(value);
    if (ist_strv_equal_nocase(name, IST_STRV("content-length"))) {
        head->has_length = true;
        return ist_strv_to_u64(value, ANSWER_MAX_BYTES, &head->length) == IST_OK;
    }
    if (ist_strv_equal_nocase(name, IST_STRV("transfer-encoding"))) {
        head->chunked = ist_strv_equal_nocase(value, IST_STRV("chunked"));
        return head->chunked;
    }
    head->from_isthmus = head->from_isthmus || ist_strv_equal_nocase(name, IST_STRV("x-isthmus-revision"));
    return found;
}

// Status line and fields up to the empty line.
static ist_status parse_head(ist_strv *bytes, http_head *head, ist_err *err)
{
    ist_strv line;
    *head = (http_head){0};
    if (!cut_line(bytes, &line)) {
        return bytes->n == 0 ? cut_off(err) : not_http(err);
    }
    if (!parse_status_line(line, &head->status)) {
        return not_http(err);
    }
    while (cut_line(bytes, &line)) {
        if (line.n == 0) {
            return IST_OK;
        }
        if (!parse_field(line, head)) {
            return ist_err_set(err, IST_EPARSE, "the answer has a broken header: %.*s", IST_STRV_ARG(ist_strv_first(line, 80)));
        }
    }
    return cut_off(err);
}

static bool parse_hex(ist_strv text, uint64_t *ret_value)
{
    static const char DIGITS[] = "0123456789abcdef";
    uint64_t value = 0;
    for (size_t i = 0; i < text.n; i++) {
        char lower = text.p[i] >= 'A' && text.p[i] <= 'F' ? (char)(text.p[i] | 0x20) : text.p[i];
        const char *digit = lower != '\0' ? strchr(DIGITS, lower) : NULL;
        if (digit == NULL || value > ANSWER_MAX_BYTES) {
            return false;
        }
        value = value * 16 + (uint64_t)(digit - DIGITS);
    }
    *ret_value = value;
    return text.n != 0;
}

// RFC 9112 section 7.1; extensions and trailers are skipped.
static ist_status parse_chunks(ist_strv bytes, ist_buf *body, ist_err *err)
{
    ist_strv line;
    while (cut_line(&bytes, &line)) {
        uint64_t size = 0;
        if (!parse_hex(ist_strv_trim(ist_strv_cut(&line, ';', NULL)), &size)) {
            return ist_err_set(err, IST_EPARSE, "the answer has a broken chunk");
        }
        if (size == 0) {
            return IST_OK;
        }
        if (size > bytes.n) {
            return cut_off(err);
        }
        ist_buf_append_strv(body, ist_strv_first(bytes, (size_t)size));
        bytes = ist_strv_skip(bytes, (size_t)size);
        if (!cut_line(&bytes, &line)) {
            return cut_off(err);
        }
        if (line.n != 0) {
            return ist_err_set(err, IST_EPARSE, "the answer has a broken chunk");
        }
    }
    return cut_off(err);
}

static ist_status parse_body(ist_strv bytes, const http_head *head, ist_buf *body, ist_err *err)
{
    if (head->chunked) {
        return parse_chunks(bytes, body, err);
    }
    if (head->has_length && bytes.n < head->length) {
        return cut_off(err);
    }
    ist_buf_append_strv(body, head->has_length ? ist_strv_first(bytes, (size_t)head->length) : bytes);
    return IST_OK;
}

ist_status cli_http_parse(ist_strv bytes, cli_http_answer *ret_answer, ist_err *err)
{
    http_head head;
    ist_status status;
    do {
        status = parse_head(&bytes, &head, err);
    } while (status == IST_OK && head.status < 200); // 1xx: the answer follows
    ist_buf body;
    ist_buf_init(&body, ANSWER_MAX_BYTES);
    if (status == IST_OK) {
        status = parse_body(bytes, &head, &body, err);
    }
    if (status == IST_OK && ist_buf_status(&body) != IST_OK) {
        status = ist_err_set(err, ist_buf_status(&body), "no memory for the answer");
    }
    if (status != IST_OK) {
        ist_buf_done(&body);
        return status;
    }
    *ret_answer = (cli_http_answer){.status = head.status, .from_isthmus = head.from_isthmus, .body = body};
    return IST_OK;
}
