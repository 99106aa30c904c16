// SPDX-License-Identifier: Apache-2.0
//
// Look-ups of names: short forms, wildcards by RFC 4592, existence of names in between.
#include "mesh_world.h"

static void put(world *w, const char *host)
{
    char cluster[256];
    (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
    MUST(world_put_service(w, cluster, "10.0.0.1-80"));
}

static void open_names(world *w)
{
    MUST(world_open(w, NULL));
    put(w, "a.ns.svc.cluster.local");
    put(w, "a.other.svc.cluster.local");
    put(w, "c.other.svc.cluster.local");
    put(w, "api.example.com");
    put(w, "*.example.com");
    put(w, "*.deep.example.com");
    put(w, "x.host.example.com");
    MUST(world_put_name(w, "pod-0.h.ns.svc.cluster.local", "10.0.0.9", true, 0));
    MUST(world_commit(w));
}

static void names_are_found_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *found; // NULL = not ours
        bool wildcard;
    } rows[] = {
        {"a.ns.svc.cluster.local", "a.ns.svc.cluster.local", false},
        {"a", "a.ns.svc.cluster.local", false},
        {"c", NULL, false}, // not in the pod's namespace
        {"a.other", "a.other.svc.cluster.local", false},
        {"a.other.svc", "a.other.svc.cluster.local", false},
        {"a.other.svc.cluster", NULL, false},
        {"pod-0.h", "pod-0.h.ns.svc.cluster.local", false},
        {"pod-0.h.ns.svc", "pod-0.h.ns.svc.cluster.local", false},
        {"h.ns", NULL, false},
        {"api.example.com", "api.example.com", false},
        {"www.example.com", "*.example.com", true},
        {"far.www.example.com", "*.example.com", true},
        {"one.deep.example.com", "*.deep.example.com", true},
        {"deep.example.com", NULL, false},        // exists: a name stands below it
        {"host.example.com", NULL, false},        // likewise
        {"y.host.example.com", NULL, false},      // its closest encloser is host.example.com, which has no wildcard
        {"below.api.example.com", NULL, false},   // api.example.com exists
        {"example.com", NULL, false},
        {"", NULL, false},
    };
    world w;
    open_names(&w);
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        bool wildcard = true;
        const ist_mesh_name *name = ist_mesh_view_name(world_view(&w), ist_strv_from(rows[i].name), &wildcard);
        ist_test_strv_equal(name != NULL ? name->name : IST_STRV_NULL, rows[i].found != NULL ? rows[i].found : "");
        assert_int_equal(wildcard, rows[i].wildcard);
    }
    world_close(&w);
}

static void batch_finds_exact_names_only(void **state)
{
    (void)state;
    static const char *const names[IST_MESH_BATCH_MAX] = {"a.ns.svc.cluster.local", "a", "", "api.example.com", "www.example.com",
                                                          "a.other.svc.cluster.local", "none.ns.svc.cluster.local"};
    static const bool exact[IST_MESH_BATCH_MAX] = {[0] = true, [3] = true, [5] = true};
    ist_strv keys[IST_MESH_BATCH_MAX];
    const ist_mesh_name *plans[IST_MESH_BATCH_MAX];
    world w;
    open_names(&w);
    const ist_mesh_view *view = world_view(&w);
    for (size_t i = 0; i < IST_MESH_BATCH_MAX; i++) {
        keys[i] = names[i] != NULL ? ist_strv_from(names[i]) : IST_STRV_NULL;
    }
    for (size_t count = 0; count <= IST_MESH_BATCH_MAX; count++) {
        ist_mesh_view_name_batch(view, keys, count, plans);
        for (size_t i = 0; i < count; i++) {
            assert_ptr_equal(plans[i], exact[i] ? ist_mesh_view_name(view, keys[i], NULL) : NULL);
        }
    }
    world_close(&w);
}

static void names_in_between_exist(void **state)
{
    (void)state;
    world w;
    open_names(&w);
    const ist_mesh_view *view = world_view(&w);
    assert_true(ist_mesh_view_has_names_below(view, IST_STRV("other.svc.cluster.local")));
    assert_true(ist_mesh_view_has_names_below(view, IST_STRV("local")));
    assert_true(ist_mesh_view_has_names_below(view, IST_STRV("h.ns.svc.cluster.local")));
    assert_false(ist_mesh_view_has_names_below(view, IST_STRV("a.ns.svc.cluster.local")));
    assert_false(ist_mesh_view_has_names_below(view, IST_STRV("org")));
    world_close(&w);
}

static void hosts_resolve_without_regard_to_case(void **state)
{
    (void)state;
    world w;
    open_names(&w);
    const ist_mesh_view *view = world_view(&w);
    ist_test_strv_equal(ist_mesh_view_resolve_host(view, IST_STRV("A.Other."))->host, "a.other.svc.cluster.local");
    ist_test_strv_equal(ist_mesh_view_resolve_host(view, IST_STRV("WWW.example.com"))->host, "*.example.com");
    assert_null(ist_mesh_view_resolve_host(view, IST_STRV("pod-0.h")));
    assert_null(ist_mesh_view_resolve_host(view, IST_STRV(".")));
    char text[300];
    memset(text, 'a', sizeof(text));
    assert_null(ist_mesh_view_resolve_host(view, ist_strv_make(text, sizeof(text))));
    assert_null(ist_mesh_view_name(view, ist_strv_make(text, 253), NULL)); // its short forms do not fit
    world_close(&w);
}

// The pod's own namespace, then those of the policy in order; only names without a dot.
static void bare_names_are_looked_for_in_further_namespaces(void **state)
{
    static const ist_strv SEARCH[] = {IST_STRV_INIT("nobody"), IST_STRV_INIT("other"), IST_STRV_INIT("last")};
    static const ist_mesh_app_name NAMES[] = {{IST_STRV_INIT("see"), IST_STRV_INIT("c")}};
    static const ist_mesh_policy POLICY = {.namespace_ = IST_STRV_INIT("ns"),
                                           .search = SEARCH,
                                           .search_count = IST_COUNT(SEARCH),
                                           .names = NAMES,
                                           .name_count = IST_COUNT(NAMES)};
    static const char *const ROWS[][2] = {{"a", "a.ns.svc.cluster.local"},   {"c", "c.other.svc.cluster.local"},
                                          {"C.", "c.other.svc.cluster.local"}, {"d", "d.last.svc.cluster.local"},
                                          {"see", "c.other.svc.cluster.local"}, {"d.svc", ""},
                                          {"e", ""}};
    (void)state;
    world w;
    open_names(&w);
    put(&w, "c.last.svc.cluster.local");
    put(&w, "d.last.svc.cluster.local");
    MUST(ist_mesh_builder_set_policy(w.builder, &POLICY));
    MUST(world_commit(&w));
    for (size_t i = 0; i < IST_COUNT(ROWS); i++) {
        const ist_mesh_service *service = ist_mesh_view_resolve_host(world_view(&w), ist_strv_from(ROWS[i][0]));
        ist_test_strv_equal(service != NULL ? service->host : IST_STRV_NULL, ROWS[i][1]);
    }
    assert_null(ist_mesh_view_name(world_view(&w), IST_STRV("c"), NULL)); // DNS has the pod's search path, and no other
    world_close(&w);
}

static void services_can_be_walked_and_sorted(void **state)
{
    (void)state;
    world w;
    open_names(&w);
    const ist_mesh_view *view = world_view(&w);
    size_t count = 0;
    const ist_mesh_service **sorted = ist_mesh_view_sorted_services(view, &count);
    assert_non_null(sorted);
    assert_int_equal(count, 7);
    for (size_t i = 1; i < count; i++) {
        assert_true(ist_strv_compare(sorted[i - 1]->host, sorted[i]->host) < 0);
    }
    ist_free(sorted);
    size_t names = 0;
    ist_pmap_it it = ist_mesh_view_names(view);
    while (ist_mesh_view_next_name(&it) != NULL) {
        names++;
    }
    assert_int_equal(names, 8);
    assert_int_equal(ist_mesh_view_counts(view)->names, 8);
    world_close(&w);
}

typedef struct seen {
    unsigned changed;
    unsigned came;
    unsigned went;
} seen;

static void see(void *ctx, const ist_mesh_service *before, const ist_mesh_service *after)
{
    seen *s = ctx;
    s->changed += before != NULL && after != NULL ? 1 : 0;
    s->came += before == NULL ? 1 : 0;
    s->went += after == NULL ? 1 : 0;
    if (before != NULL && after != NULL) {
        assert_true(ist_strv_equal(before->host, after->host));
    }
}

// Compares the view before and after what `change` does and commits; did the names lead alike?
static bool differs(world *w, void (*change)(world *w), seen *ret_seen)
{
    const ist_mesh_view *now = ist_mesh_store_acquire(w->store);
    const ist_mesh_view *before = ist_mesh_view_hold(now);
    ist_mesh_store_release(w->store, now);
    change(w);
    MUST(world_commit(w));
    const ist_mesh_view *after = ist_mesh_store_acquire(w->store);
    *ret_seen = (seen){.changed = 0};
    ist_mesh_view_diff_services(before, after, see, ret_seen);
    bool alike = ist_mesh_view_names_lead_alike(before, after);
    ist_mesh_store_release(w->store, after);
    ist_mesh_store_release(w->store, before);
    ist_mesh_store_reap(w->store);
    return alike;
}

static void move_endpoint(world *w)
{
    MUST(world_put_endpoints(w, "outbound|80||a.ns.svc.cluster.local", "10.0.0.2-80", 0));
}

static void add_service(world *w)
{
    put(w, "new.ns.svc.cluster.local");
}

static void remove_service(world *w)
{
    ist_mesh_builder_remove_cluster(w->builder, IST_STRV("outbound|80||new.ns.svc.cluster.local"));
}

static void add_pod_name(world *w)
{
    MUST(world_put_name(w, "pod-1.h.ns.svc.cluster.local", "10.0.0.10", true, 0));
}

static void change_nothing(world *w)
{
    (void)w;
}

static void views_tell_what_has_changed_between_them(void **state)
{
    (void)state;
    world w;
    seen s;
    open_names(&w);
    assert_true(differs(&w, change_nothing, &s));
    assert_true(s.changed == 0 && s.came == 0 && s.went == 0);
    assert_true(differs(&w, move_endpoint, &s));
    assert_true(s.changed == 1 && s.came == 0 && s.went == 0);
    assert_false(differs(&w, add_service, &s));
    assert_true(s.changed == 0 && s.came == 1 && s.went == 0);
    assert_false(differs(&w, remove_service, &s));
    assert_true(s.changed == 0 && s.came == 0 && s.went == 1);
    assert_false(differs(&w, add_pod_name, &s));
    assert_true(s.changed == 0 && s.came == 0 && s.went == 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_in_every_form),
        cmocka_unit_test(batch_finds_exact_names_only),
        cmocka_unit_test(names_in_between_exist),
        cmocka_unit_test(hosts_resolve_without_regard_to_case),
        cmocka_unit_test(bare_names_are_looked_for_in_further_namespaces),
        cmocka_unit_test(services_can_be_walked_and_sorted),
        cmocka_unit_test(views_tell_what_has_changed_between_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
