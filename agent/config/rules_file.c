// SPDX-License-Identifier: Apache-2.0
//
// contexts:, services: and names: of the configuration file, checked for their form as they are read.
#include "options_priv.h"
#include "rules_priv.h"

#include "config/agent.h"

#include "base/alloc.h"
#include "base/vec.h"

#include <string.h>

#define ARENA_MAX_BYTES ((size_t)64 << 20)
#define LABEL_MAX 63
#define NAME_MAX_BYTES 253
#define VALUE_MAX_BYTES 8192

// Everything a key function needs; the rows at hand are copied into the rules when they are complete.
typedef struct rules_reading {
    ist_yaml_reader *reader;
    ist_rules *rules;
    ist_strv text; // the one value that was read last, in the arena
    size_t text_line;
    bool has_text;
    ist_config_context context;
    ist_config_header headers[IST_CONFIG_HEADERS_MAX];
    ist_strv header; // name of the header whose values are read
    ist_config_service service;
    ist_config_metadata metadata[IST_CONFIG_METADATA_MAX];
    uint32_t keys_seen; // of the row at hand, one bit each
} rules_reading;

static const char *const SECTIONS[] = {"contexts", "services", "names"};
_Static_assert(IST_COUNT(SECTIONS) == _IST_RULES_SECTION_MAX, "one key per section");

const char *ist_rules_section_key(size_t section)
{
    return section < IST_COUNT(SECTIONS) ? SECTIONS[section] : NULL;
}

ist_rules_section ist_rules_section_of(ist_strv key)
{
    size_t i = 0;
    while (i < IST_COUNT(SECTIONS) && !ist_strv_equal(key, ist_strv_from(SECTIONS[i]))) {
        i++;
    }
    return (ist_rules_section)i;
}

static ist_status no_memory(const rules_reading *reading)
{
    return ist_err_set(reading->reader->err, IST_ENOMEM, "out of memory");
}

// --- Forms ----------------------------------------------------------------------------------------------------------

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// A token of RFC 9110.
static bool is_token(ist_strv text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_alphanumeric(text.p[i]) && (text.p[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text.p[i]) == NULL)) {
            return false;
        }
    }
    return text.n != 0;
}

static bool is_label(ist_strv text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool lower = is_alphanumeric(c) && !(c >= 'A' && c <= 'Z');
        bool edge = i == 0 || i + 1 == text.n;
        if (!lower && (c != '-' || edge)) {
            return false;
        }
    }
    return text.n != 0 && text.n <= LABEL_MAX;
}

// No control characters; spaces and tabs only where they are allowed.
static bool is_printable(ist_strv text, bool spaces)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool space = c == ' ' || c == '\t';
        if (space ? !spaces : c < ' ' || c == 0x7F) {
            return false;
        }
    }
    return text.n <= VALUE_MAX_BYTES;
}

static bool is_path(ist_strv text)
{
    return ist_strv_starts_with(text, IST_STRV("/")) && is_printable(text, false);
}

static bool is_scheme(ist_strv text)
{
    return ist_strv_equal(text, IST_STRV("http")) || ist_strv_equal(text, IST_STRV("https"));
}

static bool is_authority(ist_strv text)
{
    return text.n != 0 && text.n <= NAME_MAX_BYTES && is_printable(text, false);
}

// --- Values ---------------------------------------------------------------------------------------------------------

static ist_status keep_text(void *ctx, ist_strv text, size_t line)
{
    rules_reading *reading = ctx;
    if (reading->has_text) {
        return ist_yaml_fail(reading->reader, line, "one value is accepted here, not a list");
    }
    reading->has_text = true;
    reading->text_line = line;
    reading->text = ist_arena_strv(reading->rules->arena, text);
    return reading->text.p != NULL ? IST_OK : no_memory(reading);
}

// One value into reading->text; empty where there is none.
static ist_status read_text(rules_reading *reading, size_t line)
{
    reading->has_text = false;
    reading->text = IST_STRV_NULL;
    reading->text_line = line;
    return ist_yaml_read_texts(reading->reader, keep_text, reading);
}

// A name in lower case, copied.
static ist_status copy_name(rules_reading *reading, ist_strv name, size_t line, ist_strv *ret_name)
{
    if (name.n == 0 || name.n > NAME_MAX_BYTES) {
        return ist_yaml_fail(reading->reader, line, "a name has 1 to %d characters, not %zu", NAME_MAX_BYTES, name.n);
    }
    char *copy = ist_arena_alloc(reading->rules->arena, name.n + 1);
    if (copy == NULL) {
        return no_memory(reading);
    }
    ist_strv_lower(name, copy);
    copy[name.n] = '\0';
    *ret_name = ist_strv_make(copy, name.n);
    return IST_OK;
}

// Which key of a row this is; a key that stands twice or is unknown is an error.
typedef struct key_list {
    const char *row; // "service"
    ist_strv name;
    const char *const *keys;
    size_t count;
} key_list;

static const char *next_listed(void *ctx, size_t n)
{
    const key_list *list = ctx;
    return n < list->count ? list->keys[n] : NULL;
}

static ist_status find_key(rules_reading *reading, key_list list, ist_strv key, size_t line, size_t *ret_index)
{
    size_t i = 0;
    while (i < list.count && !ist_strv_equal(key, ist_strv_from(list.keys[i]))) {
        i++;
    }
    if (i < list.count && (reading->keys_seen & UINT32_C(1) << i) == 0) {
        reading->keys_seen |= UINT32_C(1) << i;
        *ret_index = i;
        return IST_OK;
    }
    if (i < list.count) {
        return ist_yaml_fail(reading->reader, line, "%s %.*s: \"%s\" stands here again", list.row,
                             IST_STRV_ARG(list.name), list.keys[i]);
    }
    char hint[IST_OPTION_HINT_SIZE];
    char known[256] = "";
    for (i = 0; i < list.count; i++) {
        size_t used = strlen(known);
        (void)snprintf(known + used, sizeof(known) - used, "%s%s", i != 0 ? ", " : "", list.keys[i]);
    }
    return ist_yaml_fail(reading->reader, line, "%s %.*s: unknown key \"%.*s\"%s; there are %s", list.row,
                         IST_STRV_ARG(list.name), IST_STRV_ARG(ist_strv_first(key, LABEL_MAX)),
                         ist_word_hint(key, "", next_listed, &list, hint), known);
}

static ist_status full(rules_reading *reading, ist_status status, ist_rules_section section, size_t max, size_t line)
{
    if (status == IST_ELIMIT) {
        return ist_yaml_fail(reading->reader, line, "more than %zu %s", max, SECTIONS[section]);
    }
    return status == IST_OK ? IST_OK : no_memory(reading);
}

// --- Contexts -------------------------------------------------------------------------------------------------------

enum { KEY_METHOD, KEY_PATH, KEY_SCHEME, KEY_AUTHORITY, KEY_HEADERS, CONTEXT_KEYS };

static ist_status add_header_value(void *ctx, ist_strv text, size_t line)
{
    rules_reading *reading = ctx;
    ist_config_context *context = &reading->context;
    if (!is_printable(text, true)) {
        return ist_yaml_fail(reading->reader, line,
                             "context %.*s: the value of header %.*s has control characters, or over %d characters",
                             IST_STRV_ARG(context->name), IST_STRV_ARG(reading->header), VALUE_MAX_BYTES);
    }
    if (context->header_count == IST_CONFIG_HEADERS_MAX) {
        return ist_yaml_fail(reading->reader, line, "context %.*s: more than %d header values",
                             IST_STRV_ARG(context->name), IST_CONFIG_HEADERS_MAX);
    }
    ist_strv value = ist_arena_strv(reading->rules->arena, text);
    reading->headers[context->header_count++] = (ist_config_header){.name = reading->header, .value = value};
    return value.p != NULL ? IST_OK : no_memory(reading);
}

static ist_status read_header(void *ctx, ist_strv key, size_t line)
{
    rules_reading *reading = ctx;
    ist_config_context *context = &reading->context;
    if (!is_token(key)) {
        return ist_yaml_fail(reading->reader, line,
                             "context %.*s: \"%.*s\" is no name of a header (letters, digits and '-'; the method, the "
                             "path, the scheme and the authority have keys of their own)",
                             IST_STRV_ARG(context->name), IST_STRV_ARG(ist_strv_first(key, LABEL_MAX)));
    }
    ist_status status = copy_name(reading, key, line, &reading->header);
    for (uint32_t i = 0; i < context->header_count && status == IST_OK; i++) {
        if (ist_strv_equal(reading->headers[i].name, reading->header)) {
            status = ist_yaml_fail(reading->reader, line,
                                   "context %.*s: header %.*s stands here again; give its values as a list",
                                   IST_STRV_ARG(context->name), IST_STRV_ARG(reading->header));
        }
    }
    return status == IST_OK ? ist_yaml_read_texts(reading->reader, add_header_value, reading) : status;
}

static ist_status read_context_key(void *ctx, ist_strv key, size_t line)
{
    static const char *const KEYS[CONTEXT_KEYS] = {"method", "path", "scheme", "authority", "headers"};
    static const struct {
        bool (*fits)(ist_strv text);
        const char *accepted;
    } FORMS[KEY_HEADERS] = {[KEY_METHOD] = {is_token, "a method such as GET"},
                            [KEY_PATH] = {is_path, "a path that begins with /, without spaces"},
                            [KEY_SCHEME] = {is_scheme, "http or https"},
                            [KEY_AUTHORITY] = {is_authority, "HOST or HOST:PORT"}};
    rules_reading *reading = ctx;
    ist_config_context *context = &reading->context;
    size_t index;
    key_list list = {.row = "context", .name = context->name, .keys = KEYS, .count = CONTEXT_KEYS};
    ist_status status = find_key(reading, list, key, line, &index);
    if (status == IST_OK && index == KEY_HEADERS) {
        return ist_yaml_read_mapping(reading->reader, "headers", read_header, reading);
    }
    if (status == IST_OK) {
        status = read_text(reading, line);
    }
    if (status == IST_OK && !FORMS[index].fits(reading->text)) {
        return ist_yaml_fail(reading->reader, reading->text_line, "context %.*s: %s must be %s, is \"%.*s\"",
                             IST_STRV_ARG(context->name), KEYS[index], FORMS[index].accepted,
                             IST_STRV_ARG(ist_strv_first(reading->text, LABEL_MAX)));
    }
    if (status == IST_OK) {
        ist_strv *const fields[KEY_HEADERS] = {&context->method, &context->path, &context->scheme, &context->authority};
        *fields[index] = reading->text;
    }
    return status;
}

static ist_status read_context(void *ctx, ist_strv key, size_t line)
{
    rules_reading *reading = ctx;
    ist_rules *rules = reading->rules;
    if (!is_label(key)) {
        return ist_yaml_fail(reading->reader, line,
                             "\"%.*s\" is no name of a context: 1 to %d of a-z, 0-9 and '-', as in a host",
                             IST_STRV_ARG(ist_strv_first(key, LABEL_MAX)), LABEL_MAX);
    }
    reading->context = (ist_config_context){.line = (uint32_t)line + 1};
    reading->keys_seen = 0;
    ist_status status = copy_name(reading, key, line, &reading->context.name);
    if (status == IST_OK) {
        status = ist_yaml_read_mapping(reading->reader, "a context", read_context_key, reading);
    }
    if (status != IST_OK) {
        return status;
    }
    size_t count = reading->context.header_count;
    ist_config_header *headers = IST_ARENA_ARRAY(rules->arena, count + 1, ist_config_header);
    if (headers == NULL) {
        return no_memory(reading);
    }
    memcpy(headers, reading->headers, count * sizeof(*headers));
    reading->context.headers = headers;
    status = IST_VEC_PUSH(&rules->contexts, reading->context, IST_CONFIG_CONTEXTS_MAX);
    return full(reading, status, IST_RULES_CONTEXTS, IST_CONFIG_CONTEXTS_MAX, line);
}

// --- Services -------------------------------------------------------------------------------------------------------

// The choices are those of the options of the same names.
static const ist_agent_option CHOICES[] = {IST_OPT_DNS_ANSWER, IST_OPT_REGISTRY_ADDRESS, IST_OPT_UNMATCHED,
                                           IST_OPT_EMPTY_SUBSET};
// So are the forms of these paths.
static const ist_agent_option PATHS[] = {IST_OPT_EUREKA_HOME_PATH, IST_OPT_EUREKA_STATUS_PATH,
                                         IST_OPT_EUREKA_HEALTH_PATH};
enum {
    KEY_PRIMARY_PORT = IST_COUNT(CHOICES),
    KEY_CONTEXT,
    KEY_PATHS,
    KEY_METADATA = KEY_PATHS + IST_COUNT(PATHS),
    SERVICE_KEYS
};

// The value that was read, in the form of the option; says on failure where it stands.
static ist_status check_as_option(const rules_reading *reading, ist_agent_option option, uint64_t *ret_number)
{
    ist_status status =
        ist_option_check(&ist_agent_option_table()->rows[option], reading->text, ret_number, reading->reader->err);
    if (status != IST_OK) {
        ist_err_prefix(reading->reader->err, "%s:%zu: service %.*s", reading->reader->name, reading->text_line + 1,
                       IST_STRV_ARG(reading->service.host));
    }
    return status;
}

static ist_status set_choice(rules_reading *reading, size_t index)
{
    ist_config_service *service = &reading->service;
    uint8_t *const fields[IST_COUNT(CHOICES)] = {&service->dns_answer, &service->registry_address, &service->unmatched,
                                                 &service->empty_subset};
    uint64_t place = 0;
    ist_status status = check_as_option(reading, CHOICES[index], &place);
    if (status == IST_OK) {
        *fields[index] = (uint8_t)(1 + place);
    }
    return status;
}

static ist_status set_path(rules_reading *reading, size_t index)
{
    ist_config_service *service = &reading->service;
    ist_strv *const fields[IST_COUNT(PATHS)] = {&service->home_path, &service->status_path, &service->health_path};
    uint64_t ignored = 0;
    ist_status status = check_as_option(reading, PATHS[index], &ignored);
    if (status == IST_OK) {
        *fields[index] = reading->text;
    }
    return status;
}

static ist_status set_primary_port(rules_reading *reading)
{
    uint64_t port = 0;
    if (ist_strv_to_u64(reading->text, UINT16_MAX, &port) != IST_OK || port == 0) {
        return ist_yaml_fail(
            reading->reader, reading->text_line, "service %.*s: primary-port must be 1 to 65535, is \"%.*s\"",
            IST_STRV_ARG(reading->service.host), IST_STRV_ARG(ist_strv_first(reading->text, LABEL_MAX)));
    }
    reading->service.primary_port = (uint16_t)port;
    return IST_OK;
}

static ist_status set_context(rules_reading *reading)
{
    if (!is_label(reading->text)) { // whether it exists is known when all has been read
        return ist_yaml_fail(
            reading->reader, reading->text_line, "service %.*s: context must be a name under contexts:, is \"%.*s\"",
            IST_STRV_ARG(reading->service.host), IST_STRV_ARG(ist_strv_first(reading->text, LABEL_MAX)));
    }
    reading->service.context = reading->text;
    return IST_OK;
}

// Balancers give these keys a meaning, and would bend the shares or mistake one instance for another.
static bool steers_clients(ist_strv key)
{
    static const ist_strv KEYS[] = {IST_STRV_INIT("zone"), IST_STRV_INIT("weight"), IST_STRV_INIT("hint"),
                                    IST_STRV_INIT("instanceId")};
    for (size_t i = 0; i < IST_COUNT(KEYS); i++) {
        if (ist_strv_equal_nocase(key, KEYS[i])) {
            return true;
        }
    }
    return false;
}

// A key that decoders take as it is: "@class" would name a type.
static bool is_metadata_key(ist_strv key)
{
    return key.n != 0 && key.n <= NAME_MAX_BYTES && is_printable(key, false) && key.p[0] != '@';
}

static ist_status check_metadata_key(const rules_reading *reading, ist_strv key, size_t line)
{
    const ist_config_service *service = &reading->service;
    if (steers_clients(key)) {
        return ist_yaml_fail(
            reading->reader, line,
            "service %.*s: metadata may not have \"%.*s\": clients balance or tell instances apart by it, "
            "and shares would not be those of the mesh",
            IST_STRV_ARG(service->host), IST_STRV_ARG(key));
    }
    if (!is_metadata_key(key)) {
        return ist_yaml_fail(
            reading->reader, line,
            "service %.*s: \"%.*s\" is no key of metadata: 1 to %d characters without spaces, the first "
            "one not '@'",
            IST_STRV_ARG(service->host), IST_STRV_ARG(ist_strv_first(key, LABEL_MAX)), NAME_MAX_BYTES);
    }
    for (uint32_t i = 0; i < service->metadata_count; i++) {
        if (ist_strv_equal(reading->metadata[i].key, key)) {
            return ist_yaml_fail(reading->reader, line, "service %.*s: metadata %.*s stands here again",
                                 IST_STRV_ARG(service->host), IST_STRV_ARG(key));
        }
    }
    return IST_OK;
}

static ist_status read_metadata(void *ctx, ist_strv key, size_t line)
{
    rules_reading *reading = ctx;
    ist_config_service *service = &reading->service;
    ist_status status = check_metadata_key(reading, key, line);
    if (status == IST_OK && service->metadata_count == IST_CONFIG_METADATA_MAX) {
        return ist_yaml_fail(reading->reader, line, "service %.*s: more than %d pairs of metadata",
                             IST_STRV_ARG(service->host), IST_CONFIG_METADATA_MAX);
    }
    ist_strv copy = status == IST_OK ? ist_arena_strv(reading->rules->arena, key) : IST_STRV_NULL;
    if (copy.p == NULL) {
        return status != IST_OK ? status : no_memory(reading);
    }
    status = read_text(reading, line);
    if (status == IST_OK && !is_printable(reading->text, true)) {
        return ist_yaml_fail(reading->reader, reading->text_line,
                             "service %.*s: the value of metadata %.*s has control characters, or over %d characters",
                             IST_STRV_ARG(service->host), IST_STRV_ARG(copy), VALUE_MAX_BYTES);
    }
    if (status == IST_OK) {
        reading->metadata[service->metadata_count++] = (ist_config_metadata){.key = copy, .value = reading->text};
    }
    return status;
}

static ist_status keep_metadata(rules_reading *reading)
{
    uint32_t count = reading->service.metadata_count;
    ist_config_metadata *copy = IST_ARENA_ARRAY(reading->rules->arena, (size_t)count + 1, ist_config_metadata);
    if (copy == NULL) {
        return no_memory(reading);
    }
    memcpy(copy, reading->metadata, count * sizeof(*copy));
    reading->service.metadata = copy;
    return IST_OK;
}

static ist_status set_service_value(rules_reading *reading, size_t index)
{
    if (index < KEY_PRIMARY_PORT) {
        return set_choice(reading, index);
    }
    if (index >= KEY_PATHS) {
        return set_path(reading, index - KEY_PATHS);
    }
    return index == KEY_CONTEXT ? set_context(reading) : set_primary_port(reading);
}

static ist_status read_service_key(void *ctx, ist_strv key, size_t line)
{
    rules_reading *reading = ctx;
    const char *keys[SERVICE_KEYS] = {
        [KEY_PRIMARY_PORT] = "primary-port", [KEY_CONTEXT] = "context", [KEY_METADATA] = "metadata"};
    size_t index;
    for (size_t i = 0; i < IST_COUNT(CHOICES); i++) {
        keys[i] = ist_agent_option_table()->rows[CHOICES[i]].name;
    }
    for (size_t i = 0; i < IST_COUNT(PATHS); i++) {
        keys[KEY_PATHS + i] = ist_agent_option_table()->rows[PATHS[i]].name;
    }
    key_list list = {.row = "service", .name = reading->service.host, .keys = keys, .count = SERVICE_KEYS};
    ist_status status = find_key(reading, list, key, line, &index);
    if (status == IST_OK && index == KEY_METADATA) {
        return ist_yaml_read_mapping(reading->reader, "metadata", read_metadata, reading);
    }
    if (status == IST_OK) {
        status = read_text(reading, line);
    }
    return status == IST_OK ? set_service_value(reading, index) : status;
}

static ist_status read_service(void *ctx, ist_strv key, size_t line)
{
    rules_reading *reading = ctx;
    reading->service = (ist_config_service){.line = (uint32_t)line + 1};
    reading->keys_seen = 0;
    ist_status status = copy_name(reading, key, line, &reading->service.host);
    if (status == IST_OK) {
        status = ist_yaml_read_mapping(reading->reader, "a service", read_service_key, reading);
    }
    if (status == IST_OK) {
        status = keep_metadata(reading);
    }
    if (status != IST_OK) {
        return status;
    }
    status = IST_VEC_PUSH(&reading->rules->services, reading->service, IST_CONFIG_SERVICES_MAX);
    return full(reading, status, IST_RULES_SERVICES, IST_CONFIG_SERVICES_MAX, line);
}

// --- Names ----------------------------------------------------------------------------------------------------------

static ist_status read_name(void *ctx, ist_strv key, size_t line)
{
    rules_reading *reading = ctx;
    ist_config_name name = {.line = (uint32_t)line + 1};
    ist_status status = copy_name(reading, key, line, &name.name);
    if (status == IST_OK) {
        status = read_text(reading, line);
    }
    if (status == IST_OK) {
        status = copy_name(reading, reading->text, reading->text_line, &name.host);
    }
    if (status != IST_OK) {
        return status;
    }
    status = IST_VEC_PUSH(&reading->rules->names, name, IST_CONFIG_NAMES_MAX);
    return full(reading, status, IST_RULES_NAMES, IST_CONFIG_NAMES_MAX, line);
}

// --- The three together ---------------------------------------------------------------------------------------------

static ist_rules *rules_of(ist_options *options)
{
    if (options->rules == NULL) {
        options->rules = IST_NEW(ist_rules);
    }
    if (options->rules != NULL && options->rules->arena == NULL) {
        options->rules->arena = ist_arena_new(0, ARENA_MAX_BYTES);
    }
    return options->rules != NULL && options->rules->arena != NULL ? options->rules : NULL;
}

ist_status ist_rules_read_section(ist_yaml_reader *reader, ist_rules_section section, size_t line)
{
    static const ist_yaml_key_fn READERS[] = {read_context, read_service, read_name};
    rules_reading reading = {.reader = reader, .rules = rules_of(reader->options)};
    if (reading.rules == NULL) {
        return no_memory(&reading);
    }
    if (reading.rules->seen[section]) {
        return ist_yaml_fail(reader, line, "\"%s\" stands here again", SECTIONS[section]);
    }
    reading.rules->seen[section] = true;
    return ist_yaml_read_mapping(reader, SECTIONS[section], READERS[section], &reading);
}
