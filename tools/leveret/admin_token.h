/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token that the admin listener wants to see: ADMIN_TOKEN_SHAPE, which a bearer may show as it
 * is (RFC 6750, 2.1, b64token), long enough that nobody finds it by trying.
 */
#ifndef LEVERET_ADMIN_TOKEN_H
#define LEVERET_ADMIN_TOKEN_H

#include <stdbool.h>

#define ADMIN_TOKEN_SHAPE "16 to 256 letters, digits or -._~+/="

bool admin_token_is_sound(const char *text);

#endif
