// SPDX-License-Identifier: Apache-2.0
#include "api_core/cluster_json.h"

void ist_api_write_published(ist_json *json, const ist_mesh_cluster *cluster)
{
    const ist_mesh_published *p = &cluster->published;
    const struct {
        const char *key;
        uint32_t value;
    } figures[] = {{"connect_timeout_ms", p->connect_timeout_ms},
                   {"consecutive_5xx", p->consecutive_5xx},
                   {"consecutive_gateway_failure", p->consecutive_gateway_failure},
                   {"outlier_interval_ms", p->outlier_interval_ms},
                   {"base_ejection_ms", p->base_ejection_ms},
                   {"max_ejection_percent", p->max_ejection_percent},
                   {"max_connections", p->max_connections},
                   {"max_pending_requests", p->max_pending_requests},
                   {"max_requests", p->max_requests},
                   {"max_retries", p->max_retries},
                   {"warmup_ms", p->slow_start_ms}};
    ist_json_string(json, "tls", ist_mesh_tls_name(cluster->tls));
    ist_json_begin_object(json, "published");
    for (size_t i = 0; i < IST_COUNT(figures); i++) {
        if (figures[i].value != UINT32_MAX) {
            ist_json_u64(json, figures[i].key, figures[i].value);
        } else {
            ist_json_null(json, figures[i].key);
        }
    }
    ist_json_end_object(json);
}
