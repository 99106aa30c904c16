// SPDX-License-Identifier: Apache-2.0
//
// A registration's body through the whole Eureka door, then everything that shows it: whatever is taken must be listed in
// answers of the right form, and be gone after its cancellation.
#include "api_eureka/eureka.h"

#include "base/arena.h"
#include "mesh/builder.h"
#include "mesh/store.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A mesh without services, anew for each input.
typedef struct empty_mesh {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_metrics *metrics;
} empty_mesh;

static empty_mesh open_mesh(void)
{
    static const ist_mesh_policy POLICY = {.identity = IST_STRV_INIT("pod.prod"),
                                           .namespace_ = IST_STRV_INIT("prod"),
                                           .domain = IST_STRV_INIT("cluster.local")};
    empty_mesh mesh = {.store = ist_mesh_store_new(), .metrics = ist_metrics_new()};
    ist_mesh_commit commit = {0};
    if (mesh.store == NULL || mesh.metrics == NULL) {
        abort();
    }
    mesh.builder = ist_mesh_builder_new(&(ist_mesh_builder_args){.store = mesh.store, .policy = &POLICY});
    if (mesh.builder == NULL || ist_mesh_builder_commit(mesh.builder, &commit, NULL) != IST_OK) {
        abort();
    }
    return mesh;
}

static void close_mesh(empty_mesh *mesh)
{
    ist_mesh_builder_free(mesh->builder);
    ist_mesh_store_free(mesh->store);
    ist_metrics_free(mesh->metrics);
}

typedef struct asking {
    ist_api_eureka *eureka;
    const ist_mesh_view *view;
    ist_strv body;
    const char *accept;
} asking;

// The status; the body has the form that was asked for.
static uint32_t ask(const asking *a, ist_api_method method, const char *path)
{
    ist_api_routes routes = ist_api_eureka_routes(a->eureka);
    const ist_api_routes *sets[] = {&routes};
    const ist_api_routes *set = NULL;
    ist_api_response response = {.body = IST_BUF_INIT};
    ist_arena *arena = ist_arena_new(0, (size_t)64 << 20);
    if (arena == NULL) {
        abort();
    }
    ist_api_request request = {.method = method,
                               .path = ist_strv_from(path),
                               .arena = arena,
                               .view = a->view,
                               .body = a->body,
                               .headers = {{IST_STRV("accept"), ist_strv_from(a->accept)}},
                               .header_count = 1};
    const ist_api_route *route = ist_api_route_find(sets, 1, &request, &set, &response);
    if (route == NULL) {
        abort();
    }
    route->handle(set->ctx, &request, &response);
    uint32_t status = response.status != 0 ? response.status : 200;
    ist_strv body = response.shared != NULL ? ist_strv_make(response.shared->bytes, response.shared->length)
                                            : ist_buf_view(&response.body);
    bool json = strcmp(a->accept, "json") == 0;
    if (method == IST_API_GET && status == 200 &&
        (!ist_strv_valid_utf8(body) || !ist_strv_starts_with(body, json ? IST_STRV("{") : IST_STRV("<")) ||
         !ist_strv_ends_with(body, json ? IST_STRV("}") : IST_STRV(">")))) {
        abort();
    }
    ist_buf_done(&response.body);
    ist_api_body_release(response.shared);
    ist_arena_free(arena);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    empty_mesh mesh = open_mesh();
    ist_api_eureka *eureka =
        ist_api_eureka_new(&(ist_api_eureka_args){.clock = ist_clock_system(), .metrics = mesh.metrics, .store = mesh.store});
    const ist_mesh_view *view = ist_mesh_store_acquire(mesh.store);
    if (eureka == NULL || view == NULL) {
        abort();
    }
    asking a = {.eureka = eureka, .view = view, .body = ist_strv_make((const char *)data, size), .accept = "json"};
    uint32_t status = ask(&a, IST_API_POST, "/eureka/apps/A");
    if (status != 204 && status != 400) {
        abort();
    }
    (void)ask(&a, IST_API_PUT, "/eureka/apps/A/id/status");
    (void)ask(&a, IST_API_POST, "/eureka/peerreplication/batch");
    static const char *const FORMS[] = {"json", "xml"};
    for (size_t i = 0; i < IST_COUNT(FORMS); i++) {
        a.accept = FORMS[i];
        (void)ask(&a, IST_API_GET, "/eureka/apps");
        (void)ask(&a, IST_API_GET, "/eureka/apps/delta");
        (void)ask(&a, IST_API_GET, "/eureka/apps/A/id");
        (void)ask(&a, IST_API_GET, "/eureka/vips/a");
    }
    if (ask(&a, IST_API_DELETE, "/eureka/apps/A/id") == 200 && ask(&a, IST_API_PUT, "/eureka/apps/A/id") != 404) {
        abort();
    }
    ist_mesh_store_release(mesh.store, view);
    ist_api_eureka_free(eureka);
    close_mesh(&mesh);
    return 0;
}
