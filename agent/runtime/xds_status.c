// SPDX-License-Identifier: Apache-2.0
#include "xds_status_priv.h"

#include "base/clock.h"

#include <stdio.h>

static ist_strv keep(ist_strv text, char *buffer, size_t size_bytes)
{
    ist_strv cut = ist_strv_first(text, size_bytes - 1);
    (void)snprintf(buffer, size_bytes, "%.*s", IST_STRV_ARG(cut)); // cut above
    return ist_strv_make(buffer, cut.n);
}

bool xds_status_same(const xds_status *status, const ist_xds_status *now)
{
    const ist_xds_status *then = &status->now;
    bool same = then->state == now->state && then->stream == now->stream &&
                then->connect_failures == now->connect_failures && then->disconnects == now->disconnects &&
                then->connected_ms == now->connected_ms && then->held == now->held && then->holds == now->holds;
    for (ist_xds_type type = 0; same && type < _IST_XDS_TYPE_MAX; type++) {
        same = then->types[type].responses == now->types[type].responses &&
               then->types[type].nacks == now->types[type].nacks && then->types[type].acks == now->types[type].acks &&
               then->types[type].subscribed == now->types[type].subscribed &&
               then->types[type].unanswered == now->types[type].unanswered &&
               then->types[type].resources == now->types[type].resources;
    }
    return same;
}

void xds_status_copy(xds_status *status, const ist_xds_status *now, bool synced)
{
    status->now = *now;
    status->synced = synced;
    status->now.last_error = keep(now->last_error, status->last_error, sizeof(status->last_error));
    status->now.last_hold = keep(now->last_hold, status->last_hold, sizeof(status->last_hold));
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        ist_xds_type_status *mine = &status->now.types[type];
        mine->version = keep(mine->version, status->version[type], sizeof(status->version[type]));
        mine->last_error = keep(mine->last_error, status->nack[type], sizeof(status->nack[type]));
    }
}

static double seconds_since(int64_t then_ms)
{
    return (double)(ist_clock_now_ms(ist_clock_system()) - then_ms) / 1000.0;
}

static void write_type(const ist_xds_type_status *type, const char *name, ist_json *json)
{
    ist_json_begin_object(json, name);
    ist_json_bool(json, "subscribed", type->subscribed);
    ist_json_bool(json, "synced", type->synced);
    ist_json_bool(json, "unanswered", type->unanswered);
    ist_json_u64(json, "resources", type->resources);
    ist_json_u64(json, "responses", type->responses);
    ist_json_u64(json, "bytes", type->bytes);
    ist_json_u64(json, "acks", type->acks);
    ist_json_u64(json, "nacks", type->nacks);
    if (type->last_update_ms != 0) {
        ist_json_double(json, "age_seconds", seconds_since(type->last_update_ms));
    } else {
        ist_json_null(json, "age_seconds");
    }
    ist_json_strv_or_null(json, "version", type->version);
    ist_json_strv_or_null(json, "last_error", type->last_error);
    ist_json_end_object(json);
}

void xds_status_write(const xds_status *status, const ist_strv *servers, uint32_t server_count, ist_json *json)
{
    const ist_xds_status *now = &status->now;
    ist_json_string(json, "state", ist_xds_state_name(now->state));
    ist_json_strv(json, "server", servers[now->server < server_count ? now->server : 0]);
    if (now->connected_ms != 0) {
        ist_json_double(json, "connected_seconds", seconds_since(now->connected_ms));
    } else {
        ist_json_null(json, "connected_seconds");
    }
    ist_json_u64(json, "streams", now->stream);
    ist_json_u64(json, "connect_failures", now->connect_failures);
    ist_json_u64(json, "disconnects", now->disconnects);
    ist_json_strv_or_null(json, "last_error", now->last_error);
    if (now->guarded) {
        ist_json_begin_object(json, "loss_guard");
        ist_json_u64(json, "held", now->held);
        ist_json_u64(json, "holds", now->holds);
        ist_json_strv_or_null(json, "last", now->last_hold);
        ist_json_end_object(json);
    } else {
        ist_json_null(json, "loss_guard");
    }
    ist_json_begin_object(json, "types");
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        write_type(&now->types[type], ist_xds_type_name(type), json);
    }
    ist_json_end_object(json);
}

bool xds_status_explain(const xds_status *status, ist_buf *why)
{
    if (status->synced) {
        ist_buf_append_str(why, "ready");
        return true;
    }
    if (status->now.connected_ms == 0) {
        ist_buf_printf(why, "no stream to istiod yet: %s",
                       status->last_error[0] != '\0' ? status->last_error : "connecting");
        return false;
    }
    ist_buf_append_str(why, "waiting for istiod's first answer to");
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        if (status->now.types[type].subscribed && !status->now.types[type].synced &&
            !status->now.types[type].unanswered) {
            ist_buf_printf(why, " %s", ist_xds_type_name(type));
        }
    }
    return false;
}

// --- Metrics --------------------------------------------------------------------------------------------------------

ist_status xds_metrics_init(xds_metrics *metrics, ist_metrics *registry)
{
    static const ist_metric_def DEFS[] = {
        {IST_METRIC_GAUGE, "isthmus_xds_connected", "1 while the stream to this server is up.", "server", NULL, NULL,
         NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_xds_connect_failures_total", "Streams that could not be opened.", "reason", NULL,
         NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_xds_disconnects_total", "Streams that ended after they were up.", "reason", NULL,
         NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_xds_responses_total", "Responses received.", "type", NULL, NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_xds_response_bytes_total", "Bytes of responses received.", "type", NULL, NULL,
         NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_xds_acks_total", "Responses accepted.", "type", NULL, NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_xds_nacks_total", "Responses with refused resources.", "type", NULL, NULL, NULL,
         0},
        {IST_METRIC_GAUGE, "isthmus_xds_resources", "Resources held.", "type", "state", NULL, NULL, 0},
        {IST_METRIC_GAUGE, "isthmus_xds_loss_guard_held", "Clusters whose loss of endpoints is held back.", NULL, NULL,
         NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_xds_loss_guard_holds_total", "Services whose loss of endpoints was held back.",
         NULL, NULL, NULL, NULL, 0},
        {IST_METRIC_GAUGE, "isthmus_xds_last_update_timestamp_seconds", "When the last response was applied.", "type",
         NULL, NULL, NULL, 0},
    };
    ist_metric_family **const families[] = {&metrics->connected,   &metrics->connect_failures,
                                            &metrics->disconnects, &metrics->responses,
                                            &metrics->bytes,       &metrics->acks,
                                            &metrics->nacks,       &metrics->resources,
                                            &metrics->held,        &metrics->holds,
                                            &metrics->last_update};
    _Static_assert(IST_COUNT(DEFS) == IST_COUNT(families), "one family per definition");
    for (size_t i = 0; i < IST_COUNT(DEFS); i++) {
        *families[i] = ist_metrics_family(registry, &DEFS[i]);
        if (*families[i] == NULL) {
            return IST_ENOMEM;
        }
    }
    return IST_OK;
}

static void set(ist_metric_family *family, const char *label, double value)
{
    ist_metric_set(ist_metric_series(family, label, NULL, NULL), value);
}

static void refresh_type(const xds_metrics *metrics, const ist_xds_type_status *type, const char *name)
{
    set(metrics->responses, name, (double)type->responses);
    set(metrics->bytes, name, (double)type->bytes);
    set(metrics->acks, name, (double)type->acks);
    set(metrics->nacks, name, (double)type->nacks);
    ist_metric_set(ist_metric_series(metrics->resources, name, "acked", NULL), (double)type->resources);
    if (type->last_update_ms != 0) {
        int64_t wall_ms = ist_clock_wall_ms(ist_clock_system());
        set(metrics->last_update, name, (double)wall_ms / 1000.0 - seconds_since(type->last_update_ms));
    }
}

void xds_metrics_refresh(const xds_metrics *metrics, const xds_status *status, const ist_strv *servers,
                         uint32_t server_count)
{
    for (uint32_t i = 0; i < server_count; i++) {
        char name[256];
        if (ist_strv_copy(servers[i], name, sizeof(name))) {
            set(metrics->connected, name, status->now.connected_ms != 0 && status->now.server == i ? 1 : 0);
        }
    }
    set(metrics->held, NULL, status->now.held);
    set(metrics->holds, NULL, (double)status->now.holds);
    set(metrics->connect_failures, "error", (double)status->now.connect_failures);
    set(metrics->disconnects, "error", (double)status->now.disconnects);
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        refresh_type(metrics, &status->now.types[type], ist_xds_type_name(type));
    }
}
