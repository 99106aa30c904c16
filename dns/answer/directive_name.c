// SPDX-License-Identifier: Apache-2.0
//
// The grammar of names with directives (docs/dns.md), as text only: nothing here knows the view.
//
//   [_SERVICE._PROTO.] [ZONE.{pin|prefer}._zone.] [SUBSET._subset. | CONTEXT._ctx.] HOST
//
// ZONE is one to three labels, the most specific one first. A name may begin in the middle: then it is a parent of such
// names, which exists without records.
#include "answer_priv.h"

enum { ZONE_LABELS_MAX = 3 };

static bool is_underscored(ist_strv label)
{
    return label.n > 1 && label.p[0] == '_';
}

static ist_strv first_label(ist_strv text)
{
    return ist_strv_first(text, ist_strv_find(text, '.'));
}

static ist_strv behind_first(ist_strv text)
{
    return ist_strv_skip(text, ist_strv_find(text, '.') + 1);
}

static bool is_zone_mode(ist_strv label)
{
    return ist_strv_equal(label, IST_STRV("pin")) || ist_strv_equal(label, IST_STRV("prefer"));
}

bool ist_dns_is_marker(ist_strv label)
{
    return ist_strv_equal(label, IST_STRV("_subset")) || ist_strv_equal(label, IST_STRV("_ctx")) ||
           ist_strv_equal(label, IST_STRV("_zone"));
}

// What stands in front of the rest of a name when that begins in the middle: its length, or 0.
static size_t parent_length(ist_strv text)
{
    ist_strv first = first_label(text);
    ist_strv rest = behind_first(text);

    if (ist_strv_equal(first, IST_STRV("_tcp")) || ist_strv_equal(first, IST_STRV("_udp")) || ist_dns_is_marker(first)) {
        return first.n + 1;
    }
    bool zone = is_zone_mode(first) && ist_strv_equal(first_label(rest), IST_STRV("_zone"));
    return zone ? text.n - behind_first(rest).n : 0;
}

// Cuts "ZONE.pin._zone." off, where it is there.
static void cut_zone(ist_dns_directive *directive, ist_strv *text)
{
    ist_strv rest = *text;

    for (uint32_t labels = 0; labels <= ZONE_LABELS_MAX && rest.n > 0; labels++) {
        ist_strv mode = first_label(rest);
        ist_strv behind = behind_first(rest);
        if (labels > 0 && is_zone_mode(mode) && ist_strv_equal(first_label(behind), IST_STRV("_zone"))) {
            directive->zone = ist_strv_first(*text, text->n - rest.n - 1);
            directive->zone_preferred = ist_strv_equal(mode, IST_STRV("prefer"));
            *text = behind_first(behind);
            return;
        }
        rest = behind;
    }
}

static void cut_narrowed(ist_dns_directive *directive, ist_strv *text)
{
    ist_strv marker = first_label(behind_first(*text));

    directive->has_subset = ist_strv_equal(marker, IST_STRV("_subset"));
    directive->has_context = ist_strv_equal(marker, IST_STRV("_ctx"));
    if (directive->has_subset) {
        directive->subset = first_label(*text);
    }
    if (directive->has_context) {
        directive->context = first_label(*text);
    }
    if (directive->has_subset || directive->has_context) {
        *text = behind_first(behind_first(*text));
    }
}

bool ist_dns_directive_parse(ist_strv text, ist_dns_directive *ret_directive)
{
    ist_dns_directive parsed = {.parent = false};
    ist_strv first = first_label(text);
    ist_strv second = first_label(behind_first(text));
    size_t parent = parent_length(text);
    bool some;

    if (parent > 0) {
        parsed.parent = true;
        text = ist_strv_skip(text, parent);
    } else if (is_underscored(first) && is_underscored(second) && !ist_dns_is_marker(second)) {
        parsed.service = ist_strv_skip(first, 1);
        parsed.protocol = ist_strv_skip(second, 1);
        text = behind_first(behind_first(text));
    }
    cut_zone(&parsed, &text);
    cut_narrowed(&parsed, &text);
    parsed.host = text;
    some = parsed.parent || parsed.service.n > 0 || parsed.zone.n > 0 || parsed.has_subset || parsed.has_context;
    if (!some || text.n == 0 || text.p[0] == '_') {
        return false;
    }
    *ret_directive = parsed;
    return true;
}

ist_mesh_place ist_dns_zone_place(ist_strv zone)
{
    ist_mesh_place place = {.zone = zone};
    size_t last = ist_strv_rfind(zone, '.');

    if (last < zone.n) {
        place.region = ist_strv_skip(zone, last + 1);
        place.zone = ist_strv_first(zone, last);
        size_t dot = ist_strv_find(place.zone, '.');
        if (dot < place.zone.n) {
            place.subzone = ist_strv_first(place.zone, dot);
            place.zone = ist_strv_skip(place.zone, dot + 1);
        }
    }
    return place;
}
