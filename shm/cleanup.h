/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership on the page: a variable marked CLEANUP(f) is given to f when its scope ends, by
 * whatever path; STEAL hands what it holds to the caller and leaves nothing behind.
 */
#ifndef LEVERET_SHM_CLEANUP_H
#define LEVERET_SHM_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define MUST_USE __attribute__((warn_unused_result))

/* The value of `pointer`, which becomes NULL. */
#define STEAL(pointer)                                                                             \
    __extension__({                                                                                \
        __typeof__(pointer) steal_p_ = (pointer);                                                  \
        (pointer) = NULL;                                                                          \
        steal_p_;                                                                                  \
    })

/* The value of the descriptor `fd`, which becomes -1. */
#define STEAL_FD(fd)                                                                               \
    __extension__({                                                                                \
        int steal_fd_ = (fd);                                                                      \
        (fd) = -1;                                                                                 \
        steal_fd_;                                                                                 \
    })

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* Linux has freed the descriptor whatever close returns */
}

static inline void cleanup_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

#endif
