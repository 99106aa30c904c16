// SPDX-License-Identifier: Apache-2.0
//
// Queries to the answerer over a small mesh with every kind of name: VIPs, splits, subsets, headless and per-pod names,
// ServiceEntries, wildcards. The first byte says how the packet is made: from raw bytes, or from a name, a directive and
// a type that the mesh knows, with the rest of the input as a label in front. What must hold of every reply, whatever was
// asked: our own reader takes it whole (counts, pointers backwards, nothing behind the last record), the question comes
// back byte for byte, it fits, and addresses are never cut.
#include "../support/mesh_world.h"

#include "../support/dns_packets.h"
#include "fuzz_input.h"

#include "dns_answer/answer.h"
#include "dns_wire/reply.h"

enum { RAW = 0xFF };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct mesh {
    world world;
    ist_dns_answerer *answerer;
} mesh;

static void put_names(world *w)
{
    MUST(world_put_service(w, "outbound|80||vip.ns.svc.cluster.local", "10.1.0.1-8080"));
    MUST(world_put_name(w, "vip.ns.svc.cluster.local", "10.96.0.1 fd00:96::1", true, 0));
    MUST(world_put_service(w, "outbound|80||rev.ns.svc.cluster.local", "10.2.0.1-80 10.2.0.2-80"));
    MUST(world_put_service(w, "outbound|80|v1|rev.ns.svc.cluster.local", "10.2.0.1-80"));
    MUST(world_put_service(w, "outbound|80|v2|rev.ns.svc.cluster.local", "10.2.0.2-80"));
    MUST(world_put_name(w, "rev.ns.svc.cluster.local", "10.96.0.2", true, 0));
    MUST(world_put_vhost(w, "80", "rev:80", "rev.ns.svc.cluster.local",
                         "outbound|80|v1|rev.ns.svc.cluster.local=1 outbound|80|v2|rev.ns.svc.cluster.local=3", 0));
    MUST(world_put_service(w, "outbound|443||api.example.com", "192.0.2.9-8443"));
    MUST(world_put_name(w, "api.example.com", "240.240.0.1", false, 0));
    MUST(world_put_service(w, "outbound|443||*.wild.example", "192.0.2.10-8443"));
    MUST(world_put_name(w, "*.wild.example", "240.240.0.2", false, 0));
}

static void put_headless(world *w)
{
    char text[2048] = "";
    for (size_t i = 0; i < WORLD_MAX - 4; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s10.5.0.%zu-80", i > 0 ? " " : "", i + 1);
    }
    MUST(world_put_cluster(w, "outbound|80||many.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||many.ns.svc.cluster.local", text, 0));
    MUST(world_put_cluster(w, "outbound|80||six.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||six.ns.svc.cluster.local", "fd00:8::1-80 fd00:8::2-80", 0));
    MUST(world_put_cluster(w, "outbound|80||empty.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||empty.ns.svc.cluster.local", "", 0));
}

static mesh *mesh_get(void)
{
    static mesh made;
    if (made.answerer == NULL) {
        ist_dns_answerer_config config = IST_DNS_ANSWERER_CONFIG_DEFAULT;
        ist_mesh_addr v4 = world_addr("10.9.0.5");
        ist_mesh_addr v6 = world_addr("fd00:9::5");
        ist_dns_source_add(&config.source, &v4, 24);
        ist_dns_source_add(&config.source, &v6, 64);
        made.answerer = ist_dns_answerer_new(&config);
        require(made.answerer != NULL);
        MUST(world_open(&made.world, NULL));
        put_names(&made.world);
        put_headless(&made.world);
        MUST(world_commit(&made.world));
    }
    return &made;
}

// A query for a name the mesh may know; false where the parts are no name.
static bool make_query(input *in, uint8_t first, uint8_t *packet, size_t *ret_length)
{
    static const char *const HOSTS[] = {"vip.ns.svc.cluster.local",
                                        "rev.ns.svc.cluster.local",
                                        "rev",
                                        "many.ns.svc.cluster.local",
                                        "six.ns.svc.cluster.local",
                                        "empty.ns.svc.cluster.local",
                                        "api.example.com",
                                        "x.wild.example",
                                        "wild.example",
                                        "ns.svc.cluster.local",
                                        "cluster.local",
                                        "1.0.96.10.in-addr.arpa",
                                        "1.0.5.10.in-addr.arpa",
                                        "rev--v1--default--p80.ns.svc.cluster.local",
                                        "rev--no"};
    static const char *const FRONTS[] = {"",
                                         "v1._subset.",
                                         "no._subset.",
                                         "a._ctx.",
                                         "default._ctx.",
                                         "_why.",
                                         "_http._tcp.",
                                         "_grpc._tcp.",
                                         "r.pin._zone.",
                                         "10-5-0-1.",
                                         "_why.v1._subset.",
                                         "a.b.prefer._zone.v1._subset.",
                                         "_http._tcp.r.pin._zone.",
                                         "_zone."};
    static const uint16_t TYPES[] = {1, 28, 33, 12, 16, 6, 5, 65, 255, 2};
    static const uint16_t SIZES[] = {0, 512, 1232, 65535};
    char name[IST_DNS_NAME_MAX + 1];
    ist_strv label = {0};
    uint8_t front = take_byte(in);
    uint8_t kind = take_byte(in);
    uint16_t type = TYPES[kind % IST_COUNT(TYPES)];
    if ((front & 0x80) != 0) {
        label = take_text(in);
        if (label.n == 0 || label.n > 63 || memchr(label.p, '.', label.n) != NULL ||
            memchr(label.p, 0, label.n) != NULL) {
            return false;
        }
    }
    int written = snprintf(name, sizeof(name), "%.*s%s%s%s", IST_STRV_ARG(label), label.n > 0 ? "." : "",
                           FRONTS[(front & 0x7F) % IST_COUNT(FRONTS)], HOSTS[first % IST_COUNT(HOSTS)]);
    require(written > 0 && (size_t)written < sizeof(name));
    *ret_length = test_query_make(name, type, SIZES[kind / IST_COUNT(TYPES) % IST_COUNT(SIZES)], packet);
    return true;
}

static void check_reply(const ist_dns_query *query, const ist_dns_output *output)
{
    static test_reply reply;
    require(output->length >= IST_DNS_HEADER_BYTES && output->length <= output->limit);
    require(query->question_length > 0 && output->length >= IST_DNS_HEADER_BYTES + (size_t)query->question_length);
    require(memcmp(output->buffer + IST_DNS_HEADER_BYTES, query->packet + IST_DNS_HEADER_BYTES, query->question_length) == 0);
    if (query->is_host) { // the reader keeps names as texts
        test_reply_read(query->packet, output->buffer, output->length, &reply);
        require(reply.rcode == output->rcode && reply.has_opt == query->has_edns);
        bool address = query->type == IST_DNS_TYPE_A || query->type == IST_DNS_TYPE_AAAA;
        require(!address || (reply.flags & IST_DNS_FLAG_TC) == 0);
    }
}

// Where the view is complete, what it has is answered as before, and the rest is forwarded or has no records.
static void check(const ist_dns_query *query, size_t limit)
{
    static uint8_t buffer[IST_DNS_TCP_MAX];
    mesh *made = mesh_get();
    ist_dns_outcome outcomes[2];
    uint16_t rcodes[2];
    for (int complete = 0; complete < 2; complete++) {
        ist_dns_output output = {.buffer = buffer, .limit = limit};
        ist_dns_answerer_set_cluster_complete(made->answerer, complete != 0);
        outcomes[complete] = ist_dns_answer(made->answerer, world_view(&made->world), query, &output);
        if (outcomes[complete] == IST_DNS_ANSWERED) {
            check_reply(query, &output);
        }
        rcodes[complete] = output.rcode;
    }
    require(outcomes[0] == IST_DNS_FORWARD || outcomes[0] == outcomes[1]);
    require(outcomes[0] != IST_DNS_ANSWERED || rcodes[0] == rcodes[1]);
    require(outcomes[0] == IST_DNS_ANSWERED || outcomes[1] != IST_DNS_ANSWERED || rcodes[1] == IST_DNS_NXDOMAIN ||
            rcodes[1] == IST_DNS_NOERROR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {.bytes = data, .left = size};
    uint8_t packet[512];
    const uint8_t *bytes = packet;
    size_t length = 0;
    ist_dns_query query;
    uint8_t first = take_byte(&in);
    if (first == RAW) {
        bytes = in.bytes;
        length = in.left;
    } else if (!make_query(&in, first, packet, &length)) {
        return 0;
    }
    if (length > 0 && ist_dns_query_parse(bytes, length, &query) == IST_DNS_QUERY_OK) {
        check(&query, query.udp_size);
        check(&query, IST_DNS_TCP_MAX);
    }
    return 0;
}
