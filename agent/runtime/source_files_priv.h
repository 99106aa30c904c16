// SPDX-License-Identifier: Apache-2.0
//
// Identity as the file source wants it.
#pragma once

#include "identity_priv.h"

#include "files/source.h"

// Borrows from identity and options; labels lie in the identity's arena. IST_ENOMEM.
ist_status source_files_identity(const identity *who, const ist_options *options, ist_files_identity *ret_identity);
