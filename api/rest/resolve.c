// SPDX-License-Identifier: Apache-2.0
//
// /v1/resolve?host=&port=: one endpoint for one request, dealt so that many answers in a row follow the shares.
#include "rest_priv.h"

#include "mesh/choose.h"

// The HTTP thread is the only one that draws.
static uint32_t next_position(ist_api_rest *rest, const ist_mesh_selection *selection)
{
    return rest->positions[ist_mesh_choice_key(selection) % IST_COUNT(rest->positions)]++;
}

static void write_choice(ist_json *json, const ist_mesh_choice *choice)
{
    if (choice->found) {
        rest_write_pick(json, "pick", &choice->pick);
    } else {
        ist_json_null(json, "pick");
    }
    ist_json_null(json, "hash");
}

void rest_resolve(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_rest *rest = ctx;
    rest_question question = {0};
    ist_mesh_selection selection;
    ist_mesh_choice choice;
    bool brief = false;
    ist_strv host;
    if (!rest_has_view(request, response) ||
        !rest_knows_parameters(request, "host|port|subset|brief|" REST_ATTRIBUTES, response) ||
        !rest_read_host(request, &host, response) || !rest_read_flag(request, "brief", &brief, response) ||
        !rest_read_question(request, host, &question, response) ||
        !rest_select(request, &question, &selection, response)) {
        return;
    }
    if (ist_mesh_choose(&selection, next_position(rest, &selection), request->arena, &choice) != IST_OK) {
        ist_api_problem(response, 503, "out of memory; try again");
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    write_choice(&json, &choice);
    if (brief) {
        rest_write_asked(&json, &selection, &question);
    } else {
        rest_write_selection(&json, &selection, &question);
    }
    ist_json_end_object(&json);
}
