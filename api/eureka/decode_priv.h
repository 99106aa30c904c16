// SPDX-License-Identifier: Apache-2.0
//
// A registration's body, of any client, as an instance. Lenient: numbers as texts, nulls, missing and unknown fields; strict
// only where the reference server is. Threads: any, each with its own arena.
#pragma once

#include "own_priv.h"

#include "api_document/document.h"

// Texts of the draft lie in the arena or in the tree. IST_EINVAL, IST_EPARSE, IST_ELIMIT with the reason; IST_ENOMEM. The
// times that the body does not say are `wall_ms`.
ist_status eureka_decode(ist_document_format format, ist_strv body, int64_t wall_ms, ist_arena *arena,
                         eureka_instance *ret_draft, ist_err *err);
