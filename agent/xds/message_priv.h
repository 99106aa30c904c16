// SPDX-License-Identifier: Apache-2.0
//
// From wire bytes to a protobuf-c message in an arena. The bytes are checked against the message's descriptor before they
// are unpacked, because protobuf-c does not: well-formedness, texts (UTF-8, no NUL), nesting (at most 64 messages deep),
// and what the unpacked tree may cost. Unknown fields are ignored.
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/strv.h"
#include "proto/google_protobuf.pb-c.h"

#define IST_XDS_MAX_DEPTH 64

// *ret_message and all below it live in the arena. IST_ENOMEM; IST_EPARSE, IST_ELIMIT with the message and the field named.
ist_status ist_xds_message_unpack(const ProtobufCMessageDescriptor *type, ist_strv bytes, ist_arena *arena,
                                  const ProtobufCMessage **ret_message, ist_err *err) IST_NONNULL_ARGS(1, 3, 4) IST_MUSTCHECK;

// google.protobuf.Duration in whole milliseconds; negative = 0, absent = UINT32_MAX ("not set" in the mesh).
uint32_t ist_xds_duration_ms(const Google__Protobuf__Duration *duration);
