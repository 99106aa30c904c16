// SPDX-License-Identifier: Apache-2.0
//
// The application's own registration: register, renew, cancel, status, metadata. Answers without a body, as clients want them:
// some take any body of a heartbeat for an instance, and then never register again.
#include "decode_priv.h"
#include "eureka_priv.h"

#include "api_core/json.h"

#include <stdio.h>

#define DEFAULT_PORT 8761
#define DEFAULT_SECURE_PORT 443

static void answer_status(ist_status status, uint32_t good, ist_api_response *response)
{
    eureka_answer_empty(response, status == IST_OK ? good : 503);
}

// A short text, as the reference gives for what is wrong with a registration.
static void refuse(ist_api_response *response, uint32_t status, const char *text)
{
    ist_buf_clear(&response->body);
    ist_buf_append_str(&response->body, text);
    response->status = status;
    response->content_type = "text/plain";
}

// JSON unless it says XML; where it says nothing, the first byte tells.
static ist_document_format body_format(const ist_api_request *request)
{
    ist_strv type;
    if (ist_api_header(request, "content-type", &type) && ist_strv_contains(type, IST_STRV("json"))) {
        return IST_DOCUMENT_JSON;
    }
    return ist_strv_starts_with(ist_strv_trim(request->body), IST_STRV("<")) ? IST_DOCUMENT_XML : IST_DOCUMENT_JSON;
}

// However small, a packed body could be of any size; no client sends one.
static bool is_packed(const ist_api_request *request, ist_api_response *response)
{
    ist_strv coding = IST_STRV_NULL;
    (void)ist_api_header(request, "content-encoding", &coding);
    if (coding.n == 0 || ist_strv_equal_nocase(coding, IST_STRV("identity"))) {
        return false;
    }
    refuse(response, 415, "the body must be sent as it is, not packed (Content-Encoding)");
    return true;
}

static void register_own(ist_api_eureka *eureka, const eureka_instance *draft, int64_t now_ms,
                         ist_api_response *response)
{
    ist_err err = IST_ERR_NULL;
    ist_status status = own_register(&eureka->own, draft, now_ms);
    if (status == IST_ELIMIT) {
        (void)ist_err_set(&err, status, "%d registrations are kept, which is the limit: cancel one, or let one end",
                          OWN_MAX);
        refuse(response, 503, err.text);
    } else {
        answer_status(status, 204, response);
    }
}

void eureka_post_app(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    eureka_instance draft;
    ist_err err = IST_ERR_NULL;
    list_times times = eureka_begin(eureka);
    if (is_packed(request, response)) {
        return;
    }
    ist_status status = eureka_decode(body_format(request), request->body, times.wall_ms, request->arena, &draft, &err);
    if (status == IST_OK && !ist_strv_equal_nocase(draft.app, request->params[0])) {
        ist_strv wanted = ist_strv_valid_utf8(request->params[0]) ? request->params[0] : IST_STRV("what is no UTF-8");
        status = ist_err_set(&err, IST_EINVAL, "Mismatched appName, expecting %.*s but was %.*s", IST_STRV_ARG(wanted),
                             IST_STRV_ARG(draft.app));
    }
    if (status == IST_OK) {
        register_own(eureka, &draft, times.now_ms, response);
    } else if (status == IST_ENOMEM) {
        eureka_answer_empty(response, 503);
    } else {
        refuse(response, 400, err.text);
    }
    eureka_own_changed(eureka);
}

// Every operation on the registration that the path names begins so. NULL: the response is 404. Instances of the mesh are
// nobody's to change.
static own_registration *begin(ist_api_eureka *eureka, const ist_api_request *request, ist_api_response *response,
                               list_times *ret_times)
{
    *ret_times = eureka_begin(eureka);
    own_registration *found = own_find(&eureka->own, request->params[0], request->params[1]);
    if (found == NULL) {
        eureka_answer_empty(response, 404);
    }
    return found;
}

// The client's time of the last change; -1 where it does not say.
static int64_t dirty_of(const ist_api_request *request)
{
    ist_strv text;
    uint64_t value = 0;
    bool given =
        ist_api_query(request, "lastDirtyTimestamp", &text) && ist_strv_to_u64(text, INT64_MAX, &value) == IST_OK;
    return given ? (int64_t)value : -1;
}

// Another server that tells us what it knows, not a client.
static bool is_replication(const ist_api_request *request)
{
    ist_strv value;
    return ist_api_header(request, "x-netflix-discovery-replication", &value) &&
           ist_strv_equal_nocase(value, IST_STRV("true"));
}

// 404 asks the client to register again: it is not known, its status is not, or it has changed since. A server that knows an
// older state is given the newer one.
void eureka_put_instance(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    list_times times;
    own_registration *own = begin(eureka, request, response, &times);
    if (own == NULL) {
        return;
    }
    if (own->instance->status == EUREKA_UNKNOWN || dirty_of(request) > own->instance->dirty_ms) {
        eureka_answer_empty(response, 404);
        return;
    }
    if (is_replication(request) && dirty_of(request) >= 0 && dirty_of(request) < own->instance->dirty_ms) {
        eureka_wish wish = eureka_read_wish(eureka, request);
        eureka_write_instance_body(&response->body, wish.format, wish.detail, own->instance);
        response->status = 409;
        eureka_finish(&wish, response);
        return;
    }
    own_renew(own, times.now_ms);
    eureka_answer_empty(response, 200);
}

void eureka_delete_instance(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    list_times times;
    own_registration *own = begin(eureka, request, response, &times);
    if (own != NULL) {
        own_cancel(&eureka->own, own);
        eureka_answer_empty(response, 200);
    }
    eureka_own_changed(eureka);
}

// The status that the query gives; false: it gives none that there is.
static bool read_value(const ist_api_request *request, eureka_status *ret_status)
{
    ist_strv text;
    return ist_api_query(request, "value", &text) && eureka_status_parse(text, ret_status);
}

void eureka_put_status(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    eureka_status status = EUREKA_UNKNOWN;
    list_times times;
    own_registration *own = begin(eureka, request, response, &times);
    if (own == NULL) {
        return;
    }
    if (!read_value(request, &status)) {
        eureka_answer_empty(response, 500); // as the reference
        return;
    }
    answer_status(own_override(&eureka->own, own, status, times.wall_ms, dirty_of(request)), 200, response);
    eureka_own_changed(eureka);
}

void eureka_delete_status(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    eureka_status status = EUREKA_UNKNOWN;
    list_times times;
    own_registration *own = begin(eureka, request, response, &times);
    if (own == NULL) {
        return;
    }
    (void)read_value(request, &status); // none: UNKNOWN, upon which the client registers again
    answer_status(own_clear_override(&eureka->own, own, status, times.wall_ms, dirty_of(request)), 200, response);
    eureka_own_changed(eureka);
}

void eureka_put_metadata(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    eureka_pair pairs[IST_API_FIELDS_MAX];
    uint32_t count = 0;
    list_times times;
    own_registration *own = begin(eureka, request, response, &times);
    if (own == NULL) {
        return;
    }
    for (size_t i = 0; i < request->query_count; i++) {
        if (request->queries[i].name.n != 0) {
            pairs[count++] = (eureka_pair){request->queries[i].name, request->queries[i].value};
        }
    }
    ist_status status = own_put_metadata(&eureka->own, own, pairs, count, times.wall_ms);
    eureka_answer_empty(response, status == IST_OK ? 200 : status == IST_ELIMIT ? 400 : 503);
}

// --- What servers and operators ask ---------------------------------------------------------------------------------

void eureka_put_asg(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    eureka_answer_empty(response, 400); // there are no auto scaling groups here
}

// A server that takes us for its peer: each of its items is received, none is kept.
void eureka_post_batch(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_document *root = NULL;
    ist_err err = IST_ERR_NULL;
    (void)ctx;
    if (is_packed(request, response)) {
        return;
    }
    ist_status status = ist_document_read(IST_DOCUMENT_JSON, request->body, request->arena, &root, &err);
    if (status != IST_OK) {
        refuse(response, status == IST_ENOMEM ? 503 : 400, err.text);
        return;
    }
    const ist_document *items = ist_document_find(root, "replicationList");
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    ist_json_begin_array(&json, "responseList");
    for (const ist_document *each = items != NULL ? items->first : NULL; each != NULL; each = each->next) {
        ist_json_begin_object(&json, NULL);
        ist_json_u64(&json, "statusCode", 200);
        ist_json_end_object(&json);
    }
    ist_json_end_array(&json);
    ist_json_end_object(&json);
}

void eureka_get_overrides(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    ist_json json = ist_json_over(&response->body);
    (void)request;
    (void)eureka_begin(eureka);
    ist_json_begin_object(&json, NULL);
    for (uint32_t i = 0; i < eureka->own.count; i++) {
        const own_registration *own = &eureka->own.items[i];
        if (own->override != EUREKA_UNKNOWN) {
            ist_json_pair(&json, own->instance->id, ist_strv_from(eureka_status_name(own->override)));
        }
    }
    ist_json_end_object(&json);
}

// This door as an instance, as the reference shows itself.
static eureka_instance self_of(const ist_api_eureka *eureka, const ist_api_request *request)
{
    ist_strv identity = request->view != NULL ? ist_mesh_view_policy(request->view)->identity : IST_STRV_NULL;
    int64_t since_ms = ist_clock_wall_ms(eureka->clock) - ist_clock_now_ms(eureka->clock) + eureka->started_ms;
    return (eureka_instance){.id = identity.n != 0 ? identity : IST_STRV("isthmus"),
                             .host_name = IST_STRV("127.0.0.1"),
                             .app = IST_STRV("ISTHMUS"),
                             .ip = IST_STRV("127.0.0.1"),
                             .vips = IST_STRV("isthmus"),
                             .status = EUREKA_UP,
                             .overridden = EUREKA_UNKNOWN,
                             .port = DEFAULT_PORT,
                             .port_enabled = true,
                             .secure_port = DEFAULT_SECURE_PORT,
                             .updated_ms = since_ms,
                             .dirty_ms = since_ms};
}

// The data of the reference's status page, as far as they mean something here: it has neither replicas nor peers.
void eureka_get_status(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_eureka *eureka = ctx;
    eureka_instance self = self_of(eureka, request);
    int64_t minutes = (ist_clock_now_ms(eureka->clock) - eureka->started_ms) / 60000;
    char uptime[32];
    (void)snprintf(uptime, sizeof(uptime), "%02lld:%02lld", (long long)minutes / 60, (long long)minutes % 60); // fits
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    ist_json_begin_object(&json, "generalStats");
    ist_json_string(&json, "environment", "isthmus");
    ist_json_string(&json, "server-uptime", uptime);
    ist_json_end_object(&json);
    ist_json_begin_object(&json, "applicationStats");
    ist_json_string(&json, "registered-replicas", "");
    ist_json_string(&json, "available-replicas", "");
    ist_json_string(&json, "unavailable-replicas", "");
    ist_json_end_object(&json);
    eureka_write_json_member(&json, "instanceInfo", &self);
    ist_json_bool(&json, "healthy", request->view != NULL);
    ist_json_end_object(&json);
}
