/* SPDX-License-Identifier: Apache-2.0 */
/* A hexadecimal digit, in either case. */
#ifndef LEVERET_SHM_HEXADECIMAL_H
#define LEVERET_SHM_HEXADECIMAL_H

/* 0 to 15; -1: it is none. */
static inline int hexadecimal_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

#endif
