// SPDX-License-Identifier: Apache-2.0
//
// What clients, dashboards and operators ask about the server itself.
#include "http_priv.h"

void nacos_http_metrics(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_string(&ask.json, "status", request->view != NULL ? "UP" : "STARTING");
    if (!nacos_param_flag(&ask, "onlyStatus", true)) {
        ist_json_u64(&ask.json, "serviceCount",
                     request->view != NULL ? ist_mesh_view_counts(request->view)->services : 0);
        ist_json_u64(&ask.json, "instanceCount", ask.nacos->own.count);
        ist_json_u64(&ask.json, "subscribeCount", ask.nacos->subscription_count);
    }
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}
