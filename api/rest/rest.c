// SPDX-License-Identifier: Apache-2.0
#include "api_rest/rest.h"

#include "rest_priv.h"

static const ist_api_route ROUTES[] = {
    {IST_API_GET, "/v1/services", "services", rest_services},
    {IST_API_GET, "/v1/services/{host}", "service", rest_service},
    {IST_API_GET, "/v1/endpoints/{host}", "endpoints", rest_endpoints},
    {IST_API_GET, "/v1/resolve", "resolve", rest_resolve},
    {IST_API_GET, "/v1/explain", "explain", rest_explain},
    {IST_API_GET, "/v1/routes/{host}", "routes", rest_routes},
    {IST_API_GET, "/v1/report", "report", rest_report},
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

// Is `name` one of the words of `names`?
static bool is_listed(ist_strv name, const char *names)
{
    ist_strv rest = ist_strv_from(names);
    for (bool more = rest.n != 0; more;) {
        ist_strv word = ist_strv_cut(&rest, '|', &more);
        bool prefix = ist_strv_ends_with(word, IST_STRV("."));
        if (ist_strv_equal(name, word) ? !prefix : prefix && ist_strv_starts_with(name, word)) {
            return true;
        }
    }
    return false;
}

bool rest_knows_parameters(const ist_api_request *request, const char *names, ist_api_response *response)
{
    for (size_t i = 0; i < request->query_count; i++) {
        ist_strv name = request->queries[i].name;
        if (!is_listed(name, names)) {
            ist_api_problem(response, 400, "unknown parameter \"%.*s\"; %s%s", IST_STRV_ARG(name),
                            names[0] != '\0' ? "known are " : "this path takes none", names);
            return false;
        }
    }
    return true;
}

void rest_write_revision(ist_json *json, const ist_api_request *request)
{
    ist_json_u64(json, "revision", request->view != NULL ? ist_mesh_view_revision(request->view) : 0);
    ist_json_bool(json, "stale", request->stale);
}

void rest_write_buf(ist_json *json, const char *key, ist_buf *text)
{
    if (ist_buf_status(text) != IST_OK) {
        json->out->status = ist_buf_status(text); // an answer that lacks texts must not look whole
    }
    ist_json_strv(json, key, ist_buf_view(text));
    ist_buf_done(text);
}
