// SPDX-License-Identifier: Apache-2.0
//
// Parameters in the body of a request (application/x-www-form-urlencoded), and the texts that Nacos puts into parameters. Clients
// of Go send JSON without percent-encoding it; it is taken as it stands. Memory in the caller's arena.
#pragma once

#include "own_priv.h"

#include "api_core/http.h"
#include "api_document/document.h"

typedef struct nacos_form {
    ist_api_field *items;
    size_t count;
} nacos_form;

// IST_EPARSE for a broken escape, IST_ELIMIT for too many fields, IST_ENOMEM.
ist_status nacos_form_parse(ist_strv body, ist_arena *arena, nacos_form *ret_form, ist_err *err)
    IST_NONNULL_ARGS(2, 3) IST_MUSTCHECK;
ist_strv nacos_form_find(const nacos_form *form, const char *name); // empty where it is missing

// "true" in any case; `otherwise` where there is no text.
bool nacos_text_is_true(ist_strv text, bool otherwise);

// Metadata from a JSON object, whose values become texts; NULL = none. IST_EPARSE: it is none, IST_ENOMEM.
ist_status nacos_metadata_of(const ist_document *object, ist_arena *arena, nacos_instance *draft) IST_MUSTCHECK;
// ... and from a parameter: a JSON object, or "key=value,key=value".
ist_status nacos_metadata_parse(ist_strv text, ist_arena *arena, nacos_instance *draft, ist_err *err) IST_MUSTCHECK;
