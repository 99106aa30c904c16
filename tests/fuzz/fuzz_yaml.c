// SPDX-License-Identifier: Apache-2.0
//
// YAML bytes -> trees -> objects -> findings, as a file of the directory source would go. Each input is read twice, so
// that the second version meets the objects of the first.
#include "file_priv.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ist_arena *scratch = ist_arena_new(0, 0);
    ist_file *file = ist_file_new(IST_STRV("fuzz.yaml"));
    if (scratch != NULL && file != NULL) {
        ist_strv text = ist_strv_make((const char *)data, size);
        ist_status status = ist_file_parse(file, text, scratch);
        status = status == IST_OK ? ist_file_parse(file, ist_strv_first(text, size / 2), scratch) : status;
        if (status != IST_OK && status != IST_ENOMEM) {
            __builtin_trap();
        }
    }
    ist_file_free(file);
    ist_arena_free(scratch);
    return 0;
}
