// SPDX-License-Identifier: Apache-2.0
#include "options_priv.h"

#include <arpa/inet.h>
#include <string.h>

enum { LABEL_MAX = 63, DOMAIN_MAX = 253, LIST_MAX = 64, PATH_MAX_BYTES = 256 };

static ist_status wrong(const ist_option *row, ist_strv text, const char *expected, ist_err *err)
{
    return ist_err_set(err, IST_EINVAL, "--%s: must be %s, is \"%.*s\"", row->name, expected, IST_STRV_ARG(text));
}

// Place of `text` in "a|b|c", or -1.
static int choice_of(const char *choices, ist_strv text)
{
    ist_strv rest = ist_strv_from(choices);
    bool more = rest.n != 0;
    for (int i = 0; more; i++) {
        if (ist_strv_equal(ist_strv_cut(&rest, '|', &more), text)) {
            return i;
        }
    }
    return -1;
}

static ist_status check_flag(const ist_option *row, ist_strv text, uint64_t *ret_number, ist_err *err)
{
    int place = choice_of("false|off|no|0|true|on|yes|1", text);
    if (place < 0) {
        return wrong(row, text, "on or off", err);
    }
    *ret_number = place >= 4;
    return IST_OK;
}

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit;

// "12UNIT" by a table of units; the last row (name NULL) is the factor of a bare number.
static ist_status check_units(const ist_option *row, ist_strv text, const unit *units, const char *expected,
                              uint64_t *ret_number, ist_err *err)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') {
        digits++;
    }
    uint64_t number = 0;
    ist_strv suffix = ist_strv_skip(text, digits);
    if (ist_strv_to_u64(ist_strv_first(text, digits), UINT32_MAX, &number) != IST_OK) {
        return wrong(row, text, expected, err);
    }
    size_t i = 0;
    while (units[i].name != NULL && !ist_strv_equal(suffix, ist_strv_from(units[i].name))) {
        i++;
    }
    if (units[i].name == NULL && suffix.n != 0) {
        return wrong(row, text, expected, err);
    }
    *ret_number = number * units[i].factor;
    return IST_OK;
}

static ist_status check_duration(const ist_option *row, ist_strv text, uint64_t *ret_number, ist_err *err)
{
    static const unit UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 1000}};
    return check_units(row, text, UNITS, "a time such as 250ms, 5s or 2m", ret_number, err);
}

static ist_status check_size(const ist_option *row, ist_strv text, uint64_t *ret_number, ist_err *err)
{
    static const unit UNITS[] = {{"Ki", 1024},   {"Mi", 1048576},  {"Gi", 1073741824},
                                 {"k", 1000},    {"M", 1000000},   {"G", 1000000000}, {NULL, 1}};
    if (row->choices != NULL && choice_of(row->choices, text) >= 0) {
        *ret_number = 0;
        return IST_OK;
    }
    return check_units(row, text, UNITS, "a size such as 64Mi", ret_number, err);
}

static ist_status check_count(const ist_option *row, ist_strv text, uint64_t *ret_number, ist_err *err)
{
    return ist_strv_to_u64(text, UINT32_MAX, ret_number) == IST_OK ? IST_OK : wrong(row, text, "a whole number", err);
}

static bool is_numeric_address(ist_strv host)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    return ist_strv_copy(host, text, sizeof(text)) &&
           (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1);
}

// A comma list of HOST[:PORT]. `numeric`: the host must be an IP literal; `default_port` as in ist_hostport_parse.
static ist_status check_host_list(const ist_option *row, ist_strv text, bool numeric, uint16_t default_port, ist_err *err)
{
    if (text.n == 0) {
        return wrong(row, text, row->metavar, err);
    }
    for (bool more = true; more;) {
        ist_strv part = ist_strv_trim(ist_strv_cut(&text, ',', &more));
        ist_strv host;
        uint16_t port;
        ist_status status = ist_hostport_parse(part, default_port, &host, &port, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "--%s", row->name);
            return status;
        }
        if (numeric && !is_numeric_address(host)) {
            return ist_err_set(err, IST_EINVAL, "--%s: \"%.*s\" is no IP address (names cannot be resolved here)", row->name,
                               IST_STRV_ARG(host));
        }
    }
    return IST_OK;
}

static ist_status check_listen(const ist_option *row, ist_strv text, ist_err *err)
{
    return ist_strv_equal(text, IST_STRV("off")) ? IST_OK : check_host_list(row, text, true, 0, err);
}

static ist_status check_labels(const ist_option *row, ist_strv text, ist_err *err)
{
    if (text.n == 0 || text.p[0] == '@') {
        return text.n == 1 ? wrong(row, text, "K=V,... or @FILE", err) : IST_OK;
    }
    for (bool more = true; more;) {
        ist_strv part = ist_strv_trim(ist_strv_cut(&text, ',', &more));
        if (ist_strv_find(part, '=') == 0 || ist_strv_find(part, '=') == part.n) {
            return wrong(row, part, "K=V,... or @FILE", err);
        }
    }
    return IST_OK;
}

static ist_status check_pair(const ist_option *row, ist_strv text, ist_err *err)
{
    size_t equals = ist_strv_find(text, '=');
    bool fine = equals != 0 && equals < text.n && ist_strv_find(text, '\n') == text.n;
    return fine ? IST_OK : wrong(row, text, "K=V on one line", err);
}

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// Labels of 1 to 63 letters, digits, "-" and "_", with a final dot or without; "." alone is all domains.
static bool is_domain(ist_strv text)
{
    size_t label = 0;
    if (ist_strv_equal(text, IST_STRV("."))) {
        return true;
    }
    if (ist_strv_ends_with(text, IST_STRV("."))) {
        text.n--;
    }
    for (size_t i = 0; i < text.n; i++) {
        label = text.p[i] == '.' ? 0 : label + 1;
        bool starts = i == 0 || text.p[i - 1] == '.';
        if ((label == 0 && starts) || label > LABEL_MAX || (label > 0 && !is_label_byte(text.p[i]))) {
            return false;
        }
    }
    return label > 0 && text.n <= DOMAIN_MAX;
}

static ist_status check_routes(const ist_option *row, ist_strv text, ist_err *err)
{
    for (bool more = true; more;) {
        ist_strv list = ist_strv_trim(ist_strv_cut(&text, ';', &more));
        ist_strv route = list;
        bool has_list;
        ist_strv domain = ist_strv_trim(ist_strv_cut(&list, '=', &has_list));
        if (!has_list) {
            return wrong(row, route, "DOMAIN=ADDR[:PORT][,...]", err);
        }
        if (!is_domain(domain)) {
            return ist_err_set(err, IST_EINVAL, "--%s: \"%.*s\" is no domain; write it as corp.example, or . for all",
                               row->name, IST_STRV_ARG(domain));
        }
        ist_status status = check_host_list(row, list, true, 53, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "route %.*s", IST_STRV_ARG(domain));
            return status;
        }
    }
    return IST_OK;
}

// What a name of Kubernetes is made of.
static bool is_name(ist_strv text)
{
    bool good = text.n != 0 && text.n <= LABEL_MAX && text.p[0] != '-' && text.p[text.n - 1] != '-';
    for (size_t i = 0; i < text.n && good; i++) {
        char c = text.p[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return good;
}

// "NAME=MEANING": what has no comma and no '=', and a name or one behind a dot.
static bool is_meaning(ist_strv text)
{
    ist_strv meaning = text;
    ist_strv name = ist_strv_trim(ist_strv_cut(&meaning, '=', NULL));
    meaning = ist_strv_trim(meaning);
    return name.n != 0 && is_name(ist_strv_starts_with(meaning, IST_STRV(".")) ? ist_strv_skip(meaning, 1) : meaning);
}

// Bytes that stand in a path as they are: those of RFC 3986 without escapes; `more` are allowed too.
static bool is_path(ist_strv text, const char *more)
{
    bool good = text.n <= PATH_MAX_BYTES && ist_strv_starts_with(text, IST_STRV("/"));
    for (size_t i = 0; i < text.n && good; i++) {
        char c = text.p[i];
        good = is_label_byte(c) || strchr("/.~", c) != NULL || strchr(more, c) != NULL;
    }
    return good;
}

static bool is_plain_path(ist_strv text)
{
    return is_path(text, "");
}

// A comma list, which may be empty.
static ist_status check_list(const ist_option *row, ist_strv text, bool (*fits)(ist_strv part), const char *expected,
                             ist_err *err)
{
    size_t count = 0;
    for (bool more = text.n != 0; more; count++) {
        ist_strv part = ist_strv_trim(ist_strv_cut(&text, ',', &more));
        if (!fits(part)) {
            return wrong(row, ist_strv_first(part, PATH_MAX_BYTES), expected, err);
        }
        if (count == LIST_MAX) {
            return ist_err_set(err, IST_EINVAL, "--%s: more than %d", row->name, LIST_MAX);
        }
    }
    return IST_OK;
}

static ist_status check_url_path(const ist_option *row, ist_strv text, ist_err *err)
{
    // What would end the URL, or a list of metadata, or need an escape in XML is left out.
    if (!is_path(text, "%?=:@!$;+*'()")) {
        return wrong(row, ist_strv_first(text, PATH_MAX_BYTES),
                     "a path that begins with /, of at most 256 characters, without spaces, quotes, '#', '&' and ','",
                     err);
    }
    return IST_OK;
}

ist_status ist_option_check(const ist_option *row, ist_strv text, uint64_t *ret_number, ist_err *err)
{
    if (text.n != 0 && memchr(text.p, '\0', text.n) != NULL) {
        return ist_err_set(err, IST_EINVAL, "--%s: the value contains a NUL byte", row->name);
    }
    switch (row->type) {
    case IST_OPTION_TEXT:
        return IST_OK;
    case IST_OPTION_FILE:
        return text.n != 0 ? IST_OK : wrong(row, text, "a file name", err);
    case IST_OPTION_FLAG:
        return check_flag(row, text, ret_number, err);
    case IST_OPTION_CHOICE: {
        int place = choice_of(row->choices, text);
        *ret_number = place < 0 ? 0 : (uint64_t)place;
        return place < 0 ? wrong(row, text, row->metavar, err) : IST_OK;
    }
    case IST_OPTION_DURATION:
        return check_duration(row, text, ret_number, err);
    case IST_OPTION_SIZE:
        return check_size(row, text, ret_number, err);
    case IST_OPTION_COUNT:
        return check_count(row, text, ret_number, err);
    case IST_OPTION_LISTEN:
        return check_listen(row, text, err);
    case IST_OPTION_SERVERS:
        return check_host_list(row, text, false, 0, err);
    case IST_OPTION_UPSTREAMS:
        return check_host_list(row, text, true, 53, err);
    case IST_OPTION_LABELS:
        return check_labels(row, text, err);
    case IST_OPTION_PAIRS:
        return check_pair(row, text, err);
    case IST_OPTION_ROUTES:
        return check_routes(row, text, err);
    case IST_OPTION_MEANINGS:
        return check_list(row, text, is_meaning, row->metavar, err);
    case IST_OPTION_NAMES:
        return check_list(row, text, is_name, "names of a-z, 0-9 and '-', divided by commas", err);
    case IST_OPTION_PATHS:
        return check_list(row, text, is_plain_path,
                          "paths that begin with /, of letters, digits, '-', '_', '.' and '~'", err);
    case IST_OPTION_URL_PATH:
        return check_url_path(row, text, err);
    case _IST_OPTION_TYPE_MAX:
        break;
    }
    return ist_err_set(err, IST_EINTERNAL, "--%s has no type", row->name);
}

ist_status ist_hostport_parse(ist_strv text, uint16_t default_port, ist_strv *ret_host, uint16_t *ret_port, ist_err *err)
{
    ist_strv host = text;
    ist_strv port_text = IST_STRV_NULL;
    bool has_port = false;
    if (text.n != 0 && text.p[0] == '[') {
        ist_strv rest = ist_strv_skip(text, 1);
        host = ist_strv_cut(&rest, ']', &has_port);
        has_port = has_port && rest.n != 0 && rest.p[0] == ':';
        port_text = ist_strv_skip(rest, 1);
        if (rest.n != 0 && !has_port) {
            return ist_err_set(err, IST_EINVAL, "\"%.*s\" is not [ADDRESS]:PORT", IST_STRV_ARG(text));
        }
    } else if (ist_strv_find(text, ':') == ist_strv_rfind(text, ':')) {
        port_text = text;
        host = ist_strv_cut(&port_text, ':', &has_port);
    } else if (default_port == 0) {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\": write an IPv6 address with its port as [ADDRESS]:PORT",
                           IST_STRV_ARG(text));
    }
    uint64_t port = default_port;
    if (host.n == 0) {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\" has no host", IST_STRV_ARG(text));
    }
    if (!has_port && default_port == 0) {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\" has no port", IST_STRV_ARG(text));
    }
    if (has_port && ist_strv_to_u64(port_text, UINT16_MAX, &port) != IST_OK) {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\": the port must be 0 to 65535", IST_STRV_ARG(text));
    }
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return IST_OK;
}
