// SPDX-License-Identifier: Apache-2.0
#include "text_file_priv.h"

#include <errno.h>
#include <stdio.h>

ist_status ist_text_file_read(const char *path, const char *what, size_t max_bytes, ist_buf *text, ist_err *err)
{
    char chunk[4096];
    size_t got;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ist_err_errno(err, errno, "cannot read %s %s", what, path);
    }
    ist_buf_init(text, max_bytes);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        ist_buf_append(text, chunk, got);
    }
    ist_status status = ist_buf_status(text);
    if (ferror(file)) {
        status = ist_err_errno(err, errno, "cannot read %s %s", what, path);
    } else if (status == IST_ELIMIT) {
        status = ist_err_set(err, IST_ELIMIT, "%s: larger than %zu bytes", path, max_bytes);
    } else if (status != IST_OK) {
        status = ist_err_set(err, status, "out of memory");
    }
    (void)fclose(file); // opened for reading: nothing to lose
    return status;
}
