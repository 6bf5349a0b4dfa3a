/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "health.h"

Test(health, says_ok_and_the_time)
{
    char out[HEALTH_MAX_BYTES];
    struct timespec now = {.tv_sec = 1769860800, .tv_nsec = 41034000};
    const char *expected =
        "{\"agents\":{},\"now\":\"2026-01-31 12:00:00.041 +0000 UTC\",\"status\":\"ok\"}";
    size_t n = health_write(&now, out);
    cr_assert_eq(n, strlen(expected));
    cr_assert_arr_eq(out, expected, n);
}
