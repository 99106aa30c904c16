// SPDX-License-Identifier: Apache-2.0
//
// VirtualService (networking.istio.io/v1).
#include "objects_priv.h"

static const ist_field text_match_fields[] = {
    IST_F(STRING, ist_text_match, exact, "exact"),
    IST_F(STRING, ist_text_match, prefix, "prefix"),
    IST_F(STRING, ist_text_match, regex, "regex"),
};
static const ist_schema text_match_schema = IST_SCHEMA(ist_text_match, text_match_fields, false);

static const ist_field http_match_fields[] = {
    IST_F(STRING, ist_http_match, name, "name"),
    IST_F_SUB(POINTER, ist_http_match, uri, "uri", text_match_schema),
    IST_F_SUB(POINTER, ist_http_match, scheme, "scheme", text_match_schema),
    IST_F_SUB(POINTER, ist_http_match, method, "method", text_match_schema),
    IST_F_SUB(POINTER, ist_http_match, authority, "authority", text_match_schema),
    IST_F_SUB(KEYED, ist_http_match, headers, "headers", text_match_schema),
    IST_F_SUB(KEYED, ist_http_match, without, "withoutHeaders", text_match_schema),
    IST_F_SUB(KEYED, ist_http_match, queries, "queryParams", text_match_schema),
    IST_F(LABELS, ist_http_match, source_labels, "sourceLabels"),
    IST_F(STRING, ist_http_match, source_namespace, "sourceNamespace"),
    IST_F(STRINGS, ist_http_match, gateways, "gateways"),
    IST_F_MAX(ist_http_match, port, "port", 65535),
    IST_F(BOOL, ist_http_match, ignore_case, "ignoreUriCase"),
    IST_F_SKIP("statPrefix"),
};
static const ist_schema http_match_schema = IST_SCHEMA(ist_http_match, http_match_fields, false);

static const ist_field port_ref_fields[] = {IST_F_MAX(ist_port_ref, number, "number", 65535)};
static const ist_schema port_ref_schema = IST_SCHEMA(ist_port_ref, port_ref_fields, false);

static const ist_field destination_fields[] = {
    {.name = "host", .type = IST_FIELD_STRING, .offset = offsetof(ist_destination, host), .required = true},
    IST_F(STRING, ist_destination, subset, "subset"),
    IST_F_SUB(STRUCT, ist_destination, port, "port", port_ref_schema),
};
static const ist_schema destination_schema = IST_SCHEMA(ist_destination, destination_fields, false);

static const ist_field route_to_fields[] = {
    {.name = "destination",
     .type = IST_FIELD_STRUCT,
     .offset = offsetof(ist_route_to, destination),
     .sub = &destination_schema,
     .required = true},
    IST_F_MAX(ist_route_to, weight, "weight", 2147483647),
    IST_F_SKIP("headers"),
    IST_F_SKIP("percentage"), // of mirrors
};
static const ist_schema route_to_schema = IST_SCHEMA(ist_route_to, route_to_fields, false);

static const ist_field redirect_fields[] = {
    IST_F(STRING, ist_redirect, uri, "uri"),
    IST_F(STRING, ist_redirect, authority, "authority"),
    IST_F_MAX(ist_redirect, code, "redirectCode", 599),
    IST_F_SKIP("port"),
    IST_F_SKIP("derivePort"),
    IST_F_SKIP("scheme"),
};
static const ist_schema redirect_schema = IST_SCHEMA(ist_redirect, redirect_fields, false);

static const ist_field direct_fields[] = {IST_F_MAX(ist_direct, status, "status", 599), IST_F_SKIP("body")};
static const ist_schema direct_schema = IST_SCHEMA(ist_direct, direct_fields, false);

static const ist_field delegate_fields[] = {
    IST_F(STRING, ist_delegate, name, "name"),
    IST_F(STRING, ist_delegate, namespace_, "namespace"),
};
static const ist_schema delegate_schema = IST_SCHEMA(ist_delegate, delegate_fields, false);

static const ist_field rewrite_fields[] = {
    IST_F(STRING, ist_rewrite, uri, "uri"),
    IST_F(STRING, ist_rewrite, authority, "authority"),
    IST_F_SKIP("uriRegexRewrite"),
};
static const ist_schema rewrite_schema = IST_SCHEMA(ist_rewrite, rewrite_fields, false);

static const ist_field retries_fields[] = {
    IST_F(U32, ist_retries, attempts, "attempts"), IST_F(DURATION, ist_retries, per_try_timeout_ms, "perTryTimeout"),
    IST_F(STRING, ist_retries, on, "retryOn"),     IST_F_SKIP("retryRemoteLocalities"),
    IST_F_SKIP("retryIgnorePreviousHosts"),        IST_F_SKIP("backoff"),
};
static const ist_retries retries_defaults = {.attempts = IST_ABSENT, .per_try_timeout_ms = IST_ABSENT};
static const ist_schema retries_schema = {sizeof(ist_retries), &retries_defaults, retries_fields,
                                          IST_COUNT(retries_fields), false};

static const ist_field fault_delay_fields[] = {
    IST_F(DURATION, ist_fault_delay, fixed_ms, "fixedDelay"),
    IST_F_SKIP("percent"),
    IST_F_SKIP("percentage"),
};
static const ist_schema fault_delay_schema = IST_SCHEMA(ist_fault_delay, fault_delay_fields, false);
static const ist_field fault_abort_fields[] = {
    IST_F_MAX(ist_fault_abort, status, "httpStatus", 599),
    IST_F_SKIP("grpcStatus"),
    IST_F_SKIP("percentage"),
};
static const ist_schema fault_abort_schema = IST_SCHEMA(ist_fault_abort, fault_abort_fields, false);
static const ist_field fault_fields[] = {
    IST_F_SUB(POINTER, ist_fault, delay, "delay", fault_delay_schema),
    IST_F_SUB(POINTER, ist_fault, abort, "abort", fault_abort_schema),
};
static const ist_schema fault_schema = IST_SCHEMA(ist_fault, fault_fields, false);

static const ist_field http_fields[] = {
    IST_F(STRING, ist_http_route, name, "name"),
    IST_F_SUB(LIST, ist_http_route, match, "match", http_match_schema),
    IST_F_SUB(LIST, ist_http_route, route, "route", route_to_schema),
    IST_F_SUB(POINTER, ist_http_route, redirect, "redirect", redirect_schema),
    IST_F_SUB(POINTER, ist_http_route, direct, "directResponse", direct_schema),
    IST_F_SUB(POINTER, ist_http_route, delegate, "delegate", delegate_schema),
    IST_F_SUB(POINTER, ist_http_route, rewrite, "rewrite", rewrite_schema),
    IST_F_SUB(POINTER, ist_http_route, retries, "retries", retries_schema),
    IST_F_SUB(POINTER, ist_http_route, fault, "fault", fault_schema),
    IST_F_SUB(POINTER, ist_http_route, mirror, "mirror", destination_schema),
    IST_F_SUB(LIST, ist_http_route, mirrors, "mirrors", route_to_schema),
    IST_F(DURATION, ist_http_route, timeout_ms, "timeout"),
    IST_F_SKIP("mirrorPercent"),
    IST_F_SKIP("mirrorPercentage"),
    IST_F_SKIP("corsPolicy"),
    IST_F_SKIP("headers"),
};
static const ist_http_route http_defaults = {.timeout_ms = IST_ABSENT};
static const ist_schema http_schema = {sizeof(ist_http_route), &http_defaults, http_fields, IST_COUNT(http_fields),
                                       false};

static const ist_field l4_match_fields[] = {
    IST_F(STRINGS, ist_l4_match, sni_hosts, "sniHosts"),
    IST_F(STRINGS, ist_l4_match, subnets, "destinationSubnets"),
    IST_F_MAX(ist_l4_match, port, "port", 65535),
    IST_F(LABELS, ist_l4_match, source_labels, "sourceLabels"),
    IST_F(STRINGS, ist_l4_match, gateways, "gateways"),
    IST_F(STRING, ist_l4_match, source_namespace, "sourceNamespace"),
    IST_F_REPORT("sourceSubnet"),
};
static const ist_schema l4_match_schema = IST_SCHEMA(ist_l4_match, l4_match_fields, false);

static const ist_field l4_fields[] = {
    IST_F_SUB(LIST, ist_l4, match, "match", l4_match_schema),
    IST_F_SUB(LIST, ist_l4, route, "route", route_to_schema),
};
static const ist_schema l4_schema = IST_SCHEMA(ist_l4, l4_fields, false);

static const ist_field routes_spec_fields[] = {
    IST_F(STRINGS, ist_routes_spec, hosts, "hosts"),
    IST_F(STRINGS, ist_routes_spec, gateways, "gateways"),
    IST_F(STRINGS, ist_routes_spec, export_to, "exportTo"),
    IST_F_SUB(LIST, ist_routes_spec, http, "http", http_schema),
    IST_F_SUB(LIST, ist_routes_spec, tls, "tls", l4_schema),
    IST_F_SUB(LIST, ist_routes_spec, tcp, "tcp", l4_schema),
};
static const ist_schema routes_spec_schema = IST_SCHEMA(ist_routes_spec, routes_spec_fields, false);

static const ist_field routes_fields[] = {
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta),
    {.name = "spec",
     .type = IST_FIELD_STRUCT,
     .offset = offsetof(ist_routes, spec),
     .sub = &routes_spec_schema,
     .required = true},
    IST_F_SKIP("apiVersion"),
    IST_F_SKIP("kind"),
    IST_F_SKIP("status"),
};
static const ist_schema routes_schema = IST_SCHEMA(ist_routes, routes_fields, false);

const ist_object_type ist_object_type_routes = {
    "networking.istio.io/", "VirtualService", IST_OBJECT_ROUTES, &routes_schema, NULL, true, false};
