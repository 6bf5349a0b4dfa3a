/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of <leveret/last_words.h>: a child that may die says what it is at, which costs a few
 * stores, and is prepared to speak; the supervisor reads what was said.
 *
 *      last_words_new() ─ memfd ─▶ last_words_prepare() ... a fault ─▶ last_words_read()
 *
 * The handler runs on a stack of its own and calls nothing that takes a lock or memory, but the
 * unwinder, which may: a handler that hangs is ended by an alarm. Built with a sanitizer, which has
 * better words, the handler is left out.
 */
#ifndef LEVERET_SHM_LAST_WORDS_H
#define LEVERET_SHM_LAST_WORDS_H

#include <stdbool.h>

#include <leveret/last_words.h>

#include "shm/cleanup.h"

/* ---- the child ---- */

/* Take the page behind `fd`, which is taken, and speak in it when a fault ends the process. Once, at
 * the start. Without such a page the process dies in silence. */
void last_words_prepare(int fd);

/* Why the process is about to abort; kept for the handler, cut when it is long. */
void last_words_reason(const char *reason);

/* What the thread is at, until it says something else: a fault is handled on the thread that had it. */
extern _Thread_local volatile struct last_words_matter last_words_matter;

static inline void last_words_at_endpoint(uint32_t endpoint)
{
    last_words_matter.endpoint = endpoint;
}

static inline void last_words_at_slot(uint32_t worker, uint32_t slot, uint32_t generation)
{
    last_words_matter.worker = worker;
    last_words_matter.slot = slot;
    last_words_matter.generation = generation;
}

static inline void last_words_at_backend(uint32_t backend)
{
    last_words_matter.backend = backend;
}

static inline void last_words_at_nothing(void)
{
    last_words_at_endpoint(LAST_WORDS_NONE);
    last_words_at_slot(LAST_WORDS_NONE, LAST_WORDS_NONE, LAST_WORDS_NONE);
    last_words_at_backend(LAST_WORDS_NONE);
}

/* ---- the supervisor ---- */

/* A page for one process: a memfd, closed on exec; the caller owns it. Negative errno. */
int last_words_new(void) MUST_USE;

/* What the dead process has said: a copy in which texts end and are printable, and n_frames is no
 * more than there can be. LAST_WORDS_UNSAID: nothing, or nothing that makes sense. */
enum last_words_outcome { LAST_WORDS_SAID, LAST_WORDS_UNSAID };
enum last_words_outcome last_words_read(int fd, struct last_words *words) MUST_USE;

#endif
