// SPDX-License-Identifier: Apache-2.0
#include "api_rest/rest.h"

#include "rest_priv.h"

static const ist_api_route ROUTES[] = {
    {IST_API_GET, "/v1/services", "services", rest_services},
    {IST_API_GET, "/v1/services/{host}", "service", rest_service},
    {IST_API_GET, "/v1/endpoints/{host}", "endpoints", rest_endpoints},
    {IST_API_GET, "/v1/status", "status", rest_status},
    {IST_API_GET, "/v1/watch", "watch", rest_watch},
    {IST_API_GET, "/v1/openapi.json", "openapi", rest_openapi},
};

ist_api_routes ist_api_rest_routes(ist_api_rest *rest)
{
    return (ist_api_routes){.api = "rest", .rows = ROUTES, .count = IST_COUNT(ROUTES), .ctx = rest};
}

bool rest_has_view(const ist_api_request *request, ist_api_response *response)
{
    if (request->view == NULL) {
        ist_api_problem(response, 503, "no view of the mesh yet; GET /v1/status says what is still missing");
    }
    return request->view != NULL;
}

void rest_write_revision(ist_json *json, const ist_api_request *request)
{
    ist_json_u64(json, "revision", request->view != NULL ? ist_mesh_view_revision(request->view) : 0);
    ist_json_bool(json, "stale", request->stale);
}
