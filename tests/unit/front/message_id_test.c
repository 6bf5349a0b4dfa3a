/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <time.h>

#include "message_id.h"

static struct message_id_source source;

static void open_source(void)
{
    cr_assert_eq(message_id_open(&source), 0);
}

Test(message_id, is_a_uuid_of_version_7_at_its_millisecond, .init = open_source)
{
    char id[MESSAGE_ID_BYTES];
    for (int n = 0; n < 1000; n++) {
        struct slice made = message_id_at(&source, UINT64_C(0x0123456789ab) + (uint64_t)n / 2, id);
        cr_assert_eq(made.at, id);
        cr_assert_eq(made.len, 36);
        for (int i = 0; i < 36; i++) {
            bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
            cr_assert(is_dash ? id[i] == '-' : isdigit(id[i]) || (id[i] >= 'a' && id[i] <= 'f'));
        }
        cr_assert_eq(id[14], '7');
        cr_assert(strchr("89ab", id[19]));
    }
    (void)message_id_at(&source, UINT64_C(0x1123456789ab), id);
    cr_assert_arr_eq(id, "11234567-89ab-7", 15);
}

Test(message_id, only_grows_also_when_the_clock_stands_or_steps_back, .init = open_source)
{
    char last[MESSAGE_ID_BYTES] = "", id[MESSAGE_ID_BYTES];
    for (int n = 0; n < 200000; n++) {
        uint64_t now_ms = 1769860800000 + (uint64_t)(n / 1000) - (n % 5000 == 0 ? 3600000 : 0);
        (void)message_id_at(&source, now_ms, id);
        cr_assert_gt(memcmp(id, last, sizeof(id)), 0, "%.36s after %.36s", id, last);
        memcpy(last, id, sizeof(id));
    }
}

Test(message_id, a_counter_that_is_full_borrows_the_next_millisecond, .init = open_source)
{
    char id[MESSAGE_ID_BYTES];
    (void)message_id_at(&source, 0xabcdef, id);
    source.high = 0xfff;
    source.low = (UINT64_C(1) << 62) - 1;
    (void)message_id_at(&source, 0xabcdef, id);
    cr_assert_arr_eq(id, "000000ab-cdf0-7", 15);
    cr_assert_leq(source.high, 0x7ff, "it starts anew with room to grow");
}

Test(message_id, a_carry_goes_into_the_high_bits, .init = open_source)
{
    char id[MESSAGE_ID_BYTES];
    (void)message_id_at(&source, 0xabcdef, id);
    source.high = 0x123;
    source.low = (UINT64_C(1) << 62) - 1;
    (void)message_id_at(&source, 0xabcdef, id);
    cr_assert_arr_eq(id, "000000ab-cdef-7124-8000-", 24);
}

Test(message_id, sources_differ)
{
    struct message_id_source other;
    char a[MESSAGE_ID_BYTES], b[MESSAGE_ID_BYTES];
    open_source();
    cr_assert_eq(message_id_open(&other), 0);
    (void)message_id_at(&source, 5, a);
    (void)message_id_at(&other, 5, b);
    cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
}

/* Not time(), which may be a tick behind. */
static uint64_t wall_clock_ms(void)
{
    struct timespec now;
    cr_assert_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

Test(message_id, follows_the_wall_clock, .init = open_source)
{
    char id[MESSAGE_ID_BYTES], digits[13] = "";
    uint64_t before_ms = wall_clock_ms();
    (void)message_id_next(&source, id);
    memcpy(digits, id, 8);
    memcpy(digits + 8, id + 9, 4);
    uint64_t ms = strtoull(digits, NULL, 16);
    cr_assert_geq(ms, before_ms);
    cr_assert_leq(ms, wall_clock_ms());
}
