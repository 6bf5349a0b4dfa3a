/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the soak that would make it gentle if they did not work: nobody would notice.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "dice.h"
#include "relay.h"
#include "shm/clock.h"
#include "tests/support/port.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "trouble.h"

enum { SOON_MS = 10000, NEVER_MS = 50 };

TestSuite(soak_parts, .timeout = 60);

static struct relay *relay;
static struct raw_client client, server; /* the two sides of the relay */

static void meet(void)
{
    uint16_t port = port_reserve();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, 1), 0);
    relay = relay_new(port);
    raw_client_connect(&client, relay_port(relay));
    server.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(server.fd, 0);
    (void)close(listener); /* nobody else is to come */
}

static void part(void)
{
    raw_client_close(&client);
    raw_client_close(&server);
    relay_free(relay);
}

static bool hears(struct raw_client *side, const char *text, uint64_t ms)
{
    char heard[64];
    return raw_client_read(side, text, heard, sizeof heard, deadline_in_ms(ms));
}

Test(soak_parts, a_relay_passes_bytes_on_both_ways)
{
    meet();
    cr_assert(raw_client_say(&client, "there"));
    cr_assert(hears(&server, "there", SOON_MS));
    cr_assert(raw_client_say(&server, "and back"));
    cr_assert(hears(&client, "and back", SOON_MS));
    part();
}

/* That something does not come cannot be waited for. */
Test(soak_parts, a_hushed_relay_keeps_everything_to_itself_and_loses_nothing)
{
    meet();
    relay_hush(relay);
    cr_assert(raw_client_say(&client, "kept"));
    cr_assert_not(hears(&server, "kept", NEVER_MS));
    relay_speak(relay);
    cr_assert(hears(&server, "kept", SOON_MS));
    part();
}

Test(soak_parts, a_cut_ends_both_connections)
{
    meet();
    relay_cut(relay);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(SOON_MS)));
    cr_assert(raw_client_is_closed(&server, deadline_in_ms(SOON_MS)));
    part();
}

Test(soak_parts, a_relay_ends_the_one_when_the_other_ends)
{
    meet();
    raw_client_close(&server);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(SOON_MS)));
    raw_client_close(&client);
    relay_free(relay);
}

Test(soak_parts, trouble_excuses_its_own_kind_and_its_own_time)
{
    static struct trouble trouble;
    trouble_init(&trouble);
    uint64_t before_ns = clock_now_ns() - 1;
    int span = trouble_begin(&trouble, TROUBLE_ACKS);
    cr_assert(trouble_was(&trouble, TROUBLE_ACKS, before_ns, clock_now_ns()));
    cr_assert_not(trouble_was(&trouble, TROUBLE_FRONT, before_ns, clock_now_ns()));
    cr_assert_not(trouble_was(&trouble, TROUBLE_ACKS, before_ns - 1, before_ns));
    trouble_end(&trouble, span);
    uint64_t after_ns = clock_now_ns() + 1;
    cr_assert_not(trouble_was(&trouble, TROUBLE_ACKS, after_ns, after_ns));
    cr_assert(trouble_was(&trouble, TROUBLE_ACKS, before_ns, after_ns));
}

Test(soak_parts, the_same_seed_rolls_the_same_dice)
{
    struct dice one = {.state = 7}, other = {.state = 7}, third = {.state = 8};
    for (int i = 0; i < 100; i++) {
        uint64_t rolled = dice_between(&one, 3, 9);
        cr_assert(rolled >= 3 && rolled <= 9);
        cr_assert_eq(rolled, dice_between(&other, 3, 9));
    }
    cr_assert_neq(dice_roll(&one), dice_roll(&third));
}
