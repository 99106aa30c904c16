// SPDX-License-Identifier: Apache-2.0
//
// The pages for people: HTML, which is well-formed XML too, without a script and with nothing from elsewhere. Whatever is data is
// escaped on its way in. Threads: the HTTP thread.
#pragma once

#include "eureka_priv.h"

// A list that a page shows, or what is there of it.
typedef struct page_source {
    const ist_mesh_view *view; // NULL before the first one
    eureka_list *list;         // NULL: there is no view, or no memory
    list_times times;
    ist_strv filter; // part of an application's name, in upper case; empty = all
    ist_arena *scratch;
} page_source;

// The applications as a table, at most so many instances; then how many are left out.
#define PAGE_INSTANCES_MAX 1000
void page_write_apps(const page_source *source, ist_buf *out);

void page_text(ist_buf *out, ist_strv text);                    // escaped
void page_cell(ist_buf *out, const char *label, ist_strv text); // <td>, an empty one where there is no text
void page_status(ist_buf *out, const eureka_instance *instance, const char *more); // <td>, `more` behind it
// "12 s", "3 min", "2 h".
void page_duration(ist_buf *out, int64_t ms);
