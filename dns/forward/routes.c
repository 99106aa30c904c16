// SPDX-License-Identifier: Apache-2.0
#include "routes_priv.h"

#include "base/alloc.h"

#include <string.h>

enum { TYPE_AND_CLASS_BYTES = 4 };

ist_dns_routes *ist_dns_routes_new(size_t size)
{
    return ist_calloc(1, sizeof(ist_dns_routes) + size * sizeof(ist_dns_route_entry));
}

ist_status ist_dns_routes_add(ist_dns_routes *routes, ist_strv suffix, ist_dns_upstream_set *set)
{
    ist_dns_route_entry *entry = &routes->entries[routes->count];
    ist_dns_ask ask;
    ist_status status = ist_dns_ask_make(&ask, suffix, IST_DNS_TYPE_A); // for the name's wire form

    if (status != IST_OK) {
        return status;
    }
    entry->length = ask.question_length - (size_t)TYPE_AND_CLASS_BYTES;
    memcpy(entry->suffix, ask.question, entry->length);
    entry->set = set;
    routes->count++;
    return IST_OK;
}

// Lengths of labels are no letters, so that names are compared as one text.
static const ist_dns_route_entry *find_equal(const ist_dns_routes *routes, ist_strv name)
{
    for (size_t i = 0; i < routes->count; i++) {
        const ist_dns_route_entry *entry = &routes->entries[i];
        if (ist_strv_equal_nocase(name, ist_strv_make((const char *)entry->suffix, entry->length))) {
            return entry;
        }
    }
    return NULL;
}

ist_dns_upstream_set *ist_dns_routes_find(const ist_dns_routes *routes, const ist_dns_ask *ask)
{
    ist_strv name = ist_strv_make((const char *)ask->question, ask->question_length - (size_t)TYPE_AND_CLASS_BYTES);

    while (routes != NULL && name.n > 1) { // 1: the root
        const ist_dns_route_entry *entry = find_equal(routes, name);
        if (entry != NULL) {
            return entry->set;
        }
        name = ist_strv_skip(name, 1 + (size_t)(uint8_t)name.p[0]);
    }
    return NULL;
}

void ist_dns_routes_free(ist_dns_upstreams *upstreams, ist_dns_routes *routes)
{
    for (size_t i = 0; routes != NULL && i < routes->count; i++) {
        ist_dns_upstream_set_unref(upstreams, routes->entries[i].set);
    }
    ist_free(routes);
}
