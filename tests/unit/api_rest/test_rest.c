// SPDX-License-Identifier: Apache-2.0
//
// The REST door over a view made by the builder: answers are parsed by a JSON library and held against openapi.json.
#include "ist_test.h"

#include "../api_core/mesh_world.h"
#include "api_rest/rest.h"

#include "base/arena.h"

#include <jansson.h>
#include <math.h>

// --- Asking ---------------------------------------------------------------------------------------------------------

static bool is_ready;

// What the runtime promises for the status.
static void write_status(void *ctx, ist_json *json)
{
    static const char *const OBJECTS[] = {"identity", "source", "listeners", "dns"};
    (void)ctx;
    ist_json_string(json, "version", "0");
    ist_json_double(json, "uptime_seconds", 0.5);
    ist_json_bool(json, "draining", false);
    for (size_t i = 0; i < IST_COUNT(OBJECTS); i++) {
        ist_json_begin_object(json, OBJECTS[i]);
        ist_json_string(json, "kind", "test");
        ist_json_end_object(json);
    }
}

static bool ready(void *ctx, ist_buf *why)
{
    (void)ctx;
    ist_buf_append_str(why, is_ready ? "all fine" : "waiting for \"CDS\"");
    return is_ready;
}

static void write_registries(void *ctx, const ist_mesh_view *view, ist_json *json)
{
    (void)ctx;
    assert_non_null(view);
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "door", "eureka");
    ist_json_begin_array(json, "clients");
    ist_json_end_array(json);
    ist_json_begin_array(json, "unknown_names");
    ist_json_end_array(json);
    ist_json_u64(json, "unknown_names_left_out", 7);
    ist_json_end_object(json);
}

static void write_unsteered(void *ctx, ist_buf *out)
{
    (void)ctx;
    ist_buf_append_str(out, "Steeltoe/4.2.0");
}

static const ist_api_status_source STATUS = {.write_status = write_status,
                                             .write_registries = write_registries,
                                             .write_unsteered = write_unsteered,
                                             .ready = ready};

typedef struct question {
    const ist_mesh_view *view;
    ist_api_rest *rest;        // the door that goes on dealing; NULL = a new one
    const char *target;
    const char *accept;        // NULL = none
    const char *last_event_id; // NULL = none
    bool resumed;
    uint64_t resumed_beyond;
    bool timed_out;
    int64_t elapsed_ms;
} question;

// Calls the handler as the adapter does: the request in one arena, the scratch in another.
static ist_status ask(const question *q, ist_api_response *response)
{
    ist_api_rest rest = {.status = &STATUS};
    ist_api_routes routes = ist_api_rest_routes(q->rest != NULL ? q->rest : &rest);
    const ist_api_routes *sets[] = {&routes};
    const ist_api_routes *set = NULL;
    *response = (ist_api_response){.body = IST_BUF_INIT};
    ist_arena *arena = ist_arena_new(0, 0);
    ist_arena *scratch = ist_arena_new(0, 0);
    ist_api_request request = {.arena = scratch,
                               .view = q->view,
                               .resumed = q->resumed,
                               .resumed_beyond = q->resumed_beyond,
                               .timed_out = q->timed_out,
                               .elapsed_ms = q->elapsed_ms};
    const char *const headers[][2] = {{"accept", q->accept}, {"last-event-id", q->last_event_id}};
    for (size_t i = 0; i < IST_COUNT(headers); i++) {
        if (headers[i][1] != NULL) {
            request.headers[request.header_count++] =
                (ist_api_field){ist_strv_from(headers[i][0]), ist_strv_from(headers[i][1])};
        }
    }
    ist_status status = IST_ENOMEM;
    if (arena != NULL && scratch != NULL) {
        status = ist_api_target_parse(ist_strv_from(q->target), arena, &request, NULL);
    }
    const ist_api_route *route =
        status == IST_OK ? ist_api_route_find(sets, IST_COUNT(sets), &request, &set, response) : NULL;
    if (route != NULL) {
        route->handle(set->ctx, &request, response);
    }
    ist_arena_free(arena);
    ist_arena_free(scratch);
    return status;
}

static json_t *parse(const ist_buf *body)
{
    json_error_t error;
    json_t *json = json_loadb(body->data, body->length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        fail_msg("%s in %.*s", error.text, IST_STRV_ARG(ist_buf_view(body)));
    }
    return json;
}

// The document of a GET without waiting; fails where the status is another one.
static json_t *get(const ist_mesh_view *view, const char *target, uint32_t status)
{
    ist_api_response response;
    assert_int_equal(ask(&(question){.view = view, .target = target}, &response), IST_OK);
    if ((response.status != 0 ? response.status : 200) != status) {
        fail_msg("%s gives %u: %.*s", target, response.status, IST_STRV_ARG(ist_buf_view(&response.body)));
    }
    assert_false(response.wait);
    json_t *json = parse(&response.body);
    ist_buf_done(&response.body);
    return json;
}

static const char *text(const json_t *json, const char *key)
{
    const char *value = json_string_value(json_object_get(json, key));
    return value != NULL ? value : "(no text)";
}

static long long number(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static void assert_problem(const ist_mesh_view *view, const char *target, uint32_t status, const char *detail)
{
    json_t *problem = get(view, target, status);
    if (strstr(text(problem, "detail"), detail) == NULL) {
        fail_msg("%s: \"%s\" lacks \"%s\"", target, text(problem, "detail"), detail);
    }
    assert_int_equal(number(problem, "status"), status);
    json_decref(problem);
}

// --- The promise ----------------------------------------------------------------------------------------------------

static json_t *openapi(void)
{
    return get(NULL, "/v1/openapi.json", 200);
}

static const json_t *schema_of(const json_t *document, const char *name)
{
    json_t *schema = json_object_get(json_object_get(json_object_get(document, "components"), "schemas"), name);
    assert_non_null(schema);
    return schema;
}

// Every key that the schema requires is there.
static void assert_keeps(const json_t *document, const json_t *schema, const json_t *answer)
{
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(schema, "required"), i, part)
    {
        if (json_object_get(answer, json_string_value(part)) == NULL) {
            fail_msg("%s is required, but missing", json_string_value(part));
        }
    }
    json_array_foreach(json_object_get(schema, "allOf"), i, part)
    {
        const char *ref = json_string_value(json_object_get(part, "$ref"));
        assert_keeps(document, ref != NULL ? schema_of(document, strrchr(ref, '/') + 1) : part, answer);
    }
}

static void openapi_has_every_route_and_no_other(void **state)
{
    (void)state;
    ist_api_rest rest = {.status = &STATUS};
    ist_api_routes routes = ist_api_rest_routes(&rest);
    json_t *document = openapi();
    json_t *paths = json_object_get(document, "paths");
    assert_int_equal(json_object_size(paths), routes.count);
    for (size_t i = 0; i < routes.count; i++) {
        json_t *operation = json_object_get(json_object_get(paths, routes.rows[i].pattern), "get");
        assert_string_equal(text(operation, "operationId"), routes.rows[i].operation);
    }
    json_decref(document);
}

static void answers_keep_the_promise(void **state)
{
    static const struct {
        const char *target;
        const char *schema;
        const char *member; // NULL: the answer itself; else the first of this list
    } CASES[] = {
        {"/v1/services", "Services", NULL},
        {"/v1/services", "ServiceSummary", "services"},
        {"/v1/services/reviews", "Service", NULL},
        {"/v1/services/reviews", "Port", "ports"},
        {"/v1/endpoints/reviews", "Endpoints", NULL},
        {"/v1/endpoints/reviews", "Endpoint", "endpoints"},
        {"/v1/resolve?host=reviews", "Resolved", NULL},
        {"/v1/resolve?host=reviews&brief", "Resolved", NULL},
        {"/v1/explain?host=reviews", "Explanation", NULL},
        {"/v1/explain?host=reviews", "Destination", "destinations"},
        {"/v1/routes/reviews", "RouteList", NULL},
        {"/v1/report", "Report", NULL},
        {"/v1/status", "Status", NULL},
        {"/v1/watch?timeout=0", "Change", NULL},
    };
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    json_t *document = openapi();
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        json_t *answer = get(view, CASES[i].target, 200);
        const json_t *part = answer;
        if (CASES[i].member != NULL) {
            part = json_array_get(json_object_get(answer, CASES[i].member), 0);
            assert_non_null(part);
        }
        assert_keeps(document, schema_of(document, CASES[i].schema), part);
        json_decref(answer);
    }
    json_t *problem = get(view, "/v1/services/nobody", 404);
    assert_keeps(document, schema_of(document, "Problem"), problem);
    json_decref(problem);
    json_decref(document);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// --- Services -------------------------------------------------------------------------------------------------------

// Hosts of a list of services, joined by spaces.
static void assert_hosts(const ist_mesh_view *view, const char *target, const char *want)
{
    ist_buf got = IST_BUF_INIT;
    json_t *answer = get(view, target, 200);
    size_t i;
    json_t *service;
    json_array_foreach(json_object_get(answer, "services"), i, service)
    {
        ist_strv host = ist_strv_from(text(service, "host"));
        ist_buf_append_str(&got, i != 0 ? " " : "");
        ist_buf_append_strv(&got, ist_strv_cut(&host, '.', NULL));
    }
    ist_test_strv_equal(ist_buf_view(&got), want);
    ist_buf_done(&got);
    json_decref(answer);
}

static void services_are_sorted_and_filtered(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    assert_hosts(view, "/v1/services", "details empty ratings reviews");
    assert_hosts(view, "/v1/services?namespace=prod", "empty ratings reviews");
    assert_hosts(view, "/v1/services?namespace=shop&q=svc", "details");
    assert_hosts(view, "/v1/services?q=r", "details empty ratings reviews");
    assert_hosts(view, "/v1/services?q=rat", "ratings");
    assert_hosts(view, "/v1/services?q=none", "");
    assert_problem(view, "/v1/services?ns=prod", 400, "unknown parameter \"ns\"; known are namespace|q");
    assert_problem(view, "/v1/services/reviews?port=80", 400, "unknown parameter \"port\"; this path takes none");
    assert_problem(view, "/v1/status?verbose", 400, "unknown parameter \"verbose\"; this path takes none");
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

static void service_is_found_by_every_name(void **state)
{
    static const char *const NAMES[] = {"reviews", "reviews.prod", "reviews.prod.svc",
                                        "Reviews.Prod.svc.cluster.local.", "reviews%2Eprod"};
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    for (size_t i = 0; i < IST_COUNT(NAMES); i++) {
        char target[128];
        (void)snprintf(target, sizeof(target), "/v1/services/%s", NAMES[i]);
        json_t *answer = get(view, target, 200);
        assert_string_equal(text(answer, "host"), "reviews.prod.svc.cluster.local");
        assert_string_equal(text(answer, "kind"), "vip");
        assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "vips"), 0)), "10.96.0.1");
        assert_int_equal(json_array_size(json_object_get(answer, "subsets")), 2);
        assert_int_equal(json_array_size(json_object_get(answer, "names")), 3);
        assert_int_equal(json_array_size(json_object_get(answer, "port_details")), 2);
        assert_int_equal(number(answer, "endpoints"), 4);
        json_decref(answer);
    }
    assert_problem(view, "/v1/services/details", 404, "no service answers to \"details\"");
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// --- Endpoints ------------------------------------------------------------------------------------------------------

static void endpoints_follow_the_rules(void **state)
{
    static const struct {
        const char *target;
        const char *basis;
        const char *route; // NULL: no route
        size_t count;
        double first_share;
    } CASES[] = {
        {"/v1/endpoints/reviews", "route", "weights", 4, 0.25},
        {"/v1/endpoints/reviews:80?path=/x%3Fy", "route", "weights", 4, 0.25},
        {"/v1/endpoints/reviews?header.Who=tester", "route", "testers", 1, 1.0},
        {"/v1/endpoints/reviews?subset=v1", "subset", NULL, 3, 1.0 / 3.0},
        {"/v1/endpoints/reviews:9090?context=default", "service", NULL, 4, 0.25},
        {"/v1/endpoints/details.shop", "service", NULL, 2, 0.5},
        {"/v1/endpoints/empty", "service", NULL, 0, 0},
    };
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        json_t *answer = get(view, CASES[i].target, 200);
        json_t *endpoints = json_object_get(answer, "endpoints");
        json_t *route = json_object_get(answer, "route");
        assert_string_equal(text(answer, "basis"), CASES[i].basis);
        const char *name = json_is_null(route) ? "" : text(route, "name");
        assert_string_equal(name, CASES[i].route != NULL ? CASES[i].route : "");
        assert_int_equal(json_array_size(endpoints), CASES[i].count);
        double share = json_real_value(json_object_get(json_array_get(endpoints, 0), "share"));
        assert_true(fabs(share - CASES[i].first_share) < 1e-9);
        json_decref(answer);
    }
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

static void endpoints_errors_say_what_to_do(void **state)
{
    static const struct {
        const char *target;
        uint32_t status;
        const char *detail;
    } CASES[] = {
        {"/v1/endpoints/nobody", 404, "GET /v1/services lists all"},
        {"/v1/endpoints/reviews:81", 404, "no such port or subset"},
        {"/v1/endpoints/reviews?subset=v9", 404, "no such port or subset"},
        {"/v1/endpoints/reviews:0", 400, "must be 1 to 65535"},
        {"/v1/endpoints/reviews:65536", 400, "must be 1 to 65535"},
        {"/v1/endpoints/reviews:", 400, "must be 1 to 65535"},
        {"/v1/endpoints/reviews:http", 400, "must be 1 to 65535"},
        {"/v1/endpoints/reviews?context=canary", 400, "no context \"canary\""},
        {"/v1/endpoints/reviews?sub=v1", 400, "unknown parameter \"sub\"; known are subset|"},
        {"/v1/endpoints/reviews?header.=v1", 400, "unknown parameter \"header.\""},
        {"/v1/endpoints/", 404, "nothing is served at"},
        {"/v1/endpoints/reviews?source=here", 400, "source must be an IP address, not \"here\""},
        {"/v1/explain", 400, "which service? add host=NAME or host=NAME:PORT"},
        {"/v1/explain?host=nobody", 404, "no service answers to \"nobody\""},
        {"/v1/explain?host=reviews:81", 404, "no such port or subset"},
        {"/v1/explain?host=reviews:80&port=81", 400, "two ports: \"80\" behind the host, port=81"},
        {"/v1/explain?host=reviews&context=canary", 400,
         "no context \"canary\"; the configuration has default. Add it under contexts: in the file of --config"},
        {"/v1/resolve?host=reviews&brief=1", 400, "brief must be true or false, not \"1\""},
        {"/v1/resolve", 400, "which service?"},
        {"/v1/routes/reviews:81", 404, "reviews.prod.svc.cluster.local has no port 81"},
        {"/v1/routes/reviews?subset=v1", 400, "unknown parameter \"subset\"; this path takes none"},
        {"/v1/report?finding=timeuot", 400, "no finding \"timeuot\"; known are unmatched, conditional-route"},
        {"/v1/report?host=nobody", 404, "no service answers to \"nobody\""},
    };
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        assert_problem(view, CASES[i].target, CASES[i].status, CASES[i].detail);
    }
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

static void without_view_all_but_status_is_unavailable(void **state)
{
    static const char *const TARGETS[] = {"/v1/services", "/v1/services/x", "/v1/endpoints/x",
                                          "/v1/resolve?host=x", "/v1/explain?host=x", "/v1/routes/x", "/v1/report"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(TARGETS); i++) {
        assert_problem(NULL, TARGETS[i], 503, "GET /v1/status says what is still missing");
    }
}

// --- Resolve --------------------------------------------------------------------------------------------------------

#define REVIEWS "reviews.prod.svc.cluster.local"
#define CALLS 100

#define ENDPOINTS_MAX 8

// Draws one endpoint and counts it at its place in `endpoints`.
static void draw(const ist_mesh_view *view, ist_api_rest *rest, const json_t *endpoints, uint32_t *picked)
{
    ist_api_response response;
    question q = {.view = view, .rest = rest, .target = "/v1/resolve?host=reviews&brief=true"};
    assert_int_equal(ask(&q, &response), IST_OK);
    json_t *answer = parse(&response.body);
    assert_null(json_object_get(answer, "endpoints"));
    size_t i;
    json_t *endpoint;
    json_array_foreach(endpoints, i, endpoint)
    {
        picked[i] += json_equal(endpoint, json_object_get(answer, "pick")) ? 1 : 0;
    }
    json_decref(answer);
    ist_buf_done(&response.body);
}

static void resolve_deals_each_endpoint_by_its_slots(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    mesh_world_split(&world, REVIEWS, 60); // 3 at 20 %, 1 at 40 %
    assert_int_equal(mesh_world_publish(&world), 2);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    ist_api_rest rest = {.status = &STATUS};
    json_t *list = get(view, "/v1/endpoints/reviews", 200);
    const json_t *endpoints = json_object_get(list, "endpoints");
    size_t decks_2 = 2 * (size_t)number(list, "total_slots");
    assert_int_equal(decks_2, 10);
    assert_int_equal(json_array_size(endpoints), 4);
    for (size_t call = 0; call < CALLS; call += decks_2) {
        uint32_t picked[ENDPOINTS_MAX] = {0};
        for (size_t i = 0; i < decks_2; i++) {
            draw(view, &rest, endpoints, picked);
        }
        for (size_t i = 0; i < json_array_size(endpoints); i++) {
            assert_int_equal(picked[i], 2 * number(json_array_get(endpoints, i), "slots"));
        }
    }
    json_decref(list);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

static void resolve_without_endpoints_picks_nothing(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    json_t *answer = get(view, "/v1/resolve?host=empty", 200);
    assert_true(json_is_null(json_object_get(answer, "pick")));
    assert_true(json_is_null(json_object_get(answer, "hash")));
    assert_int_equal(json_array_size(json_object_get(answer, "endpoints")), 0);
    json_decref(answer);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// --- Explain --------------------------------------------------------------------------------------------------------

static json_t *at(const json_t *object, const char *list, size_t index)
{
    json_t *item = json_array_get(json_object_get(object, list), index);
    assert_non_null(item);
    return item;
}

static void explain_tells_why_an_earlier_route_was_lost(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    json_t *answer = get(view, "/v1/explain?host=reviews:80&header.Who=me", 200);
    assert_int_equal(json_array_size(json_object_get(answer, "considered")), 2);
    assert_true(json_is_false(json_object_get(at(answer, "considered", 0), "matched")));
    assert_string_equal(text(at(answer, "considered", 0), "reason"),
                        "it wants: header \"who\" is \"tester\"; it is \"me\"");
    assert_true(json_is_true(json_object_get(at(answer, "considered", 1), "matched")));
    assert_string_equal(text(at(answer, "considered", 1), "name"), "weights");
    assert_string_equal(text(at(json_object_get(answer, "request"), "headers", 0), "value"), "me");

    const json_t *first = at(answer, "destinations", 0);
    assert_int_equal(json_array_size(json_object_get(answer, "destinations")), 2);
    assert_string_equal(text(first, "cluster"), "outbound|80|v1|" REVIEWS);
    assert_string_equal(text(first, "state"), "used");
    assert_int_equal(number(first, "weight"), 75);
    assert_int_equal(number(at(first, "tiers", 0), "load_percent"), 100);
    assert_int_equal(number(first, "endpoints"), 3);
    assert_int_equal(number(first, "listed"), 3);
    assert_int_equal(json_array_size(json_object_get(first, "dropped")), 0);
    json_decref(answer);

    answer = get(view, "/v1/explain?host=reviews&header.who=tester", 200); // nothing behind the one that matched
    assert_int_equal(json_array_size(json_object_get(answer, "considered")), 1);
    assert_true(json_is_true(json_object_get(at(answer, "considered", 0), "matched")));
    json_decref(answer);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// What a door says of an answer: by this name, or why not.
static void assert_door(const json_t *answer, size_t place, const char *door, const char *name, const char *reason)
{
    const json_t *found = at(answer, "doors", place);
    assert_string_equal(text(found, "door"), door);
    assert_int_equal(json_is_true(json_object_get(found, "carries")), name != NULL);
    assert_string_equal(text(found, name != NULL ? "name" : "reason"), name != NULL ? name : reason);
    assert_true(json_is_null(json_object_get(found, name != NULL ? "reason" : "name")));
}

static void explain_names_the_door_that_carries_the_answer(void **state)
{
#define NO_CONTEXT "no context of the configuration leads to this route"
    static const struct {
        const char *target;
        const char *dns; // its name; NULL: it cannot
        const char *eureka;
        const char *no_dns; // then
        const char *no_eureka;
        const char *rest;
    } CASES[] = {
        {"/v1/explain?host=reviews&subset=v1", "v1._subset." REVIEWS, "reviews--v1", NULL, NULL, REVIEWS},
        {"/v1/explain?host=reviews&header.who=tester", NULL, NULL, NO_CONTEXT, NO_CONTEXT, REVIEWS},
        {"/v1/explain?host=reviews:9090", NULL, "reviews--p9090", "DNS answers for the primary port of a service", NULL,
         REVIEWS},
        {"/v1/explain?host=reviews:9090&subset=v1", NULL, NULL, NULL, NULL, NULL}, // no such subset
        {"/v1/explain?host=ratings", NULL, "ratings", "DNS answers the virtual IP", NULL,
         "ratings.prod.svc.cluster.local"},
        {"/v1/explain?host=details.shop", NULL, "details.shop", "DNS answers the virtual IP", NULL,
         "details.shop.svc.cluster.local"},
    };
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        json_t *answer = get(view, CASES[i].target, CASES[i].rest != NULL ? 200 : 404);
        if (CASES[i].rest != NULL) {
            assert_door(answer, 0, "dns", CASES[i].dns, CASES[i].no_dns);
            assert_door(answer, 1, "rest", CASES[i].rest, NULL);
            assert_door(answer, 2, "eureka", CASES[i].eureka, CASES[i].no_eureka);
        }
        json_decref(answer);
    }
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// --- Routes and report ----------------------------------------------------------------------------------------------

#define RATINGS "ratings.prod.svc.cluster.local"

// ratings gets routes of its own: one with a path, and one with a time-out and a mirror; and a redirect in between.
static const ist_mesh_view *ruled_view(mesh_world *world)
{
    ist_mesh_weighted all = {.cluster = IST_STRV("outbound|80||" RATINGS), .weight = 1};
    ist_mesh_route route = {.path = {.kind = IST_MESH_MATCH_PREFIX, .value = IST_STRV("/")},
                            .fraction_per_million = 1000000,
                            .policy = IST_MESH_ROUTE_POLICY_NONE};
    ist_mesh_route routes[] = {route, route, route};
    routes[0].name = IST_STRV("beta");
    routes[0].path = (ist_mesh_match){.kind = IST_MESH_MATCH_EXACT, .value = IST_STRV("/beta")};
    routes[0].destinations = &all;
    routes[0].destination_count = 1;
    routes[1].path = (ist_mesh_match){.kind = IST_MESH_MATCH_EXACT, .value = IST_STRV("/old")};
    routes[1].action = IST_MESH_ACTION_REDIRECT;
    routes[1].response_status = 301;
    routes[1].redirect_host = IST_STRV("new.example.com");
    routes[2].destinations = &all;
    routes[2].destination_count = 1;
    routes[2].policy.timeout_ms = 2500;
    routes[2].policy.mirror_cluster = IST_STRV("outbound|80|v2|" REVIEWS);
    ist_strv domain = IST_STRV(RATINGS);
    ist_mesh_virtual_host host = {.name = IST_STRV(RATINGS ":80"),
                                  .domains = &domain,
                                  .routes = routes,
                                  .domain_count = 1,
                                  .route_count = IST_COUNT(routes)};
    mesh_world_fill(world);
    assert_int_equal(ist_mesh_builder_put_virtual_host(world->builder, IST_STRV("80"), &host, NULL), IST_OK);
    assert_int_equal(mesh_world_publish(world), 2);
    return ist_mesh_store_acquire(world->store);
}

static void routes_show_conditions_actions_and_policies(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    const ist_mesh_view *view = ruled_view(&world);
    json_t *answer = get(view, "/v1/routes/ratings:80", 200);
    assert_int_equal(json_array_size(json_object_get(answer, "ports")), 1);
    const json_t *port = at(answer, "ports", 0);
    assert_string_equal(text(port, "virtual_host"), RATINGS ":80");
    assert_int_equal(json_array_size(json_object_get(port, "routes")), 3);
    const json_t *first = at(port, "routes", 0);
    assert_string_equal(text(first, "name"), "beta");
    assert_string_equal(json_string_value(at(first, "conditions", 0)), "path is \"/beta\"");
    assert_string_equal(text(first, "action"), "forward");
    assert_string_equal(text(at(first, "destinations", 0), "cluster"), "outbound|80||" RATINGS);
    const json_t *redirect = at(port, "routes", 1);
    assert_string_equal(text(redirect, "action"), "redirect");
    assert_int_equal(number(redirect, "status"), 301);
    assert_string_equal(text(redirect, "redirect_host"), "new.example.com");
    const json_t *last = at(port, "routes", 2);
    assert_int_equal(json_array_size(json_object_get(last, "conditions")), 0);
    assert_int_equal(number(json_object_get(last, "published"), "timeout_ms"), 2500);
    assert_string_equal(text(json_object_get(last, "published"), "mirror"), "outbound|80|v2|" REVIEWS);
    assert_null(json_object_get(json_object_get(last, "published"), "retries")); // only what is set
    json_decref(answer);
    answer = get(view, "/v1/routes/reviews", 200); // without a port: all
    assert_int_equal(json_array_size(json_object_get(answer, "ports")), 2);
    json_decref(answer);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// How many findings of this name an answer has, by its own list and by its summary.
static long long findings(const json_t *answer, const char *name)
{
    long long count = 0;
    size_t i;
    size_t n;
    json_t *service;
    json_t *finding;
    json_array_foreach(json_object_get(answer, "services"), i, service)
    {
        json_array_foreach(json_object_get(service, "findings"), n, finding)
        {
            count += strcmp(text(finding, "finding"), name) == 0 ? 1 : 0;
        }
    }
    assert_int_equal(number(json_object_get(json_object_get(answer, "summary"), "findings"), name), count);
    return count;
}

static bool has_finding(const json_t *answer, const char *name)
{
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(answer, "findings"), i, finding)
    {
        if (strcmp(text(finding, "finding"), name) == 0) {
            return true;
        }
    }
    return false;
}

static void explain_has_the_findings_of_its_own_route_only(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    const ist_mesh_view *view = ruled_view(&world);
    json_t *answer = get(view, "/v1/explain?host=ratings", 200);
    assert_true(has_finding(answer, "timeout") && has_finding(answer, "mirror"));
    assert_false(has_finding(answer, "conditional-route") || has_finding(answer, "response"));
    json_decref(answer);
    answer = get(view, "/v1/explain?host=ratings&path=/beta", 200);
    assert_true(has_finding(answer, "conditional-route"));
    assert_false(has_finding(answer, "timeout"));
    json_decref(answer);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

static void report_finds_what_a_door_cannot_honour(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    const ist_mesh_view *view = ruled_view(&world);
    json_t *answer = get(view, "/v1/report", 200);
    assert_int_equal(findings(answer, "timeout"), 1);
    assert_int_equal(findings(answer, "mirror"), 1);
    assert_int_equal(findings(answer, "conditional-route"), 3); // testers of reviews; beta and old of ratings
    assert_int_equal(findings(answer, "response"), 1);
    assert_int_equal(findings(answer, "not-listed"), 2); // details and empty: no port speaks HTTP
    const json_t *registry = at(answer, "registries", 0);
    assert_string_equal(text(registry, "door"), "eureka");
    assert_int_equal(number(registry, "unknown_names_left_out"), 7);
    json_decref(answer);
    answer = get(view, "/v1/report?host=ratings&finding=timeout", 200);
    assert_int_equal(json_array_size(json_object_get(answer, "registries")), 0);
    const json_t *service = at(answer, "services", 0);
    assert_string_equal(text(service, "host"), RATINGS);
    assert_int_equal(json_array_size(json_object_get(service, "findings")), 1);
    const json_t *timeout = at(service, "findings", 0);
    assert_string_equal(text(timeout, "detail"), "2500 ms");
    assert_int_equal(number(json_object_get(timeout, "route"), "index"), 2);
    assert_int_equal(json_array_size(json_object_get(timeout, "doors")), 3);
    json_decref(answer);
    answer = get(view, "/v1/report?host=reviews&finding=mirror", 200); // none: no service
    assert_int_equal(json_array_size(json_object_get(answer, "services")), 0);
    assert_int_equal(number(json_object_get(answer, "summary"), "services"), 0);
    json_decref(answer);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// --- Status ---------------------------------------------------------------------------------------------------------

static void status_shows_readiness_with_its_reason(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    is_ready = false;
    json_t *answer = get(NULL, "/v1/status", 200);
    assert_true(json_is_false(json_object_get(answer, "ready")));
    assert_string_equal(text(answer, "ready_reason"), "waiting for \"CDS\"");
    assert_int_equal(number(answer, "revision"), 0);
    json_decref(answer);
    is_ready = true;
    answer = get(view, "/v1/status", 200);
    assert_true(json_is_true(json_object_get(answer, "ready")));
    assert_string_equal(text(json_object_get(answer, "source"), "kind"), "test");
    assert_int_equal(number(json_object_get(answer, "counts"), "services"), 4);
    json_decref(answer);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

// --- Watch ----------------------------------------------------------------------------------------------------------

// A view of revision 2 in which ratings has changed since revision 1.
static const ist_mesh_view *changed_view(mesh_world *world)
{
    mesh_world_fill(world);
    mesh_world_cluster(world, "outbound|80||ratings.prod.svc.cluster.local", 3, 2);
    assert_int_equal(mesh_world_publish(world), 2);
    return ist_mesh_store_acquire(world->store);
}

static void watch_answers_at_once_where_there_is_news(void **state)
{
    static const struct {
        const char *target;
        size_t changed;
    } CASES[] = {
        {"/v1/watch", 4},
        {"/v1/watch?revision=1", 1},
        {"/v1/watch?revision=99", 4}, // of an earlier life of the agent
        {"/v1/watch?revision=2&timeout=0", 0},
    };
    (void)state;
    mesh_world world = mesh_world_open();
    const ist_mesh_view *view = changed_view(&world);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        json_t *answer = get(view, CASES[i].target, 200);
        assert_int_equal(number(answer, "revision"), 2);
        assert_int_equal(json_array_size(json_object_get(answer, "changed")), CASES[i].changed);
        json_decref(answer);
    }
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

static void watch_waits_and_is_resumed(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *first = ist_mesh_store_acquire(world.store);
    ist_api_response response;
    question q = {.view = first, .target = "/v1/watch?revision=1&timeout=7"};
    assert_int_equal(ask(&q, &response), IST_OK);
    assert_true(response.wait && !response.stream && response.body.length == 0);
    assert_int_equal(response.wait_beyond, 1);
    assert_int_equal(response.wait_ms, 7000);

    q.resumed = true; // the time is over
    q.resumed_beyond = response.wait_beyond;
    q.timed_out = true;
    assert_int_equal(ask(&q, &response), IST_OK);
    assert_false(response.wait);
    ist_test_strv_equal(ist_buf_view(&response.body), "{\"revision\":1,\"stale\":false,\"changed\":[]}");
    ist_buf_done(&response.body);

    mesh_world_cluster(&world, "outbound|80||ratings.prod.svc.cluster.local", 3, 2);
    assert_int_equal(mesh_world_publish(&world), 2);
    const ist_mesh_view *second = ist_mesh_store_acquire(world.store);
    q.view = second; // news came
    q.timed_out = false;
    assert_int_equal(ask(&q, &response), IST_OK);
    assert_false(response.wait);
    ist_test_strv_equal(ist_buf_view(&response.body),
                        "{\"revision\":2,\"stale\":false,\"changed\":[\"ratings.prod.svc.cluster.local\"]}");
    ist_buf_done(&response.body);
    ist_mesh_store_release(world.store, first);
    ist_mesh_store_release(world.store, second);
    mesh_world_close(&world);
}

static void watch_stream_gives_events_and_signs_of_life(void **state)
{
    (void)state;
    mesh_world world = mesh_world_open();
    const ist_mesh_view *view = changed_view(&world);
    ist_api_response response;
    question q = {.view = view, .target = "/v1/watch?revision=1", .accept = "text/event-stream, */*"};
    assert_int_equal(ask(&q, &response), IST_OK);
    assert_true(response.wait && response.stream);
    assert_int_equal(response.wait_beyond, 2);
    assert_string_equal(response.content_type, "text/event-stream");
    ist_test_strv_equal(ist_buf_view(&response.body),
                        "event: revision\nid: 2\ndata: {\"revision\":2,\"stale\":false,\"changed\":"
                        "[\"ratings.prod.svc.cluster.local\"]}\n\n");
    ist_buf_done(&response.body);

    q = (question){.view = view, .target = q.target, .accept = q.accept, .resumed = true, .resumed_beyond = 2};
    q.elapsed_ms = 15000;
    assert_int_equal(ask(&q, &response), IST_OK);
    assert_true(response.wait && response.stream);
    assert_int_equal(response.wait_ms, 30000);
    ist_test_strv_equal(ist_buf_view(&response.body), ": still here\n\n");
    ist_buf_done(&response.body);

    // The browser connects again with the old address.
    q = (question){.view = view, .target = q.target, .accept = q.accept, .last_event_id = "2"};
    assert_int_equal(ask(&q, &response), IST_OK);
    ist_test_strv_equal(ist_buf_view(&response.body), ": still here\n\n");
    ist_buf_done(&response.body);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

static void watch_before_the_first_view_waits_for_it(void **state)
{
    (void)state;
    ist_api_response response;
    assert_int_equal(ask(&(question){.target = "/v1/watch"}, &response), IST_OK);
    assert_true(response.wait);
    assert_int_equal(response.wait_beyond, 0);
    assert_int_equal(response.wait_ms, 30000);
}

static void watch_errors_name_the_parameter(void **state)
{
    (void)state;
    assert_problem(NULL, "/v1/watch?revision=-1", 400, "revision must be a whole number");
    assert_problem(NULL, "/v1/watch?timeout=601", 400, "timeout must be 0 to 600 seconds");
    assert_problem(NULL, "/v1/watch?timeout=1s", 400, "timeout must be 0 to 600 seconds");
    assert_problem(NULL, "/v1/watch?since=1", 400, "unknown parameter \"since\"");
}

// --- Memory ---------------------------------------------------------------------------------------------------------

// Each answer is whole, or says that it is not.
static ist_status ask_whole(void *ctx)
{
    ist_api_response response;
    ist_status status = ask(ctx, &response);
    if (status == IST_OK) {
        status = response.status == 503 ? IST_ENOMEM : ist_buf_status(&response.body);
    }
    if (status == IST_OK) {
        assert_int_equal(response.status, 0);
        json_decref(parse(&response.body));
    }
    ist_buf_done(&response.body);
    return status;
}

static void out_of_memory_never_gives_half_an_answer(void **state)
{
    static const char *const TARGETS[] = {"/v1/services?q=r", "/v1/services/reviews", "/v1/watch?revision=0",
                                          "/v1/endpoints/reviews?header.Who=tester&path=/", "/v1/status",
                                          "/v1/openapi.json", "/v1/resolve?host=reviews&header.Who=me",
                                          "/v1/resolve?host=reviews&brief", "/v1/explain?host=reviews&path=/x",
                                          "/v1/routes/reviews", "/v1/report", "/v1/report?host=reviews"};
    (void)state;
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    for (size_t i = 0; i < IST_COUNT(TARGETS); i++) {
        assert_true(ist_test_each_alloc_fails(ask_whole, &(question){.view = view, .target = TARGETS[i]}) > 2);
    }
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openapi_has_every_route_and_no_other),
        cmocka_unit_test(answers_keep_the_promise),
        cmocka_unit_test(services_are_sorted_and_filtered),
        cmocka_unit_test(service_is_found_by_every_name),
        cmocka_unit_test(endpoints_follow_the_rules),
        cmocka_unit_test(endpoints_errors_say_what_to_do),
        cmocka_unit_test(resolve_deals_each_endpoint_by_its_slots),
        cmocka_unit_test(resolve_without_endpoints_picks_nothing),
        cmocka_unit_test(explain_tells_why_an_earlier_route_was_lost),
        cmocka_unit_test(explain_names_the_door_that_carries_the_answer),
        cmocka_unit_test(routes_show_conditions_actions_and_policies),
        cmocka_unit_test(explain_has_the_findings_of_its_own_route_only),
        cmocka_unit_test(report_finds_what_a_door_cannot_honour),
        cmocka_unit_test(without_view_all_but_status_is_unavailable),
        cmocka_unit_test(status_shows_readiness_with_its_reason),
        cmocka_unit_test(watch_answers_at_once_where_there_is_news),
        cmocka_unit_test(watch_waits_and_is_resumed),
        cmocka_unit_test(watch_stream_gives_events_and_signs_of_life),
        cmocka_unit_test(watch_before_the_first_view_waits_for_it),
        cmocka_unit_test(watch_errors_name_the_parameter),
        cmocka_unit_test(out_of_memory_never_gives_half_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
