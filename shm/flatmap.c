/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/flatmap.h"

#include "shm/json_string.h"

struct path {
    const struct plan *plan;
    const struct plan_text *names;
    uint32_t n; /* at least one */
};

/* One operation on its way. */
struct run {
    struct json_tree *tree;
    struct path from, to;
    void (*act)(struct run *run, struct json_node *parent);
    struct json_node *taken, *last_taken; /* promotions: they still know their parents */
};

static struct path path_of(const struct plan *plan, struct plan_list list)
{
    return (struct path){.plan = plan, .names = plan_items(plan, list), .n = list.count};
}

static struct json_slice name_at(const struct path *path, uint32_t i)
{
    struct plan_text text = path->names[i];
    return (struct json_slice){.at = plan_string(path->plan, text), .len = text.length};
}

static struct json_slice last_of(const struct path *path)
{
    return name_at(path, path->n - 1);
}

static bool is_wildcard(struct json_slice name)
{
    return name.len == 1 && name.at[0] == '*';
}

/* Acts on every parent of what `from` leads to. Recurses PLAN_PATH_MAX deep at most. */
static void visit(struct run *run, struct json_node *node, uint32_t depth)
{
    struct json_node *child;
    if (depth + 1 == run->from.n) {
        run->act(run, node);
        return;
    }
    struct json_slice name = name_at(&run->from, depth);
    if (!is_wildcard(name)) {
        child = json_tree_child(run->tree, node, name);
        if (child)
            visit(run, child, depth + 1);
        return;
    }
    for (child = json_tree_first(run->tree, node); child; child = json_tree_next(run->tree, child))
        visit(run, child, depth + 1);
}

/* ---- del ---- */

static void delete_below(struct run *run, struct json_node *parent)
{
    struct json_slice name = last_of(&run->from);
    if (is_wildcard(name))
        json_tree_clear(run->tree, parent);
    else
        (void)json_tree_detach(run->tree, parent, name); /* it is left out */
}

/* ---- move ---- */

static void rename_below(struct run *run, struct json_node *parent)
{
    json_tree_rename(run->tree, parent, last_of(&run->from), last_of(&run->to));
}

static void embed_below(struct run *run, struct json_node *parent)
{
    struct json_node *node = json_tree_detach(run->tree, parent, last_of(&run->from));
    for (uint32_t i = run->from.n - 1; node && parent && i + 1 < run->to.n; i++) {
        struct json_slice name = name_at(&run->to, i);
        struct json_node *next = json_tree_child(run->tree, parent, name);
        parent = next ? next : json_tree_grow(run->tree, parent, name);
    }
    if (node && parent)
        json_tree_attach(run->tree, parent, node, last_of(&run->to));
}

/* First all are taken, then they are put elsewhere: or one that was put would be met again. */
static void take_below(struct run *run, struct json_node *parent)
{
    struct json_node *node = json_tree_detach(run->tree, parent, last_of(&run->from));
    if (!node)
        return;
    node->next = NULL;
    *(run->taken ? &run->last_taken->next : &run->taken) = node;
    run->last_taken = node;
}

/* The next on the way down: `own`, which the node came by, without a search where it is that. */
static struct json_node *descend(
    struct run *run, struct json_node *at, struct json_slice name, struct json_node *own)
{
    char room[JSON_TREE_NAME_ROOM];
    bool is_any = is_wildcard(name);
    if (own->parent == at && (is_any || json_tree_has_name(own, name)))
        return own;
    return json_tree_child(run->tree, at, is_any ? json_tree_name(own, room) : name);
}

static void promote(struct run *run, struct json_node *node)
{
    struct json_node *own[PLAN_PATH_MAX], *at = node->parent;
    for (uint32_t depth = run->from.n - 1; depth > 0; at = at->parent)
        own[--depth] = at;
    at = run->tree->root;
    for (uint32_t i = 0; i + 1 < run->to.n; i++) {
        struct json_node *next = descend(run, at, name_at(&run->to, i), own[i]);
        if (!next)
            break;
        at = next;
    }
    json_tree_attach(run->tree, at, node, last_of(&run->to));
}

static void move(struct run *run)
{
    if (run->from.n > run->to.n)
        run->act = take_below;
    else
        run->act = run->from.n == run->to.n ? rename_below : embed_below;
    visit(run, run->tree->root, 0);
    for (struct json_node *node = run->taken, *next; node; node = next) {
        next = json_tree_next(run->tree, node); /* NULL, too, once the tree has failed */
        promote(run, node);
    }
}

/* ---- append ---- */

/* Where `path` leads without wildcards, or NULL. */
static struct json_node *find(struct run *run, const struct path *path)
{
    struct json_node *node = run->tree->root;
    for (uint32_t i = 0; node && i < path->n; i++)
        node = json_tree_child(run->tree, node, name_at(path, i));
    return node;
}

/* Does `from` lead to an array, or to a wildcard that stands for anything? */
static bool is_source(struct run *run)
{
    struct json_node *node = run->tree->root;
    for (uint32_t i = 0; node && i < run->from.n; i++) {
        struct json_slice name = name_at(&run->from, i);
        if (is_wildcard(name))
            return json_tree_first(run->tree, node) != NULL;
        node = json_tree_child(run->tree, node, name);
    }
    return node && json_tree_is_array(run->tree, node);
}

static struct json_node *gather(struct run *run, struct json_node *parent, uint32_t depth);

/* An array of what the rest of `from` leads to below each member of `parent`. */
static struct json_node *gather_all(struct run *run, struct json_node *parent, uint32_t depth)
{
    bool is_last = depth + 1 == run->from.n;
    struct json_node *child = json_tree_first(run->tree, parent), *next;
    struct json_node *list = child ? json_tree_list(run->tree) : NULL;
    if (is_last)
        json_tree_clear(run->tree, parent);
    for (; list && child; child = next) {
        next = json_tree_next(run->tree, child);
        json_tree_push(run->tree, list, is_last ? child : gather(run, child, depth + 1));
    }
    return list;
}

/* What the rest of `from` leads to, taken from where it stood; NULL: it leads nowhere. */
static struct json_node *gather(struct run *run, struct json_node *parent, uint32_t depth)
{
    struct json_slice name = name_at(&run->from, depth);
    if (is_wildcard(name))
        return gather_all(run, parent, depth);
    if (depth + 1 == run->from.n)
        return json_tree_detach(run->tree, parent, name);
    struct json_node *child = json_tree_child(run->tree, parent, name);
    return child ? gather(run, child, depth + 1) : NULL;
}

static void append(struct run *run)
{
    struct json_node *target = find(run, &run->to), *source, *next;
    if (!target || !json_tree_is_array(run->tree, target) || !is_source(run))
        return;
    source = gather(run, run->tree->root, 0);
    if (!source || find(run, &run->to) != target) /* it was part of what was taken */
        return;
    for (struct json_node *node = json_tree_first(run->tree, source); node; node = next) {
        next = json_tree_next(run->tree, node);
        json_tree_push(run->tree, target, node);
    }
}

/* ---- the whole ---- */

void flatmap_apply(struct json_tree *tree, const struct plan *plan, struct plan_list operations)
{
    const struct plan_flatmap *items = plan_items(plan, operations);
    for (uint32_t i = 0; i < operations.count; i++) {
        struct run run = {.tree = tree, .from = path_of(plan, items[i].from)};
        switch (items[i].verb) {
        case PLAN_FLATMAP_MOVE:
            run.to = path_of(plan, items[i].to);
            move(&run);
            break;
        case PLAN_FLATMAP_APPEND:
            run.to = path_of(plan, items[i].to);
            append(&run);
            break;
        default:
            run.act = delete_below;
            visit(&run, tree->root, 0);
        }
    }
}
