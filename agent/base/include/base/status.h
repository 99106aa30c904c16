// SPDX-License-Identifier: Apache-2.0
//
// The one status type and the one error message type. A function that can fail in more than one way returns ist_status
// and, where a person will read about it, fills an ist_err at the place that knows what was wrong: which resource,
// which field, what to do. Success outputs are never touched on failure and always set on success.
//
// Threads: values only; no shared state.
#pragma once

#include <stdarg.h>

#include "base/attr.h"

typedef enum ist_status {
    IST_OK = 0,
    IST_ENOMEM,       // allocation failed; the caller keeps what it had
    IST_EINVAL,       // input breaks a rule; the message names the field
    IST_EPARSE,       // bytes are not of the expected form
    IST_ELIMIT,       // a configured maximum is reached
    IST_ENOTFOUND,    // what was named does not exist
    IST_EEXIST,       // it exists already
    IST_EIO,          // system call failed
    IST_EBUSY,        // address in use, resource held by somebody else
    IST_EACCES,       // not permitted
    IST_ETIMEOUT,     // a deadline passed
    IST_EAGAIN,       // not now; try again after an event
    IST_ECLOSED,      // the peer or the object is closed
    IST_EAUTH,        // the peer refused our identity, or we refused its
    IST_EUNSUPPORTED, // well formed, but not something we translate
    IST_EINTERNAL,    // a bug of ours, reported instead of crashing
    _IST_STATUS_MAX
} ist_status;

// Error detail. `text` is always terminated; empty while code is IST_OK. Long texts are cut.
typedef struct ist_err {
    ist_status code;
    char text[480];
} ist_err;

#define IST_ERR_NULL ((ist_err){.code = IST_OK, .text = ""})

// Short lower-case English name, e.g. "not found". Never NULL.
const char *ist_status_name(ist_status status) IST_RETURNS_NONNULL;

// Fills *err (may be NULL) and returns `code`, so that `return ist_err_set(err, IST_EINVAL, "...")` is one line.
ist_status ist_err_set(ist_err *err, ist_status code, const char *format, ...) IST_PRINTF(3, 4);
ist_status ist_err_vset(ist_err *err, ist_status code, const char *format, va_list args) IST_PRINTF(3, 0);

// Puts "prefix: " in front of the text, for context added on the way up. No effect where err is NULL or IST_OK.
void ist_err_prefix(ist_err *err, const char *format, ...) IST_PRINTF(2, 3);

// As ist_err_set with ": " and the text of `errnum` appended; maps errno to a status (EADDRINUSE -> IST_EBUSY, ...).
ist_status ist_err_errno(ist_err *err, int errnum, const char *format, ...) IST_PRINTF(3, 4);
