// SPDX-License-Identifier: Apache-2.0
#include "fields_priv.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

#define SUGGEST_MAX_DISTANCE 2U
#define SUGGEST_MAX_LENGTH 63U

// --- Interned strings ------------------------------------------------------------------------------------------------

struct ist_interner {
    ist_strv *slots;
    size_t capacity; // power of two
    size_t count;
};

#define INTERN_FIRST_CAPACITY ((size_t)256)

ist_interner *ist_interner_new(void)
{
    ist_interner *interner = IST_NEW(ist_interner);
    if (interner == NULL) {
        return NULL;
    }
    interner->slots = ist_calloc(INTERN_FIRST_CAPACITY, sizeof(ist_strv));
    if (interner->slots == NULL) {
        ist_free(interner);
        return NULL;
    }
    interner->capacity = INTERN_FIRST_CAPACITY;
    return interner;
}

void ist_interner_free(ist_interner *interner)
{
    if (interner != NULL) {
        ist_free(interner->slots);
        ist_free(interner);
    }
}

static ist_strv *find_slot(ist_strv *slots, size_t capacity, ist_strv text)
{
    size_t at = (size_t)ist_hash_strv(text) & (capacity - 1);
    while (slots[at].p != NULL && !ist_strv_equal(slots[at], text)) {
        at = (at + 1) & (capacity - 1);
    }
    return &slots[at];
}

static ist_status interner_grow(ist_interner *interner)
{
    if (interner->count * 2 < interner->capacity) {
        return IST_OK;
    }
    size_t capacity = interner->capacity * 2;
    ist_strv *slots = ist_calloc(capacity, sizeof(ist_strv));
    if (slots == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < interner->capacity; i++) {
        if (interner->slots[i].p != NULL) {
            *find_slot(slots, capacity, interner->slots[i]) = interner->slots[i];
        }
    }
    ist_free(interner->slots);
    interner->slots = slots;
    interner->capacity = capacity;
    return IST_OK;
}

static ist_strv copy_text(ist_decoder *decoder, ist_strv text)
{
    ist_strv copy = ist_arena_strv(decoder->arena, text);
    if (copy.p == NULL) {
        decoder->status = IST_ENOMEM;
    }
    return copy;
}

ist_strv ist_decoder_keep(ist_decoder *decoder, ist_strv text)
{
    if (text.n == 0) {
        return IST_STRV("");
    }
    if (decoder->interner == NULL) {
        return copy_text(decoder, text);
    }
    if (interner_grow(decoder->interner) != IST_OK) {
        decoder->status = IST_ENOMEM;
        return IST_STRV_NULL;
    }
    ist_strv *slot = find_slot(decoder->interner->slots, decoder->interner->capacity, text);
    if (slot->p == NULL) {
        *slot = copy_text(decoder, text);
        decoder->interner->count += slot->p != NULL ? 1 : 0;
    }
    return *slot;
}

// --- Findings and the path of the field ------------------------------------------------------------------------------

void ist_decoder_finding(ist_decoder *decoder, const ist_yaml_node *node, ist_files_level level, const char *format,
                         ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); // cut where it is too long
    va_end(args);
    ist_files_finding finding = {.level = level,
                                 .file = decoder->file,
                                 .line = node != NULL ? node->line : 0,
                                 .column = node != NULL ? node->column : 0,
                                 .object = ist_strv_from(decoder->object),
                                 .field = ist_strv_make(decoder->path, decoder->path_length),
                                 .text = ist_strv_from(text)};
    if (ist_files_findings_add(decoder->findings, &finding) != IST_OK) {
        decoder->status = IST_ENOMEM;
    }
    decoder->failed = decoder->failed || level == IST_FILES_ERROR;
}

static void path_add(ist_decoder *decoder, const char *before, ist_strv text, const char *after)
{
    size_t room = sizeof(decoder->path) - decoder->path_length;
    int written = snprintf(decoder->path + decoder->path_length, room, "%s%.*s%s", before, IST_STRV_ARG(text), after);
    size_t added = written > 0 ? (size_t)written : 0;
    decoder->path_length += added < room ? added : room - 1;
}

size_t ist_decoder_push(ist_decoder *decoder, ist_strv field)
{
    size_t before = decoder->path_length;
    ist_strv shown = ist_strv_first(field, 60);
    bool odd = ist_strv_find(shown, '.') < shown.n || ist_strv_find(shown, '/') < shown.n;
    if (odd) {
        path_add(decoder, "[", shown, "]");
    } else {
        path_add(decoder, before != 0 ? "." : "", shown, "");
    }
    return before;
}

size_t ist_decoder_push_index(ist_decoder *decoder, uint32_t index)
{
    size_t before = decoder->path_length;
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", index); // fits
    path_add(decoder, "[", ist_strv_from(number), "]");
    return before;
}

void ist_decoder_pop(ist_decoder *decoder, size_t length)
{
    decoder->path_length = length;
    decoder->path[length] = '\0';
}

// --- Scalars ---------------------------------------------------------------------------------------------------------

static void wrong(ist_decoder *decoder, const ist_yaml_node *node, const char *want)
{
    if (node->kind == IST_YAML_SCALAR) {
        ist_decoder_finding(decoder, node, IST_FILES_ERROR, "must be %s, is \"%.*s\"", want,
                            IST_STRV_ARG(ist_strv_first(node->text, 80)));
    } else {
        ist_decoder_finding(decoder, node, IST_FILES_ERROR, "must be %s, is a %s", want,
                            node->kind == IST_YAML_MAP ? "mapping" : "list");
    }
}

static bool is_number_text(ist_strv text)
{
    bool digit = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        digit = digit || (c >= '0' && c <= '9');
        if (!(c >= '0' && c <= '9') && c != '.' && c != 'e' && c != 'E' && c != '-' && c != '+') {
            return false;
        }
    }
    size_t dots = 0;
    for (size_t i = 0; i < text.n; i++) {
        dots += text.p[i] == '.' ? 1 : 0;
    }
    bool starts_well = text.n != 0 && text.p[0] != 'e' && text.p[0] != 'E';
    return digit && dots <= 1 && starts_well;
}

static bool is_bool_text(ist_strv text)
{
    return ist_strv_equal(text, IST_STRV("true")) || ist_strv_equal(text, IST_STRV("false"));
}

static bool string_of(ist_decoder *decoder, const ist_yaml_node *node, ist_strv *ret_text)
{
    if (node->kind != IST_YAML_SCALAR) {
        wrong(decoder, node, "a string");
        return false;
    }
    if (node->plain && (is_bool_text(node->text) || is_number_text(node->text))) {
        ist_decoder_finding(decoder, node, IST_FILES_ERROR, "must be a string; write \"%.*s\" in quotes",
                            IST_STRV_ARG(ist_strv_first(node->text, 80)));
        return false;
    }
    *ret_text = ist_decoder_keep(decoder, node->text);
    return ret_text->p != NULL;
}

static void decode_text(ist_decoder *decoder, const ist_yaml_node *node, ist_strv *out)
{
    if (node->kind == IST_YAML_SCALAR) {
        *out = ist_decoder_keep(decoder, node->text);
    } else {
        wrong(decoder, node, "a text or a number");
    }
}

static void decode_u32(ist_decoder *decoder, const ist_field *field, const ist_yaml_node *node, uint32_t *out)
{
    uint32_t max = field->max != 0 ? field->max : UINT32_MAX - 1;
    uint64_t value = 0;
    if (node->kind == IST_YAML_SCALAR && ist_strv_to_u64(node->text, max, &value) == IST_OK) {
        *out = (uint32_t)value;
        return;
    }
    char want[48];
    (void)snprintf(want, sizeof(want), "0..%u", max); // fits
    wrong(decoder, node, want);
}

static void decode_bool(ist_decoder *decoder, const ist_yaml_node *node, uint8_t *out)
{
    if (node->kind == IST_YAML_SCALAR && node->plain && is_bool_text(node->text)) {
        *out = node->text.n == 4 ? IST_FIELD_TRUE : IST_FIELD_FALSE;
        return;
    }
    wrong(decoder, node, "true or false");
}

// Decimal number with an optional fraction; exponents are not written in these objects.
static bool parse_decimal(ist_strv text, double *ret_value)
{
    ist_strv rest = text;
    ist_strv whole = ist_strv_cut(&rest, '.', NULL);
    uint64_t value = 0;
    uint64_t fraction = 0;
    if (ist_strv_to_u64(whole, 1000000000000U, &value) != IST_OK) {
        return false;
    }
    double scale = 1.0;
    rest = ist_strv_first(rest, 9);
    if (rest.n != 0 && ist_strv_to_u64(rest, 999999999U, &fraction) != IST_OK) {
        return false;
    }
    for (size_t i = 0; i < rest.n; i++) {
        scale *= 10.0;
    }
    *ret_value = (double)value + (double)fraction / scale;
    return true;
}

static double unit_ms(ist_strv *rest)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1.0}, {"us", 0.001}, {"ns", 0.000001}, {"h", 3600000.0}, {"m", 60000.0}, {"s", 1000.0}};
    for (size_t i = 0; i < IST_COUNT(units); i++) {
        ist_strv name = ist_strv_from(units[i].name);
        if (ist_strv_starts_with(*rest, name)) {
            *rest = ist_strv_skip(*rest, name.n);
            return units[i].ms;
        }
    }
    return -1.0;
}

bool ist_files_parse_duration(ist_strv text, uint32_t *ret_ms)
{
    double total = 0.0;
    ist_strv rest = text;
    while (rest.n != 0) {
        size_t digits = 0;
        while (digits < rest.n && ((rest.p[digits] >= '0' && rest.p[digits] <= '9') || rest.p[digits] == '.')) {
            digits++;
        }
        double value = 0.0;
        if (!parse_decimal(ist_strv_first(rest, digits), &value)) {
            return false;
        }
        rest = ist_strv_skip(rest, digits);
        double unit = unit_ms(&rest);
        total += value * unit;
        if (unit < 0.0 || total > 4000000000.0) {
            return false;
        }
    }
    if (text.n == 0) {
        return false;
    }
    *ret_ms = (uint32_t)(total + 0.5);
    return true;
}

static void decode_enum(ist_decoder *decoder, const ist_field *field, const ist_yaml_node *node, uint8_t *out)
{
    char want[160] = "one of";
    size_t length = strlen(want);
    for (uint8_t i = 0; field->words[i] != NULL; i++) {
        if (node->kind == IST_YAML_SCALAR && ist_strv_equal(node->text, ist_strv_from(field->words[i]))) {
            *out = (uint8_t)(i + 1);
            return;
        }
        int written = snprintf(want + length, sizeof(want) - length, "%s %s", i != 0 ? "," : "", field->words[i]);
        length += written > 0 && (size_t)written < sizeof(want) - length ? (size_t)written : 0;
    }
    wrong(decoder, node, want);
}

// --- Lists and mappings ----------------------------------------------------------------------------------------------

static void *new_items(ist_decoder *decoder, const ist_yaml_node *node, ist_yaml_kind kind, size_t item_bytes)
{
    if (node->kind != kind) {
        wrong(decoder, node, kind == IST_YAML_LIST ? "a list" : "a mapping");
        return NULL;
    }
    void *items = ist_arena_calloc(decoder->structs, node->count, item_bytes);
    if (items == NULL) {
        decoder->status = IST_ENOMEM;
    }
    return items;
}

static void decode_strings(ist_decoder *decoder, const ist_yaml_node *node, ist_files_list *out)
{
    ist_strv *items = new_items(decoder, node, IST_YAML_LIST, sizeof(*items));
    uint32_t count = 0;
    for (const ist_yaml_node *child = node->first; items != NULL && child != NULL; child = child->next) {
        size_t mark = ist_decoder_push_index(decoder, count);
        if (string_of(decoder, child, &items[count])) {
            count++;
        }
        ist_decoder_pop(decoder, mark);
    }
    *out = (ist_files_list){items, count};
}

static void decode_labels(ist_decoder *decoder, const ist_yaml_node *node, bool istio_only, ist_files_list *out)
{
    if (node->kind != IST_YAML_MAP) {
        wrong(decoder, node, "a mapping of strings");
        return;
    }
    uint32_t wanted = 0;
    for (const ist_yaml_node *child = node->first; child != NULL; child = child->next) {
        wanted += !istio_only || ist_strv_contains(child->key, IST_STRV("istio.io/")) ? 1U : 0U;
    }
    ist_files_label *items = wanted != 0 ? ist_arena_calloc(decoder->structs, wanted, sizeof(*items)) : NULL;
    if (wanted != 0 && items == NULL) {
        decoder->status = IST_ENOMEM;
        return;
    }
    uint32_t count = 0;
    for (const ist_yaml_node *child = node->first; items != NULL && child != NULL; child = child->next) {
        if (istio_only && !ist_strv_contains(child->key, IST_STRV("istio.io/"))) {
            continue;
        }
        size_t mark = ist_decoder_push(decoder, child->key);
        items[count].key = ist_decoder_keep(decoder, child->key);
        if (string_of(decoder, child, &items[count].value)) {
            count++;
        }
        ist_decoder_pop(decoder, mark);
    }
    *out = (ist_files_list){items, count};
}

static void decode_u32_map(ist_decoder *decoder, const ist_field *field, const ist_yaml_node *node, ist_files_list *out)
{
    ist_key_u32 *items = new_items(decoder, node, IST_YAML_MAP, sizeof(*items));
    uint32_t count = 0;
    for (const ist_yaml_node *child = node->first; items != NULL && child != NULL; child = child->next) {
        size_t mark = ist_decoder_push(decoder, child->key);
        items[count].key = ist_decoder_keep(decoder, child->key);
        decode_u32(decoder, field, child, &items[count].value);
        count++;
        ist_decoder_pop(decoder, mark);
    }
    *out = (ist_files_list){items, count};
}

static void set_defaults(const ist_schema *schema, void *out)
{
    if (schema->defaults != NULL) {
        memcpy(out, schema->defaults, schema->size_bytes);
    }
}

static void decode_structs(ist_decoder *decoder, const ist_schema *schema, const ist_yaml_node *node, bool keyed,
                           ist_files_list *out)
{
    char *items = new_items(decoder, node, keyed ? IST_YAML_MAP : IST_YAML_LIST, schema->size_bytes);
    uint32_t count = 0;
    for (const ist_yaml_node *child = node->first; items != NULL && child != NULL; child = child->next) {
        size_t mark = keyed ? ist_decoder_push(decoder, child->key) : ist_decoder_push_index(decoder, count);
        char *item = items + (size_t)count * schema->size_bytes;
        set_defaults(schema, item);
        if (keyed) {
            ist_strv key = ist_decoder_keep(decoder, child->key);
            memcpy(item, &key, sizeof(key));
        }
        ist_decode_struct(decoder, schema, child, item);
        count++;
        ist_decoder_pop(decoder, mark);
    }
    *out = (ist_files_list){items, count};
}

static void decode_pointer(ist_decoder *decoder, const ist_schema *schema, const ist_yaml_node *node, const void **out)
{
    void *made = ist_arena_calloc(decoder->structs, 1, schema->size_bytes);
    if (made == NULL) {
        decoder->status = IST_ENOMEM;
        return;
    }
    set_defaults(schema, made);
    ist_decode_struct(decoder, schema, node, made);
    *out = made;
}

static void decode_duration(ist_decoder *decoder, const ist_yaml_node *node, uint32_t *out)
{
    if (node->kind != IST_YAML_SCALAR || !ist_files_parse_duration(node->text, out)) {
        wrong(decoder, node, "a duration such as \"10s\" or \"1m30s\"");
    }
}

static void decode_number(ist_decoder *decoder, const ist_yaml_node *node, double *out)
{
    if (node->kind != IST_YAML_SCALAR || !parse_decimal(node->text, out)) {
        wrong(decoder, node, "a number");
    }
}

// --- Structs ---------------------------------------------------------------------------------------------------------

static void decode_field(ist_decoder *decoder, const ist_field *field, const ist_yaml_node *node, void *out)
{
    void *at = (char *)out + field->offset;
    switch (field->type) {
    case IST_FIELD_STRING:
        (void)string_of(decoder, node, at);
        return; // absent stays empty; the finding is made
    case IST_FIELD_TEXT:
        decode_text(decoder, node, at);
        return;
    case IST_FIELD_U32:
        decode_u32(decoder, field, node, at);
        return;
    case IST_FIELD_BOOL:
        decode_bool(decoder, node, at);
        return;
    case IST_FIELD_NUMBER:
        decode_number(decoder, node, at);
        return;
    case IST_FIELD_DURATION:
        decode_duration(decoder, node, at);
        return;
    case IST_FIELD_ENUM:
        decode_enum(decoder, field, node, at);
        return;
    case IST_FIELD_STRINGS:
        decode_strings(decoder, node, at);
        return;
    case IST_FIELD_LABELS:
        decode_labels(decoder, node, false, at);
        return;
    case IST_FIELD_ISTIO_LABELS:
        decode_labels(decoder, node, true, at);
        return;
    case IST_FIELD_U32_MAP:
        decode_u32_map(decoder, field, node, at);
        return;
    case IST_FIELD_STRUCT:
        ist_decode_struct(decoder, field->sub, node, at);
        return;
    case IST_FIELD_POINTER:
        decode_pointer(decoder, field->sub, node, at);
        return;
    case IST_FIELD_LIST:
        decode_structs(decoder, field->sub, node, false, at);
        return;
    case IST_FIELD_KEYED:
        decode_structs(decoder, field->sub, node, true, at);
        return;
    case IST_FIELD_SKIP:
        return;
    case IST_FIELD_REPORT:
        ist_decoder_finding(decoder, node, IST_FILES_INFO, "is not translated by the file source");
        return;
    case _IST_FIELD_TYPE_MAX:
        return;
    }
}

// Number of edits between two short names (Levenshtein), or more than the limit.
static size_t edit_distance(ist_strv a, ist_strv b)
{
    if (a.n > SUGGEST_MAX_LENGTH || b.n > SUGGEST_MAX_LENGTH) {
        return SUGGEST_MAX_DISTANCE + 1;
    }
    size_t row[SUGGEST_MAX_LENGTH + 1];
    for (size_t j = 0; j <= b.n; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t change = diagonal + (a.p[i - 1] == b.p[j - 1] ? 0 : 1);
            diagonal = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < least ? change : least;
        }
    }
    return row[b.n];
}

static void unknown_field(ist_decoder *decoder, const ist_schema *schema, const ist_yaml_node *child)
{
    const char *best = NULL;
    size_t best_distance = SUGGEST_MAX_DISTANCE + 1;
    for (uint32_t i = 0; i < schema->field_count; i++) {
        size_t distance = edit_distance(child->key, ist_strv_from(schema->fields[i].name));
        if (distance < best_distance) {
            best = schema->fields[i].name;
            best_distance = distance;
        }
    }
    ist_yaml_node at = {.line = child->key_line, .column = child->key_column};
    if (best != NULL) {
        ist_decoder_finding(decoder, &at, IST_FILES_WARNING, "unknown field; did you mean \"%s\"?", best);
    } else {
        ist_decoder_finding(decoder, &at, IST_FILES_WARNING, "unknown field; it has no effect");
    }
}

static const ist_field *find_field(const ist_schema *schema, ist_strv name)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        if (ist_strv_equal(name, ist_strv_from(schema->fields[i].name))) {
            return &schema->fields[i];
        }
    }
    return NULL;
}

static void check_required(ist_decoder *decoder, const ist_schema *schema, const ist_yaml_node *node)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        ist_strv name = ist_strv_from(schema->fields[i].name);
        const ist_yaml_node *child = schema->fields[i].required ? ist_yaml_child(node, name) : NULL;
        if (schema->fields[i].required && (child == NULL || ist_yaml_is_null(child))) {
            size_t mark = ist_decoder_push(decoder, name);
            ist_decoder_finding(decoder, node, IST_FILES_ERROR, "is missing");
            ist_decoder_pop(decoder, mark);
        }
    }
}

void ist_decode_struct(ist_decoder *decoder, const ist_schema *schema, const ist_yaml_node *node, void *out)
{
    if (decoder->status != IST_OK || ist_yaml_is_null(node)) {
        return;
    }
    if (node->kind != IST_YAML_MAP) {
        wrong(decoder, node, "a mapping");
        return;
    }
    for (const ist_yaml_node *child = node->first; child != NULL && decoder->status == IST_OK; child = child->next) {
        const ist_field *field = find_field(schema, child->key);
        size_t mark = ist_decoder_push(decoder, child->key);
        if (field == NULL && !schema->open) {
            unknown_field(decoder, schema, child);
        } else if (field != NULL && !ist_yaml_is_null(child)) {
            decode_field(decoder, field, child, out);
        }
        ist_decoder_pop(decoder, mark);
    }
    check_required(decoder, schema, node);
}
