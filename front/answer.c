/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <assert.h>
#include <stdio.h>

#include "shm/slot.h"

#include "compatibility.h"
#include "content.h"
#include "reading.h"
#include "received.h"

const char *answer_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"}, {202, "Accepted"}, {204, "No Content"}, {307, "Temporary Redirect"},
        {400, "Bad Request"}, {401, "Unauthorized"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {408, "Request Timeout"}, {413, "Content Too Large"},
        {417, "Expectation Failed"}, {421, "Misdirected Request"}, {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
        {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
        {504, "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

void answer_add(struct answer *answer, const char *name, struct slice value)
{
    if (!value.len || !slice_is_field_value(value))
        return;
    assert(answer->n_fields < ANSWER_MAX_FIELDS);
    answer->fields[answer->n_fields++] = (struct answer_field){.name = name, .value = value};
}

void answer_append(struct answer *answer, struct slice piece)
{
    if (!piece.len)
        return;
    assert(answer->n_pieces < ANSWER_MAX_PIECES);
    answer->pieces[answer->n_pieces++] = piece;
    answer->body_bytes += piece.len;
}

struct slice answer_decimal(uint64_t number, struct answer_memory memory)
{
    enum { ROOM = 24 };
    char *text = memory.take(memory.owner, ROOM);
    int n = snprintf(text, ROOM, "%llu", (unsigned long long)number);
    return (struct slice){.at = text, .len = (size_t)n};
}

void answer_problem(
    struct answer *answer, const struct problem *problem, struct answer_memory memory)
{
    char *body = memory.take(memory.owner, problem_max_bytes(problem));
    size_t n = problem_write(problem, body);
    *answer = (struct answer){
        .status = problem->status ? problem->status : problem_status(problem->kind)};
    answer_add(answer, "Content-Type", slice_of(PROBLEM_CONTENT_TYPE));
    answer_add(answer, "X-Krakend-Completed", slice_of("false"));
    answer_add(answer, ANSWER_OUTCOME, slice_of(problem_name(problem->kind)));
    answer_add(answer, "Cache-Control", slice_of("no-store"));
    if (problem->retry_after_s)
        answer_add(answer, "Retry-After", answer_decimal(problem->retry_after_s, memory));
    answer_append(answer, (struct slice){.at = body, .len = n});
}

/* ---- what became of one part ---- */

static struct problem problem_of(const struct answer_question *question, const struct part *part)
{
    const struct reading *reading = reading_of(part);
    const struct part_reply *reply = &part->reply;
    struct slice text = {.at = reply->text, .len = reply->text_bytes};
    struct slice name = {
        .at = plan_string(question->plan, part->plan->name), .len = part->plan->name.length};
    struct problem problem = {.kind = reading->kind,
        .detail = slice_of(reading->detail),
        .message_id = question->message_id,
        .retry_after_s = reading->is_worth_a_retry ? ANSWER_RETRY_S : 0,
        .backend = name,
        .broker_code = reply->broker_code};
    if (reply->broker_code)
        problem.broker_text = text;
    else if (text.len)
        problem.detail = text;
    return problem;
}

static struct slice fixed_of(
    const struct answer_question *question, bool is_success, bool is_complete)
{
    return content_fixed(question->plan, question->endpoint, is_success, is_complete);
}

static struct compatibility_form form_of(const struct answer_question *question)
{
    return (struct compatibility_form){.output = question->output,
        .n_backends = question->endpoint->parts.count,
        .fixed_if_accepted = fixed_of(question, true, true),
        .fixed_if_refused = fixed_of(question, false, false),
        .memory = question->memory};
}

/* In the form that the endpoint's clients expect. */
static void answer_failure(
    struct answer *answer, const struct answer_question *question, const struct problem *problem)
{
    const struct plan_endpoint *endpoint = question->endpoint;
    if (!endpoint->is_krakend ||
        !compatibility_of_problem(answer, form_of(question), problem->kind))
        answer_problem(answer, problem, question->memory);
    answer_add(answer, "X-Message-Id", question->message_id);
}

/* ---- publishes ---- */

static void add_common(struct answer *answer, const struct answer_question *question,
    const char *outcome, bool completed)
{
    answer_add(answer, "X-Krakend-Completed", slice_of(completed ? "true" : "false"));
    answer_add(answer, ANSWER_OUTCOME, slice_of(outcome));
    answer_add(answer, "X-Message-Id", question->message_id);
}

static void answer_published(struct answer *answer, const struct answer_question *question,
    const struct part *weakest, bool is_all)
{
    const char *outcome = outcome_name(weakest->reply.outcome);
    if (question->endpoint->is_krakend) {
        compatibility_of_publish(answer, form_of(question), outcome);
        answer_add(answer, "X-Message-Id", question->message_id);
        return;
    }
    bool is_confirmed = is_all && weakest->reply.outcome == OUTCOME_CONFIRMED;
    *answer = (struct answer){.status = weakest->reply.outcome == OUTCOME_UNCONFIRMED ? 202 : 200};
    add_common(answer, question, outcome, is_confirmed);
    answer_add(answer, "Cache-Control", slice_of("no-store"));
    struct slice fixed = fixed_of(question, is_all, is_confirmed);
    if (fixed.len)
        content_of_fixed(answer, question->output, fixed, question->memory);
    else
        content_of_publish(answer, question->output);
}

static void answer_one_failure(
    struct answer *answer, const struct answer_question *question, const struct part *part)
{
    struct problem problem = problem_of(question, part);
    answer_failure(answer, question, &problem);
}

/* Every backend with what became of it. */
static void answer_partial(
    struct answer *answer, const struct answer_question *question, enum problem_kind kind)
{
    uint32_t n = question->endpoint->parts.count;
    struct problem_part *parts = question->memory.take(question->memory.owner, n * sizeof(*parts));
    for (uint32_t i = 0; i < n; i++) {
        const struct part *part = &question->parts[i];
        const char *outcome = reading_name(part->reply.outcome);
        parts[i] =
            (struct problem_part){.backend = {.at = plan_string(question->plan, part->plan->name),
                                      .len = part->plan->name.length},
                .outcome = slice_of(outcome)};
    }
    struct problem problem = {.kind = kind,
        .detail = slice_of("Sending it again would send it twice to some of the backends."),
        .message_id = question->message_id,
        .parts = parts,
        .n_parts = n};
    answer_failure(answer, question, &problem);
}

/* What the publishes came to, seen together. */
struct tally {
    const struct part *weakest; /* of the successes: one that was not confirmed, if any */
    const struct part *failed;  /* the first failure */
    bool has_unknown, has_mixed, has_taken;
};

static struct tally tally_up(const struct answer_question *question)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i < question->endpoint->parts.count; i++) {
        const struct part *part = &question->parts[i];
        if (part->plan->verb != PLAN_PRODUCE || part->reply.outcome == OUTCOME_NOT_ASKED)
            continue;
        if (part_is_success(part)) {
            if (!tally.weakest || tally.weakest->reply.outcome == OUTCOME_CONFIRMED)
                tally.weakest = part;
            tally.has_taken = true;
            continue;
        }
        tally.has_taken |= !reading_of(part)->is_unsent;
        tally.has_unknown |= part->reply.outcome == OUTCOME_UNKNOWN;
        if (!tally.failed)
            tally.failed = part;
        tally.has_mixed |= reading_of(tally.failed)->kind != reading_of(part)->kind;
    }
    return tally;
}

/* What became of the publishes, where one of them failed. */
static void answer_unpublished(
    struct answer *answer, const struct answer_question *question, const struct tally *tally)
{
    if (!tally->weakest && (!tally->has_mixed || !tally->has_taken))
        answer_one_failure(answer, question, tally->failed);
    else
        answer_partial(
            answer, question, tally->has_unknown ? PROBLEM_OUTCOME_UNKNOWN : PROBLEM_PARTIAL);
}

/* ---- messages ---- */

static void add_cache_control(
    struct answer *answer, const struct answer_question *question, bool is_complete)
{
    uint64_t ttl_s = question->endpoint->cache_ttl_s;
    if (!ttl_s || !is_complete) {
        answer_add(answer, "Cache-Control", slice_of("no-store"));
        return;
    }
    enum { ROOM = 64 };
    char *text = question->memory.take(question->memory.owner, ROOM);
    int n = snprintf(text, ROOM, "public, max-age=%llu", (unsigned long long)ttl_s);
    answer_add(answer, "Cache-Control", (struct slice){.at = text, .len = (size_t)n});
}

/* Nothing came: what the file has to say then, if it has anything. */
static bool answer_instead(
    struct answer *answer, const struct answer_question *question, const char *outcome)
{
    struct slice fixed = fixed_of(question, false, false);
    if (!fixed.len)
        return false;
    *answer = (struct answer){.status = 200};
    add_common(answer, question, outcome, false);
    add_cache_control(answer, question, false);
    content_of_fixed(answer, question->output, fixed, question->memory);
    return true;
}

static void answer_empty(struct answer *answer, const struct answer_question *question)
{
    if (answer_instead(answer, question, outcome_name(OUTCOME_EMPTY)))
        return;
    if (question->endpoint->is_krakend) {
        compatibility_of_empty(answer);
        return;
    }
    *answer = (struct answer){.status = 204};
    add_common(answer, question, outcome_name(OUTCOME_EMPTY), false);
    answer_add(answer, "Cache-Control", slice_of("no-store"));
}

static void add_properties(struct answer *answer, const struct answer_question *question)
{
    for (uint32_t i = 0; i < question->endpoint->parts.count; i++) {
        const struct part *part = &question->parts[i];
        if (part->plan->shows_properties && part->reply.outcome == OUTCOME_DELIVERED)
            received_properties(answer, part, question->memory);
    }
}

static void answer_unmerged(
    struct answer *answer, const struct answer_question *question, enum problem_kind kind)
{
    struct problem problem = {.kind = kind,
        .detail = slice_of(
            "The messages do not make one object; what is not auto_ack goes back to its queue.")};
    answer_failure(answer, question, &problem);
}

static void answer_delivered(
    struct answer *answer, const struct answer_question *question, bool is_complete)
{
    const char *told = is_complete ? outcome_name(OUTCOME_DELIVERED) : "partial";
    struct slice fixed = fixed_of(question, is_complete, is_complete);
    *answer = (struct answer){.status = 200, .has_deliveries = true};
    switch (content_of_deliveries(answer, question, fixed)) {
    case CONTENT_OK:
        break;
    case CONTENT_HOLLOW: /* to the gateway it is not complete, whoever answered */
        is_complete = is_complete && !question->endpoint->is_krakend;
        break;
    case CONTENT_NO_OBJECT:
        answer_unmerged(answer, question, PROBLEM_UNDECODABLE);
        return;
    case CONTENT_TOO_LARGE:
        answer_unmerged(answer, question, PROBLEM_TOO_LARGE);
        return;
    }
    add_common(answer, question, told, is_complete);
    add_cache_control(answer, question, is_complete);
    add_properties(answer, question);
}

/* A GET that could not be served. Beside a message that was published it must not be repeated. */
static void answer_unserved(struct answer *answer, const struct answer_question *question,
    const struct tally *tally, const struct part *failed)
{
    enum problem_kind kind = tally->weakest ? PROBLEM_PARTIAL : reading_of(failed)->kind;
    if (answer_instead(answer, question, problem_name(kind)))
        return;
    if (tally->weakest)
        answer_partial(answer, question, PROBLEM_PARTIAL);
    else
        answer_one_failure(answer, question, failed);
}

static void answer_consume(
    struct answer *answer, const struct answer_question *question, const struct tally *tally)
{
    uint32_t n_consumers = 0, n_delivered = 0;
    const struct part *failed = NULL;
    for (uint32_t i = 0; i < question->endpoint->parts.count; i++) {
        const struct part *part = &question->parts[i];
        if (part->plan->verb != PLAN_CONSUME)
            continue;
        n_consumers++;
        n_delivered += part->reply.outcome == OUTCOME_DELIVERED;
        if (!failed && part->reply.outcome != OUTCOME_DELIVERED && !reading_is_empty(part) &&
            part->reply.outcome != OUTCOME_NOT_ASKED)
            failed = part;
    }
    if (n_delivered)
        answer_delivered(answer, question, n_delivered == n_consumers);
    else if (failed)
        answer_unserved(answer, question, tally, failed);
    else if (n_consumers && !tally->weakest)
        answer_empty(answer, question);
    else
        answer_published(answer, question, tally->weakest, n_consumers == 0);
}

/* Of several messages the first one that has a trace. */
static void add_identity(struct answer *answer, const struct answer_question *question)
{
    answer->message_id = question->message_id;
    answer->trace = question->made_trace;
    for (uint32_t i = 0; i < question->endpoint->parts.count && answer->has_deliveries; i++) {
        const struct part *part = &question->parts[i];
        if (part->reply.outcome == OUTCOME_DELIVERED && !answer->trace.parent.len)
            received_identity(answer, part, question->memory);
    }
    answer_add(answer, TRACE_PARENT, answer->trace.parent);
    answer_add(answer, TRACE_STATE, answer->trace.state);
}

void answer_make(struct answer *answer, const struct answer_question *question)
{
    assert(question->endpoint->parts.count > 0);
    struct tally tally = tally_up(question);
    if (tally.failed)
        answer_unpublished(answer, question, &tally);
    else
        answer_consume(answer, question, &tally);
    add_identity(answer, question);
    if (question->endpoint->output_encoding == PLAN_NEGOTIATE)
        answer_add(answer, "Vary", slice_of("Accept"));
}
