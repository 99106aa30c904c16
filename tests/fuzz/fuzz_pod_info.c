// SPDX-License-Identifier: Apache-2.0
//
// Bytes as the downward API's files and as the injector's status: what comes out is bounded, and an error has a text.
#include "config/pod_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

static void check_pairs(ist_strv text, char separator, ist_arena *arena)
{
    ist_pod_info info;
    ist_err err = IST_ERR_NULL;
    size_t bytes = 0;
    ist_status status = ist_pod_info_parse(text, separator, arena, &info, &err);
    require((status == IST_OK) == (err.text[0] == '\0'));
    for (uint32_t i = 0; status == IST_OK && i < info.count; i++) {
        require(info.pairs[i].key.n != 0 && info.pairs[i].value.p != NULL);
        bytes += info.pairs[i].key.n + info.pairs[i].value.n;
    }
    require(status != IST_OK || (info.count <= IST_POD_INFO_PAIRS_MAX && bytes <= text.n)); // escapes only shrink
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ist_strv text = ist_strv_make((const char *)data, size);
    ist_arena *arena = ist_arena_new(0, 0);
    if (arena == NULL) {
        return 0;
    }
    check_pairs(text, '\n', arena);
    check_pairs(text, ',', arena);
    bool injected = false;
    ist_err err = IST_ERR_NULL;
    require((ist_pod_info_injected(text, "istio-proxy", &injected, &err) == IST_OK) == (err.text[0] == '\0'));
    ist_arena_free(arena);
    return 0;
}
