/* SPDX-License-Identifier: Apache-2.0 */
#include "survey.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"

#include "declaration.h"
#include "plan_reader.h"
#include "questions.h"
#include "resolver.h"

enum call_state { CALL_CALLING, CALL_ASKING, CALL_LEAVING, CALL_GONE, CALL_N_STATES };

/* A connection to one host of one broker. */
struct call {
    struct survey *survey;
    uint32_t broker, host;
    enum call_state state;
    struct link_config config;
    struct link *link;
    struct connection_end end; /* why it failed, if it did */
    bool has_failed;
};

/* What goes on with one broker. */
struct inquiry {
    struct survey *survey;
    struct call *call; /* the one that asks; NULL: no host was there yet */
    size_t next;       /* the question that is asked, or will be */
    bool is_waiting;   /* for the answer to it */
    struct declaration declaration;
    struct loop_timer patience;
};

struct survey {
    struct survey_config config;
    const struct plan_worker *root;
    struct plan_reader plan_reader;
    struct resolver *resolver;
    struct question *questions;
    size_t n_questions;
    struct inquiry *inquiries; /* by broker */
    struct call *calls;
    size_t n_calls, n_gone;
    struct loop_hook turn;
};

static const unsigned arrows[CALL_N_STATES] = {
    [CALL_CALLING] = 1u << CALL_ASKING | 1u << CALL_LEAVING,
    [CALL_ASKING] = 1u << CALL_LEAVING,
    [CALL_LEAVING] = 1u << CALL_GONE,
};

static void enter(struct call *call, enum call_state state)
{
    assert(arrows[call->state] & (1u << state));
    call->state = state;
}

static struct inquiry *inquiry_of(const struct call *call)
{
    return &call->survey->inquiries[call->broker];
}

static void leave(struct call *call)
{
    enter(call, CALL_LEAVING);
    link_close(call->link);
}

/* ---- findings ------------------------------------------------------------------------------- */

/* RabbitMQ says who was refused. The name is half of a credential, and whoever wrote the file knows
 * it. */
static void forget_user(char *text)
{
    char *user = strstr(text, " for user '");
    if (user)
        *user = '\0';
}

static void tell(struct survey *survey, struct survey_finding *finding, const char *text)
{
    (void)snprintf(finding->text, sizeof(finding->text), "%s", text); /* cut when it is longer */
    forget_user(finding->text);
    survey->config.on_finding(survey->config.owner, finding);
}

/* RESOURCE_LOCKED is also said of a queue that was found, when only one of the two is exclusive. */
static enum survey_outcome outcome_of(const struct inquiry *inquiry, uint16_t code)
{
    bool was_found = inquiry->declaration.topology.n_heard > 0;
    if (code == AMQP_NOT_FOUND)
        return SURVEY_ABSENT;
    return code == AMQP_RESOURCE_LOCKED && !was_found ? SURVEY_LOCKED : SURVEY_REFUSED;
}

static void tell_answer(struct inquiry *inquiry, uint16_t code, const char *text)
{
    const struct question *question = &inquiry->survey->questions[inquiry->next];
    struct survey_finding finding = {.subject = question->subject,
        .outcome = outcome_of(inquiry, code),
        .index = question->index,
        .part = question->part};
    tell(inquiry->survey, &finding, text);
}

static void tell_failure(const struct call *call)
{
    const struct call *asking = inquiry_of(call)->call;
    struct survey_finding finding = {.subject = SURVEY_HOST,
        .outcome = !asking          ? SURVEY_DOWN
                   : asking == call ? SURVEY_BROKEN_OFF
                                    : SURVEY_AWAY,
        .index = call->broker,
        .part = call->host};
    tell(call->survey, &finding, call->end.text);
}

/* Whether another host of its broker is there is known only at the end. */
static void tell_failures(const struct survey *survey)
{
    for (size_t i = 0; i < survey->n_calls; i++)
        if (survey->calls[i].has_failed)
            tell_failure(&survey->calls[i]);
}

static void fail(struct call *call, const struct connection_end *end)
{
    if (call->state == CALL_LEAVING)
        return; /* it has said why, or had nothing more to ask */
    call->end = *end;
    call->has_failed = true;
    leave(call);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void answered(struct inquiry *inquiry)
{
    inquiry->is_waiting = false;
    inquiry->next++;
    loop_timer_set(inquiry->survey->config.loop, &inquiry->patience, CLOCK_NEVER);
}

static void on_declared(void *owner, const struct channel_end *refusal)
{
    struct inquiry *inquiry = owner;
    if (refusal)
        tell_answer(inquiry, refusal->code, refusal->text);
    answered(inquiry);
}

static void on_patience_over(void *owner)
{
    struct inquiry *inquiry = owner;
    const struct connection_end end = {
        .reason = CONNECTION_END_LATE, .text = "the broker does not answer a declaration"};
    declaration_drop(&inquiry->declaration);
    fail(inquiry->call, &end);
}

/* Up to the next question that is for this broker; true when there is none. */
static bool has_asked_all(struct inquiry *inquiry)
{
    const struct survey *survey = inquiry->survey;
    uint32_t broker = (uint32_t)(inquiry - survey->inquiries);
    while (inquiry->next < survey->n_questions && survey->questions[inquiry->next].broker != broker)
        inquiry->next++;
    return inquiry->next == survey->n_questions;
}

static void wait_for_answer(struct inquiry *inquiry)
{
    struct loop *loop = inquiry->survey->config.loop;
    uint64_t patience_ns = inquiry->call->config.connection.patience_ns;
    inquiry->is_waiting = true;
    loop_timer_set(loop, &inquiry->patience, loop_now_ns(loop) + patience_ns);
}

static void ask(struct inquiry *inquiry)
{
    while (!has_asked_all(inquiry)) {
        const struct question *question = &inquiry->survey->questions[inquiry->next];
        int error = declaration_run(
            &inquiry->declaration, link_channels(inquiry->call->link), &question->wish);
        if (!error)
            wait_for_answer(inquiry);
        if (!error || error == -ENOBUFS)
            return; /* no channel until the last one is closed, and then comes another turn */
        tell_answer(inquiry, 0, strerror(-error));
        answered(inquiry);
    }
    leave(inquiry->call);
}

/* Before the links flush. */
static bool turn(void *owner)
{
    struct survey *survey = owner;
    for (uint32_t i = 0; i < survey->root->brokers.count; i++) {
        struct inquiry *inquiry = &survey->inquiries[i];
        const struct call *call = inquiry->call;
        if (call && call->state == CALL_ASKING && !inquiry->is_waiting && link_is_up(call->link))
            ask(inquiry);
    }
    return false;
}

/* ---- what the links say --------------------------------------------------------------------- */

static void on_up(void *owner, uint64_t epoch)
{
    struct call *call = owner;
    struct inquiry *inquiry = inquiry_of(call);
    if (!inquiry->call) {
        inquiry->call = call;
        enter(call, CALL_ASKING);
    } else if (inquiry->call != call) {
        leave(call);
    }
}

/* Some refusals close the connection: an exchange of a type that nobody knows. An operator who
 * closes it, or a broker that goes down, has not answered the question. */
static bool is_answer(const struct inquiry *inquiry, const struct connection_end *end)
{
    return inquiry->is_waiting && end->reason == CONNECTION_END_BROKER &&
           end->code != AMQP_CONNECTION_FORCED;
}

static void on_down(void *owner, const struct connection_end *end)
{
    struct call *call = owner;
    struct inquiry *inquiry = inquiry_of(call);
    if (call->state != CALL_ASKING)
        return;
    if (!is_answer(inquiry, end)) {
        fail(call, end);
        return;
    }
    tell_answer(inquiry, end->code, end->text);
    answered(inquiry);
}

static void on_failed(void *owner, const struct connection_end *end, uint64_t retry_ns)
{
    fail(owner, end);
}

static void on_blocked(void *owner, bool is_blocked, const char *reason)
{
    /* nothing is published */
}

static void on_stopped(void *owner)
{
    struct call *call = owner;
    struct survey *survey = call->survey;
    struct inquiry *inquiry = inquiry_of(call);
    enter(call, CALL_GONE);
    if (inquiry->call == call)
        loop_timer_set(survey->config.loop, &inquiry->patience, CLOCK_NEVER);
    if (++survey->n_gone == survey->n_calls)
        tell_failures(survey);
}

static const struct link_ops link_ops = {
    .on_up = on_up,
    .on_down = on_down,
    .on_failed = on_failed,
    .on_blocked = on_blocked,
    .on_stopped = on_stopped,
};

/* ---- a life --------------------------------------------------------------------------------- */

static void inquiry_init(struct inquiry *inquiry, struct survey *survey)
{
    inquiry->survey = survey;
    inquiry->declaration = (struct declaration){.on_done = on_declared, .owner = inquiry};
    inquiry->patience = (struct loop_timer){.on_due = on_patience_over, .owner = inquiry};
}

static int call_init(
    struct call *call, struct survey *survey, const struct link_config *config, size_t host)
{
    call->survey = survey;
    call->host = (uint32_t)host;
    call->config = *config;
    call->config.hosts = &config->hosts[host];
    call->config.n_hosts = 1;
    return link_new(
        &call->link, survey->config.loop, survey->resolver, &call->config, &link_ops, call);
}

static int call_broker(struct survey *survey, uint32_t broker)
{
    const struct plan_broker *brokers = plan_items(survey->config.plan, survey->root->brokers);
    struct link_config config;
    int error = plan_reader_link(&survey->plan_reader, survey->root, &brokers[broker], &config);
    inquiry_init(&survey->inquiries[broker], survey);
    for (size_t i = 0; !error && i < brokers[broker].hosts.count; i++) {
        struct call *call = &survey->calls[survey->n_calls];
        call->broker = broker;
        error = call_init(call, survey, &config, i);
        if (!error)
            survey->n_calls++;
    }
    return error;
}

static int reserve(struct survey *survey)
{
    const struct plan_broker *brokers = plan_items(survey->config.plan, survey->root->brokers);
    size_t n = 0;
    for (uint32_t i = 0; i < survey->root->brokers.count; i++)
        n += brokers[i].hosts.count;
    survey->calls = calloc(n + 1, sizeof(*survey->calls));
    survey->inquiries = calloc(survey->root->brokers.count + 1, sizeof(*survey->inquiries));
    if (!survey->calls || !survey->inquiries)
        return -ENOMEM;
    int error =
        questions_new(&survey->plan_reader, survey->root, &survey->questions, &survey->n_questions);
    return error ? error : resolver_new(&survey->resolver, survey->config.loop);
}

int survey_new(struct survey **out, const struct survey_config *config)
{
    struct survey *survey = calloc(1, sizeof(*survey));
    if (!survey)
        return -ENOMEM;
    survey->config = *config;
    survey->root = config->plan->root;
    plan_reader_init(&survey->plan_reader, config->plan);
    survey->turn = (struct loop_hook){.run = turn, .owner = survey};
    loop_hook_add(config->loop, LOOP_FLUSH, &survey->turn); /* before those of the links */
    int error = reserve(survey);
    for (uint32_t i = 0; !error && i < survey->root->brokers.count; i++)
        error = call_broker(survey, i);
    if (error) {
        survey_free(survey);
        return error;
    }
    for (size_t i = 0; i < survey->n_calls; i++)
        link_start(survey->calls[i].link);
    *out = survey;
    return 0;
}

bool survey_is_done(const struct survey *survey)
{
    return survey->n_gone == survey->n_calls;
}

void survey_free(struct survey *survey)
{
    if (!survey)
        return;
    loop_hook_remove(survey->config.loop, LOOP_FLUSH, &survey->turn);
    for (size_t i = 0; i < survey->n_calls; i++)
        link_free(survey->calls[i].link);
    resolver_free(survey->resolver);
    plan_reader_done(&survey->plan_reader);
    free(survey->questions);
    free(survey->inquiries);
    free(survey->calls);
    free(survey);
}
