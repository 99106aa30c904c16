// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *ist_status_name(ist_status status)
{
    static const char *const names[] = {
        [IST_OK] = "ok",
        [IST_ENOMEM] = "out of memory",
        [IST_EINVAL] = "invalid",
        [IST_EPARSE] = "malformed",
        [IST_ELIMIT] = "limit reached",
        [IST_ENOTFOUND] = "not found",
        [IST_EEXIST] = "exists already",
        [IST_EIO] = "input/output error",
        [IST_EBUSY] = "in use",
        [IST_EACCES] = "not permitted",
        [IST_ETIMEOUT] = "timed out",
        [IST_EAGAIN] = "try again",
        [IST_ECLOSED] = "closed",
        [IST_EAUTH] = "authentication failed",
        [IST_EUNSUPPORTED] = "not supported",
        [IST_EINTERNAL] = "internal error",
    };
    _Static_assert(IST_COUNT(names) == _IST_STATUS_MAX, "a status has no name");
    return (unsigned)status < IST_COUNT(names) ? names[status] : "unknown status";
}

// Cuts a half UTF-8 character off the end of a text that did not fit.
static void trim_cut_text(char *text)
{
    size_t length = strlen(text);
    size_t start = length;
    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return;
    }
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - start + 1 < wanted) {
        text[start - 1] = '\0';
    }
}

ist_status ist_err_vset(ist_err *err, ist_status code, const char *format, va_list args)
{
    if (err == NULL) {
        return code;
    }
    err->code = code;
    int length = vsnprintf(err->text, sizeof(err->text), format, args);
    if (length < 0) {
        err->text[0] = '\0';
    } else if ((size_t)length >= sizeof(err->text)) {
        trim_cut_text(err->text);
    }
    return code;
}

ist_status ist_err_set(ist_err *err, ist_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)ist_err_vset(err, code, format, args); // returns `code`
    va_end(args);
    return code;
}

void ist_err_prefix(ist_err *err, const char *format, ...)
{
    if (err == NULL || err->code == IST_OK) {
        return;
    }
    ist_err prefix = IST_ERR_NULL;
    va_list args;
    va_start(args, format);
    (void)ist_err_vset(&prefix, err->code, format, args); // returns the code given
    va_end(args);
    ist_err old = *err;
    (void)ist_err_set(err, old.code, "%s: %s", prefix.text, old.text); // returns the code given
}

static ist_status status_of_errno(int errnum)
{
    switch (errnum) {
    case ENOMEM:
        return IST_ENOMEM;
    case EINVAL:
    case ENAMETOOLONG:
        return IST_EINVAL;
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EMSGSIZE:
    case ENOBUFS:
        return IST_ELIMIT;
    case ENOENT:
    case ENOTDIR:
        return IST_ENOTFOUND;
    case EEXIST:
        return IST_EEXIST;
    case EADDRINUSE:
    case EBUSY:
        return IST_EBUSY;
    case EACCES:
    case EPERM:
    case EROFS:
        return IST_EACCES;
    case ETIMEDOUT:
        return IST_ETIMEOUT;
    case EAGAIN:
    case EINTR:
    case EINPROGRESS:
        return IST_EAGAIN;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
        return IST_ECLOSED;
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ENOSYS:
        return IST_EUNSUPPORTED;
    default:
        return IST_EIO;
    }
}

ist_status ist_err_errno(ist_err *err, int errnum, const char *format, ...)
{
    ist_status code = status_of_errno(errnum);
    ist_err what = IST_ERR_NULL;
    va_list args;
    va_start(args, format);
    (void)ist_err_vset(&what, code, format, args); // returns the code given
    va_end(args);
    const char *why = strerrordesc_np(errnum); // unlike strerror: never translated, no shared buffer
    return ist_err_set(err, code, "%s: %s", what.text, why != NULL ? why : "unknown error");
}
