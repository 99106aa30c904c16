// SPDX-License-Identifier: Apache-2.0
//
// Names in registries: under which name a registry door lists a service, which other names lead to it, and what a name that a
// client asks for means. One set of rules for all registry doors (docs/eureka.md, "Names").
//
// The view decides what a plain name means (ist_mesh_view_resolve_host); here only the forms are made, and what the view does
// not lead back to the same service is left out. Derived names have "--": NAME--SUBSET, NAME--CONTEXT, NAME--pPORT, in this
// order when combined; a subset goes before a context of the same name. NAME is any of a service's names; where it has dots,
// lists show NAME.NAMESPACE--SUBSET, and NAME--SUBSET.NAMESPACE, as DNS spells it, is found too.
//
// Memory: results lie in the caller's arena or are borrowed from the view. Threads: any that holds the view.
#pragma once

#include "base/arena.h"
#include "mesh/select.h"
#include "mesh/view.h"

// What a name leads to; ready for ist_mesh_query.
typedef struct ist_registry_target {
    const ist_mesh_service *service;
    const ist_mesh_port *port;
    bool has_subset;
    ist_strv subset;
    const ist_mesh_context *context; // NULL = the service's own
} ist_registry_target;

// False: nobody answers to this name. Any case, one trailing dot.
bool ist_registry_find(const ist_mesh_view *view, ist_strv name, ist_registry_target *ret_target) IST_NONNULL;

// The names of one service: names[0] is the canonical one, then those of the configuration (`configured` of them: those under
// names:, and the bare name of a namespace that is searched), then the other forms. All in lower case, none twice, every one
// leads back to the service.
typedef struct ist_registry_names {
    const ist_strv *names;
    uint32_t count;
    uint32_t configured;
    bool named; // some of them stand under names:
} ist_registry_names;

// Which services the names of the configuration lead to, once for a view.
typedef struct ist_registry_namer {
    const ist_mesh_view *view;
    const struct named_service *rows; // sorted by service; in the arena
    uint32_t row_count;
} ist_registry_namer;

// IST_ENOMEM.
ist_status ist_registry_namer_init(ist_registry_namer *namer, const ist_mesh_view *view,
                                   ist_arena *arena) IST_NONNULL IST_MUSTCHECK;
// IST_ENOMEM; IST_ENOTFOUND: no name leads to it (another service has all of them).
ist_status ist_registry_names_of(const ist_registry_namer *namer, const ist_mesh_service *service, ist_arena *arena,
                                 ist_registry_names *ret_names) IST_NONNULL IST_MUSTCHECK;

// "NAME.NAMESPACE.svc.DOMAIN" taken apart; false: the host has another form.
bool ist_registry_split_host(const ist_mesh_policy *policy, ist_strv host, ist_strv *ret_name,
                             ist_strv *ret_namespace) IST_NONNULL;
// Does java.net.URI take the name, in lower case, for a host?
bool ist_registry_is_uri_host(ist_strv name);

// Do lists show it? Services with a port for HTTP, gRPC or TLS, outside the namespaces that the policy leaves out; look-ups by
// name answer all others too.
bool ist_registry_is_listed(const ist_mesh_policy *policy, const ist_mesh_service *service) IST_NONNULL;
// The names of a service that lists show: one that is listed, or that the configuration names. IST_ENOTFOUND: they do not show
// it. IST_ENOMEM.
ist_status ist_registry_listed_names_of(const ist_registry_namer *namer, const ist_mesh_service *service,
                                        ist_arena *arena, ist_registry_names *ret_names) IST_NONNULL IST_MUSTCHECK;
// Is this port one that clients of a registry can call?
bool ist_registry_port_is_listed(const ist_mesh_port *port) IST_NONNULL;
