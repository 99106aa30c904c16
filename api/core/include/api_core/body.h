// SPDX-License-Identifier: Apache-2.0
//
// A finished body that is sent more than once: bytes in one block with a count of who holds them. A handler gives its response a
// hold, the adapter sends from this memory and lets go when the client has everything; nothing is copied, and whoever made the
// body may make a newer one meanwhile.
// Owner: everybody with a hold. Threads: the HTTP thread; the count is a plain number.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/strv.h"

typedef struct ist_api_body {
    uint32_t holds;
    size_t length;
    char bytes[];
} ist_api_body;

ist_api_body *ist_api_body_new(ist_strv bytes) IST_MUSTCHECK; // a copy, with one hold; NULL on ENOMEM
ist_api_body *ist_api_body_hold(ist_api_body *body) IST_NONNULL IST_RETURNS_NONNULL;
void ist_api_body_release(ist_api_body *body); // NULL is fine
