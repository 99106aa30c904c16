// SPDX-License-Identifier: Apache-2.0
//
// The model as text, JSON and XML, whole and compact, with exactly the fields and types that the oldest decoders take: an
// unknown field makes Spring's fail. Errors stick to the buffers. Threads: the HTTP thread.
#pragma once

#include "model_priv.h"

#include "api_core/json.h"

// The root object of one instance, of one application.
void eureka_write_instance_body(ist_buf *out, eureka_format format, eureka_detail detail,
                                const eureka_instance *instance);
// The instance as a member of an object of ours.
void eureka_write_json_member(ist_json *json, const char *key, const eureka_instance *instance);
void eureka_write_app_body(ist_buf *out, eureka_format format, eureka_detail detail, eureka_app *app);

// The rendered application, kept in it; its status says whether it is whole.
const ist_buf *eureka_app_text(eureka_app *app, eureka_format format, eureka_detail detail);

// An application with its instances, of which those from `deleted_from` on are gone.
typedef struct eureka_app_part {
    ist_strv name;
    eureka_instance *const *instances;
    uint32_t count;
    uint32_t deleted_from;
} eureka_app_part;
void eureka_write_app_part(ist_buf *out, eureka_format format, eureka_detail detail, const eureka_app_part *part);

// The frame around the applications.
void eureka_write_begin(ist_buf *out, eureka_format format, int64_t version, const char *hash_code);
ist_strv eureka_separator(eureka_format format, bool first); // before each application
void eureka_write_end(ist_buf *out, eureka_format format);
