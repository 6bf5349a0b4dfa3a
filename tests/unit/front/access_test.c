/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/log.h"

#include "access.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct plan plan;
static struct access access_of;
static struct message_id_source source;
static int reading = -1;
static char said[4096];

static void join(enum plan_access which, enum log_format format)
{
    int ends[2];
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_part part = {
        .verb = PLAN_PRODUCE, .destination = plan_add_string(builder, "orders")};
    struct plan_endpoint endpoint = {.pattern = plan_add_string(builder, "/in/{key}"),
        .parts = plan_add_list(builder, &part, sizeof(part), 1)};
    struct plan_front root = {.n_workers = 1,
        .access_log = which,
        .endpoints = plan_add_list(builder, &endpoint, sizeof(endpoint), 1)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &root, sizeof(root));
    plan_builder_free(builder);
    cr_assert_eq(plan_join(&plan, fd, PLAN_FRONT), 0);
    cr_assert_eq(message_id_open(&source), 0);
    cr_assert_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    reading = ends[0];
    cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    log_open("front", LOG_ERROR, format);
    access_of = (struct access){.begun_ns = 1000, .peer = slice_of("10.0.0.7")};
}

static const struct plan_endpoint *endpoint(void)
{
    return plan_items(&plan, ((const struct plan_front *)plan.root)->endpoints);
}

static void ask(const char *path, const char *request_id)
{
    struct guard_head head = {.method = slice_of("POST"), .path = slice_of(path)};
    access_asked(&access_of, &head, slice_of(request_id));
}

static void answer(int status, const char *outcome)
{
    struct answer answer = {.status = status, .message_id = slice_of("m-1")};
    answer_add(&answer, ANSWER_OUTCOME, slice_of(outcome));
    access_answered(&access_of, &answer, 2, &source);
}

/* The line, from its event on. */
static const char *line(void)
{
    access_write(&access_of, &plan, 1235567);
    (void)log_turn(clock_now_ns());
    ssize_t n = read(reading, said, sizeof(said) - 1);
    said[n > 0 ? n : 0] = '\0';
    const char *found = strstr(said, "access");
    return found ? found : "";
}

Test(access, a_line_says_what_became_of_a_request)
{
    join(PLAN_ACCESS_ALL, LOG_TEXT);
    access_of.endpoint = endpoint();
    access_of.request_bytes = 12;
    access_of.routing_key = slice_of("a b");
    access_of.trace.parent = slice_of(PARENT);
    ask("/in/a%20b", "r-1");
    answer(200, "confirmed");
    cr_assert_str_eq(line(),
        "access method=POST route=/in/{key} path=/in/a%20b status=200 outcome=confirmed in=12 "
        "out=2 "
        "duration_us=1234 operation=send destination=orders routing_key=\"a b\" message_id=m-1 "
        "request_id=r-1 trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 "
        "peer=10.0.0.7\n");
}

Test(access, in_json_the_names_are_opentelemetrys)
{
    join(PLAN_ACCESS_ALL, LOG_JSON);
    access_of.endpoint = endpoint();
    access_of.routing_key = slice_of("\"}\n\xff");
    access_of.settled = ACCESS_ACK;
    ask("/in/a", "r-1");
    answer(200, "confirmed");
    cr_assert_str_eq(line(),
        "access\",\"http.request.method\":\"POST\",\"http.route\":\"/in/{key}\",\"url.path\":\"/in/"
        "a\","
        "\"http.response.status_code\":200,\"leveret.outcome\":\"confirmed\","
        "\"http.request.body.size\":0,\"http.response.body.size\":2,\"duration_us\":1234,"
        "\"messaging.system\":\"rabbitmq\",\"messaging.operation.type\":\"send\","
        "\"messaging.destination.name\":\"orders\","
        "\"messaging.rabbitmq.destination.routing_key\":\"\\\"}\\u000a\xEF\xBF\xBD\","
        "\"messaging.message.id\":\"m-1\",\"leveret.settled\":\"ack\",\"request_id\":\"r-1\","
        "\"client.address\":\"10.0.0.7\"}\n");
}

Test(access, a_request_that_means_no_endpoint_has_a_line_of_what_is_known)
{
    join(PLAN_ACCESS_ALL, LOG_TEXT);
    answer(400, "malformed-request");
    cr_assert(
        strstr(line(), "access status=400 outcome=malformed-request in=0 out=2 "), "%s", said);
    cr_assert(strstr(said, " message_id=") == NULL, "%s", said);
    cr_assert_eq(access_of.request_id.len, MESSAGE_ID_BYTES);
}

Test(access, errors_are_what_was_refused_or_not_heard_or_went_back)
{
    static const struct {
        int status;
        bool is_abandoned;
        const char *settled;
        const char *wanted;
    } cases[] = {{200, false, NULL, NULL}, {204, false, NULL, NULL}, {307, false, NULL, NULL},
        {200, false, ACCESS_ACK, NULL}, {404, false, NULL, "status=404 outcome=x"},
        {504, false, NULL, "status=504"}, {200, false, ACCESS_REQUEUE, "settled=requeue"},
        {503, true, NULL, "path=/in/a outcome=client-gone in=0 out=0"}};
    join(PLAN_ACCESS_ERRORS, LOG_TEXT);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        access_of = (struct access){.endpoint = endpoint(), .settled = cases[i].settled};
        ask("/in/a", "r-1");
        if (cases[i].is_abandoned)
            access_abandoned(&access_of);
        answer(cases[i].status, "x");
        const char *found = line();
        if (cases[i].wanted)
            cr_expect(strstr(found, cases[i].wanted), "%zu: %s", i, found);
        else
            cr_expect_str_empty(found, "%zu", i);
    }
}

static struct slice id_of(const char *request_id, const char *parent)
{
    access_of = (struct access){.trace.parent = slice_of(parent)};
    ask("/", request_id);
    answer(200, "x");
    return access_of.request_id;
}

Test(access, a_request_is_known_by_the_clients_id_or_its_trace_or_one_of_ours)
{
    char longest[ACCESS_ID_BYTES + 2];
    struct slice trace = slice_of("0af7651916cd43dd8448eb211c80319c");
    join(PLAN_ACCESS_ALL, LOG_TEXT);
    memset(longest, 'x', sizeof(longest));
    longest[ACCESS_ID_BYTES + 1] = '\0';
    cr_expect(slice_equals(id_of("r-1", PARENT), slice_of("r-1")));
    cr_expect(slice_equals(id_of("", PARENT), trace));
    cr_expect(slice_equals(id_of("a b", PARENT), trace));
    cr_expect(slice_equals(id_of("a\x7f", PARENT), trace));
    cr_expect(slice_equals(id_of("gr\xc3\xbc\xc3\x9f", PARENT), trace));
    cr_expect(slice_equals(id_of(longest, PARENT), trace));
    longest[ACCESS_ID_BYTES] = '\0';
    cr_expect(slice_equals(id_of(longest, PARENT), slice_of(longest)));
    cr_expect_eq(id_of("", "").len, MESSAGE_ID_BYTES);
}
