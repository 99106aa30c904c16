// SPDX-License-Identifier: Apache-2.0
//
// From options and identity to the policy that the builder gives to every view.
#pragma once

#include "identity_priv.h"

#include "mesh/policy.h"

// Borrows from both; valid as long as they are.
ist_mesh_policy policy_from_options(const ist_options *options, const identity *who);
