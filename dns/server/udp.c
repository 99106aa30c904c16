// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>

// Changes with the layout of the inbox, as far as sizes tell.
#define LAYOUT ((uint64_t)0x1570c01 << 32 | (uint64_t)sizeof(ist_dns_inbox))

enum { ROUNDS_MAX = 8 }; // batches of one socket before others get their turn

// Once, unless listeners take turns: what the kernel writes into the headers is set back after each batch.
static void prepare_batch(const ist_dns_listener *listener)
{
    ist_dns_batch *batch = listener->server->batch;
    ist_dns_inbox *inbox = listener->server->inbox;
    bool any_address = listener->any_address;

    if (batch->prepared_for == listener) {
        return;
    }
    batch->prepared_for = listener;
    inbox->layout = LAYOUT;
    inbox->address = listener->server->addresses[listener - listener->server->listeners];
    for (size_t i = 0; i < UDP_BATCH; i++) {
        batch->in_vectors[i] = (struct iovec){.iov_base = inbox->in_bytes[i], .iov_len = UDP_QUERY_MAX};
        inbox->in[i].msg_hdr = (struct msghdr){.msg_name = &inbox->peers[i],
                                               .msg_namelen = sizeof(inbox->peers[i]),
                                               .msg_iov = &batch->in_vectors[i],
                                               .msg_iovlen = 1,
                                               .msg_control = any_address ? inbox->controls[i] : NULL,
                                               .msg_controllen = any_address ? CONTROL_BYTES : 0};
        inbox->in[i].msg_len = 0;
    }
}

// The address that was asked becomes the one that answers; the way out is left to the routing table.
static void keep_only_address(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (void *)CMSG_DATA(c); // aligned by the kernel
            info->ipi_ifindex = 0;
            info->ipi_spec_dst = info->ipi_addr;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (void *)CMSG_DATA(c);
            if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) {
                info->ipi6_ifindex = 0;
            }
        }
    }
}

static void send_batch(int fd, ist_dns_batch *batch, unsigned count)
{
    unsigned sent = 0;

    while (sent < count) {
        int done = sendmmsg(fd, batch->out + sent, count - sent, 0);
        if (done > 0) {
            sent += (unsigned)done;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            return; // the client asks again
        } else if (errno != EINTR) {
            sent++; // this client cannot be reached
        }
    }
}

static void fill_client(ist_dns_client *client, const struct msghdr *message)
{
    client->peer_bytes = message->msg_namelen;
    memcpy(&client->peer, message->msg_name, message->msg_namelen);
    client->control_bytes = message->msg_controllen;
    if (message->msg_controllen > 0) {
        memcpy(client->control, message->msg_control, message->msg_controllen);
    }
}

// The port says most: a resolver takes another one for each question.
static uint64_t client_key(const struct sockaddr_storage *peer)
{
    const void *any = peer;
    const struct sockaddr_in *v4 = any;
    const struct sockaddr_in6 *v6 = any;

    if (peer->ss_family == AF_INET) {
        return (uint64_t)v4->sin_addr.s_addr << 16 | v4->sin_port;
    }
    return ist_hash_bytes(&v6->sin6_addr, sizeof(v6->sin6_addr), v6->sin6_port);
}

// All questions first, so that their names are looked up side by side.
static void parse_batch(ist_dns_server *server, unsigned count)
{
    ist_dns_batch *batch = server->batch;
    const ist_dns_inbox *inbox = server->inbox;
    ist_strv names[UDP_BATCH];
    _Static_assert(UDP_BATCH <= IST_MESH_BATCH_MAX, "the view must take a whole batch");

    for (unsigned i = 0; i < count; i++) {
        ist_dns_query *query = &batch->queries[i];
        batch->verdicts[i] = ist_dns_query_parse(inbox->in_bytes[i], inbox->in[i].msg_len, query);
        names[i] = batch->verdicts[i] == IST_DNS_QUERY_OK ? ist_dns_query_name(query) : IST_STRV_NULL;
        batch->plans[i] = NULL;
    }
    if (count > 1 && server->view != NULL) { // one alone has nothing to wait beside
        ist_mesh_view_name_batch(server->view, names, count, batch->plans);
    }
}

// What was answered without waiting took the time of the batch.
static void count_local(ist_dns_server *server, const unsigned *from, int64_t started_us)
{
    if (from[SOURCE_MESH] + from[SOURCE_CACHE] > 0) {
        double seconds = (double)(ist_clock_now_us() - started_us) / 1e6;
        ist_dns_stats_duration(&server->stats, SOURCE_MESH, seconds, from[SOURCE_MESH]);
        ist_dns_stats_duration(&server->stats, SOURCE_CACHE, seconds, from[SOURCE_CACHE]);
    }
}

static void count_truncated(ist_dns_server *server, const uint8_t *reply)
{
    if ((reply[2] & IST_DNS_FLAG_TC >> 8) != 0) { // the third byte has it; replies have a header
        ist_metric_add(server->stats.truncated, 1);
    }
}

// Answers the first `count` queries of the inbox.
static void serve_received(ist_dns_listener *listener, unsigned count)
{
    ist_dns_server *server = listener->server;
    ist_dns_batch *batch = server->batch;
    ist_dns_inbox *inbox = server->inbox;
    unsigned replies = 0;
    unsigned from[SOURCE_COUNT] = {0};
    ist_dns_client client;

    int64_t started_us = ist_clock_now_us();
    server->started_us = started_us;
    int64_t now_ms = ist_loop_now_ms(server->args.loop);
    parse_batch(server, count);
    client.listener = listener;
    client.connection = NULL;
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *in = &inbox->in[i].msg_hdr;
        ist_dns_output output = {.buffer = batch->out_bytes[replies],
                                 .asker = {.client = client_key(&inbox->peers[i]),
                                           .now_ms = now_ms,
                                           .plan = batch->plans[i]},
                                 .limit = IST_DNS_UDP_MAX};
        if (listener->any_address) {
            keep_only_address(in);
        }
        fill_client(&client, in);
        ist_dns_served served = ist_dns_serve_query(server, batch->verdicts[i], &batch->queries[i], &client, &output);
        if (served.length > 0) {
            batch->out_vectors[replies] = (struct iovec){.iov_base = output.buffer, .iov_len = served.length};
            batch->out[replies].msg_hdr = *in;
            batch->out[replies].msg_hdr.msg_iov = &batch->out_vectors[replies];
            batch->out[replies].msg_hdr.msg_flags = 0;
            count_truncated(server, output.buffer);
            replies++;
            from[served.source]++;
        }
        in->msg_namelen = sizeof(inbox->peers[i]);
        in->msg_controllen = listener->any_address ? CONTROL_BYTES : 0;
    }
    send_batch(listener->udp.fd, batch, replies);
    for (unsigned i = 0; i < count; i++) {
        inbox->in[i].msg_len = 0; // answered, or waiting for an upstream
    }
    count_local(server, from, started_us);
}

// Serves one batch; returns how many queries there were.
static unsigned serve_batch(ist_dns_listener *listener)
{
    int count = recvmmsg(listener->udp.fd, listener->server->inbox->in, UDP_BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) {
        return 0;
    }
    serve_received(listener, (unsigned)count);
    return (unsigned)count;
}

static ist_dns_listener *find_listener(ist_dns_server *server, const ist_dns_address *address)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        if (ist_dns_address_equal(&server->addresses[i], address)) {
            return &server->listeners[i];
        }
    }
    return NULL;
}

// Lengths as the kernel has written them, beside the pointers of this process.
static void keep_lengths(ist_dns_inbox *inbox, const struct mmsghdr *left)
{
    for (size_t i = 0; i < UDP_BATCH; i++) {
        const struct msghdr *was = &left[i].msg_hdr;
        struct msghdr *now = &inbox->in[i].msg_hdr;
        bool sane = left[i].msg_len <= UDP_QUERY_MAX && was->msg_namelen <= now->msg_namelen &&
                    was->msg_controllen <= now->msg_controllen;
        inbox->in[i].msg_len = sane ? left[i].msg_len : 0;
        now->msg_namelen = sane ? was->msg_namelen : now->msg_namelen;
        now->msg_controllen = sane ? was->msg_controllen : now->msg_controllen;
    }
}

void ist_dns_udp_replay(ist_dns_server *server)
{
    ist_dns_inbox *inbox = server->inbox;
    struct mmsghdr left[UDP_BATCH];
    ist_dns_listener *listener = inbox->layout == LAYOUT ? find_listener(server, &inbox->address) : NULL;

    if (listener != NULL && inbox->replaying == 0) {
        inbox->replaying = 1;
        memcpy(left, inbox->in, sizeof(left));
        prepare_batch(listener);
        keep_lengths(inbox, left);
        ist_dns_serve_refresh_view(server);
        serve_received(listener, UDP_BATCH); // those of length 0 are dropped as fragments
    }
    memset(inbox->in, 0, sizeof(inbox->in));
    server->batch->prepared_for = NULL;
    inbox->replaying = 0;
}

void ist_dns_udp_ready(void *ctx, uint32_t events)
{
    ist_dns_listener *listener = ctx;

    (void)events; // an error is reported by recvmmsg and cleared
    ist_dns_serve_refresh_view(listener->server);
    prepare_batch(listener);
    for (int round = 0; round < ROUNDS_MAX && serve_batch(listener) == UDP_BATCH; round++) {
    }
}

void ist_dns_udp_send(const ist_dns_client *client, const uint8_t *bytes, size_t length)
{
    uint8_t copy[IST_DNS_UDP_MAX];
    struct sockaddr_storage peer = client->peer;
    _Alignas(16) uint8_t control[CONTROL_BYTES];
    struct iovec vector = {.iov_base = copy, .iov_len = length};
    struct msghdr message = {.msg_name = &peer, .msg_namelen = client->peer_bytes, .msg_iov = &vector, .msg_iovlen = 1};

    count_truncated(client->listener->server, bytes);
    memcpy(copy, bytes, length);
    if (client->control_bytes > 0) {
        memcpy(control, client->control, client->control_bytes);
        message.msg_control = control;
        message.msg_controllen = client->control_bytes;
    }
    (void)sendmsg(client->listener->udp.fd, &message, MSG_DONTWAIT); // lost like any datagram: the client asks again
}
