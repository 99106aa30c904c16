// SPDX-License-Identifier: Apache-2.0
//
// What a response does: stage, publish, renew the subscriptions that follow from it, and the moment of being synced.
#include "client_priv.h"

#include <stdio.h>

#define ENDPOINTS_GRACE_MS 5000 // clusters whose endpoints the control plane never sends do not hold up the first view
#define PORT_TEXT_SIZE 8

static ist_status no_memory(ist_err *err)
{
    return ist_err_set(err, IST_ENOMEM, "out of memory");
}

// --- Subscriptions --------------------------------------------------------------------------------------------------

typedef struct want_state {
    ist_xds_names *names;
    ist_status status; // sticky
} want_state;

static void want_cluster(void *ctx, ist_strv cluster)
{
    want_state *wanting = ctx;
    if (wanting->status == IST_OK) {
        wanting->status = ist_xds_names_want(wanting->names, cluster);
    }
}

static void forget_endpoints(void *ctx, ist_strv cluster)
{
    const ist_xds_client *client = ctx;
    if (client->decoder.recorder != NULL) {
        client->recorder.remove(client->recorder.ctx, IST_XDS_EDS, cluster);
    }
    if (client->guard != NULL) {
        ist_xds_guard_forget(client->guard, cluster);
    }
}

static ist_status want_endpoints(ist_xds_client *client)
{
    want_state wanting = {.names = client->subs[IST_XDS_EDS].names};
    ist_xds_names_update_begin(wanting.names);
    ist_mesh_builder_each_eds_cluster(client->builder, want_cluster, &wanting);
    return wanting.status == IST_OK ? ist_xds_names_update_end(wanting.names, forget_endpoints, client)
                                    : wanting.status;
}

static void remove_table(void *ctx, ist_strv table)
{
    const ist_xds_client *client = ctx;
    ist_mesh_builder_remove_table(client->builder, table);
    if (client->decoder.recorder != NULL) {
        client->recorder.remove(client->recorder.ctx, IST_XDS_RDS, table);
    }
}

static ist_status want_routes(ist_xds_client *client)
{
    ist_xds_names *names = client->subs[IST_XDS_RDS].names;
    uint16_t none = 0;
    size_t count = ist_mesh_builder_ports(client->builder, &none, 0);
    ist_arena_clear(client->scratch);
    uint16_t *ports = IST_ARENA_ARRAY(client->scratch, count + 1, uint16_t);
    if (ports == NULL) {
        return IST_ENOMEM;
    }
    (void)ist_mesh_builder_ports(client->builder, ports, count); // as many as before
    ist_xds_names_update_begin(names);
    for (size_t i = 0; i < count; i++) {
        char text[PORT_TEXT_SIZE];
        int length = snprintf(text, sizeof(text), "%u", (unsigned)ports[i]);
        ist_status status = ist_xds_names_want(names, ist_strv_make(text, (size_t)length));
        if (status != IST_OK) {
            return status;
        }
    }
    return ist_xds_names_update_end(names, remove_table, client);
}

ist_status ist_xds_sync_subscriptions(ist_xds_client *client, ist_err *err)
{
    ist_status status = want_endpoints(client);
    if (status == IST_OK) {
        status = want_routes(client);
    }
    if (status == IST_ELIMIT) {
        return ist_err_set(err, status, "too many clusters to subscribe to");
    }
    return status == IST_OK ? IST_OK : no_memory(err);
}

ist_status ist_xds_sync_begin(ist_xds_client *client, ist_err *err)
{
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        if (ist_xds_sub_reset(&client->subs[i]) != IST_OK) {
            return no_memory(err);
        }
    }
    if (client->decoder.recorder != NULL) {
        client->recorder.opened(client->recorder.ctx);
    }
    client->subs[IST_XDS_CDS].wanted = true;
    client->subs[IST_XDS_EDS].wanted = true;
    client->subs[IST_XDS_RDS].wanted = true;
    client->subs[IST_XDS_NDS].wanted = true;
    // Before there is a view nobody knows whether some port has no virtual host; so listeners are asked for, which saves the
    // first view from being published without its TCP routes.
    client->subs[IST_XDS_LDS].wanted =
        !ist_xds_sync_has_view(client) || ist_mesh_builder_wants_listeners(client->builder);
    return ist_xds_sync_subscriptions(client, err);
}

// --- Publishing -----------------------------------------------------------------------------------------------------

bool ist_xds_sync_has_view(const ist_xds_client *client)
{
    return client->first_view || ist_mesh_store_revision(client->store) != 0; // restored from a snapshot, say
}

ist_status ist_xds_sync_commit(ist_xds_client *client, ist_err *err)
{
    ist_mesh_commit commit;
    ist_status status = ist_mesh_builder_commit(client->builder, &commit, err);
    if (status == IST_OK && commit.published && client->decoder.recorder != NULL) {
        client->recorder.published(client->recorder.ctx, commit.revision);
    }
    if (status == IST_OK && commit.published && client->on_published != NULL) {
        client->on_published(client->ctx, &commit);
    }
    return status;
}

static bool all_settled(const ist_xds_client *client)
{
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        if (!ist_xds_sub_is_settled(&client->subs[i])) {
            return false;
        }
    }
    return true;
}

// The first view waits for endpoints; a later one never does, because the old state stands.
static bool may_publish_first(ist_xds_client *client, int64_t now_ms)
{
    if (!ist_mesh_builder_is_warming(client->builder)) {
        return true;
    }
    if (client->grace_ms == IST_XDS_NEVER) {
        client->grace_ms = now_ms + ENDPOINTS_GRACE_MS;
    }
    return now_ms >= client->grace_ms;
}

static ist_status become_synced(ist_xds_client *client, int64_t now_ms, ist_err *err)
{
    if (!client->first_view) {
        ist_status status = ist_xds_sync_commit(client, err);
        if (status != IST_OK) {
            return status;
        }
    }
    client->first_view = true;
    client->grace_ms = IST_XDS_NEVER;
    client->state = IST_XDS_SYNCED;
    client->synced_ms = now_ms;
    client->last_error = IST_ERR_NULL;
    ist_mesh_store_set_stale(client->store, false);
    return IST_OK;
}

ist_status ist_xds_sync_step(ist_xds_client *client, int64_t now_ms, ist_err *err)
{
    if (!client->up || !all_settled(client)) {
        return IST_OK;
    }
    // Ports that have come later without a virtual host of their own need their listeners.
    ist_xds_sub *listeners = &client->subs[IST_XDS_LDS];
    if (!listeners->wanted && ist_mesh_builder_wants_listeners(client->builder)) {
        listeners->wanted = true;
        return IST_OK;
    }
    if (client->state == IST_XDS_SYNCING && !client->first_view && !may_publish_first(client, now_ms)) {
        return IST_OK;
    }
    ist_status status = client->state == IST_XDS_SYNCING ? become_synced(client, now_ms, err) : IST_OK;
    if (status == IST_OK && client->decoder.recorder != NULL) {
        client->recorder.settled(client->recorder.ctx, ist_mesh_store_revision(client->store));
    }
    return status;
}

// --- What was held --------------------------------------------------------------------------------------------------

typedef struct releasing {
    ist_xds_client *client;
    uint32_t count;
} releasing;

// It was decoded before, so it is refused only for want of memory: then the old state stands until the next push of it.
static void apply_held(void *ctx, ist_strv assignment)
{
    releasing *run = ctx;
    ist_err err = IST_ERR_NULL;
    ist_xds_decoder *decoder = &run->client->decoder;
    decoder->guard = NULL; // it has had its say
    if (ist_xds_apply_restored(decoder, IST_XDS_EDS, assignment, &err) == IST_OK && decoder->recorder != NULL) {
        decoder->recorder->put(decoder->recorder->ctx, IST_XDS_EDS, ist_xds_wire_bytes(assignment, IST_XDS_NAME_FIELD),
                               ist_buf_view(&run->client->subs[IST_XDS_EDS].version), assignment);
    }
    decoder->guard = run->client->guard;
    run->count++;
}

bool ist_xds_sync_release(ist_xds_client *client, int64_t now_ms)
{
    releasing run = {.client = client};
    if (client->guard != NULL) {
        ist_xds_guard_release(client->guard, now_ms, apply_held, &run);
    }
    return run.count != 0;
}

// --- Responses ------------------------------------------------------------------------------------------------------

static ist_status stage(ist_xds_client *client, const ist_xds_response *response, ist_xds_type type, int64_t now_ms,
                        ist_err *err)
{
    uint64_t count = (uint64_t)response->resource_count + response->removed_count;
    bool full = client->mode == IST_XDS_SOTW || !client->subs[type].answered;
    ist_xds_rejects_clear(&client->rejects);
    if (count > client->max_resources) {
        return ist_err_set(err, IST_ELIMIT, "%llu resources in one response; at most %u are taken",
                           (unsigned long long)count, client->max_resources);
    }
    client->decoder.now_ms = now_ms;
    ist_status status = ist_xds_apply(&client->decoder, response, type, full, err);
    (void)ist_xds_sync_release(client, now_ms); // what it applies is published with the rest
    return status;
}

static ist_status publish(ist_xds_client *client, ist_xds_type type, ist_err *err)
{
    if (type == IST_XDS_CDS) {
        ist_status status = ist_xds_sync_subscriptions(client, err);
        if (status != IST_OK) {
            return status;
        }
    }
    return ist_xds_sync_has_view(client) ? ist_xds_sync_commit(client, err) : IST_OK;
}

static ist_status record(ist_xds_client *client, const ist_xds_response *response, ist_xds_type type, int64_t now_ms,
                         ist_err *err)
{
    ist_xds_sub *sub = &client->subs[type];
    sub->status.responses++;
    sub->status.bytes += response->span.length;
    sub->status.last_update_ms = now_ms;
    ist_status status = IST_OK;
    if (client->rejects.count == 0) {
        status = ist_xds_sub_accept(sub, response->nonce, response->version);
    } else {
        status = ist_xds_sub_reject(sub, response->nonce, ist_strv_from(client->rejects.text));
    }
    return status == IST_OK ? IST_OK : no_memory(err);
}

ist_status ist_xds_sync_response(ist_xds_client *client, const ist_xds_response *response, int64_t now_ms, ist_err *err)
{
    ist_xds_type type = IST_XDS_CDS;
    if (!ist_xds_type_of_url(response->type_url, &type) || !client->subs[type].requested) {
        return IST_OK; // never asked for: an answer, be it a NACK, could bring istiod down
    }
    ist_status status = stage(client, response, type, now_ms, err);
    if (status == IST_OK) {
        status = publish(client, type, err);
    }
    if (status == IST_OK) {
        status = record(client, response, type, now_ms, err);
    }
    if (status != IST_OK) {
        ist_err_prefix(err, "%s", ist_xds_type_name(type));
        return status;
    }
    return ist_xds_sync_step(client, now_ms, err);
}
