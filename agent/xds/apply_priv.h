// SPDX-License-Identifier: Apache-2.0
//
// One response into the builder's staging state: every resource through its decoder, removals, full sets. What a resource
// gets wrong stands in decoder->rejects; the others apply.
#pragma once

#include "decode_priv.h"
#include "envelope_priv.h"

// `full`: the response is the complete set of CDS or LDS, so what it does not mention is removed (unless something in it was
// refused: then nothing is). IST_ENOMEM: the response must be asked for again, on a new stream.
ist_status ist_xds_apply(ist_xds_decoder *decoder, const ist_xds_response *response, ist_xds_type type, bool full,
                         ist_err *err) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// One resource as it was accepted earlier; nobody records it again. Other failures than IST_ENOMEM concern it alone.
ist_status ist_xds_apply_restored(ist_xds_decoder *decoder, ist_xds_type type, ist_strv bytes, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;
