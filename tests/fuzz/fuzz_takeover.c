// SPDX-License-Identifier: Apache-2.0
//
// Packets of the control socket: any bytes through the parser; what is accepted is written and read again the same.
#include "../../agent/takeover/takeover_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    packet first;
    packet second;
    uint8_t bytes[PACKET_MAX];
    if (packet_parse(data, size, &first) != IST_OK || first.version != TAKEOVER_VERSION) {
        return 0;
    }
    if (packet_parse(bytes, packet_write(&first, bytes), &second) != IST_OK || second.kind != first.kind ||
        second.pid != first.pid || second.count != first.count) {
        abort();
    }
    for (size_t i = 0; i < first.count; i++) {
        if (!ist_strv_equal(first.names[i], second.names[i])) {
            abort();
        }
    }
    return 0;
}
