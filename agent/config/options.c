// SPDX-License-Identifier: Apache-2.0
#include "config/options.h"

#include "options_priv.h"
#include "rules_priv.h"

#include "base/alloc.h"

#include <string.h>

static const ist_strv ENV_PREFIX = IST_STRV_INIT("ISTHMUS_");

ist_status ist_options_new(const ist_option_table *table, ist_options **ret_options, ist_err *err)
{
    ist_status status = IST_ENOMEM;
    ist_options *options = IST_NEW(ist_options);
    if (options == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    options->table = table;
    options->values = ist_calloc(table->count, sizeof(*options->values));
    if (options->values == NULL) {
        ist_err_set(err, IST_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].fallback == NULL) {
            continue;
        }
        status = ist_options_set(options, i, ist_strv_from(table->rows[i].fallback), IST_ORIGIN_DEFAULT, err);
        if (status != IST_OK) {
            status = status == IST_ENOMEM ? status : IST_EINTERNAL;
            goto out;
        }
    }
    *ret_options = options;
    return IST_OK;
out:
    ist_options_free(options);
    return status;
}

void ist_options_free(ist_options *options)
{
    if (options == NULL) {
        return;
    }
    for (size_t i = 0; options->values != NULL && i < options->table->count; i++) {
        ist_free(options->values[i].text);
    }
    ist_free(options->values);
    ist_rules_free(options->rules);
    ist_free(options);
}

// What divides the parts of a value.
static char separator_of(const ist_option *row)
{
    switch (row->type) {
    case IST_OPTION_PAIRS:
        return '\n';
    case IST_OPTION_ROUTES:
        return ';';
    case IST_OPTION_TEXT:
    case IST_OPTION_FLAG:
    case IST_OPTION_CHOICE:
    case IST_OPTION_DURATION:
    case IST_OPTION_SIZE:
    case IST_OPTION_COUNT:
    case IST_OPTION_LISTEN:
    case IST_OPTION_SERVERS:
    case IST_OPTION_UPSTREAMS:
    case IST_OPTION_LABELS:
    case IST_OPTION_FILE:
    case IST_OPTION_MEANINGS:
    case IST_OPTION_NAMES:
    case IST_OPTION_PATHS:
    case IST_OPTION_URL_PATH:
    case _IST_OPTION_TYPE_MAX:
        break;
    }
    return ',';
}

// A terminated copy of `value`, behind `before` and the separator where that is not NULL. NULL on ENOMEM.
static char *join_parts(const char *before, char separator, ist_strv value)
{
    if (before == NULL) {
        return ist_strndup(value.n != 0 ? value.p : "", value.n);
    }
    ist_buf joined = IST_BUF_INIT;
    ist_buf_append_str(&joined, before);
    ist_buf_append_char(&joined, separator);
    ist_buf_append_strv(&joined, value);
    char *text = ist_buf_steal(&joined, NULL);
    ist_buf_done(&joined);
    return text;
}

ist_status ist_options_set(ist_options *options, size_t index, ist_strv value, ist_option_origin origin, ist_err *err)
{
    option_value *slot = &options->values[index];
    uint64_t number = 0;
    ist_status status = ist_option_check(&options->table->rows[index], value, &number, err);
    if (status != IST_OK) {
        return status;
    }
    if (slot->text != NULL && slot->origin > origin) {
        return IST_OK;
    }
    char separator = separator_of(&options->table->rows[index]);
    bool adds = slot->text != NULL && slot->origin == origin && separator != ',';
    char *copy = join_parts(adds ? slot->text : NULL, separator, value);
    if (copy == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_free(slot->text);
    *slot = (option_value){.text = copy, .number = number, .origin = origin};
    return IST_OK;
}

size_t ist_option_find(const ist_option_table *table, ist_strv name)
{
    size_t i = 0;
    while (i < table->count && !ist_strv_equal(name, ist_strv_from(table->rows[i].name))) {
        i++;
    }
    return i;
}

// --- Flags ----------------------------------------------------------------------------------------------------------

static ist_status add_argument(ist_options *options, const char *word, ist_err *err)
{
    if (options->argument_count == OPTION_ARGUMENTS_MAX) {
        return ist_err_set(err, IST_ELIMIT, "more than %d arguments", OPTION_ARGUMENTS_MAX);
    }
    options->arguments[options->argument_count++] = word;
    return IST_OK;
}

static ist_status unknown_flag(const ist_options *options, ist_strv name, ist_err *err)
{
    char hint[IST_OPTION_HINT_SIZE];
    return ist_err_set(err, IST_EINVAL, "unknown flag --%.*s%s; --help lists all flags", IST_STRV_ARG(name),
                       ist_option_hint(options->table, name, "--", hint));
}

// The row that "--NAME" means; *ret_negated for "--no-NAME" of a FLAG. table->count: none.
static size_t find_flag(const ist_option_table *table, ist_strv name, bool has_value, bool *ret_negated)
{
    size_t index = ist_option_find(table, name);
    *ret_negated = false;
    if (index < table->count || has_value || !ist_strv_starts_with(name, IST_STRV("no-"))) {
        return index;
    }
    index = ist_option_find(table, ist_strv_skip(name, 3));
    *ret_negated = index < table->count && table->rows[index].type == IST_OPTION_FLAG;
    return *ret_negated ? index : table->count;
}

// The value of a flag that does not carry it: the next word, or for a FLAG what standing alone means.
static ist_status following_value(const ist_option *row, int argc, const char *const *argv, int *at,
                                  ist_strv *ret_value, ist_err *err)
{
    uint64_t number = 0;
    bool is_flag = row->type == IST_OPTION_FLAG;
    bool follows = *at + 1 < argc;
    if (follows && is_flag) {
        follows = ist_option_check(row, ist_strv_from(argv[*at + 1]), &number, NULL) == IST_OK;
    }
    if (!follows && !is_flag) {
        return ist_err_set(err, IST_EINVAL, "--%s needs a value (%s)", row->name, row->metavar);
    }
    *ret_value = follows ? ist_strv_from(argv[++*at]) : IST_STRV("on");
    return IST_OK;
}

// One flag at argv[*at]; moves *at past its value. "--x", "--x=v", "--x v", "--no-x".
static ist_status read_flag(ist_options *options, int argc, const char *const *argv, int *at, ist_err *err)
{
    ist_strv value = ist_strv_skip(ist_strv_from(argv[*at]), 2);
    bool has_value = false;
    bool negated = false;
    ist_strv name = ist_strv_cut(&value, '=', &has_value);
    size_t index = find_flag(options->table, name, has_value, &negated);
    if (index == options->table->count) {
        return unknown_flag(options, name, err);
    }
    if (negated) {
        value = IST_STRV("off");
    } else if (!has_value) {
        ist_status status = following_value(&options->table->rows[index], argc, argv, at, &value, err);
        if (status != IST_OK) {
            return status;
        }
    }
    return ist_options_set(options, index, value, IST_ORIGIN_FLAG, err);
}

// One short flag at argv[*at]: "-x", "-x v", "-xv".
static ist_status read_short_flag(ist_options *options, int argc, const char *const *argv, int *at, ist_err *err)
{
    const ist_option_table *table = options->table;
    const char *word = argv[*at];
    size_t i = 0;
    while (i < table->short_count && table->shorts[i].letter != word[1]) {
        i++;
    }
    if (i == table->short_count) {
        return ist_err_set(err, IST_EINVAL, "unknown flag %s; --help lists all flags", word);
    }
    ist_strv value = ist_strv_skip(ist_strv_from(word), 2);
    if (value.n == 0) {
        ist_status status = following_value(&table->rows[table->shorts[i].index], argc, argv, at, &value, err);
        if (status != IST_OK) {
            return status;
        }
    }
    return ist_options_set(options, table->shorts[i].index, value, IST_ORIGIN_FLAG, err);
}

ist_status ist_options_read_args(ist_options *options, int argc, const char *const *argv, ist_err *err)
{
    ist_status status = IST_OK;
    bool flags = true;
    for (int i = 0; i < argc && status == IST_OK; i++) {
        if (!flags || argv[i][0] != '-' || argv[i][1] == '\0') {
            status = add_argument(options, argv[i], err);
        } else if (strcmp(argv[i], "--") == 0) {
            flags = false;
        } else if (argv[i][1] == '-') {
            status = read_flag(options, argc, argv, &i, err);
        } else {
            status = read_short_flag(options, argc, argv, &i, err);
        }
    }
    return status;
}

// --- Environment ----------------------------------------------------------------------------------------------------

// "ISTHMUS_DNS_LISTEN" -> "dns-listen" in `buffer`; false where it is too long.
static bool name_of_variable(ist_strv variable, char *buffer, size_t size_bytes)
{
    ist_strv name = ist_strv_skip(variable, ENV_PREFIX.n);
    if (name.n + 1 > size_bytes) {
        return false;
    }
    ist_strv_lower(name, buffer);
    buffer[name.n] = '\0';
    for (size_t i = 0; i < name.n; i++) {
        buffer[i] = buffer[i] == '_' ? '-' : buffer[i];
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Kubernetes gives every container variables for the Services of its namespace. For one named isthmus, or
// isthmus-something, they are called like ours: ISTHMUS_SERVICE_HOST, ISTHMUS_DNS_SERVICE_PORT_HTTP, ISTHMUS_PORT,
// ISTHMUS_PORT_8500_TCP_ADDR.
static bool is_service_link(ist_strv variable)
{
    static const ist_strv PORT = IST_STRV_INIT("_PORT");
    if (ist_strv_ends_with(variable, IST_STRV("_SERVICE_HOST")) || ist_strv_ends_with(variable, PORT) ||
        ist_strv_contains(variable, IST_STRV("_SERVICE_PORT_"))) {
        return true;
    }
    for (ist_strv rest = variable; rest.n > PORT.n + 1; rest = ist_strv_skip(rest, 1)) {
        if (ist_strv_starts_with(rest, PORT) && rest.p[PORT.n] == '_' && is_digit(rest.p[PORT.n + 1])) {
            return true;
        }
    }
    return false;
}

// Is it a variable of another command, or none of ours at all?
static bool is_foreign(const ist_option_table *table, ist_strv variable)
{
    ist_strv rest = ist_strv_from(table->other_env);
    for (bool more = rest.n != 0; more;) {
        if (ist_strv_equal(ist_strv_cut(&rest, '|', &more), variable)) {
            return true;
        }
    }
    return is_service_link(variable);
}

static ist_status read_own_variable(ist_options *options, ist_strv variable, ist_strv value, ist_err *err)
{
    char name[64] = "";
    size_t index = options->table->count;
    if (name_of_variable(variable, name, sizeof(name))) {
        index = ist_option_find(options->table, ist_strv_from(name));
    }
    if (index == options->table->count && is_foreign(options->table, variable)) {
        return IST_OK;
    }
    if (index == options->table->count) {
        char hint[IST_OPTION_HINT_SIZE];
        return ist_err_set(err, IST_EINVAL, "unknown environment variable %.*s%s", IST_STRV_ARG(variable),
                           ist_option_hint(options->table, ist_strv_from(name), "--", hint));
    }
    ist_status status = ist_options_set(options, index, value, IST_ORIGIN_ENV, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "environment variable %.*s", IST_STRV_ARG(variable));
    }
    return status;
}

// Istio's own names count only where our own variable is not given.
static ist_status read_foreign_variable(ist_options *options, ist_strv variable, ist_strv value, ist_err *err)
{
    for (size_t i = 0; i < options->table->count; i++) {
        const char *also = options->table->rows[i].also_env;
        if (also == NULL || value.n == 0 || !ist_strv_equal(variable, ist_strv_from(also)) ||
            options->values[i].origin == IST_ORIGIN_ENV) {
            continue;
        }
        ist_status status = ist_options_set(options, i, value, IST_ORIGIN_ENV, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "environment variable %s", also);
            return status;
        }
    }
    return IST_OK;
}

ist_status ist_options_read_env(ist_options *options, const char *const *env, ist_err *err)
{
    for (int own = 1; own >= 0; own--) {
        for (const char *const *at = env; *at != NULL; at++) {
            ist_strv value = ist_strv_from(*at);
            ist_strv variable = ist_strv_cut(&value, '=', NULL);
            bool ours = ist_strv_starts_with(variable, ENV_PREFIX);
            ist_status status = IST_OK;
            if (own == 1 && ours) {
                status = read_own_variable(options, variable, value, err);
            } else if (own == 0 && !ours) {
                status = read_foreign_variable(options, variable, value, err);
            }
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

// --- Results --------------------------------------------------------------------------------------------------------

bool ist_options_is_set(const ist_options *options, size_t index)
{
    return options->values[index].text != NULL;
}

ist_option_origin ist_options_origin(const ist_options *options, size_t index)
{
    return options->values[index].origin;
}

ist_strv ist_options_text(const ist_options *options, size_t index)
{
    return ist_strv_from(ist_options_string(options, index));
}

const char *ist_options_string(const ist_options *options, size_t index)
{
    const char *text = options->values[index].text;
    return text != NULL ? text : "";
}

bool ist_options_flag(const ist_options *options, size_t index)
{
    return options->values[index].number != 0;
}

size_t ist_options_choice(const ist_options *options, size_t index)
{
    return (size_t)options->values[index].number;
}

uint64_t ist_options_number(const ist_options *options, size_t index)
{
    return options->values[index].number;
}

bool ist_options_off(const ist_options *options, size_t index)
{
    ist_strv text = ist_options_text(options, index);
    return text.n == 0 || ist_strv_equal(text, IST_STRV("off"));
}

bool ist_options_part(const ist_options *options, size_t index, size_t part, ist_strv *ret_part)
{
    ist_strv rest = ist_options_text(options, index);
    char separator = separator_of(&options->table->rows[index]);
    bool more = rest.n != 0;
    for (size_t i = 0; more; i++) {
        ist_strv word = ist_strv_trim(ist_strv_cut(&rest, separator, &more));
        if (i == part) {
            *ret_part = word;
            return true;
        }
    }
    return false;
}

size_t ist_options_argument_count(const ist_options *options)
{
    return options->argument_count;
}

const char *ist_options_argument(const ist_options *options, size_t n)
{
    return n < options->argument_count ? options->arguments[n] : "";
}
