// SPDX-License-Identifier: Apache-2.0
#include "eureka_models.h"

void eureka_model_open(eureka_model *model, const eureka_model_kind *kind)
{
    *model = (eureka_model){.kind = kind, .instances = ist_map_new(ist_free), .apps = ist_map_new(NULL), .version = -1};
    assert_non_null(model->instances);
    assert_non_null(model->apps);
}

void eureka_model_close(eureka_model *model)
{
    ist_map_free(model->instances);
    ist_map_free(model->apps);
}

static const char *text_of(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "-";
}

static void key_of(json_t *instance, char key[256])
{
    (void)snprintf(key, 256, "%s %s", text_of(instance, "app"), text_of(instance, "instanceId"));
}

static bool is_gone(json_t *instance)
{
    return strcmp(text_of(instance, "actionType"), "DELETED") == 0;
}

// --- Merging --------------------------------------------------------------------------------------------------------

static void put(eureka_model *model, json_t *instance)
{
    char key[256];
    const char *vips = text_of(instance, "vipAddress");
    key_of(instance, key);
    char *copy = ist_strndup(vips, strlen(vips));
    assert_non_null(copy);
    assert_int_equal(ist_map_put(model->instances, ist_strv_from(key), copy), IST_OK);
}

static bool has_instances(const eureka_model *model, const char *app)
{
    size_t it = 0;
    ist_strv key;
    while (ist_map_next(model->instances, &it, &key, NULL)) {
        if (ist_strv_equal(ist_strv_first(key, ist_strv_find(key, ' ')), ist_strv_from(app))) {
            return true;
        }
    }
    return false;
}

static void drop(eureka_model *model, json_t *instance)
{
    char key[256];
    const char *app = text_of(instance, "app");
    key_of(instance, key);
    (void)ist_map_remove(model->instances, ist_strv_from(key)); // or it was not known
    if (!model->kind->takes_gone && !model->kind->python && !has_instances(model, app)) {
        (void)ist_map_remove(model->apps, ist_strv_from(app));
    }
}

// As it stands there, entries of what has gone included.
static void take_whole_app(eureka_model *model, json_t *app)
{
    size_t i;
    json_t *instance;
    assert_int_equal(ist_map_put(model->apps, ist_strv_from(text_of(app, "name")), model), IST_OK);
    json_array_foreach(json_object_get(app, "instance"), i, instance)
    {
        put(model, instance);
    }
}

// False: it cannot merge this.
static bool merge(eureka_model *model, json_t *app, json_t *instance)
{
    bool known = ist_map_find(model->apps, ist_strv_from(text_of(app, "name"))) != NULL;
    if (!known && model->kind->python) {
        return is_gone(instance);
    }
    if (!known && (!is_gone(instance) || model->kind->takes_gone)) {
        take_whole_app(model, app);
    }
    if (is_gone(instance)) {
        drop(model, instance);
    } else {
        put(model, instance);
    }
    return true;
}

static bool merge_all(eureka_model *model, json_t *apps)
{
    bool all = true;
    size_t i;
    json_t *app;
    json_array_foreach(json_object_get(apps, "application"), i, app)
    {
        size_t k;
        json_t *instance;
        json_array_foreach(json_object_get(app, "instance"), k, instance)
        {
            all = merge(model, app, instance) && all;
        }
    }
    return all;
}

// --- Asking ---------------------------------------------------------------------------------------------------------

static json_t *read_list(eureka_model *model, eureka_world *world, const char *request)
{
    char headers[512];
    ist_strv cookie = ist_strv_from(model->cookie);
    ist_strv value = ist_strv_cut(&cookie, ';', NULL); // the rest says for which paths
    (void)snprintf(headers, sizeof(headers), "%s%s%.*s", model->kind->headers, value.n != 0 ? "\ncookie: " : "",
                   IST_STRV_ARG(value));
    door_answer answer = eureka_ask(world, request, headers, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_not_equal(answer.cookie, "");
    if (model->kind->cookies) {
        memcpy(model->cookie, answer.cookie, sizeof(model->cookie));
    }
    json_t *root = json_loadb(answer.body.data, answer.body.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    ist_buf_done(&answer.body);
    return root;
}

static void read_whole(eureka_model *model, eureka_world *world)
{
    json_t *root = read_list(model, world, "GET /eureka/apps");
    size_t i;
    json_t *app;
    ist_map_clear(model->instances);
    ist_map_clear(model->apps);
    json_array_foreach(json_object_get(json_object_get(root, "applications"), "application"), i, app)
    {
        take_whole_app(model, app);
    }
    json_decref(root);
}

// Whether it had been told this already.
static bool remember(eureka_model *model, json_t *apps)
{
    uint64_t version = 0;
    const char *hash_code = text_of(apps, "apps__hashcode");
    assert_int_equal(ist_strv_to_u64(ist_strv_from(text_of(apps, "versions__delta")), INT64_MAX, &version), IST_OK);
    assert_true((int64_t)version >= model->version);
    bool same = (int64_t)version == model->version && strcmp(hash_code, model->hash_code) == 0;
    model->version = (int64_t)version;
    assert_true(ist_strv_copy(ist_strv_from(hash_code), model->hash_code, sizeof(model->hash_code)));
    return same;
}

void eureka_model_poll(eureka_model *model, eureka_world *world)
{
    char hash_code[64] = "";
    model->asked_ms = world->now_ms;
    if (!model->started || ist_map_count(model->instances) == 0) {
        model->started = true;
        read_whole(model, world);
        return;
    }
    json_t *root = read_list(model, world, "GET /eureka/apps/delta");
    json_t *apps = json_object_get(root, "applications");
    bool skips = remember(model, apps) && model->kind->python;
    bool merged = skips || merge_all(model, apps);
    json_decref(root);
    if (ist_map_count(model->instances) != 0) {
        (void)snprintf(hash_code, sizeof(hash_code), "UP_%zu_", ist_map_count(model->instances));
    }
    if (strcmp(hash_code, model->hash_code) != 0 && !skips) {
        model->full++;
        model->unmergeable += merged ? 0 : 1;
        read_whole(model, world);
    }
}

// --- Truth ----------------------------------------------------------------------------------------------------------

void eureka_model_assert_truth(const eureka_model *model, eureka_world *world)
{
    json_t *root = eureka_get(world, "/eureka/apps", model->kind->headers);
    size_t count = 0;
    size_t i;
    json_t *app;
    json_array_foreach(json_object_get(json_object_get(root, "applications"), "application"), i, app)
    {
        size_t k;
        json_t *instance;
        json_array_foreach(json_object_get(app, "instance"), k, instance)
        {
            char key[256];
            key_of(instance, key);
            const char *vips = ist_map_find(model->instances, ist_strv_from(key));
            if (vips == NULL || strcmp(vips, text_of(instance, "vipAddress")) != 0) {
                fail_msg("%s is %s, not %s", key, vips != NULL ? vips : "unknown", text_of(instance, "vipAddress"));
            }
            count++;
        }
    }
    json_decref(root);
    assert_int_equal(ist_map_count(model->instances), count);
}
