// SPDX-License-Identifier: Apache-2.0
#include "config/options.h"

#include "options_priv.h"

#include "base/alloc.h"

#include <string.h>

static const char ENV_PREFIX[] = "ISTHMUS_";

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
    ist_free(options);
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
    char *copy = ist_strndup(value.n != 0 ? value.p : "", value.n);
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
    char hint[80];
    return ist_err_set(err, IST_EINVAL, "unknown flag --%.*s%s; --help lists all flags", IST_STRV_ARG(name),
                       ist_option_hint(options->table, name, "--", hint, sizeof(hint)));
}

// One flag at argv[*at]; moves *at past its value. "--x", "--x=v", "--x v", "--no-x".
static ist_status read_flag(ist_options *options, int argc, const char *const *argv, int *at, ist_err *err)
{
    ist_strv value = ist_strv_skip(ist_strv_from(argv[*at]), 2);
    bool has_value = false;
    ist_strv name = ist_strv_cut(&value, '=', &has_value);
    size_t index = ist_option_find(options->table, name);
    bool negated = false;
    if (index == options->table->count && ist_strv_starts_with(name, IST_STRV("no-"))) {
        index = ist_option_find(options->table, ist_strv_skip(name, 3));
        negated = index < options->table->count && options->table->rows[index].type == IST_OPTION_FLAG && !has_value;
    }
    if (index == options->table->count || (ist_strv_starts_with(name, IST_STRV("no-")) && !negated &&
                                           !ist_strv_equal(name, ist_strv_from(options->table->rows[index].name)))) {
        return unknown_flag(options, name, err);
    }
    bool is_flag = options->table->rows[index].type == IST_OPTION_FLAG;
    if (!has_value && is_flag) {
        bool follows = *at + 1 < argc && ist_option_check(&options->table->rows[index], ist_strv_from(argv[*at + 1]),
                                                          &(uint64_t){0}, NULL) == IST_OK;
        value = negated ? IST_STRV("off") : follows ? ist_strv_from(argv[++*at]) : IST_STRV("on");
    } else if (!has_value) {
        if (*at + 1 >= argc) {
            return ist_err_set(err, IST_EINVAL, "--%.*s needs a value (%s)", IST_STRV_ARG(name),
                               options->table->rows[index].metavar);
        }
        value = ist_strv_from(argv[++*at]);
    }
    return ist_options_set(options, index, value, IST_ORIGIN_FLAG, err);
}

ist_status ist_options_read_args(ist_options *options, int argc, const char *const *argv, ist_err *err)
{
    bool flags = true;
    for (int i = 0; i < argc; i++) {
        ist_status status;
        if (flags && ist_strv_equal(ist_strv_from(argv[i]), IST_STRV("--"))) {
            flags = false;
            continue;
        }
        if (flags && ist_strv_starts_with(ist_strv_from(argv[i]), IST_STRV("--"))) {
            status = read_flag(options, argc, argv, &i, err);
        } else {
            status = add_argument(options, argv[i], err);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// --- Environment ----------------------------------------------------------------------------------------------------

// "ISTHMUS_DNS_LISTEN" -> "dns-listen" in `buffer`; false where it is too long.
static bool name_of_variable(ist_strv variable, char *buffer, size_t size_bytes)
{
    ist_strv name = ist_strv_skip(variable, sizeof(ENV_PREFIX) - 1);
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

static ist_status read_own_variable(ist_options *options, ist_strv variable, ist_strv value, ist_err *err)
{
    char name[64] = "";
    size_t index = options->table->count;
    if (name_of_variable(variable, name, sizeof(name))) {
        index = ist_option_find(options->table, ist_strv_from(name));
    }
    if (index == options->table->count) {
        char hint[80];
        return ist_err_set(err, IST_EINVAL, "unknown environment variable %.*s%s", IST_STRV_ARG(variable),
                           ist_option_hint(options->table, ist_strv_from(name), "--", hint, sizeof(hint)));
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
            bool ours = ist_strv_starts_with(variable, IST_STRV("ISTHMUS_"));
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
    bool more = rest.n != 0;
    for (size_t i = 0; more; i++) {
        ist_strv word = ist_strv_trim(ist_strv_cut(&rest, ',', &more));
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
