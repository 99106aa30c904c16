// SPDX-License-Identifier: Apache-2.0
//
// What all operations over HTTP share.
#include "http_priv.h"

#include "api_core/json.h"

#include <stdarg.h>

#define FIRST_VIEW_MS 2500 // clients give up after 3 s
#define JSON_TYPE "application/json;charset=UTF-8"
#define TEXT_TYPE "text/plain;charset=UTF-8"

// --- Answers --------------------------------------------------------------------------------------------------------

typedef struct fault_row {
    uint32_t status;
    uint32_t code;
    const char *message;
} fault_row;

static const fault_row FAULTS[_NACOS_FAULT_MAX] = {
    [NACOS_MISSING] = {400, 10000, "parameter missing"},    [NACOS_INVALID] = {400, 20002, "parameter validate error"},
    [NACOS_EXISTS] = {400, 21007, "service already exist"}, [NACOS_FORBIDDEN] = {403, 10001, "access denied"},
    [NACOS_NO_CONFIG] = {404, 20004, "resource not found"}, [NACOS_NO_INSTANCE] = {404, 21003, "instance not found"},
    [NACOS_NO_SERVICE] = {404, 21008, "service not exist"}, [NACOS_ELSEWHERE] = {501, 30000, "server error"},
    [NACOS_NOT_NOW] = {503, 30000, "server error"},
};

static void begin_envelope(nacos_ask *ask, uint32_t code, const char *message)
{
    ist_json_begin_object(&ask->json, NULL);
    ist_json_u64(&ask->json, "code", code);
    ist_json_string(&ask->json, "message", message);
}

void nacos_answer_begin(nacos_ask *ask)
{
    ask->response->content_type = JSON_TYPE;
    ask->key = NULL;
    if (ask->dialect != NACOS_V1) {
        begin_envelope(ask, 0, "success");
        ask->key = "data";
    }
}

void nacos_answer_end(nacos_ask *ask)
{
    if (ask->dialect != NACOS_V1) {
        ist_json_end_object(&ask->json);
    }
}

void nacos_answer_text(nacos_ask *ask, const char *text)
{
    ask->response->content_type = TEXT_TYPE;
    ist_buf_append_str(&ask->response->body, text);
}

void nacos_answer_done(nacos_ask *ask)
{
    if (ask->dialect == NACOS_V1) {
        nacos_answer_text(ask, "ok");
        return;
    }
    nacos_answer_begin(ask);
    ist_json_string(&ask->json, ask->key, "ok");
    nacos_answer_end(ask);
}

void nacos_refuse(nacos_ask *ask, nacos_fault fault, const char *format, ...)
{
    ist_buf text = IST_BUF_INIT;
    va_list args;
    va_start(args, format);
    ist_buf_vprintf(&text, format, args);
    va_end(args);
    ist_buf_clear(&ask->response->body);
    ask->response->status = FAULTS[fault].status;
    if (ask->dialect == NACOS_V1) {
        ask->response->content_type = TEXT_TYPE;
        ist_buf_append_strv(&ask->response->body, ist_buf_view(&text));
    } else {
        ask->response->content_type = JSON_TYPE;
        ask->json = ist_json_over(&ask->response->body);
        begin_envelope(ask, FAULTS[fault].code, FAULTS[fault].message);
        ist_json_strv(&ask->json, "data", ist_buf_view(&text));
        ist_json_end_object(&ask->json);
    }
    ist_buf_done(&text);
}

void nacos_refuse_status(nacos_ask *ask, ist_status status)
{
    if (status == IST_ELIMIT) {
        nacos_refuse(ask, NACOS_NOT_NOW, "too many, or too long (docs/nacos.md, Limits)");
    } else {
        nacos_refuse(ask, NACOS_NOT_NOW, "out of memory; try again");
    }
}

// --- Questions ------------------------------------------------------------------------------------------------------

// By the first segment of the path that names a version; without one it is the first.
static nacos_dialect dialect_of(ist_strv path)
{
    for (bool more = path.n != 0; more;) {
        ist_strv segment = ist_strv_cut(&path, '/', &more);
        if (ist_strv_equal(segment, IST_STRV("v1"))) {
            break;
        }
        if (ist_strv_equal(segment, IST_STRV("v2"))) {
            return NACOS_V2;
        }
        if (ist_strv_equal(segment, IST_STRV("v3"))) {
            return NACOS_V3;
        }
    }
    return NACOS_V1;
}

bool nacos_ask_begin(void *ctx, const ist_api_request *request, ist_api_response *response, nacos_ask *ret_ask)
{
    ist_err err = IST_ERR_NULL;
    *ret_ask = (nacos_ask){.nacos = ctx,
                           .request = request,
                           .response = response,
                           .dialect = dialect_of(request->path),
                           .json = ist_json_over(&response->body)};
    ist_status status = nacos_form_parse(request->body, request->arena, &ret_ask->form, &err);
    if (status != IST_OK) {
        nacos_refuse(ret_ask, status == IST_ENOMEM ? NACOS_NOT_NOW : NACOS_INVALID, "%s", err.text);
    }
    return status == IST_OK;
}

ist_strv nacos_param(const nacos_ask *ask, const char *name)
{
    ist_strv value = IST_STRV_NULL;
    (void)ist_api_query(ask->request, name, &value);
    return value.n != 0 ? value : nacos_form_find(&ask->form, name);
}

bool nacos_param_flag(const nacos_ask *ask, const char *name, bool otherwise)
{
    return nacos_text_is_true(nacos_param(ask, name), otherwise);
}

bool nacos_param_number(nacos_ask *ask, const char *name, uint64_t max, uint64_t otherwise, uint64_t *ret_number)
{
    ist_strv text = nacos_param(ask, name);
    *ret_number = otherwise;
    if (text.n == 0 || ist_strv_to_u64(text, max, ret_number) == IST_OK) {
        return true;
    }
    nacos_refuse(ask, NACOS_INVALID, "Param '%s' is illegal: a number up to %llu.", name, (unsigned long long)max);
    return false;
}

bool nacos_param_required(nacos_ask *ask, const char *name, ist_strv *ret_value)
{
    *ret_value = nacos_param(ask, name);
    if (ret_value->n == 0) {
        nacos_refuse(ask, NACOS_MISSING, "Param '%s' is required.", name);
    }
    return ret_value->n != 0;
}

bool nacos_ask_key(nacos_ask *ask, nacos_key *ret_key)
{
    ist_err err = IST_ERR_NULL;
    ist_strv name;
    if (!nacos_param_required(ask, "serviceName", &name)) {
        return false;
    }
    ist_status status =
        nacos_key_make(nacos_param(ask, "namespaceId"), nacos_param(ask, "groupName"), name, ret_key, &err);
    if (status != IST_OK) {
        nacos_refuse(ask, NACOS_INVALID, "%s", err.text);
    }
    return status == IST_OK;
}

// Java 1.4.2 says the bare number in Client-Version, and its name in User-Agent only.
ist_strv nacos_ask_agent(const nacos_ask *ask)
{
    ist_strv version = IST_STRV_NULL;
    ist_strv agent = IST_STRV_NULL;
    bool said = ist_api_header(ask->request, "client-version", &version);
    bool named = said && nacos_client_of(version) != NACOS_CLIENT_OTHER;
    return !named && ist_api_header(ask->request, "user-agent", &agent) ? agent : version;
}

nacos_client nacos_ask_client(const nacos_ask *ask)
{
    return nacos_client_of(nacos_ask_agent(ask));
}

bool nacos_ask_has_view(nacos_ask *ask)
{
    ist_api_response *response = ask->response;
    if (ask->request->view != NULL) {
        return true;
    }
    if (ask->request->timed_out) {
        nacos_refuse(ask, NACOS_NOT_NOW, "the agent has no view of the mesh yet: `isthmus status` says why");
        return false;
    }
    response->wait = true;
    response->wait_beyond = 0;
    response->wait_ms = FIRST_VIEW_MS;
    return false;
}
