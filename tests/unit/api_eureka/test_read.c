// SPDX-License-Identifier: Apache-2.0
//
// The reading operations over a view made by the builder.
#include "eureka_client.h"

#define TEXT_SIZE 4096

// reviews: 75 per cent to v1 (three endpoints), the rest to v2 (one): a slot each. A subset with an endpoint that has no share.
static void open_filled(eureka_world *world)
{
    eureka_world_open(world, IST_API_EUREKA_AUTO);
    mesh_world_cluster(&world->mesh, "outbound|80|v3|reviews.prod.svc.cluster.local", 9, 1);
    mesh_world_route(&world->mesh, "ratings.prod.svc.cluster.local");
    mesh_world_route(&world->mesh, "details.shop.svc.cluster.local");
    mesh_world_fill(&world->mesh);
}

static const char WHOLE[] =
    "DETAILS.SHOP: 10.0.4.1:details.shop:8080 details.shop,details.shop.svc.cluster.local,"
    " 10.0.4.2:details.shop:8080 details.shop,details.shop.svc.cluster.local; "
    "RATINGS: 10.0.3.1:ratings:8080 ratings,ratings.prod,ratings.prod.svc.cluster.local; "
    "REVIEWS: 10.0.1.1:reviews:8080 reviews,reviews.prod,reviews.prod.svc.cluster.local,reviews--v1,"
    " 10.0.1.2:reviews:8080 reviews,reviews.prod,reviews.prod.svc.cluster.local,reviews--v1,"
    " 10.0.1.3:reviews:8080 reviews,reviews.prod,reviews.prod.svc.cluster.local,reviews--v1,"
    " 10.0.2.1:reviews:8080 reviews,reviews.prod,reviews.prod.svc.cluster.local,reviews--v2; "
    "REVIEWS--V3: 10.0.9.1:reviews:8080 reviews--v3";

static void list_has_every_name_once_by_its_slots(void **state)
{
    static const char *const PATHS[] = {"/eureka/apps",       "/eureka/apps/",       "/eureka/v2/apps",
                                        "/eureka/v2//apps/",  "/eureka/%61pps",      "//eureka/apps?regions=a,b",
                                        "/discovery/v2/apps", "/discovery//v2/apps/"};
    char text[TEXT_SIZE];
    eureka_world world;
    (void)state;
    open_filled(&world);
    for (size_t i = 0; i < IST_COUNT(PATHS); i++) {
        assert_string_equal(eureka_list_text(&world, PATHS[i], JSON_CLIENT, text), WHOLE);
    }
    eureka_world_close(&world);
}

static void slots_are_repetitions_of_the_name(void **state)
{
    eureka_world world;
    char text[TEXT_SIZE];
    (void)state;
    open_filled(&world);
    mesh_world_split(&world.mesh, "reviews.prod.svc.cluster.local", 50);
    (void)mesh_world_publish(&world.mesh);
    (void)eureka_list_text(&world, "/eureka/apps", JSON_CLIENT, text);
    assert_non_null(strstr(text, "10.0.1.1:reviews:8080 reviews,reviews.prod,"));
    assert_non_null(
        strstr(text, "10.0.2.1:reviews:8080 reviews,reviews,reviews,reviews.prod,reviews.prod,reviews.prod,"));
    eureka_world_close(&world);
}

static void slots_are_further_ids_where_names_cannot_be_repeated(void **state)
{
    eureka_world world;
    char text[TEXT_SIZE];
    (void)state;
    open_filled(&world);
    mesh_world_split(&world.mesh, "reviews.prod.svc.cluster.local", 50);
    (void)mesh_world_publish(&world.mesh);
    static const char STEELTOE_3[] = "accept: application/json\nx-discovery-allowredirect: false";
    (void)eureka_list_text(&world, "/eureka/apps", STEELTOE_3, text);
    assert_non_null(strstr(text, "REVIEWS: 10.0.1.1:reviews:8080 reviews, 10.0.1.2:reviews:8080 reviews,"
                                 " 10.0.1.3:reviews:8080 reviews, 10.0.2.1:reviews:8080 reviews,"
                                 " 10.0.2.1:reviews:8080~2 reviews, 10.0.2.1:reviews:8080~3 reviews; "
                                 "REVIEWS--V1: 10.0.1.1:reviews:8080 reviews--v1,"));
    (void)eureka_list_text(&world, "/eureka/apps", "accept: application/json\nuser-agent: Steeltoe/4.2.0", text);
    assert_non_null(strstr(text, "10.0.2.1:reviews:8080 reviews; REVIEWS--V1:"));
    eureka_world_close(&world);
}

static void layout_is_decided_by_the_client(void **state)
{
    static const struct {
        const char *headers;
        const char *has;
    } CASES[] = {
        {"accept: application/json", "reviews,reviews.prod"},
        {"accept: application/json, application/*+json", "reviews,reviews.prod"},
        {"accept: application/json\nx-discovery-allowredirect: false\nuser-agent: Java-EurekaClient/v2.0.6",
         "reviews,reviews.prod"},
        {"accept: application/json\nuser-agent: Steeltoe/4.1.0", "reviews, 10.0.1.2"},
        {"accept: application/json\nuser-agent: Go-http-client/1.1", "reviews, 10.0.1.2"},
        {"accept: application/json\nuser-agent: Steeltoe/5.0.0", "reviews, 10.0.1.2"},
        {"accept: application/json\nuser-agent: Steeltoe/x", "reviews, 10.0.1.2"},
    };
    char text[TEXT_SIZE];
    eureka_world world;
    (void)state;
    open_filled(&world);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        if (strstr(eureka_list_text(&world, "/eureka/apps", CASES[i].headers, text), CASES[i].has) == NULL) {
            fail_msg("%s: %s", CASES[i].headers, text);
        }
    }
    eureka_world_close(&world);
}

// --- Fields ---------------------------------------------------------------------------------------------------------

// An unknown field makes Spring's decoder fail: these and no others.
static void instance_has_exactly_the_fields_that_decoders_know(void **state)
{
    static const char *const FULL = "dataCenterInfo ipAddr countryId status hostName securePort "
                                    "isCoordinatingDiscoveryServer actionType healthCheckUrl homePageUrl "
                                    "lastDirtyTimestamp overriddenstatus vipAddress instanceId metadata port "
                                    "lastUpdatedTimestamp app statusPageUrl ";
    static const char *const COMPACT = "dataCenterInfo ipAddr status hostName securePort actionType vipAddress "
                                       "instanceId port lastUpdatedTimestamp app ";
    static const char *const HEADERS[] = {JSON_CLIENT, JSON_CLIENT "\nx-eureka-accept: compact"};
    eureka_world world;
    (void)state;
    open_filled(&world);
    for (size_t i = 0; i < IST_COUNT(HEADERS); i++) {
        char fields[512] = "";
        const char *key = NULL;
        json_t *value = NULL;
        json_t *root = eureka_get(&world, "/eureka/apps/RATINGS/10.0.3.1:ratings:8080", HEADERS[i]);
        assert_int_equal(json_object_size(root), 1);
        json_object_foreach(json_object_get(root, "instance"), key, value)
        {
            size_t length = strlen(fields);
            (void)snprintf(fields + length, sizeof(fields) - length, "%s ", key);
        }
        assert_string_equal(fields, i == 0 ? FULL : COMPACT);
        json_decref(root);
    }
    eureka_world_close(&world);
}

static void types_are_those_of_the_reference(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world);
    json_t *root = eureka_get(&world, "/eureka/apps", JSON_CLIENT);
    json_t *apps = json_object_get(root, "applications");
    json_t *instance =
        json_array_get(json_object_get(json_array_get(json_object_get(apps, "application"), 1), "instance"), 0);
    json_t *port = json_object_get(instance, "port");
    assert_true(json_is_string(json_object_get(apps, "versions__delta")));
    assert_string_equal(json_string_value(json_object_get(apps, "apps__hashcode")), "UP_8_");
    assert_int_equal(json_integer_value(json_object_get(port, "$")), 8080);
    assert_string_equal(json_string_value(json_object_get(port, "@enabled")), "true");
    assert_true(json_is_integer(json_object_get(instance, "countryId")));
    assert_true(json_is_string(json_object_get(instance, "isCoordinatingDiscoveryServer")));
    assert_true(json_is_string(json_object_get(instance, "lastUpdatedTimestamp")));
    json_decref(root);
    eureka_world_close(&world);
}

static void xml_is_that_of_the_reference(void **state)
{
    static const char WANT[] =
        "<application><name>RATINGS</name><instance><instanceId>10.0.3.1:ratings:8080</instanceId>"
        "<hostName>10.0.3.1</hostName><app>RATINGS</app><ipAddr>10.0.3.1</ipAddr><status>UP</status>"
        "<overriddenstatus>UNKNOWN</overriddenstatus><port enabled=\"true\">8080</port>"
        "<securePort enabled=\"false\">443</securePort><countryId>1</countryId>"
        "<dataCenterInfo "
        "class=\"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo\"><name>MyOwn</name></dataCenterInfo>"
        "<metadata><version>v1</version><workload>app-v1</workload><namespace>prod</namespace><locality>r1/z1</"
        "locality>"
        "</metadata><homePageUrl>http://10.0.3.1:8080/</homePageUrl>"
        "<statusPageUrl>http://10.0.3.1:8080/actuator/info</statusPageUrl>"
        "<healthCheckUrl>http://10.0.3.1:8080/actuator/health</healthCheckUrl><vipAddress>ratings</vipAddress>"
        "<isCoordinatingDiscoveryServer>false</isCoordinatingDiscoveryServer>"
        "<lastUpdatedTimestamp>1700000001000</lastUpdatedTimestamp><lastDirtyTimestamp>1700000001000</"
        "lastDirtyTimestamp>"
        "<actionType>ADDED</actionType></instance></application>";
    eureka_world world;
    (void)state;
    open_filled(&world);
    door_answer answer = eureka_ask(&world, "GET /eureka/apps/ratings", NULL, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.type, "application/xml");
    ist_test_strv_equal(ist_buf_view(&answer.body), WANT);
    ist_buf_done(&answer.body);
    eureka_world_close(&world);
}

// What of the instance of ratings a reload can change: "home status health; key=value ...".
static const char *settings_text(eureka_world *world, char *text)
{
    static const char *const URLS[] = {"homePageUrl", "statusPageUrl", "healthCheckUrl"};
    const char *key = NULL;
    json_t *value = NULL;
    size_t length = 0;
    json_t *root = eureka_get(world, "/eureka/apps/RATINGS/10.0.3.1:ratings:8080", JSON_CLIENT);
    json_t *instance = json_object_get(root, "instance");
    for (size_t i = 0; i < IST_COUNT(URLS); i++) {
        length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s ",
                                   json_string_value(json_object_get(instance, URLS[i])));
    }
    json_object_foreach(json_object_get(instance, "metadata"), key, value)
    {
        length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s=%s ", key, json_string_value(value));
    }
    json_decref(root);
    return text;
}

static void use_policy(eureka_world *world, const ist_mesh_policy *policy)
{
    assert_int_equal(ist_mesh_builder_set_policy(world->mesh.builder, policy), IST_OK);
    (void)mesh_world_publish(&world->mesh);
}

static void pages_and_metadata_are_those_of_the_configuration(void **state)
{
    static const ist_mesh_metadata METADATA[] = {{IST_STRV_INIT("team"), IST_STRV_INIT("blue <team>")},
                                                 {IST_STRV_INIT("version"), IST_STRV_INIT("v9")}};
    static const ist_mesh_service_policy SERVICE = {.host = IST_STRV_INIT("ratings.prod.svc.cluster.local"),
                                                    .pages = {.home = IST_STRV_INIT("/home")},
                                                    .metadata = METADATA,
                                                    .metadata_count = IST_COUNT(METADATA)};
    static const ist_mesh_policy POLICY = {.identity = IST_STRV_INIT("pod.prod"),
                                           .namespace_ = IST_STRV_INIT("prod"),
                                           .services = &SERVICE,
                                           .service_count = 1,
                                           .pages = {.health = IST_STRV_INIT("/health?full=1")}};
    char text[TEXT_SIZE];
    eureka_world world;
    (void)state;
    open_filled(&world);
    assert_string_equal(settings_text(&world, text),
                        "http://10.0.3.1:8080/ http://10.0.3.1:8080/actuator/info http://10.0.3.1:8080/actuator/health "
                        "version=v1 workload=app-v1 namespace=prod locality=r1/z1 ");
    use_policy(&world, &POLICY); // as a reload does
    assert_string_equal(
        settings_text(&world, text),
        "http://10.0.3.1:8080/home http://10.0.3.1:8080/actuator/info http://10.0.3.1:8080/health?full=1 "
        "team=blue <team> version=v9 workload=app-v1 namespace=prod locality=r1/z1 ");
    eureka_world_close(&world);
}

static void bare_names_of_searched_namespaces_are_aliases(void **state)
{
    static const ist_strv SEARCH[] = {IST_STRV_INIT("shop")};
    static const ist_mesh_policy POLICY = {.identity = IST_STRV_INIT("pod.prod"),
                                           .namespace_ = IST_STRV_INIT("prod"),
                                           .search = SEARCH,
                                           .search_count = 1};
    char text[TEXT_SIZE];
    eureka_world world;
    (void)state;
    open_filled(&world);
    assert_string_equal(eureka_list_text(&world, "/eureka/vips/details", JSON_CLIENT, text), "");
    use_policy(&world, &POLICY);
    (void)eureka_list_text(&world, "/eureka/apps", JSON_CLIENT, text);
    assert_non_null(strstr(text, "DETAILS.SHOP: 10.0.4.1:details.shop:8080 "
                                 "details.shop,details,details.shop.svc.cluster.local,"));
    (void)eureka_list_text(&world, "/eureka/apps", "accept: application/json\nuser-agent: Steeltoe/4.1.0", text);
    assert_non_null(strstr(text, "DETAILS: 10.0.4.1:details.shop:8080 details,"));
    assert_string_equal(eureka_list_text(&world, "/eureka/vips/DETAILS", JSON_CLIENT, text),
                        "DETAILS: 10.0.4.1:details.shop:8080 details, 10.0.4.2:details.shop:8080 details");
    eureka_world_close(&world);
}

// --- Look-ups -------------------------------------------------------------------------------------------------------

static void names_that_lists_do_not_show_are_found(void **state)
{
    static const struct {
        const char *path;
        const char *text;
    } CASES[] = {
        {"/eureka/vips/reviews--v2", "REVIEWS--V2: 10.0.2.1:reviews:8080 reviews--v2"},
        {"/eureka/vips/reviews.prod--v2", "REVIEWS.PROD--V2: 10.0.2.1:reviews:8080 reviews.prod--v2"},
        {"/eureka/vips/Reviews--V2.prod", "REVIEWS--V2.PROD: 10.0.2.1:reviews:8080 reviews--v2.prod"},
        {"/eureka/vips/RATINGS.prod", "RATINGS.PROD: 10.0.3.1:ratings:8080 ratings.prod"},
        {"/eureka/v2/vips/reviews--p9090--x", ""},
        {"/eureka/vips/nobody", ""},
        {"/eureka/svips/ratings", ""},
    };
    char text[TEXT_SIZE];
    eureka_world world;
    (void)state;
    open_filled(&world);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        assert_string_equal(eureka_list_text(&world, CASES[i].path, JSON_CLIENT, text), CASES[i].text);
    }
    json_t *root = eureka_get(&world, "/eureka/vips/nobody", JSON_CLIENT);
    json_t *apps = json_object_get(root, "applications");
    assert_string_equal(json_string_value(json_object_get(apps, "versions__delta")), "-1");
    assert_string_equal(json_string_value(json_object_get(apps, "apps__hashcode")), "");
    json_decref(root);
    eureka_world_close(&world);
}

static void what_does_not_exist_is_404_without_a_body(void **state)
{
    static const char *const REQUESTS[] = {"GET /eureka/apps/NOBODY", "GET /eureka/apps/EMPTY",
                                           "GET /eureka/apps/RATINGS/nobody", "GET /eureka/apps/NOBODY/x",
                                           "GET /eureka/instances/nobody"};
    eureka_world world;
    (void)state;
    open_filled(&world);
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        assert_int_equal(eureka_ask_bare(&world, REQUESTS[i], NULL), 404);
    }
    json_t *root = eureka_get(&world, "/eureka/instances/10.0.3.1%3Aratings%3A8080", JSON_CLIENT);
    assert_non_null(json_object_get(root, "instance"));
    json_decref(root);
    root = eureka_get(&world, "/eureka/apps/reviews--v2", JSON_CLIENT);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "application"), "name")),
                        "REVIEWS--V2");
    json_decref(root);
    root = eureka_get(&world, "/eureka/apps/REVIEWS--V2.PROD", JSON_CLIENT);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "application"), "name")),
                        "REVIEWS--V2.PROD");
    json_decref(root);
    eureka_world_close(&world);
}

static void before_the_first_view_requests_wait_and_are_never_empty(void **state)
{
    static const char *const REQUESTS[] = {"GET /eureka/apps", "GET /eureka/apps/delta", "GET /eureka/vips/x",
                                           "GET /eureka/apps/X/y"};
    eureka_world world;
    (void)state;
    eureka_world_open(&world, IST_API_EUREKA_AUTO);
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        world.timed_out = false;
        door_answer answer = eureka_ask(&world, REQUESTS[i], JSON_CLIENT, NULL);
        assert_true(answer.wait);
        ist_buf_done(&answer.body);
        world.timed_out = true;
        assert_int_equal(eureka_ask_bare(&world, REQUESTS[i], NULL), 503);
    }
    eureka_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_has_every_name_once_by_its_slots),
        cmocka_unit_test(slots_are_repetitions_of_the_name),
        cmocka_unit_test(slots_are_further_ids_where_names_cannot_be_repeated),
        cmocka_unit_test(layout_is_decided_by_the_client),
        cmocka_unit_test(instance_has_exactly_the_fields_that_decoders_know),
        cmocka_unit_test(types_are_those_of_the_reference),
        cmocka_unit_test(xml_is_that_of_the_reference),
        cmocka_unit_test(pages_and_metadata_are_those_of_the_configuration),
        cmocka_unit_test(bare_names_of_searched_namespaces_are_aliases),
        cmocka_unit_test(names_that_lists_do_not_show_are_found),
        cmocka_unit_test(what_does_not_exist_is_404_without_a_body),
        cmocka_unit_test(before_the_first_view_requests_wait_and_are_never_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
