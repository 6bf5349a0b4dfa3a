/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A survey of brokers on loopback that know the handshake and no declarations: what is told of
 * those that do not answer. What a real broker answers is the integration suite's.
 */
#include "fake_broker.h"

#include "survey.h"

enum { HOSTS_MAX = 2, FOUND_MAX = 8 };

static struct fake_broker broker;
static struct plan plan;
static struct survey *survey;
static struct survey_finding found[FOUND_MAX];
static size_t n_found;

static void on_finding(void *owner, const struct survey_finding *finding)
{
    cr_assert_lt(n_found, FOUND_MAX);
    found[n_found++] = *finding;
}

static void set_up(void)
{
    turn_new(&LOOP_CONFIG_DEFAULT);
    fake_listen(&broker, 0);
    fake_says.n = 0;
}

static void tear_down(void)
{
    survey_free(survey);
    plan_leave(&plan);
    fake_done(&broker);
    loop_free(loop);
}

TestSuite(survey, .init = set_up, .fini = tear_down);

static void cleanup_builder(struct plan_builder **builder)
{
    plan_builder_free(*builder);
}

/* Two producers on one broker behind these ports of loopback. */
static int plan_new(const uint16_t *ports, size_t n_ports, uint64_t patience_ns)
{
    CLEANUP(cleanup_builder) struct plan_builder *builder = plan_builder_new(PLAN_WORKER);
    struct plan_host hosts[HOSTS_MAX];
    for (size_t i = 0; i < n_ports; i++)
        hosts[i] = (struct plan_host){.host = plan_add_string(builder, "127.0.0.1"),
            .tls = PLAN_NONE,
            .user = plan_add_string(builder, "me"),
            .password = plan_add_string(builder, "secret"),
            .port = ports[i]};
    struct plan_broker planned = {.name = plan_add_string(builder, "test"),
        .vhost = plan_add_string(builder, "/"),
        .hosts = plan_add_list(builder, hosts, sizeof(hosts[0]), n_ports),
        .connection_timeout_ns = patience_ns,
        .backoff = PLAN_BACKOFF_CONSTANT};
    struct plan_backend backends[2];
    for (size_t i = 0; i < 2; i++)
        backends[i] = (struct plan_backend){.verb = PLAN_PRODUCE,
            .tap = PLAN_NONE,
            .declare = PLAN_DECLARE_ACTIVE,
            .target.exchange = {.name = plan_add_string(builder, "ex"),
                .type = plan_add_string(builder, "topic")},
            .queue.name = plan_add_string(builder, "")};
    struct plan_worker root = {.n_workers = 1,
        .connection_name = plan_add_string(builder, "test"),
        .brokers = plan_add_list(builder, &planned, sizeof(planned), 1),
        .backends = plan_add_list(builder, backends, sizeof(backends[0]), 2)};
    int fd = plan_builder_seal(builder, &root, sizeof(root));
    cr_assert_geq(fd, 0);
    return fd;
}

static void begin(const uint16_t *ports, size_t n_ports, uint64_t patience_ns)
{
    CLEANUP(cleanup_fd) int fd = plan_new(ports, n_ports, patience_ns);
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), 0);
    struct survey_config config = {.plan = &plan, .loop = loop, .on_finding = on_finding};
    cr_assert_eq(survey_new(&survey, &config), 0);
}

static void ask_broker(uint64_t patience_ns)
{
    begin(&broker.port, 1, patience_ns);
}

static void end(void)
{
    TURN_UNTIL(survey_is_done(survey));
}

static void expect(size_t nth, uint32_t subject, uint32_t outcome)
{
    cr_assert_lt(nth, n_found);
    cr_assert_eq(found[nth].subject, subject);
    cr_assert_eq(found[nth].outcome, outcome, "%u: %s", found[nth].outcome, found[nth].text);
}

/* A port that nobody listens on. */
static uint16_t nowhere(void)
{
    static struct fake_broker gone;
    fake_listen(&gone, 0);
    fake_done(&gone);
    return gone.port;
}

static void close_connection(uint16_t code, const char *text)
{
    fake_close(&broker, code, text);
    fake_flush(&broker);
}

Test(survey, of_a_broker_that_is_away_says_so)
{
    begin(&(uint16_t){nowhere()}, 1, CLOCK_S);
    end();
    cr_assert_eq(n_found, 1, "nothing is said of what could not be asked");
    expect(0, SURVEY_HOST, SURVEY_DOWN);
    cr_assert(strstr(found[0].text, "refused"), "%s", found[0].text);
}

Test(survey, of_two_hosts_that_are_away_names_both)
{
    const uint16_t ports[] = {nowhere(), nowhere()};
    begin(ports, 2, CLOCK_S);
    end();
    cr_assert_eq(n_found, 2);
    expect(0, SURVEY_HOST, SURVEY_DOWN);
    expect(1, SURVEY_HOST, SURVEY_DOWN);
    cr_assert_eq(found[0].part, 0);
    cr_assert_eq(found[1].part, 1);
}

Test(survey, of_a_broker_that_does_not_let_us_in_says_why_and_not_whom)
{
    broker.refusal = AMQP_ACCESS_REFUSED;
    ask_broker(CLOCK_S);
    end();
    cr_assert_eq(n_found, 1);
    expect(0, SURVEY_HOST, SURVEY_DOWN);
    cr_assert(strstr(found[0].text, "refused"), "%s", found[0].text);
}

Test(survey, of_a_broker_that_never_greets_ends)
{
    broker.is_mute = true;
    ask_broker(50 * CLOCK_MS);
    end();
    cr_assert_eq(n_found, 1);
    expect(0, SURVEY_HOST, SURVEY_DOWN);
}

Test(survey, of_a_broker_that_never_answers_a_declaration_ends)
{
    ask_broker(200 * CLOCK_MS);
    end();
    cr_assert_eq(broker.n_declares, 2, "one question: looked for, and compared");
    cr_assert_eq(n_found, 1);
    expect(0, SURVEY_HOST, SURVEY_BROKEN_OFF);
    cr_assert(strstr(found[0].text, "does not answer"), "%s", found[0].text);
}

Test(survey, goes_on_behind_a_question_that_the_broker_closes_the_connection_for)
{
    ask_broker(10 * CLOCK_S);
    for (int i = 1; i <= 2; i++) {
        TURN_UNTIL(broker.n_declares == 2 * i);
        close_connection(AMQP_COMMAND_INVALID, "no such type for user 'me'");
    }
    end();
    cr_assert_eq(n_found, 2);
    for (uint32_t i = 0; i < 2; i++) {
        expect(i, SURVEY_EXCHANGE, SURVEY_REFUSED);
        cr_assert_eq(found[i].index, i);
        cr_assert_str_eq(found[i].text, "no such type", "the user's name is nobody's business");
    }
}

Test(survey, takes_a_broker_that_goes_down_for_no_answer)
{
    ask_broker(10 * CLOCK_S);
    TURN_UNTIL(broker.n_declares == 2);
    close_connection(AMQP_CONNECTION_FORCED, "broker forced connection closure");
    end();
    cr_assert_eq(n_found, 1);
    expect(0, SURVEY_HOST, SURVEY_BROKEN_OFF);
}

Test(survey, takes_a_lost_connection_for_no_answer)
{
    ask_broker(10 * CLOCK_S);
    TURN_UNTIL(broker.n_declares == 2);
    fake_reset(&broker);
    end();
    cr_assert_eq(n_found, 1);
    expect(0, SURVEY_HOST, SURVEY_BROKEN_OFF);
}

Test(survey, asks_the_host_that_is_there_and_says_which_is_not)
{
    const uint16_t ports[] = {nowhere(), broker.port};
    begin(ports, 2, 10 * CLOCK_S);
    for (int i = 1; i <= 2; i++) {
        TURN_UNTIL(broker.n_declares == 2 * i);
        close_connection(AMQP_COMMAND_INVALID, "no");
    }
    end();
    cr_assert_eq(n_found, 3);
    expect(2, SURVEY_HOST, SURVEY_AWAY);
    cr_assert_eq(found[2].part, 0);
}
