// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/stored.h"

#include <string.h>

#include "base/cursor.h"
#include "dns_wire/reply.h"
#include "name_priv.h"

enum { TTL_SIZE_MAX = INT32_MAX, TTL_FIELDS_BYTES = 6, SOA_NUMBERS_BYTES = 20 };

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static uint16_t read_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

// What the walk over a reply finds out.
typedef struct survey {
    uint16_t asked_type;
    uint32_t answer_ttl_s; // the least of the answer section
    uint32_t soa_ttl_s;    // of the SOA in authority, or its MINIMUM
    bool has_asked_type;
    bool has_soa;
} survey;

// RFC 2181 section 8: the highest bit set means zero.
static uint32_t sane_ttl(uint32_t ttl_s)
{
    return ttl_s > TTL_SIZE_MAX ? 0 : ttl_s;
}

static void survey_record(survey *found, uint32_t section, const ist_dns_record *record)
{
    uint32_t ttl_s = sane_ttl(record->ttl_s);

    if (section == IST_DNS_ANSWER) {
        found->answer_ttl_s = ttl_s < found->answer_ttl_s ? ttl_s : found->answer_ttl_s;
        found->has_asked_type =
            found->has_asked_type || record->type == found->asked_type || found->asked_type == IST_DNS_TYPE_ANY;
    } else if (section == IST_DNS_AUTHORITY && record->type == IST_DNS_TYPE_SOA && record->length > SOA_NUMBERS_BYTES) {
        uint32_t minimum_s = sane_ttl(read_u32(record->data + record->length - 4));
        found->has_soa = true;
        found->soa_ttl_s = ttl_s < minimum_s ? ttl_s : minimum_s;
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t keep_seconds(const survey *found, uint16_t rcode)
{
    if (rcode == IST_DNS_NOERROR && found->has_asked_type) {
        return least(found->answer_ttl_s, IST_DNS_STORED_POSITIVE_MAX_S);
    }
    if ((rcode == IST_DNS_NOERROR || rcode == IST_DNS_NXDOMAIN) && found->has_soa) { // RFC 2308 section 5
        return least(least(found->soa_ttl_s, found->answer_ttl_s), IST_DNS_STORED_NEGATIVE_MAX_S);
    }
    return 0;
}

// Notes where the times to live are. False: more records than can be kept.
static bool survey_reply(ist_dns_stored *stored, size_t question_length, survey *found)
{
    ist_cursor in = ist_cursor_over(stored->bytes, stored->length);

    ist_cursor_skip(&in, IST_DNS_HEADER_BYTES + question_length);
    stored->ttl_count = 0;
    for (uint32_t section = IST_DNS_ANSWER; section <= IST_DNS_ADDITIONAL; section++) {
        for (uint32_t i = read_u16(stored->bytes + 4 + 2 * section); i > 0; i--) {
            ist_dns_record record;
            if (stored->ttl_count == IST_DNS_STORED_RECORDS_MAX || !ist_dns_record_read(&in, &record)) {
                return false;
            }
            uint8_t *ttl = stored->bytes + in.offset - record.length - TTL_FIELDS_BYTES;
            write_u32(ttl, sane_ttl(record.ttl_s));
            stored->ttl_at[stored->ttl_count++] = (uint16_t)(ttl - stored->bytes);
            survey_record(found, section, &record);
        }
    }
    return !in.failed;
}

// The question as a query of a client without EDNS, in lower case: what the stored reply answers.
static void neutral_query(const ist_dns_ask *ask, uint8_t *packet, ist_dns_query *ret_query)
{
    ist_dns_ask lower = *ask;

    // Length bytes are below 64: folding does not touch them.
    ist_strv_lower(ist_strv_make((const char *)ask->question, ask->question_length - 4u), (char *)lower.question);
    size_t length = ist_dns_ask_write(&lower, 0, false, packet);
    (void)ist_dns_query_parse(packet, length, ret_query); // a question that was asked is well-formed
}

bool ist_dns_stored_make(const ist_dns_ask *ask, const uint8_t *packet, size_t length, ist_dns_stored *ret_stored)
{
    uint8_t question[IST_DNS_ASK_BYTES_MAX];
    ist_dns_query query;
    survey found = {.answer_ttl_s = UINT32_MAX};

    neutral_query(ask, question, &query);
    size_t stored = ist_dns_message_fit(&query, packet, length, ret_stored->bytes, sizeof(ret_stored->bytes));
    if (stored == 0 || (ret_stored->bytes[2] & (IST_DNS_FLAG_TC >> 8)) != 0) {
        return false;
    }
    ret_stored->length = (uint16_t)stored;
    found.asked_type = query.type;
    if (read_u16(ret_stored->bytes + 4) != 1 || !survey_reply(ret_stored, query.question_length, &found)) {
        return false;
    }
    ret_stored->keep_s = keep_seconds(&found, ret_stored->bytes[3] & IST_DNS_FLAG_RCODE);
    return true;
}

void ist_dns_stored_make_error(const ist_dns_ask *ask, uint16_t rcode, ist_dns_stored *ret_stored)
{
    uint8_t question[IST_DNS_ASK_BYTES_MAX];
    ist_dns_query query;

    neutral_query(ask, question, &query);
    ret_stored->length = (uint16_t)ist_dns_reply_error(&query, rcode, ret_stored->bytes, sizeof(ret_stored->bytes));
    ret_stored->ttl_count = 0;
    ret_stored->keep_s = 0;
}

// Everything behind the question as it is stored. False: no room.
static bool copy_whole(const ist_dns_stored_view *stored, ist_dns_reply *reply)
{
    size_t start = reply->out.offset;

    ist_writer_bytes(&reply->out, stored->bytes + start, stored->length - start);
    if (reply->out.failed) {
        return false;
    }
    for (size_t i = IST_DNS_ANSWER; i <= IST_DNS_ADDITIONAL; i++) {
        reply->counts[i] = read_u16(stored->bytes + 4 + 2 * i);
    }
    return true;
}

static void age(const ist_dns_stored_view *stored, uint32_t age_s, uint32_t stale_ttl_s, uint8_t *buffer, size_t end)
{
    for (size_t i = 0; i < stored->ttl_count && stored->ttl_at[i] < end; i++) {
        uint8_t *at = buffer + stored->ttl_at[i];
        uint32_t ttl_s = read_u32(at);
        write_u32(at, stale_ttl_s > 0 ? stale_ttl_s : ttl_s > age_s ? ttl_s - age_s : 0);
    }
}

size_t ist_dns_stored_reply(const ist_dns_stored_view *stored, const ist_dns_query *query, uint32_t age_s,
                            uint32_t stale_ttl_s, uint8_t *buffer, size_t limit)
{
    uint16_t flags = read_u16(stored->bytes + 2);
    bool reads_ad = query->dnssec_ok || (query->flags & IST_DNS_FLAG_AD) != 0;
    ist_dns_reply reply;

    ist_dns_reply_begin(&reply, query, buffer, limit);
    if (!copy_whole(stored, &reply)) {
        size_t length = ist_dns_message_fit(query, stored->bytes, stored->length, buffer, limit);
        buffer[2] &= (uint8_t) ~(IST_DNS_FLAG_AA >> 8);
        buffer[3] &= (uint8_t) ~(reads_ad ? 0 : IST_DNS_FLAG_AD);
        age(stored, age_s, stale_ttl_s, buffer, length - reply.reserved);
        return length;
    }
    size_t end = reply.out.offset;
    reply.flags |= reads_ad ? flags & IST_DNS_FLAG_AD : 0;
    reply.rcode = flags & IST_DNS_FLAG_RCODE;
    age(stored, age_s, stale_ttl_s, buffer, end);
    return ist_dns_reply_end(&reply);
}
