// SPDX-License-Identifier: Apache-2.0
//
// What a recorder hears, as one text, and that a client which is given all of it again shows the same view.
#include "ist_test.h"

#include "xds_script.h"

#include "base/buf.h"

enum { KEPT_MAX = 64 };

typedef struct kept {
    ist_xds_type type;
    char *name;
    ist_strv bytes;
} kept;

typedef struct recording {
    ist_arena *arena;
    ist_buf text;
    kept items[KEPT_MAX]; // every put, in order
    size_t count;
    uint64_t published;
} recording;

static void opened(void *ctx)
{
    recording *self = ctx;
    ist_buf_append_str(&self->text, "opened\n");
}

static void put(void *ctx, ist_xds_type type, ist_strv name, ist_strv version, ist_strv bytes)
{
    recording *self = ctx;
    assert_true(self->count < KEPT_MAX);
    assert_true(version.n > 0);
    ist_buf_printf(&self->text, "put %s %.*s\n", ist_xds_type_name(type), IST_STRV_ARG(name));
    self->items[self->count++] = (kept){.type = type,
                                        .name = make_text(self->arena, "%.*s", IST_STRV_ARG(name)),
                                        .bytes = ist_arena_strv(self->arena, bytes)};
}

static void say(recording *self, const char *what, ist_xds_type type, ist_strv name)
{
    ist_buf_printf(&self->text, "%s %s%s%.*s\n", what, ist_xds_type_name(type), name.n != 0 ? " " : "",
                   IST_STRV_ARG(name));
}

static void removed(void *ctx, ist_xds_type type, ist_strv name)
{
    say(ctx, "remove", type, name);
}

static void set_begin(void *ctx, ist_xds_type type)
{
    say(ctx, "begin", type, IST_STRV_NULL);
}

static void keep(void *ctx, ist_xds_type type, ist_strv name)
{
    say(ctx, "keep", type, name);
}

static void set_end(void *ctx, ist_xds_type type)
{
    say(ctx, "end", type, IST_STRV_NULL);
}

static void published(void *ctx, uint64_t revision)
{
    recording *self = ctx;
    assert_true(revision > self->published);
    self->published = revision;
}

static void settled(void *ctx, uint64_t revision)
{
    recording *self = ctx;
    ist_buf_printf(&self->text, "settled %llu\n", (unsigned long long)revision);
}

static xds_script the_script;
static recording the_recording;

static void begin(ist_xds_mode mode)
{
    the_recording = (recording){.arena = ist_arena_new(0, 0), .text = IST_BUF_INIT};
    ist_xds_recorder recorder = {.opened = opened,
                                 .put = put,
                                 .remove = removed,
                                 .set_begin = set_begin,
                                 .keep = keep,
                                 .set_end = set_end,
                                 .published = published,
                                 .settled = settled,
                                 .ctx = &the_recording};
    script_args args = {.mode = mode, .recorder = &recorder};
    script_init(&the_script, &args);
}

static void end(void)
{
    script_done(&the_script);
    ist_buf_done(&the_recording.text);
    ist_arena_free(the_recording.arena);
}

static void expect_text(const char *text)
{
    ist_test_strv_equal(ist_buf_view(&the_recording.text), text);
    ist_buf_clear(&the_recording.text);
}

static void what_is_accepted_is_told_and_settles_once_all_is_answered(void **state)
{
    (void)state;
    begin(IST_XDS_DELTA);
    script_connect(&the_script);
    SCRIPT_SEND(&the_script, IST_XDS_CDS, script_cluster(&the_script, "a.b", 80));
    expect_text("opened\nbegin cds\nput cds outbound|80||a.b\nend cds\n");
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "a.b", 80, 2));
    SCRIPT_SEND(&the_script, IST_XDS_NDS, script_names(&the_script, "a.b", "10.96.0.1"));
    script_send(&the_script, IST_XDS_LDS, NULL, 0);
    expect_text("put eds outbound|80||a.b\nput nds \nbegin lds\nend lds\n");
    SCRIPT_SEND(&the_script, IST_XDS_RDS, script_table(&the_script, 80, "a.b"));
    expect_text("put rds 80\nsettled 1\n");
    assert_int_equal(the_recording.published, 1);

    // A new cluster is not kept without its endpoints.
    SCRIPT_SEND(&the_script, IST_XDS_CDS, script_cluster(&the_script, "c.d", 80));
    expect_text("put cds outbound|80||c.d\n");
    SCRIPT_SEND(&the_script, IST_XDS_EDS, script_assignment(&the_script, "c.d", 80, 1));
    expect_text("put eds outbound|80||c.d\nsettled 2\n");
    // With a cluster go its endpoints.
    script_send_removed(&the_script, IST_XDS_CDS, "outbound|80||c.d");
    expect_text("remove cds outbound|80||c.d\nremove eds outbound|80||c.d\nsettled 3\n");
    end();
}

static void what_is_refused_is_kept_as_it_was(void **state)
{
    (void)state;
    begin(IST_XDS_SOTW);
    script_sync(&the_script);
    ist_buf_clear(&the_recording.text);
    made_resource bad = {.name = "outbound|81||bad", .bytes = IST_STRV("\x0a\x10outbound|81||bad\xff")};
    SCRIPT_SEND(&the_script, IST_XDS_CDS, script_cluster(&the_script, "a.b", 80), bad);
    expect_text("begin cds\nput cds outbound|80||a.b\nkeep cds outbound|81||bad\nend cds\nsettled 1\n");
    end();
}

static void body_restores(ist_xds_mode mode)
{
    begin(mode);
    script_sync(&the_script);
    int endpoints = script_endpoints(&the_script, "a.b", 80);
    xds_script other;
    script_args args = {.mode = mode};
    ist_err err = IST_ERR_NULL;
    script_init(&other, &args);
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        for (size_t i = 0; i < the_recording.count; i++) {
            const kept *item = &the_recording.items[i];
            assert_true(item->type != type || ist_xds_client_restore(other.client, type, item->bytes, &err) == IST_OK);
        }
    }
    assert_int_equal(ist_mesh_store_revision(other.store), 0);
    assert_int_equal(ist_xds_client_restored(other.client, &err), IST_OK);
    assert_int_equal(other.publish_count, 1);
    assert_int_equal(script_endpoints(&other, "a.b", 80), endpoints);
    assert_true(endpoints > 0);
    assert_true(ist_mesh_store_stale(other.store));
    assert_false(ist_xds_client_is_synced(other.client));

    // The control plane says the same again: no new view, and none is stale any more.
    script_sync(&other);
    assert_int_equal(other.publish_count, 1);
    assert_false(ist_mesh_store_stale(other.store));
    assert_true(ist_xds_client_is_synced(other.client));
    script_done(&other);
    end();
}

static void restored_client_shows_the_same_view(void **state)
{
    (void)state;
    body_restores(IST_XDS_DELTA);
    body_restores(IST_XDS_SOTW);
}

static void resource_that_cannot_be_restored_is_refused_alone(void **state)
{
    (void)state;
    ist_err err = IST_ERR_NULL;
    begin(IST_XDS_DELTA);
    assert_int_not_equal(ist_xds_client_restore(the_script.client, IST_XDS_CDS, IST_STRV("\xff\xff"), &err), IST_OK);
    assert_true(err.text[0] != '\0');
    made_resource cluster = script_cluster(&the_script, "a.b", 80);
    assert_int_equal(ist_xds_client_restore(the_script.client, IST_XDS_CDS, cluster.bytes, &err), IST_OK);
    made_resource assignment = script_assignment(&the_script, "a.b", 80, 3);
    assert_int_equal(ist_xds_client_restore(the_script.client, IST_XDS_EDS, assignment.bytes, &err), IST_OK);
    assert_int_equal(ist_xds_client_restored(the_script.client, &err), IST_OK);
    assert_int_equal(script_endpoints(&the_script, "a.b", 80), 3);
    expect_text(""); // nothing of it is recorded again
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_accepted_is_told_and_settles_once_all_is_answered),
        cmocka_unit_test(what_is_refused_is_kept_as_it_was),
        cmocka_unit_test(restored_client_shows_the_same_view),
        cmocka_unit_test(resource_that_cannot_be_restored_is_refused_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
