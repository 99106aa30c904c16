// SPDX-License-Identifier: Apache-2.0
//
// The directory: what is read again, what stays, the watch.
#include "ist_test.h"

#include "base/buf.h"
#include "files/source.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY(host, address)                                                                               \
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: app}\nspec:\n" \
    "  hosts: [" host "]\n  resolution: STATIC\n  ports: [{number: 80, name: http, protocol: HTTP}]\n"     \
    "  endpoints: [{address: " address "}]\n"

typedef struct world {
    char path[64];
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_loop *loop;
    ist_files *files;
    uint32_t changes;
} world;

static void put(const world *w, const char *name, const char *text)
{
    char path[256];
    char temporary[256];
    (void)snprintf(path, sizeof(path), "%s/%s", w->path, name);
    (void)snprintf(temporary, sizeof(temporary), "%s/.new", w->path);
    FILE *file = fopen(temporary, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
}

static void on_changed(void *ctx, const ist_files_summary *summary)
{
    world *w = ctx;
    w->changes += summary->applied ? 1 : 0;
    ist_loop_stop(w->loop);
}

static int set_up(void **state)
{
    world *w = calloc(1, sizeof(*w));
    ist_err err = IST_ERR_NULL;
    (void)snprintf(w->path, sizeof(w->path), "/tmp/ist_files_XXXXXX");
    assert_non_null(mkdtemp(w->path));
    ist_mesh_policy policy = {
        .namespace_ = IST_STRV("app"), .domain = IST_STRV("cluster.local"), .identity = IST_STRV("p.app")};
    w->store = ist_mesh_store_new();
    ist_mesh_builder_args builder = {.store = w->store, .policy = &policy};
    w->builder = ist_mesh_builder_new(&builder);
    assert_int_equal(ist_loop_new(ist_clock_system(), &w->loop, &err), IST_OK);
    ist_files_args args = {.path = ist_strv_from(w->path),
                           .builder = w->builder,
                           .loop = w->loop,
                           .on_changed = on_changed,
                           .ctx = w,
                           .identity = {.namespace_ = IST_STRV("app")}};
    assert_int_equal(ist_files_new(&args, &w->files, &err), IST_OK);
    *state = w;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    world *w = *state;
    ist_files_free(w->files);
    ist_mesh_builder_free(w->builder);
    ist_mesh_store_free(w->store);
    ist_loop_free(w->loop);
    assert_int_equal(nftw(w->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(w);
    return 0;
}

static ist_files_summary load(world *w)
{
    ist_files_summary summary;
    ist_err err = IST_ERR_NULL;
    if (ist_files_load(w->files, &summary, &err) != IST_OK) {
        fail_msg("%s", err.text);
    }
    return summary;
}

static uint32_t endpoints_of(const world *w, const char *host)
{
    const ist_mesh_view *view = ist_mesh_store_acquire(w->store);
    const ist_mesh_service *service = view != NULL ? ist_mesh_view_service(view, ist_strv_from(host)) : NULL;
    uint32_t count = service != NULL ? service->ports[0].destinations[0].endpoints->count : UINT32_MAX;
    ist_mesh_store_release(w->store, view);
    return count;
}

static void files_are_parsed_only_when_their_bytes_change(void **state)
{
    world *w = *state;
    put(w, "a.yaml", ENTRY("a.example.com", "10.0.0.1"));
    put(w, "b.yml", ENTRY("b.example.com", "10.0.0.2"));
    put(w, "notes.txt", "no yaml");
    ist_files_summary first = load(w);
    assert_int_equal(first.files, 2);
    assert_int_equal(first.files_parsed, 2);
    assert_true(first.applied && first.commit.published);
    ist_files_summary second = load(w);
    assert_int_equal(second.files_parsed, 0);
    assert_false(second.applied);
    put(w, "a.yaml", ENTRY("a.example.com", "10.0.0.3"));
    ist_files_summary third = load(w);
    assert_int_equal(third.files_parsed, 1);
    assert_int_equal(third.commit.services_rebuilt, 1);
    assert_int_equal(endpoints_of(w, "a.example.com"), 1);
}

static void a_removed_file_takes_its_services_away(void **state)
{
    world *w = *state;
    char path[256];
    put(w, "a.yaml", ENTRY("a.example.com", "10.0.0.1"));
    (void)load(w);
    assert_int_equal(endpoints_of(w, "a.example.com"), 1);
    (void)snprintf(path, sizeof(path), "%s/a.yaml", w->path);
    assert_int_equal(unlink(path), 0);
    ist_files_summary summary = load(w);
    assert_int_equal(summary.files, 0);
    assert_int_equal(endpoints_of(w, "a.example.com"), UINT32_MAX);
}

static void a_broken_file_keeps_what_it_was(void **state)
{
    world *w = *state;
    put(w, "a.yaml", ENTRY("a.example.com", "10.0.0.1"));
    (void)load(w);
    put(w, "a.yaml", "apiVersion: [\n");
    ist_files_summary summary = load(w);
    assert_int_equal(summary.files_broken, 1);
    assert_int_equal(summary.errors, 1);
    assert_int_equal(endpoints_of(w, "a.example.com"), 1);
}

static void a_missing_directory_is_an_error_and_keeps_the_view(void **state)
{
    world *w = *state;
    ist_err err = IST_ERR_NULL;
    ist_files *files = NULL;
    ist_files_identity identity = {.namespace_ = IST_STRV("app")};
    assert_int_equal(ist_files_check(IST_STRV("/nowhere/at/all"), &identity, &files, &err), IST_ENOTFOUND);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_null(files);
    put(w, "a.yaml", ENTRY("a.example.com", "10.0.0.1"));
    (void)load(w);
    assert_int_equal(endpoints_of(w, "a.example.com"), 1);
}

static void check_gives_findings_without_a_builder(void **state)
{
    world *w = *state;
    ist_err err = IST_ERR_NULL;
    ist_files *files = NULL;
    ist_files_identity identity = {.namespace_ = IST_STRV("app")};
    put(w, "a.yaml", "kind: Service\n");
    assert_int_equal(ist_files_check(ist_strv_from(w->path), &identity, &files, &err), IST_OK);
    assert_int_equal(ist_files_finding_count(files, IST_FILES_ERROR), 1);
    ist_files_free(files);
}

static void a_wrong_identity_is_refused(void **state)
{
    (void)state;
    ist_err err = IST_ERR_NULL;
    ist_files *files = NULL;
    ist_files_label label = {IST_STRV(""), IST_STRV("x")};
    ist_files_args args = {.path = IST_STRV("."), .identity = {.labels = &label, .label_count = 1}};
    assert_int_equal(ist_files_new(&args, &files, &err), IST_EINVAL);
    args.identity = (ist_files_identity){.pod_ip = IST_STRV("no address")};
    assert_int_equal(ist_files_new(&args, &files, &err), IST_EINVAL);
    args.identity = (ist_files_identity){.locality = IST_STRV("a/b/c/d")};
    assert_int_equal(ist_files_new(&args, &files, &err), IST_EINVAL);
}

static void run_until_changed(world *w)
{
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_loop_run(w->loop, &err), IST_OK);
}

static void the_watch_applies_a_changed_file(void **state)
{
    world *w = *state;
    ist_err err = IST_ERR_NULL;
    put(w, "a.yaml", ENTRY("a.example.com", "10.0.0.1"));
    (void)load(w);
    assert_int_equal(ist_files_start_watch(w->files, &err), IST_OK);
    put(w, "b.yaml", ENTRY("b.example.com", "10.0.0.2"));
    run_until_changed(w);
    assert_int_equal(w->changes, 1);
    assert_int_equal(endpoints_of(w, "b.example.com"), 1);
}

static void the_watch_follows_the_links_of_a_config_map_mount(void **state)
{
    world *w = *state;
    ist_err err = IST_ERR_NULL;
    char path[256];
    char target[256];
    (void)snprintf(path, sizeof(path), "%s/..1", w->path);
    assert_int_equal(mkdir(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/..2", w->path);
    assert_int_equal(mkdir(path, 0755), 0);
    put(w, "..1/a.yaml", ENTRY("a.example.com", "10.0.0.1"));
    put(w, "..2/a.yaml", ENTRY("b.example.com", "10.0.0.1"));
    (void)snprintf(path, sizeof(path), "%s/..data", w->path);
    assert_int_equal(symlink("..1", path), 0);
    (void)snprintf(path, sizeof(path), "%s/a.yaml", w->path);
    assert_int_equal(symlink("..data/a.yaml", path), 0);
    (void)load(w);
    assert_int_equal(endpoints_of(w, "a.example.com"), 1);
    assert_int_equal(ist_files_start_watch(w->files, &err), IST_OK);
    (void)snprintf(path, sizeof(path), "%s/..data_tmp", w->path);
    (void)snprintf(target, sizeof(target), "%s/..data", w->path);
    assert_int_equal(symlink("..2", path), 0);
    assert_int_equal(rename(path, target), 0);
    run_until_changed(w);
    assert_int_equal(endpoints_of(w, "b.example.com"), 1);
    assert_int_equal(endpoints_of(w, "a.example.com"), UINT32_MAX);
}

static ist_status check_once(void *ctx)
{
    ist_err err = IST_ERR_NULL;
    ist_files *files = NULL;
    ist_files_identity identity = {.namespace_ = IST_STRV("app"), .locality = IST_STRV("r1/z1")};
    ist_status status = ist_files_check(ist_strv_from(ctx), &identity, &files, &err);
    if (status == IST_OK) {
        ist_files_free(files);
    }
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    static const char *const scenarios[] = {
        "/005-service-headless",           "/024-routes-matches",         "/027-routes-delegate", "/034-tcp-route",
        "/048-locality-failover-priority", "/040-entry-workload-selector"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(scenarios); i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s%s", IST_SCENARIOS, scenarios[i]);
        (void)ist_test_each_alloc_fails(check_once, path); // how many were tried does not matter
    }
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(files_are_parsed_only_when_their_bytes_change),
        WITH_WORLD(a_removed_file_takes_its_services_away),
        WITH_WORLD(a_broken_file_keeps_what_it_was),
        WITH_WORLD(a_missing_directory_is_an_error_and_keeps_the_view),
        WITH_WORLD(check_gives_findings_without_a_builder),
        WITH_WORLD(a_wrong_identity_is_refused),
        WITH_WORLD(the_watch_applies_a_changed_file),
        WITH_WORLD(the_watch_follows_the_links_of_a_config_map_mount),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
