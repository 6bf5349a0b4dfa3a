/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_token.h"

#include <string.h>

enum { SHORTEST = 16, LONGEST = 256 };

bool admin_token_is_sound(const char *text)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~+/=";
    size_t n = strlen(text);
    return n >= SHORTEST && n <= LONGEST && strspn(text, characters) == n;
}
