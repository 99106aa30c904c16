// SPDX-License-Identifier: Apache-2.0
//
// What the xDS fuzz targets share: a client on a transport that goes nowhere, brought to where every type is subscribed;
// then either the input as the one resource of a response, or the input as a whole response in slices.
#pragma once

#include <stdlib.h>

#include "base/buf.h"
#include "mesh/builder.h"
#include "mesh/view.h"
#include "xds/client.h"

typedef struct fuzz_xds {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_xds_client *client;
    ist_xds_mode mode;
    uint64_t stream;
    unsigned unsent;
} fuzz_xds;

static inline void fuzz_check(bool held)
{
    if (!held) {
        abort();
    }
}

static void fuzz_open(void *ctx, uint32_t server, ist_xds_mode mode, uint64_t stream)
{
    (void)server;
    (void)mode;
    ((fuzz_xds *)ctx)->stream = stream;
    ((fuzz_xds *)ctx)->unsent = 0;
}

static void fuzz_send(void *ctx, uint64_t stream, const void *bytes, size_t length)
{
    fuzz_xds *self = ctx;
    self->unsent++;
    fuzz_check(stream == self->stream && self->unsent == 1 && bytes != NULL && length > 0);
}

static void fuzz_close(void *ctx, uint64_t stream)
{
    (void)ctx;
    (void)stream;
}

static void fuzz_timer(void *ctx, int64_t at_ms)
{
    (void)ctx;
    (void)at_ms;
}

static inline void fuzz_settle(fuzz_xds *self)
{
    while (self->unsent > 0) {
        self->unsent--;
        ist_xds_client_on_sent(self->client, self->stream, 0);
    }
}

static inline void fuzz_varint(ist_buf *out, uint64_t value)
{
    uint64_t rest = value;
    for (; rest >= 0x80; rest >>= 7) {
        ist_buf_append_char(out, (char)(unsigned char)(0x80 | (rest & 0x7f)));
    }
    ist_buf_append_char(out, (char)rest);
}

static inline void fuzz_bytes(ist_buf *out, unsigned field, ist_strv bytes)
{
    fuzz_varint(out, field << 3 | 2);
    fuzz_varint(out, bytes.n);
    ist_buf_append_strv(out, bytes);
}

// A response with one resource.
static inline void fuzz_feed_resource(fuzz_xds *self, ist_xds_type type, ist_strv bytes)
{
    ist_buf any = IST_BUF_INIT;
    ist_buf resource = IST_BUF_INIT;
    ist_buf response = IST_BUF_INIT;
    ist_strv url = ist_strv_from(ist_xds_type_url(type));
    fuzz_bytes(&any, 1, url);
    fuzz_bytes(&any, 2, bytes);
    fuzz_bytes(&resource, 2, ist_buf_view(&any));
    fuzz_bytes(&response, 2, self->mode == IST_XDS_DELTA ? ist_buf_view(&resource) : ist_buf_view(&any));
    fuzz_bytes(&response, 4, url);
    fuzz_bytes(&response, 5, IST_STRV("n"));
    ist_xds_slice slice = {.bytes = (const uint8_t *)response.data, .length = response.length};
    ist_xds_client_on_message(self->client, self->stream, &slice, 1, 0);
    fuzz_settle(self);
    ist_buf_done(&any);
    ist_buf_done(&resource);
    ist_buf_done(&response);
}

static inline void fuzz_xds_init(fuzz_xds *self, ist_xds_mode mode)
{
    static const ist_strv server = IST_STRV_INIT("one");
    *self = (fuzz_xds){.mode = mode};
    ist_mesh_policy policy = {
        .namespace_ = IST_STRV("prod"), .domain = IST_STRV("cluster.local"), .identity = IST_STRV("pod.prod")};
    ist_xds_node node = {.pod_name = IST_STRV("pod"), .pod_namespace = IST_STRV("prod"), .pod_ip = IST_STRV("10.1.1.1"),
                         .domain = IST_STRV("cluster.local")};
    self->store = ist_mesh_store_new();
    ist_mesh_builder_args builder = {.store = self->store, .policy = &policy};
    self->builder = ist_mesh_builder_new(&builder);
    ist_xds_transport transport = {
        .open = fuzz_open, .send = fuzz_send, .close = fuzz_close, .set_timer = fuzz_timer, .ctx = self};
    ist_xds_client_args args = {.builder = self->builder, .store = self->store, .transport = &transport, .node = &node,
                                .servers = &server, .server_count = 1, .mode = mode};
    fuzz_check(ist_xds_client_new(&args, &self->client, NULL) == IST_OK);
    ist_xds_client_start(self->client, 0);
    ist_xds_client_on_open(self->client, self->stream, 0);
    fuzz_settle(self);
    // Name and type EDS of a cluster: now EDS and RDS are asked for as well.
    fuzz_feed_resource(self, IST_XDS_CDS, IST_STRV("\x0a\x10outbound|80||a.b\x10\x03"));
}

// Everything that was accepted must make a view.
static inline void fuzz_xds_done(fuzz_xds *self)
{
    fuzz_check(ist_mesh_builder_commit(self->builder, NULL, NULL) == IST_OK);
    ist_xds_client_free(self->client);
    ist_mesh_builder_free(self->builder);
    ist_mesh_store_free(self->store);
}

static inline int fuzz_one_resource(ist_xds_type type, const uint8_t *data, size_t size)
{
    fuzz_xds self;
    fuzz_xds_init(&self, IST_XDS_DELTA);
    fuzz_feed_resource(&self, type, ist_strv_make((const char *)data, size));
    fuzz_xds_done(&self);
    return 0;
}
