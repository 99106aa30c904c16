// SPDX-License-Identifier: Apache-2.0
#include "api_registry/registration.h"

#include "base/status.h"

#define WANTED "--ready-when registered waits until the application is UP"

// Of several that are not up, the last one that lasts says most.
typedef struct witness {
    const char *door;
    ist_registry_registration registration;
} witness;

// False: none is up; *ret_seen is one that is not, its door NULL where there is none at all.
static bool find_up(const ist_registry_registrar *registrars, size_t count, witness *ret_seen)
{
    *ret_seen = (witness){.door = NULL};
    for (size_t i = 0; i < count; i++) {
        ist_registry_registration each;
        for (size_t n = 0; registrars[i].find(registrars[i].ctx, n, &each); n++) {
            bool says_more = ret_seen->door == NULL || each.end == IST_REGISTRY_LASTS;
            if (says_more) {
                *ret_seen = (witness){.door = registrars[i].name, .registration = each};
            }
            if (each.up && each.end == IST_REGISTRY_LASTS) {
                return true;
            }
        }
    }
    return false;
}

static void explain(const witness *seen, ist_buf *why)
{
    const ist_registry_registration *one = &seen->registration;
    ist_strv app = one->app;
    ist_strv id = one->id;
    switch (one->end) {
    case IST_REGISTRY_LASTS:
        ist_buf_printf(why, "%.*s (%.*s) has registered with %s as %.*s; " WANTED, IST_STRV_ARG(app), IST_STRV_ARG(id),
                       seen->door, IST_STRV_ARG(one->status));
        break;
    case IST_REGISTRY_CANCELLED:
        ist_buf_printf(why, "%.*s (%.*s) has cancelled its registration with %s; " WANTED, IST_STRV_ARG(app),
                       IST_STRV_ARG(id), seen->door);
        break;
    case IST_REGISTRY_EXPIRED:
        ist_buf_printf(why, "the registration of %.*s (%.*s) with %s has expired, no heartbeat came in time; " WANTED,
                       IST_STRV_ARG(app), IST_STRV_ARG(id), seen->door);
        break;
    case _IST_REGISTRY_END_MAX:
        break;
    }
}

static void list_doors(const ist_registry_registrar *registrars, size_t count, ist_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        ist_buf_printf(out, "%s%s", i != 0 ? " or " : "", registrars[i].name);
    }
}

bool ist_registry_is_up(const ist_registry_registrar *registrars, size_t count, ist_buf *why)
{
    witness seen;
    bool up = find_up(registrars, count, &seen);
    if (up) {
        ist_buf_printf(why, "ready: %.*s (%.*s) has registered with %s and is %.*s",
                       IST_STRV_ARG(seen.registration.app), IST_STRV_ARG(seen.registration.id), seen.door,
                       IST_STRV_ARG(seen.registration.status));
    } else if (seen.door != NULL) {
        explain(&seen, why);
    } else if (count != 0) {
        ist_buf_append_str(why, "the application has not registered with ");
        list_doors(registrars, count, why);
        ist_buf_append_str(why, " yet; " WANTED);
    } else {
        ist_buf_append_str(why, "no registry door is open, so that the application cannot register; " WANTED
                                ", the log says why the door is closed");
    }
    return up;
}
