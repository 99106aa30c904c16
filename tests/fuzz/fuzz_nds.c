// SPDX-License-Identifier: Apache-2.0
//
// Input: one istio.networking.nds.v1.NameTable.
#include "fuzz_xds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one_resource(IST_XDS_NDS, data, size);
}
