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

// --- Datagrams ------------------------------------------------------------------------------------------------------

static void send_datagram(void *ctx, const ist_mesh_addr *to, uint16_t port, ist_strv datagram)
{
    const nacos_door *door = ctx;
    ist_err err = IST_ERR_NULL;
    if (ist_udp_send(door->udp, to, port, datagram, &err) != IST_OK) {
        IST_INFO(IST_LOG_API, "nacos: %s; sent again", err.text);
    }
}

static void received(void *ctx, const ist_mesh_addr *from, uint16_t port, ist_strv datagram)
{
    const nacos_door *door = ctx;
    ist_api_nacos_datagram(door->nacos, from, port, datagram);
}

// --- gRPC -----------------------------------------------------------------------------------------------------------

static ist_status set_upstream(nacos_door *door, const ist_agent_nacos_config *config)
{
    ist_rpc_upstream upstream;
    ist_status status =
        ist_grpc_server_upstream(door->grpc, config->host, (uint16_t)(config->port + IST_AGENT_NACOS_GRPC_OFFSET), &upstream);
    if (status == IST_OK) {
        ist_api_nacos_set_upstream(door->nacos, &upstream);
    }
    return status;
}

static ist_status new_grpc(nacos_door *door, const nacos_door_args *args, const ist_agent_nacos_config *config)
{
    ist_rpc_service service = ist_api_nacos_service(door->nacos);
    ist_grpc_server_args grpc = {.loop = args->loop,
                                 .metrics = args->metrics,
                                 .service = &service,
                                 .max_connections =
                                     (uint32_t)ist_options_number(args->options, IST_OPT_NACOS_CONNECTIONS)};
    ist_status status = ist_grpc_server_new(&grpc, &door->grpc, NULL);
    return status == IST_OK && config->what == IST_AGENT_NACOS_CONFIG_PROXY ? set_upstream(door, config) : status;
}

ist_status nacos_door_listen(nacos_door *door, const ist_grpc_listener_args *args, uint16_t *ret_port, int *ret_fd,
                             ist_err *err)
{
    return ist_grpc_server_listen(door->grpc, args, ret_port, ret_fd, err);
}

static void on_view(void *ctx)
{
    nacos_door *door = ctx;
    (void)ist_mesh_reader_view(&door->reader); // lets the old view go
    ist_api_nacos_on_view(door->nacos);
}

static void wake(void *ctx)
{
    nacos_door *door = ctx;
    ist_loop_post(door->loop, &door->view_job);
}

void nacos_door_watch(nacos_door *door, ist_mesh_store *store)
{
    door->view_job = (ist_loop_job){.run = on_view, .ctx = door};
    ist_mesh_reader_init(&door->reader, store, wake, door);
    door->watching = true;
}

void nacos_door_quiesce(nacos_door *door)
{
    if (door->grpc != NULL) {
        ist_grpc_server_quiesce(door->grpc);
    }
    if (door->nacos != NULL) {
        ist_api_nacos_reset(door->nacos);
    }
}

// --- Life -----------------------------------------------------------------------------------------------------------

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
    ist_agent_nacos_config config;
    ist_status status = ist_agent_nacos_config_parse(ist_options_text(args->options, IST_OPT_NACOS_CONFIG), &config, NULL);
    if (status != IST_OK) {
        return status; // the option table has checked it
    }
    door->udp = ist_udp_new(&(ist_udp_args){.loop = args->loop, .received = received, .ctx = door});
    if (door->udp == NULL) {
        return IST_ENOMEM;
    }
    // The choices of the options stand in the order of the enums.
    ist_api_nacos_args nacos = {.clock = ist_clock_system(),
                                .metrics = args->metrics,
                                .store = args->store,
                                .profile =
                                    (ist_api_nacos_profile)ist_options_choice(args->options, IST_OPT_NACOS_PROFILE),
                                .namespaces = ist_options_text(args->options, IST_OPT_NACOS_NAMESPACES),
                                .groups = ist_options_text(args->options, IST_OPT_NACOS_GROUPS),
                                .config = (ist_api_nacos_config)config.what,
                                .outside = {.ctx = door,
                                            .send = send_datagram,
                                            .wake_in = wake_in,
                                            .on_registered = on_registered}};
    door->nacos = ist_api_nacos_new(&nacos);
    if (door->nacos == NULL) {
        return IST_ENOMEM;
    }
    return ist_options_off(args->options, IST_OPT_NACOS_GRPC_LISTEN) ? IST_OK : new_grpc(door, args, &config);
}

void nacos_door_done(nacos_door *door)
{
    ist_grpc_server_free(door->grpc);
    door->grpc = NULL;
    if (door->watching) {
        ist_mesh_reader_done(&door->reader); // from here on nobody posts the job
        ist_loop_cancel(door->loop, &door->view_job);
        door->watching = false;
    }
    if (door->nacos != NULL) {
        ist_loop_disarm(door->loop, &door->timer);
        ist_api_nacos_free(door->nacos);
        door->nacos = NULL;
    }
    ist_udp_free(door->udp);
    door->udp = NULL;
}
