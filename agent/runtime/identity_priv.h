// SPDX-License-Identifier: Apache-2.0
//
// Who this pod is: options, with defaults from the host, labels from text or a downward-API file.
#pragma once

#include "config/agent.h"
#include "xds/client.h"

#include "base/arena.h"

typedef struct identity {
    ist_arena *arena; // owns every string below
    ist_xds_node node;
    ist_strv pod_dot_namespace; // POD.NS
} identity;

// IST_EIO: the label file cannot be read. The options may be freed afterwards.
ist_status identity_init(identity *identity, const ist_options *options, const char *version, ist_err *err);
void identity_done(identity *identity);
