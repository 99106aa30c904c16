// SPDX-License-Identifier: Apache-2.0
#include "document_priv.h"

ist_document *document_add(document_reader *reader, ist_document *parent, ist_document **last, ist_strv name)
{
    if (reader->nodes == IST_DOCUMENT_NODES_MAX) {
        reader->status = ist_err_set(reader->err, IST_ELIMIT, "more than %d members", IST_DOCUMENT_NODES_MAX);
        return NULL;
    }
    ist_document *node = IST_ARENA_NEW(reader->arena, ist_document);
    ist_strv copy = node != NULL && name.n != 0 ? ist_arena_strv(reader->arena, name) : IST_STRV_NULL;
    if (node == NULL || (name.n != 0 && copy.p == NULL)) {
        reader->status = ist_err_set(reader->err, IST_ENOMEM, "out of memory");
        return NULL;
    }
    reader->nodes++;
    node->name = copy;
    if (*last != NULL) {
        (*last)->next = node;
    } else if (parent != NULL) {
        parent->first = node;
    }
    *last = node;
    return node;
}

ist_status ist_document_read(ist_document_format format, ist_strv body, ist_arena *arena, const ist_document **ret_root,
                             ist_err *err)
{
    document_reader reader = {.arena = arena, .err = err};
    const ist_document *root = format == IST_DOCUMENT_JSON ? document_read_json(&reader, body) //
                                                           : document_read_xml(&reader, body);
    if (reader.status == IST_OK) {
        *ret_root = root;
    }
    return reader.status;
}

const ist_document *ist_document_find(const ist_document *node, const char *name)
{
    const ist_document *child = node != NULL ? node->first : NULL;
    while (child != NULL && !ist_strv_equal(child->name, ist_strv_from(name))) {
        child = child->next;
    }
    return child;
}

ist_strv ist_document_text(const ist_document *node)
{
    if (node == NULL || node->text.n != 0 || node->kind != IST_DOCUMENT_OBJECT) {
        return node != NULL ? node->text : IST_STRV_NULL;
    }
    const ist_document *value = ist_document_find(node, "$");
    return value != NULL ? value->text : IST_STRV_NULL;
}
