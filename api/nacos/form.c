// SPDX-License-Identifier: Apache-2.0
#include "form_priv.h"

// --- Fields ---------------------------------------------------------------------------------------------------------

// The length of the JSON object that `text` begins with, where it is not encoded and is a whole value; else 0.
static size_t plain_json_length(ist_strv text)
{
    size_t depth = 0;
    bool quoted = false;
    bool has_quotes = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        has_quotes = has_quotes || c == '"';
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '{') {
            depth++;
        } else if (!quoted && (depth == 0 || (c == '}' && --depth == 0))) {
            bool ends = i + 1 == text.n || text.p[i + 1] == '&';
            return ends && has_quotes && c == '}' ? i + 1 : 0;
        }
    }
    return 0;
}

// Takes the first field off *rest.
static ist_status cut_field(ist_strv *rest, ist_arena *arena, ist_api_field *field)
{
    size_t length = ist_strv_find(*rest, '&');
    size_t name_length = ist_strv_find(ist_strv_first(*rest, length), '=');
    ist_strv name = ist_strv_first(*rest, name_length);
    ist_strv value = ist_strv_skip(*rest, name_length + 1);
    size_t plain = name_length < length ? plain_json_length(value) : 0;
    length = plain != 0 ? name_length + 1 + plain : length;
    field->value = ist_strv_skip(ist_strv_first(*rest, length), name_length + 1);
    *rest = ist_strv_skip(*rest, length + 1);
    ist_status status = ist_api_parameter_decode(name, arena, &field->name);
    return status != IST_OK || plain != 0 ? status : ist_api_parameter_decode(field->value, arena, &field->value);
}

ist_status nacos_form_parse(ist_strv body, ist_arena *arena, nacos_form *ret_form, ist_err *err)
{
    nacos_form form = {.items = NULL};
    if (body.n != 0) {
        form.items = IST_ARENA_ARRAY(arena, IST_API_FIELDS_MAX, ist_api_field);
        if (form.items == NULL) {
            return ist_err_set(err, IST_ENOMEM, "out of memory; try again");
        }
    }
    while (body.n != 0) {
        if (form.count == IST_API_FIELDS_MAX) {
            return ist_err_set(err, IST_ELIMIT, "more than %d fields in the body", IST_API_FIELDS_MAX);
        }
        ist_status status = cut_field(&body, arena, &form.items[form.count]);
        if (status == IST_ENOMEM) {
            return ist_err_set(err, status, "out of memory; try again");
        }
        if (status != IST_OK) {
            return ist_err_set(err, status,
                               "field %zu of the body: broken %%-escape or NUL byte; write %%25 for a plain %%",
                               form.count + 1);
        }
        form.count += form.items[form.count].name.n != 0 ? 1 : 0;
    }
    *ret_form = form;
    return IST_OK;
}

ist_strv nacos_form_find(const nacos_form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (ist_strv_equal(form->items[i].name, ist_strv_from(name))) {
            return form->items[i].value;
        }
    }
    return IST_STRV_NULL;
}

bool nacos_text_is_true(ist_strv text, bool otherwise)
{
    return text.n == 0 ? otherwise : ist_strv_equal_nocase(text, IST_STRV("true"));
}

// --- Metadata -------------------------------------------------------------------------------------------------------

ist_status nacos_metadata_of(const ist_document *object, ist_arena *arena, nacos_instance *draft)
{
    uint32_t count = 0;
    if (object != NULL && object->kind != IST_DOCUMENT_OBJECT && object->kind != IST_DOCUMENT_NULL) {
        return IST_EPARSE;
    }
    const ist_document *first = object != NULL ? object->first : NULL;
    for (const ist_document *each = first; each != NULL; each = each->next) {
        count++;
    }
    ist_mesh_metadata *pairs = IST_ARENA_ARRAY(arena, (size_t)count + 1, ist_mesh_metadata);
    if (pairs == NULL) {
        return IST_ENOMEM;
    }
    draft->metadata_count = 0;
    for (const ist_document *each = first; each != NULL; each = each->next) {
        pairs[draft->metadata_count++] = (ist_mesh_metadata){.key = each->name, .value = ist_document_text(each)};
    }
    draft->metadata = pairs;
    return IST_OK;
}

static ist_status parse_pairs(ist_strv text, ist_arena *arena, nacos_instance *draft, ist_err *err)
{
    uint32_t count = 1;
    for (size_t i = 0; i < text.n; i++) {
        count += text.p[i] == ',' ? 1 : 0;
    }
    ist_mesh_metadata *pairs = IST_ARENA_ARRAY(arena, count, ist_mesh_metadata);
    if (pairs == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory; try again");
    }
    draft->metadata_count = 0;
    for (bool more = text.n != 0; more;) {
        bool has_value = false;
        ist_strv value = ist_strv_cut(&text, ',', &more);
        ist_strv key = ist_strv_trim(ist_strv_cut(&value, '=', &has_value));
        if (!has_value || key.n == 0) {
            return ist_err_set(err, IST_EPARSE, "metadata format incorrect: a JSON object, or key=value,key=value");
        }
        pairs[draft->metadata_count++] = (ist_mesh_metadata){.key = key, .value = value};
    }
    draft->metadata = pairs;
    return IST_OK;
}

ist_status nacos_metadata_parse(ist_strv text, ist_arena *arena, nacos_instance *draft, ist_err *err)
{
    const ist_document *object = NULL;
    text = ist_strv_trim(text);
    if (text.n == 0 || text.p[0] != '{') {
        return parse_pairs(text, arena, draft, err);
    }
    ist_status status = ist_document_read(IST_DOCUMENT_JSON, text, arena, &object, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "metadata");
        return status;
    }
    status = nacos_metadata_of(object, arena, draft);
    return status == IST_OK ? IST_OK : ist_err_set(err, status, "out of memory; try again");
}
