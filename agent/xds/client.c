// SPDX-License-Identifier: Apache-2.0
//
// The stream and its timers. sync.c says what a response does.
#include "client_priv.h"

#include "base/alloc.h"

#include "node_priv.h"

#define BACKOFF_BASE_MS 500
#define BACKOFF_CAP_MS 30000
#define BACKOFF_FLOOR_MS 50
#define STEADY_MS 30000                 // a stream that was synced for so long begins the back-off anew
#define FIRST_RESPONSE_MS 15000         // from opening to the first response
#define TYPE_RESPONSE_MS 30000          // from a request to its response
#define RETURN_TO_FIRST_MS (10 * 60000) // on a later server, how long until the first is tried again
#define GRPC_RESOURCE_EXHAUSTED 8
#define DEFAULT_MAX_RESOURCE_BYTES ((size_t)16 << 20)
#define DEFAULT_MAX_RESOURCES 1000000
#define RESOURCE_BLOCK_BYTES 16384
#define ARENA_MAX_BYTES ((size_t)1 << 30)
#define KEPT_REQUEST_BYTES 65536 // a larger request gives its memory back

static const char *const state_names[] = {
    [IST_XDS_IDLE] = "idle",     [IST_XDS_CONNECTING] = "connecting", [IST_XDS_SYNCING] = "syncing",
    [IST_XDS_SYNCED] = "synced", [IST_XDS_BACKOFF] = "backoff",
};

const char *ist_xds_state_name(ist_xds_state state)
{
    return state <= IST_XDS_BACKOFF ? state_names[state] : "unknown";
}

// --- Life -----------------------------------------------------------------------------------------------------------

static ist_status copy_servers(ist_xds_client *client, const ist_xds_client_args *args)
{
    client->servers = ist_calloc(args->server_count, sizeof(*client->servers));
    if (client->servers == NULL) {
        return IST_ENOMEM;
    }
    client->server_count = args->server_count;
    for (uint32_t i = 0; i < args->server_count; i++) {
        client->servers[i] = ist_strndup(args->servers[i].p, args->servers[i].n);
        if (client->servers[i] == NULL) {
            return IST_ENOMEM;
        }
    }
    return IST_OK;
}

static ist_status make_parts(ist_xds_client *client, const ist_xds_client_args *args)
{
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        if (ist_xds_sub_init(&client->subs[i], (ist_xds_type)i) != IST_OK) {
            return IST_ENOMEM;
        }
    }
    client->head = ist_arena_new(0, 0);
    client->scratch = ist_arena_new(0, 0);
    client->decoder.arena = ist_arena_new(RESOURCE_BLOCK_BYTES, ARENA_MAX_BYTES);
    client->decoder.unit = ist_arena_new(RESOURCE_BLOCK_BYTES, ARENA_MAX_BYTES);
    if (client->head == NULL || client->scratch == NULL || client->decoder.arena == NULL ||
        client->decoder.unit == NULL) {
        return IST_ENOMEM;
    }
    client->guard = args->loss_guard ? ist_xds_guard_new() : NULL;
    client->decoder.guard = client->guard;
    if (args->loss_guard && client->guard == NULL) {
        return IST_ENOMEM;
    }
    return copy_servers(client, args);
}

static ist_xds_client *client_new(const ist_xds_client_args *args)
{
    ist_xds_client *client = IST_NEW(ist_xds_client);
    if (client == NULL) {
        return NULL;
    }
    client->builder = args->builder;
    client->store = args->store;
    client->transport = *args->transport;
    client->on_published = args->on_published;
    client->ctx = args->ctx;
    client->mode = args->mode;
    client->max_resources = args->max_resources != 0 ? args->max_resources : DEFAULT_MAX_RESOURCES;
    client->node = IST_BUF_INIT;
    client->request = IST_BUF_INIT;
    client->decoder.builder = args->builder;
    client->decoder.rejects = &client->rejects;
    if (args->recorder != NULL) {
        client->recorder = *args->recorder;
        client->decoder.recorder = &client->recorder;
    }
    client->decoder.max_resource_bytes =
        args->max_resource_bytes != 0 ? args->max_resource_bytes : DEFAULT_MAX_RESOURCE_BYTES;
    client->backoff = (ist_backoff){.base_ms = BACKOFF_BASE_MS, .cap_ms = BACKOFF_CAP_MS, .floor_ms = BACKOFF_FLOOR_MS};
    client->prng = (ist_prng){.state = args->random_seed};
    client->grace_ms = IST_XDS_NEVER;
    client->timer_ms = IST_XDS_NEVER;
    return client;
}

ist_status ist_xds_client_new(const ist_xds_client_args *args, ist_xds_client **ret_client, ist_err *err)
{
    if (args->server_count == 0) {
        return ist_err_set(err, IST_EINVAL, "no control plane is given; set at least one xDS address");
    }
    ist_xds_client *client = client_new(args);
    if (client == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_status status = make_parts(client, args);
    if (status != IST_OK) {
        status = ist_err_set(err, IST_ENOMEM, "out of memory");
    } else {
        status = ist_xds_node_write(args->node, &client->node, err);
    }
    if (status != IST_OK) {
        ist_xds_client_free(client);
        return status;
    }
    *ret_client = client;
    return IST_OK;
}

void ist_xds_client_free(ist_xds_client *client)
{
    if (client == NULL) {
        return;
    }
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        ist_xds_sub_done(&client->subs[i]);
    }
    for (uint32_t i = 0; i < client->server_count; i++) {
        ist_free(client->servers[i]);
    }
    ist_free(client->servers);
    ist_xds_guard_free(client->guard);
    ist_arena_free(client->head);
    ist_arena_free(client->scratch);
    ist_arena_free(client->decoder.arena);
    ist_arena_free(client->decoder.unit);
    ist_buf_done(&client->node);
    ist_buf_done(&client->request);
    ist_free(client);
}

// --- Timers ---------------------------------------------------------------------------------------------------------

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// When something must be done although nothing has come.
static int64_t stream_deadline(const ist_xds_client *client)
{
    if (client->state == IST_XDS_IDLE) {
        return IST_XDS_NEVER;
    }
    if (client->state == IST_XDS_BACKOFF) {
        return client->retry_ms;
    }
    int64_t at_ms = client->grace_ms;
    bool answered = false;
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        const ist_xds_sub *sub = &client->subs[i];
        answered |= client->up && sub->answered;
        if (client->up && sub->waiting) {
            at_ms = earlier(at_ms, sub->waiting_since_ms + TYPE_RESPONSE_MS);
        }
    }
    if (!answered) {
        at_ms = earlier(at_ms, client->opened_ms + FIRST_RESPONSE_MS);
    }
    if (client->state == IST_XDS_SYNCED && client->server != 0) {
        at_ms = earlier(at_ms, client->synced_ms + RETURN_TO_FIRST_MS);
    }
    return at_ms;
}

static void set_timer(ist_xds_client *client)
{
    int64_t at_ms = stream_deadline(client);
    if (client->guard != NULL && client->state != IST_XDS_IDLE) {
        at_ms = earlier(at_ms, ist_xds_guard_next_ms(client->guard));
    }
    if (at_ms != client->timer_ms) {
        client->timer_ms = at_ms;
        client->transport.set_timer(client->transport.ctx, at_ms);
    }
}

// --- Streams --------------------------------------------------------------------------------------------------------

static void open_stream(ist_xds_client *client, uint32_t server, int64_t now_ms)
{
    client->server = server;
    client->stream++;
    client->state = IST_XDS_CONNECTING;
    client->up = false;
    client->sending = false;
    client->node_sent = false;
    client->opened_ms = now_ms;
    client->connected_ms = 0;
    client->synced_ms = 0;
    client->grace_ms = IST_XDS_NEVER;
    client->transport.open(client->transport.ctx, server, client->mode, client->stream);
}

// The stream is gone. One that worked begins the list anew; else the next of the list is tried at once, and after the last
// of them (or when the server says that it has too much to do) only after a while.
static void stream_down(ist_xds_client *client, bool exhausted, int64_t now_ms)
{
    bool worked = client->synced_ms != 0;
    if (client->up) {
        client->disconnects++;
    } else {
        client->connect_failures++;
    }
    if (worked && now_ms - client->synced_ms >= STEADY_MS) {
        ist_backoff_reset(&client->backoff);
    }
    client->up = false;
    client->connected_ms = 0;
    client->synced_ms = 0;
    client->grace_ms = IST_XDS_NEVER;
    ist_mesh_store_set_stale(client->store, true);
    uint32_t next = worked ? 0 : (client->server + 1) % client->server_count;
    if (next != 0 && !exhausted) {
        open_stream(client, next, now_ms);
        return;
    }
    client->server = next;
    client->state = IST_XDS_BACKOFF;
    client->retry_ms = now_ms + ist_backoff_next_ms(&client->backoff, ist_prng_next(&client->prng));
}

// We give it up ourselves.
static void drop_stream(ist_xds_client *client, const ist_err *why, int64_t now_ms)
{
    client->last_error = *why;
    client->transport.close(client->transport.ctx, client->stream);
    stream_down(client, false, now_ms);
}

static ist_xds_sub *next_sub(ist_xds_client *client)
{
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) { // answers first
        if (client->subs[i].reply != IST_XDS_REPLY_NONE) {
            return &client->subs[i];
        }
    }
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        if (ist_xds_sub_has_request(&client->subs[i])) {
            return &client->subs[i];
        }
    }
    return NULL;
}

// Sends the next request that is due, unless one is on its way.
static void pump(ist_xds_client *client, int64_t now_ms)
{
    ist_xds_sub *sub = client->up && !client->sending ? next_sub(client) : NULL;
    if (sub == NULL) {
        return;
    }
    ist_strv node = client->node_sent ? IST_STRV_NULL : ist_buf_view(&client->node);
    ist_buf_clear(&client->request);
    ist_xds_sub_write(sub, client->mode, node, now_ms, &client->request);
    if (ist_buf_status(&client->request) != IST_OK) {
        ist_err err = IST_ERR_NULL;
        ist_err_set(&err, IST_ENOMEM, "out of memory while a request was written");
        drop_stream(client, &err, now_ms);
        return;
    }
    client->node_sent = true;
    client->sending = true;
    client->transport.send(client->transport.ctx, client->stream, client->request.data, client->request.length);
    if (client->request.capacity > KEPT_REQUEST_BYTES) {
        ist_buf_done(&client->request);
    }
}

// After every input: a failure ends the stream, else what is due is sent; the timer follows.
static void finish(ist_xds_client *client, ist_status status, const ist_err *err, int64_t now_ms)
{
    if (status != IST_OK) {
        drop_stream(client, err, now_ms);
    }
    pump(client, now_ms);
    set_timer(client);
}

// --- Restoring ------------------------------------------------------------------------------------------------------

ist_status ist_xds_client_restore(ist_xds_client *client, ist_xds_type type, ist_strv bytes, ist_err *err)
{
    ist_xds_rejects_clear(&client->rejects);
    ist_status status = ist_xds_apply_restored(&client->decoder, type, bytes, err);
    if (status == IST_OK && client->rejects.count != 0) {
        return ist_err_set(err, IST_EINVAL, "%s", client->rejects.text); // members of it
    }
    return status;
}

ist_status ist_xds_client_restored(ist_xds_client *client, ist_err *err)
{
    ist_mesh_store_set_stale(client->store, true);
    return ist_xds_sync_commit(client, err);
}

// --- Inputs ---------------------------------------------------------------------------------------------------------

void ist_xds_client_start(ist_xds_client *client, int64_t now_ms)
{
    if (client->state != IST_XDS_IDLE) {
        return;
    }
    ist_mesh_store_set_stale(client->store, true);
    open_stream(client, 0, now_ms);
    set_timer(client);
}

void ist_xds_client_stop(ist_xds_client *client, int64_t now_ms)
{
    (void)now_ms;
    if (client->state == IST_XDS_IDLE) {
        return;
    }
    if (client->state != IST_XDS_BACKOFF) {
        client->transport.close(client->transport.ctx, client->stream);
    }
    client->state = IST_XDS_IDLE;
    client->up = false;
    client->connected_ms = 0;
    ist_mesh_store_set_stale(client->store, true);
    set_timer(client);
}

static bool is_current(const ist_xds_client *client, uint64_t stream)
{
    return stream == client->stream && client->state != IST_XDS_IDLE && client->state != IST_XDS_BACKOFF;
}

void ist_xds_client_on_open(ist_xds_client *client, uint64_t stream, int64_t now_ms)
{
    ist_err err = IST_ERR_NULL;
    if (!is_current(client, stream) || client->up) {
        return;
    }
    client->up = true;
    client->connected_ms = now_ms;
    client->state = IST_XDS_SYNCING;
    finish(client, ist_xds_sync_begin(client, &err), &err, now_ms);
}

void ist_xds_client_on_sent(ist_xds_client *client, uint64_t stream, int64_t now_ms)
{
    ist_err err = IST_ERR_NULL;
    if (!is_current(client, stream)) {
        return;
    }
    client->sending = false;
    finish(client, IST_OK, &err, now_ms);
}

void ist_xds_client_on_message(ist_xds_client *client, uint64_t stream, const ist_xds_slice *slices, size_t count,
                               int64_t now_ms)
{
    ist_err err = IST_ERR_NULL;
    ist_xds_response response;
    if (!is_current(client, stream) || !client->up) {
        return;
    }
    ist_arena_clear(client->head);
    ist_status status =
        ist_xds_response_parse(client->mode, ist_xds_span_over(slices, count), client->head, &response, &err);
    if (status == IST_OK) {
        status = ist_xds_sync_response(client, &response, now_ms, &err);
    }
    finish(client, status, &err, now_ms);
}

// Names of the gRPC statuses that a control plane and the way to it give rise to.
static const char *grpc_name(int grpc_status)
{
    switch (grpc_status) {
    case 0:
        return "OK";
    case 3:
        return "INVALID_ARGUMENT";
    case 7:
        return "PERMISSION_DENIED";
    case GRPC_RESOURCE_EXHAUSTED:
        return "RESOURCE_EXHAUSTED";
    case 12:
        return "UNIMPLEMENTED";
    case 14:
        return "UNAVAILABLE";
    case 16:
        return "UNAUTHENTICATED";
    default:
        return "gRPC";
    }
}

void ist_xds_client_on_closed(ist_xds_client *client, uint64_t stream, const ist_xds_close *why, int64_t now_ms)
{
    if (!is_current(client, stream)) {
        return;
    }
    ist_err_set(&client->last_error, IST_ECLOSED, "%s%s%s: %.*s (%s, %d)", client->up ? "" : "no stream to ",
                client->servers[client->server], client->up ? " ended the stream" : "",
                IST_STRV_ARG(ist_strv_first(why->message, 300)), grpc_name(why->grpc_status), why->grpc_status);
    stream_down(client, why->grpc_status == GRPC_RESOURCE_EXHAUSTED, now_ms);
    set_timer(client);
}

static bool is_overdue(const ist_xds_client *client, const ist_xds_sub *sub, int64_t now_ms)
{
    return client->up && sub->waiting && now_ms - sub->waiting_since_ms >= TYPE_RESPONSE_MS;
}

// Without clusters and endpoints there is nothing to show. The other types a control plane may not have at all; but one that
// has answered before and is silent now hangs, and a new stream is the better choice.
static bool can_do_without(const ist_xds_client *client, const ist_xds_sub *sub)
{
    bool optional = sub->type == IST_XDS_LDS || sub->type == IST_XDS_RDS || sub->type == IST_XDS_NDS;
    return optional && !sub->answered && client->subs[IST_XDS_CDS].answered;
}

static void stop_waiting(ist_xds_client *client, int64_t now_ms)
{
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        ist_xds_sub *sub = &client->subs[i];
        if (is_overdue(client, sub, now_ms) && can_do_without(client, sub)) {
            sub->waiting = false;
            sub->unanswered = true;
        }
    }
}

// Which deadline has passed? IST_ETIMEOUT with its text, else IST_OK.
static ist_status check_deadlines(const ist_xds_client *client, int64_t now_ms, ist_err *err)
{
    const char *server = client->servers[client->server];
    bool answered = false;
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        const ist_xds_sub *sub = &client->subs[i];
        answered |= client->up && sub->answered;
        if (is_overdue(client, sub, now_ms)) {
            return ist_err_set(err, IST_ETIMEOUT, "%s has not answered a %s request within %d s", server,
                               ist_xds_type_name((ist_xds_type)i), TYPE_RESPONSE_MS / 1000);
        }
    }
    if (answered || now_ms - client->opened_ms < FIRST_RESPONSE_MS) {
        return IST_OK;
    }
    return ist_err_set(err, IST_ETIMEOUT,
                       client->up ? "%s has sent nothing within %d s" : "%s could not be reached within %d s", server,
                       FIRST_RESPONSE_MS / 1000);
}

static void on_stream_timer(ist_xds_client *client, int64_t now_ms)
{
    ist_err err = IST_ERR_NULL;
    stop_waiting(client, now_ms);
    ist_status status = check_deadlines(client, now_ms, &err);
    if (status == IST_OK) {
        status = ist_xds_sync_step(client, now_ms, &err);
    }
    bool go_back = status == IST_OK && client->state == IST_XDS_SYNCED && client->server != 0 &&
                   now_ms - client->synced_ms >= RETURN_TO_FIRST_MS;
    if (go_back) {
        client->transport.close(client->transport.ctx, client->stream);
        client->disconnects++;
        ist_mesh_store_set_stale(client->store, true);
        open_stream(client, 0, now_ms);
    }
    finish(client, status, &err, now_ms);
}

// Without memory it stays marked, and is published with the next commit.
static void release_held(ist_xds_client *client, int64_t now_ms)
{
    ist_err err = IST_ERR_NULL;
    if (ist_xds_sync_release(client, now_ms) && ist_xds_sync_has_view(client) &&
        ist_xds_sync_commit(client, &err) != IST_OK) {
        client->last_error = err;
    }
}

void ist_xds_client_on_timer(ist_xds_client *client, int64_t now_ms)
{
    client->timer_ms = IST_XDS_NEVER; // it has fired
    if (client->state == IST_XDS_IDLE) {
        return;
    }
    release_held(client, now_ms);
    if (client->state != IST_XDS_BACKOFF) {
        on_stream_timer(client, now_ms);
        return;
    }
    if (now_ms >= client->retry_ms) {
        open_stream(client, client->server, now_ms);
    }
    set_timer(client);
}

void ist_xds_client_on_builder_changed(ist_xds_client *client, int64_t now_ms)
{
    ist_err err = IST_ERR_NULL;
    ist_status status = ist_xds_sync_subscriptions(client, &err);
    if (status == IST_OK && ist_xds_sync_has_view(client)) {
        status = ist_xds_sync_commit(client, &err);
    }
    if (status == IST_OK) {
        status = ist_xds_sync_step(client, now_ms, &err);
    }
    if (!client->up) {
        return; // whatever failed is done again when a stream is up
    }
    finish(client, status, &err, now_ms);
}

// --- Status ---------------------------------------------------------------------------------------------------------

static uint64_t resources_held(const ist_xds_client *client, const ist_xds_sub *sub)
{
    ist_mesh_held held = ist_mesh_builder_held(client->builder);
    switch (sub->type) {
    case IST_XDS_CDS:
        return held.clusters;
    case IST_XDS_LDS:
        return held.listeners;
    case IST_XDS_NDS:
        return held.names;
    case IST_XDS_EDS:
    case IST_XDS_RDS:
    case _IST_XDS_TYPE_MAX:
        break;
    }
    return ist_xds_names_count(sub->names);
}

void ist_xds_client_status(const ist_xds_client *client, ist_xds_status *ret_status)
{
    *ret_status = (ist_xds_status){
        .state = client->state,
        .server = client->server,
        .stream = client->stream,
        .connect_failures = client->connect_failures,
        .disconnects = client->disconnects,
        .connected_ms = client->connected_ms,
        .last_error = ist_strv_from(client->last_error.text),
        .guarded = client->guard != NULL,
        .held = client->guard != NULL ? ist_xds_guard_held(client->guard) : 0,
        .holds = client->guard != NULL ? ist_xds_guard_holds_count(client->guard) : 0,
        .last_hold = client->guard != NULL ? ist_xds_guard_text(client->guard) : IST_STRV_NULL,
    };
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        const ist_xds_sub *sub = &client->subs[i];
        ist_xds_type_status *status = &ret_status->types[i];
        *status = sub->status;
        status->subscribed = client->up && sub->requested;
        status->synced = client->up && sub->answered;
        status->unanswered = client->up && sub->unanswered;
        status->resources = resources_held(client, sub);
        status->version = ist_buf_view(&sub->version);
        status->last_error = ist_buf_view(&sub->error);
    }
}

bool ist_xds_client_is_synced(const ist_xds_client *client)
{
    return client->first_view;
}
