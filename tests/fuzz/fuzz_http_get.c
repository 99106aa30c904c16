// SPDX-License-Identifier: Apache-2.0
//
// The answers that the commands read: any bytes of a peer through the HTTP parser.
#include "../../agent/cli/http_get_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cli_http_answer answer = {0};
    ist_err err = IST_ERR_NULL;
    ist_status status = cli_http_parse(ist_strv_make((const char *)data, size), &answer, &err);
    if (status != IST_OK && (err.text[0] == '\0' || answer.status != 0)) {
        abort(); // a failure has a text and touches nothing
    }
    if (status == IST_OK && (answer.status < 200 || answer.status > 999 || answer.body.length > size)) {
        abort();
    }
    ist_buf_done(&answer.body);
    return 0;
}
