// SPDX-License-Identifier: Apache-2.0
//
// What ldns reads in DNS messages: a parser that is not ours, to compare with another one. Standard input: messages, each behind
// its length as two bytes in network order (as by TCP). Standard output, for each message, one of
//   error REASON
//   ok RCODE QUESTIONS ANSWERS AUTHORITIES ADDITIONAL OPT    and then one line for each record, in the message's order:
//   SECTION OWNER TYPE CLASS TTL RDATA                       (questions without TTL and RDATA)
// OPT is "-" or SIZE/TTL/OPTIONS; the record itself is not in ADDITIONAL. Names and data are uncompressed, in hexadecimal: no
// rules of escaping come between the parsers. Linux; build with: cc -O2 -o dns_parse dns_parse.c -lldns
#include <ldns/ldns.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_BYTES = 65535, DNSSEC_OK = 0x8000 };

static void put_hex(const ldns_rdf *field)
{
    for (size_t i = 0; i < ldns_rdf_size(field); i++) {
        (void)printf("%02x", ldns_rdf_data(field)[i]);
    }
}

static void put_record(int section, const ldns_rr *record)
{
    (void)printf("%d ", section);
    put_hex(ldns_rr_owner(record));
    (void)printf(" %d %d", (int)ldns_rr_get_type(record), (int)ldns_rr_get_class(record));
    if (section != 0) {
        (void)printf(" %lu ", (unsigned long)ldns_rr_ttl(record));
        for (size_t i = 0; i < ldns_rr_rd_count(record); i++) {
            put_hex(ldns_rr_rdf(record, i));
        }
    }
    (void)putchar('\n');
}

static void put_opt(const ldns_pkt *message)
{
    if (!ldns_pkt_edns(message)) {
        (void)printf(" -\n");
        return;
    }
    unsigned long ttl = (unsigned long)ldns_pkt_edns_extended_rcode(message) << 24;
    ttl |= (unsigned long)ldns_pkt_edns_version(message) << 16;
    ttl |= ldns_pkt_edns_z(message) | (ldns_pkt_edns_do(message) ? DNSSEC_OK : 0U);
    (void)printf(" %u/%lu/", ldns_pkt_edns_udp_size(message), ttl);
    if (ldns_pkt_edns_data(message) != NULL) {
        put_hex(ldns_pkt_edns_data(message));
    }
    (void)putchar('\n');
}

static void put_message(const ldns_pkt *message)
{
    const ldns_rr_list *sections[] = {ldns_pkt_question(message), ldns_pkt_answer(message), ldns_pkt_authority(message),
                                      ldns_pkt_additional(message)};
    (void)printf("ok %d", (int)ldns_pkt_get_rcode(message));
    for (int i = 0; i < 4; i++) {
        (void)printf(" %zu", ldns_rr_list_rr_count(sections[i]));
    }
    put_opt(message);
    for (int i = 0; i < 4; i++) {
        for (size_t k = 0; k < ldns_rr_list_rr_count(sections[i]); k++) {
            put_record(i, ldns_rr_list_rr(sections[i], k));
        }
    }
}

// The next message; false at the end of the input. Half a message is a mistake of the caller, who must learn of it.
static bool read_message(uint8_t *message, size_t *length)
{
    uint8_t prefix[2];
    size_t got = fread(prefix, 1, sizeof prefix, stdin);
    if (got == 0) {
        return false;
    }
    *length = (size_t)prefix[0] << 8 | prefix[1];
    if (got != sizeof prefix || fread(message, 1, *length, stdin) != *length) {
        (void)fprintf(stderr, "dns_parse: the input ends within a message\n");
        exit(EXIT_FAILURE);
    }
    return true;
}

int main(void)
{
    static uint8_t message[MESSAGE_BYTES];
    size_t length = 0;
    while (read_message(message, &length)) {
        ldns_pkt *parsed = NULL;
        ldns_status status = ldns_wire2pkt(&parsed, message, length);
        if (status == LDNS_STATUS_OK) {
            put_message(parsed);
            ldns_pkt_free(parsed);
        } else {
            (void)printf("error %s\n", ldns_get_errorstr_by_id(status));
        }
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
