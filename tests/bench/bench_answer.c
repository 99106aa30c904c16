// SPDX-License-Identifier: Apache-2.0
//
// What one DNS answer costs without the sockets: parsing the question, looking the name up, dealing, writing the reply, in
// nanoseconds: one at a time, and in batches of 16. Questions come in random order, so that the caches of the processor are as
// cold as they are in service. Each figure is the least of several rounds: what else runs on the machine only adds.
#include "dns_answer/answer.h"
#include "mesh/builder.h"

#include "base/cursor.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ENDPOINTS = 3, ADDRESSES = 3, NAMESPACES = 20, TEXT_BYTES = 128, PACKET_BYTES = 300, ASKED = 20000, ROUNDS = 15 };
enum { KINDS = 5, SIZES = 2, BATCH = 16 };
static const char *const kind_names[KINDS] = {"3 virtual IPs", "3 endpoints", "3 endpoints 1:2:7", "AAAA, no data", "unknown"};
static const uint32_t weights[ENDPOINTS] = {1, 2, 7};

typedef struct packet {
    size_t length;
    uint8_t bytes[PACKET_BYTES];
} packet;

typedef struct bench {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_dns_answerer *answerer;
    packet *packets;
    ist_err err;
    size_t names_bytes; // heap that the virtual IPs take: names, plans, what finds them
    size_t sink;
} bench;

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

// "vip-7.ns-7.svc.cluster.local" with what is asked in front.
static ist_strv text_of(char *buffer, const char *before, const char *kind, uint32_t i)
{
    int n = snprintf(buffer, TEXT_BYTES, "%s%s-%u.ns-%u.svc.cluster.local", before, kind, i, i % NAMESPACES);
    return ist_strv_make(buffer, (size_t)n);
}

static ist_status put_name(bench *b, uint32_t i)
{
    char host[TEXT_BYTES];
    ist_mesh_addr vips[ADDRESSES];
    for (uint8_t a = 0; a < ADDRESSES; a++) {
        vips[a] = (ist_mesh_addr){.family = 4, .bytes = {172, (uint8_t)(16 + a), (uint8_t)(i >> 8), (uint8_t)i}};
    }
    ist_mesh_name_spec spec = {
        .host = text_of(host, "", "vip", i), .addrs = vips, .addr_count = ADDRESSES, .kubernetes = true, .hash = i + 1};
    return ist_mesh_builder_put_name(b->builder, &spec, &b->err);
}

static ist_status put_endpoints(bench *b, const char *kind, bool weighted, uint32_t i)
{
    char text[TEXT_BYTES];
    ist_mesh_endpoint items[ENDPOINTS];
    ist_mesh_locality locality = {.region = IST_STRV("r1"), .weight = 1, .count = ENDPOINTS};
    ist_mesh_cluster cluster = {.name = text_of(text, "outbound|80||", kind, i),
                                .discovery = IST_MESH_DISCOVERY_EDS,
                                .lb = IST_MESH_LB_LEAST_REQUEST,
                                .published = IST_MESH_PUBLISHED_NONE,
                                .hash = i + 1};
    ist_mesh_endpoints endpoints = {
        .items = items, .localities = &locality, .count = ENDPOINTS, .locality_count = 1};
    for (uint32_t e = 0; e < ENDPOINTS; e++) {
        uint32_t number = i * ENDPOINTS + e;
        items[e] = (ist_mesh_endpoint){.weight = weighted ? weights[e] : 1,
                                       .port = 80,
                                       .family = 4,
                                       .workload = IST_MESH_NO_INDEX,
                                       .alternate = IST_MESH_NO_INDEX,
                                       .health = IST_MESH_HEALTHY,
                                       .address = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
    }
    ist_status status = ist_mesh_builder_put_cluster(b->builder, &cluster, &b->err);
    return status == IST_OK ? ist_mesh_builder_put_endpoints(b->builder, cluster.name, &endpoints, i + 1, &b->err) : status;
}

static ist_status build(bench *b, uint32_t names)
{
    ist_mesh_policy policy = {.namespace_ = IST_STRV("ns-0"), .domain = IST_STRV("cluster.local")};
    ist_mesh_builder_args args = {.policy = &policy};
    ist_dns_answerer_config config = IST_DNS_ANSWERER_CONFIG_DEFAULT;
    const ist_mesh_addr pod = {.family = 4, .bytes = {10, 250, 0, 1}};
    ist_dns_source_add(&config.source, &pod, 24);
    b->store = ist_mesh_store_new();
    args.store = b->store;
    b->builder = b->store != NULL ? ist_mesh_builder_new(&args) : NULL;
    b->answerer = ist_dns_answerer_new(&config);
    b->packets = calloc(ASKED, sizeof(*b->packets));
    if (b->builder == NULL || b->answerer == NULL || b->packets == NULL) {
        return IST_ENOMEM;
    }
    size_t before = mallinfo2().uordblks;
    ist_status status = IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < names; i++) {
        status = put_name(b, i);
    }
    status = status == IST_OK ? ist_mesh_builder_commit(b->builder, NULL, &b->err) : status;
    b->names_bytes = mallinfo2().uordblks - before;
    for (uint32_t i = 0; status == IST_OK && i < names; i++) {
        status = put_endpoints(b, "even", false, i);
        status = status == IST_OK ? put_endpoints(b, "weighted", true, i) : status;
    }
    return status == IST_OK ? ist_mesh_builder_commit(b->builder, NULL, &b->err) : status;
}

static void tear_down(bench *b)
{
    ist_dns_answerer_free(b->answerer);
    ist_mesh_builder_free(b->builder);
    ist_mesh_store_free(b->store);
    free(b->packets);
    *b = (bench){.store = NULL};
}

static void write_question(packet *p, ist_strv name, uint16_t id, uint16_t type)
{
    ist_writer out = ist_writer_over(p->bytes, sizeof(p->bytes));
    const uint16_t header[] = {id, IST_DNS_FLAG_RD, 1, 0, 0, 0};
    bool more = true;
    for (size_t i = 0; i < IST_COUNT(header); i++) {
        ist_writer_u16(&out, header[i]);
    }
    while (more) {
        ist_strv label = ist_strv_cut(&name, '.', &more);
        ist_writer_u8(&out, (uint8_t)label.n);
        ist_writer_bytes(&out, label.p, label.n);
    }
    ist_writer_u8(&out, 0);
    ist_writer_u16(&out, type);
    ist_writer_u16(&out, IST_DNS_CLASS_IN);
    p->length = out.offset;
}

static void write_questions(bench *b, size_t kind, uint32_t names)
{
    static const char *const hosts[KINDS] = {"vip", "even", "weighted", "vip", "vip"};
    char text[TEXT_BYTES];
    uint64_t state = 1;
    for (uint32_t i = 0; i < ASKED; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t which = (uint32_t)(state >> 33) % names;
        ist_strv name = text_of(text, kind == 4 ? "www.example.com." : "", hosts[kind], which);
        write_question(&b->packets[i], name, (uint16_t)i, kind == 3 ? IST_DNS_TYPE_AAAA : IST_DNS_TYPE_A);
    }
}

// As the server does it with `count` packets that it has received at once.
static void answer_batch(bench *b, const ist_mesh_view *view, const packet *packets, uint32_t count, int64_t at_ms)
{
    static ist_dns_query queries[BATCH];
    static uint8_t buffer[BATCH][IST_DNS_UDP_MAX];
    ist_strv names[BATCH];
    const ist_mesh_name *plans[BATCH] = {NULL};
    for (uint32_t i = 0; i < count; i++) {
        (void)ist_dns_query_parse(packets[i].bytes, packets[i].length, &queries[i]); // made here: it is one
        names[i] = ist_dns_query_name(&queries[i]);
    }
    if (count > 1) {
        ist_mesh_view_name_batch(view, names, count, plans);
    }
    for (uint32_t i = 0; i < count; i++) {
        ist_dns_asker asker = {.client = (uint64_t)(packets - b->packets) + i + 1, .now_ms = at_ms, .plan = plans[i]};
        ist_dns_output output = {.buffer = buffer[i], .limit = queries[i].udp_size, .asker = asker};
        if (ist_dns_answer(b->answerer, view, &queries[i], &output) == IST_DNS_ANSWERED) {
            b->sink += output.length;
        }
    }
}

static double round_ns(bench *b, const ist_mesh_view *view, uint32_t batch, int64_t at_ms)
{
    double start = now_ns();
    for (uint32_t i = 0; i < ASKED; i += batch) {
        answer_batch(b, view, &b->packets[i], batch, at_ms);
    }
    return (now_ns() - start) / ASKED;
}

static ist_status run(bench *b, uint32_t names)
{
    ist_status status = build(b, names);
    if (status != IST_OK) {
        return status;
    }
    const ist_mesh_view *view = ist_mesh_store_acquire(b->store);
    printf("| %u names |", names);
    for (size_t kind = 0; kind < KINDS; kind++) {
        double single = 1e9;
        double batched = 1e9;
        write_questions(b, kind, names);
        for (int i = 0; i < ROUNDS; i++) {
            double ns = round_ns(b, view, 1, INT64_C(20000) * i);
            single = ns < single ? ns : single;
            ns = round_ns(b, view, BATCH, INT64_C(20000) * i + 10000);
            batched = ns < batched ? ns : batched;
        }
        printf(" %.0f, %.0f |", single, batched);
    }
    printf(" %.1f |\n", (double)b->names_bytes / 1e6);
    ist_mesh_store_release(b->store, view);
    return IST_OK;
}

int main(void)
{
    static const uint32_t sizes[SIZES] = {1000, 10000};
    bench b = {.store = NULL};
    ist_status status = IST_OK;
    printf("| |");
    for (size_t kind = 0; kind < KINDS; kind++) {
        printf(" %s |", kind_names[kind]);
    }
    printf(" heap of the names with virtual IPs, MB |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; status == IST_OK && i < SIZES; i++) {
        status = run(&b, sizes[i]);
        if (status != IST_OK) {
            (void)fprintf(stderr, "bench_answer: %s\n", b.err.text);
        }
        tear_down(&b);
    }
    return status == IST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
