// SPDX-License-Identifier: Apache-2.0
//
// Input: a byte whose bit 0 is the protocol variant and whose other bits are the slice length, then a whole response.
#include "fuzz_xds.h"

#define MAX_SLICES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ist_xds_slice slices[MAX_SLICES];
    if (size == 0) {
        return 0;
    }
    fuzz_xds self;
    fuzz_xds_init(&self, (data[0] & 1) != 0 ? IST_XDS_SOTW : IST_XDS_DELTA);
    size_t step = (size_t)(data[0] >> 1) + 1;
    size_t count = 0;
    for (size_t at = 1; at < size; count++) {
        size_t length = size - at < step || count == MAX_SLICES - 1 ? size - at : step;
        slices[count] = (ist_xds_slice){.bytes = data + at, .length = length};
        at += length;
    }
    ist_xds_client_on_message(self.client, self.stream, slices, count, 0);
    fuzz_settle(&self);
    fuzz_xds_done(&self);
    return 0;
}
