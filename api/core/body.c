// SPDX-License-Identifier: Apache-2.0
#include "api_core/body.h"

#include "base/alloc.h"

#include <string.h>

ist_api_body *ist_api_body_new(ist_strv bytes)
{
    ist_api_body *body = ist_malloc(sizeof(*body) + bytes.n);
    if (body == NULL) {
        return NULL;
    }
    *body = (ist_api_body){.holds = 1, .length = bytes.n};
    if (bytes.n != 0) {
        memcpy(body->bytes, bytes.p, bytes.n);
    }
    return body;
}

ist_api_body *ist_api_body_hold(ist_api_body *body)
{
    body->holds++;
    return body;
}

void ist_api_body_release(ist_api_body *body)
{
    if (body != NULL && --body->holds == 0) {
        ist_free(body);
    }
}
