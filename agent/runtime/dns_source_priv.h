// SPDX-License-Identifier: Apache-2.0
//
// The pod's own addresses and on-link prefix, by which its resolvers sort our answers.
#pragma once

#include "config/agent.h"
#include "dns_answer/sort.h"

// --dns-prefix, else --pod-ip, else the address that the kernel would send from; the prefix is the interface's. A family
// that is not there stays unknown. IST_EINVAL: --dns-prefix is no ADDR/BITS list.
ist_status dns_source_find(const ist_options *options, ist_dns_source *ret_source, ist_err *err);
