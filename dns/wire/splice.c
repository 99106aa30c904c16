// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/splice.h"

#include <string.h>

#include "name_priv.h"
#include "reply_priv.h"

enum { KNOWN_MAX = 32 }; // names in the reply that can be pointed to

typedef struct splicing {
    ist_dns_reply *reply;
    const uint8_t *packet;
    size_t length;
    uint16_t known[KNOWN_MAX];
    size_t known_count;
    bool full;
} splicing;

// --- Names ----------------------------------------------------------------------------------------------------------

static void remember(splicing *splice, size_t offset)
{
    if (splice->known_count < KNOWN_MAX && offset <= IST_DNS_POINTER_MAX) {
        splice->known[splice->known_count++] = (uint16_t)offset;
    }
}

// A pointer to where the reply has the name already, else the whole name.
static void write_name(splicing *splice, const ist_dns_wire_name *name)
{
    ist_writer *out = &splice->reply->out;
    ist_dns_wire_name have;

    for (size_t i = 0; i < splice->known_count; i++) {
        size_t at = splice->known[i];
        if (ist_dns_name_read(out->bytes, out->offset, &at, &have) && have.length == name->length &&
            memcmp(have.bytes, name->bytes, name->length) == 0) {
            ist_writer_u16(out, (uint16_t)(IST_DNS_POINTER | splice->known[i]));
            return;
        }
    }
    remember(splice, out->offset); // it stays only if the record does: what is behind the end is never read as a name
    ist_writer_bytes(out, name->bytes, name->length);
}

// --- Records --------------------------------------------------------------------------------------------------------

// RFC 3597 section 4: upstreams may compress the names inside these, which we would have to know.
static const uint16_t left_out[] = {3, 4, 7, 8, 9, 14, 17, 18, 21, 24, 26, 30, 35, 36};

static bool is_left_out(const ist_dns_record *record)
{
    for (size_t i = 0; i < IST_COUNT(left_out); i++) {
        if (left_out[i] == record->type) {
            return true;
        }
    }
    return record->class_ != IST_DNS_CLASS_IN || record->type == IST_DNS_TYPE_OPT;
}

// False: broken.
static bool write_rdata(splicing *splice, const ist_dns_record *record)
{
    ist_writer *out = &splice->reply->out;
    const ist_dns_rdata_form *form = ist_dns_rdata_form_find(record->type);
    size_t at = (size_t)(record->data - splice->packet);
    size_t end = at + record->length;
    ist_dns_wire_name name;

    if (record->length < form->bytes) {
        return false;
    }
    ist_writer_bytes(out, splice->packet + at, form->bytes);
    at += form->bytes;
    for (uint8_t i = 0; i < form->names; i++) {
        if (!ist_dns_name_read(splice->packet, end, &at, &name)) {
            return false;
        }
        if (record->type == IST_DNS_TYPE_CNAME) {
            write_name(splice, &name); // the owner of what follows
        } else {
            ist_writer_bytes(out, name.bytes, name.length);
        }
    }
    ist_writer_bytes(out, splice->packet + at, end - at);
    return true;
}

// Moves the record at the cursor over where it is wanted. False: broken.
static bool move_record(splicing *splice, ist_dns_section section, bool wanted, ist_cursor *in)
{
    ist_dns_reply *reply = splice->reply;
    size_t mark = reply->out.offset;
    size_t known_count = splice->known_count;
    size_t at = in->offset;
    ist_dns_record record;
    ist_dns_wire_name owner;

    if (!ist_dns_name_read(splice->packet, splice->length, &at, &owner) || !ist_dns_record_read(in, &record)) {
        return false;
    }
    if (!wanted || splice->full || is_left_out(&record)) {
        return true;
    }
    write_name(splice, &owner);
    ist_writer_u16(&reply->out, record.type);
    ist_writer_u16(&reply->out, record.class_);
    ist_writer_u32(&reply->out, record.ttl_s);
    ist_writer_u16(&reply->out, 0);
    size_t rdata = reply->out.offset;
    if (!write_rdata(splice, &record)) {
        return false;
    }
    if (!ist_dns_reply_finish_rdata(reply, section, mark, rdata)) {
        splice->known_count = known_count;
        splice->full = true;
        reply->flags |= IST_DNS_FLAG_TC;
    }
    return true;
}

static bool is_soa(const ist_cursor *in)
{
    ist_cursor ahead = *in;
    ist_dns_record record;

    return ist_dns_record_read(&ahead, &record) && record.type == IST_DNS_TYPE_SOA;
}

// Is the packet about what `target` names, by the type that the client asked for?
static bool same_question(const splicing *splice, uint16_t target, ist_cursor *in)
{
    const ist_writer *out = &splice->reply->out;
    size_t asked_at = in->offset;
    size_t target_at = target;
    ist_dns_wire_name asked;
    ist_dns_wire_name ours;

    if (!ist_dns_name_read(splice->packet, splice->length, &asked_at, &asked) ||
        !ist_dns_name_read(out->bytes, out->offset, &target_at, &ours) || asked.length != ours.length ||
        memcmp(asked.bytes, ours.bytes, ours.length) != 0) {
        return false;
    }
    ist_cursor_skip(in, asked_at - in->offset);
    uint16_t type = ist_cursor_u16(in);
    return type == splice->reply->query->type && ist_cursor_u16(in) == IST_DNS_CLASS_IN && !in->failed;
}

bool ist_dns_splice(ist_dns_reply *reply, uint16_t target, const uint8_t *packet, size_t length)
{
    splicing splice = {.reply = reply, .packet = packet, .length = length};
    ist_cursor in = ist_cursor_over(packet, length);
    uint16_t counts[IST_DNS_ADDITIONAL] = {0};

    ist_cursor_skip(&in, sizeof(uint16_t));
    uint16_t flags = ist_cursor_u16(&in);
    for (size_t i = 0; i < IST_COUNT(counts); i++) {
        counts[i] = ist_cursor_u16(&in);
    }
    ist_cursor_skip(&in, sizeof(uint16_t));
    uint16_t rcode = flags & IST_DNS_FLAG_RCODE;
    if (in.failed || (flags & IST_DNS_FLAG_QR) == 0 || (rcode != IST_DNS_NOERROR && rcode != IST_DNS_NXDOMAIN) ||
        counts[0] != 1 || !same_question(&splice, target, &in)) {
        return false;
    }
    remember(&splice, target);
    for (uint32_t i = 0; i < counts[IST_DNS_ANSWER]; i++) {
        if (!move_record(&splice, IST_DNS_ANSWER, true, &in)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < counts[IST_DNS_AUTHORITY]; i++) {
        if (!move_record(&splice, IST_DNS_AUTHORITY, is_soa(&in), &in)) {
            return false;
        }
    }
    reply->rcode = rcode;
    reply->flags |= flags & IST_DNS_FLAG_TC;
    return true;
}
