/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Last words: what a child that dies of its own fault leaves behind, and the supervisor reads.
 *
 * A page of memory, sealed against resizing, that the supervisor makes for each process and that
 * the child inherits as LEVERET_LAST_WORDS_FD. The child writes it once, from the handler of the
 * signal that ends it (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, and SIGSYS: it asked the kernel for
 * what its filter forbids); whoever is killed by SIGKILL has no time to. The supervisor reads it when the process has been collected. It believes nothing of
 * it: numbers are shown as they are, text only as far as it is printable.
 */
#ifndef LEVERET_LAST_WORDS_H
#define LEVERET_LAST_WORDS_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#define LEVERET_LAST_WORDS_FD 4
#define LAST_WORDS_MAGIC UINT64_C(0x3173646c726f77)
#define LAST_WORDS_NONE UINT32_MAX

enum { LAST_WORDS_BYTES = 4096, LAST_WORDS_MAX_FRAMES = 24, LAST_WORDS_REASON_BYTES = 256 };

/* What the process was at; each LAST_WORDS_NONE where it does not apply. */
struct last_words_matter {
    uint32_t endpoint; /* the front: whose request it was reading */
    uint32_t worker;   /* of the lane whose entry it was handling */
    uint32_t slot, generation;
    uint32_t backend; /* a worker: of the request in that slot */
};

/* Where the fault was, then return addresses, as `addr2line -e MODULE OFFSET` takes it. */
struct last_words_frame {
    uint64_t offset; /* in the module; the address itself when there is no module for it */
    char module[56]; /* the file's name without its folder; NUL-terminated, maybe cut */
};

struct last_words {
    uint64_t magic;
    _Atomic uint32_t is_said; /* release, at the end; what is not said to the end is not read */
    int32_t signal, code;     /* siginfo's */
    uint32_t n_frames;
    uint64_t address; /* of the access that failed */
    struct last_words_matter matter;
    uint32_t system_call;                 /* with SIGSYS: which was forbidden */
    char reason[LAST_WORDS_REASON_BYTES]; /* an assertion, a panic; NUL-terminated, or empty */
    struct last_words_frame frames[LAST_WORDS_MAX_FRAMES];
};

static_assert(sizeof(struct last_words) <= LAST_WORDS_BYTES, "a page");

#endif
