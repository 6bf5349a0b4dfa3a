/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter of system calls (seccomp(2)): what a process may still ask the kernel for, as a table.
 *
 *      static const struct filter_rule rules[] = {
 *          {.call = SYS_read},                                           whatever its arguments
 *          {.call = SYS_socket, .check = FILTER_IS, .argument = 0, .operand = AF_INET},
 *          {.call = SYS_mmap, .check = FILTER_HAS_NONE, .argument = 2, .operand = PROT_EXEC},
 *          {.call = SYS_mmap, .error = EACCES},                          every other mmap fails
 *      };
 *
 * Rules are tried in order, and the first that fits decides: the call is let through, or fails with
 * `error`. What no rule fits is forbidden: the thread that tried gets a SIGSYS that cannot be
 * ignored, whose handler names the call (shm/last_words.h), and the process dies.
 *
 * Arguments are 64 bits wide and looked at in their lower half, which is all that the kernel takes
 * of an int. Those that point to memory cannot be checked: another thread may change what is there.
 *
 * It costs next to nothing: from Linux 5.11 on the kernel keeps in a bitmap which calls are let
 * through whatever their arguments, and does not run the program for them.
 */
#ifndef LEVERET_SHM_FILTER_H
#define LEVERET_SHM_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

enum { FILTER_MAX_RULES = 160 };

enum filter_check {
    FILTER_ANY,
    FILTER_IS,      /* the argument is the operand */
    FILTER_HAS_NONE /* the argument has none of the operand's bits */
};

struct filter_rule {
    uint16_t call; /* SYS_... */
    uint16_t error;
    uint8_t check;    /* enum filter_check */
    uint8_t argument; /* 0 to 5 */
    uint32_t operand;
};

/* Tables that are used one after the other as if they were one. */
struct filter_table {
    const struct filter_rule *rules;
    size_t n_rules;
};

#define FILTER_TABLE(rules) ((struct filter_table){(rules), sizeof(rules) / sizeof(*(rules))})

/* For the calling thread and those that it will start, for good. PR_SET_NO_NEW_PRIVS is set, or the
 * process may do so without. -EINVAL or -ENOSYS: the kernel, or what contains it, has no filters;
 * -ENOTSUP: this machine's calls are not known here. More rules than there is room for: panic. */
int filter_install(const struct filter_table *tables, size_t n_tables) MUST_USE;

#endif
