// SPDX-License-Identifier: Apache-2.0
//
// Instances over HTTP: registrations, their beats, and lists.
#include "datagram_priv.h"
#include "http_priv.h"

#define PORT_MAX 65535

enum { BEAT_OK = 10200, BEAT_UNKNOWN = 20404 };

// --- What is registered ---------------------------------------------------------------------------------------------

static bool read_port(nacos_ask *ask, uint16_t *ret_port)
{
    ist_strv text;
    uint64_t port = 0;
    if (!nacos_param_required(ask, "port", &text) || !nacos_param_number(ask, "port", PORT_MAX, 0, &port)) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

// The name, address and port that an instance is known by.
static bool read_place(nacos_ask *ask, nacos_instance *draft)
{
    ist_strv cluster = nacos_param(ask, "clusterName");
    draft->cluster = nacos_cluster_of(cluster.n != 0 ? cluster : nacos_param(ask, "cluster"));
    if (!nacos_ask_key(ask, &draft->key) || !nacos_param_required(ask, "ip", &draft->ip)) {
        return false;
    }
    if (!nacos_ip_valid(draft->ip)) {
        nacos_refuse(ask, NACOS_INVALID, "Param 'ip' is illegal: an address, or the name of a host.");
        return false;
    }
    return read_port(ask, &draft->port);
}

static bool read_metadata(nacos_ask *ask, nacos_instance *draft)
{
    ist_err err = IST_ERR_NULL;
    ist_status status = nacos_metadata_parse(nacos_param(ask, "metadata"), ask->request->arena, draft, &err);
    if (status != IST_OK) {
        nacos_refuse(ask, status == IST_ENOMEM ? NACOS_NOT_NOW : NACOS_INVALID, "%s", err.text);
    }
    return status == IST_OK;
}

static bool read_weight(nacos_ask *ask, double *ret_weight)
{
    bool valid = nacos_weight_parse(nacos_param(ask, "weight"), ret_weight);
    if (!valid) {
        nacos_refuse(ask, NACOS_INVALID, "Param 'weight' is illegal: 0 to %d.", NACOS_WEIGHT_MAX);
    }
    return valid;
}

static bool read_draft(nacos_ask *ask, nacos_instance *draft)
{
    bool enabled = nacos_param_flag(ask, "enable", true);
    *draft = (nacos_instance){.healthy = nacos_param_flag(ask, "healthy", true),
                              .enabled = nacos_param_flag(ask, "enabled", enabled),
                              .ephemeral = nacos_param_flag(ask, "ephemeral", true)};
    return read_place(ask, draft) && read_weight(ask, &draft->weight) && read_metadata(ask, draft);
}

// The registration that the request is about, if it is there still.
static nacos_registration *find_own(nacos_ask *ask, const nacos_instance *draft)
{
    nacos_own_look_after(ask->nacos);
    return nacos_own_find(&ask->nacos->own, &draft->key, draft->ip, draft->port);
}

static bool put(nacos_ask *ask, const nacos_instance *draft, const void *owner)
{
    ist_api_nacos *nacos = ask->nacos;
    ist_status status = nacos_own_put(&nacos->own, draft, owner, nacos_now_ms(nacos));
    nacos_own_look_after(nacos);
    if (status != IST_OK) {
        nacos_refuse_status(ask, status);
    }
    return status == IST_OK;
}

// --- Beats ----------------------------------------------------------------------------------------------------------

static void answer_beat(nacos_ask *ask, const nacos_registration *known)
{
    int64_t interval_ms = NACOS_BEAT_MS;
    if (known != NULL) {
        interval_ms = nacos_instance_time(&known->instance, "preserved.heart.beat.interval", NACOS_BEAT_MS);
    }
    ask->response->content_type = "application/json;charset=UTF-8";
    ist_json_begin_object(&ask->json, NULL);
    ist_json_i64(&ask->json, "clientBeatInterval", interval_ms);
    ist_json_u64(&ask->json, "code", known != NULL ? BEAT_OK : BEAT_UNKNOWN);
    ist_json_bool(&ask->json, "lightBeatEnabled", true);
    ist_json_end_object(&ask->json);
}

// The instance that a whole beat is about. False: the response says what is wrong.
static bool read_beat(nacos_ask *ask, ist_strv text, nacos_instance *draft)
{
    const ist_document *beat = NULL;
    ist_err err = IST_ERR_NULL;
    uint64_t port = 0;
    ist_status status = ist_document_read(IST_DOCUMENT_JSON, text, ask->request->arena, &beat, &err);
    if (status != IST_OK) {
        nacos_refuse(ask, status == IST_ENOMEM ? NACOS_NOT_NOW : NACOS_INVALID, "Param 'beat' is illegal: %s",
                     err.text);
        return false;
    }
    draft->ip = ist_document_text(ist_document_find(beat, "ip"));
    draft->cluster = nacos_cluster_of(ist_document_text(ist_document_find(beat, "cluster")));
    status = nacos_metadata_of(ist_document_find(beat, "metadata"), ask->request->arena, draft);
    if (status == IST_ENOMEM) {
        nacos_refuse_status(ask, status);
        return false;
    }
    bool valid = status == IST_OK && nacos_ip_valid(draft->ip) &&
                 ist_strv_to_u64(ist_document_text(ist_document_find(beat, "port")), PORT_MAX, &port) == IST_OK &&
                 nacos_weight_parse(ist_document_text(ist_document_find(beat, "weight")), &draft->weight);
    draft->port = (uint16_t)port;
    if (!valid) {
        nacos_refuse(ask, NACOS_INVALID, "Param 'beat' is illegal: its ip, port, weight or metadata");
    }
    return valid;
}

static void renew(nacos_ask *ask, nacos_registration *known)
{
    nacos_own_beat(&ask->nacos->own, known, nacos_now_ms(ask->nacos));
    nacos_own_look_after(ask->nacos);
}

// A whole beat of what nobody knows is a registration; a light one is told to register.
void nacos_http_beat(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_instance draft = {.healthy = true, .enabled = true, .ephemeral = true};
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    ist_strv text = nacos_param(&ask, "beat");
    bool understood =
        text.n != 0 ? nacos_ask_key(&ask, &draft.key) && read_beat(&ask, text, &draft) : read_place(&ask, &draft);
    if (!understood) {
        return;
    }
    nacos_registration *known = find_own(&ask, &draft);
    if (known != NULL) {
        renew(&ask, known);
    } else if (text.n != 0) {
        if (!put(&ask, &draft, NULL)) {
            return;
        }
        known = nacos_own_find(&ask.nacos->own, &draft.key, draft.ip, draft.port);
    }
    answer_beat(&ask, known);
}

// --- Registrations --------------------------------------------------------------------------------------------------

static void register_instance(nacos_ask *ask)
{
    nacos_instance draft;
    if (read_draft(ask, &draft) && put(ask, &draft, NULL)) {
        nacos_answer_done(ask);
    }
}

// A beat of version 3 says nothing of the instance.
static void beat_v3(nacos_ask *ask)
{
    nacos_instance draft = {.healthy = true};
    if (!read_place(ask, &draft)) {
        return;
    }
    nacos_registration *known = find_own(ask, &draft);
    if (known == NULL) {
        nacos_refuse(ask, NACOS_NO_INSTANCE, "not registered here: register it");
        ask->response->status = 200; // as the official server, which says it in the code alone
        return;
    }
    renew(ask, known);
    nacos_answer_done(ask);
}

void nacos_http_register(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    if (ask.dialect == NACOS_V3 && nacos_param_flag(&ask, "heartBeat", false)) {
        beat_v3(&ask);
    } else {
        register_instance(&ask);
    }
}

// What is not there is gone already.
void nacos_http_deregister(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_instance draft;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !read_place(&ask, &draft)) {
        return;
    }
    nacos_registration *known = find_own(&ask, &draft);
    if (known != NULL) {
        nacos_own_remove(&ask.nacos->own, known, IST_REGISTRY_CANCELLED);
        nacos_own_changed(ask.nacos);
    }
    nacos_answer_done(&ask);
}

// One that was registered over RPC goes on living with its connection.
void nacos_http_update(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_instance draft;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !read_draft(&ask, &draft)) {
        return;
    }
    const nacos_registration *known = find_own(&ask, &draft);
    if (put(&ask, &draft, known != NULL ? known->owner : NULL)) {
        nacos_answer_done(&ask);
    }
}

void nacos_http_patch(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_instance place;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !read_place(&ask, &place)) {
        return;
    }
    const nacos_registration *known = find_own(&ask, &place);
    if (known == NULL) {
        nacos_refuse(&ask, NACOS_NO_INSTANCE, "no matched ip found!");
        return;
    }
    nacos_instance draft = known->instance;
    draft.healthy = nacos_param_flag(&ask, "healthy", draft.healthy);
    draft.enabled = nacos_param_flag(&ask, "enabled", draft.enabled);
    if ((nacos_param(&ask, "weight").n != 0 && !read_weight(&ask, &draft.weight)) ||
        (nacos_param(&ask, "metadata").n != 0 && !read_metadata(&ask, &draft))) {
        return;
    }
    if (put(&ask, &draft, known->owner)) {
        nacos_answer_done(&ask);
    }
}

// --- One instance ---------------------------------------------------------------------------------------------------

static const nacos_host *find_host(const nacos_hosts *hosts, ist_strv ip, uint16_t port)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (hosts->items[i].port == port && ist_strv_equal(nacos_bare_ip(hosts->items[i].ip), nacos_bare_ip(ip))) {
            return &hosts->items[i];
        }
    }
    return NULL;
}

void nacos_http_instance(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_hosts hosts;
    nacos_instance place;
    if (!nacos_ask_begin(ctx, request, response, &ask) || !read_place(&ask, &place) || !nacos_ask_has_view(&ask)) {
        return;
    }
    nacos_own_look_after(ask.nacos);
    ist_status status = nacos_hosts_of(request->view, &ask.nacos->own, &place.key, request->arena, &hosts);
    if (status != IST_OK) {
        nacos_refuse_status(&ask, status);
        return;
    }
    const nacos_host *host = find_host(&hosts, place.ip, place.port);
    if (host == NULL) {
        nacos_refuse(&ask, NACOS_NO_INSTANCE, "no matched ip found!");
        return;
    }
    nacos_answer_begin(&ask);
    nacos_host_write_detail(&hosts, host, &place.key, ask.dialect == NACOS_V1 ? "service" : "serviceName", ask.key,
                            &ask.json);
    nacos_answer_end(&ask);
}

// --- Lists ----------------------------------------------------------------------------------------------------------

static nacos_list *find_list(nacos_ask *ask)
{
    nacos_key key;
    if (!nacos_ask_key(ask, &key) || !nacos_ask_has_view(ask)) {
        return NULL;
    }
    nacos_own_look_after(ask->nacos);
    ist_strv clusters = nacos_param(ask, ask->dialect == NACOS_V1 ? "clusters" : "clusterName");
    nacos_wish wish = nacos_wish_of(ask->nacos, &key, clusters, nacos_ask_client(ask));
    wish.healthy_only = nacos_param_flag(ask, "healthyOnly", false);
    nacos_list *list = nacos_find_list(ask->nacos, &wish);
    if (list == NULL) {
        nacos_refuse(ask, NACOS_NOT_NOW, "out of memory, or too many lists (docs/nacos.md, Limits)");
    }
    return list;
}

// Clients that are told of changes by datagrams ask less often. In version 2 the port is called otherwise.
static bool read_push(nacos_ask *ask, nacos_list *list, uint32_t *ret_cache_ms)
{
    uint64_t port = 0;
    if (!nacos_param_number(ask, ask->dialect == NACOS_V1 ? "udpPort" : "port", PORT_MAX, 0, &port)) {
        return false;
    }
    nacos_pull pull = {.address = ask->request->peer,
                       .port = (uint16_t)port,
                       .agent = nacos_ask_agent(ask),
                       .is_go = nacos_ask_client(ask) == NACOS_CLIENT_GO};
    *ret_cache_ms = nacos_receiver_renew(ask->nacos, &pull, list) ? NACOS_CACHE_MS : NACOS_POLLED_CACHE_MS;
    return true;
}

void nacos_http_list(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    nacos_list *list = nacos_ask_begin(ctx, request, response, &ask) ? find_list(&ask) : NULL;
    uint32_t cache_ms = 0;
    if (list == NULL || !read_push(&ask, list, &cache_ms)) {
        return;
    }
    nacos_answer_begin(&ask);
    if (ask.key != NULL) {
        ist_buf_append_str(&response->body, ",\"data\":");
    }
    if (ask.dialect == NACOS_V3) {
        ist_buf_append_strv(&response->body, ist_buf_view(&list->hosts));
    } else {
        nacos_list_write(list, NACOS_GROUPED_NAME, cache_ms, nacos_wall_ms(ask.nacos), &response->body);
    }
    nacos_answer_end(&ask);
}
