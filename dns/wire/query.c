// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/query.h"

#include <string.h>

#include "base/cursor.h"
#include "name_priv.h"

enum { COOKIE_MIN_BYTES = 16, COOKIE_MAX_BYTES = 40 }; // with a server's part (RFC 7873 section 4)
enum { LABEL_MAX = 63 };

// Lower-case byte of a host label; 0 = not one.
static const char host_byte[256] = {
    ['-'] = '-', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',
    ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l',
    ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',
    ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b',
    ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',
    ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

// Appends one label to the text name. The wire form is at most 255 bytes, so the text is at most 253.
static void add_label(ist_dns_query *query, const uint8_t *label, size_t length)
{
    char *text = query->name + query->name_length;
    bool is_host = true;

    if (query->name_length > 0) {
        *text++ = '.';
    }
    for (size_t i = 0; i < length; i++) { // works on locals: a store to the text could change whatever else is in memory
        char c = host_byte[label[i]];
        is_host &= c != 0;
        text[i] = c;
    }
    query->name_length = (uint16_t)(text + length - query->name);
    query->is_host &= is_host;
    query->has_underscore |= label[0] == '_';
}

// The question's name: plain labels only, a pointer has nothing to point to. False: broken.
static bool parse_name(ist_cursor *in, ist_dns_query *query)
{
    size_t start = in->offset;

    query->is_host = true;
    for (;;) {
        uint8_t length = ist_cursor_u8(in);
        if (in->failed || length > LABEL_MAX || in->offset - start + length > IST_DNS_NAME_WIRE_MAX) {
            return false;
        }
        if (length == 0) {
            break;
        }
        if (in->offset - start + length + 1 > IST_DNS_NAME_WIRE_MAX) { // no room left for the root
            return false;
        }
        const uint8_t *label = ist_cursor_bytes(in, length);
        if (label == NULL) {
            return false;
        }
        add_label(query, label, length);
    }
    if (!query->is_host) {
        query->name_length = 0;
    }
    query->name[query->name_length] = '\0';
    return true;
}

// RFC 7873 5.2: a length that is none of a cookie's is an error, and only the first cookie counts.
static bool take_cookie(const uint8_t *bytes, size_t size, ist_dns_query *query)
{
    if (size != IST_DNS_COOKIE_CLIENT_BYTES && (size < COOKIE_MIN_BYTES || size > COOKIE_MAX_BYTES)) {
        return false;
    }
    if (query->cookie_sent == 0) {
        query->cookie_sent = (uint8_t)size;
        memcpy(query->cookie, bytes, size < IST_DNS_COOKIE_BYTES ? size : IST_DNS_COOKIE_BYTES);
    }
    return true;
}

// Options must fill the record exactly; those that we do not know are ignored.
static bool take_options(const uint8_t *bytes, size_t length, ist_dns_query *query)
{
    ist_cursor in = ist_cursor_over(bytes, length);

    while (ist_cursor_left(&in) > 0) {
        uint16_t code = ist_cursor_u16(&in);
        uint16_t size = ist_cursor_u16(&in);
        const uint8_t *body = ist_cursor_bytes(&in, size);
        if (in.failed || (code == IST_DNS_OPTION_COOKIE && !take_cookie(body, size, query))) {
            return false;
        }
        query->asks_keepalive = query->asks_keepalive || code == IST_DNS_OPTION_KEEPALIVE;
    }
    return true;
}

// RFC 6891 6.1.2: class is the size, ttl is extended rcode, version and flags.
static bool take_opt(const ist_dns_record *record, ist_dns_query *query, uint8_t *ret_version)
{
    if (!record->root || query->has_edns || !take_options(record->data, record->length, query)) {
        return false;
    }
    query->has_edns = true;
    query->dnssec_ok = (record->ttl_s & 0x8000u) != 0;
    if (record->class_ > IST_DNS_UDP_MIN) {
        query->udp_size = record->class_ < IST_DNS_UDP_MAX ? record->class_ : IST_DNS_UDP_MAX;
    }
    *ret_version = (uint8_t)(record->ttl_s >> 16);
    return true;
}

// Walks all records behind the question. Returns the rcode.
static uint16_t parse_records(ist_cursor *in, uint32_t before_additional, uint32_t additional, ist_dns_query *query)
{
    uint8_t version = 0;

    for (uint32_t i = 0; i < before_additional + additional; i++) {
        ist_dns_record record;
        if (!ist_dns_record_read(in, &record)) {
            return IST_DNS_FORMERR;
        }
        if (record.type == IST_DNS_TYPE_OPT && (i < before_additional || !take_opt(&record, query, &version))) {
            query->has_edns = false;
            return IST_DNS_FORMERR;
        }
    }
    return version == 0 ? IST_DNS_NOERROR : IST_DNS_BADVERS;
}

static uint16_t judge_question(uint16_t type, uint16_t class_)
{
    if (type == 0 || type == IST_DNS_TYPE_OPT) {
        return IST_DNS_FORMERR;
    }
    if (type >= IST_DNS_TYPE_TKEY && type <= IST_DNS_TYPE_MAILA) {
        return IST_DNS_NOTIMP;
    }
    return class_ == IST_DNS_CLASS_IN ? IST_DNS_NOERROR : IST_DNS_REFUSED;
}

static uint16_t parse_body(ist_cursor *in, ist_dns_query *query)
{
    uint16_t questions = ist_cursor_u16(in);
    uint32_t before_additional = ist_cursor_u16(in);
    before_additional += ist_cursor_u16(in);
    uint16_t additional = ist_cursor_u16(in);

    if ((query->flags & IST_DNS_FLAG_OPCODE) != 0) {
        return IST_DNS_NOTIMP;
    }
    if (questions == 0 && parse_records(in, before_additional, additional, query) == IST_DNS_NOERROR &&
        query->cookie_sent > 0) {
        return IST_DNS_NOERROR; // RFC 7873 5.4: asks for a cookie and nothing else
    }
    if (questions != 1 || !parse_name(in, query)) { // RFC 9619
        query->has_edns = false;
        return IST_DNS_FORMERR;
    }
    query->type = ist_cursor_u16(in);
    uint16_t class_ = ist_cursor_u16(in);
    if (in->failed) {
        return IST_DNS_FORMERR;
    }
    query->question_length = (uint16_t)(in->offset - IST_DNS_HEADER_BYTES);
    uint16_t rcode = parse_records(in, before_additional, additional, query);
    return rcode != IST_DNS_NOERROR ? rcode : judge_question(query->type, class_);
}

ist_dns_verdict ist_dns_query_parse(const uint8_t *packet, size_t length, ist_dns_query *ret_query)
{
    ist_cursor in = ist_cursor_over(packet, length);
    ist_dns_query *query = ret_query;

    if (length < IST_DNS_HEADER_BYTES || (packet[2] & 0x80) != 0) {
        return IST_DNS_QUERY_DROP;
    }
    query->packet = packet;
    query->id = ist_cursor_u16(&in);
    query->flags = ist_cursor_u16(&in);
    query->type = 0;
    query->question_length = 0;
    query->udp_size = IST_DNS_UDP_MIN;
    query->has_edns = false;
    query->dnssec_ok = false;
    query->cookie_complete = false;
    query->asks_keepalive = false;
    query->cookie_sent = 0;
    query->keepalive_ds = 0;
    query->is_host = false;
    query->has_underscore = false;
    query->name_length = 0;
    query->name[0] = '\0';
    query->rcode = parse_body(&in, query);
    return query->rcode == IST_DNS_NOERROR && query->question_length > 0 ? IST_DNS_QUERY_OK : IST_DNS_QUERY_ERROR;
}

ist_strv ist_dns_query_name(const ist_dns_query *query)
{
    return ist_strv_make(query->name, query->name_length);
}
