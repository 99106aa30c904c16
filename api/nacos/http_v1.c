// SPDX-License-Identifier: Apache-2.0
//
// Version 1 of the HTTP API, which clients up to 1.4 use, and those of other languages.
#include "http_priv.h"

ist_strv nacos_param(const ist_api_request *request, const char *name)
{
    ist_strv value = IST_STRV_NULL;
    (void)ist_api_query(request, name, &value);
    return value;
}

void nacos_refuse_text(ist_api_response *response, uint32_t status, const char *text)
{
    ist_buf_clear(&response->body);
    ist_buf_append_str(&response->body, text);
    response->status = status;
    response->content_type = "text/plain;charset=UTF-8";
}

static nacos_client client_of(const ist_api_request *request)
{
    ist_strv version = IST_STRV_NULL;
    if (!ist_api_header(request, "client-version", &version)) {
        (void)ist_api_header(request, "user-agent", &version);
    }
    return nacos_client_of(version);
}

void nacos_v1_get_list(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_nacos *nacos = ctx;
    nacos_key key;
    ist_err err = IST_ERR_NULL;
    if (nacos_key_make(nacos_param(request, "namespaceId"), nacos_param(request, "groupName"),
                       nacos_param(request, "serviceName"), &key, &err) != IST_OK) {
        nacos_refuse_text(response, 400, err.text);
        return;
    }
    nacos_wish wish = nacos_wish_of(nacos, &key, nacos_param(request, "clusters"), client_of(request));
    nacos_list *list = nacos_find_list(nacos, &wish);
    if (list == NULL) {
        nacos_refuse_text(response, 503, "out of memory, or too many lists");
        return;
    }
    nacos_list_write(list, NACOS_GROUPED_NAME, NACOS_CACHE_MS, nacos_wall_ms(nacos), &response->body);
    response->content_type = "application/json;charset=UTF-8";
}
