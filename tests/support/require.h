/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the surroundings of a test must do: start a broker, open a socket, find a file. When they do
 * not, the test can say nothing about what it tests, and ends on the spot with the reason. What is
 * tested itself is asserted by the test, never here.
 */
#ifndef LEVERET_TESTS_REQUIRE_H
#define LEVERET_TESTS_REQUIRE_H

#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include "shm/clock.h"

/* Says "file:line: message" and errno's text on stderr and at the end of the run, and aborts. */
_Noreturn void require_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define require(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            require_failed(__FILE__, __LINE__, __VA_ARGS__);                                       \
    } while (0)

/* The clock in `ms` milliseconds: every wait in a test has an end. */
static inline uint64_t deadline_in_ms(uint64_t ms)
{
    return clock_now_ns() + ms * CLOCK_MS;
}

/*
 * For a change that sends no event (a counter of the broker, a list of processes): looks again
 * every few milliseconds until `condition` holds, and gives up with the message after `ms`.
 */
#define await(condition, ms, ...)                                                                  \
    do {                                                                                           \
        uint64_t await_until_ = deadline_in_ms(ms);                                                \
        while (!(condition)) {                                                                     \
            require(clock_now_ns() < await_until_, __VA_ARGS__);                                   \
            (void)poll(NULL, 0, 2); /* nothing to learn from it */                                 \
        }                                                                                          \
    } while (0)

/* A string from the heap, for the caller to free. */
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void free_text(char **text)
{
    free(*text);
}
#define autofree __attribute__((cleanup(free_text)))

#endif
