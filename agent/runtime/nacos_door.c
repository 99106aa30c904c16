// SPDX-License-Identifier: Apache-2.0
#include "nacos_door_priv.h"

#include "base/log.h"
#include "config/agent.h"

static void on_timer(void *ctx)
{
    nacos_door *door = ctx;
    ist_api_nacos_tick(door->nacos);
}

static void wake_in(void *ctx, int64_t delay_ms)
{
    nacos_door *door = ctx;
    if (delay_ms < 0) {
        ist_loop_disarm(door->loop, &door->timer);
    } else if (ist_loop_arm(door->loop, &door->timer, delay_ms) != IST_OK) {
        IST_WARN(IST_LOG_API, "nacos: out of memory, what is overdue may last longer");
    }
}

static void on_registered(void *ctx)
{
    const nacos_door *door = ctx;
    if (door->on_registered != NULL) {
        door->on_registered(door->ctx);
    }
}

ist_status nacos_door_init(nacos_door *door, const nacos_door_args *args)
{
    *door = (nacos_door){.loop = args->loop,
                         .timer = {.fire = on_timer, .ctx = door},
                         .on_registered = args->on_registered,
                         .ctx = args->ctx};
    if (ist_options_off(args->options, IST_OPT_NACOS_LISTEN) &&
        ist_options_off(args->options, IST_OPT_NACOS_GRPC_LISTEN)) {
        return IST_OK;
    }
    // The choices of the option stand in the order of the enum.
    ist_api_nacos_args nacos = {.clock = ist_clock_system(),
                                .metrics = args->metrics,
                                .store = args->store,
                                .profile =
                                    (ist_api_nacos_profile)ist_options_choice(args->options, IST_OPT_NACOS_PROFILE),
                                .outside = {.ctx = door, .wake_in = wake_in, .on_registered = on_registered}};
    door->nacos = ist_api_nacos_new(&nacos);
    return door->nacos != NULL ? IST_OK : IST_ENOMEM;
}

void nacos_door_done(nacos_door *door)
{
    if (door->nacos != NULL) {
        ist_loop_disarm(door->loop, &door->timer);
        ist_api_nacos_free(door->nacos);
        door->nacos = NULL;
    }
}
