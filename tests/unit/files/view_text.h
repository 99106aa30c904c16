// SPDX-License-Identifier: Apache-2.0
//
// A view as text, one fact per line, sorted by host: what the scenario tests compare. Single-threaded.
#pragma once

#include "base/buf.h"
#include "mesh/view.h"

// Appends the whole view to `out`. false = no memory.
bool view_text_write(const ist_mesh_view *view, ist_buf *out);
