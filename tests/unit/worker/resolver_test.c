/* SPDX-License-Identifier: Apache-2.0 */
#include "turn.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "resolver.h"

static struct resolver *resolver;
static struct resolver_question question, other;
static struct resolver_answer answer;
static int n_answers;

static void on_resolved(void *owner, const struct resolver_answer *resolved)
{
    answer = *resolved;
    n_answers++;
}

static void set_up(void)
{
    turn_new(&LOOP_CONFIG_DEFAULT);
    cr_assert_eq(resolver_new(&resolver, loop), 0);
    question.on_resolved = on_resolved;
    other.on_resolved = on_resolved;
}

static void tear_down(void)
{
    resolver_free(resolver);
    turn_once();
    loop_free(loop);
}

TestSuite(resolver, .init = set_up, .fini = tear_down);

Test(resolver, localhost_has_addresses_with_the_port)
{
    cr_assert_eq(resolver_ask(resolver, &question, "localhost", 5672), 0);
    cr_assert_eq(n_answers, 0, "not from inside the call");
    TURN_UNTIL(n_answers == 1);
    cr_assert_eq(answer.error, 0, "%s", gai_strerror(answer.error));
    cr_assert_geq(answer.n_addresses, 1);
    const struct sockaddr_storage *first = &answer.addresses[0].storage;
    cr_assert(first->ss_family == AF_INET || first->ss_family == AF_INET6);
    cr_assert_eq(((const struct sockaddr_in *)first)->sin_port, htons(5672));
}

Test(resolver, a_name_that_does_not_exist_is_an_error)
{
    cr_assert_eq(resolver_ask(resolver, &question, "no-such-host.invalid", 5672), 0);
    TURN_UNTIL(n_answers == 1);
    cr_assert_neq(answer.error, 0);
    cr_assert_eq(answer.n_addresses, 0);
}

Test(resolver, a_question_may_be_asked_again)
{
    for (int i = 1; i <= 3; i++) {
        cr_assert_eq(resolver_ask(resolver, &question, "localhost", (uint16_t)i), 0);
        TURN_UNTIL(n_answers == i);
    }
}

Test(resolver, a_cancelled_question_is_not_answered)
{
    cr_assert_eq(resolver_ask(resolver, &question, "localhost", 1), 0);
    resolver_cancel(&question);
    resolver_cancel(&question);
    cr_assert_eq(resolver_ask(resolver, &other, "localhost", 2), 0);
    TURN_UNTIL(n_answers == 1);
    cr_assert_eq(((const struct sockaddr_in *)&answer.addresses[0].storage)->sin_port, htons(2),
        "the one behind it is");
}

Test(resolver, it_may_go_with_questions_that_were_cancelled)
{
    cr_assert_eq(resolver_ask(resolver, &question, "localhost", 1), 0);
    cr_assert_eq(resolver_ask(resolver, &other, "localhost", 1), 0);
    resolver_cancel(&question);
    resolver_cancel(&other);
}

Test(resolver, numeric_addresses_are_told_from_names)
{
    struct resolver_address out;
    cr_assert(resolver_parse("127.0.0.1", 5672, &out));
    const struct sockaddr_in *four = (const struct sockaddr_in *)&out.storage;
    cr_assert_eq(four->sin_family, AF_INET);
    cr_assert_eq(four->sin_port, htons(5672));
    cr_assert_eq(four->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    static const char *const six[] = {"::1", "[::1]"};
    for (int i = 0; i < 2; i++) {
        cr_assert(resolver_parse(six[i], 5671, &out));
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)&out.storage;
        cr_assert_eq(address->sin6_family, AF_INET6);
        cr_assert_eq(address->sin6_port, htons(5671));
        cr_assert_eq(memcmp(&address->sin6_addr, &in6addr_loopback, 16), 0);
    }
    static const char *const names[] = {"localhost", "", "127.0.0", "[", "[]", "1.2.3.4.5", "::g",
        "rabbit-1.example.com",
        "0123456789012345678901234567890123456789012345678901234567890123456789"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_not(resolver_parse(names[i], 1, &out), "%s", names[i]);
}
