// SPDX-License-Identifier: Apache-2.0
//
// The naming requests of RPC.
#include "form_priv.h"
#include "rpc_priv.h"

#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

enum { ERROR_PARAMETER = 400, ERROR_MEMORY = 500, ERROR_LIMIT = 503 };

static bool read_key(nacos_call *call, nacos_key *key)
{
    ist_err err = IST_ERR_NULL;
    ist_status status = nacos_key_make(nacos_field(call, "namespace"), nacos_field(call, "groupName"),
                                       nacos_field(call, "serviceName"), key, &err);
    if (status != IST_OK) {
        nacos_answer_error(call, ERROR_PARAMETER, err.text);
    }
    return status == IST_OK;
}

static void answer_status(nacos_call *call, ist_status status)
{
    if (status == IST_OK) {
        nacos_answer_ok(call);
    } else if (status == IST_ELIMIT) {
        nacos_answer_error(call, ERROR_LIMIT,
                           "too many registrations, or one that is too long (docs/nacos.md, Limits)");
    } else {
        nacos_answer_error(call, ERROR_MEMORY, "out of memory");
    }
}

// --- Registrations --------------------------------------------------------------------------------------------------

// False: the answer says what is wrong.
static bool read_instance(nacos_call *call, const ist_document *node, const nacos_key *key, nacos_instance *draft)
{
    uint64_t port = 0;
    const char *wrong = NULL;
    ist_strv ip = ist_document_text(ist_document_find(node, "ip"));
    ist_strv weight = ist_document_text(ist_document_find(node, "weight"));
    *draft = (nacos_instance){.key = *key,
                              .ip = ip,
                              .cluster = nacos_cluster_of(ist_document_text(ist_document_find(node, "clusterName"))),
                              .healthy = nacos_flag(node, "healthy", true),
                              .enabled = nacos_flag(node, "enabled", true),
                              .ephemeral = nacos_flag(node, "ephemeral", true)};
    if (node == NULL || node->kind != IST_DOCUMENT_OBJECT) {
        wrong = "Param 'instance' is required.";
    } else if (!nacos_ip_valid(ip)) {
        wrong = "Param 'instance.ip' is missing or illegal.";
    } else if (ist_strv_to_u64(ist_document_text(ist_document_find(node, "port")), PORT_MAX, &port) != IST_OK) {
        wrong = "Param 'instance.port' is missing or illegal.";
    } else if (!nacos_weight_parse(weight, &draft->weight)) {
        wrong = "Param 'instance.weight' is illegal: 0 to 10000.";
    } else {
        ist_status status = nacos_metadata_of(ist_document_find(node, "metadata"), call->arena, draft);
        wrong = status == IST_ENOMEM ? "out of memory"
                : status != IST_OK   ? "Param 'instance.metadata' is illegal."
                                     : NULL;
    }
    draft->port = (uint16_t)port;
    if (wrong != NULL) {
        nacos_answer_error(call, ERROR_PARAMETER, wrong);
    }
    return wrong == NULL;
}

static const void *owner_of(const nacos_call *call, const nacos_instance *draft)
{
    return draft->ephemeral ? call->connection : NULL;
}

static void register_one(nacos_call *call, const nacos_instance *draft)
{
    ist_api_nacos *nacos = call->nacos;
    answer_status(call, nacos_own_put(&nacos->own, draft, owner_of(call, draft), nacos_now_ms(nacos)));
}

// What is not there is gone already.
static void deregister_one(nacos_call *call, const nacos_instance *draft)
{
    nacos_registration *known = nacos_own_find(&call->nacos->own, &draft->key, draft->ip, draft->port);
    if (known != NULL) {
        nacos_own_remove(&call->nacos->own, known, IST_REGISTRY_CANCELLED);
    }
    nacos_answer_ok(call);
}

void nacos_call_instance(nacos_call *call)
{
    nacos_key key;
    nacos_instance draft;
    ist_strv type = nacos_field(call, "type");
    bool adds = ist_strv_equal(type, IST_STRV("registerInstance"));
    if (!adds && !ist_strv_equal(type, IST_STRV("deregisterInstance"))) {
        nacos_answer_error(call, ERROR_PARAMETER, "Unsupported request type");
        return;
    }
    if (!read_key(call, &key) || !read_instance(call, ist_document_find(call->body, "instance"), &key, &draft)) {
        return;
    }
    (adds ? register_one : deregister_one)(call, &draft);
    ist_json_strv(&call->json, "type", type);
    nacos_own_changed(call->nacos);
}

// Those of this connection under this name that the batch does not have.
static void remove_others(nacos_call *call, const nacos_key *key, const nacos_instance *drafts, size_t count)
{
    nacos_own *own = &call->nacos->own;
    for (size_t i = own->count; i > 0; i--) {
        nacos_registration *each = own->items[i - 1];
        bool stays = each->owner != call->connection || !nacos_key_equal(&each->instance.key, key);
        for (size_t d = 0; d < count && !stays; d++) {
            stays =
                drafts[d].port == each->instance.port && ist_strv_equal(nacos_bare_ip(drafts[d].ip), each->instance.ip);
        }
        if (!stays) {
            nacos_own_remove(own, each, IST_REGISTRY_CANCELLED);
        }
    }
}

// All or nothing of what is wrong in form; IST_ENOMEM leaves some.
static void register_batch(nacos_call *call, const nacos_key *key, const nacos_instance *drafts, size_t count)
{
    nacos_own *own = &call->nacos->own;
    ist_status status = IST_OK;
    remove_others(call, key, drafts, count);
    for (size_t i = 0; i < count && status == IST_OK; i++) {
        status = nacos_own_put(own, &drafts[i], owner_of(call, &drafts[i]), nacos_now_ms(call->nacos));
    }
    answer_status(call, status);
    ist_json_string(&call->json, "type", "batchRegisterInstance");
    nacos_own_changed(call->nacos);
}

void nacos_call_batch(nacos_call *call)
{
    nacos_key key;
    size_t count = 0;
    const ist_document *list = ist_document_find(call->body, "instances");
    const ist_document *first = list != NULL && list->kind == IST_DOCUMENT_LIST ? list->first : NULL;
    if (!ist_strv_equal(nacos_field(call, "type"), IST_STRV("batchRegisterInstance"))) {
        nacos_answer_error(call, ERROR_PARAMETER, "Unsupported request type");
        return;
    }
    for (const ist_document *each = first; each != NULL; each = each->next) {
        count++;
    }
    nacos_instance *drafts = IST_ARENA_ARRAY(call->arena, count + 1, nacos_instance);
    if (drafts == NULL) {
        answer_status(call, IST_ENOMEM);
        return;
    }
    if (!read_key(call, &key)) {
        return;
    }
    count = 0;
    for (const ist_document *each = first; each != NULL; each = each->next) {
        if (!read_instance(call, each, &key, &drafts[count++])) {
            return;
        }
    }
    register_batch(call, &key, drafts, count);
}

// --- Lists ----------------------------------------------------------------------------------------------------------

// NULL: the answer says what is wrong.
static nacos_list *find_list(nacos_call *call, ist_strv clusters)
{
    nacos_key key;
    if (!read_key(call, &key)) {
        return NULL;
    }
    nacos_wish wish = nacos_wish_of(call->nacos, &key, clusters, call->connection->client);
    wish.healthy_only = nacos_flag(call->body, "healthyOnly", false);
    nacos_list *list = nacos_find_list(call->nacos, &wish);
    if (list == NULL) {
        nacos_answer_error(call, ERROR_MEMORY, "out of memory, or too many lists (docs/nacos.md, Limits)");
    }
    return list;
}

static void answer_list(nacos_call *call, nacos_list *list)
{
    nacos_answer_ok(call);
    ist_buf_append_str(call->json.out, ",\"serviceInfo\":");
    nacos_list_write(list, NACOS_PLAIN_NAME, NACOS_CACHE_MS, nacos_wall_ms(call->nacos), call->json.out);
}

void nacos_call_query(nacos_call *call)
{
    nacos_list *list = find_list(call, nacos_field(call, "cluster"));
    if (list != NULL) {
        answer_list(call, list);
    }
}

// A client that connects again takes no notice of the answer, so that the list is pushed as well.
void nacos_call_subscribe(nacos_call *call)
{
    nacos_subscriber *subscriber = &call->connection->subscriber;
    nacos_list *list = find_list(call, nacos_field(call, "clusters"));
    if (list == NULL) {
        return;
    }
    nacos_subscription *known = nacos_subscription_find(subscriber, list);
    if (!nacos_flag(call->body, "subscribe", true)) {
        if (known != NULL) {
            nacos_unsubscribe(call->nacos, known);
        }
        answer_list(call, list);
        return;
    }
    known = nacos_subscribe(call->nacos, subscriber, list);
    if (known == NULL) {
        nacos_answer_error(call, ERROR_LIMIT, "out of memory, or too many subscriptions (docs/nacos.md, Limits)");
        return;
    }
    answer_list(call, list);
    nacos_push(call->nacos, known);
}

// --- Names ----------------------------------------------------------------------------------------------------------

static uint64_t number_of(const nacos_call *call, const char *name, uint64_t otherwise)
{
    uint64_t value = 0;
    return ist_strv_to_u64(nacos_field(call, name), UINT64_MAX, &value) == IST_OK ? value : otherwise;
}

void nacos_call_services(nacos_call *call)
{
    ist_api_nacos *nacos = call->nacos;
    const ist_mesh_view *view = ist_mesh_store_acquire(nacos->store);
    ist_status status = nacos_names_refresh(&nacos->names, view, &nacos->own);
    ist_mesh_store_release(nacos->store, view);
    answer_status(call, status);
    ist_json_u64(&call->json, "count", status == IST_OK ? nacos->names.count : 0);
    ist_json_begin_array(&call->json, "serviceNames");
    if (status == IST_OK) {
        nacos_page page =
            nacos_names_page(&nacos->names, number_of(call, "pageNo", 1), number_of(call, "pageSize", UINT64_MAX));
        for (size_t i = 0; i < page.count; i++) {
            ist_json_strv(&call->json, NULL, page.items[i]);
        }
    }
    ist_json_end_array(&call->json);
}
