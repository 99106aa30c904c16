// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/reply.h"

#include <string.h>

#include "name_priv.h"
#include "reply_priv.h"

enum { HEAD_BYTES = 12, TXT_STRING_MAX = 255 };
enum { SOA_REFRESH_S = 7200, SOA_RETRY_S = 1800, SOA_EXPIRE_S = 86400 };

static void put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

// Room for OPT and the options that the reply will have.
static size_t opt_bytes(const ist_dns_query *query)
{
    size_t bytes = IST_DNS_OPT_BYTES;

    if (!query->has_edns) {
        return 0;
    }
    bytes += query->cookie_complete ? IST_DNS_OPTION_HEAD_BYTES + IST_DNS_COOKIE_BYTES : 0;
    return bytes + (query->keepalive_ds != 0 ? IST_DNS_OPTION_HEAD_BYTES + sizeof(uint16_t) : 0);
}

void ist_dns_reply_begin(ist_dns_reply *reply, const ist_dns_query *query, uint8_t *buffer, size_t limit)
{
    static const uint8_t header[IST_DNS_HEADER_BYTES];

    reply->query = query;
    reply->stale = false;
    reply->reserved = opt_bytes(query);
    reply->out = ist_writer_over(buffer, limit - reply->reserved);
    reply->flags = (uint16_t)(IST_DNS_FLAG_QR | IST_DNS_FLAG_RA |
                              (query->flags & (IST_DNS_FLAG_OPCODE | IST_DNS_FLAG_RD | IST_DNS_FLAG_CD)));
    reply->rcode = IST_DNS_NOERROR;
    reply->counts[0] = query->question_length > 0 ? 1 : 0;
    reply->counts[IST_DNS_ANSWER] = 0;
    reply->counts[IST_DNS_AUTHORITY] = 0;
    reply->counts[IST_DNS_ADDITIONAL] = 0;
    ist_writer_bytes(&reply->out, header, sizeof(header));
    ist_writer_bytes(&reply->out, query->packet + IST_DNS_HEADER_BYTES, query->question_length);
}

void ist_dns_reply_set_stale(ist_dns_reply *reply)
{
    size_t bytes = IST_DNS_OPTION_HEAD_BYTES + sizeof(uint16_t);

    if (reply->query->has_edns && !reply->stale) {
        reply->stale = true;
        reply->reserved += bytes;
        reply->out.capacity -= bytes;
    }
}

static void write_option_head(ist_writer *out, uint16_t code, size_t bytes)
{
    ist_writer_u16(out, code);
    ist_writer_u16(out, (uint16_t)bytes);
}

// RFC 6891 6.1.2: root, type, our size, extended rcode, version 0, DO as the client sent it; the options that we answer.
static void write_opt(ist_dns_reply *reply)
{
    const ist_dns_query *query = reply->query;
    uint8_t opt[IST_DNS_OPT_BYTES] = {0};

    put_u16(opt + 1, IST_DNS_TYPE_OPT);
    put_u16(opt + 3, IST_DNS_UDP_MAX);
    opt[5] = (uint8_t)(reply->rcode >> 4);
    opt[7] = query->dnssec_ok ? 0x80 : 0;
    put_u16(opt + 9, (uint32_t)(reply->reserved - IST_DNS_OPT_BYTES));
    reply->out.capacity += reply->reserved;
    reply->reserved = 0;
    ist_writer_bytes(&reply->out, opt, sizeof(opt));
    if (query->cookie_complete) {
        write_option_head(&reply->out, IST_DNS_OPTION_COOKIE, IST_DNS_COOKIE_BYTES);
        ist_writer_bytes(&reply->out, query->cookie, IST_DNS_COOKIE_BYTES);
    }
    if (query->keepalive_ds != 0) {
        write_option_head(&reply->out, IST_DNS_OPTION_KEEPALIVE, sizeof(uint16_t));
        ist_writer_u16(&reply->out, query->keepalive_ds);
    }
    if (reply->stale) {
        write_option_head(&reply->out, IST_DNS_OPTION_EXTENDED_ERROR, sizeof(uint16_t));
        ist_writer_u16(&reply->out, IST_DNS_EXTENDED_STALE_ANSWER);
    }
    reply->counts[IST_DNS_ADDITIONAL]++;
}

size_t ist_dns_reply_end(ist_dns_reply *reply)
{
    uint8_t *header = reply->out.bytes;

    if (reply->query->has_edns) {
        write_opt(reply);
    }
    put_u16(header, reply->query->id);
    put_u16(header + 2, (uint32_t)(reply->flags | (reply->rcode & IST_DNS_FLAG_RCODE)));
    for (size_t i = 0; i < IST_COUNT(reply->counts); i++) {
        put_u16(header + 4 + 2 * i, reply->counts[i]);
    }
    return reply->out.offset;
}

size_t ist_dns_reply_error(const ist_dns_query *query, uint16_t rcode, uint8_t *buffer, size_t limit)
{
    ist_dns_reply reply;

    ist_dns_reply_begin(&reply, query, buffer, limit);
    reply.rcode = rcode;
    return ist_dns_reply_end(&reply);
}

uint16_t ist_dns_owner_suffix(size_t text_offset)
{
    // In wire form each label has one byte in front, in text one dot behind: the offsets are the same.
    return (uint16_t)(IST_DNS_HEADER_BYTES + text_offset);
}

// Owner, type, class, ttl and rdata length as one block.
static void fill_head(uint8_t *head, uint16_t owner, uint16_t type, uint32_t ttl_s, size_t rdata_bytes)
{
    put_u16(head, (uint32_t)(IST_DNS_POINTER | owner));
    put_u16(head + 2, type);
    put_u16(head + 4, IST_DNS_CLASS_IN);
    put_u16(head + 6, ttl_s >> 16);
    put_u16(head + 8, ttl_s);
    put_u16(head + 10, (uint32_t)rdata_bytes);
}

// Keeps the record that was written since `mark`, or takes it back where it did not fit.
static bool finish_record(ist_dns_reply *reply, ist_dns_section section, size_t mark)
{
    if (reply->out.failed) {
        reply->out.failed = false;
        reply->out.offset = mark;
        return false;
    }
    reply->counts[section]++;
    return true;
}

bool ist_dns_reply_address(ist_dns_reply *reply, ist_dns_section section, uint16_t owner, uint32_t ttl_s,
                           const ist_dns_addr *addr)
{
    bool v6 = addr->family == 6;
    size_t rdata = v6 ? 16 : 4;

    if (owner > IST_DNS_POINTER_MAX || ist_writer_left(&reply->out) < HEAD_BYTES + rdata) {
        return false;
    }
    uint8_t *record = reply->out.bytes + reply->out.offset; // in place: the one record of the hot path
    fill_head(record, owner, v6 ? IST_DNS_TYPE_AAAA : IST_DNS_TYPE_A, ttl_s, rdata);
    memcpy(record + HEAD_BYTES, addr->bytes, 4);
    if (v6) {
        memcpy(record + HEAD_BYTES + 4, addr->bytes + 4, 12);
    }
    reply->out.offset += HEAD_BYTES + rdata;
    reply->counts[section]++;
    return true;
}

// Is `name` the question's name or one of its parents? Gives the owner to point to.
static bool find_suffix(const ist_dns_query *query, ist_strv name, uint16_t *ret_owner)
{
    ist_strv whole = ist_dns_query_name(query);
    size_t at = whole.n - name.n;

    if (!ist_strv_ends_with(whole, name) || (at > 0 && whole.p[at - 1] != '.')) {
        return false;
    }
    *ret_owner = ist_dns_owner_suffix(at);
    return true;
}

// A name inside rdata, compressed to the question as far as it goes.
static void write_compressed(ist_dns_reply *reply, ist_strv name)
{
    uint16_t owner;

    while (name.n > 0) {
        if (find_suffix(reply->query, name, &owner)) {
            ist_writer_u16(&reply->out, (uint16_t)(IST_DNS_POINTER | owner));
            return;
        }
        ist_strv label = ist_strv_cut(&name, '.', NULL);
        ist_writer_u8(&reply->out, (uint8_t)label.n);
        ist_writer_bytes(&reply->out, label.p, label.n);
    }
    ist_writer_u8(&reply->out, 0);
}

static size_t begin_rdata(ist_dns_reply *reply, uint16_t owner, uint16_t type, uint32_t ttl_s)
{
    uint8_t head[HEAD_BYTES];

    fill_head(head, owner, type, ttl_s, 0);
    ist_writer_bytes(&reply->out, head, sizeof(head));
    return reply->out.offset;
}

bool ist_dns_reply_finish_rdata(ist_dns_reply *reply, ist_dns_section section, size_t mark, size_t rdata)
{
    if (!reply->out.failed) {
        ist_writer_patch_u16(&reply->out, rdata - 2, (uint16_t)(reply->out.offset - rdata));
    }
    return finish_record(reply, section, mark);
}

bool ist_dns_reply_name(ist_dns_reply *reply, uint16_t owner, uint16_t type, uint32_t ttl_s, ist_strv target,
                        uint16_t *ret_target)
{
    size_t mark = reply->out.offset;
    size_t rdata = begin_rdata(reply, owner, type, ttl_s);

    write_compressed(reply, target);
    if (!ist_dns_reply_finish_rdata(reply, IST_DNS_ANSWER, mark, rdata)) {
        return false;
    }
    *ret_target = (uint16_t)rdata;
    return true;
}

bool ist_dns_reply_srv(ist_dns_reply *reply, const ist_dns_srv *srv, uint16_t *ret_target)
{
    size_t mark = reply->out.offset;
    size_t rdata = begin_rdata(reply, IST_DNS_OWNER_QUESTION, IST_DNS_TYPE_SRV, srv->ttl_s);

    ist_writer_u16(&reply->out, srv->priority);
    ist_writer_u16(&reply->out, srv->weight);
    ist_writer_u16(&reply->out, srv->port);
    size_t target = reply->out.offset;
    if (srv->label.n > 0 && srv->label.n + 1 + srv->host.n <= IST_DNS_NAME_MAX) {
        ist_writer_u8(&reply->out, (uint8_t)srv->label.n);
        ist_writer_bytes(&reply->out, srv->label.p, srv->label.n);
    }
    (void)ist_dns_name_write(&reply->out, srv->host); // failure is sticky in the writer
    if (!ist_dns_reply_finish_rdata(reply, IST_DNS_ANSWER, mark, rdata)) {
        return false;
    }
    *ret_target = (uint16_t)target;
    return true;
}

bool ist_dns_reply_txt(ist_dns_reply *reply, uint32_t ttl_s, ist_strv text)
{
    size_t mark = reply->out.offset;
    size_t rdata = begin_rdata(reply, IST_DNS_OWNER_QUESTION, IST_DNS_TYPE_TXT, ttl_s);

    do {
        ist_strv part = ist_strv_first(text, TXT_STRING_MAX);
        ist_writer_u8(&reply->out, (uint8_t)part.n);
        ist_writer_bytes(&reply->out, part.p, part.n);
        text = ist_strv_skip(text, part.n);
    } while (text.n > 0);
    return ist_dns_reply_finish_rdata(reply, IST_DNS_ANSWER, mark, rdata);
}

// Bytes on the wire, not compressed, of a name that we have written: its pointers lead to names in front of it.
static size_t name_bytes(const ist_dns_reply *reply, uint16_t owner)
{
    const uint8_t *at = reply->out.bytes + owner;
    size_t bytes = 1;

    while (*at != 0) {
        if ((*at & IST_DNS_POINTER >> 8) != 0) {
            at = reply->out.bytes + ((at[0] << 8 | at[1]) & IST_DNS_POINTER_MAX);
        } else {
            bytes += 1u + *at;
            at += 1u + *at;
        }
    }
    return bytes;
}

// One label in front of the zone's own name, where both together are a name.
static void write_soa_name(ist_dns_reply *reply, ist_strv label, uint16_t owner)
{
    if (name_bytes(reply, owner) + 1 + label.n <= IST_DNS_NAME_WIRE_MAX) {
        ist_writer_u8(&reply->out, (uint8_t)label.n);
        ist_writer_bytes(&reply->out, label.p, label.n);
    }
    ist_writer_u16(&reply->out, (uint16_t)(IST_DNS_POINTER | owner));
}

bool ist_dns_reply_soa(ist_dns_reply *reply, uint16_t owner, uint32_t serial, uint32_t ttl_s)
{
    size_t mark = reply->out.offset;
    size_t rdata = begin_rdata(reply, owner, IST_DNS_TYPE_SOA, ttl_s);

    write_soa_name(reply, IST_STRV("ns"), owner);
    write_soa_name(reply, IST_STRV("hostmaster"), owner);
    ist_writer_u32(&reply->out, serial);
    ist_writer_u32(&reply->out, SOA_REFRESH_S);
    ist_writer_u32(&reply->out, SOA_RETRY_S);
    ist_writer_u32(&reply->out, SOA_EXPIRE_S);
    ist_writer_u32(&reply->out, ttl_s);
    return ist_dns_reply_finish_rdata(reply, IST_DNS_AUTHORITY, mark, rdata);
}

bool ist_dns_reply_hinfo(ist_dns_reply *reply, uint32_t ttl_s)
{
    static const uint8_t rdata_bytes[] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
    size_t mark = reply->out.offset;
    size_t rdata = begin_rdata(reply, IST_DNS_OWNER_QUESTION, IST_DNS_TYPE_HINFO, ttl_s);

    ist_writer_bytes(&reply->out, rdata_bytes, sizeof(rdata_bytes));
    return ist_dns_reply_finish_rdata(reply, IST_DNS_ANSWER, mark, rdata);
}
