/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front, the workers and the lanes between them: starting, telling, watching and killing. When
 * to do so is the business of the generation (generation.h).
 *
 * The one rule about lanes: a lane is laid at the moment when the second of its two processes is
 * started, both halves are sent there and then, and nothing of it is handed out later. A place that
 * is empty, or whose process was sent SIGKILL, gets none. Hence no half ever names a process other
 * than the one that holds the other half, and whichever dies in whatever order, there is one lane
 * for the next pair:
 *
 *      worker dies       front: pidfd ─▶ settles.   W' starts ─▶ lane F-W'
 *      front dies        workers: pidfd ─▶ settle.  F' starts ─▶ lane F'-W for each live W
 *      both, W' first    W' starts without a lane.  F' starts ─▶ lane F'-W'
 *      both, F' first    F' starts with one less.   W' starts ─▶ lane F'-W'
 *      F dies between    W' holds a half whose peer is dead; its pidfd says so at once.
 *        the two sends                              F' starts ─▶ lane F'-W'
 *      F or W does not   SIGKILL; then as if it had died
 *        read (EAGAIN)
 *
 * A dead child is collected before its replacement is started, so a new lane always reaches the
 * survivor after the end of the old peer.
 */
#ifndef LEVERET_FAMILY_H
#define LEVERET_FAMILY_H

#include "census.h"
#include "child.h"
#include "outfit.h"
#include "pair.h"
#include "shm/deadline.h"

struct family {
    const struct outfit *outfit;
    unsigned n_missed; /* so many looks in a row without a beat: the child is hung */
    bool must_attach;  /* what workers are told from now on (<leveret/control.h>) */
    uint32_t n_children;
    struct child *children;     /* the front, then the workers */
    struct pair *pairs;         /* one per worker */
    struct deadlines deadlines; /* one per child */
    struct census census;
};

/* The family of generation `number`. All places are empty; `outfit` is borrowed for life. 0 or
 * negative errno. */
int family_init(struct family *family, const struct outfit *outfit, unsigned n_missed,
    unsigned number) MUST_USE;
void family_done(struct family *family);

struct child *family_front(const struct family *family);
struct child *family_worker(const struct family *family, uint32_t index);

/* Fill an empty place, say what its process needs to know, and lay its lanes to those that are
 * live. When that fails it is tried again later, by the child's deadline. */
void family_start(struct family *family, struct child *child);

/* SIGKILL. The child is not yet doomed. */
void family_condemn(struct family *family, struct child *child, const char *why);

/* Send a message to a child that is not down; one that does not take it is condemned. */
void family_tell(struct family *family, struct child *child, const struct control_message *message,
    const struct control_fds *fds);

/* Bring the figures of all places up to date. */
void family_note(struct family *family);

/* A child has ended: for the figures. */
void family_note_death(
    struct family *family, const struct child *child, const struct obituary *obituary);

/* The supervisor's own view of the lanes of a child that has died. */
void family_forget_lanes(struct family *family, const struct child *child);

/* Look whether all that are live still beat; condemn the one that was looked at in vain too often.
 * What counts is the number of looks and not the time: when the supervisor itself was stopped,
 * nobody is blamed for it. */
void family_look(struct family *family);

#endif
