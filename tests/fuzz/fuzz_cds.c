// SPDX-License-Identifier: Apache-2.0
//
// Input: one envoy.config.cluster.v3.Cluster.
#include "fuzz_xds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one_resource(IST_XDS_CDS, data, size);
}
