// SPDX-License-Identifier: Apache-2.0
//
// Services over HTTP.
#include "http_priv.h"
#include "service_priv.h"

#include "api_registry/names.h"

#define V2_PAGE_SIZE 20
#define V2_PAGE_SIZE_MAX 500 // as in the official server
#define SUBSCRIBERS_PAGE_SIZE 1000

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

// --- What is said of a service --------------------------------------------------------------------------------------

// Does anybody have instances under this name?
static bool has_instances(nacos_ask *ask, const nacos_key *key)
{
    ist_registry_target target;
    const ist_mesh_view *view = ask->request->view;
    const nacos_own *own = &ask->nacos->own;
    bool found = view != NULL && nacos_scopes_find(own->scopes, view, key, &target);
    for (size_t i = 0; i < own->count && !found; i++) {
        found = nacos_key_equal(&own->items[i]->instance.key, key);
    }
    return found;
}

static bool refuse_unknown(nacos_ask *ask, const nacos_key *key)
{
    bool known = nacos_service_find(&ask->nacos->own, key) != NULL || has_instances(ask, key);
    if (!known) {
        nacos_refuse(ask, NACOS_NO_SERVICE, "service %.*s@@%.*s is not found!", IST_STRV_ARG(key->group),
                     IST_STRV_ARG(key->name));
    }
    return !known;
}

static bool read_metadata(nacos_ask *ask, nacos_service *draft)
{
    ist_err err = IST_ERR_NULL;
    nacos_instance pairs = {.metadata = NULL};
    ist_status status = nacos_metadata_parse(nacos_param(ask, "metadata"), ask->request->arena, &pairs, &err);
    if (status != IST_OK) {
        nacos_refuse(ask, status == IST_ENOMEM ? NACOS_NOT_NOW : NACOS_INVALID, "%s", err.text);
        return false;
    }
    draft->metadata = pairs.metadata;
    draft->metadata_count = pairs.metadata_count;
    return true;
}

// Selectors choose hosts by labels of a registry that nobody has here: the mesh's rules do that.
static bool read_selector(nacos_ask *ask)
{
    const ist_document *selector = NULL;
    ist_strv text = nacos_param(ask, "selector");
    ist_strv type = IST_STRV("none");
    if (text.n != 0) {
        ist_status status = ist_document_read(IST_DOCUMENT_JSON, text, ask->request->arena, &selector, NULL);
        type = status == IST_OK ? ist_document_text(ist_document_find(selector, "type")) : IST_STRV_NULL;
    }
    bool valid = ist_strv_equal_nocase(type, IST_STRV("none"));
    if (!valid) {
        nacos_refuse(ask, NACOS_INVALID, "Param 'selector' is illegal: only {\"type\":\"none\"} is served here.");
    }
    return valid;
}

static bool read_service(nacos_ask *ask, nacos_service *draft)
{
    double threshold = 0;
    ist_strv text = nacos_param(ask, "protectThreshold");
    *draft = (nacos_service){.threshold = 0};
    if (!nacos_ask_key(ask, &draft->key)) {
        return false;
    }
    if (text.n != 0 && (!nacos_weight_parse(text, &threshold) || threshold > 1)) {
        nacos_refuse(ask, NACOS_INVALID, "Param 'protectThreshold' is illegal: 0 to 1.");
        return false;
    }
    draft->threshold = threshold;
    return read_selector(ask) && read_metadata(ask, draft);
}

// The threshold changes lists, so that whoever is subscribed to one is told.
static void put_service(nacos_ask *ask, const nacos_service *draft)
{
    ist_status status = nacos_service_put(&ask->nacos->own, draft);
    nacos_own_changed(ask->nacos);
    if (status != IST_OK) {
        nacos_refuse_status(ask, status);
        return;
    }
    nacos_answer_done(ask);
}

void nacos_http_create_service(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_service draft;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !read_service(&ask, &draft)) {
        return;
    }
    if (nacos_service_find(&ask.nacos->own, &draft.key) != NULL || has_instances(&ask, &draft.key)) {
        nacos_refuse(&ask, NACOS_EXISTS, "specified service already exists, serviceName : %.*s@@%.*s",
                     IST_STRV_ARG(draft.key.group), IST_STRV_ARG(draft.key.name));
        return;
    }
    draft.created = true;
    put_service(&ask, &draft);
}

void nacos_http_update_service(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_service draft;
    ist_strv threshold;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !read_service(&ask, &draft)) {
        return;
    }
    if ((ask.dialect == NACOS_V1 && !nacos_param_required(&ask, "protectThreshold", &threshold)) ||
        refuse_unknown(&ask, &draft.key)) {
        return;
    }
    const nacos_service *known = nacos_service_find(&ask.nacos->own, &draft.key);
    draft.created = known != NULL && known->created;
    put_service(&ask, &draft);
}

void nacos_http_delete_service(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_key key;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !nacos_ask_key(&ask, &key) || refuse_unknown(&ask, &key)) {
        return;
    }
    if (has_instances(&ask, &key)) {
        nacos_refuse(&ask, NACOS_INVALID,
                     "Service %.*s@@%.*s is not empty, can't be deleted. Please unregister instance first",
                     IST_STRV_ARG(key.group), IST_STRV_ARG(key.name));
        return;
    }
    nacos_service_remove(&ask.nacos->own, nacos_service_find(&ask.nacos->own, &key));
    nacos_own_changed(ask.nacos);
    nacos_answer_done(&ask);
}

static void write_metadata(ist_json *json, const nacos_service *service)
{
    ist_json_begin_object(json, "metadata");
    for (uint32_t i = 0; service != NULL && i < service->metadata_count; i++) {
        ist_json_pair(json, service->metadata[i].key, service->metadata[i].value);
    }
    ist_json_end_object(json);
}

// There is one cluster here; version 1 lists it with how it would be checked.
static void write_clusters(ist_json *json, bool v1)
{
    if (!v1) {
        ist_json_begin_object(json, "clusterMap");
        ist_json_end_object(json);
        return;
    }
    ist_json_begin_array(json, "clusters");
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "name", NACOS_CLUSTER);
    ist_json_begin_object(json, "healthChecker");
    ist_json_string(json, "type", "NONE");
    ist_json_end_object(json);
    ist_json_begin_object(json, "metadata");
    ist_json_end_object(json);
    ist_json_end_object(json);
    ist_json_end_array(json);
}

static void write_service(ist_json *json, const char *json_key, const nacos_key *key, const nacos_service *service,
                          bool v1)
{
    ist_json_begin_object(json, json_key);
    ist_json_strv(json, v1 ? "namespaceId" : "namespace", key->namespace_id);
    ist_json_strv(json, "groupName", key->group);
    ist_json_strv(json, v1 ? "name" : "serviceName", key->name);
    ist_json_double(json, "protectThreshold", service != NULL ? service->threshold : 0);
    write_metadata(json, service);
    ist_json_begin_object(json, "selector");
    ist_json_string(json, "type", "none");
    ist_json_end_object(json);
    write_clusters(json, v1);
    if (!v1) {
        ist_json_bool(json, "ephemeral", service == NULL || !service->created);
    }
    ist_json_end_object(json);
}

void nacos_http_service(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_key key;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !nacos_ask_key(&ask, &key) || !nacos_ask_has_view(&ask) ||
        refuse_unknown(&ask, &key)) {
        return;
    }
    nacos_answer_begin(&ask);
    write_service(&ask.json, ask.key, &key, nacos_service_find(&ask.nacos->own, &key), ask.dialect == NACOS_V1);
    nacos_answer_end(&ask);
}

// --- Who is told of changes -----------------------------------------------------------------------------------------

// "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711".
static void write_subscriber(ist_json *json, const nacos_subscription *subscription)
{
    const nacos_subscriber *subscriber = subscription->subscriber;
    const nacos_wish *wish = &subscription->list->wish;
    ist_buf name = IST_BUF_INIT;
    ist_strv port = ist_strv_from(subscriber->peer);
    (void)ist_strv_cut(&port, ':', NULL);
    ist_strv address = ist_strv_first(port, ist_strv_rfind(port, ':'));
    ist_strv ip = address;
    port = ist_strv_skip(port, address.n + 1);
    if (ist_strv_starts_with(ip, IST_STRV("%5B")) && ist_strv_ends_with(ip, IST_STRV("%5D"))) {
        ip = ist_strv_make(ip.p + 3, ip.n - 6);
    }
    nacos_key_append_grouped(&wish->key, &name);
    json->out->status = ist_buf_status(&name) != IST_OK ? ist_buf_status(&name) : json->out->status;
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "addrStr", ip);
    ist_json_string(json, "agent", subscriber->agent);
    ist_json_string(json, "app", "unknown");
    ist_json_strv(json, "ip", ip);
    ist_buf_printf(json->out, ",\"port\":%.*s", IST_STRV_ARG(port));
    ist_json_strv(json, "namespaceId", wish->key.namespace_id);
    ist_json_strv(json, "serviceName", ist_buf_view(&name));
    ist_json_strv(json, "cluster", wish->clusters);
    ist_json_end_object(json);
    ist_buf_done(&name);
}

typedef struct page_window {
    uint64_t skip;
    uint64_t size;
    uint64_t seen;
} page_window;

static void write_subscribers(ist_json *json, const nacos_list *list, page_window *window)
{
    for (const nacos_subscription *each = list->subscriptions; each != NULL; each = each->next_of_list) {
        if (window->seen >= window->skip && window->seen - window->skip < window->size) {
            write_subscriber(json, each);
        }
        window->seen++;
    }
}

void nacos_http_subscribers(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_key key;
    uint64_t number = 1;
    page_window window = {.size = 0};
    size_t it = 0;
    void *value = NULL;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !nacos_ask_key(&ask, &key) ||
        !nacos_param_number(&ask, "pageNo", UINT32_MAX, 1, &number) ||
        !nacos_param_number(&ask, "pageSize", UINT32_MAX, SUBSCRIBERS_PAGE_SIZE, &window.size)) {
        return;
    }
    window.skip = number > 1 ? (number - 1) * window.size : 0;
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_begin_array(&ask.json, "subscribers");
    while (ist_map_next(ask.nacos->lists.by_wish, &it, NULL, &value)) {
        if (nacos_key_equal(&((const nacos_list *)value)->wish.key, &key)) {
            write_subscribers(&ask.json, value, &window);
        }
    }
    ist_json_end_array(&ask.json);
    ist_json_u64(&ask.json, "count", window.seen);
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}
