/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Books that find fault with nothing prove nothing: each kind of untruth is told to them once.
 */
#include "tests/support/ledger.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/require.h"

enum { MAX_BODY = 3000 };

TestSuite(ledger, .timeout = 60);

static struct vhost vhost;
static struct amqp_client amqp;
static struct ledger ledger;
static struct load posts, gets;
static char bodies[32][MAX_BODY + 1]; /* of the messages, as they were to be sent */
static size_t body_bytes[32];

static void begin(const char *name)
{
    static char url[] = "http://nowhere";
    struct scene scene = {.sidecar.url = url};
    vhost_init(&vhost, name);
    amqp_client_init(&amqp, vhost.url);
    amqp_client_declare_queue(&amqp, &(struct amqp_client_queue){.name = "q", .is_durable = true});
    ledger_init(&ledger, MAX_BODY);
    posts = ledger_posts(&ledger, &scene, "/out", 1);
    gets = ledger_gets(&ledger, &scene, "/in", 1);
}

static void end(void)
{
    ledger_done(&ledger);
    amqp_client_done(&amqp);
    vhost_done(&vhost);
}

/* Message i, answered like this; returns i. */
static int post(int status, const char *head)
{
    static int i;
    struct http_request request;
    char text[256], nothing[] = "";
    i = ledger.n;
    posts.on_request(posts.context, i, &request);
    memcpy(bodies[i], request.body, request.body_bytes);
    body_bytes[i] = request.body_bytes;
    (void)snprintf(text, sizeof text, "HTTP/1.1 %d\r\n%s\r\n", status, head);
    posts.on_answer(
        posts.context, i, &(struct http_answer){.status = status, .head = text, .body = nothing});
    return i;
}

static void deliver(int i, int status, size_t n)
{
    char nothing[] = "";
    gets.on_answer(gets.context, 0,
        &(struct http_answer){
            .status = status,
            .head = nothing,
            .body = bodies[i],
            .body_bytes = n,
        });
}

static void enqueue(int i, char *id)
{
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_MESSAGE_ID_FLAG, .message_id = amqp_cstring_bytes(id)};
    amqp_client_publish(&amqp, &(struct amqp_client_message){.exchange = "",
                                   .routing_key = "q",
                                   .body = bodies[i],
                                   .body_bytes = body_bytes[i],
                                   .properties = &properties});
}

static struct ledger_verdict close_books(const struct ledger_rules *rules)
{
    struct ledger_verdict verdict;
    ledger_drain(&ledger, &amqp, "q");
    ledger_close(&ledger, rules, &verdict);
    return verdict;
}

#define expect_verdict(verdict, member, expected)                                                  \
    cr_assert_eq((verdict).member, expected, #member ": %d instead of %d; %s", (verdict).member,   \
        expected, (verdict).first)

static bool always(void *context, uint64_t delivered_ns)
{
    return true;
}

Test(ledger, true_answers_pass)
{
    char id[] = "id-0";
    begin("ledger_true");
    enqueue(post(200, "X-Message-Id: id-0\r\n"), id);
    int i = post(200, "");
    deliver(i, 200, body_bytes[i]);
    (void)post(503, "");
    (void)post(422, "");
    (void)post(504, "");
    enqueue(post(504, ""), id);
    enqueue(post(502, ""), id);
    enqueue(post(0, ""), id);
    for (int n = 0; n < 16; n++)
        enqueue(post(200, ""), id);
    struct ledger_verdict verdict = close_books(&(struct ledger_rules){0});
    cr_assert(ledger_is_true(&verdict), "%s", verdict.first);
    expect_verdict(verdict, n_unknown, 4);
    cr_assert_eq(ledger.n_posts[200], 18);
    cr_assert_eq(ledger.n_gets[200], 1);
    end();
}

Test(ledger, a_confirmed_message_that_is_nowhere_is_lost_unless_its_queue_was_deleted)
{
    begin("ledger_lost");
    (void)post(200, "");
    struct ledger_verdict verdict = close_books(&(struct ledger_rules){0});
    expect_verdict(verdict, n_lost, 1);
    cr_assert_not(ledger_is_true(&verdict));
    verdict = close_books(&(struct ledger_rules){.is_volatile = true});
    cr_assert(ledger_is_true(&verdict), "%s", verdict.first);
    end();
}

Test(ledger, a_refused_message_that_is_somewhere_is_an_untruth)
{
    char id[] = "";
    begin("ledger_untrue");
    enqueue(post(503, ""), id);
    enqueue(post(422, ""), id);
    int i = post(413, "");
    deliver(i, 200, body_bytes[i]);
    expect_verdict(close_books(&(struct ledger_rules){0}), n_untrue, 3);
    end();
}

Test(ledger, a_message_that_comes_twice_needs_an_explanation)
{
    char id[] = "";
    begin("ledger_doubled");
    int i = post(200, "");
    deliver(i, 200, body_bytes[i]);
    enqueue(i, id);
    struct ledger_verdict verdict = close_books(&(struct ledger_rules){0});
    expect_verdict(verdict, n_doubled, 1);
    verdict = close_books(&(struct ledger_rules){.may_come_again = always});
    expect_verdict(verdict, n_doubled, 0);
    expect_verdict(verdict, n_again, 1);
    end();
}

Test(ledger, two_of_one_on_a_queue_that_nobody_consumed_are_never_explained)
{
    char id[] = "";
    begin("ledger_copies");
    int i = post(200, "");
    enqueue(i, id);
    enqueue(i, id);
    expect_verdict(close_books(&(struct ledger_rules){.may_come_again = always}), n_doubled, 1);
    end();
}

Test(ledger, an_answer_with_the_id_of_another_message_is_found)
{
    char id[] = "id-1";
    begin("ledger_misnamed");
    enqueue(post(200, "X-Message-Id: id-0\r\n"), id);
    expect_verdict(close_books(&(struct ledger_rules){0}), n_misnamed, 1);
    end();
}

Test(ledger, a_body_that_was_cut_changed_or_invented_is_strange)
{
    begin("ledger_strange");
    int i = post(200, "");
    deliver(i, 200, body_bytes[i] - 1);
    bodies[i][body_bytes[i] - 1]++;
    deliver(i, 200, body_bytes[i]);
    (void)snprintf(bodies[i], MAX_BODY, "message 7 ");
    deliver(i, 200, body_bytes[i]);
    expect_verdict(close_books(&(struct ledger_rules){0}), n_strange, 3);
    end();
}

Test(ledger, half_an_answer_is_no_delivery)
{
    begin("ledger_half");
    int i = post(200, "");
    deliver(i, 0, body_bytes[i] - 1);
    expect_verdict(close_books(&(struct ledger_rules){0}), n_lost, 1);
    deliver(i, 0, body_bytes[i]);
    struct ledger_verdict verdict = close_books(&(struct ledger_rules){0});
    expect_verdict(verdict, n_lost, 0);
    expect_verdict(verdict, n_cut, 1);
    end();
}
