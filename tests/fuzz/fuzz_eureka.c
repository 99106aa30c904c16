// SPDX-License-Identifier: Apache-2.0
//
// A registration's body through the whole Eureka door, then everything that shows it: whatever is taken must be listed in
// answers of the right form, and be gone after its cancellation. Behind a NUL byte, which no body has, stands what is asked
// for between the two, in each layout and by each method: the path below /eureka/ as it comes in a request.
#include "fuzz_door.h"

#include "api_eureka/eureka.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct asking {
    ist_api_eureka *eureka;
    const ist_mesh_view *view;
    ist_strv body;
    const char *accept;
    const char *agent;
} asking;

static ist_strv body_of(const ist_api_response *response)
{
    return response->shared != NULL ? ist_strv_make(response->shared->bytes, response->shared->length)
                                    : ist_buf_view(&response->body);
}

// Whatever is asked: text, and without a body where clients take any body for an instance.
static void check_answer(ist_api_method method, const ist_api_response *response)
{
    bool silent = method == IST_API_PUT || method == IST_API_DELETE;
    if ((silent && !response->bare) || !ist_strv_valid_utf8(body_of(response))) {
        abort();
    }
}

static void check_form(const char *accept, ist_strv body)
{
    bool json = strcmp(accept, "json") == 0;
    if (!ist_strv_starts_with(body, json ? IST_STRV("{") : IST_STRV("<")) ||
        !ist_strv_ends_with(body, json ? IST_STRV("}") : IST_STRV(">"))) {
        abort();
    }
}

// The status. `lists`: a good answer of GET has the form that was asked for.
static uint32_t handle(const asking *a, ist_api_request *request, bool lists)
{
    ist_api_routes routes = ist_api_eureka_routes(a->eureka);
    const ist_api_routes *sets[] = {&routes};
    const ist_api_routes *set = NULL;
    ist_api_response response = {.body = IST_BUF_INIT};
    ist_arena *arena = ist_arena_new(0, (size_t)64 << 20);
    if (arena == NULL) {
        abort();
    }
    request->arena = arena;
    const ist_api_route *route = ist_api_route_find(sets, 1, request, &set, &response);
    if (route != NULL) {
        route->handle(set->ctx, request, &response);
    }
    uint32_t status = response.status != 0 ? response.status : 200;
    check_answer(request->method, &response);
    if (lists && status == 200) {
        check_form(a->accept, body_of(&response));
    }
    ist_buf_done(&response.body);
    ist_api_body_release(response.shared);
    ist_arena_free(arena);
    return status;
}

static ist_api_request request_of(const asking *a, ist_api_method method)
{
    return (ist_api_request){
        .method = method,
        .view = a->view,
        .body = a->body,
        .headers = {{IST_STRV("accept"), ist_strv_from(a->accept)}, {IST_STRV("user-agent"), ist_strv_from(a->agent)}},
        .header_count = 2};
}

static uint32_t ask(const asking *a, ist_api_method method, const char *path)
{
    ist_api_request request = request_of(a, method);
    request.path = ist_strv_from(path);
    return handle(a, &request, method == IST_API_GET);
}

// What stands behind "/eureka/" in the first line of a request.
static void ask_target(const asking *a, ist_api_method method, ist_strv target)
{
    ist_arena *texts = ist_arena_new(0, (size_t)4 << 20);
    ist_api_request request = request_of(a, method);
    const char *whole = texts != NULL ? ist_arena_printf(texts, "/eureka/%.*s", IST_STRV_ARG(target)) : NULL;
    if (whole == NULL) {
        abort();
    }
    ist_status status = ist_api_target_parse(ist_strv_from(whole), texts, &request, NULL);
    if (status == IST_OK) {
        (void)handle(a, &request, false);
    } else if (status != IST_EPARSE && status != IST_ELIMIT) {
        abort();
    }
    ist_arena_free(texts);
}

static void ask_all(asking *a, ist_strv target)
{
    static const char *const FORMS[] = {"json", "xml"};
    static const char *const AGENTS[] = {"Java-EurekaClient/v1", "Steeltoe/4.0", "Steeltoe/4.2"}; // of each layout
    for (size_t i = 0; i < IST_COUNT(FORMS) * IST_COUNT(AGENTS); i++) {
        a->accept = FORMS[i % IST_COUNT(FORMS)];
        a->agent = AGENTS[i / IST_COUNT(FORMS)];
        (void)ask(a, IST_API_GET, "/eureka/apps");
        (void)ask(a, IST_API_GET, "/eureka/apps/delta");
        (void)ask(a, IST_API_GET, "/eureka/apps/A/id");
        (void)ask(a, IST_API_GET, "/eureka/vips/a");
        ask_target(a, IST_API_GET, target);
    }
    ask_target(a, IST_API_PUT, target);
    ask_target(a, IST_API_POST, target);
    ask_target(a, IST_API_DELETE, target);
    (void)ask(a, IST_API_GET, "/eureka/apps");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    empty_mesh mesh = open_mesh();
    ist_api_eureka *eureka = ist_api_eureka_new(
        &(ist_api_eureka_args){.clock = ist_clock_system(), .metrics = mesh.metrics, .store = mesh.store});
    const ist_mesh_view *view = ist_mesh_store_acquire(mesh.store);
    if (eureka == NULL || view == NULL) {
        abort();
    }
    ist_strv target = ist_strv_make((const char *)data, size);
    ist_strv body = ist_strv_cut(&target, '\0', NULL);
    asking a = {.eureka = eureka, .view = view, .body = body, .accept = "json", .agent = ""};
    uint32_t status = ask(&a, IST_API_POST, "/eureka/apps/A");
    if (status != 204 && status != 400) {
        abort();
    }
    (void)ask(&a, IST_API_PUT, "/eureka/apps/A/id/status");
    (void)ask(&a, IST_API_POST, "/eureka/peerreplication/batch");
    ask_all(&a, target);
    if (ask(&a, IST_API_DELETE, "/eureka/apps/A/id") == 200 && ask(&a, IST_API_PUT, "/eureka/apps/A/id") != 404) {
        abort();
    }
    ist_mesh_store_release(mesh.store, view);
    ist_api_eureka_free(eureka);
    close_mesh(&mesh);
    return 0;
}
