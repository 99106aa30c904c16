// SPDX-License-Identifier: Apache-2.0
//
// DNS packets for tests: makes a query from text, and reads a reply back with a parser of its own, so that the codec under
// test does not judge itself. Single-threaded; fixed sizes.
#pragma once

#include "ist_test.h"

typedef struct test_record {
    char name[256]; // lower case, dotted
    uint16_t type;
    uint32_t ttl_s;
    char text[600]; // A, AAAA: hex bytes; names: dotted; SRV: "priority weight port target"; TXT: its strings joined;
                    // others: hex
} test_record;

typedef struct test_reply {
    uint16_t id;
    uint16_t flags;
    uint16_t rcode; // with the extended part
    bool has_opt;
    size_t counts[4];
    test_record records[300]; // answer, authority, additional (without OPT), in order
    size_t record_count;
} test_reply;

// Writes a query for `name` (dotted); `edns_size` 0 = no OPT. Returns the length.
static inline size_t test_query_make(const char *name, uint16_t type, uint16_t edns_size, uint8_t *packet)
{
    size_t at = 12;
    memset(packet, 0, 12);
    packet[0] = 0xAB;
    packet[1] = 0xCD;
    packet[2] = 1; // RD
    packet[5] = 1;
    packet[11] = edns_size != 0;
    while (*name != '\0') {
        size_t length = strcspn(name, ".");
        packet[at++] = (uint8_t)length;
        memcpy(packet + at, name, length);
        at += length;
        name += length + (name[length] == '.');
    }
    const uint8_t tail[] = {0, (uint8_t)(type >> 8), (uint8_t)type, 0, 1};
    memcpy(packet + at, tail, sizeof(tail));
    at += sizeof(tail);
    if (edns_size != 0) {
        const uint8_t opt[] = {0, 0, 41, (uint8_t)(edns_size >> 8), (uint8_t)edns_size, 0, 0, 0, 0, 0, 0};
        memcpy(packet + at, opt, sizeof(opt));
        at += sizeof(opt);
    }
    return at;
}

static inline uint32_t test_number(const uint8_t *packet, size_t length, size_t *at, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        assert_true(*at < length);
        value = value << 8 | packet[(*at)++];
    }
    return value;
}

static inline void test_read_name(const uint8_t *packet, size_t length, size_t *at, char *name)
{
    size_t place = *at;
    size_t out = 0;
    bool jumped = false;
    for (int hops = 0; hops < 200; hops++) {
        uint32_t head = test_number(packet, length, &place, 1);
        if (head >= 0xC0) {
            size_t target = (head & 0x3F) << 8 | test_number(packet, length, &place, 1);
            assert_true(target < place - 2); // pointers go backwards
            *at = jumped ? *at : place;
            jumped = true;
            place = target;
            continue;
        }
        assert_true(head < 64);
        if (head == 0) {
            *at = jumped ? *at : place;
            name[out > 0 ? out - 1 : 0] = '\0';
            return;
        }
        for (uint32_t i = 0; i < head; i++) {
            char c = (char)test_number(packet, length, &place, 1);
            assert_true(out < 254);
            name[out++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        name[out++] = '.';
    }
    fail_msg("a name without end");
}

static inline void test_read_strings(const uint8_t *packet, size_t length, size_t *at, size_t end, char *text,
                                     size_t size)
{
    size_t out = 0;
    while (*at < end) {
        size_t count = test_number(packet, length, at, 1);
        assert_true(*at + count <= end && out + count < size);
        memcpy(text + out, packet + *at, count);
        *at += count;
        out += count;
    }
    text[out] = '\0';
}

static inline void test_read_rdata(const uint8_t *packet, size_t length, size_t *at, size_t bytes, test_record *record)
{
    size_t end = *at + bytes;
    assert_true(end <= length);
    if (record->type == 5 || record->type == 12) {
        test_read_name(packet, length, at, record->text);
    } else if (record->type == 16) {
        test_read_strings(packet, length, at, end, record->text, sizeof(record->text));
    } else if (record->type == 33) {
        char target[256];
        unsigned priority = test_number(packet, length, at, 2);
        unsigned weight = test_number(packet, length, at, 2);
        unsigned port = test_number(packet, length, at, 2);
        test_read_name(packet, length, at, target);
        (void)snprintf(record->text, sizeof(record->text), "%u %u %u %s", priority, weight, port, target);
    } else if (record->type == 6) {
        char responsible[256];
        test_read_name(packet, length, at, record->text);
        test_read_name(packet, length, at, responsible);
        (void)test_number(packet, length, at, 20); // serial to minimum
    } else {
        size_t out = 0;
        while (*at < end && out + 3 < sizeof(record->text)) {
            out += (size_t)snprintf(record->text + out, sizeof(record->text) - out, "%02x", packet[(*at)++]);
        }
        *at = end;
    }
    assert_int_equal(*at, end); // rdata is exactly as long as it says
}

static inline void test_read_record(const uint8_t *packet, size_t length, size_t *at, test_reply *reply)
{
    test_record *record = &reply->records[reply->record_count];
    assert_true(reply->record_count < IST_COUNT(reply->records));
    test_read_name(packet, length, at, record->name);
    record->type = (uint16_t)test_number(packet, length, at, 2);
    (void)test_number(packet, length, at, 2);
    record->ttl_s = test_number(packet, length, at, 4);
    size_t bytes = test_number(packet, length, at, 2);
    if (record->type == 41) {
        assert_false(reply->has_opt);
        reply->has_opt = true;
        reply->rcode = (uint16_t)(reply->rcode | (record->ttl_s >> 24) << 4);
        *at += bytes;
        return;
    }
    test_read_rdata(packet, length, at, bytes, record);
    reply->record_count++;
}

// Fails the test unless every byte of the reply is accounted for and its question is `query`'s, byte for byte.
static inline void test_reply_read(const uint8_t *query, const uint8_t *packet, size_t length, test_reply *reply)
{
    size_t at = 0;
    memset(reply, 0, sizeof(*reply));
    reply->id = (uint16_t)test_number(packet, length, &at, 2);
    reply->flags = (uint16_t)test_number(packet, length, &at, 2);
    reply->rcode = reply->flags & 15;
    for (size_t i = 0; i < 4; i++) {
        reply->counts[i] = test_number(packet, length, &at, 2);
    }
    assert_int_equal(reply->id, query[0] << 8 | query[1]);
    assert_true(reply->flags & 0x8000);
    assert_true(reply->flags & 0x0080); // RA always
    if (reply->counts[0] == 1) {
        char name[256];
        size_t start = at;
        test_read_name(packet, length, &at, name);
        at += 4;
        assert_true(at <= length);
        assert_memory_equal(packet + start, query + start, at - start);
    }
    for (size_t i = 0; i < reply->counts[1] + reply->counts[2] + reply->counts[3]; i++) {
        test_read_record(packet, length, &at, reply);
    }
    assert_int_equal(at, length);
}
