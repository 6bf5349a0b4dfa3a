/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans: built by the supervisor, sealed, joined by a child.
 *
 *      plan_builder_new() ─ texts, lists ─▶ plan_builder_seal() ─ memfd ─▶ plan_join() ─▶
 * plan_leave()
 *
 * The structures are those of <leveret/plan.h>. Build from the leaves to the root: what refers
 * holds the offset of what it refers to.
 */
#ifndef LEVERET_SHM_PLAN_H
#define LEVERET_SHM_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <leveret/plan.h>

#include "shm/cleanup.h"

/* ---- building. A builder that ran out of memory takes everything and says so when it is sealed.
 * ---- */

struct plan_builder;

struct plan_builder *plan_builder_new(enum plan_kind kind); /* NULL: no memory */
void plan_builder_free(struct plan_builder *builder);

/* A copy of `length` bytes, or of a string (NULL gives the empty text). */
struct plan_text plan_add_text(struct plan_builder *builder, const char *bytes, size_t length);
struct plan_text plan_add_string(struct plan_builder *builder, const char *string);

/* A copy of `count` structures of `item_bytes` each. */
struct plan_list plan_add_list(
    struct plan_builder *builder, const void *items, size_t item_bytes, size_t count);

/* A read-only sealed memfd, closed on exec, with `root` (plan_front or plan_worker) as its root;
 * the caller owns it. -ENOMEM, -EFBIG (4 GiB) or another negative errno. */
int plan_builder_seal(struct plan_builder *builder, const void *root, size_t root_bytes) MUST_USE;

/* ---- reading ---- */

struct plan {
    const uint8_t *base;
    size_t total_bytes;
    const void *root;
};

/* Map the plan behind `fd`, which stays the caller's. -EPROTO: not a sealed plan of this kind and
 * build. */
int plan_join(struct plan *plan, int fd, enum plan_kind kind) MUST_USE;
void plan_leave(struct plan *plan);

/* Inside the plan; asserts that it is. A text ends with a NUL. */
const char *plan_string(const struct plan *plan, struct plan_text text);
const void *plan_items(const struct plan *plan, struct plan_list list);

#endif
