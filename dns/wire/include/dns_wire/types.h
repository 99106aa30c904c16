// SPDX-License-Identifier: Apache-2.0
//
// Numbers of the DNS protocol that we use (RFC 1035, 2782, 6891, 8482, 9460) and the sizes that we keep to: what a client
// may be sent, what an upstream is offered.
// Constants only: no owner, no thread.
#pragma once

// Record and query types (IANA DNS parameters).
enum {
    IST_DNS_TYPE_A = 1,
    IST_DNS_TYPE_NS = 2,
    IST_DNS_TYPE_CNAME = 5,
    IST_DNS_TYPE_SOA = 6,
    IST_DNS_TYPE_PTR = 12,
    IST_DNS_TYPE_HINFO = 13,
    IST_DNS_TYPE_MX = 15,
    IST_DNS_TYPE_TXT = 16,
    IST_DNS_TYPE_AAAA = 28,
    IST_DNS_TYPE_SRV = 33,
    IST_DNS_TYPE_OPT = 41,
    IST_DNS_TYPE_SVCB = 64,
    IST_DNS_TYPE_HTTPS = 65,
    IST_DNS_TYPE_TKEY = 249, // 249 to 254 are no data types: key exchange, signatures, transfers, mail agents
    IST_DNS_TYPE_MAILA = 254,
    IST_DNS_TYPE_ANY = 255,
};

enum { IST_DNS_CLASS_IN = 1 };

// Response codes; BADVERS needs the OPT record (RFC 6891 section 6.1.3).
enum {
    IST_DNS_NOERROR = 0,
    IST_DNS_FORMERR = 1,
    IST_DNS_SERVFAIL = 2,
    IST_DNS_NXDOMAIN = 3,
    IST_DNS_NOTIMP = 4,
    IST_DNS_REFUSED = 5,
    IST_DNS_BADVERS = 16,
};

// Bits of the second 16-bit word of the header.
enum {
    IST_DNS_FLAG_QR = 0x8000,
    IST_DNS_FLAG_OPCODE = 0x7800,
    IST_DNS_FLAG_AA = 0x0400,
    IST_DNS_FLAG_TC = 0x0200,
    IST_DNS_FLAG_RD = 0x0100,
    IST_DNS_FLAG_RA = 0x0080,
    IST_DNS_FLAG_AD = 0x0020,
    IST_DNS_FLAG_CD = 0x0010,
    IST_DNS_FLAG_RCODE = 0x000F,
};

#define IST_DNS_HEADER_BYTES 12
#define IST_DNS_NAME_MAX 253       // text, without the trailing dot
#define IST_DNS_QUESTION_MAX 259   // wire name (255), type and class
#define IST_DNS_UDP_MIN 512        // what every client takes
#define IST_DNS_UDP_MAX 1232       // what we send at most by UDP, and offer upstream (DNS flag day 2020)
#define IST_DNS_TCP_MAX 65535
#define IST_DNS_TCP_QUERY_MAX 4096 // what a client may send by TCP: a question with options is far below
#define IST_DNS_OPT_BYTES 11       // an OPT record without options

// EDNS options that we know (RFC 7873, 7828, 8914); each has four bytes in front of it.
enum {
    IST_DNS_OPTION_COOKIE = 10,
    IST_DNS_OPTION_KEEPALIVE = 11,
    IST_DNS_OPTION_EXTENDED_ERROR = 15,
    IST_DNS_OPTION_HEAD_BYTES = 4
};
enum { IST_DNS_EXTENDED_STALE_ANSWER = 3 }; // INFO-CODE (RFC 8914 section 4.4)
enum { IST_DNS_COOKIE_CLIENT_BYTES = 8, IST_DNS_COOKIE_BYTES = 24 }; // of the client; with ours behind them
