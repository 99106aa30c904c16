// SPDX-License-Identifier: Apache-2.0
//
// The end of an alias chain that leads out of our names: our reply begins with the CNAME records that we have, an upstream is
// asked for what the last of them names, and its answer becomes the rest of the reply, so that a stub has the addresses at
// once (RFC 1034 section 4.3.2, 3a). Names move, so those that are compressed are read and written anew; compression
// pointers are followed backwards only. Upstreams are not trusted: every length is checked.
// Pure functions over the caller's buffers; nothing is allocated or kept; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns_wire/reply.h"

// Appends what `packet` answers: its answer section and the SOA of its authority section, with its rcode (NOERROR or
// NXDOMAIN). `target`: the owner in `reply` that names what was asked, by the reply's own type. Records of old types with
// names inside that nobody uses any more are left out; TC is set where one did not fit or the upstream has set it. False, and
// the reply is not to be used: a broken packet, another question, or an error of the upstream's.
bool ist_dns_splice(ist_dns_reply *reply, uint16_t target, const uint8_t *packet, size_t length) IST_NONNULL;
