// SPDX-License-Identifier: Apache-2.0
//
// The configuration of `isthmus agent` (and of `isthmus check`): the one table, and loading it from flags, environment
// and file. Names are fixed by the design; each is documented by its own help line. Knows nothing of the mesh.
//
// Threads: loaded by one, then immutable. The caller owns the options.
#pragma once

#include "config/options.h"

typedef enum ist_agent_option {
    IST_OPT_CONFIG = 0,
    IST_OPT_SOURCE,
    IST_OPT_XDS_ADDRESS,
    IST_OPT_XDS_TLS,
    IST_OPT_XDS_ROOT_CA,
    IST_OPT_XDS_SERVER_NAME,
    IST_OPT_XDS_TOKEN,
    IST_OPT_XDS_MODE,
    IST_OPT_XDS_ALLOW_PLAINTEXT,
    IST_OPT_SNAPSHOT,
    IST_OPT_LOSS_GUARD,
    IST_OPT_POD_NAME,
    IST_OPT_POD_NAMESPACE,
    IST_OPT_POD_IP,
    IST_OPT_SERVICE_ACCOUNT,
    IST_OPT_NODE_NAME,
    IST_OPT_WORKLOAD_NAME,
    IST_OPT_CLUSTER_ID,
    IST_OPT_NETWORK,
    IST_OPT_MESH_ID,
    IST_OPT_REVISION,
    IST_OPT_LABELS,
    IST_OPT_LOCALITY,
    IST_OPT_DOMAIN,
    IST_OPT_MESH_PROXY,
    IST_OPT_ANNOTATIONS_FILE,
    IST_OPT_DNS_LISTEN,
    IST_OPT_DNS_UPSTREAM,
    IST_OPT_DNS_ROUTE,
    IST_OPT_DNS_RESOLV_CONF,
    IST_OPT_DNS_ANSWER,
    IST_OPT_DNS_EMPTY_SERVICE,
    IST_OPT_DNS_AAAA,
    IST_OPT_DNS_MODE,
    IST_OPT_DNS_CLUSTER_COMPLETE,
    IST_OPT_DNS_PREFIX,
    IST_OPT_DNS_CACHE_SIZE,
    IST_OPT_DNS_QUERY_LOG,
    IST_OPT_REGISTRY_ADDRESS,
    IST_OPT_UNMATCHED,
    IST_OPT_EMPTY_SUBSET,
    IST_OPT_MAX_SLOTS,
    IST_OPT_SEARCH_NAMESPACES,
    IST_OPT_UNLISTED_NAMESPACES,
    IST_OPT_EUREKA_LISTEN,
    IST_OPT_EUREKA_CONNECTIONS,
    IST_OPT_EUREKA_PROFILE,
    IST_OPT_EUREKA_BASE,
    IST_OPT_EUREKA_HOME_PATH,
    IST_OPT_EUREKA_STATUS_PATH,
    IST_OPT_EUREKA_HEALTH_PATH,
    IST_OPT_NACOS_LISTEN,
    IST_OPT_NACOS_GRPC_LISTEN,
    IST_OPT_NACOS_CONNECTIONS,
    IST_OPT_NACOS_PROFILE,
    IST_OPT_NACOS_NAMESPACES,
    IST_OPT_NACOS_GROUPS,
    IST_OPT_NACOS_CONFIG,
    IST_OPT_READY_WHEN,
    IST_OPT_ADMIN_LISTEN,
    IST_OPT_HEALTH_LISTEN,
    IST_OPT_DRAIN_TIME,
    IST_OPT_CONTROL_SOCKET,
    IST_OPT_TAKEOVER,
    IST_OPT_LOG_LEVEL,
    IST_OPT_LOG_FORMAT,
    _IST_AGENT_OPTION_MAX
} ist_agent_option;

typedef enum ist_agent_query_log_what {
    IST_AGENT_QUERY_LOG_OFF = 0,
    IST_AGENT_QUERY_LOG_ERRORS,
    IST_AGENT_QUERY_LOG_ALL,
    _IST_AGENT_QUERY_LOG_MAX
} ist_agent_query_log_what;

typedef struct ist_agent_query_log {
    ist_agent_query_log_what what;
    uint32_t one_in; // 1 to 1,000,000
} ist_agent_query_log;

// Reads a --dns-query-log: "off", "errors", "all", or the last two with ":1/N". IST_EINVAL with the text for the user.
ist_status ist_agent_query_log_parse(ist_strv text, ist_agent_query_log *ret_log, ist_err *err) IST_NONNULL_ARGS(2)
    IST_MUSTCHECK;
typedef enum ist_agent_nacos_config_what {
    IST_AGENT_NACOS_CONFIG_DENY = 0,
    IST_AGENT_NACOS_CONFIG_EMPTY,
    IST_AGENT_NACOS_CONFIG_PROXY,
    _IST_AGENT_NACOS_CONFIG_MAX
} ist_agent_nacos_config_what;

typedef struct ist_agent_nacos_config {
    ist_agent_nacos_config_what what;
    ist_strv host; // of the real server
    uint16_t port; // ... over HTTP; IST_AGENT_NACOS_GRPC_OFFSET more over gRPC
} ist_agent_nacos_config;
#define IST_AGENT_NACOS_GRPC_OFFSET 1000

// Reads a --nacos-config: "deny", "empty" or "proxy:HOST:PORT". IST_EINVAL with the text for the user. The host borrows the text.
ist_status ist_agent_nacos_config_parse(ist_strv text, ist_agent_nacos_config *ret_config, ist_err *err) IST_NONNULL_ARGS(2)
    IST_MUSTCHECK;
// Rows in the order of ist_agent_option.
const ist_option_table *ist_agent_option_table(void) IST_RETURNS_NONNULL;

// Flags (argv without the program and command words), environment and the file that --config or ISTHMUS_CONFIG names,
// checked one by one and against each other. IST_EINVAL / IST_EIO with the text for the user.
ist_status ist_agent_options_load(int argc, const char *const *argv, const char *const *env, ist_options **ret_options,
                                  ist_err *err) IST_NONNULL_ARGS(2, 3, 4) IST_MUSTCHECK;
// The directory of "--source dir:PATH", or "" for istiod.
ist_strv ist_agent_source_directory(const ist_options *options) IST_NONNULL;
