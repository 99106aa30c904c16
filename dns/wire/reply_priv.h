// SPDX-License-Identifier: Apache-2.0
//
// Writing a record by parts, for the codec's own files: fields go to reply->out, whose errors are sticky, and the end keeps
// the record or takes it back.
#pragma once

#include "dns_wire/reply.h"

enum { IST_DNS_POINTER = 0xC000, IST_DNS_POINTER_MAX = 0x3FFF };

// Fills in the length of the rdata that began at `rdata`. False: the record that began at `mark` did not fit and is gone.
bool ist_dns_reply_finish_rdata(ist_dns_reply *reply, ist_dns_section section, size_t mark, size_t rdata) IST_NONNULL;
