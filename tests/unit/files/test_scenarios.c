// SPDX-License-Identifier: Apache-2.0
//
// Every directory of tests/scenarios is loaded and the view compared with its view.txt (and the findings with
// findings.txt, where there is one). With IST_UPDATE=1 in the environment the files are written instead; look at the
// difference before you commit it.
#include "ist_test.h"
#include "view_text.h"

#include "files/source.h"

#include <dirent.h>
#include <stdlib.h>

static const ist_files_label labels[] = {
    {{"app", 3}, {"client", 6}},
    {{"tier", 4}, {"front", 5}},
};

// The client of all scenarios; tests/scenarios/README.md says the same.
static const ist_files_identity client = {
    .namespace_ = {"app", 3},
    .pod_ip = {"10.0.0.9", 8},
    .locality = {"r1/z1/a", 7},
    .network = {"net1", 4},
    .cluster_id = {"Kubernetes", 10},
    .domain = {"cluster.local", 13},
    .labels = labels,
    .label_count = 2,
};

static void read_file(const char *path, ist_buf *out)
{
    FILE *file = fopen(path, "rb");
    char chunk[4096];
    if (file == NULL) {
        return;
    }
    for (size_t got = fread(chunk, 1, sizeof(chunk), file); got != 0; got = fread(chunk, 1, sizeof(chunk), file)) {
        ist_buf_append(out, chunk, got);
    }
    (void)fclose(file);
}

static void write_file(const char *path, const ist_buf *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->length, file), text->length);
    assert_int_equal(fclose(file), 0);
}

static bool same(const char *directory, const char *name, const ist_buf *got, bool optional)
{
    char path[512];
    ist_buf want = IST_BUF_INIT;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (getenv("IST_UPDATE") != NULL) {
        if (got->length != 0 || !optional) {
            write_file(path, got);
        }
        return true;
    }
    read_file(path, &want);
    bool equal = ist_strv_equal(ist_buf_view(got), ist_buf_view(&want));
    if (!equal) {
        print_error("%s: got\n%.*s\nwant\n%.*s\n", path, (int)got->length, got->data != NULL ? got->data : "",
                    (int)want.length, want.data != NULL ? want.data : "");
    }
    ist_buf_done(&want);
    return equal;
}

static void add_finding(void *ctx, const ist_files_finding *finding)
{
    ist_files_finding_write(finding, ctx);
    ist_buf_append_char(ctx, '\n');
}

static ist_mesh_builder *new_builder(ist_mesh_store *store)
{
    ist_mesh_policy policy = {
        .namespace_ = client.namespace_, .domain = client.domain, .identity = IST_STRV("client.app")};
    ist_mesh_builder_args args = {.store = store, .policy = &policy};
    return ist_mesh_builder_new(&args);
}

static bool check_scenario(const char *directory)
{
    ist_mesh_store *store = ist_mesh_store_new();
    ist_mesh_builder *builder = new_builder(store);
    ist_files *files = NULL;
    ist_err err = IST_ERR_NULL;
    ist_buf view_text = IST_BUF_INIT;
    ist_buf findings = IST_BUF_INIT;
    ist_files_args args = {.path = ist_strv_from(directory), .builder = builder, .identity = client};
    assert_int_equal(ist_files_new(&args, &files, &err), IST_OK);
    if (ist_files_load(files, NULL, &err) != IST_OK) {
        fail_msg("%s: %s", directory, err.text);
    }
    const ist_mesh_view *view = ist_mesh_store_acquire(store);
    assert_non_null(view);
    assert_true(view_text_write(view, &view_text));
    ist_files_each_finding(files, add_finding, &findings);
    bool good = same(directory, "view.txt", &view_text, false);
    good = same(directory, "findings.txt", &findings, true) && good;
    ist_mesh_store_release(store, view);
    ist_buf_done(&view_text);
    ist_buf_done(&findings);
    ist_files_free(files);
    ist_mesh_builder_free(builder);
    ist_mesh_store_free(store);
    return good;
}

static void every_scenario_gives_the_expected_view(void **state)
{
    (void)state;
    DIR *dir = opendir(IST_SCENARIOS);
    size_t count = 0;
    size_t bad = 0;
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[512];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", IST_SCENARIOS, entry->d_name);
        count++;
        bad += check_scenario(path) ? 0 : 1;
    }
    (void)closedir(dir);
    assert_true(count >= 40);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_scenario_gives_the_expected_view)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
