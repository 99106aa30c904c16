// SPDX-License-Identifier: Apache-2.0
#include "http_priv.h"

static const ist_api_route ROUTES[] = {
    {IST_API_POST, "/v1/ns/instance", "register", nacos_http_register},
    {IST_API_DELETE, "/v1/ns/instance", "deregister", nacos_http_deregister},
    {IST_API_PUT, "/v1/ns/instance", "update", nacos_http_update},
    {IST_API_PATCH, "/v1/ns/instance", "update", nacos_http_patch},
    {IST_API_GET, "/v1/ns/instance", "instance", nacos_http_instance},
    {IST_API_GET, "/v1/ns/instance/list", "list", nacos_http_list},
    {IST_API_PUT, "/v1/ns/instance/beat", "beat", nacos_http_beat},
    {IST_API_GET, "/v1/ns/service/list", "services", nacos_http_services},
    {IST_API_GET, "/v1/ns/operator/metrics", "server", nacos_http_metrics},
    {IST_API_GET, "/v1/ns/ops/metrics", "server", nacos_http_metrics},

    {IST_API_POST, "/v2/ns/instance", "register", nacos_http_register},
    {IST_API_DELETE, "/v2/ns/instance", "deregister", nacos_http_deregister},
    {IST_API_PUT, "/v2/ns/instance", "update", nacos_http_update},
    {IST_API_PATCH, "/v2/ns/instance", "update", nacos_http_patch},
    {IST_API_GET, "/v2/ns/instance", "instance", nacos_http_instance},
    {IST_API_GET, "/v2/ns/instance/list", "list", nacos_http_list},
    {IST_API_PUT, "/v2/ns/instance/beat", "beat", nacos_http_beat},
    {IST_API_GET, "/v2/ns/service/list", "services", nacos_http_services},
    {IST_API_GET, "/v2/ns/ops/metrics", "server", nacos_http_metrics},

    {IST_API_POST, "/v3/client/ns/instance", "register", nacos_http_register},
    {IST_API_DELETE, "/v3/client/ns/instance", "deregister", nacos_http_deregister},
    {IST_API_GET, "/v3/client/ns/instance/list", "list", nacos_http_list},
};

// The context path that clients have unless they are told another, and none.
static const char *const BASES[] = {"/nacos", "", NULL};

static void on_view(void *ctx)
{
    ist_api_nacos_on_view(ctx);
}

ist_api_routes ist_api_nacos_routes(ist_api_nacos *nacos)
{
    return (ist_api_routes){.api = "nacos",
                            .rows = ROUTES,
                            .count = IST_COUNT(ROUTES),
                            .ctx = nacos,
                            .bases = BASES,
                            .lenient = true,
                            .on_view = on_view};
}
