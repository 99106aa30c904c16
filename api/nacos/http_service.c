// SPDX-License-Identifier: Apache-2.0
//
// Services over HTTP.
#include "http_priv.h"

#define V2_PAGE_SIZE 20
#define V2_PAGE_SIZE_MAX 500 // as in the official server

static bool read_page(nacos_ask *ask, uint64_t *number, uint64_t *size)
{
    ist_strv given;
    bool required = ask->dialect == NACOS_V1;
    if (required && (!nacos_param_required(ask, "pageNo", &given) || !nacos_param_required(ask, "pageSize", &given))) {
        return false;
    }
    return nacos_param_number(ask, "pageNo", UINT64_MAX, 1, number) &&
           nacos_param_number(ask, "pageSize", UINT64_MAX, V2_PAGE_SIZE, size);
}

static void write_names(ist_json *json, const char *key, const nacos_page *page)
{
    ist_json_begin_array(json, key);
    for (size_t i = 0; i < page->count; i++) {
        ist_json_strv(json, NULL, page->items[i]);
    }
    ist_json_end_array(json);
}

void nacos_http_services(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    uint64_t number = 1;
    uint64_t size = 0;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !read_page(&ask, &number, &size) ||
        !nacos_ask_has_view(&ask)) {
        return;
    }
    nacos_names *names = &ask.nacos->names;
    nacos_own_look_after(ask.nacos);
    ist_status status = nacos_names_refresh(names, request->view, &ask.nacos->own);
    if (status != IST_OK) {
        nacos_refuse_status(&ask, status);
        return;
    }
    bool v1 = ask.dialect == NACOS_V1;
    nacos_page page = nacos_names_page(names, number, v1 || size < V2_PAGE_SIZE_MAX ? size : V2_PAGE_SIZE_MAX);
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_u64(&ask.json, "count", names->count);
    write_names(&ask.json, v1 ? "doms" : "services", &page);
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}
