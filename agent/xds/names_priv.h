// SPDX-License-Identifier: Apache-2.0
//
// The resource names that one type is subscribed to, and the changes that the control plane has not been told yet. A change
// is never lost: it waits in a queue, in order, until a request has carried it, whatever ACKs and NACKs go before.
//
// A name that leaves and comes back is first unsubscribed and then subscribed in a later request: istiod sends nothing for
// a name that it believes subscribed, and takes away what one and the same request both adds and removes.
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ist_xds_names ist_xds_names;

ist_xds_names *ist_xds_names_new(void) IST_MUSTCHECK;
void ist_xds_names_free(ist_xds_names *names);

// The wanted set, said anew: begin, want each, end. What was not wanted again leaves; `gone` (may be NULL) hears of it.
// After IST_ENOMEM do not call end: nothing leaves, and the set is said anew later.
void ist_xds_names_update_begin(ist_xds_names *names) IST_NONNULL;
ist_status ist_xds_names_want(ist_xds_names *names, ist_strv name) IST_NONNULL IST_MUSTCHECK; // IST_ENOMEM, IST_ELIMIT
ist_status ist_xds_names_update_end(ist_xds_names *names, void (*gone)(void *ctx, ist_strv name), void *ctx)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;

// A new stream: everything wanted is to be subscribed from nothing.
ist_status ist_xds_names_resubscribe(ist_xds_names *names) IST_NONNULL IST_MUSTCHECK;

size_t ist_xds_names_count(const ist_xds_names *names) IST_NONNULL;    // wanted
bool ist_xds_names_is_pending(const ist_xds_names *names) IST_NONNULL; // some change waits
bool ist_xds_names_joins(const ist_xds_names *names) IST_NONNULL;      // some of them subscribes

// Delta: writes the next changes as repeated strings, at most about `max_bytes`, and takes them out of the queue. On a
// failure of the buffer the queue is as before. *ret_joins: it subscribes something, so an answer will come.
typedef struct ist_xds_name_fields {
    uint32_t subscribe; // field numbers
    uint32_t unsubscribe;
} ist_xds_name_fields;
void ist_xds_names_write_changes(ist_xds_names *names, ist_xds_name_fields fields, size_t max_bytes, ist_buf *out,
                                 bool *ret_joins) IST_NONNULL;
// State of the world: writes the whole set; returns how many names did not fit into `max_bytes`.
size_t ist_xds_names_write_all(const ist_xds_names *names, uint32_t field, size_t max_bytes, ist_buf *out) IST_NONNULL;
void ist_xds_names_forget_changes(ist_xds_names *names) IST_NONNULL; // the whole set has been sent
