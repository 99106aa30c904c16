// SPDX-License-Identifier: Apache-2.0
#include "dns_forward/resolv_conf.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { DNS_PORT = 53, NDOTS_MAX = 15 };

// The next word of a line; empty at its end.
static ist_strv next_word(ist_strv *line)
{
    size_t start = 0;

    while (start < line->n && (line->p[start] == ' ' || line->p[start] == '\t')) {
        start++;
    }
    *line = ist_strv_skip(*line, start);
    size_t end = 0;
    while (end < line->n && line->p[end] != ' ' && line->p[end] != '\t') {
        end++;
    }
    ist_strv word = ist_strv_first(*line, end);
    *line = ist_strv_skip(*line, end);
    return word;
}

static void add_server(ist_dns_resolv_conf *conf, ist_strv word)
{
    ist_dns_address server = {.port = DNS_PORT};

    if (conf->server_count == IST_DNS_SERVERS_MAX || ist_dns_addr_parse(word, &server.ip) != IST_OK) {
        conf->skipped++;
        return;
    }
    conf->servers[conf->server_count++] = server;
}

// A word of a broken file may hold anything.
static bool is_printable(ist_strv word)
{
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] <= ' ' || word.p[i] == '\x7F') {
            return false;
        }
    }
    return true;
}

// The last search or domain line counts.
static void set_search(ist_dns_resolv_conf *conf, ist_strv line)
{
    conf->search_count = 0;
    for (ist_strv word = next_word(&line); word.n > 0; word = next_word(&line)) {
        if (ist_strv_ends_with(word, IST_STRV("."))) {
            word.n--;
        }
        if (word.n == 0) { // the root: the name as it stands
            continue;
        }
        if (conf->search_count == IST_DNS_SEARCH_MAX || word.n > IST_DNS_NAME_MAX || !is_printable(word)) {
            conf->skipped++;
            continue;
        }
        char *domain = conf->search[conf->search_count++];
        ist_strv_lower(word, domain);
        domain[word.n] = '\0';
    }
}

static void set_options(ist_dns_resolv_conf *conf, ist_strv line)
{
    static const ist_strv ndots = IST_STRV_INIT("ndots:");

    for (ist_strv word = next_word(&line); word.n > 0; word = next_word(&line)) {
        uint64_t value;
        if (ist_strv_starts_with(word, ndots) &&
            ist_strv_to_u64(ist_strv_skip(word, ndots.n), UINT32_MAX, &value) == IST_OK) {
            conf->ndots = value < NDOTS_MAX ? (uint32_t)value : NDOTS_MAX;
        }
    }
}

static void parse_line(ist_dns_resolv_conf *conf, ist_strv line)
{
    size_t comment = ist_strv_find(line, '#');
    size_t other_comment = ist_strv_find(line, ';');

    line = ist_strv_first(line, comment < other_comment ? comment : other_comment);
    line = ist_strv_trim(line);
    ist_strv key = next_word(&line);
    if (ist_strv_equal(key, IST_STRV("nameserver"))) {
        add_server(conf, next_word(&line));
    } else if (ist_strv_equal(key, IST_STRV("search")) || ist_strv_equal(key, IST_STRV("domain"))) {
        set_search(conf, line);
    } else if (ist_strv_equal(key, IST_STRV("options"))) {
        set_options(conf, line);
    }
}

void ist_dns_resolv_conf_parse(ist_strv text, ist_dns_resolv_conf *ret_conf)
{
    bool more = true;

    memset(ret_conf, 0, sizeof(*ret_conf));
    ret_conf->ndots = 1;
    while (more) {
        parse_line(ret_conf, ist_strv_cut(&text, '\n', &more));
    }
}

static ist_status read_all(int fd, char *buffer, size_t size_bytes, size_t *ret_length)
{
    size_t length = 0;

    for (;;) {
        ssize_t got = read(fd, buffer + length, size_bytes - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return IST_EIO;
        }
        if (got == 0) {
            *ret_length = length;
            return IST_OK;
        }
        length += (size_t)got;
        if (length == size_bytes) {
            return IST_ELIMIT;
        }
    }
}

ist_status ist_dns_resolv_conf_load(const char *path, ist_dns_resolv_conf *ret_conf, ist_err *err)
{
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ist_err_errno(err, errno, "cannot open %s", path);
    }
    char *buffer = ist_malloc(IST_DNS_RESOLV_CONF_BYTES_MAX + 1);
    ist_status status = buffer == NULL ? IST_ENOMEM : read_all(fd, buffer, IST_DNS_RESOLV_CONF_BYTES_MAX + 1, &length);
    (void)close(fd); // nothing was written
    if (status == IST_OK) {
        ist_dns_resolv_conf_parse(ist_strv_make(buffer, length), ret_conf);
    } else {
        (void)ist_err_set(err, status, "cannot read %s: %s (at most %d bytes are read)", path, ist_status_name(status),
                          IST_DNS_RESOLV_CONF_BYTES_MAX);
    }
    ist_free(buffer);
    return status;
}
