// SPDX-License-Identifier: Apache-2.0
#include "secret_priv.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BEARER "Bearer "
#define CHUNK_BYTES ((size_t)4096)

// Appends the file; more than `max_bytes` is IST_ELIMIT.
static ist_status append_file(ist_buf *buf, int fd, size_t max_bytes, const char *file, ist_err *err)
{
    size_t before = buf->length;
    for (;;) {
        char *place = ist_buf_reserve(buf, CHUNK_BYTES);
        if (place == NULL) {
            return ist_err_set(err, ist_buf_status(buf), "no memory to read %s", file);
        }
        ssize_t got = read(fd, place, CHUNK_BYTES);
        if (got < 0) {
            return ist_err_errno(err, errno, "cannot read %s", file);
        }
        if (got == 0) {
            return IST_OK;
        }
        ist_buf_commit(buf, (size_t)got);
        if (buf->length - before > max_bytes) {
            return ist_err_set(err, IST_ELIMIT, "%s has more than %zu bytes: it is not the right file", file,
                               max_bytes);
        }
    }
}

static ist_status read_file(const char *file, size_t max_bytes, ist_buf *buf, const char *advice, ist_err *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // not blocked by a FIFO
    if (fd < 0) {
        ist_status status = ist_err_errno(err, errno, "cannot open %s", file);
        if (err != NULL) {
            ist_err cause = *err;
            (void)ist_err_set(err, status, "%s; %s", cause.text, advice);
        }
        return status;
    }
    ist_status status = append_file(buf, fd, max_bytes, file, err);
    (void)close(fd);
    return status;
}

static bool is_header_value(ist_strv text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < 0x21 || text.p[i] > 0x7e) {
            return false;
        }
    }
    return text.n != 0;
}

// Takes the text out of the buffer, terminated.
static ist_status give(ist_buf *buf, const char *file, char **ret_text, ist_err *err)
{
    char *text = ist_buf_steal(buf, NULL);
    if (text == NULL) {
        return ist_err_set(err, IST_ENOMEM, "no memory to read %s", file);
    }
    *ret_text = text;
    return IST_OK;
}

static void wipe(ist_buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->capacity);
    }
    ist_buf_done(buf);
}

ist_status ist_xds_grpc_read_bearer(const char *file, char **ret_text, ist_err *err)
{
    static const char advice[] =
        "mount the projected service account token there (audience istio-ca), or set --xds-token";
    ist_buf raw;
    ist_buf header;
    ist_buf_init(&raw, IST_XDS_GRPC_MAX_TOKEN_BYTES + 2 * CHUNK_BYTES);
    ist_buf_init(&header, IST_XDS_GRPC_MAX_TOKEN_BYTES + 2 * CHUNK_BYTES);
    ist_status status = read_file(file, IST_XDS_GRPC_MAX_TOKEN_BYTES, &raw, advice, err);
    if (status != IST_OK) {
        goto out;
    }
    ist_strv token = ist_strv_trim(ist_buf_view(&raw));
    if (token.n == 0) {
        status = ist_err_set(err, IST_EINVAL, "%s is empty; %s", file, advice);
        goto out;
    }
    if (!is_header_value(token)) {
        status = ist_err_set(err, IST_EINVAL, "%s is no token: it holds spaces, line ends or bytes that are not ASCII",
                             file);
        goto out;
    }
    ist_buf_append_str(&header, BEARER);
    ist_buf_append_strv(&header, token);
    status = give(&header, file, ret_text, err);
out:
    wipe(&raw);
    wipe(&header);
    return status;
}

ist_status ist_xds_grpc_read_root(const char *file, char **ret_text, ist_err *err)
{
    static const char advice[] = "mount the ConfigMap istio-ca-root-cert there, or set --xds-root-ca";
    ist_buf pem;
    ist_buf_init(&pem, IST_XDS_GRPC_MAX_ROOT_BYTES + 2 * CHUNK_BYTES);
    ist_status status = read_file(file, IST_XDS_GRPC_MAX_ROOT_BYTES, &pem, advice, err);
    if (status != IST_OK) {
        goto out;
    }
    if (!ist_strv_contains(ist_buf_view(&pem), IST_STRV("-----BEGIN CERTIFICATE-----"))) {
        status = ist_err_set(err, IST_EINVAL, "%s holds no PEM certificate; %s", file, advice);
        goto out;
    }
    status = give(&pem, file, ret_text, err);
out:
    ist_buf_done(&pem);
    return status;
}

void ist_xds_grpc_secret_free(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        ist_free(text);
    }
}
