// SPDX-License-Identifier: Apache-2.0
//
// Inside of the Eureka door: its state, and what a request wants. Threads: the HTTP thread.
#pragma once

#include "list_priv.h"
#include "seen_priv.h"

#include "api_eureka/eureka.h"

struct ist_api_eureka {
    const ist_clock *clock;
    ist_mesh_store *store;
    ist_api_eureka_profile profile;
    const char **bases;                     // terminated by NULL
    ist_arena *texts;                       // of the bases
    eureka_list *lists[_EUREKA_LAYOUT_MAX]; // made when somebody asks for one, dropped when nobody does any more
    own_registrations own;
    uint64_t told_version; // of `own`, that on_registered was called for
    void (*on_registered)(void *ctx);
    void *ctx;
    seen_things seen;
    int64_t next_version;
    int64_t started_ms; // monotonic
    ist_metric *registrations;
    ist_metric *instances;
    ist_metric *versions; // changes of the lists
    ist_metric *full;     // answers with a whole list
    ist_metric *deltas;
    ist_metric *unknown; // look-ups of names that nobody knows
};

// What the client reads and understands, by its headers.
typedef struct eureka_wish {
    eureka_layout layout;
    eureka_format format;
    eureka_detail detail;
    bool packed;
} eureka_wish;
eureka_wish eureka_read_wish(const ist_api_eureka *eureka, const ist_api_request *request);

// Ends what has expired; times of this request.
list_times eureka_begin(ist_api_eureka *eureka);
// After a change of the registrations: whoever wants to know of it is told.
void eureka_own_changed(ist_api_eureka *eureka);
// The list of this layout, up to date. NULL: the response says 503, or the request waits for the first view.
eureka_list *eureka_find_list(ist_api_eureka *eureka, const ist_api_request *request, eureka_layout layout,
                              ist_api_response *response);
void eureka_answer_empty(ist_api_response *response, uint32_t status);
// A look-up by this name has found nothing. Counted, and kept for the report, where nobody knows it.
void eureka_not_found(ist_api_eureka *eureka, const ist_mesh_view *view, ist_strv name);
// Sends what is in the body in the wished form.
void eureka_finish(const eureka_wish *wish, ist_api_response *response);

// Reading.
void eureka_get_apps(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_delta(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_app(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_instance(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_instance_by_id(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_vip(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_secure_vip(void *ctx, const ist_api_request *request, ist_api_response *response);

// The application's own registration.
void eureka_post_app(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_put_instance(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_delete_instance(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_put_status(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_delete_status(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_put_metadata(void *ctx, const ist_api_request *request, ist_api_response *response);
// What only servers and operators ask.
void eureka_put_asg(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_post_batch(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_overrides(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_status(void *ctx, const ist_api_request *request, ist_api_response *response);
// Pages for people.
void eureka_get_page(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_changes_page(void *ctx, const ist_api_request *request, ist_api_response *response);
void eureka_get_style(void *ctx, const ist_api_request *request, ist_api_response *response);
