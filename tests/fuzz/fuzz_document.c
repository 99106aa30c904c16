// SPDX-License-Identifier: Apache-2.0
//
// A registration's body: the first byte says whether it is JSON or XML. Every node of what is read is looked at.
#include "api_document/document.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Nodes below and including `node`; a link that leads nowhere or round shows here.
static size_t count(const ist_document *node)
{
    size_t total = 0;
    for (; node != NULL; node = node->next) {
        total += 1 + count(node->first);
        if (node->text.n != 0 && node->text.p[node->text.n] != '\0') {
            abort(); // texts of the arena are terminated
        }
    }
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    ist_arena *arena = ist_arena_new(0, (size_t)64 << 20);
    const ist_document *root = NULL;
    ist_document_format format = data[0] == 'x' ? IST_DOCUMENT_XML : IST_DOCUMENT_JSON;
    if (arena != NULL &&
        ist_document_read(format, ist_strv_make((const char *)data + 1, size - 1), arena, &root, NULL) == IST_OK &&
        count(root) > IST_DOCUMENT_NODES_MAX) {
        abort();
    }
    ist_arena_free(arena);
    return 0;
}
