// SPDX-License-Identifier: Apache-2.0
#include "config/pod_info.h"

#include "text_file_priv.h"
#include "yaml_priv.h"

#include <string.h>

#define STATUS_MAX_BYTES ((size_t)64 << 10)
#define STATUS_MAX_DEPTH 16

// --- Values ---------------------------------------------------------------------------------------------------------

// Value of `digits` hexadecimal digits; false: there are not as many.
static bool read_hex(ist_strv *rest, size_t digits, uint32_t *ret_value)
{
    uint32_t value = 0;
    if (rest->n < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        char c = rest->p[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit > 15) {
            return false;
        }
        value = value << 4 | digit;
    }
    *rest = ist_strv_skip(*rest, digits);
    *ret_value = value;
    return true;
}

// UTF-8 of a code point. Never more bytes than its escape had.
static size_t put_rune(uint32_t rune, char *out)
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    size_t length = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    static const uint8_t LEADS[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (rune & 0x3f));
        rune >>= 6;
    }
    out[0] = (char)(LEADS[length] | rune);
    return length;
}

static bool is_rune(uint32_t rune)
{
    return rune <= 0x10ffff && !(rune >= 0xd800 && rune <= 0xdfff);
}

// Behind a backslash. Returns the bytes written; 0: there is no such escape.
static size_t read_escape(ist_strv *rest, char *out)
{
    static const char NAMES[] = "abfnrtv\\\"'";
    static const char MEANT[] = "\a\b\f\n\r\t\v\\\"'";
    char kind = rest->n != 0 ? rest->p[0] : '\0';
    const char *simple = kind != '\0' ? strchr(NAMES, kind) : NULL;
    uint32_t value = 0;
    *rest = ist_strv_skip(*rest, rest->n != 0 ? 1 : 0);
    if (simple != NULL) {
        out[0] = MEANT[simple - NAMES];
        return 1;
    }
    if (kind == 'x' && read_hex(rest, 2, &value)) {
        out[0] = (char)value; // a byte that is no UTF-8
        return 1;
    }
    bool rune = (kind == 'u' && read_hex(rest, 4, &value)) || (kind == 'U' && read_hex(rest, 8, &value));
    return rune && is_rune(value) ? put_rune(value, out) : 0;
}

// What Go's %q has made. p NULL: it is broken, or out of memory.
static ist_status unquote(ist_strv text, ist_arena *arena, ist_strv *ret_value)
{
    char *out = ist_arena_alloc(arena, text.n + 1);
    size_t length = 0;
    if (out == NULL) {
        return IST_ENOMEM;
    }
    for (ist_strv rest = text; rest.n != 0;) {
        char c = rest.p[0];
        rest = ist_strv_skip(rest, 1);
        size_t added = 1;
        if (c == '\\') {
            added = read_escape(&rest, out + length);
        } else {
            out[length] = c;
        }
        if (added == 0 || c == '"') {
            return IST_EINVAL;
        }
        length += added;
    }
    *ret_value = ist_strv_make(out, length);
    return IST_OK;
}

static ist_status read_value(ist_strv text, ist_arena *arena, ist_strv *ret_value)
{
    if (!ist_strv_starts_with(text, IST_STRV("\""))) {
        *ret_value = ist_arena_strv(arena, text);
        return ret_value->p != NULL ? IST_OK : IST_ENOMEM;
    }
    bool ended = text.n >= 2 && text.p[text.n - 1] == '"';
    return ended ? unquote(ist_strv_first(ist_strv_skip(text, 1), text.n - 2), arena, ret_value) : IST_EINVAL;
}

// --- Pairs ----------------------------------------------------------------------------------------------------------

// *ret_pair without a key: there is none here.
static ist_status read_pair(ist_strv text, ist_arena *arena, ist_pod_pair *ret_pair)
{
    ist_strv value = text;
    ist_strv key = ist_strv_trim(ist_strv_cut(&value, '=', NULL));
    *ret_pair = (ist_pod_pair){.key = IST_STRV_NULL};
    if (key.n == 0) {
        return IST_OK;
    }
    ret_pair->key = ist_arena_strv(arena, key);
    return ret_pair->key.p != NULL ? read_value(ist_strv_trim(value), arena, &ret_pair->value) : IST_ENOMEM;
}

static uint32_t count_parts(ist_strv text, char separator)
{
    uint32_t count = 0;
    for (bool more = text.n != 0; more && count <= IST_POD_INFO_PAIRS_MAX;) {
        count += ist_strv_trim(ist_strv_cut(&text, separator, &more)).n != 0 ? 1 : 0;
    }
    return count;
}

ist_status ist_pod_info_parse(ist_strv text, char separator, ist_arena *arena, ist_pod_info *ret_info, ist_err *err)
{
    uint32_t parts = count_parts(text, separator);
    if (parts > IST_POD_INFO_PAIRS_MAX) {
        return ist_err_set(err, IST_ELIMIT, "more than %d pairs", IST_POD_INFO_PAIRS_MAX);
    }
    ist_pod_pair *pairs = IST_ARENA_ARRAY(arena, (size_t)parts + 1, ist_pod_pair);
    ist_status status = pairs != NULL ? IST_OK : ist_err_set(err, IST_ENOMEM, "out of memory");
    uint32_t count = 0;
    uint32_t number = 1;
    for (bool more = text.n != 0; more && status == IST_OK; number++) {
        status = read_pair(ist_strv_trim(ist_strv_cut(&text, separator, &more)), arena, &pairs[count]);
        if (status == IST_EINVAL) {
            (void)ist_err_set(err, IST_EINVAL, "pair %u (%.*s) is not of the form KEY=\"VALUE\"", number,
                              IST_STRV_ARG(ist_strv_first(pairs[count].key, 64)));
        } else if (status == IST_ENOMEM) {
            (void)ist_err_set(err, IST_ENOMEM, "out of memory");
        }
        count += pairs[count].key.n != 0 ? 1 : 0;
    }
    if (status == IST_OK) {
        *ret_info = (ist_pod_info){.pairs = pairs, .count = count};
    }
    return status;
}

ist_status ist_pod_info_read(const char *path, ist_arena *arena, ist_pod_info *ret_info, ist_err *err)
{
    ist_buf text = IST_BUF_INIT;
    ist_status status = ist_text_file_read(path, "the pod's file", IST_POD_INFO_FILE_MAX_BYTES, &text, err);
    if (status == IST_OK) {
        status = ist_pod_info_parse(ist_buf_view(&text), '\n', arena, ret_info, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "%s", path);
        }
    }
    ist_buf_done(&text);
    return status;
}

ist_strv ist_pod_info_value(const ist_pod_info *info, const char *key)
{
    for (uint32_t i = 0; i < info->count; i++) {
        if (ist_strv_equal(info->pairs[i].key, ist_strv_from(key))) {
            return info->pairs[i].value;
        }
    }
    return IST_STRV_NULL;
}

// --- What the injector has done -------------------------------------------------------------------------------------

// {"initContainers":["istio-init"],"containers":["istio-proxy"],...}: JSON, which is YAML.
typedef struct injector_status {
    ist_yaml_reader reader;
    ist_strv wanted;
    uint32_t depth;
    bool expects_key; // at depth 1
    bool in_list;     // of containers
    bool next_counts; // the value of the key that was read last is such a list
    bool found;
} injector_status;

static void read_scalar(injector_status *self, ist_strv text)
{
    if (self->depth == 1) {
        self->next_counts = self->expects_key && (ist_strv_equal(text, IST_STRV("containers")) ||
                                                  ist_strv_equal(text, IST_STRV("initContainers")));
        self->expects_key = !self->expects_key;
    } else if (self->in_list) {
        self->found = self->found || ist_strv_equal(text, self->wanted);
    }
}

static void read_event(injector_status *self, const yaml_event_t *event)
{
    bool start = event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
    bool end = event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
    if (event->type == YAML_SCALAR_EVENT) {
        read_scalar(self, ist_yaml_scalar(event));
    }
    self->depth += start ? 1 : 0;
    self->depth -= end ? 1 : 0;
    if (start || end) {
        self->in_list = start && self->depth == 2 && self->next_counts && event->type == YAML_SEQUENCE_START_EVENT;
        self->expects_key = self->depth == 1;
    }
}

// The root must be a mapping, so that a text that is something else is not taken for a status without containers.
static ist_status read_status(injector_status *self)
{
    for (bool over = false; !over;) {
        yaml_event_t event;
        ist_status status = ist_yaml_next(&self->reader, &event);
        if (status != IST_OK) {
            return status;
        }
        bool outside = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        bool mapping = event.type == YAML_MAPPING_START_EVENT;
        over = event.type == YAML_DOCUMENT_END_EVENT;
        bool foreign = (self->depth == 0 && !outside && !mapping && !over) || event.type == YAML_ALIAS_EVENT;
        if (foreign || self->depth > STATUS_MAX_DEPTH) {
            status = ist_yaml_fail(&self->reader, event.start_mark.line, "not the object that Istio's injector writes");
        } else {
            read_event(self, &event);
        }
        yaml_event_delete(&event);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

ist_status ist_pod_info_injected(ist_strv status, const char *container, bool *ret_injected, ist_err *err)
{
    injector_status self = {.reader = {.name = "sidecar.istio.io/status", .err = err},
                            .wanted = ist_strv_from(container)};
    if (status.n > STATUS_MAX_BYTES) {
        return ist_err_set(err, IST_EINVAL, "sidecar.istio.io/status has more than %zu bytes", STATUS_MAX_BYTES);
    }
    if (!yaml_parser_initialize(&self.reader.parser)) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    yaml_parser_set_input_string(&self.reader.parser, (const unsigned char *)status.p, status.n);
    ist_status result = read_status(&self);
    yaml_parser_delete(&self.reader.parser);
    if (result == IST_OK) {
        *ret_injected = self.found;
    }
    return result;
}
