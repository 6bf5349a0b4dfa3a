/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer shows of a consumed message, by its backend's rules:
 *
 *   the message as an object ─▶ target ─┬▶ allow or deny ─▶ mapping ─┬▶ group
 *                                       └─────▶ flatmap_filter ──────┘
 *
 * A message that is no object is first made one: {"collection": ...} of an array, {"content": ...}
 * of any other value or of bytes that are a string. Nothing (an empty message, or `null` where an
 * object is wanted) stays nothing: `null`, or {} once there is a target to look for.
 *
 *   target   the object at that path, else {}. Of a repeated key the last counts.
 *   allow    what its paths lead to; an object of which nothing is left goes too.
 *   deny     all but that; an object of which nothing is left stays as {}.
 *   mapping  new names at the top level. A member that had such a name already gives way.
 *   flatmap  members moved, appended and deleted, in place of allow, deny and mapping
 *            (shm/flatmap.h).
 *   group    the whole as the one member of an object.
 *
 * It works on slices: a value that no rule reaches into is copied byte for byte, digits, escapes,
 * white space and all. A message that the rules do not change is not copied at all: it is shown
 * where it lies, and so is one of which a target shows a part. Keys are compared by meaning.
 *
 * The message may lie in memory that another process writes to: it is walked twice and believed
 * neither time, and nothing is written outside the room that the caller gives.
 *
 * Costs two walks over the message for each level of its paths, and a binary search among the rules
 * of a level for each key. Recursion goes as deep as the rules' paths, PLAN_PATH_MAX at most,
 * whatever the message holds. The bounds of flatmap_filter are those of its tree (shm/json_tree.h).
 * Pure: no I/O, no allocation.
 */
#ifndef LEVERET_WORKER_SHAPE_H
#define LEVERET_WORKER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leveret/plan.h>

#include "shm/cleanup.h"
#include "shm/json.h"
#include "shm/json_tree.h"
#include "shm/plan.h"

/* One backend's rules; what it points to is borrowed. */
struct shape {
    const struct plan *plan; /* where the names stand */
    const struct plan_shape *rules;
    enum plan_encoding encoding; /* of the message */
    struct json_tree *tree;      /* where flatmap_filter works; unused where there is none */
};

enum shape_outcome {
    SHAPE_AS_IT_IS,  /* a part of the message, or the whole: nothing to write */
    SHAPE_REBUILT,   /* to be written by shape_write() */
    SHAPE_TOO_LARGE, /* for flatmap_filter: past a bound of the tree */
    SHAPE_SPOILED    /* not what `encoding` says */
};

/* What was found out about one message. */
struct shape_draft {
    struct json_slice shown;          /* SHAPE_AS_IT_IS: inside the message, or empty */
    size_t max_bytes;                 /* SHAPE_REBUILT: it takes no more */
    uint16_t ranks[PLAN_RENAMES_MAX]; /* of each place: the least that is there */
};

/* `message`: what decode() found, without white space around it where it is JSON. */
MUST_USE enum shape_outcome shape_plan(
    const struct shape *shape, struct json_slice message, struct shape_draft *draft);

/*
 * Writes what shape_plan() called SHAPE_REBUILT, the last that used this tree, to `out`, at most draft->max_bytes, and its length
 * to *n_bytes. False: the message is not the one that was planned any more; *n_bytes is as it was
 * and what stands in `out` is useless.
 */
MUST_USE bool shape_write(const struct shape *shape, struct json_slice message,
    const struct shape_draft *draft, char *out, size_t *n_bytes);

#endif
