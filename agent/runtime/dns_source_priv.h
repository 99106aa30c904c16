// SPDX-License-Identifier: Apache-2.0
//
// The pod's own addresses and on-link prefix, by which its resolvers sort our answers.
#pragma once

#include "base/buf.h"
#include "config/agent.h"
#include "dns_answer/sort.h"

// --dns-prefix alone, else all addresses of the interfaces with their prefixes, first --pod-ip or the address that the kernel
// would send from. A --pod-ip that no interface has stands for its whole family. What is not there stays unknown.
// IST_EINVAL: --dns-prefix is no ADDR/BITS list. IST_EIO: the interfaces cannot be read (a sandbox may refuse rtnetlink).
ist_status dns_source_find(const ist_options *options, ist_dns_source *ret_source, ist_err *err);
// "10.244.1.99/24, fd00::99/64", or that there is none.
void dns_source_write(const ist_dns_source *source, ist_buf *out);
