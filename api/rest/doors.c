// SPDX-License-Identifier: Apache-2.0
//
// Which door can give an answer, and by which name: for the explanation of a look-up.
#include "rest_priv.h"

#include "api_registry/instances.h"

// --- Contexts -------------------------------------------------------------------------------------------------------

// Does the context lead to the same route as the question did? TCP and TLS routes look at the authority only.
static ist_status context_agrees(const ist_mesh_selection *selection, const ist_mesh_context *context, ist_arena *arena,
                                 bool *ret_agrees)
{
    ist_mesh_request request;
    uint32_t index = 0;
    ist_status status = ist_mesh_request_complete(context, NULL, selection->service->host, arena, &request);
    if (status == IST_OK && selection->virtual_host != NULL) {
        *ret_agrees = ist_mesh_match_route(selection->virtual_host, &request, &index) == selection->route;
    } else if (status == IST_OK) {
        *ret_agrees = selection->port->l4_route_count == 0 ||
                      ist_strv_equal_nocase(request.authority, selection->request.authority);
    }
    return status;
}

// The context by which a door that knows no attributes gets this answer: the service's own if it does, else the first.
static ist_status find_context(const ist_mesh_selection *selection, const ist_mesh_policy *policy, ist_arena *arena,
                               const ist_mesh_context **ret_context)
{
    bool agrees = false;
    const ist_mesh_context *found = NULL;
    ist_status status = context_agrees(selection, selection->rules.context, arena, &agrees);
    found = agrees ? selection->rules.context : NULL;
    for (uint32_t i = 0; status == IST_OK && found == NULL && i < policy->context_count; i++) {
        status = context_agrees(selection, &policy->contexts[i], arena, &agrees);
        found = agrees ? &policy->contexts[i] : NULL;
    }
    *ret_context = found;
    return status;
}

// --- DNS ------------------------------------------------------------------------------------------------------------

// The DNS name that has this answer; empty where none does, with the reason. DNS answers for the primary port, and with
// addresses alone.
static ist_status name_for_dns(const ist_mesh_selection *selection, const rest_question *question,
                               const ist_api_request *request, ist_buf *out, const char **reason)
{
    const ist_mesh_service *service = selection->service;
    const ist_mesh_context *context = NULL;
    if (selection->port->number != service->primary_port) {
        *reason = "DNS answers for the primary port of a service";
        return IST_OK;
    }
    if (question->query.has_subset) {
        ist_buf_printf(out, "%.*s._subset.%.*s", IST_STRV_ARG(question->query.subset), IST_STRV_ARG(service->host));
        return IST_OK;
    }
    ist_status status = find_context(selection, ist_mesh_view_policy(request->view), request->arena, &context);
    if (status != IST_OK || context == NULL) {
        *reason = "no context of the configuration leads to this route";
        return status;
    }
    const ist_mesh_name *plan = ist_mesh_view_name(request->view, service->host, NULL);
    if (plan == NULL || plan->mode == IST_MESH_ANSWER_FORWARD) {
        *reason = "DNS asks the upstream for this name";
    } else if (context != selection->rules.context) {
        ist_buf_printf(out, "%.*s._ctx.%.*s", IST_STRV_ARG(context->name), IST_STRV_ARG(service->host));
    } else if (plan->vip) {
        *reason = "DNS answers the virtual IP";
    } else {
        ist_buf_append_strv(out, service->host);
    }
    return IST_OK;
}

// --- Registries -----------------------------------------------------------------------------------------------------

// One instance that stands for the service does not say what the rules say about endpoints; Envoy in the pod, which takes the
// call, does.
static ist_status look_for_stand_in(const ist_mesh_view *view, const ist_registry_target *target, ist_arena *arena,
                                    const char **reason)
{
    ist_registry_instances instances;
    ist_status status = ist_registry_instances_of(view, target, arena, &instances);
    bool has_envoy = ist_mesh_view_policy(view)->proxy == IST_MESH_PROXY_ENVOY;
    if (status == IST_OK && instances.count == 1 && instances.items[0].stand_in && !has_envoy) {
        *reason = "registries list one instance that stands for the service";
    }
    return status;
}

// NAME, NAME--SUBSET, NAME--CONTEXT, each with "--pPORT" where it is not the primary one.
static void append_registry_name(const ist_mesh_selection *selection, const rest_question *question, ist_strv name,
                                 const ist_mesh_context *context, ist_buf *out)
{
    ist_buf_append_strv(out, name);
    if (question->query.has_subset) {
        ist_buf_printf(out, "--%.*s", IST_STRV_ARG(question->query.subset));
    } else if (context != selection->rules.context) {
        ist_buf_printf(out, "--%.*s", IST_STRV_ARG(context->name));
    }
    if (selection->port->number != selection->service->primary_port) {
        ist_buf_printf(out, "--p%u", selection->port->number);
    }
}

// Empty where every name that the service would have leads to another one.
static ist_status canonical_name(const ist_mesh_selection *selection, const ist_api_request *request,
                                 ist_strv *ret_name)
{
    ist_registry_namer namer;
    ist_registry_names names;
    ist_status status = ist_registry_namer_init(&namer, request->view, request->arena);
    status = status == IST_OK ? ist_registry_names_of(&namer, selection->service, request->arena, &names) : status;
    *ret_name = status == IST_OK ? names.names[0] : IST_STRV_NULL;
    return status == IST_ENOTFOUND ? IST_OK : status;
}

// Does the name, as it was put together, mean this? Another service may have it.
static bool means_this(const ist_mesh_view *view, ist_strv name, const ist_mesh_selection *selection, bool has_subset,
                       ist_registry_target *ret_target)
{
    return ist_registry_find(view, name, ret_target) && ret_target->service == selection->service &&
           ret_target->port == selection->port && ret_target->has_subset == has_subset;
}

// The name by which a registry has this answer; empty where none does, with the reason.
static ist_status name_for_registry(const ist_mesh_selection *selection, const rest_question *question,
                                    const ist_api_request *request, ist_buf *out, const char **reason)
{
    ist_strv name;
    ist_registry_target target;
    bool has_subset = question->query.has_subset;
    const ist_mesh_context *context = selection->rules.context;
    ist_status status = canonical_name(selection, request, &name);
    if (status == IST_OK && !has_subset) {
        status = find_context(selection, ist_mesh_view_policy(request->view), request->arena, &context);
    }
    if (status != IST_OK) {
        return status;
    }
    if (name.n == 0 || context == NULL) {
        *reason = name.n == 0 ? "every name that it would have leads to another service"
                              : "no context of the configuration leads to this route";
        return IST_OK;
    }
    append_registry_name(selection, question, name, context, out);
    if (means_this(request->view, ist_buf_view(out), selection, has_subset, &target)) {
        status = look_for_stand_in(request->view, &target, request->arena, reason);
    } else {
        *reason = "the name that it would have means something else";
    }
    if (*reason != NULL) {
        ist_buf_clear(out);
    }
    return status;
}

// --- All ------------------------------------------------------------------------------------------------------------

static ist_status name_for(ist_mesh_door door, const ist_mesh_selection *selection, const rest_question *question,
                           const ist_api_request *request, ist_buf *out, const char **reason)
{
    switch (door) {
    case IST_MESH_DOOR_DNS:
        return name_for_dns(selection, question, request, out, reason);
    case IST_MESH_DOOR_EUREKA:
        return name_for_registry(selection, question, request, out, reason);
    case IST_MESH_DOOR_REST:
    case _IST_MESH_DOOR_MAX:
        break;
    }
    ist_buf_append_strv(out, selection->service->host);
    return IST_OK;
}

bool rest_write_doors(ist_json *json, const ist_mesh_selection *selection, const rest_question *question,
                      const ist_api_request *request)
{
    ist_status status = IST_OK;
    ist_json_begin_array(json, "doors");
    for (ist_mesh_door door = 0; door < _IST_MESH_DOOR_MAX && status == IST_OK; door++) {
        ist_buf name = IST_BUF_INIT;
        const char *reason = NULL;
        status = name_for(door, selection, question, request, &name, &reason);
        ist_json_begin_object(json, NULL);
        ist_json_string(json, "door", ist_mesh_door_name(door));
        ist_json_bool(json, "carries", name.length != 0);
        ist_json_strv_or_null(json, "name", ist_buf_view(&name));
        ist_json_strv_or_null(json, "reason", ist_strv_from(reason));
        ist_json_end_object(json);
        status = status == IST_OK ? ist_buf_status(&name) : status;
        ist_buf_done(&name);
    }
    ist_json_end_array(json);
    return status == IST_OK;
}
