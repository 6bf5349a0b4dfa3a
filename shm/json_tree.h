/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON object that is taken apart and put together differently: a tree of slices of its text
 * (shm/json.h). A value is looked into when one of its members is first asked for; what nobody
 * looks into is written as it stood, byte for byte.
 *
 * Memory is one block of nodes, reserved when the tree is made and touched as it is needed. An
 * object that would need more of them, or more steps than the tree's owner has time for, is too
 * large for it: whoever writes messages cannot make the process large or slow. After such a
 * failure, or over text that turned out to be no JSON, nothing that is done to the tree has an
 * effect or takes time, and json_tree_outcome() says why: so it is asked once, at the end.
 *
 * Names are raw (shm/json_string.h) and compared by meaning. The elements of an array go by their
 * position in the text, "0", "1" and so on, and keep that name when those before them are gone. Of
 * a name that an object repeats the last member counts; of one that several elements of an array
 * were given, the first.
 *
 * The text may lie in memory that another process writes to: each value is walked once, and what is
 * written of it is as long as it was then.
 */
#ifndef LEVERET_SHM_JSON_TREE_H
#define LEVERET_SHM_JSON_TREE_H

#include "shm/cleanup.h"
#include "shm/json.h"
#include "shm/json_sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JSON_TREE_NODES_MAX = 1 << 18 /* 20 MiB of address space */
};

enum json_tree_outcome {
    JSON_TREE_OK,
    JSON_TREE_TOO_LARGE, /* past a bound above */
    JSON_TREE_SPOILED    /* no JSON, or not any more */
};

enum json_node_kind {
    JSON_NODE_CLOSED, /* not looked into yet */
    JSON_NODE_LEAF,
    JSON_NODE_OBJECT,
    JSON_NODE_ARRAY
};

/* Read them with the functions below, which look into what is closed. */
struct json_node {
    struct json_slice name; /* raw; in an array {NULL, 0} */
    struct json_slice text; /* what is written while there is nothing below */
    struct json_node *parent, *first, *last, *next;
    enum json_node_kind kind;
    uint32_t index; /* in an array */
    bool is_text;   /* its text is bytes that are written as a string */
};

struct json_tree {
    struct json_node *nodes;
    struct json_node *root;
    uint32_t n_nodes, n_steps, max_steps;
    enum json_tree_outcome outcome;
    bool is_changed; /* by any of the functions that change it */
};

/* `max_steps`: from member to member, for one object; a million take some 25 ms. 0 or -ENOMEM. */
MUST_USE int json_tree_init(struct json_tree *tree, uint32_t max_steps);
void json_tree_done(struct json_tree *tree);

/* Starts over, with `object`. It is borrowed until the tree was written. */
void json_tree_open(struct json_tree *tree, struct json_slice object);

/* The same with an object of one member: `value`, or a string of its bytes. */
void json_tree_open_member(
    struct json_tree *tree, struct json_slice name, struct json_slice value, bool is_text);

/* ---- looking ---- */

/* The first below `node`, and the next beside it; NULL: there is none. */
struct json_node *json_tree_first(struct json_tree *tree, struct json_node *node);
struct json_node *json_tree_next(struct json_tree *tree, const struct json_node *node);

/* The one of that name below `node`, or NULL. */
struct json_node *json_tree_child(
    struct json_tree *tree, struct json_node *node, struct json_slice name);

bool json_tree_is_array(struct json_tree *tree, struct json_node *node);
bool json_tree_has_name(const struct json_node *node, struct json_slice name);

/* Its name, or its position in decimal, written to `room`. */
enum { JSON_TREE_NAME_ROOM = 12 };
struct json_slice json_tree_name(const struct json_node *node, char room[JSON_TREE_NAME_ROOM]);

/* ---- changing ---- */

/* Takes what goes by that name from below `parent`. NULL: there was nothing; else what counted. An
 * object or array of which nothing is left is null. */
struct json_node *json_tree_detach(
    struct json_tree *tree, struct json_node *parent, struct json_slice name);

/* Takes all that is below `parent` from it. */
void json_tree_clear(struct json_tree *tree, struct json_node *parent);

/* Puts `node`, which was detached, below `parent` under `name`: at the end of an array, where the
 * name is not written but found; elsewhere in place of what went by it. What is neither object nor
 * array becomes an object. */
void json_tree_attach(struct json_tree *tree, struct json_node *parent, struct json_node *node,
    struct json_slice name);

/* The same with a new object. NULL: the tree has failed. */
struct json_node *json_tree_grow(
    struct json_tree *tree, struct json_node *parent, struct json_slice name);

/* What goes by `from` below `parent` goes by `to`, where it stands. */
void json_tree_rename(
    struct json_tree *tree, struct json_node *parent, struct json_slice from, struct json_slice to);

/* An array that stands nowhere; NULL: the tree has failed. */
struct json_node *json_tree_list(struct json_tree *tree);

/* Puts `node`, which stands nowhere, at the end of `array`; NULL: a null. */
void json_tree_push(struct json_tree *tree, struct json_node *array, struct json_node *node);

/* ---- the end ---- */

static inline enum json_tree_outcome json_tree_outcome(const struct json_tree *tree)
{
    return tree->outcome;
}

/* Writes the whole. Recurses once a level of what was looked into or grown. */
void json_tree_write(const struct json_tree *tree, struct json_sink *sink);

#endif
