// SPDX-License-Identifier: Apache-2.0
#include "config/rules.h"

#include "options_priv.h"
#include "rules_priv.h"

#include "base/alloc.h"
#include "base/vec.h"

#include <stdlib.h>

// What all three kinds of rows begin with.
typedef struct row_head {
    ist_strv name;
    uint32_t line;
} row_head;

#define BEGINS_LIKE_A_ROW(type, member) \
    (offsetof(type, member) == offsetof(row_head, name) && offsetof(type, line) == offsetof(row_head, line))
_Static_assert(BEGINS_LIKE_A_ROW(ist_config_context, name) && BEGINS_LIKE_A_ROW(ist_config_service, host) &&
                   BEGINS_LIKE_A_ROW(ist_config_name, name),
               "rows are sorted by their head");

const ist_config_rules *ist_options_rules(const ist_options *options)
{
    static const ist_config_rules NONE = {.file = ""};
    return options->rules != NULL ? &options->rules->finished : &NONE;
}

void ist_rules_free(ist_rules *rules)
{
    if (rules != NULL) {
        IST_VEC_DONE(&rules->contexts);
        IST_VEC_DONE(&rules->services);
        IST_VEC_DONE(&rules->names);
        ist_arena_free(rules->arena);
        ist_free(rules);
    }
}

static int compare_names(const void *a, const void *b)
{
    const row_head *x = a;
    const row_head *y = b;
    return ist_strv_compare(x->name, y->name);
}

static int compare_rows(const void *a, const void *b)
{
    const row_head *x = a;
    const row_head *y = b;
    int order = compare_names(a, b);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

// Sorts `count` rows of `row_bytes` by their heads; a name that stands twice is an error.
static ist_status sort_rows(void *rows, size_t count, size_t row_bytes, const char *file, ist_err *err)
{
    if (count > 1) {
        qsort(rows, count, row_bytes, compare_rows);
    }
    for (size_t i = 1; i < count; i++) {
        const row_head *before = (const void *)((const char *)rows + (i - 1) * row_bytes);
        const row_head *row = (const void *)((const char *)rows + i * row_bytes);
        if (ist_strv_equal(before->name, row->name)) {
            return ist_err_set(err, IST_EINVAL, "%s:%u: \"%.*s\" stands here again; the first one is in line %u", file,
                               row->line, IST_STRV_ARG(row->name), before->line);
        }
    }
    return IST_OK;
}

static bool is_context(const ist_rules *rules, ist_strv name)
{
    if (ist_strv_equal(name, IST_STRV("default"))) {
        return true;
    }
    const row_head wanted = {.name = name};
    return rules->contexts.count != 0 && bsearch(&wanted, rules->contexts.items, rules->contexts.count,
                                                 sizeof(*rules->contexts.items), compare_names) != NULL;
}

static const char *next_context(void *ctx, size_t n)
{
    const ist_rules *rules = ctx;
    return n < rules->contexts.count ? rules->contexts.items[n].name.p : NULL; // arena copies are terminated
}

static ist_status check_contexts(ist_rules *rules, const char *file, ist_err *err)
{
    for (size_t i = 0; i < rules->services.count; i++) {
        const ist_config_service *service = &rules->services.items[i];
        char hint[IST_OPTION_HINT_SIZE];
        if (service->context.n != 0 && !is_context(rules, service->context)) {
            return ist_err_set(err, IST_EINVAL, "%s:%u: service %.*s: no context \"%.*s\" under contexts:%s", file,
                               service->line, IST_STRV_ARG(service->host), IST_STRV_ARG(service->context),
                               ist_word_hint(service->context, "", next_context, rules, hint));
        }
    }
    return IST_OK;
}

ist_status ist_rules_finish(ist_rules *rules, const char *file, ist_err *err)
{
    ist_strv copy = ist_arena_strv(rules->arena, ist_strv_from(file));
    if (copy.p == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_status status =
        sort_rows(rules->contexts.items, rules->contexts.count, sizeof(*rules->contexts.items), file, err);
    if (status == IST_OK) {
        status = sort_rows(rules->services.items, rules->services.count, sizeof(*rules->services.items), file, err);
    }
    if (status == IST_OK) {
        status = sort_rows(rules->names.items, rules->names.count, sizeof(*rules->names.items), file, err);
    }
    if (status == IST_OK) {
        status = check_contexts(rules, file, err);
    }
    rules->finished = (ist_config_rules){.file = copy.p,
                                         .contexts = rules->contexts.items,
                                         .services = rules->services.items,
                                         .names = rules->names.items,
                                         .context_count = (uint32_t)rules->contexts.count,
                                         .service_count = (uint32_t)rules->services.count,
                                         .name_count = (uint32_t)rules->names.count};
    return status;
}
