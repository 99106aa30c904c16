// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "../../../agent/mesh/path_priv.h"

// Read off Envoy 1.40 with normalize_path (%REQ(:PATH)% behind the connection manager).
static void path_of_table_is_normalized_as_by_envoy(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/a/../b", "/b"},
        {"/a/./b", "/a/b"},
        {"/a//b", "/a//b"},
        {"//a", "//a"},
        {"///", "///"},
        {"/a/..", "/"},
        {"/a/.", "/a/"},
        {"/.", "/"},
        {"/..", "/"},
        {"/../..", "/"},
        {"/a/../", "/"},
        {"/a/./", "/a/"},
        {"//h/../b", "//b"},
        {"/a//../b", "/a/b"},
        {"/a///../b", "/a//b"},
        {"/a/%2e%2e/b", "/b"},
        {"/a/%2E./b", "/b"},
        {"/a/.%2e/b", "/b"},
        {"/%2e%2e/c", "/c"},
        {"/a/%2e", "/a/"},
        {"/a/...", "/a/..."},
        {"/a/..b", "/a/..b"},
        {"/a/.b/..", "/a/"},
        {"/%41", "/A"},
        {"/%30%39%5a%7A%2E", "/09Zz."},
        {"/%7e%2d%5f", "/~-_"},
        {"/%2F", "/%2F"},
        {"/%5c", "/%5c"},
        {"/a\\b", "/a/b"},
        {"/a\\..\\b", "/b"},
        {"/%e4%bd%a0%E4", "/%e4%bd%a0%E4"},
        {"/%25%21%2b%3f%23%20%27%0a", "/%25%21%2b%3f%23%20%27%0a"},
        {"/%", "/%"},
        {"/%4", "/%4"},
        {"/%zz", "/%zz"},
        {"/|^`{}\"<>", "/%7C%5E%60%7B%7D%22%3C%3E"},
        {"/~[a]!$&'()*,:@;=+", "/~[a]!$&'()*,:@;=+"},
        {"/a/%2e%2e%2f", "/a/..%2f"},
        {"/a/..;x/b", "/b"},
        {"/a/..;x;y/b", "/b"},
        {"/a/.;x/b", "/a/b"},
        {"/a/..;", "/"},
        {"/a/.;", "/a/"},
        {"/..;", "/"},
        {"/a/..;\\b", "/"},
        {"/a\\..;z\\..\\c", "/a/c"},
        {"/a;x/../b", "/b"},
        {"/a/;x/../b", "/a/b"},
        {"/a/%2e%2e;x/b", "/a/..;x/b"},
        {"/a/..%3b/b", "/a/..%3b/b"},
        {"/a/..x;/b", "/a/..x;/b"},
        {"/a?x=/../y", "/a?x=/../y"},
        {"/a/../b?q=%41/./", "/b?q=%41/./"},
        {"/a/..;x?q", "/?q"},
        {"/a/..?", "/?"},
        {"a/../b", "a/../b"}, // no path
        {"", ""},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        char room[64];
        ist_strv got = ist_mesh_path_normalize(ist_strv_from(cases[i][0]), room, sizeof(room));
        if (!ist_strv_equal(got, ist_strv_from(cases[i][1]))) {
            fail_msg("\"%s\" became \"%.*s\"", cases[i][0], IST_STRV_ARG(got));
        }
    }
}

static void path_longer_than_the_room_stays_as_it_is(void **state)
{
    (void)state;
    ist_strv path = IST_STRV("/a/./bcd?e");
    char room[8]; // the result has that many
    for (size_t size = 0; size <= sizeof(room); size++) {
        ist_strv got = ist_mesh_path_normalize(path, room, size);
        assert_true(ist_strv_equal(got, size < sizeof(room) ? path : IST_STRV("/a/bcd?e")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_of_table_is_normalized_as_by_envoy),
        cmocka_unit_test(path_longer_than_the_room_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
