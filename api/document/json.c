// SPDX-License-Identifier: Apache-2.0
//
// jansson reads, its tree is copied into ours: fields are then the same for both formats, and one arena frees all.
#include "document_priv.h"

#include <jansson.h>

static void no_memory(document_reader *reader)
{
    reader->status = ist_err_set(reader->err, IST_ENOMEM, "out of memory");
}

static void fill_text(document_reader *reader, ist_document *node, ist_strv text)
{
    node->kind = IST_DOCUMENT_TEXT;
    node->text = text.n != 0 ? ist_arena_strv(reader->arena, text) : IST_STRV_NULL;
    if (text.n != 0 && node->text.p == NULL) {
        no_memory(reader);
    }
}

static void fill_number(document_reader *reader, ist_document *node, const json_t *value)
{
    const char *text = json_is_integer(value)
                           ? ist_arena_printf(reader->arena, "%lld", (long long)json_integer_value(value))
                           : ist_arena_printf(reader->arena, "%.17g", json_real_value(value));
    node->kind = IST_DOCUMENT_TEXT;
    node->text = ist_strv_from(text);
    if (text == NULL) {
        no_memory(reader);
    }
}

static void fill(document_reader *reader, ist_document *node, json_t *value, int depth);

static void fill_object(document_reader *reader, ist_document *node, json_t *value, int depth)
{
    ist_document *last = NULL;
    node->kind = IST_DOCUMENT_OBJECT;
    for (void *it = json_object_iter(value); it != NULL && reader->status == IST_OK;
         it = json_object_iter_next(value, it)) {
        ist_strv name = ist_strv_make(json_object_iter_key(it), json_object_iter_key_len(it));
        ist_document *child = document_add(reader, node, &last, name);
        if (child != NULL) {
            fill(reader, child, json_object_iter_value(it), depth + 1);
        }
    }
}

static void fill_list(document_reader *reader, ist_document *node, json_t *value, int depth)
{
    ist_document *last = NULL;
    node->kind = IST_DOCUMENT_LIST;
    for (size_t i = 0; i < json_array_size(value) && reader->status == IST_OK; i++) {
        ist_document *child = document_add(reader, node, &last, IST_STRV_NULL);
        if (child != NULL) {
            fill(reader, child, json_array_get(value, i), depth + 1);
        }
    }
}

static void fill(document_reader *reader, ist_document *node, json_t *value, int depth)
{
    if (depth > IST_DOCUMENT_DEPTH_MAX) {
        reader->status = ist_err_set(reader->err, IST_ELIMIT, "more than %d levels", IST_DOCUMENT_DEPTH_MAX);
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        fill_object(reader, node, value, depth);
        break;
    case JSON_ARRAY:
        fill_list(reader, node, value, depth);
        break;
    case JSON_STRING:
        fill_text(reader, node, ist_strv_make(json_string_value(value), json_string_length(value)));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        fill_number(reader, node, value);
        break;
    case JSON_TRUE:
        fill_text(reader, node, IST_STRV("true"));
        break;
    case JSON_FALSE:
        fill_text(reader, node, IST_STRV("false"));
        break;
    case JSON_NULL:
        node->kind = IST_DOCUMENT_NULL;
        break;
    }
}

// Jansson quotes what it stopped at, as it came, and the quotation may end inside of a character.
static void keep_plain_text(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~') {
            *text = '?';
        }
    }
}

const ist_document *document_read_json(document_reader *reader, ist_strv body)
{
    json_error_t error;
    ist_document *root = NULL;
    json_t *value = json_loadb(body.n != 0 ? body.p : "", body.n, JSON_DECODE_ANY, &error);
    if (value == NULL && json_error_code(&error) == json_error_out_of_memory) {
        no_memory(reader);
    } else if (value == NULL) {
        keep_plain_text(error.text);
        reader->status = ist_err_set(reader->err, IST_EPARSE, "line %d: %s", error.line, error.text);
    } else if (document_add(reader, NULL, &root, IST_STRV_NULL) != NULL) {
        fill(reader, root, value, 0);
    }
    json_decref(value);
    return root;
}
