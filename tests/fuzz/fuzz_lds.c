// SPDX-License-Identifier: Apache-2.0
//
// Input: one envoy.config.listener.v3.Listener.
#include "fuzz_xds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one_resource(IST_XDS_LDS, data, size);
}
