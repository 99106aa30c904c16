// SPDX-License-Identifier: Apache-2.0
//
// Inside of the Nacos door: its state, and what its dialects share. Threads: the HTTP thread.
#pragma once

#include "list_priv.h"
#include "names_priv.h"
#include "push_priv.h"

#include "api_nacos/nacos.h"

struct ist_api_nacos {
    const ist_clock *clock;
    ist_mesh_store *store;
    ist_api_nacos_profile profile;
    ist_api_nacos_config config;
    ist_rpc_upstream upstream; // open NULL: none
    ist_api_nacos_outside outside;
    ist_arena *scratch; // of what is not a request
    nacos_scopes scopes;
    nacos_own own;
    uint64_t told_version; // of `own`, that subscribers were told of and on_registered was called for
    nacos_lists lists;
    nacos_names names;
    struct nacos_connection *connections;
    struct nacos_receiver *receivers; // of datagrams
    size_t receiver_count;
    struct nacos_waiting *waiting; // calls that came before the first view
    size_t waiting_count;
    size_t subscription_count;
    uint64_t next_id; // of messages
    int64_t wake_ms;  // monotonic, when tick() is to be called; -1 = not at all
    ist_metric *registrations;
    ist_metric *subscriptions;
    ist_metric *pushes;
    ist_metric *push_failures;
    ist_metric *unknown; // look-ups of names that nobody knows
};

int64_t nacos_now_ms(const ist_api_nacos *nacos);
int64_t nacos_wall_ms(const ist_api_nacos *nacos);
bool nacos_has_view(const ist_api_nacos *nacos);

// The clients that are told apart: what their balancers honour, and whether they ignore empty lists.
typedef enum nacos_client {
    NACOS_CLIENT_OTHER = 0, // somebody with curl
    NACOS_CLIENT_JAVA,
    NACOS_CLIENT_GO,
    NACOS_CLIENT_PYTHON,
    NACOS_CLIENT_NODE,
    _NACOS_CLIENT_MAX
} nacos_client;
// By "Client-Version", "User-Agent" or the clientVersion of a connection: "Nacos-Java-Client:v2.5.1".
nacos_client nacos_client_of(ist_strv version);
nacos_wish nacos_wish_of(const ist_api_nacos *nacos, const nacos_key *key, ist_strv clusters, nacos_client client);

// The list for a wish, up to date with the view. NULL: out of memory, or too many lists.
nacos_list *nacos_find_list(ist_api_nacos *nacos, const nacos_wish *wish);
// After a change of the registrations: subscribers and whoever wants to know are told.
void nacos_own_changed(ist_api_nacos *nacos);
// Ends what is overdue, tells of what has changed, and wakes up for what comes next.
void nacos_own_look_after(ist_api_nacos *nacos);
// The earlier of two times from now; less than 0 = never.
int64_t nacos_earlier(int64_t a_ms, int64_t b_ms);
// tick() is to come in so many milliseconds, or earlier.
void nacos_wake_in(ist_api_nacos *nacos, int64_t delay_ms);
