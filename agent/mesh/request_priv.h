// SPDX-License-Identifier: Apache-2.0
//
// Reading a request, private to mesh: matching and hashing look at the same parts of it. What is not given has its built-in
// value. Pure functions, results are views into the request; any thread.
#pragma once

#include "mesh/request.h"

ist_strv ist_mesh_request_path(const ist_mesh_request *request) IST_NONNULL; // with query string
// :method, :path, :scheme and :authority stand in fields of their own; "host" is another name of :authority, as in Envoy.
// False: another header.
bool ist_mesh_request_pseudo_header(const ist_mesh_request *request, ist_strv name, ist_strv *ret_value) IST_NONNULL;
// Headers of which Envoy 1.40 keeps one value only: repeated ones are joined by commas when they arrive. Names in any case.
bool ist_mesh_request_is_joined_header(ist_strv name);
// That one value of a header. *ret_length is the length of the whole; of one that is longer than the room, the room has the
// beginning. False: there is none.
enum { IST_MESH_REQUEST_JOINED_MAX = 4096 };
bool ist_mesh_request_join_header(const ist_mesh_request *request, ist_strv name,
                                  char room[IST_MESH_REQUEST_JOINED_MAX], size_t *ret_length) IST_NONNULL;
// The first parameter of that name counts; names and values are compared as written. "a" alone has the empty value. False:
// there is none.
bool ist_mesh_request_query(const ist_mesh_request *request, ist_strv name, ist_strv *ret_value) IST_NONNULL;
