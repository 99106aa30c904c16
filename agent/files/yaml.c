// SPDX-License-Identifier: Apache-2.0
#include "yaml_priv.h"

#include "base/alloc.h"

#include <yaml.h>

#include <string.h>

#define MAX_DEPTH 64U
#define MAX_NODES 2000000U
#define MAX_KEYS 1024U
#define MAX_ANCHORS 1000U
#define TREE_BLOCK_BYTES ((size_t)16 << 10)
#define TREE_MAX_BYTES ((size_t)512 << 20)

typedef struct anchor {
    struct anchor *next;
    ist_strv name;
    const ist_yaml_node *node; // NULL while its own value is being read: an alias to it would be a cycle
} anchor;

typedef struct reader {
    yaml_parser_t parser;
    ist_arena *arena;
    anchor *anchors;
    uint32_t anchor_count;
    uint64_t nodes; // of the whole input, aliases expanded
    ist_yaml_read_fn read;
    void *read_ctx;
    ist_status read_status;
    ist_yaml_object_fn object;
    void *object_ctx;
    ist_yaml_place *place;
    ist_err *err;
} reader;

static ist_status fail_at(reader *r, yaml_mark_t mark, ist_status status, const char *text)
{
    *r->place = (ist_yaml_place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
    return ist_err_set(r->err, status, "%s", text);
}

static int read_more(void *ctx, unsigned char *buffer, size_t size_bytes, size_t *ret_length)
{
    reader *r = ctx;
    r->read_status = r->read(r->read_ctx, buffer, size_bytes, ret_length);
    return r->read_status == IST_OK;
}

static ist_status next_event(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event)) {
        return IST_OK;
    }
    if (r->read_status != IST_OK) {
        return ist_err_set(r->err, r->read_status, "cannot be read");
    }
    if (r->parser.error == YAML_MEMORY_ERROR) {
        return ist_err_set(r->err, IST_ENOMEM, "out of memory");
    }
    const char *problem = r->parser.problem != NULL ? r->parser.problem : "not readable as YAML";
    yaml_mark_t mark = r->parser.problem_mark;
    if (mark.line == 0 && mark.column == 0) {
        mark = r->parser.mark;
    }
    return fail_at(r, mark, IST_EPARSE, problem);
}

static ist_status count_nodes(reader *r, yaml_mark_t mark, uint64_t more)
{
    r->nodes += more;
    if (r->nodes > MAX_NODES) {
        return fail_at(r, mark, IST_ELIMIT, "more than 2000000 YAML nodes (aliases expanded); split the file");
    }
    return IST_OK;
}

static ist_yaml_node *new_node(reader *r, const yaml_event_t *event, ist_yaml_kind kind)
{
    ist_yaml_node *node = IST_ARENA_NEW(r->arena, ist_yaml_node);
    if (node != NULL) {
        node->kind = kind;
        node->weight = 1;
        node->line = (uint32_t)event->start_mark.line + 1;
        node->column = (uint32_t)event->start_mark.column + 1;
    }
    return node;
}

static ist_status add_anchor(reader *r, const yaml_event_t *event, const yaml_char_t *name, anchor **ret_anchor)
{
    *ret_anchor = NULL;
    if (name == NULL) {
        return IST_OK;
    }
    if (r->anchor_count >= MAX_ANCHORS) {
        return fail_at(r, event->start_mark, IST_ELIMIT, "more than 1000 anchors in one document");
    }
    anchor *made = IST_ARENA_NEW(r->arena, anchor);
    if (made == NULL) {
        return IST_ENOMEM;
    }
    made->name = ist_arena_strv(r->arena, ist_strv_from((const char *)name));
    if (made->name.p == NULL) {
        return IST_ENOMEM;
    }
    made->next = r->anchors;
    r->anchors = made;
    r->anchor_count++;
    *ret_anchor = made;
    return IST_OK;
}

static ist_status read_alias(reader *r, const yaml_event_t *event, ist_yaml_node **ret_node)
{
    ist_strv name = ist_strv_from((const char *)event->data.alias.anchor);
    const anchor *at = r->anchors;
    while (at != NULL && !ist_strv_equal(at->name, name)) {
        at = at->next;
    }
    if (at == NULL) {
        return fail_at(r, event->start_mark, IST_EPARSE,
                       "alias to an anchor that this document or List item does not have");
    }
    if (at->node == NULL) {
        return fail_at(r, event->start_mark, IST_EPARSE, "alias inside its own anchor: a cycle");
    }
    ist_status status = count_nodes(r, event->start_mark, at->node->weight);
    ist_yaml_node *copy = status == IST_OK ? IST_ARENA_NEW(r->arena, ist_yaml_node) : NULL;
    if (copy == NULL) {
        return status != IST_OK ? status : IST_ENOMEM;
    }
    *copy = *at->node;
    copy->next = NULL;
    *ret_node = copy;
    return IST_OK;
}

static ist_status read_scalar(reader *r, const yaml_event_t *event, ist_yaml_node **ret_node)
{
    const char *tag = (const char *)event->data.scalar.tag;
    if (tag != NULL && strcmp(tag, "tag:yaml.org,2002:binary") == 0) {
        return fail_at(r, event->start_mark, IST_EUNSUPPORTED,
                       "!!binary values are not supported; write the text itself");
    }
    ist_yaml_node *node = new_node(r, event, IST_YAML_SCALAR);
    anchor *own = NULL;
    ist_status status = node != NULL ? add_anchor(r, event, event->data.scalar.anchor, &own) : IST_ENOMEM;
    if (status != IST_OK) {
        return status;
    }
    node->plain = event->data.scalar.plain_implicit && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text =
        ist_arena_strv(r->arena, ist_strv_make((const char *)event->data.scalar.value, event->data.scalar.length));
    if (node->text.p == NULL) {
        return IST_ENOMEM;
    }
    if (own != NULL) {
        own->node = node;
    }
    *ret_node = node;
    return IST_OK;
}

static ist_status read_value(reader *r, const yaml_event_t *event, uint32_t depth, ist_yaml_node **ret_node);

// Reads events into a collection until its end; each child costs one event, in a mapping two.
static ist_status read_next(reader *r, yaml_event_type_t end, uint32_t depth, bool *ret_end, ist_yaml_node **ret_node)
{
    yaml_event_t event;
    ist_status status = next_event(r, &event);
    if (status != IST_OK) {
        return status;
    }
    *ret_end = event.type == end;
    if (!*ret_end) {
        status = read_value(r, &event, depth, ret_node);
    }
    yaml_event_delete(&event);
    return status;
}

static ist_status check_key(reader *r, const ist_yaml_node *map, const ist_yaml_node *key)
{
    yaml_mark_t mark = {.line = key->line - 1, .column = key->column - 1};
    if (key->kind != IST_YAML_SCALAR) {
        return fail_at(r, mark, IST_EPARSE, "a key must be a plain text");
    }
    if (key->plain && ist_strv_equal(key->text, IST_STRV("<<"))) {
        return fail_at(r, mark, IST_EUNSUPPORTED, "merge keys (<<) are not supported; write the fields out");
    }
    if (map->count >= MAX_KEYS) {
        return fail_at(r, mark, IST_ELIMIT, "more than 1024 keys in one mapping");
    }
    if (ist_yaml_child(map, key->text) != NULL) {
        return fail_at(r, mark, IST_EPARSE, "this key stands here twice; remove one of them");
    }
    return IST_OK;
}

static void add_child(ist_yaml_node *parent, ist_yaml_node ***tail, ist_yaml_node *child)
{
    **tail = child;
    *tail = &child->next;
    parent->count++;
    parent->weight += child->weight;
}

static ist_status read_collection(reader *r, ist_yaml_node *node, uint32_t depth)
{
    bool is_map = node->kind == IST_YAML_MAP;
    yaml_event_type_t end_type = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    ist_yaml_node **tail = &node->first;
    for (;;) {
        ist_yaml_node *key = NULL;
        ist_yaml_node *child = NULL;
        bool end = false;
        ist_status status = read_next(r, end_type, depth + 1, &end, is_map ? &key : &child);
        if (status != IST_OK || end) {
            return status;
        }
        if (is_map) {
            status = check_key(r, node, key);
            bool no_value = false;
            status = status == IST_OK ? read_next(r, end_type, depth + 1, &no_value, &child) : status;
        }
        if (status != IST_OK) {
            return status;
        }
        if (is_map) {
            child->key = key->text;
            child->key_line = key->line;
            child->key_column = key->column;
        }
        add_child(node, &tail, child);
    }
}

static ist_status read_value(reader *r, const yaml_event_t *event, uint32_t depth, ist_yaml_node **ret_node)
{
    if (depth > MAX_DEPTH) {
        return fail_at(r, event->start_mark, IST_ELIMIT, "nested deeper than 64 levels");
    }
    if (event->type == YAML_ALIAS_EVENT) {
        return read_alias(r, event, ret_node);
    }
    ist_status status = count_nodes(r, event->start_mark, 1);
    if (status != IST_OK) {
        return status;
    }
    if (event->type == YAML_SCALAR_EVENT) {
        return read_scalar(r, event, ret_node);
    }
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    ist_yaml_node *node = new_node(r, event, is_map ? IST_YAML_MAP : IST_YAML_LIST);
    anchor *own = NULL;
    const yaml_char_t *name = is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    status = node != NULL ? add_anchor(r, event, name, &own) : IST_ENOMEM;
    status = status == IST_OK ? read_collection(r, node, depth) : status;
    if (status != IST_OK) {
        return status;
    }
    if (own != NULL) {
        own->node = node;
    }
    *ret_node = node;
    return IST_OK;
}

static void forget_tree(reader *r)
{
    r->anchors = NULL;
    r->anchor_count = 0;
    ist_arena_clear(r->arena);
}

// The items of a List, each as an object of its own. The start of the sequence has been read.
static ist_status read_items(reader *r)
{
    for (;;) {
        bool end = false;
        ist_yaml_node *item = NULL;
        forget_tree(r);
        ist_status status = read_next(r, YAML_SEQUENCE_END_EVENT, 2, &end, &item);
        if (status != IST_OK || end) {
            return status;
        }
        status = r->object(r->object_ctx, item);
        if (status != IST_OK) {
            return status;
        }
    }
}

// One key of the document's top mapping. *ret_items: it was the list of a List, already handed over.
static ist_status read_top_value(reader *r, bool is_items, bool *ret_items, ist_yaml_node **ret_node)
{
    yaml_event_t event;
    ist_status status = next_event(r, &event);
    if (status != IST_OK) {
        return status;
    }
    *ret_items = is_items && event.type == YAML_SEQUENCE_START_EVENT;
    status = *ret_items ? read_items(r) : read_value(r, &event, 2, ret_node);
    yaml_event_delete(&event);
    return status;
}

// The top mapping: a List gives its items away while it is read; its other keys say nothing that we need.
static ist_status read_top(reader *r, ist_yaml_node *top, bool *ret_list)
{
    ist_yaml_node **tail = &top->first;
    *ret_list = false;
    for (;;) {
        ist_yaml_node *key = NULL;
        ist_yaml_node *child = NULL;
        bool end = false;
        bool items = false;
        ist_status status = read_next(r, YAML_MAPPING_END_EVENT, 2, &end, &key);
        if (status != IST_OK || end) {
            return status;
        }
        ist_yaml_node at = *key;
        status = *ret_list ? IST_OK : check_key(r, top, key);
        status = status == IST_OK
                     ? read_top_value(r, at.kind == IST_YAML_SCALAR && ist_strv_equal(at.text, IST_STRV("items")),
                                      &items, &child)
                     : status;
        if (status != IST_OK) {
            return status;
        }
        *ret_list = *ret_list || items;
        if (!*ret_list) {
            child->key = at.text;
            child->key_line = at.line;
            child->key_column = at.column;
            add_child(top, &tail, child);
        }
    }
}

static ist_status read_document(reader *r, const yaml_event_t *event)
{
    ist_yaml_node *root = NULL;
    if (event->type != YAML_MAPPING_START_EVENT) {
        ist_status status = read_value(r, event, 1, &root);
        return status == IST_OK ? r->object(r->object_ctx, root) : status;
    }
    bool list = false;
    anchor *own = NULL;
    root = new_node(r, event, IST_YAML_MAP);
    ist_status status = root != NULL ? add_anchor(r, event, event->data.mapping_start.anchor, &own) : IST_ENOMEM;
    status = status == IST_OK ? read_top(r, root, &list) : status;
    return status == IST_OK && !list ? r->object(r->object_ctx, root) : status;
}

static ist_status read_stream(reader *r)
{
    for (;;) {
        yaml_event_t event;
        ist_status status = next_event(r, &event);
        if (status != IST_OK) {
            return status;
        }
        bool end = event.type == YAML_STREAM_END_EVENT;
        bool content = event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                       event.type == YAML_MAPPING_START_EVENT || event.type == YAML_ALIAS_EVENT;
        if (content) {
            status = read_document(r, &event);
            forget_tree(r);
        }
        yaml_event_delete(&event);
        if (status != IST_OK || end) {
            return status;
        }
    }
}

ist_status ist_yaml_read(ist_yaml_read_fn read, void *read_ctx, ist_yaml_object_fn object, void *object_ctx,
                         ist_yaml_place *ret_place, ist_err *err)
{
    reader r = {
        .read = read, .read_ctx = read_ctx, .object = object, .object_ctx = object_ctx, .place = ret_place, .err = err};
    *ret_place = (ist_yaml_place){0, 0};
    *err = IST_ERR_NULL;
    r.arena = ist_arena_new(TREE_BLOCK_BYTES, TREE_MAX_BYTES);
    if (r.arena == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_status status = IST_ENOMEM;
    if (yaml_parser_initialize(&r.parser)) {
        yaml_parser_set_input(&r.parser, read_more, &r);
        status = read_stream(&r);
        yaml_parser_delete(&r.parser);
    }
    ist_arena_free(r.arena);
    if (status == IST_ENOMEM) {
        (void)ist_err_set(err, IST_ENOMEM, "out of memory"); // the status is returned below
    }
    return status;
}

const ist_yaml_node *ist_yaml_child(const ist_yaml_node *map, ist_strv key)
{
    for (const ist_yaml_node *child = map->first; map->kind == IST_YAML_MAP && child != NULL; child = child->next) {
        if (ist_strv_equal(child->key, key)) {
            return child;
        }
    }
    return NULL;
}

bool ist_yaml_is_null(const ist_yaml_node *node)
{
    return node->kind == IST_YAML_SCALAR && node->plain &&
           (node->text.n == 0 || ist_strv_equal(node->text, IST_STRV("null")) ||
            ist_strv_equal(node->text, IST_STRV("~")) || ist_strv_equal(node->text, IST_STRV("Null")) ||
            ist_strv_equal(node->text, IST_STRV("NULL")));
}
