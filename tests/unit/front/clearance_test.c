/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "clearance.h"

#define TOKEN "abcdefgh-12345678"

static enum clearance cleared(const char *token, bool is_tcp, const char *host, const char *shown)
{
    struct clearance_rule rule = {.token = slice_of(token), .is_tcp = is_tcp};
    return clearance_of(&rule, slice_of(host), slice_of(shown));
}

Test(clearance, who_shows_the_token_sees_all_and_others_a_verdict)
{
    const struct {
        const char *shown;
        enum clearance expected;
    } cases[] = {
        {"Bearer " TOKEN, CLEARANCE_ALL},
        {"bearer   " TOKEN, CLEARANCE_ALL},
        {"Basic OmFiY2RlZmdoLTEyMzQ1Njc4", CLEARANCE_ALL},         /* no user */
        {"BASIC dXNlcjphYmNkZWZnaC0xMjM0NTY3OA==", CLEARANCE_ALL}, /* user */
        {"Basic dTphYmNkZWZnaC0xMjM0NTY3OA==", CLEARANCE_ALL},     /* u */
        {"", CLEARANCE_VERDICT},
        {"Bearer", CLEARANCE_VERDICT},
        {"Bearer ", CLEARANCE_VERDICT},
        {"Bearer abcdefgh-12345679", CLEARANCE_VERDICT},
        {"Bearer " TOKEN "9", CLEARANCE_VERDICT},
        {"Bearer abcdefgh-1234567", CLEARANCE_VERDICT},
        {"Bearer\t" TOKEN, CLEARANCE_VERDICT},
        {TOKEN, CLEARANCE_VERDICT},
        {"Token " TOKEN, CLEARANCE_VERDICT},
        {"Basic " TOKEN, CLEARANCE_VERDICT},
        {"Basic", CLEARANCE_VERDICT},
        {"Basic ====", CLEARANCE_VERDICT},
        {"Basic OmF=", CLEARANCE_VERDICT},
        {"Basic OmFiY2RlZmdoLTEyMzQ1Njc", CLEARANCE_VERDICT},          /* cut */
        {"Basic YWJjZGVmZ2gtMTIzNDU2Nzg=", CLEARANCE_VERDICT},         /* no colon */
        {"Basic dXNlcjphYmNkZWZnaC0xMjM0NTY3OQ==", CLEARANCE_VERDICT}, /* another */
        {"Basic dXNlcjo=", CLEARANCE_VERDICT},                         /* an empty password */
        {"Basic \xff\xff\xff\xff", CLEARANCE_VERDICT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(
            cleared(TOKEN, true, "h", cases[i].shown), cases[i].expected, "%s", cases[i].shown);
        cr_expect_eq(
            cleared(TOKEN, false, "", cases[i].shown), cases[i].expected, "%s", cases[i].shown);
    }
}

Test(clearance, credentials_without_end_are_none)
{
    char shown[4096];
    memset(shown, 'A', sizeof(shown));
    memcpy(shown, "Basic ", strlen("Basic "));
    for (size_t n = 0; n < sizeof(shown); n++) {
        struct clearance_rule rule = {.token = slice_of(TOKEN), .is_tcp = true};
        cr_assert_eq(clearance_of(&rule, slice_of(""), (struct slice){.at = shown, .len = n}),
            CLEARANCE_VERDICT, "%zu", n);
    }
}

Test(clearance, without_a_token_a_browser_is_not_led_here_by_another_name)
{
    static const char *const ours[] = {"", "127.0.0.1", "127.0.0.1:8090", "localhost",
        "LocalHost:8090", "[::1]", "[::1]:8090", "[::ffff:127.0.0.1]:1", "10.1.2.3:8090"};
    static const char *const others[] = {"evil.example", "evil.example:8090", "localhost.evil",
        "127.0.0.1.evil.example", "xlocalhost", "localhost.", "127.0.0.256", "127.1", "2130706433",
        "0x7f.0.0.1", "::1", "1234567890123456789012345678901234567890123456789"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        cr_expect_eq(cleared("", true, ours[i], ""), CLEARANCE_ALL, "%s", ours[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        cr_expect_eq(cleared("", true, others[i], ""), CLEARANCE_MISDIRECTED, "%s", others[i]);
        cr_expect_eq(cleared("", false, others[i], ""), CLEARANCE_ALL, "%s", others[i]);
        cr_expect_eq(cleared(TOKEN, true, others[i], "Bearer " TOKEN), CLEARANCE_ALL);
    }
}
