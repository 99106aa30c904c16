// SPDX-License-Identifier: Apache-2.0
//
// The decoders: one resource of a type from wire bytes into calls of the mesh builder. They translate; the builder judges.
//
// A resource whose bytes are those of last time is recognised by their hash and not decoded again; route configurations and
// name tables are compared virtual host by virtual host and name by name, because istiod resends them whole.
// Memory: everything lives in the two arenas and is gone with the next resource; the builder copies what it keeps.
#pragma once

#include "base/arena.h"
#include "mesh/builder.h"
#include "mesh/endpoint.h"
#include "guard_priv.h"
#include "wire_priv.h"
#include "xds/client.h"

// What was refused in one response, joined for the NACK; bounded.
#define IST_XDS_REJECT_TEXT_MAX 4096
typedef struct ist_xds_rejects {
    uint32_t count;
    size_t length;
    char text[IST_XDS_REJECT_TEXT_MAX];
} ist_xds_rejects;

void ist_xds_rejects_clear(ist_xds_rejects *rejects) IST_NONNULL;
// Adds "TYPE NAME: reason". What no longer fits is counted only, and the text says so.
void ist_xds_rejects_add(ist_xds_rejects *rejects, ist_xds_type type, ist_strv name, const ist_err *err) IST_NONNULL;

typedef struct ist_xds_decoder {
    ist_mesh_builder *builder;
    ist_arena *arena;           // one resource
    ist_arena *unit;            // one endpoint, virtual host or name inside it
    ist_xds_rejects *rejects;   // members of a resource that were refused
    const ist_xds_recorder *recorder; // hears of what is accepted; NULL = nobody
    ist_xds_guard *guard;       // NULL = off
    int64_t now_ms;             // of the response at hand
    bool held;                  // the resource at hand is, by the guard
    size_t max_resource_bytes;  // of what must stand in one piece
    uint64_t skipped_endpoints; // no IP address: Unix sockets, Envoy-internal addresses
    bool untold;                // a refused cluster or listener of this response did not even tell its name
} ist_xds_decoder;

// One resource. IST_ENOMEM: nothing is known about the rest. Any other failure: this resource alone is refused, for the
// reason in *err. IST_OK also for what is well formed and not ours (inbound clusters, HTTP listeners), and where members
// of the resource were refused (they stand in `rejects`).
ist_status ist_xds_decode_cluster(ist_xds_decoder *decoder, ist_strv bytes, ist_err *err) IST_NONNULL IST_MUSTCHECK;
ist_status ist_xds_decode_assignment(ist_xds_decoder *decoder, ist_strv bytes, ist_err *err) IST_NONNULL IST_MUSTCHECK;
ist_status ist_xds_decode_listener(ist_xds_decoder *decoder, ist_strv bytes, ist_err *err) IST_NONNULL IST_MUSTCHECK;
// These two are walked in slices; only a virtual host or a name is ever put together.
ist_status ist_xds_decode_routes(ist_xds_decoder *decoder, ist_xds_span span, ist_err *err) IST_NONNULL IST_MUSTCHECK;
ist_status ist_xds_decode_names(ist_xds_decoder *decoder, ist_xds_span span, ist_err *err) IST_NONNULL IST_MUSTCHECK;

// Endpoints of a ClusterLoadAssignment, in decoder->arena. `hostnames`: a text that is no IP address is a name to resolve
// (DNS clusters); else it is an error.
ist_status ist_xds_endpoints_unpack(ist_xds_decoder *decoder, ist_strv assignment, bool hostnames,
                                    ist_mesh_endpoints *ret_endpoints, ist_err *err) IST_NONNULL IST_MUSTCHECK;

// One resource, or one member of a walked one (virtual host, name), in one piece: in place or in `arena`. IST_ELIMIT beyond
// max_resource_bytes; IST_ENOMEM.
ist_status ist_xds_decoder_view(ist_xds_decoder *decoder, ist_xds_span span, ist_arena *arena, ist_strv *ret_bytes,
                                ist_err *err) IST_NONNULL_ARGS(1, 3, 4) IST_MUSTCHECK;

#define IST_XDS_NAME_FIELD 1

// The name of a message, which is field 1 of everything that has one, in one piece. Empty where there is none, or where it
// is larger than a resource may be. False: the bytes break off before the name, so nobody knows whose they are.
bool ist_xds_decoder_name(ist_xds_decoder *decoder, ist_xds_span message, ist_arena *arena, ist_strv *ret_name)
    IST_NONNULL_ARGS(1, 3, 4) IST_MUSTCHECK;

// Shared by decoders. Never 0.
uint64_t ist_xds_content_hash(ist_strv bytes);

// A small set of hashes in an arena (open addressing; at most `capacity` members).
typedef struct ist_xds_seen {
    uint64_t *slots; // 0 = free
    size_t mask;
} ist_xds_seen;
ist_status ist_xds_seen_init(ist_xds_seen *seen, ist_arena *arena, size_t capacity) IST_NONNULL IST_MUSTCHECK;
bool ist_xds_seen_add(ist_xds_seen *seen, uint64_t hash) IST_NONNULL; // false: it was there already
