// SPDX-License-Identifier: Apache-2.0
#include "api_core/route_json.h"

void ist_api_write_weighted(ist_json *json, const ist_mesh_weighted *destinations, uint32_t count)
{
    ist_json_begin_array(json, "destinations");
    for (uint32_t i = 0; i < count; i++) {
        ist_json_begin_object(json, NULL);
        ist_json_strv(json, "cluster", destinations[i].cluster);
        ist_json_u64(json, "weight", destinations[i].weight);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
}

void ist_api_write_hash_policies(ist_json *json, const ist_mesh_hash_policy *policies, uint32_t count)
{
    static const char *const KINDS[] = {[IST_MESH_HASH_HEADER] = "header",
                                        [IST_MESH_HASH_COOKIE] = "cookie",
                                        [IST_MESH_HASH_SOURCE_IP] = "source_ip",
                                        [IST_MESH_HASH_QUERY] = "query",
                                        [IST_MESH_HASH_OTHER] = "other"};
    ist_json_begin_array(json, "hash_policies");
    for (uint32_t i = 0; i < count; i++) {
        ist_json_begin_object(json, NULL);
        ist_json_string(json, "kind", KINDS[policies[i].kind]);
        ist_json_strv(json, "name", policies[i].name);
        ist_json_bool(json, "terminal", policies[i].terminal);
        ist_json_bool(json, "generated", policies[i].generated);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
}
