// SPDX-License-Identifier: Apache-2.0
//
// From options, the configuration file's rules and the identity to the policy that the builder gives to every view.
#pragma once

#include "identity_priv.h"

#include "config/rules.h"
#include "mesh/policy.h"

// The policy borrows from the arena, the options and the identity; the builder copies it (ist_mesh_builder_set_policy),
// then the draft may go.
typedef struct policy_draft {
    ist_arena *arena;
    ist_mesh_policy policy;
} policy_draft;

// IST_EINVAL with FILE:LINE where a rule cannot be followed; IST_EIO and others: the annotations cannot be read.
// On failure there is nothing to give back.
ist_status policy_draft_init(policy_draft *draft, const ist_options *options, const identity *who, ist_err *err);
void policy_draft_done(policy_draft *draft);
