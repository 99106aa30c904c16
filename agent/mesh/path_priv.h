// SPDX-License-Identifier: Apache-2.0
//
// Paths in the form in which Envoy compares them, private to mesh. Pure function; any thread.
#pragma once

#include "base/strv.h"

// The path of a request as the connection managers of Istio's sidecars hand it to the routes (normalize_path, which is
// MeshConfig pathNormalization BASE): "/./" and "/../" resolved, "\" as "/", letters, digits and "-._~" unescaped, "<>^`{|}
// and the quotation mark escaped, parameters of dot segments dropped ("/..;x" is "/.."), slashes not merged. What stands
// behind the first "?" stays as it is. Measured on Envoy 1.40.
//
// The result lies in `room` of `size` bytes, or is `path` itself: where nothing has to change, where it does not begin
// with "/", or where the room is too small.
ist_strv ist_mesh_path_normalize(ist_strv path, char *room, size_t size) IST_NONNULL;
