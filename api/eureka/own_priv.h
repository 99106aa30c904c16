// SPDX-License-Identifier: Apache-2.0
//
// The second source of records: what applications have registered here, bounded and with expiry. Threads: the HTTP thread.
#pragma once

#include "mesh_apps_priv.h"

#include "api_registry/registration.h"

#define OWN_MAX 64               // registrations; a pod has one application, or a few
#define OWN_METADATA_MAX 256     // pairs of one
#define OWN_TEXT_MAX_BYTES 65536 // of one, all texts together
#define OWN_NAMES_MAX 256        // in its vipAddress; each is looked up, and compared with the others
#define OWN_DURATION_MAX_S 86400

typedef struct own_registration {
    eureka_instance *instance; // as it is to be shown, status included
    eureka_status override;    // UNKNOWN = none
    int64_t expires_ms;        // monotonic
} own_registration;

typedef struct own_registrations {
    own_registration items[OWN_MAX];
    uint32_t count;
    uint64_t version;       // raised by every change that lists show
    eureka_instance *ended; // the registration that ended last; NULL = none has
    ist_registry_end end;   // ... and how
} own_registrations;

void own_done(own_registrations *own);
// Ends what nobody has renewed in time.
void own_expire(own_registrations *own, int64_t now_ms);
// NULL = none. `app` and `id` in any case and exactly.
own_registration *own_find(own_registrations *own, ist_strv app, ist_strv id);
own_registration *own_find_id(own_registrations *own, ist_strv id);
// New or again. The lease begins now. IST_ELIMIT: too many, IST_ENOMEM.
ist_status own_register(own_registrations *own, const eureka_instance *draft, int64_t now_ms);
void own_renew(own_registration *registration, int64_t now_ms);
void own_cancel(own_registrations *own, own_registration *registration);
// Each makes a changed instance; `dirty_ms`: when the client says that it has changed last, where that is newer, or -1.
// IST_ENOMEM, IST_ELIMIT: nothing has changed.
ist_status own_override(own_registrations *own, own_registration *registration, eureka_status status, int64_t wall_ms,
                        int64_t dirty_ms);
ist_status own_clear_override(own_registrations *own, own_registration *registration, eureka_status status,
                              int64_t wall_ms, int64_t dirty_ms);
ist_status own_put_metadata(own_registrations *own, own_registration *registration, const eureka_pair *pairs,
                            uint32_t count, int64_t wall_ms);

// Puts them into a list of the mesh's applications (sorted by name, of this layout). A registration takes the place of the
// mesh's instance of the same address and port: its id, the mesh's slots. Under a name for which the mesh has others, but not
// it, it is not listed: there the mesh decides. `view` may be NULL. IST_ENOMEM: the list is half done.
ist_status own_merge(const own_registrations *own, const ist_mesh_view *view, eureka_layout layout, ist_arena *scratch,
                     eureka_apps *apps);

// How often does the comma list `vips` have `name`? ASCII case does not matter.
uint32_t own_count_name(ist_strv vips, ist_strv name);
// Has the application an instance in the place of a registration?
bool own_has_place(const own_registrations *own, const eureka_app *app);
// Has a registration this name, as application or VIP? Any case.
bool own_has_name(const own_registrations *own, ist_strv name);
