/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of /__stats/ as a command reads it: JSON that somebody sent. Nothing is taken for
 * granted: a figure that is not there, or is no number, is NAN, a text "", a list empty.
 *
 * A node is a place in the page, together with the same place in the page before, if that was of
 * the same generation. What has been counted between the two is a rate.
 */
#ifndef LEVERET_STATS_PAGE_H
#define LEVERET_STATS_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "admin_client.h"

enum { STATS_VERSION = 1 };

struct node {
    const json_t *now;    /* NULL: there is no such place */
    const json_t *before; /* NULL: nor was there */
    double seconds;       /* between the two */
};

/* What the sidecar at `url` answered; the caller owns *page. ADMIN_FAILED: it is no sidecar, and
 * *failure says why. */
enum admin_outcome stats_page_read(const struct admin_answer *answer, const char *url,
    json_t **page, struct admin_failure *failure) MUST_USE;

/* ADMIN_FAILED: its figures are not those that we know. */
enum admin_outcome stats_page_check(
    const json_t *page, const char *url, struct admin_failure *failure) MUST_USE;

/* Both are borrowed; `before` may be NULL. */
struct node node_of(const json_t *now, const json_t *before);

struct node node_member(struct node node, const char *name);

/* The nth of a list. It was the same before if it had the same `key`, or NULL: the same place. */
struct node node_element(struct node list, size_t nth, const char *key);
size_t node_n_elements(struct node list);

double node_figure(struct node node, const char *name);
double node_rate(struct node node, const char *name); /* per second */
bool node_flag(struct node node, const char *name);
const char *node_text(struct node node, const char *name); /* of the page */

#endif
