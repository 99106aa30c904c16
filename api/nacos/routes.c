// SPDX-License-Identifier: Apache-2.0
#include "http_priv.h"

static const ist_api_route ROUTES[] = {
    {IST_API_GET, "/v1/ns/instance/list", "list", nacos_v1_get_list},
};

static const char *const BASES[] = {"/nacos", NULL};

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
