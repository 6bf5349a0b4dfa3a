/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of this machine's system calls, by their numbers; list_system_calls writes the table.
 */
#ifndef LEVERET_SYSTEM_CALLS_H
#define LEVERET_SYSTEM_CALLS_H

#include <stdint.h>

/* "openat"; "?": the headers of the build do not know it. */
const char *system_call_name(uint32_t number);

#endif
