// SPDX-License-Identifier: Apache-2.0
//
// Bytes as the configuration file: options, contexts, services and names. What is accepted must be sorted and complete.
#include "config/agent.h"
#include "config/rules.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

// What balancers act on never gets through.
static void check_service(const ist_config_service *service)
{
    static const char *const REFUSED[] = {"zone", "weight", "hint", "instanceId"};
    require(service->metadata_count <= IST_CONFIG_METADATA_MAX);
    for (uint32_t i = 0; i < service->metadata_count; i++) {
        ist_strv key = service->metadata[i].key;
        require(key.n != 0 && key.p[0] != '@' && service->metadata[i].value.p != NULL);
        for (size_t n = 0; n < IST_COUNT(REFUSED); n++) {
            require(!ist_strv_equal_nocase(key, ist_strv_from(REFUSED[n])));
        }
    }
    require(service->home_path.n == 0 || service->home_path.p[0] == '/');
}

static void check_rules(const ist_config_rules *rules)
{
    for (uint32_t i = 0; i < rules->service_count; i++) {
        check_service(&rules->services[i]);
    }
    for (uint32_t i = 1; i < rules->context_count; i++) {
        require(ist_strv_compare(rules->contexts[i - 1].name, rules->contexts[i].name) < 0);
    }
    for (uint32_t i = 1; i < rules->service_count; i++) {
        require(ist_strv_compare(rules->services[i - 1].host, rules->services[i].host) < 0);
    }
    for (uint32_t i = 0; i < rules->name_count; i++) {
        require(rules->names[i].host.n != 0 && rules->names[i].line != 0);
        require(i == 0 || ist_strv_compare(rules->names[i - 1].name, rules->names[i].name) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ist_options *options = NULL;
    ist_err err = IST_ERR_NULL;
    if (ist_options_new(ist_agent_option_table(), &options, &err) != IST_OK) {
        return 0;
    }
    ist_status status = ist_options_read_yaml(options, "f", ist_strv_make((const char *)data, size), &err);
    require((status == IST_OK) == (err.text[0] == '\0'));
    if (status == IST_OK) {
        check_rules(ist_options_rules(options));
    }
    ist_options_free(options);
    return 0;
}
