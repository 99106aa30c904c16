// SPDX-License-Identifier: Apache-2.0
//
// The hash of a request (envoy.config.route.v3.RouteAction.HashPolicy; Envoy: HashPolicyImpl).
#include "mesh/hash_pick.h"

#include "request_priv.h"

#include "base/hash.h"

#include <stdlib.h>

enum { MAX_VALUES = 100 }; // Envoy refuses requests with more headers

// --- Headers --------------------------------------------------------------------------------------------------------

static int compare_values(const void *a, const void *b)
{
    return ist_strv_compare(*(const ist_strv *)a, *(const ist_strv *)b);
}

// Here their order matters.
static ist_mesh_hash_result hash_joined_header(const ist_mesh_request *request, ist_strv name, uint64_t *ret_hash)
{
    char room[IST_MESH_REQUEST_JOINED_MAX];
    size_t length = 0;
    if (!ist_mesh_request_join_header(request, name, room, &length)) {
        return IST_MESH_HASH_NO_INPUT;
    }
    if (length > sizeof(room)) {
        return IST_MESH_HASH_UNSUPPORTED;
    }
    *ret_hash = ist_hash_xx64(ist_strv_make(room, length), 0);
    return IST_MESH_HASH_HASHED;
}

// All values of the header, sorted, so that their order does not matter; the hash of each is the seed of the next.
static ist_mesh_hash_result hash_header(const ist_mesh_request *request, ist_strv name, uint64_t *ret_hash)
{
    ist_strv values[MAX_VALUES];
    size_t count = 0;
    count += ist_mesh_request_pseudo_header(request, name, &values[0]) && values[0].n != 0 ? 1 : 0;
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (ist_strv_equal_nocase(request->headers[i].name, name)) {
            if (count == MAX_VALUES) {
                return IST_MESH_HASH_UNSUPPORTED;
            }
            values[count++] = request->headers[i].value;
        }
    }
    if (count == 0) {
        return IST_MESH_HASH_NO_INPUT;
    }
    qsort(values, count, sizeof(*values), compare_values);
    *ret_hash = 0;
    for (size_t i = 0; i < count; i++) {
        *ret_hash = ist_hash_xx64(values[i], *ret_hash);
    }
    return IST_MESH_HASH_HASHED;
}

// --- Cookies --------------------------------------------------------------------------------------------------------

static ist_strv skip_spaces(ist_strv text)
{
    while (text.n != 0 && text.p[0] == ' ') {
        text = ist_strv_skip(text, 1);
    }
    return text;
}

static ist_strv unquoted(ist_strv value)
{
    bool quoted = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
    return quoted ? ist_strv_make(value.p + 1, value.n - 2) : value;
}

// "a=1; b=2": the first of that name counts. Parts without "=" are passed over.
static bool find_cookie(ist_strv header, ist_strv name, ist_strv *ret_value)
{
    while (header.n != 0) {
        bool more = false;
        ist_strv value = skip_spaces(ist_strv_cut(&header, ';', NULL));
        ist_strv key = ist_strv_cut(&value, '=', &more);
        if (more && ist_strv_equal(key, name)) {
            *ret_value = unquoted(value);
            return true;
        }
    }
    return false;
}

// An empty cookie is as good as none.
static ist_mesh_hash_result hash_cookie(const ist_mesh_request *request, const ist_mesh_hash_policy *policy,
                                        uint64_t *ret_hash)
{
    ist_strv value = IST_STRV_NULL;
    bool found = false;
    for (uint32_t i = 0; i < request->header_count && !found; i++) {
        found = ist_strv_equal_nocase(request->headers[i].name, IST_STRV("cookie")) &&
                find_cookie(request->headers[i].value, policy->name, &value);
    }
    if (value.n == 0) {
        return policy->generated ? IST_MESH_HASH_COOKIE_WOULD_BE_MADE : IST_MESH_HASH_NO_INPUT;
    }
    *ret_hash = ist_hash_xx64(value, 0);
    return IST_MESH_HASH_HASHED;
}

// --- Source and query -----------------------------------------------------------------------------------------------

// The last address in x-forwarded-for. The header is a joined one: its last value with anything in it ends it.
static ist_strv forwarded_for(const ist_mesh_request *request)
{
    ist_strv value = IST_STRV_NULL;
    for (uint32_t i = 0; i < request->header_count; i++) {
        const ist_mesh_header *header = &request->headers[i];
        if (header->value.n != 0 && ist_strv_equal_nocase(header->name, IST_STRV("x-forwarded-for"))) {
            value = header->value;
        }
    }
    size_t comma = ist_strv_rfind(value, ',');
    return ist_strv_trim(comma < value.n ? ist_strv_skip(value, comma + 1) : value);
}

// Istio's sidecars believe x-forwarded-for. Where that is no address, the connection's counts.
static ist_mesh_hash_result hash_source(const ist_mesh_request *request, uint64_t *ret_hash)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_mesh_addr addr = IST_MESH_ADDR_NONE;
    ist_strv forwarded = forwarded_for(request);
    bool six = ist_strv_contains(forwarded, IST_STRV(":"));
    if (six && ist_strv_contains(forwarded, IST_STRV("%"))) {
        return IST_MESH_HASH_UNSUPPORTED; // which zones there are is not known here
    }
    if (ist_mesh_addr_parse(forwarded, &addr, NULL) == IST_OK) {
        if (six && addr.family == 4) {
            return IST_MESH_HASH_UNSUPPORTED; // an IPv4 address written as IPv6, which Envoy hashes as written
        }
    } else if (ist_mesh_addr_parse(request->source, &addr, NULL) != IST_OK) {
        return IST_MESH_HASH_SOURCE_UNKNOWN;
    }
    *ret_hash = ist_hash_xx64(ist_strv_from(ist_mesh_addr_format(&addr, text)), 0);
    return IST_MESH_HASH_HASHED;
}

static ist_mesh_hash_result hash_query(const ist_mesh_request *request, ist_strv wanted, uint64_t *ret_hash)
{
    ist_strv value = IST_STRV_NULL;
    if (!ist_mesh_request_query(request, wanted, &value)) {
        return IST_MESH_HASH_NO_INPUT;
    }
    *ret_hash = ist_hash_xx64(value, 0); // an empty one is hashed too
    return IST_MESH_HASH_HASHED;
}

// --- Policies -------------------------------------------------------------------------------------------------------

static ist_mesh_hash_result apply(const ist_mesh_hash_policy *policy, const ist_mesh_request *request,
                                  uint64_t *ret_hash)
{
    switch (policy->kind) {
    case IST_MESH_HASH_HEADER:
        return ist_mesh_request_is_joined_header(policy->name)
                   ? hash_joined_header(request, policy->name, ret_hash)
                   : hash_header(request, policy->name, ret_hash);
    case IST_MESH_HASH_COOKIE:
        return hash_cookie(request, policy, ret_hash);
    case IST_MESH_HASH_SOURCE_IP:
        return hash_source(request, ret_hash);
    case IST_MESH_HASH_QUERY:
        return hash_query(request, policy->name, ret_hash);
    case IST_MESH_HASH_OTHER:
    case _IST_MESH_HASH_KIND_MAX:
        break;
    }
    return IST_MESH_HASH_UNSUPPORTED;
}

ist_mesh_hash_result ist_mesh_request_hash(const ist_mesh_hash_policy *policies, uint32_t policy_count,
                                           const ist_mesh_request *request, uint64_t *ret_hash)
{
    uint64_t hash = 0;
    bool any = false;
    for (uint32_t i = 0; i < policy_count && !(any && i != 0 && policies[i - 1].terminal); i++) {
        uint64_t own = 0;
        ist_mesh_hash_result result = apply(&policies[i], request, &own);
        if (result == IST_MESH_HASH_HASHED) {
            hash = (hash << 1 | hash >> 63) ^ own; // rotated, so that equal policies do not cancel each other
            any = true;
        } else if (result != IST_MESH_HASH_NO_INPUT) {
            return result;
        }
    }
    if (!any) {
        return IST_MESH_HASH_NO_INPUT;
    }
    *ret_hash = hash;
    return IST_MESH_HASH_HASHED;
}

const char *ist_mesh_hash_result_name(ist_mesh_hash_result result)
{
    static const char *const NAMES[] = {[IST_MESH_HASH_HASHED] = "hashed",
                                        [IST_MESH_HASH_NO_INPUT] = "no_input",
                                        [IST_MESH_HASH_SOURCE_UNKNOWN] = "source_unknown",
                                        [IST_MESH_HASH_COOKIE_WOULD_BE_MADE] = "cookie_would_be_made",
                                        [IST_MESH_HASH_UNSUPPORTED] = "unsupported",
                                        [IST_MESH_HASH_TOO_LARGE] = "too_large",
                                        [IST_MESH_HASH_NO_HOST] = "no_host",
                                        [IST_MESH_HASH_NOT_HASHED] = "not_hashed"};
    return result < _IST_MESH_HASH_RESULT_MAX ? NAMES[result] : "?";
}
