/* SPDX-License-Identifier: Apache-2.0 */
#include "access.h"

#include <string.h>

#include "shm/clock.h"
#include "shm/log_record.h"

enum { NS_PER_US = 1000, SPAN_AT = 36, SPAN_BYTES = 16, FIRST_FAILURE = 400 };

/* How members are called, by enum log_format. */
enum name {
    METHOD,
    ROUTE,
    PATH,
    STATUS,
    OUTCOME,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    DURATION,
    OPERATION,
    DESTINATION,
    ROUTING_KEY,
    MESSAGE_ID,
    SETTLED,
    REQUEST_ID,
    TRACE_ID,
    SPAN_ID,
    PEER,
    N_NAMES
};

static const char *const names[N_NAMES][2] = {
    [METHOD] = {"method", "http.request.method"},
    [ROUTE] = {"route", "http.route"},
    [PATH] = {"path", "url.path"},
    [STATUS] = {"status", "http.response.status_code"},
    [OUTCOME] = {"outcome", "leveret.outcome"},
    [REQUEST_BYTES] = {"in", "http.request.body.size"},
    [RESPONSE_BYTES] = {"out", "http.response.body.size"},
    [DURATION] = {"duration_us", "duration_us"},
    [OPERATION] = {"operation", "messaging.operation.type"},
    [DESTINATION] = {"destination", "messaging.destination.name"},
    [ROUTING_KEY] = {"routing_key", "messaging.rabbitmq.destination.routing_key"},
    [MESSAGE_ID] = {"message_id", "messaging.message.id"},
    [SETTLED] = {"settled", "leveret.settled"},
    [REQUEST_ID] = {"request_id", "request_id"},
    [TRACE_ID] = {"trace_id", "trace_id"},
    [SPAN_ID] = {"span_id", "span_id"},
    [PEER] = {"peer", "client.address"},
};

/* ---- what is noted ---- */

static bool is_id(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return false;
    return text.len > 0 && text.len <= ACCESS_ID_BYTES;
}

void access_asked(struct access *access, const struct guard_head *head, struct slice request_id)
{
    access->method = head->method;
    access->path = head->path;
    if (is_id(request_id))
        access->request_id = request_id;
}

static struct slice outcome_of(const struct answer *answer)
{
    for (uint32_t i = 0; i < answer->n_fields; i++)
        if (strcmp(answer->fields[i].name, ANSWER_OUTCOME) == 0)
            return answer->fields[i].value;
    return (struct slice){0};
}

void access_answered(struct access *access, const struct answer *answer, uint64_t body_bytes,
    struct message_id_source *source)
{
    if (!access->request_id.len)
        access->request_id = trace_id(&access->trace);
    if (!access->request_id.len)
        access->request_id = message_id_next(source, access->made_id);
    access->message_id = answer->message_id;
    if (access->is_abandoned)
        return;
    if (!access->trace.parent.len)
        access->trace = answer->trace;
    access->status = answer->status;
    access->outcome = outcome_of(answer);
    access->response_bytes = body_bytes;
}

void access_abandoned(struct access *access)
{
    access->is_abandoned = true;
    access->outcome = slice_of("client-gone");
}

/* ---- the line ---- */

static void put(struct log_record *record, enum name name, struct slice value)
{
    if (value.len)
        log_record_word(record, names[name][record->format], value.at, value.len);
}

static void put_number(struct log_record *record, enum name name, uint64_t value)
{
    log_record_number(record, names[name][record->format], value);
}

/* Of several backends the first one's. */
static void put_messaging(
    struct log_record *record, const struct access *access, const struct plan *plan)
{
    if (!access->endpoint || !access->endpoint->parts.count)
        return;
    const struct plan_part *part = plan_items(plan, access->endpoint->parts);
    bool is_send = part->verb == PLAN_PRODUCE;
    if (record->format == LOG_JSON)
        log_record_word(record, "messaging.system", "rabbitmq", strlen("rabbitmq"));
    put(record, OPERATION, slice_of(is_send ? "send" : "receive"));
    put(record, DESTINATION, slice_of_plan(plan, part->destination));
    put(record, ROUTING_KEY, access->routing_key);
    put(record, MESSAGE_ID, access->message_id);
    if (access->settled)
        put(record, SETTLED, slice_of(access->settled));
}

static void put_trace(struct log_record *record, const struct trace *trace)
{
    put(record, TRACE_ID, trace_id(trace));
    if (trace->parent.len)
        put(record, SPAN_ID, (struct slice){.at = trace->parent.at + SPAN_AT, .len = SPAN_BYTES});
}

static bool has_failed(const struct access *access)
{
    return access->status == 0 || access->status >= FIRST_FAILURE ||
           (access->settled && strcmp(access->settled, ACCESS_REQUEUE) == 0);
}

void access_write(const struct access *access, const struct plan *plan, uint64_t ended_ns)
{
    const struct plan_front *config = plan->root;
    struct log_record record;
    if (config->access_log == PLAN_ACCESS_ERRORS && !has_failed(access))
        return;
    log_begin(&record, LOG_INFO, "access");
    put(&record, METHOD, access->method);
    if (access->endpoint)
        put(&record, ROUTE, slice_of_plan(plan, access->endpoint->pattern));
    put(&record, PATH, access->path);
    if (access->status)
        put_number(&record, STATUS, (uint64_t)access->status);
    put(&record, OUTCOME, access->outcome);
    put_number(&record, REQUEST_BYTES, access->request_bytes);
    put_number(&record, RESPONSE_BYTES, access->response_bytes);
    put_number(&record, DURATION, (ended_ns - access->begun_ns) / NS_PER_US);
    put_messaging(&record, access, plan);
    put(&record, REQUEST_ID, access->request_id);
    put_trace(&record, &access->trace);
    put(&record, PEER, access->peer);
    log_later(&record);
}
