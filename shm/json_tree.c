/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/json_tree.h"
#include "shm/json_string.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BYTES_PER_STEP = 8 }; /* of a name that is compared: escapes take their time */

static const struct json_slice null_text = {.at = "null", .len = 4};
static const struct json_slice no_name = {.at = NULL, .len = 0};

int json_tree_init(struct json_tree *tree, uint32_t max_steps)
{
    struct json_node *nodes = calloc(JSON_TREE_NODES_MAX, sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    *tree = (struct json_tree){.nodes = nodes, .max_steps = max_steps};
    return 0;
}

void json_tree_done(struct json_tree *tree)
{
    free(tree->nodes);
    *tree = (struct json_tree){0};
}

/* ---- nodes ---- */

static void fail(struct json_tree *tree, enum json_tree_outcome outcome)
{
    if (tree->outcome == JSON_TREE_OK)
        tree->outcome = outcome;
}

/* One step of a walk, and more where it meets a long name; false where the tree has failed, too:
 * then nothing may go on. */
static bool step(struct json_tree *tree, size_t n_compared)
{
    size_t n_steps = 1 + n_compared / BYTES_PER_STEP;
    if (n_steps > tree->max_steps - tree->n_steps)
        fail(tree, JSON_TREE_TOO_LARGE);
    else
        tree->n_steps += (uint32_t)n_steps;
    return tree->outcome == JSON_TREE_OK;
}

static struct json_node *node_new(struct json_tree *tree, struct json_slice name,
    struct json_slice text, enum json_node_kind kind)
{
    if (tree->n_nodes == JSON_TREE_NODES_MAX)
        fail(tree, JSON_TREE_TOO_LARGE);
    if (!step(tree, 0))
        return NULL;
    struct json_node *node = &tree->nodes[tree->n_nodes++];
    *node = (struct json_node){.name = name, .text = text, .kind = kind};
    return node;
}

static void append(struct json_node *parent, struct json_node *node)
{
    node->parent = parent;
    node->next = NULL;
    node->index = parent->last ? parent->last->index + 1 : 0;
    *(parent->first ? &parent->last->next : &parent->first) = node;
    parent->last = node;
}

/* A container that has members is what they are from now on; one that has none stays as it is. */
static void look_into(struct json_tree *tree, struct json_node *node)
{
    struct json_value value;
    struct json_cursor cursor;
    struct json_member member;
    enum json_outcome outcome;
    if (node->kind != JSON_NODE_CLOSED)
        return;
    node->kind = JSON_NODE_LEAF;
    if (json_peek(node->text.at, node->text.len, &value) != JSON_OK) {
        fail(tree, JSON_TREE_SPOILED);
        return;
    }
    if (value.kind != JSON_KIND_OBJECT && value.kind != JSON_KIND_ARRAY)
        return;
    node->kind = value.kind == JSON_KIND_OBJECT ? JSON_NODE_OBJECT : JSON_NODE_ARRAY;
    json_open(&cursor, &value);
    while ((outcome = json_next(&cursor, &member)) == JSON_OK) {
        struct json_node *child = node_new(tree, member.key, member.value.text, JSON_NODE_CLOSED);
        if (!child)
            return;
        append(node, child);
    }
    if (outcome != JSON_END)
        fail(tree, JSON_TREE_SPOILED);
    if (node->first)
        node->text = null_text;
}

static void start(struct json_tree *tree, struct json_slice object, enum json_node_kind kind)
{
    *tree = (struct json_tree){.nodes = tree->nodes, .max_steps = tree->max_steps};
    tree->root = node_new(tree, no_name, object, kind);
}

void json_tree_open(struct json_tree *tree, struct json_slice object)
{
    start(tree, object, JSON_NODE_CLOSED);
}

void json_tree_open_member(
    struct json_tree *tree, struct json_slice name, struct json_slice value, bool is_text)
{
    start(tree, null_text, JSON_NODE_OBJECT);
    append(tree->root, node_new(tree, name, value, is_text ? JSON_NODE_LEAF : JSON_NODE_CLOSED));
    tree->root->first->is_text = is_text;
}

/* ---- looking ---- */

struct json_node *json_tree_first(struct json_tree *tree, struct json_node *node)
{
    look_into(tree, node);
    return step(tree, 0) ? node->first : NULL;
}

struct json_node *json_tree_next(struct json_tree *tree, const struct json_node *node)
{
    return step(tree, 0) ? node->next : NULL;
}

struct json_slice json_tree_name(const struct json_node *node, char room[JSON_TREE_NAME_ROOM])
{
    if (node->name.at)
        return node->name;
    int n = snprintf(room, JSON_TREE_NAME_ROOM, "%u", (unsigned)node->index);
    return (struct json_slice){.at = room, .len = (size_t)n};
}

static bool is_decimal(struct json_slice text, uint32_t number)
{
    do {
        if (!text.len || text.at[text.len - 1] != (char)('0' + number % 10))
            return false;
        text.len--;
        number /= 10;
    } while (number);
    return !text.len;
}

bool json_tree_has_name(const struct json_node *node, struct json_slice name)
{
    return node->name.at ? json_string_equal(node->name, name) : is_decimal(name, node->index);
}

struct json_node *json_tree_child(
    struct json_tree *tree, struct json_node *node, struct json_slice name)
{
    struct json_node *found = NULL;
    look_into(tree, node);
    for (struct json_node *child = node->first; child; child = child->next) {
        if (!step(tree, name.len))
            return NULL;
        if (!json_tree_has_name(child, name))
            continue;
        found = child;
        if (node->kind == JSON_NODE_ARRAY)
            break;
    }
    return found;
}

bool json_tree_is_array(struct json_tree *tree, struct json_node *node)
{
    look_into(tree, node);
    return node->kind == JSON_NODE_ARRAY && (node->first || node->text.at != null_text.at);
}

/* ---- changing ---- */

/* Takes away those below `parent` that go by `name`, all but `spared`; the last of them, or NULL.
 * From an array the first alone. */
static struct json_node *take_away(struct json_tree *tree, struct json_node *parent,
    struct json_slice name, const struct json_node *spared)
{
    struct json_node **link = &parent->first, *last = NULL, *found = NULL;
    look_into(tree, parent);
    while (*link) {
        struct json_node *child = *link;
        bool is_sought = child != spared && !(found && parent->kind == JSON_NODE_ARRAY);
        if (!step(tree, name.len))
            return NULL;
        if (is_sought && json_tree_has_name(child, name)) {
            *link = child->next;
            found = child;
        } else {
            last = child;
            link = &child->next;
        }
    }
    parent->last = last;
    return found;
}

struct json_node *json_tree_detach(
    struct json_tree *tree, struct json_node *parent, struct json_slice name)
{
    struct json_node *found = take_away(tree, parent, name, NULL);
    tree->is_changed |= found != NULL;
    return found;
}

void json_tree_clear(struct json_tree *tree, struct json_node *parent)
{
    tree->is_changed |= json_tree_first(tree, parent) != NULL;
    parent->first = parent->last = NULL;
}

void json_tree_attach(struct json_tree *tree, struct json_node *parent, struct json_node *node,
    struct json_slice name)
{
    look_into(tree, parent);
    if (parent->kind != JSON_NODE_ARRAY) {
        parent->kind = JSON_NODE_OBJECT;
        (void)take_away(tree, parent, name, NULL); /* it gives way */
    }
    if (tree->outcome != JSON_TREE_OK)
        return;
    node->name = name;
    append(parent, node);
    tree->is_changed = true;
}

struct json_node *json_tree_grow(
    struct json_tree *tree, struct json_node *parent, struct json_slice name)
{
    struct json_node *node = node_new(tree, name, null_text, JSON_NODE_OBJECT);
    if (node)
        json_tree_attach(tree, parent, node, name);
    return node;
}

void json_tree_rename(
    struct json_tree *tree, struct json_node *parent, struct json_slice from, struct json_slice to)
{
    struct json_node *node = json_tree_child(tree, parent, from);
    if (!node || json_string_equal(from, to))
        return;
    if (parent->kind == JSON_NODE_OBJECT) {
        (void)take_away(tree, parent, from, node); /* what it had repeated */
        (void)take_away(tree, parent, to, node);   /* it gives way */
    }
    node->name = to;
    tree->is_changed = true;
}

struct json_node *json_tree_list(struct json_tree *tree)
{
    return node_new(tree, no_name, null_text, JSON_NODE_ARRAY);
}

void json_tree_push(struct json_tree *tree, struct json_node *array, struct json_node *node)
{
    look_into(tree, array);
    if (!node)
        node = node_new(tree, no_name, null_text, JSON_NODE_LEAF);
    if (tree->outcome != JSON_TREE_OK)
        return;
    node->name = no_name;
    append(array, node);
    tree->is_changed = true;
}

/* ---- the end ---- */

static void write_node(struct json_sink *sink, const struct json_node *node)
{
    bool is_array = node->kind == JSON_NODE_ARRAY;
    if (!node->first) {
        if (node->is_text)
            json_sink_text(sink, node->text);
        else
            json_sink_slice(sink, node->text);
        return;
    }
    json_sink_put(sink, is_array ? "[" : "{", 1);
    for (const struct json_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            json_sink_put(sink, ",", 1);
        if (!is_array)
            json_sink_name(sink, child->name);
        write_node(sink, child);
    }
    json_sink_put(sink, is_array ? "]" : "}", 1);
}

void json_tree_write(const struct json_tree *tree, struct json_sink *sink)
{
    write_node(sink, tree->root);
}
