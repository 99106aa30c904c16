// SPDX-License-Identifier: Apache-2.0
//
// Clusters and their endpoints for one service: one cluster per port, and one more per port and subset.
// istiod: cluster_builder.go, endpoint_builder.go, ep_filters.go.
#include "translate_priv.h"

#include <string.h>

#define DEFAULT_CONNECT_TIMEOUT_MS 10000U // MeshConfig.connectTimeout

ist_strv ist_cluster_name(ist_arena *arena, uint32_t port, ist_strv subset, ist_strv host)
{
    ist_strv name = IST_STRV_NULL;
    (void)ist_world_print(arena, &name, "outbound|%u|%.*s|%.*s", port, IST_STRV_ARG(subset),
                          IST_STRV_ARG(host)); // .p tells
    return name;
}

// --- Endpoints of one cluster ----------------------------------------------------------------------------------------

static bool subset_has(const ist_world *world, const ist_subset *subset, const ist_instance *instance)
{
    const ist_files_label *labels = subset->labels.items;
    for (uint32_t i = 0; i < subset->labels.count; i++) {
        ist_strv value = ist_instance_label(world, instance, labels[i].key);
        if (value.p == NULL || !ist_strv_equal(value, labels[i].value)) {
            return false;
        }
    }
    return true;
}

static const ist_network *find_network(const ist_world *world, ist_strv name)
{
    const ist_network *networks = world->mesh != NULL ? world->mesh->networks.items : NULL;
    for (uint32_t i = 0; networks != NULL && i < world->mesh->networks.count; i++) {
        if (ist_strv_equal(networks[i].key, name) && networks[i].gateways.count != 0) {
            return &networks[i];
        }
    }
    return NULL;
}

static ist_status push(ist_instances *out, const ist_instance *instance)
{
    return IST_VEC_PUSH(out, *instance, 50000U);
}

// An endpoint of another network is reached through that network's gateways, with mTLS only. Endpoints behind one gateway
// become one, with their weights summed.
static ist_status push_gateways(const ist_network *network, const ist_instance *instance, ist_instances *out)
{
    const ist_network_gateway *gateways = network->gateways.items;
    for (uint32_t i = 0; i < network->gateways.count; i++) {
        ist_instance gateway = {.weight = instance->weight,
                                .health = IST_MESH_UNKNOWN,
                                .locality = instance->locality,
                                .network = instance->network,
                                .mtls = true,
                                .gateway = true,
                                .port_name = instance->port_name,
                                .workload = IST_STRV(";;;;")};
        gateway.port = (uint16_t)(gateways[i].port != 0 ? gateways[i].port : 15443);
        if (ist_mesh_addr_parse(gateways[i].address, &gateway.addr, NULL) != IST_OK) {
            continue; // a name, or a registryServiceName: ist_translate reports it
        }
        bool merged = false;
        for (uint32_t j = 0; j < out->count && !merged; j++) {
            ist_instance *have = &out->items[j];
            merged = have->gateway && have->port == gateway.port && ist_mesh_addr_equal(&have->addr, &gateway.addr) &&
                     ist_strv_equal(have->locality, gateway.locality);
            have->weight += merged ? gateway.weight : 0;
        }
        ist_status status = merged ? IST_OK : push(out, &gateway);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

typedef struct selection {
    const ist_svc *service;
    const ist_svc_port *port;
    const ist_subset *subset;
    const ist_policy *policy;  // decides which endpoints there are
    const ist_policy *cluster; // of the cluster itself: with the mesh's defaults
    const ist_tls *tls;        // of the endpoints
    bool names;                // DNS cluster: host names wanted too
    bool passthrough;          // a subset that is PASSTHROUGH, or its whole service is, whatever its port settings say
} selection;

// trafficDistribution needs the endpoints that are not ready to know when to spill over.
static bool wants_unhealthy(const ist_svc *service)
{
    return service->prefer_close || service->prefer_node;
}

static bool selected(const ist_world *world, const selection *want, const ist_instance *instance)
{
    if (!ist_strv_equal(instance->port_name, want->port->name) || (instance->addr.family == 0 && !want->names)) {
        return false;
    }
    if (want->subset != NULL && !subset_has(world, want->subset, instance)) {
        return false;
    }
    if (want->service->node_local && !ist_strv_equal(instance->node, world->identity->node_name)) {
        return false;
    }
    bool only_healthy = want->policy->outlier != NULL && want->policy->outlier->min_health_percent > 0 &&
                        !wants_unhealthy(want->service);
    return instance->health != IST_MESH_UNHEALTHY || !only_healthy;
}

static ist_status select_instances(const ist_world *world, const selection *want, const ist_instances *all,
                                   ist_instances *out)
{
    bool may_mtls = want->tls == NULL || want->tls->mode == IST_TLS_ISTIO_MUTUAL;
    ist_strv ours = world->identity->network;
    for (uint32_t i = 0; i < all->count; i++) {
        ist_instance instance = all->items[i];
        if (!selected(world, want, &instance)) {
            continue;
        }
        instance.mtls = instance.mtls && may_mtls;
        // istiod knows networks in EDS only: what a DNS cluster names is reached directly.
        bool away = !want->names && instance.network.n != 0 && !ist_strv_equal(instance.network, ours);
        const ist_network *network = away ? find_network(world, instance.network) : NULL;
        ist_status status = IST_OK;
        if (network == NULL) {
            status = push(out, &instance);
        } else if (instance.mtls) {
            status = push_gateways(network, &instance, out);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// --- In the mesh's form ----------------------------------------------------------------------------------------------

typedef struct tables {
    ist_mesh_endpoint *items;
    ist_strv *workloads;
    ist_strv *hostnames;
    ist_mesh_endpoints *spec;
} tables;

static uint16_t workload_index(tables *out, ist_strv workload)
{
    ist_mesh_endpoints *spec = out->spec;
    if (workload.n == 0 || spec->workload_count >= IST_MESH_NO_INDEX - 1) {
        return IST_MESH_NO_INDEX;
    }
    for (uint16_t i = spec->workload_count; i > 0; i--) {
        if (ist_strv_equal(out->workloads[i - 1], workload)) {
            return (uint16_t)(i - 1);
        }
    }
    out->workloads[spec->workload_count] = workload;
    return spec->workload_count++;
}

static void fill_endpoint(tables *out, const ist_instance *from, uint16_t locality)
{
    ist_mesh_endpoints *spec = out->spec;
    ist_mesh_endpoint *to = &out->items[spec->count++];
    *to = (ist_mesh_endpoint){.weight = from->weight,
                              .port = from->port,
                              .locality = locality,
                              .family = from->addr.family,
                              .health = (uint8_t)from->health,
                              .alternate = IST_MESH_NO_INDEX};
    to->flags = (uint8_t)((from->mtls ? IST_MESH_ENDPOINT_MTLS : 0) | (from->gateway ? IST_MESH_ENDPOINT_GATEWAY : 0));
    memcpy(to->address, from->addr.bytes, sizeof(to->address));
    to->workload = workload_index(out, from->workload);
    if (from->addr.family == 0 && spec->hostname_count < IST_MESH_NO_INDEX) {
        to->alternate = spec->hostname_count;
        out->hostnames[spec->hostname_count++] = from->hostname;
    }
}

static ist_status make_spec(ist_world *world, const ist_localities *localities, ist_mesh_endpoints *spec)
{
    size_t count = localities->count + 1U;
    ist_mesh_locality *places = IST_ARENA_ARRAY(world->scratch, localities->locality_count + 1U, ist_mesh_locality);
    tables out = {.items = IST_ARENA_ARRAY(world->scratch, count, ist_mesh_endpoint),
                  .workloads = IST_ARENA_ARRAY(world->scratch, count, ist_strv),
                  .hostnames = IST_ARENA_ARRAY(world->scratch, count, ist_strv),
                  .spec = spec};
    *spec = (ist_mesh_endpoints){.count = 0};
    if (places == NULL || out.items == NULL || out.workloads == NULL || out.hostnames == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < localities->locality_count && i < IST_MESH_NO_INDEX; i++) {
        places[i] = localities->localities[i];
        places[i].first = spec->count;
        for (uint32_t j = 0; j < localities->localities[i].count; j++) {
            fill_endpoint(&out, localities->items[localities->localities[i].first + j], (uint16_t)i);
        }
        spec->locality_count++;
    }
    spec->items = out.items;
    spec->localities = places;
    spec->workloads = out.workloads;
    spec->hostnames = out.hostnames;
    return IST_OK;
}

// --- Cluster ---------------------------------------------------------------------------------------------------------

static ist_mesh_lb lb_of(const ist_policy *policy, ist_mesh_cluster *spec)
{
    const ist_load_balancer *lb = policy->lb;
    if (lb != NULL && lb->hash != NULL) {
        const ist_consistent_hash *hash = lb->hash;
        spec->ring_size = hash->maglev != NULL           ? hash->maglev->table_size
                          : hash->ring_hash != NULL      ? hash->ring_hash->minimum_ring_size
                          : hash->minimum_ring_size != 0 ? hash->minimum_ring_size
                                                         : 1024;
        return hash->maglev != NULL ? IST_MESH_LB_MAGLEV : IST_MESH_LB_RING_HASH;
    }
    switch (lb != NULL ? lb->simple : 0) {
    case IST_LB_RANDOM:
        return IST_MESH_LB_RANDOM;
    case IST_LB_ROUND_ROBIN:
        return IST_MESH_LB_ROUND_ROBIN;
    case IST_LB_PASSTHROUGH:
        return IST_MESH_LB_CLUSTER_PROVIDED;
    default:
        return IST_MESH_LB_LEAST_REQUEST; // LEAST_REQUEST, LEAST_CONN, UNSPECIFIED, absent
    }
}

// istiod leaves out what is zero, but for the numbers of errors.
static uint32_t positive(uint32_t value)
{
    return value != 0 ? value : IST_ABSENT;
}

static uint32_t connect_timeout(const ist_world *world, const ist_pool_tcp *tcp)
{
    if (tcp != NULL && tcp->connect_timeout_ms != IST_ABSENT) {
        return tcp->connect_timeout_ms;
    }
    uint32_t mesh = world->mesh != NULL ? world->mesh->settings.connect_timeout_ms : 0;
    return mesh != 0 ? mesh : DEFAULT_CONNECT_TIMEOUT_MS;
}

static void publish_lb(const ist_load_balancer *lb, ist_mesh_lb algorithm, ist_mesh_published *out)
{
    bool warms = algorithm == IST_MESH_LB_ROUND_ROBIN || algorithm == IST_MESH_LB_LEAST_REQUEST;
    if (warms && lb != NULL && (lb->warmup != NULL || lb->warmup_ms != 0)) {
        out->slow_start_ms = lb->warmup != NULL ? lb->warmup->duration_ms : lb->warmup_ms;
    }
}

static void publish(const ist_world *world, const ist_policy *policy, ist_mesh_published *out)
{
    const ist_outlier *outlier = policy->outlier;
    const ist_pool_tcp *tcp = policy->pool != NULL ? policy->pool->tcp : NULL;
    const ist_pool_http *http = policy->pool != NULL ? policy->pool->http : NULL;
    *out = IST_MESH_PUBLISHED_NONE;
    out->connect_timeout_ms = connect_timeout(world, tcp);
    if (outlier != NULL) {
        out->consecutive_5xx = outlier->consecutive_5xx;
        out->consecutive_gateway_failure = outlier->consecutive_gateway;
        out->outlier_interval_ms = outlier->interval_ms;
        out->base_ejection_ms = outlier->base_ejection_ms;
        out->max_ejection_percent = positive(outlier->max_ejection_percent);
    }
    out->max_connections = tcp != NULL ? positive(tcp->max_connections) : IST_ABSENT;
    out->max_pending_requests = http != NULL ? positive(http->max_pending) : IST_ABSENT;
    out->max_requests = http != NULL ? positive(http->max_requests) : IST_ABSENT;
    out->max_retries = http != NULL ? positive(http->max_retries) : IST_ABSENT;
}

static ist_mesh_discovery discovery_of(ist_resolution resolution)
{
    switch (resolution) {
    case IST_RESOLUTION_EDS:
        return IST_MESH_DISCOVERY_EDS;
    case IST_RESOLUTION_NONE:
        return IST_MESH_DISCOVERY_ORIGINAL_DST;
    case IST_RESOLUTION_DNS:
        return IST_MESH_DISCOVERY_STRICT_DNS;
    case IST_RESOLUTION_DNS_RR:
        return IST_MESH_DISCOVERY_LOGICAL_DNS;
    case IST_RESOLUTION_DYNAMIC_DNS:
        return IST_MESH_DISCOVERY_DYNAMIC_DNS;
    case IST_RESOLUTION_ALIAS:
    case _IST_RESOLUTION_MAX:
        break;
    }
    return IST_MESH_DISCOVERY_EDS;
}

static bool is_passthrough(const ist_policy *policy)
{
    return policy != NULL && policy->lb != NULL && policy->lb->hash == NULL && policy->lb->simple == IST_LB_PASSTHROUGH;
}

// TLS that a DestinationRule asks for. There is none where it takes a Secret that istiod withholds: all but rules with a
// workloadSelector.
static ist_mesh_tls tls_of_rule(const ist_tls *tls, const ist_dr *rule)
{
    bool secret = tls->credential.n != 0 && !ist_strv_starts_with(tls->credential, IST_STRV("configmap://"));
    bool withheld = secret && rule->object->spec.selector == NULL;
    switch (tls->mode) {
    case IST_TLS_ISTIO_MUTUAL:
        return IST_MESH_TLS_ISTIO_MUTUAL;
    case IST_TLS_SIMPLE:
        return withheld ? IST_MESH_TLS_DISABLE : IST_MESH_TLS_SIMPLE;
    case IST_TLS_MUTUAL:
        return withheld ? IST_MESH_TLS_DISABLE : IST_MESH_TLS_MUTUAL;
    default:
        return IST_MESH_TLS_DISABLE;
    }
}

// Do all endpoints of the port speak mTLS?
static bool all_mtls(const selection *want, const ist_instances *all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        if (ist_strv_equal(all->items[i].port_name, want->port->name)) {
            count++;
            if (!all->items[i].mtls) {
                return false;
            }
        }
    }
    return count != 0;
}

// Auto mTLS chooses by endpoint, and by cluster where the client chooses the address (istiod: buildUpstreamTLSSettings,
// BestEffortInferServiceMTLSMode). PeerAuthentication is not looked at.
static ist_mesh_tls tls_of_cluster(const ist_world *world, const selection *want, const ist_dr *rule,
                                   const ist_instances *all, ist_mesh_discovery discovery)
{
    if (want->cluster->tls != NULL) {
        return tls_of_rule(want->cluster->tls, rule);
    }
    bool off = world->mesh != NULL && world->mesh->settings.auto_mtls == IST_FIELD_FALSE;
    const ist_policy *own = want->subset != NULL ? want->subset->policy : rule != NULL ? rule->policy : NULL;
    bool by_address = want->service->resolution == IST_RESOLUTION_NONE || is_passthrough(own);
    if (off || want->service->external || (by_address && !all_mtls(want, all))) {
        return IST_MESH_TLS_DISABLE;
    }
    return discovery == IST_MESH_DISCOVERY_ORIGINAL_DST ? IST_MESH_TLS_ISTIO_MUTUAL : IST_MESH_TLS_AUTO;
}

static ist_status describe(ist_world *world, const selection *want, const ist_dr *rule, const ist_instances *all,
                           ist_mesh_cluster *spec)
{
    const ist_policy *policy = want->cluster;
    spec->service_name = want->service->name;
    spec->service_namespace = want->service->namespace_;
    spec->discovery = discovery_of(want->service->resolution);
    spec->lb = want->passthrough ? IST_MESH_LB_CLUSTER_PROVIDED : lb_of(policy, spec);
    if (spec->lb == IST_MESH_LB_CLUSTER_PROVIDED) {
        spec->discovery = IST_MESH_DISCOVERY_ORIGINAL_DST;
    } else if (spec->discovery == IST_MESH_DISCOVERY_ORIGINAL_DST ||
               spec->discovery == IST_MESH_DISCOVERY_DYNAMIC_DNS) {
        spec->lb = IST_MESH_LB_CLUSTER_PROVIDED;
        spec->ring_size = 0;
    }
    const ist_pool_http *http = policy->pool != NULL ? policy->pool->http : NULL;
    bool upgrade = http != NULL && http->h2_upgrade == IST_H2_UPGRADE && want->port->proto != IST_PROTO_AUTO;
    spec->http2 = want->port->proto == IST_PROTO_HTTP2 || upgrade;
    spec->external = want->service->external && want->subset == NULL; // istiod marks the whole service only
    spec->tls = tls_of_cluster(world, want, rule, all, spec->discovery);
    bool panics = policy->outlier != NULL && !wants_unhealthy(want->service);
    spec->panic_percent = panics ? (double)policy->outlier->min_health_percent : 0.0;
    publish(world, policy, &spec->published);
    publish_lb(policy->lb, spec->lb, &spec->published);
    if (rule == NULL) {
        return IST_OK;
    }
    const ist_meta *meta = &rule->object->object.meta;
    char *config = ist_world_print(world->scratch, &spec->config,
                                   "/apis/networking.istio.io/v1/namespaces/%.*s/destination-rule/%.*s",
                                   IST_STRV_ARG(meta->namespace_), IST_STRV_ARG(meta->name));
    return config != NULL ? IST_OK : IST_ENOMEM;
}

static ist_status put(ist_world *world, ist_mesh_cluster *spec, const ist_mesh_endpoints *endpoints)
{
    bool inline_ =
        spec->discovery == IST_MESH_DISCOVERY_STRICT_DNS || spec->discovery == IST_MESH_DISCOVERY_LOGICAL_DNS;
    ist_err err = IST_ERR_NULL;
    spec->inline_endpoints = inline_ ? endpoints : NULL;
    spec->hash = ist_hash_cluster(spec);
    if (!ist_mesh_builder_keep_cluster(world->builder, spec->name, spec->hash)) {
        ist_status status = ist_mesh_builder_put_cluster(world->builder, spec, &err);
        if (status != IST_OK) {
            return status;
        }
    }
    if (inline_ || spec->discovery == IST_MESH_DISCOVERY_DYNAMIC_DNS) {
        return IST_OK;
    }
    uint64_t hash = ist_hash_endpoints(endpoints);
    if (ist_mesh_builder_keep_endpoints(world->builder, spec->name, hash)) {
        return IST_OK;
    }
    return ist_mesh_builder_put_endpoints(world->builder, spec->name, endpoints, hash, &err);
}

// istiod leaves a DNS cluster without endpoints out. A subset that is PASSTHROUGH from the start is no DNS cluster.
static bool left_out(const selection *want, const ist_instances *chosen)
{
    return want->names && !want->passthrough && chosen->count == 0;
}

static ist_status put_cluster(ist_world *world, const selection *want, const ist_dr *rule, const ist_instances *all)
{
    ist_instances chosen = {.count = 0};
    ist_localities localities;
    ist_mesh_endpoints endpoints;
    ist_mesh_cluster spec = {.discovery = IST_MESH_DISCOVERY_EDS};
    spec.name = ist_cluster_name(world->scratch, want->port->number,
                                 want->subset != NULL ? want->subset->name : IST_STRV(""), want->service->host);
    ist_status status = spec.name.p != NULL ? select_instances(world, want, all, &chosen) : IST_ENOMEM;
    status = status == IST_OK ? ist_localities_make(world, want->service, want->policy, &chosen, &localities) : status;
    status = status == IST_OK ? make_spec(world, &localities, &endpoints) : status;
    status = status == IST_OK ? describe(world, want, rule, all, &spec) : status;
    if (status == IST_OK && !left_out(want, &chosen)) {
        spec.locality_weighted = localities.weighted;
        if (want->names && spec.discovery == IST_MESH_DISCOVERY_ORIGINAL_DST) {
            endpoints = (ist_mesh_endpoints){.count = 0}; // names are no destinations
        }
        status = put(world, &spec, &endpoints);
    }
    IST_VEC_DONE(&chosen);
    return status;
}

// A refused cluster is a finding, no reason to stop: everything else goes on.
static ist_status put_or_report(ist_world *world, const selection *want, const ist_dr *rule, const ist_instances *all)
{
    ist_status status = put_cluster(world, want, rule, all);
    if (status == IST_OK || status == IST_ENOMEM) {
        return status;
    }
    const ist_object *object =
        want->service->service != NULL ? &want->service->service->object : &want->service->entries->entry->object;
    object = want->subset != NULL ? &rule->object->object : object;
    return ist_world_finding(
        world, object, IST_FILES_ERROR, "cluster of port %u of %.*s, subset \"%.*s\", was refused: %s",
        want->port->number, IST_STRV_ARG(want->service->host),
        IST_STRV_ARG(want->subset != NULL ? want->subset->name : IST_STRV("")), ist_status_name(status));
}

static void set_policies(const ist_world *world, const ist_dr *rule, ist_policy policies[2], selection *want)
{
    const ist_policy *defaults = world->mesh != NULL ? world->mesh->settings.policy : NULL;
    ist_policy_of_port(NULL, rule, want->subset, want->port->number, &policies[0]);
    ist_policy_of_port(defaults, rule, want->subset, want->port->number, &policies[1]);
    want->policy = &policies[0];
    want->cluster = &policies[1];
    want->tls = ist_tls_of_port(rule, want->subset, want->port->number);
}

ist_status ist_put_clusters(ist_world *world, const ist_svc *service, ist_instances *instances)
{
    const ist_dr *rule = ist_world_rule_of(world, service);
    bool names = service->resolution == IST_RESOLUTION_DNS || service->resolution == IST_RESOLUTION_DNS_RR;
    for (uint32_t i = 0; i < service->port_count; i++) {
        ist_policy policies[2];
        selection want = {.service = service, .port = &service->ports[i], .names = names};
        set_policies(world, rule, policies, &want);
        ist_status status = put_or_report(world, &want, rule, instances);
        bool whole = is_passthrough(want.policy);
        for (uint32_t j = 0; rule != NULL && j < rule->subset_count && status == IST_OK; j++) {
            want.subset = rule->subsets[j];
            want.passthrough = whole || is_passthrough(want.subset->policy);
            set_policies(world, rule, policies, &want);
            status = put_or_report(world, &want, rule, instances);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}
