// SPDX-License-Identifier: Apache-2.0
#include "config_priv.h"
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
    {IST_API_GET, "/v1/ns/service", "service", nacos_http_service},
    {IST_API_POST, "/v1/ns/service", "service", nacos_http_create_service},
    {IST_API_PUT, "/v1/ns/service", "service", nacos_http_update_service},
    {IST_API_DELETE, "/v1/ns/service", "service", nacos_http_delete_service},
    {IST_API_GET, "/v1/ns/service/subscribers", "subscribers", nacos_http_subscribers},
    {IST_API_PUT, "/v1/ns/health/instance", "update", nacos_http_patch},
    {IST_API_GET, "/v1/ns/health/server", "server", nacos_http_health},
    {IST_API_GET, "/v1/ns/operator/servers", "server", nacos_http_servers},
    {IST_API_GET, "/v1/ns/operator/switches", "server", nacos_http_switches},
    {IST_API_PUT, "/v1/ns/operator/switches", "server", nacos_http_set_switches},
    {IST_API_GET, "/v1/ns/ops/switches", "server", nacos_http_switches},
    {IST_API_PUT, "/v1/ns/ops/switches", "server", nacos_http_set_switches},
    {IST_API_GET, "/v1/ns/operator/metrics", "server", nacos_http_metrics},
    {IST_API_GET, "/v1/ns/ops/metrics", "server", nacos_http_metrics},
    {IST_API_GET, "/v1/console/health/liveness", "server", nacos_http_liveness},
    {IST_API_GET, "/v1/console/health/readiness", "server", nacos_http_readiness},
    {IST_API_GET, "/v1/console/server/state", "server", nacos_http_state},
    {IST_API_GET, "/v1/console/namespaces", "server", nacos_http_namespaces},
    {IST_API_POST, "/v1/auth/login", "login", nacos_http_login},
    {IST_API_POST, "/v1/auth/users/login", "login", nacos_http_login},
    {IST_API_GET, "/serverlist", "server", nacos_http_server_list},

    {IST_API_POST, "/v2/ns/instance", "register", nacos_http_register},
    {IST_API_DELETE, "/v2/ns/instance", "deregister", nacos_http_deregister},
    {IST_API_PUT, "/v2/ns/instance", "update", nacos_http_update},
    {IST_API_PATCH, "/v2/ns/instance", "update", nacos_http_patch},
    {IST_API_GET, "/v2/ns/instance", "instance", nacos_http_instance},
    {IST_API_GET, "/v2/ns/instance/list", "list", nacos_http_list},
    {IST_API_PUT, "/v2/ns/instance/beat", "beat", nacos_http_beat},
    {IST_API_GET, "/v2/ns/service/list", "services", nacos_http_services},
    {IST_API_GET, "/v2/ns/service", "service", nacos_http_service},
    {IST_API_POST, "/v2/ns/service", "service", nacos_http_create_service},
    {IST_API_PUT, "/v2/ns/service", "service", nacos_http_update_service},
    {IST_API_DELETE, "/v2/ns/service", "service", nacos_http_delete_service},
    {IST_API_PUT, "/v2/ns/health/instance", "update", nacos_http_patch},
    {IST_API_GET, "/v2/ns/health", "server", nacos_http_health},
    {IST_API_GET, "/v2/ns/operator/metrics", "server", nacos_http_metrics},
    {IST_API_GET, "/v2/ns/operator/switches", "server", nacos_http_switches},
    {IST_API_PUT, "/v2/ns/operator/switches", "server", nacos_http_set_switches},
    {IST_API_GET, "/v2/ns/ops/metrics", "server", nacos_http_metrics},
    {IST_API_GET, "/v2/ns/ops/switches", "server", nacos_http_switches},
    {IST_API_PUT, "/v2/ns/ops/switches", "server", nacos_http_set_switches},
    {IST_API_GET, "/v2/console/health/liveness", "server", nacos_http_liveness},
    {IST_API_GET, "/v2/console/health/readiness", "server", nacos_http_readiness},
    {IST_API_GET, "/v2/console/namespace/list", "server", nacos_http_namespaces},

    {IST_API_POST, "/v3/client/ns/instance", "register", nacos_http_register},
    {IST_API_DELETE, "/v3/client/ns/instance", "deregister", nacos_http_deregister},
    {IST_API_GET, "/v3/client/ns/instance/list", "list", nacos_http_list},
    {IST_API_GET, "/v3/admin/core/state", "server", nacos_http_state},
    {IST_API_GET, "/v3/admin/core/state/liveness", "server", nacos_http_liveness},
    {IST_API_GET, "/v3/admin/core/state/readiness", "server", nacos_http_readiness},
    {IST_API_POST, "/v3/auth/user/login", "login", nacos_http_login},
};

static const ist_api_route CONFIG_ROUTES[] = {
    {IST_API_GET, "/v1/cs/configs", "config", nacos_config_http},
    {IST_API_POST, "/v1/cs/configs", "config_write", nacos_config_http},
    {IST_API_DELETE, "/v1/cs/configs", "config_write", nacos_config_http},
    {IST_API_POST, "/v1/cs/configs/listener", "config_listen", nacos_config_wait},
    {IST_API_GET, "/v2/cs/config", "config", nacos_config_http},
    {IST_API_POST, "/v2/cs/config", "config_write", nacos_config_http},
    {IST_API_DELETE, "/v2/cs/config", "config_write", nacos_config_http},
    {IST_API_GET, "/v3/client/cs/config", "config", nacos_config_http},
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

ist_api_routes ist_api_nacos_config_routes(ist_api_nacos *nacos)
{
    return (ist_api_routes){.api = "nacos",
                            .rows = CONFIG_ROUTES,
                            .count = IST_COUNT(CONFIG_ROUTES),
                            .ctx = nacos,
                            .bases = BASES,
                            .lenient = true};
}
