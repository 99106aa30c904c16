// SPDX-License-Identifier: Apache-2.0
//
// The finished bodies of a list.
#include "list_priv.h"

#include "body_sink_priv.h"
#include "changes_priv.h"

#include "api_core/gzip.h"

#define FEW_CHANGES 256 // a delta of no more is packed as a whole: it is small, and never what the last one was

void eureka_list_drop_bodies(eureka_list *list, eureka_extent extent)
{
    ist_api_body **bodies = (ist_api_body **)list->bodies[extent];
    for (size_t i = 0; i < sizeof(list->bodies[extent]) / sizeof(*bodies); i++) {
        ist_api_body_release(bodies[i]);
        bodies[i] = NULL;
    }
}

static void write_apps(eureka_list *list, body_sink *sink)
{
    for (size_t i = 0; i < list->apps.count; i++) {
        eureka_app *app = list->apps.items[i];
        body_sink_app(sink, app->name, eureka_app_text(app, sink->format, sink->detail));
    }
}

static ist_status write_body(eureka_list *list, const list_form *form, ist_api_packer *packer, ist_arena *scratch,
                             ist_buf *out)
{
    body_sink sink = {.format = form->format, .detail = form->detail, .out = out, .packer = packer};
    body_sink_begin(&sink, list->version, list->hash_code);
    if (form->extent == EUREKA_ALL) {
        write_apps(list, &sink);
    } else {
        ist_arena_clear(scratch);
        changes_write(list->changes, form->extent == EUREKA_DELTA ? list->recent_ms : 0,
                      form->extent == EUREKA_DELTA_WHOLE ? &list->apps : NULL, scratch, &sink);
    }
    return body_sink_end(&sink);
}

static ist_api_packer *find_packer(eureka_list *list, const list_form *form)
{
    ist_api_packer **packer = &list->packers[form->format][form->detail];
    *packer = *packer != NULL ? *packer : ist_api_packer_new();
    return *packer;
}

static bool is_small(const eureka_list *list, const list_form *form)
{
    return (form->extent == EUREKA_DELTA || form->extent == EUREKA_DELTA_LONG) &&
           ist_map_count(list->changes) <= FEW_CHANGES;
}

static ist_status pack_small(eureka_list *list, const list_form *form, ist_arena *scratch, ist_buf *out)
{
    ist_buf plain = IST_BUF_INIT;
    ist_status status = write_body(list, form, NULL, scratch, &plain);
    status = status == IST_OK ? ist_api_gzip(ist_buf_view(&plain), out) : status;
    ist_buf_done(&plain);
    return status;
}

static ist_status make_body(eureka_list *list, const list_form *form, ist_arena *scratch, ist_buf *out)
{
    if (!form->packed) {
        return write_body(list, form, NULL, scratch, out);
    }
    if (is_small(list, form)) {
        return pack_small(list, form, scratch, out);
    }
    ist_api_packer *packer = find_packer(list, form);
    return packer != NULL ? write_body(list, form, packer, scratch, out) : IST_ENOMEM;
}

ist_api_body *eureka_list_body(eureka_list *list, const list_form *form, ist_arena *scratch)
{
    ist_api_body **body = &list->bodies[form->extent][form->format][form->detail][form->packed ? 1 : 0];
    if (*body == NULL) {
        ist_buf bytes = IST_BUF_INIT;
        ist_status status = make_body(list, form, scratch, &bytes);
        *body = status == IST_OK ? ist_api_body_new(ist_buf_view(&bytes)) : NULL;
        ist_buf_done(&bytes);
    }
    return *body;
}
