/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody who listens where a sidecar's admin listener is looked for, and answers what the test
 * says: the first connection gets the first answer and so on, the last answer is for all that come
 * later. It runs on a thread until it is stopped.
 */
#ifndef LEVERET_TESTS_FAKE_ADMIN_H
#define LEVERET_TESTS_FAKE_ADMIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "admin_address.h"

enum { FAKE_ADMIN_MAX_HELD = 16 };

struct fake_answer {
    const char *text;
    size_t n_fillers;   /* KiB of blanks behind it */
    bool stays_open;    /* until it is stopped, or the client leaves */
    bool hears_nothing; /* the connection is closed before the request was read */
};

struct fake_admin {
    const struct fake_answer *answers;
    size_t n_answers;
    char url[128];
    struct admin_address address; /* the same */
    char request[1024];           /* the last one; to be read when it is stopped */
    size_t n_served;
    int listener, stop;
    int held[FAKE_ADMIN_MAX_HELD];
    size_t n_held;
    pthread_t thread;
};

/* On any port of 127.0.0.1, or at `unix_path`. The answers are borrowed. */
void fake_admin_start(struct fake_admin *fake, const char *unix_path,
    const struct fake_answer *answers, size_t n_answers);
void fake_admin_stop(struct fake_admin *fake);

/* An answer with this status and body; the caller frees it. */
char *fake_admin_page(int status, const char *body);

#endif
