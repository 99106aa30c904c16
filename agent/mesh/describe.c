// SPDX-License-Identifier: Apache-2.0
//
// Routes and their conditions in words.
#include "mesh/explain.h"

const char *ist_mesh_action_name(ist_mesh_action action)
{
    static const char *const NAMES[_IST_MESH_ACTION_MAX] = {[IST_MESH_ACTION_FORWARD] = "forward",
                                                            [IST_MESH_ACTION_REDIRECT] = "redirect",
                                                            [IST_MESH_ACTION_DIRECT_RESPONSE] = "direct_response",
                                                            [IST_MESH_ACTION_OTHER] = "other"};
    return action < _IST_MESH_ACTION_MAX ? NAMES[action] : "?";
}

static void append_quoted(ist_buf *out, ist_strv text)
{
    ist_buf_append_char(out, '"');
    ist_buf_append_strv(out, text);
    ist_buf_append_char(out, '"');
}

static void append_subject(const ist_mesh_match *match, ist_mesh_condition kind, ist_buf *out)
{
    if (kind == IST_MESH_CONDITION_HEADER && ist_strv_starts_with(match->name, IST_STRV(":"))) {
        ist_buf_append_strv(out, ist_strv_skip(match->name, 1)); // method, authority, scheme
    } else if (kind == IST_MESH_CONDITION_HEADER || kind == IST_MESH_CONDITION_QUERY) {
        ist_buf_append_str(out, kind == IST_MESH_CONDITION_HEADER ? "header " : "query parameter ");
        append_quoted(out, match->name);
    } else {
        ist_buf_append_str(out, "path");
    }
}

static const char *verb_of(const ist_mesh_match *match)
{
    static const char *const VERBS[_IST_MESH_MATCH_KIND_MAX][2] = {
        [IST_MESH_MATCH_ANY] = {"is anything", "is nothing"},
        [IST_MESH_MATCH_EXACT] = {"is", "is not"},
        [IST_MESH_MATCH_PREFIX] = {"starts with", "does not start with"},
        [IST_MESH_MATCH_SEPARATED_PREFIX] = {"is or is below", "is not and is not below"},
        [IST_MESH_MATCH_SUFFIX] = {"ends with", "does not end with"},
        [IST_MESH_MATCH_CONTAINS] = {"contains", "does not contain"},
        [IST_MESH_MATCH_REGEX] = {"matches the whole of", "does not match the whole of"},
        [IST_MESH_MATCH_PRESENT] = {"is present", "is absent"},
        [IST_MESH_MATCH_RANGE] = {"is a number in", "is no number in"}};
    return match->kind < _IST_MESH_MATCH_KIND_MAX ? VERBS[match->kind][match->invert ? 1 : 0] : "?";
}

void ist_mesh_match_describe(const ist_mesh_match *match, ist_mesh_condition kind, ist_buf *out)
{
    append_subject(match, kind, out);
    ist_buf_append_char(out, ' ');
    ist_buf_append_str(out, verb_of(match));
    if (match->kind == IST_MESH_MATCH_RANGE) {
        ist_buf_printf(out, " [%lld, %lld)", (long long)match->range_start, (long long)match->range_end);
    } else if (match->kind != IST_MESH_MATCH_ANY && match->kind != IST_MESH_MATCH_PRESENT) {
        ist_buf_append_char(out, ' ');
        append_quoted(out, match->value);
    }
    ist_buf_append_str(out, match->ignore_case ? ", in any case" : "");
    ist_buf_append_str(out, match->missing_as_empty ? ", missing counts as empty" : "");
}

// What the request has in the place that a condition looks at.
static void append_found(const ist_mesh_verdict *verdict, ist_buf *out)
{
    if (verdict->present) {
        ist_buf_append_str(out, "; it is ");
        append_quoted(out, verdict->value);
    } else {
        ist_buf_append_str(out, "; the request has none");
    }
}

void ist_mesh_verdict_describe(const ist_mesh_route *route, const ist_mesh_verdict *verdict, ist_buf *out)
{
    const ist_mesh_match *match = &route->path;
    switch (verdict->failed) {
    case IST_MESH_CONDITION_NONE:
    case _IST_MESH_CONDITION_MAX:
        ist_buf_append_str(out, "every condition holds");
        return;
    case IST_MESH_CONDITION_UNKNOWABLE:
        ist_buf_append_str(out, "it has conditions that a look-up cannot know (JWT claims, cookies, CONNECT)");
        return;
    case IST_MESH_CONDITION_FRACTION:
        ist_buf_append_str(out, "its runtime fraction is 0: it is never taken");
        return;
    case IST_MESH_CONDITION_PATH:
        break;
    case IST_MESH_CONDITION_HEADER:
        match = &route->headers[verdict->index];
        break;
    case IST_MESH_CONDITION_QUERY:
        match = &route->queries[verdict->index];
        break;
    }
    ist_buf_append_str(out, "it wants: ");
    ist_mesh_match_describe(match, verdict->failed, out);
    append_found(verdict, out);
}

static void append_names(ist_buf *out, const ist_strv *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ist_buf_append_str(out, i != 0 ? " or " : "");
        append_quoted(out, names[i]);
    }
}

static void append_prefixes(ist_buf *out, const ist_mesh_prefix *prefixes, uint32_t count)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        ist_buf_printf(out, "%s%s/%u", i != 0 ? " or " : "", ist_mesh_addr_format(&prefixes[i].addr, text),
                       prefixes[i].bits);
    }
}

void ist_mesh_l4_verdict_describe(const ist_mesh_l4_route *route, const ist_mesh_selection *selection, ist_buf *out)
{
    switch (ist_mesh_l4_verdict(route, selection->service, selection->request.authority)) {
    case IST_MESH_L4_CONDITION_ADDRESS:
        ist_buf_append_str(out, "it wants: address in ");
        append_prefixes(out, route->prefixes, route->prefix_count);
        ist_buf_append_str(out, "; no virtual IP of the service is");
        return;
    case IST_MESH_L4_CONDITION_SERVER_NAME:
        ist_buf_append_str(out, "it wants: server name ");
        append_names(out, route->server_names, route->server_name_count);
        ist_buf_append_str(out, "; it is ");
        append_quoted(out, selection->request.authority);
        return;
    case IST_MESH_L4_CONDITION_NONE:
    case _IST_MESH_L4_CONDITION_MAX:
        break;
    }
    ist_buf_append_str(out, route == selection->l4_route ? "it applies" : "it applies, but another is more specific");
}
