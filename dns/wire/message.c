// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/message.h"

#include <string.h>

#include "base/cursor.h"
#include "dns_wire/reply.h"
#include "name_priv.h"

// The header's fixed part and the four counts.
typedef struct message_header {
    uint16_t id;
    uint16_t flags;
    uint16_t counts[4];
} message_header;

void ist_dns_ask_from_query(ist_dns_ask *ask, const ist_dns_query *query)
{
    memcpy(ask->question, query->packet + IST_DNS_HEADER_BYTES, query->question_length);
    ask->question_length = query->question_length;
    ask->flags = query->flags & (IST_DNS_FLAG_RD | IST_DNS_FLAG_CD | IST_DNS_FLAG_AD);
    ask->dnssec_ok = query->dnssec_ok;
}

ist_status ist_dns_ask_make(ist_dns_ask *ask, ist_strv name, uint16_t type)
{
    ist_writer out = ist_writer_over(ask->question, sizeof(ask->question));

    if (name.n == 0 || name.n > IST_DNS_NAME_MAX || !ist_dns_name_write(&out, name)) {
        return IST_EINVAL;
    }
    ist_writer_u16(&out, type);
    ist_writer_u16(&out, IST_DNS_CLASS_IN);
    ask->question_length = (uint16_t)out.offset;
    ask->flags = IST_DNS_FLAG_RD;
    ask->dnssec_ok = false;
    return IST_OK;
}

size_t ist_dns_ask_write(const ist_dns_ask *ask, uint16_t id, bool edns, uint8_t *buffer)
{
    ist_writer out = ist_writer_over(buffer, IST_DNS_ASK_BYTES_MAX);

    ist_writer_u16(&out, id);
    ist_writer_u16(&out, ask->flags);
    ist_writer_u16(&out, 1);
    ist_writer_u32(&out, 0);
    ist_writer_u16(&out, edns ? 1 : 0);
    ist_writer_bytes(&out, ask->question, ask->question_length);
    if (edns) {
        ist_writer_u8(&out, 0);
        ist_writer_u16(&out, IST_DNS_TYPE_OPT);
        ist_writer_u16(&out, IST_DNS_UDP_MAX);
        ist_writer_u32(&out, ask->dnssec_ok ? 0x8000u : 0);
        ist_writer_u16(&out, 0);
    }
    return out.offset;
}

uint16_t ist_dns_message_rcode(const uint8_t *packet, size_t length)
{
    return length < IST_DNS_HEADER_BYTES ? IST_DNS_SERVFAIL : packet[3] & IST_DNS_FLAG_RCODE;
}

static bool read_header(ist_cursor *in, message_header *ret_header)
{
    ret_header->id = ist_cursor_u16(in);
    ret_header->flags = ist_cursor_u16(in);
    for (size_t i = 0; i < IST_COUNT(ret_header->counts); i++) {
        ret_header->counts[i] = ist_cursor_u16(in);
    }
    return !in->failed && (ret_header->flags & IST_DNS_FLAG_QR) != 0;
}

// Same question but for upper and lower case. Length bytes are below 64, so folding does not touch them.
static bool same_question(const ist_dns_query *query, const uint8_t *packet, size_t length)
{
    const uint8_t *ours = query->packet + IST_DNS_HEADER_BYTES;

    if (length < (size_t)IST_DNS_HEADER_BYTES + query->question_length) {
        return false;
    }
    size_t name_bytes = query->question_length - 4u;
    for (size_t i = 0; i < name_bytes; i++) {
        if (ist_dns_lower_byte(ours[i]) != ist_dns_lower_byte(packet[IST_DNS_HEADER_BYTES + i])) {
            return false;
        }
    }
    return memcmp(ours + name_bytes, packet + IST_DNS_HEADER_BYTES + name_bytes, 4) == 0;
}

// What goes over from the upstream's reply.
typedef struct fitting {
    ist_cursor in;
    ist_dns_reply reply;
    uint8_t extended_rcode;
    bool full; // something did not fit: nothing more is copied
    bool past_opt;
} fitting;

// Copies one record verbatim: its compression pointers stay right because everything before it stayed in place. Records
// behind the upstream's OPT would move, and are optional: left out.
static bool copy_record(fitting *fit, ist_dns_section section)
{
    size_t start = fit->in.offset;
    size_t mark = fit->reply.out.offset;
    ist_dns_record record;

    if (!ist_dns_record_read(&fit->in, &record)) {
        return false;
    }
    if (record.type == IST_DNS_TYPE_OPT) {
        fit->extended_rcode = (uint8_t)(record.ttl_s >> 24);
        fit->past_opt = true;
        return section == IST_DNS_ADDITIONAL;
    }
    if (fit->full || fit->past_opt) {
        return true;
    }
    ist_writer_bytes(&fit->reply.out, fit->in.bytes + start, fit->in.offset - start);
    if (fit->reply.out.failed) {
        fit->reply.out.failed = false;
        fit->reply.out.offset = mark;
        fit->full = true;
        if (section != IST_DNS_ADDITIONAL) {
            fit->reply.flags |= IST_DNS_FLAG_TC;
        }
        return true;
    }
    fit->reply.counts[section]++;
    return true;
}

size_t ist_dns_message_fit(const ist_dns_query *query, const uint8_t *packet, size_t length, uint8_t *buffer,
                           size_t limit)
{
    fitting fit = {.in = ist_cursor_over(packet, length)};
    message_header header;

    if (!read_header(&fit.in, &header)) {
        return 0;
    }
    ist_dns_reply_begin(&fit.reply, query, buffer, limit);
    fit.reply.rcode = header.flags & IST_DNS_FLAG_RCODE;
    fit.reply.flags |= header.flags & (IST_DNS_FLAG_AA | IST_DNS_FLAG_TC | IST_DNS_FLAG_AD);
    if (header.counts[0] == 0) { // some servers send errors without the question
        return fit.reply.rcode != IST_DNS_NOERROR ? ist_dns_reply_end(&fit.reply) : 0;
    }
    if (header.counts[0] != 1 || !same_question(query, packet, length)) {
        return 0;
    }
    ist_cursor_skip(&fit.in, query->question_length);
    for (uint32_t section = IST_DNS_ANSWER; section <= IST_DNS_ADDITIONAL; section++) {
        for (uint32_t i = 0; i < header.counts[section]; i++) {
            if (!copy_record(&fit, (ist_dns_section)section)) {
                return 0;
            }
        }
    }
    if (fit.extended_rcode != 0) { // BADVERS and the like concern us and the upstream, not the client
        fit.reply.rcode = IST_DNS_SERVFAIL;
    }
    return ist_dns_reply_end(&fit.reply);
}

static void take_address(ist_dns_addresses *addresses, const ist_dns_record *record)
{
    bool v4 = record->type == IST_DNS_TYPE_A && record->length == 4;
    bool v6 = record->type == IST_DNS_TYPE_AAAA && record->length == 16;

    if (record->class_ != IST_DNS_CLASS_IN) {
        return;
    }
    if (record->ttl_s < addresses->ttl_s) {
        addresses->ttl_s = record->ttl_s;
    }
    if ((v4 || v6) && addresses->count < IST_DNS_ADDRESSES_MAX) {
        ist_dns_addr *addr = &addresses->items[addresses->count++];
        *addr = (ist_dns_addr){.family = v4 ? 4 : 6};
        memcpy(addr->bytes, record->data, record->length);
    }
}

ist_status ist_dns_message_addresses(const uint8_t *packet, size_t length, ist_dns_addresses *ret_addresses)
{
    ist_cursor in = ist_cursor_over(packet, length);
    message_header header;
    bool root;

    if (!read_header(&in, &header) || header.counts[0] != 1 || !ist_dns_name_skip(&in, &root)) {
        return IST_EPARSE;
    }
    ret_addresses->count = 0;
    ret_addresses->ttl_s = UINT32_MAX;
    ret_addresses->rcode = header.flags & IST_DNS_FLAG_RCODE;
    ret_addresses->type = ist_cursor_u16(&in);
    ist_cursor_skip(&in, 2);
    for (uint32_t i = 0; i < header.counts[IST_DNS_ANSWER]; i++) {
        ist_dns_record record;
        if (!ist_dns_record_read(&in, &record)) {
            return IST_EPARSE;
        }
        take_address(ret_addresses, &record);
    }
    return in.failed ? IST_EPARSE : IST_OK;
}
