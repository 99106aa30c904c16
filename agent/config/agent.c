// SPDX-License-Identifier: Apache-2.0
#include "config/agent.h"

#include "base/log.h"

#define QUERY_LOG_ONE_IN_MAX ((uint64_t)1000000)

static const char SOURCE[] = "Source of the view";
static const char IDENTITY[] = "Who we are";
static const char DNS[] = "DNS";
static const char RULES[] = "Answers";
static const char REGISTRIES[] = "Registries";
static const char DOORS[] = "REST, admin and health";
static const char PROGRAM[] = "Program";

static const ist_option ROWS[] = {
    [IST_OPT_CONFIG] = {"config", NULL, IST_OPTION_FILE, NULL, NULL, "FILE", PROGRAM,
                        "YAML file with any of these options as keys"},
    [IST_OPT_SOURCE] = {"source", NULL, IST_OPTION_TEXT, "istiod", NULL, "istiod | dir:PATH", SOURCE,
                        "where the view comes from: istiod over xDS, or a directory of Istio and Kubernetes YAML"},
    [IST_OPT_XDS_ADDRESS] = {"xds-address", "XDS_ADDRESS", IST_OPTION_SERVERS, "istiod.istio-system.svc:15012", NULL,
                             "HOST:PORT[,...]", SOURCE, "control planes, tried in order"},
    [IST_OPT_XDS_TLS] = {"xds-tls", NULL, IST_OPTION_FLAG, "on", NULL, "on | off", SOURCE,
                         "TLS to istiod with its certificate verified; off is for a loopback istiod"},
    [IST_OPT_XDS_ROOT_CA] = {"xds-root-ca", NULL, IST_OPTION_FILE, "/var/run/secrets/istio/root-cert.pem", NULL, "FILE",
                             SOURCE, "PEM roots that istiod's certificate must chain to"},
    [IST_OPT_XDS_SERVER_NAME] = {"xds-server-name", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", SOURCE,
                                 "name that istiod's certificate must carry; default: the host of the address"},
    [IST_OPT_XDS_TOKEN] = {"xds-token", NULL, IST_OPTION_FILE, "/var/run/secrets/tokens/istio-token", NULL, "FILE",
                           SOURCE, "service-account token, read again for every stream"},
    [IST_OPT_XDS_MODE] = {"xds-mode", NULL, IST_OPTION_CHOICE, "delta", "delta|sotw", "delta | sotw", SOURCE,
                          "protocol variant: incremental, or state of the world"},
    [IST_OPT_XDS_ALLOW_PLAINTEXT] = {"xds-allow-plaintext", NULL, IST_OPTION_FLAG, "off", NULL, "on | off", SOURCE,
                                     "accept --xds-tls off for an istiod that is not on loopback"},
    [IST_OPT_SNAPSHOT] = {"snapshot", NULL, IST_OPTION_FILE, NULL, NULL, "FILE | off", SOURCE,
                          "keeps what istiod sent for the next start; default: /var/lib/isthmus/snapshot in a pod, else off"},
    [IST_OPT_LOSS_GUARD] = {"loss-guard", NULL, IST_OPTION_FLAG, "off", NULL, "on | off", SOURCE,
                            "hold a push back for 30 s that takes more than 90 % of a service's 10 or more endpoints"},
    [IST_OPT_POD_NAME] = {"pod-name", "POD_NAME", IST_OPTION_TEXT, NULL, NULL, "NAME", IDENTITY,
                          "pod name; default: the host name"},
    [IST_OPT_POD_NAMESPACE] = {"pod-namespace", "POD_NAMESPACE", IST_OPTION_TEXT, "default", NULL, "NAME", IDENTITY,
                               "pod namespace: decides visibility, short names and destination rules"},
    [IST_OPT_POD_IP] = {"pod-ip", "INSTANCE_IP", IST_OPTION_TEXT, NULL, NULL, "ADDR[,ADDR]", IDENTITY,
                        "the pod's addresses; default: 127.0.0.1"},
    [IST_OPT_SERVICE_ACCOUNT] = {"service-account", "SERVICE_ACCOUNT", IST_OPTION_TEXT, NULL, NULL, "NAME", IDENTITY,
                                 "service account that the token belongs to"},
    [IST_OPT_NODE_NAME] = {"node-name", "NODE_NAME", IST_OPTION_TEXT, NULL, NULL, "NAME", IDENTITY,
                           "node, for internalTrafficPolicy: Local"},
    [IST_OPT_WORKLOAD_NAME] = {"workload-name", "ISTIO_META_WORKLOAD_NAME", IST_OPTION_TEXT, NULL, NULL, "NAME",
                               IDENTITY, "workload (Deployment) name, for istioctl's lists"},
    [IST_OPT_CLUSTER_ID] = {"cluster-id", "ISTIO_META_CLUSTER_ID", IST_OPTION_TEXT, "Kubernetes", NULL, "ID", IDENTITY,
                            "cluster as istiod names it"},
    [IST_OPT_NETWORK] = {"network", "ISTIO_META_NETWORK", IST_OPTION_TEXT, NULL, NULL, "NAME", IDENTITY,
                         "network of the pod; must be true, or endpoints of it arrive as gateways"},
    [IST_OPT_MESH_ID] = {"mesh-id", "ISTIO_META_MESH_ID", IST_OPTION_TEXT, NULL, NULL, "ID", IDENTITY, "mesh id"},
    [IST_OPT_REVISION] = {"revision", "ISTIO_REVISION", IST_OPTION_TEXT, NULL, NULL, "NAME", IDENTITY,
                          "revision of istiod that this pod belongs to"},
    [IST_OPT_LABELS] = {"labels", NULL, IST_OPTION_LABELS, NULL, NULL, "K=V,... | @FILE", IDENTITY,
                        "pod labels, or a downward-API file with them"},
    [IST_OPT_LOCALITY] = {"locality", NULL, IST_OPTION_TEXT, NULL, NULL, "REGION/ZONE/SUBZONE", IDENTITY,
                          "place of the pod, where istiod cannot know it"},
    [IST_OPT_DOMAIN] = {"domain", NULL, IST_OPTION_TEXT, "cluster.local", NULL, "NAME", IDENTITY, "cluster domain"},
    [IST_OPT_MESH_PROXY] = {"mesh-proxy", NULL, IST_OPTION_CHOICE, "auto", "auto|none|envoy|ambient",
                            "auto | none | envoy | ambient", IDENTITY,
                            "Istio's proxy in this pod, which registries' addresses depend on; auto: by --annotations-file"},
    [IST_OPT_ANNOTATIONS_FILE] = {"annotations-file", NULL, IST_OPTION_FILE, NULL, NULL, "FILE", IDENTITY,
                                  "downward-API file with the pod's annotations; its changes are followed"},
    [IST_OPT_DNS_LISTEN] = {"dns-listen", NULL, IST_OPTION_LISTEN, "127.0.0.1:53", "off", "ADDR:PORT[,...] | off", DNS,
                            "where DNS is served over UDP and TCP"},
    [IST_OPT_DNS_UPSTREAM] = {"dns-upstream", NULL, IST_OPTION_UPSTREAMS, NULL, NULL, "ADDR[:PORT][,...]", DNS,
                              "where all other names are asked; default: the servers of --dns-resolv-conf without ourselves"},
    [IST_OPT_DNS_ROUTE] = {"dns-route", NULL, IST_OPTION_ROUTES, NULL, NULL, "DOMAIN=ADDR[:PORT][,...][;...]", DNS,
                           "where names below a domain are asked instead; the longest domain wins, . is all; repeatable"},
    [IST_OPT_DNS_RESOLV_CONF] = {"dns-resolv-conf", NULL, IST_OPTION_FILE, "/etc/resolv.conf", NULL, "FILE", DNS,
                                 "the pod's resolv.conf, for upstreams and search list; its changes are followed"},
    [IST_OPT_DNS_ANSWER] = {"dns-answer", NULL, IST_OPTION_CHOICE, "auto", "auto|endpoint|vip", "auto | endpoint | vip",
                            DNS,
                            "answer with endpoints or with the virtual IP; auto: endpoints where rules shape them"},
    [IST_OPT_DNS_EMPTY_SERVICE] =
        {"dns-empty-service", NULL, IST_OPTION_CHOICE, "address", "address|nxdomain", "address | nxdomain", DNS,
         "a Service without usable endpoints: its ClusterIP, or no such name, so that the search list goes on"},
    [IST_OPT_DNS_AAAA] = {"dns-aaaa", NULL, IST_OPTION_FLAG, "on", NULL, "on | off", DNS,
                          "off: no name has an AAAA record, for pods without IPv6; upstreams are not asked either"},
    [IST_OPT_DNS_MODE] = {"dns-mode", NULL, IST_OPTION_CHOICE, "serve", "serve|observe|forward",
                          "serve | observe | forward", DNS,
                          "observe answers from upstream and counts differences; forward only forwards"},
    [IST_OPT_DNS_CLUSTER_COMPLETE] = {"dns-cluster-complete", NULL, IST_OPTION_FLAG, "off", NULL, "on | off", DNS,
                                      "the view has all of the cluster: other names of its domain do not exist"},
    [IST_OPT_DNS_PREFIX] =
        {"dns-prefix", NULL, IST_OPTION_TEXT, NULL, NULL, "ADDR/BITS[,...]", DNS,
         "the pod's on-link prefix, which resolvers sort by; default: all addresses of the interfaces, followed"},
    [IST_OPT_DNS_CACHE_SIZE] = {"dns-cache-size", NULL, IST_OPTION_SIZE, "2Mi", "off", "SIZE | off", DNS,
                                "memory for replies of the upstreams, made with the first one; off: none are kept"},
    [IST_OPT_DNS_QUERY_LOG] = {"dns-query-log", NULL, IST_OPTION_TEXT, "off", NULL, "off | errors | all[:1/N]", DNS,
                               "a line on stderr for each query, or for those that fail; :1/N of them at random"},
    [IST_OPT_REGISTRY_ADDRESS] = {"registry-address", NULL, IST_OPTION_CHOICE, "auto", "auto|endpoint|vip",
                                  "auto | endpoint | vip", RULES, "what registry doors hand out"},
    [IST_OPT_UNMATCHED] = {"unmatched", NULL, IST_OPTION_CHOICE, "service", "service|strict", "service | strict", RULES,
                           "when no route matches: all endpoints of the host, or none as Envoy"},
    [IST_OPT_EMPTY_SUBSET] =
        {"empty-subset", NULL, IST_OPTION_CHOICE, "redistribute", "redistribute|strict|service",
         "redistribute | strict | service", RULES,
         "share of a destination without usable endpoints: to the others, lost, or to the service"},
    [IST_OPT_MAX_SLOTS] = {"max-slots", NULL, IST_OPTION_COUNT, "1000", NULL, "N", RULES,
                           "largest number of slots that shares are rounded to"},
    [IST_OPT_SEARCH_NAMESPACES] =
        {"search-namespaces", NULL, IST_OPTION_NAMES, NULL, NULL, "NAME[,...]", REGISTRIES,
         "where registries and REST look for a bare name that the pod's own namespace does not "
         "have; the first that has it wins"},
    [IST_OPT_UNLISTED_NAMESPACES] = {"unlisted-namespaces", NULL, IST_OPTION_NAMES, "istio-system,kube-system", NULL,
                                     "NAME[,...]", REGISTRIES,
                                     "namespaces whose Services registries do not list; they are found by name"},
    [IST_OPT_EUREKA_LISTEN] = {"eureka-listen", NULL, IST_OPTION_LISTEN, "127.0.0.1:8761", "off", "ADDR:PORT | off",
                               REGISTRIES, "where the Eureka registry is served; keep it on loopback"},
    [IST_OPT_EUREKA_CONNECTIONS] = {"eureka-connections", NULL, IST_OPTION_COUNT, "512", NULL, "N", REGISTRIES,
                                    "how many clients of Eureka may be connected; more wait for a place"},
    [IST_OPT_EUREKA_PROFILE] = {"eureka-profile", NULL, IST_OPTION_CHOICE, "auto", "auto|vips|ids|plain",
                                "auto | vips | ids | plain", REGISTRIES,
                                "how weights are told: by request, repeated names, repeated instances, not at all"},
    [IST_OPT_EUREKA_BASE] = {"eureka-base", NULL, IST_OPTION_PATHS, NULL, NULL, "PATH[,...]", REGISTRIES,
                             "paths that Eureka is served under besides /eureka and /eureka/v2, such as /discovery/v2"},
    [IST_OPT_EUREKA_HOME_PATH] = {"eureka-home-path", NULL, IST_OPTION_URL_PATH, "/", NULL, "PATH", REGISTRIES,
                                  "path of homePageUrl; per service in the file"},
    [IST_OPT_EUREKA_STATUS_PATH] = {"eureka-status-path", NULL, IST_OPTION_URL_PATH, "/actuator/info", NULL, "PATH",
                                    REGISTRIES, "path of statusPageUrl; per service in the file"},
    [IST_OPT_EUREKA_HEALTH_PATH] = {"eureka-health-path", NULL, IST_OPTION_URL_PATH, "/actuator/health", NULL, "PATH",
                                    REGISTRIES, "path of healthCheckUrl; per service in the file"},
    [IST_OPT_NACOS_LISTEN] = {"nacos-listen", NULL, IST_OPTION_LISTEN, "127.0.0.1:8848", "off", "ADDR:PORT | off",
                              REGISTRIES, "where the Nacos registry is served over HTTP; keep it on loopback"},
    [IST_OPT_NACOS_GRPC_LISTEN] = {"nacos-grpc-listen", NULL, IST_OPTION_LISTEN, "127.0.0.1:9848", "off",
                                   "ADDR:PORT | off", REGISTRIES,
                                   "where it is served over gRPC; clients expect the port of HTTP + 1000"},
    [IST_OPT_NACOS_CONNECTIONS] = {"nacos-connections", NULL, IST_OPTION_COUNT, "1024", NULL, "N", REGISTRIES,
                                   "how many clients of Nacos may be connected, over HTTP and over gRPC each"},
    [IST_OPT_NACOS_PROFILE] = {"nacos-profile", NULL, IST_OPTION_CHOICE, "auto", "auto|weights|repeat|plain",
                               "auto | weights | repeat | plain", REGISTRIES,
                               "how weights are told: by client, as weights, repeated instances, not at all"},
    [IST_OPT_NACOS_CONFIG] = {"nacos-config", NULL, IST_OPTION_TEXT, "deny", NULL, "deny | empty | proxy:HOST:PORT", REGISTRIES,
                              "what who asks for configuration gets: 403, none, or that of the real Nacos there"},
    [IST_OPT_NACOS_NAMESPACES] =
        {"nacos-namespaces", NULL, IST_OPTION_MEANINGS, NULL, NULL, "ID=NAMESPACE[,...]", REGISTRIES,
         "namespaces of Nacos that mean one of the mesh, for names that say none; others mean nothing"},
    [IST_OPT_NACOS_GROUPS] =
        {"nacos-groups", NULL, IST_OPTION_MEANINGS, NULL, NULL, "GROUP=SUBSET|CONTEXT|.NAMESPACE[,...]", REGISTRIES,
         "groups of Nacos that mean a subset, a context or a namespace; others mean nothing"},
    [IST_OPT_READY_WHEN] = {"ready-when", NULL, IST_OPTION_CHOICE, "view", "view|registered", "view | registered",
                            REGISTRIES,
                            "ready with the first view, or only while the application is registered here and UP"},
    [IST_OPT_ADMIN_LISTEN] = {"admin-listen", NULL, IST_OPTION_LISTEN, "127.0.0.1:15180", "off", "ADDR:PORT | off",
                              DOORS, "REST API and admin; keep it on loopback"},
    [IST_OPT_HEALTH_LISTEN] = {"health-listen", NULL, IST_OPTION_LISTEN, "[::]:15181", "off", "ADDR:PORT | off", DOORS,
                               "health and metrics only; [::] serves IPv4 too"},
    [IST_OPT_DRAIN_TIME] = {"drain-time", NULL, IST_OPTION_DURATION, "5s", NULL, "TIME", PROGRAM,
                            "how long to keep answering after SIGTERM, not ready any more"},
    [IST_OPT_CONTROL_SOCKET] = {"control-socket", NULL, IST_OPTION_FILE, NULL, NULL, "PATH", PROGRAM,
                                "unix socket on which the next agent takes over our listeners (--takeover)"},
    [IST_OPT_TAKEOVER] = {"takeover", NULL, IST_OPTION_FLAG, "off", NULL, "on | off", PROGRAM,
                          "take the listeners over from the agent at --control-socket, where there is one"},
    [IST_OPT_LOG_LEVEL] =
        {"log-level", NULL, IST_OPTION_TEXT, "notice", NULL, "LEVEL[,SCOPE:LEVEL]", PROGRAM,
         "none, error, warn, notice, info or debug; scopes agent, config, xds, files, mesh, dns, api"},
    [IST_OPT_LOG_FORMAT] = {"log-format", NULL, IST_OPTION_CHOICE, "text", "text|json", "text | json", PROGRAM,
                            "one line per event, for people or for machines"},
};

_Static_assert(IST_COUNT(ROWS) == _IST_AGENT_OPTION_MAX, "one row per option");

static const ist_option_table TABLE = {
    .rows = ROWS,
    .count = IST_COUNT(ROWS),
    .has_rules = true,
    // For the commands that talk to an agent, which may be set in the agent's own container; from the supervisor.
    .other_env = "ISTHMUS_ADMIN|ISTHMUS_STANDBY",
};

const ist_option_table *ist_agent_option_table(void)
{
    return &TABLE;
}

ist_strv ist_agent_source_directory(const ist_options *options)
{
    ist_strv source = ist_options_text(options, IST_OPT_SOURCE);
    return ist_strv_starts_with(source, IST_STRV("dir:")) ? ist_strv_skip(source, 4) : IST_STRV_NULL;
}

static ist_status check_source(const ist_options *options, ist_err *err)
{
    ist_strv source = ist_options_text(options, IST_OPT_SOURCE);
    if (ist_strv_equal(source, IST_STRV("istiod")) || ist_agent_source_directory(options).n != 0) {
        return IST_OK;
    }
    return ist_err_set(err, IST_EINVAL, "--source: must be istiod or dir:PATH, is \"%.*s\"", IST_STRV_ARG(source));
}

static bool is_loopback(ist_strv host)
{
    return ist_strv_starts_with(host, IST_STRV("127.")) || ist_strv_equal(host, IST_STRV("::1")) ||
           ist_strv_equal(host, IST_STRV("localhost"));
}

static ist_status check_plaintext(const ist_options *options, ist_err *err)
{
    if (ist_options_flag(options, IST_OPT_XDS_TLS) || ist_options_flag(options, IST_OPT_XDS_ALLOW_PLAINTEXT)) {
        return IST_OK;
    }
    ist_strv part;
    for (size_t i = 0; ist_options_part(options, IST_OPT_XDS_ADDRESS, i, &part); i++) {
        ist_strv host;
        uint16_t port;
        ist_status status = ist_hostport_parse(part, 0, &host, &port, err);
        if (status != IST_OK) {
            return status;
        }
        if (!is_loopback(host)) {
            return ist_err_set(
                err, IST_EINVAL,
                "--xds-tls off with %.*s, which is not on loopback: the mesh would be read in plain text from "
                "whoever answers; use --xds-tls on, or add --xds-allow-plaintext if that is what you want",
                IST_STRV_ARG(part));
        }
    }
    return IST_OK;
}

static ist_status check_log_level(const ist_options *options, ist_err *err)
{
    // The levels are applied by the runtime; here only the words are checked, without touching the process.
    ist_strv rest = ist_options_text(options, IST_OPT_LOG_LEVEL);
    for (bool more = true; more;) {
        ist_strv word = ist_strv_trim(ist_strv_cut(&rest, ',', &more));
        ist_strv level = word;
        ist_log_scope scope;
        if (ist_strv_find(word, ':') < word.n) {
            ist_strv name = ist_strv_cut(&level, ':', NULL);
            if (!ist_strv_equal(name, IST_STRV("default")) && !ist_log_scope_parse(name, &scope)) {
                return ist_err_set(
                    err, IST_EINVAL,
                    "--log-level: no scope \"%.*s\"; scopes are agent, config, xds, files, mesh, dns, api",
                    IST_STRV_ARG(name));
            }
        }
        ist_log_level parsed;
        if (!ist_log_level_parse(level, &parsed)) {
            return ist_err_set(err, IST_EINVAL,
                               "--log-level: no level \"%.*s\"; levels are none, error, warn, notice, info, debug",
                               IST_STRV_ARG(level));
        }
    }
    return IST_OK;
}

ist_status ist_agent_query_log_parse(ist_strv text, ist_agent_query_log *ret_log, ist_err *err)
{
    static const char *const NAMES[_IST_AGENT_QUERY_LOG_MAX] = {"off", "errors", "all"};
    bool sampled = false;
    ist_strv one_in = text;
    ist_strv name = ist_strv_cut(&one_in, ':', &sampled);
    uint64_t count = 1;
    size_t what = 0;
    while (what < IST_COUNT(NAMES) && !ist_strv_equal(name, ist_strv_from(NAMES[what]))) {
        what++;
    }
    bool fine = what < IST_COUNT(NAMES) && (!sampled || what != IST_AGENT_QUERY_LOG_OFF);
    if (fine && sampled) {
        fine = ist_strv_starts_with(one_in, IST_STRV("1/")) &&
               ist_strv_to_u64(ist_strv_skip(one_in, 2), QUERY_LOG_ONE_IN_MAX, &count) == IST_OK && count > 0;
    }
    if (!fine) {
        return ist_err_set(err, IST_EINVAL,
                           "\"%.*s\" is not off, errors or all, the last two with :1/N for one of N (up to %llu) where they "
                           "are too many",
                           IST_STRV_ARG(ist_strv_first(text, 64)), (unsigned long long)QUERY_LOG_ONE_IN_MAX);
    }
    *ret_log = (ist_agent_query_log){.what = (ist_agent_query_log_what)what, .one_in = (uint32_t)count};
    return IST_OK;
}

static ist_status check_query_log(const ist_options *options, ist_err *err)
{
    ist_agent_query_log ignored;
    ist_status status = ist_agent_query_log_parse(ist_options_text(options, IST_OPT_DNS_QUERY_LOG), &ignored, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "--dns-query-log");
    }
    return status;
}

ist_status ist_agent_nacos_config_parse(ist_strv text, ist_agent_nacos_config *ret_config, ist_err *err)
{
    static const ist_strv PROXY = IST_STRV_INIT("proxy:");
    ist_agent_nacos_config config = {.what = IST_AGENT_NACOS_CONFIG_PROXY};
    ist_status status = IST_OK;
    if (ist_strv_equal(text, IST_STRV("deny"))) {
        config.what = IST_AGENT_NACOS_CONFIG_DENY;
    } else if (ist_strv_equal(text, IST_STRV("empty"))) {
        config.what = IST_AGENT_NACOS_CONFIG_EMPTY;
    } else if (ist_strv_starts_with(text, PROXY)) {
        status = ist_hostport_parse(ist_strv_skip(text, PROXY.n), 0, &config.host, &config.port, err);
        if (status == IST_OK && (config.port == 0 || config.port > UINT16_MAX - IST_AGENT_NACOS_GRPC_OFFSET)) {
            status = ist_err_set(err, IST_EINVAL, "the port of the Nacos server must be from 1 to %d, since gRPC's is %d more",
                                 UINT16_MAX - IST_AGENT_NACOS_GRPC_OFFSET, IST_AGENT_NACOS_GRPC_OFFSET);
        }
    } else {
        status = ist_err_set(err, IST_EINVAL, "must be deny, empty or proxy:HOST:PORT, is \"%.*s\"",
                             IST_STRV_ARG(ist_strv_first(text, 64)));
    }
    if (status == IST_OK) {
        *ret_config = config;
    }
    return status;
}

static ist_status check_nacos_config(const ist_options *options, ist_err *err)
{
    ist_agent_nacos_config ignored;
    ist_status status = ist_agent_nacos_config_parse(ist_options_text(options, IST_OPT_NACOS_CONFIG), &ignored, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "--nacos-config");
    }
    return status;
}

static ist_status check_takeover(const ist_options *options, ist_err *err)
{
    if (ist_options_flag(options, IST_OPT_TAKEOVER) && !ist_options_is_set(options, IST_OPT_CONTROL_SOCKET)) {
        return ist_err_set(err, IST_EINVAL,
                           "--takeover needs --control-socket PATH, where the agent that serves listens");
    }
    return IST_OK;
}

static ist_status check_ready(const ist_options *options, ist_err *err)
{
    bool no_registry = ist_options_off(options, IST_OPT_EUREKA_LISTEN) && ist_options_off(options, IST_OPT_NACOS_LISTEN) &&
                       ist_options_off(options, IST_OPT_NACOS_GRPC_LISTEN);
    if (ist_options_choice(options, IST_OPT_READY_WHEN) != 0 && no_registry) {
        return ist_err_set(err, IST_EINVAL,
                           "--ready-when registered waits for a registration of the application, but every registry door is "
                           "off: set --eureka-listen or --nacos-listen, or leave --ready-when at view");
    }
    return IST_OK;
}

static ist_status check_routes(const ist_options *options, ist_err *err)
{
    ist_strv route;
    for (size_t i = 0; ist_options_part(options, IST_OPT_DNS_ROUTE, i, &route); i++) {
        ist_strv domain = ist_strv_trim(ist_strv_cut(&route, '=', NULL));
        if (ist_strv_equal(domain, IST_STRV(".")) && ist_options_is_set(options, IST_OPT_DNS_UPSTREAM)) {
            return ist_err_set(err, IST_EINVAL, "--dns-route .=... and --dns-upstream say the same: leave one out");
        }
    }
    return IST_OK;
}

static ist_status check_together(const ist_options *options, ist_err *err)
{
    ist_status status = check_source(options, err);
    if (status == IST_OK && ist_agent_source_directory(options).n == 0) {
        status = check_plaintext(options, err);
    }
    if (status == IST_OK) {
        status = check_takeover(options, err);
    }
    if (status == IST_OK) {
        status = check_routes(options, err);
    }
    if (status == IST_OK) {
        status = check_ready(options, err);
    }
    if (status == IST_OK) {
        status = check_log_level(options, err);
    }
    if (status == IST_OK) {
        status = check_nacos_config(options, err);
    }
    if (status == IST_OK) {
        status = check_query_log(options, err);
    }
    return status;
}

ist_status ist_agent_options_load(int argc, const char *const *argv, const char *const *env, ist_options **ret_options,
                                  ist_err *err)
{
    ist_options *options = NULL;
    ist_status status = ist_options_new(&TABLE, &options, err);
    if (status == IST_OK) {
        status = ist_options_read_args(options, argc, argv, err);
    }
    if (status == IST_OK) {
        status = ist_options_read_env(options, env, err);
    }
    if (status == IST_OK && ist_options_is_set(options, IST_OPT_CONFIG)) {
        status = ist_options_read_file(options, ist_options_string(options, IST_OPT_CONFIG), err);
    }
    if (status == IST_OK) {
        status = check_together(options, err);
    }
    if (status != IST_OK) {
        ist_options_free(options);
        return status;
    }
    *ret_options = options;
    return IST_OK;
}
