// SPDX-License-Identifier: Apache-2.0
//
// A small file read as a whole.
#pragma once

#include "base/buf.h"
#include "base/status.h"

// IST_ELIMIT: larger than `max_bytes`; IST_ENOMEM; the status of the system call that failed. Errors name the path and `what`
// it is ("the configuration file"). `text` is the caller's to give back, either way.
ist_status ist_text_file_read(const char *path, const char *what, size_t max_bytes, ist_buf *text, ist_err *err);
