// SPDX-License-Identifier: Apache-2.0
#include "decode_priv.h"

#include <string.h>

#define RENEWAL_DEFAULT_S 30
#define DURATION_DEFAULT_S 90
#define PORT_DEFAULT 7001
#define SECURE_PORT_DEFAULT 7002

typedef struct decoding {
    const ist_document *body;
    ist_arena *arena;
    eureka_instance *draft;
    size_t bytes; // of all texts so far
    ist_err *err;
} decoding;

static ist_strv field(decoding *d, const char *name)
{
    ist_strv text = ist_document_text(ist_document_find(d->body, name));
    d->bytes += text.n;
    return text;
}

static int64_t number(ist_strv text, int64_t max, int64_t otherwise)
{
    uint64_t value = 0;
    return ist_strv_to_u64(text, (uint64_t)max, &value) == IST_OK && value != 0 ? (int64_t)value : otherwise;
}

static ist_status missing(decoding *d, const char *what)
{
    return ist_err_set(d->err, IST_EINVAL, "Missing %s", what);
}

static bool has_control(ist_strv text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static ist_status read_names(decoding *d)
{
    eureka_instance *draft = d->draft;
    const ist_document *center = ist_document_find(d->body, "dataCenterInfo");
    draft->id = field(d, "instanceId");
    draft->host_name = field(d, "hostName");
    draft->ip = field(d, "ipAddr");
    ist_strv app = field(d, "app");
    draft->id = draft->id.n != 0 ? draft->id : draft->host_name;
    if (draft->id.n == 0) {
        return missing(d, "instanceId");
    }
    if (draft->host_name.n == 0) {
        return missing(d, "hostname");
    }
    if (draft->ip.n == 0) {
        return missing(d, "ip address");
    }
    if (app.n == 0) {
        return missing(d, "appName");
    }
    if (has_control(app)) {
        return ist_err_set(d->err, IST_EINVAL, "appName has a control character, which no path can name");
    }
    if (center == NULL || center->kind == IST_DOCUMENT_NULL) {
        return missing(d, "dataCenterInfo");
    }
    if (ist_document_text(ist_document_find(center, "name")).n == 0) {
        return missing(d, "dataCenterInfo Name");
    }
    char *buffer = ist_arena_alloc(d->arena, app.n);
    draft->app = buffer != NULL ? eureka_upper(app, buffer, app.n) : IST_STRV_NULL;
    return buffer != NULL ? IST_OK : IST_ENOMEM;
}

// {"$": 8080, "@enabled": "true"}, a bare number, or nothing.
static uint16_t read_port(decoding *d, const char *name, uint16_t otherwise, bool *enabled)
{
    const ist_document *port = ist_document_find(d->body, name);
    ist_strv text = ist_document_text(port);
    const ist_document *flag = ist_document_find(port, "@enabled");
    *enabled = flag != NULL ? ist_strv_equal_nocase(ist_document_text(flag), IST_STRV("true")) : *enabled;
    return (uint16_t)number(text, UINT16_MAX, otherwise);
}

static eureka_status read_status(decoding *d, const char *name, eureka_status otherwise)
{
    ist_strv text = field(d, name);
    eureka_status status = EUREKA_UNKNOWN;
    return text.n == 0 || !eureka_status_parse(text, &status) ? otherwise : status;
}

// The three spellings that clients have had.
static eureka_status read_override(decoding *d)
{
    static const char *const NAMES[] = {"overriddenstatus", "overriddenStatus", "overridden_status"};
    for (size_t i = 0; i < IST_COUNT(NAMES); i++) {
        eureka_status status = read_status(d, NAMES[i], EUREKA_UNKNOWN);
        if (status != EUREKA_UNKNOWN) {
            return status;
        }
    }
    return EUREKA_UNKNOWN;
}

static void read_lease(decoding *d, int64_t wall_ms)
{
    const ist_document *lease = ist_document_find(d->body, "leaseInfo");
    ist_strv renewal = ist_document_text(ist_document_find(lease, "renewalIntervalInSecs"));
    ist_strv duration = ist_document_text(ist_document_find(lease, "durationInSecs"));
    if (duration.n == 0) {
        duration = ist_document_text(ist_document_find(lease, "evictionDurationInSecs")); // one Go client
    }
    d->draft->leased = true;
    d->draft->lease = (eureka_lease){.renewal_s = number(renewal, OWN_DURATION_MAX_S, RENEWAL_DEFAULT_S),
                                     .duration_s = number(duration, OWN_DURATION_MAX_S, DURATION_DEFAULT_S),
                                     .registered_ms = wall_ms,
                                     .renewed_ms = wall_ms,
                                     .up_ms = d->draft->status == EUREKA_UP ? wall_ms : 0};
}

static ist_status check_count(decoding *d, const char *field_name, ist_strv names)
{
    size_t count = 0;
    for (bool more = names.n != 0; more; count++) {
        (void)ist_strv_cut(&names, ',', &more);
    }
    return count <= OWN_NAMES_MAX
               ? IST_OK
               : ist_err_set(d->err, IST_ELIMIT, "more than %d names in %s", OWN_NAMES_MAX, field_name);
}

static ist_status check_vips(decoding *d)
{
    ist_status status = check_count(d, "vipAddress", d->draft->vips);
    return status == IST_OK ? check_count(d, "secureVipAddress", d->draft->secure_vips) : status;
}

// "@class" says only which map the client had.
static ist_status read_metadata(decoding *d)
{
    const ist_document *metadata = ist_document_find(d->body, "metadata");
    eureka_pair *pairs = IST_ARENA_ARRAY(d->arena, OWN_METADATA_MAX, eureka_pair);
    uint32_t count = 0;
    if (pairs == NULL) {
        return IST_ENOMEM;
    }
    for (const ist_document *each = metadata != NULL ? metadata->first : NULL; each != NULL; each = each->next) {
        if (each->name.n == 0 || each->kind == IST_DOCUMENT_NULL || ist_strv_equal(each->name, IST_STRV("@class"))) {
            continue;
        }
        if (count == OWN_METADATA_MAX) {
            return ist_err_set(d->err, IST_ELIMIT, "more than %d entries of metadata", OWN_METADATA_MAX);
        }
        pairs[count] = (eureka_pair){each->name, ist_document_text(each)};
        d->bytes += pairs[count].key.n + pairs[count].value.n;
        count++;
    }
    d->draft->metadata = pairs;
    d->draft->metadata_count = count;
    return IST_OK;
}

static void read_rest(decoding *d, int64_t wall_ms)
{
    eureka_instance *draft = d->draft;
    draft->port_enabled = true;
    draft->secure_port_enabled = false;
    draft->port = read_port(d, "port", PORT_DEFAULT, &draft->port_enabled);
    draft->secure_port = read_port(d, "securePort", SECURE_PORT_DEFAULT, &draft->secure_port_enabled);
    draft->status = read_status(d, "status", EUREKA_UP);
    draft->overridden = read_override(d);
    draft->vips = field(d, "vipAddress");
    draft->secure_vips = field(d, "secureVipAddress");
    draft->home_page = field(d, "homePageUrl");
    draft->status_page = field(d, "statusPageUrl");
    draft->health_check = field(d, "healthCheckUrl");
    draft->secure_health_check = field(d, "secureHealthCheckUrl");
    draft->updated_ms = wall_ms;
    draft->dirty_ms = number(field(d, "lastDirtyTimestamp"), INT64_MAX, wall_ms);
    read_lease(d, wall_ms);
}

ist_status eureka_decode(ist_document_format format, ist_strv body, int64_t wall_ms, ist_arena *arena,
                         eureka_instance *ret_draft, ist_err *err)
{
    const ist_document *root = NULL;
    eureka_instance draft = {.status = EUREKA_UP};
    ist_status status = ist_document_read(format, body, arena, &root, err);
    if (status != IST_OK) {
        return status;
    }
    const ist_document *wrapped = ist_document_find(root, "instance");
    decoding d = {.body = wrapped != NULL ? wrapped : root, .arena = arena, .draft = &draft, .err = err};
    status = read_names(&d);
    if (status == IST_OK) {
        read_rest(&d, wall_ms);
        status = check_vips(&d);
    }
    if (status == IST_OK) {
        status = read_metadata(&d);
    }
    if (status == IST_OK && d.bytes > OWN_TEXT_MAX_BYTES) {
        status = ist_err_set(err, IST_ELIMIT, "more than %d bytes of text", OWN_TEXT_MAX_BYTES);
    }
    if (status == IST_OK) {
        *ret_draft = draft;
    }
    return status;
}
