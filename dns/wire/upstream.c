// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/upstream.h"

#include <string.h>

#include "base/cursor.h"
#include "name_priv.h"

enum { COUNTS = 4, TYPE_AND_CLASS_BYTES = 4, CASE_BIT = 0x20, WORD_BITS = 64, POINTER_BITS = 0xC0 };

typedef struct head {
    uint16_t id;
    uint16_t flags;
    uint16_t counts[COUNTS]; // question, answer, authority, additional
} head;

static head read_head(ist_cursor *in)
{
    head read = {.id = ist_cursor_u16(in), .flags = 0};

    read.flags = ist_cursor_u16(in);
    for (size_t i = 0; i < COUNTS; i++) {
        read.counts[i] = ist_cursor_u16(in);
    }
    return read;
}

static bool is_letter(uint8_t byte)
{
    uint8_t lower = ist_dns_lower_byte(byte);
    return lower >= 'a' && lower <= 'z';
}

void ist_dns_case_mix(uint8_t *packet, size_t question_length, const uint64_t bits[IST_DNS_CASE_WORDS])
{
    uint8_t *name = packet + IST_DNS_HEADER_BYTES;

    // Length bytes are below 64, so they are no letters.
    for (size_t i = 0; i < question_length - TYPE_AND_CLASS_BYTES; i++) {
        if (is_letter(name[i])) {
            bool upper = (bits[i / WORD_BITS] >> (i % WORD_BITS) & 1) != 0;
            name[i] = (uint8_t)(upper ? name[i] & ~CASE_BIT : name[i] | CASE_BIT);
        }
    }
}

static bool same_but_for_case(const uint8_t *a, const uint8_t *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (ist_dns_lower_byte(a[i]) != ist_dns_lower_byte(b[i])) {
            return false;
        }
    }
    return true;
}

ist_dns_match ist_dns_upstream_match(const uint8_t *asked, size_t question_length, const uint8_t *packet, size_t length)
{
    ist_cursor in = ist_cursor_over(packet, length);
    ist_cursor sent = ist_cursor_over(asked, IST_DNS_HEADER_BYTES);
    head ours = read_head(&sent);
    head theirs = read_head(&in);
    size_t name_bytes = question_length - TYPE_AND_CLASS_BYTES;
    const uint8_t *question = asked + IST_DNS_HEADER_BYTES;
    const uint8_t *echo = packet + IST_DNS_HEADER_BYTES;

    if (in.failed || theirs.id != ours.id || (theirs.flags & IST_DNS_FLAG_QR) == 0 ||
        (theirs.flags & IST_DNS_FLAG_OPCODE) != 0) {
        return IST_DNS_MATCH_NOT;
    }
    if (theirs.counts[0] == 0) {
        return (theirs.flags & IST_DNS_FLAG_RCODE) != IST_DNS_NOERROR ? IST_DNS_MATCH_EXACT : IST_DNS_MATCH_NOT;
    }
    if (theirs.counts[0] != 1 || ist_cursor_left(&in) < question_length ||
        memcmp(question + name_bytes, echo + name_bytes, TYPE_AND_CLASS_BYTES) != 0) {
        return IST_DNS_MATCH_NOT;
    }
    if (memcmp(question, echo, name_bytes) == 0) {
        return IST_DNS_MATCH_EXACT;
    }
    return same_but_for_case(question, echo, name_bytes) ? IST_DNS_MATCH_CASE : IST_DNS_MATCH_NOT;
}

// How many bytes of the name at `at` are labels that begin the question and, where they do not end it, are followed by a
// pointer to the rest of it. 0: another name.
static size_t spelt_out(const ist_cursor *at, const uint8_t *question, size_t name_bytes)
{
    const uint8_t *name = at->bytes + at->offset;
    size_t left = ist_cursor_left(at);
    size_t i = 0;

    while (i < left && i < name_bytes && ist_dns_lower_byte(name[i]) == ist_dns_lower_byte(question[i])) {
        i++;
    }
    if (i == name_bytes) {
        return i;
    }
    size_t rest = IST_DNS_HEADER_BYTES + i;
    bool points = i + 1 < left && name[i] == (POINTER_BITS | rest >> 8) && name[i + 1] == (rest & 0xFF);
    return points ? i : 0;
}

void ist_dns_upstream_restore(uint8_t *packet, size_t length, const uint8_t *question, size_t question_length)
{
    ist_cursor in = ist_cursor_over(packet, length);
    head read = read_head(&in);
    size_t name_bytes = question_length - TYPE_AND_CLASS_BYTES;
    ist_dns_record record;

    if (question_length < TYPE_AND_CLASS_BYTES || in.failed || read.counts[0] != 1 || ist_cursor_left(&in) < question_length) {
        return;
    }
    memcpy(packet + IST_DNS_HEADER_BYTES, question, name_bytes);
    ist_cursor_skip(&in, question_length);
    size_t records = (size_t)read.counts[1] + read.counts[2] + read.counts[3];
    for (size_t i = 0; i < records; i++) {
        size_t start = in.offset;
        size_t same = spelt_out(&in, question, name_bytes);
        if (!ist_dns_record_read(&in, &record)) {
            return;
        }
        memcpy(packet + start, question, same);
    }
}

// Is the record at the cursor sound, with the names in it? Moves behind it.
static bool read_sound(ist_cursor *in, ist_dns_record *ret_record)
{
    size_t at = in->offset;
    ist_dns_wire_name name;

    if (!ist_dns_name_read(in->bytes, in->length, &at, &name) || !ist_dns_record_read(in, ret_record)) {
        return false;
    }
    const ist_dns_rdata_form *form = ist_dns_rdata_form_find(ret_record->type);
    if (ret_record->length < form->bytes) {
        return false;
    }
    at = in->offset - ret_record->length + form->bytes;
    for (uint8_t i = 0; i < form->names; i++) {
        if (!ist_dns_name_read(in->bytes, in->offset, &at, &name)) {
            return false;
        }
    }
    return true;
}

// False: broken.
static bool survey(ist_cursor *in, const head *read, bool *ret_soa)
{
    size_t authority = read->counts[1];
    size_t additional = authority + read->counts[2];
    size_t records = additional + read->counts[3];
    ist_dns_record record;

    *ret_soa = false;
    for (size_t i = 0; i < records; i++) {
        if (!read_sound(in, &record)) {
            return false;
        }
        *ret_soa = *ret_soa || (i >= authority && i < additional && record.type == IST_DNS_TYPE_SOA);
    }
    return true;
}

ist_dns_worth ist_dns_upstream_judge(const uint8_t *packet, size_t length)
{
    ist_cursor in = ist_cursor_over(packet, length);
    head read = read_head(&in);
    uint16_t rcode = read.flags & IST_DNS_FLAG_RCODE;
    ist_dns_wire_name name;
    bool soa;

    if (in.failed) {
        return IST_DNS_WORTH_BROKEN;
    }
    if (rcode != IST_DNS_NOERROR && rcode != IST_DNS_NXDOMAIN) {
        return IST_DNS_WORTH_REFUSAL; // whatever follows
    }
    if (read.counts[0] != 1 || !ist_dns_name_read(packet, length, &in.offset, &name)) {
        return IST_DNS_WORTH_BROKEN;
    }
    ist_cursor_skip(&in, TYPE_AND_CLASS_BYTES);
    if (!survey(&in, &read, &soa)) {
        return IST_DNS_WORTH_BROKEN;
    }
    bool knows = (read.flags & (IST_DNS_FLAG_AA | IST_DNS_FLAG_RA)) != 0;
    bool says = rcode == IST_DNS_NXDOMAIN || read.counts[1] > 0 || soa;
    return knows || says ? IST_DNS_WORTH_ANSWER : IST_DNS_WORTH_LAME;
}
