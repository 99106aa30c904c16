// SPDX-License-Identifier: Apache-2.0
//
// What the decoders share.
#include "decode_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define MORE_TEXT "; and more" // room for it is always left

void ist_xds_rejects_clear(ist_xds_rejects *rejects)
{
    rejects->count = 0;
    rejects->length = 0;
    rejects->text[0] = '\0';
}

// Length of `text` without a UTF-8 character that was cut in its middle.
static size_t whole_characters(const char *text, size_t length)
{
    size_t end = length;
    while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80) {
        end--;
    }
    ist_strv tail = end > 0 ? ist_strv_make(text + end - 1, length - end + 1) : ist_strv_make(text, length);
    if (ist_strv_valid_utf8(tail)) {
        return length;
    }
    return end > 0 ? end - 1 : 0;
}

void ist_xds_rejects_add(ist_xds_rejects *rejects, ist_xds_type type, ist_strv name, const ist_err *err)
{
    size_t room = sizeof(rejects->text) - rejects->length;
    rejects->count++;
    if (room <= sizeof(MORE_TEXT)) {
        return;
    }
    room -= sizeof(MORE_TEXT);
    ist_strv shown =
        ist_strv_valid_utf8(name) ? ist_strv_first(name, IST_MESH_HOST_MAX) : IST_STRV("(name is not UTF-8)");
    char *at = rejects->text + rejects->length;
    int written = snprintf(at, room, "%s%s %.*s: %s", rejects->count > 1 ? "; " : "", ist_xds_type_name(type),
                           IST_STRV_ARG(shown), err->text);
    if (written >= 0 && (size_t)written < room) {
        rejects->length += (size_t)written;
        return;
    }
    size_t kept = whole_characters(at, room - 1);
    memcpy(at + kept, MORE_TEXT, sizeof(MORE_TEXT));
    rejects->length = sizeof(rejects->text);
}

ist_status ist_xds_decoder_view(ist_xds_decoder *decoder, ist_xds_span span, ist_arena *arena, ist_strv *ret_bytes,
                                ist_err *err)
{
    if (span.length > decoder->max_resource_bytes) {
        return ist_err_set(err, IST_ELIMIT, "%zu bytes; at most %zu are taken", span.length,
                           decoder->max_resource_bytes);
    }
    if (ist_xds_span_view(span, arena, ret_bytes) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    return IST_OK;
}

bool ist_xds_decoder_name(ist_xds_decoder *decoder, ist_xds_span message, ist_arena *arena, ist_strv *ret_name)
{
    ist_xds_wire wire = ist_xds_wire_over(message);
    ist_strv name = IST_STRV_NULL;
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number == IST_XDS_NAME_FIELD && field.type == IST_XDS_WIRE_BYTES &&
            ist_xds_decoder_view(decoder, field.bytes, arena, &name, NULL) != IST_OK) {
            name = IST_STRV_NULL;
        }
    }
    *ret_name = name;
    return name.n > 0 || !wire.failed;
}

uint64_t ist_xds_content_hash(ist_strv bytes)
{
    uint64_t hash = ist_hash_bytes(bytes.p, bytes.n, 0);
    return hash != 0 ? hash : 1;
}

ist_status ist_xds_seen_init(ist_xds_seen *seen, ist_arena *arena, size_t capacity)
{
    size_t slots = 8;
    while (slots < capacity * 2) {
        slots *= 2;
    }
    uint64_t *memory = IST_ARENA_ARRAY(arena, slots, uint64_t);
    if (memory == NULL) {
        return IST_ENOMEM;
    }
    *seen = (ist_xds_seen){.slots = memory, .mask = slots - 1};
    return IST_OK;
}

bool ist_xds_seen_add(ist_xds_seen *seen, uint64_t hash)
{
    uint64_t key = hash != 0 ? hash : 1;
    size_t at = (size_t)ist_hash_u64(key) & seen->mask;
    while (seen->slots[at] != 0) {
        if (seen->slots[at] == key) {
            return false;
        }
        at = (at + 1) & seen->mask;
    }
    seen->slots[at] = key;
    return true;
}
