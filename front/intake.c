/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <assert.h>
#include <errno.h>

#include "shm/last_words.h"
#include "shm/message.h"

#include "accept.h"
#include "chunks.h"
#include "compatibility.h"
#include "fields.h"
#include "front.h"
#include "guard.h"
#include "health.h"
#include "problem.h"
#include "visit.h"

/* One request on its way in. */
struct intake {
    struct front *front;
    h2o_req_t *req;
    struct visit *visit;
    struct guard_head head;
    struct route_match match;
    const struct plan_endpoint *endpoint; /* once it is known */
};

int intake_room_init(struct intake_room *room, size_t max_header_bytes)
{
    size_t bytes = fields_most_bytes(H2O_MAX_HEADERS, max_header_bytes);
    CLEANUP(cleanup_free) char *scratch = malloc(bytes);
    CLEANUP(cleanup_free) uint8_t *fields = malloc(bytes);
    if (!scratch || !fields)
        return -ENOMEM;
    *room =
        (struct intake_room){.scratch = STEAL(scratch), .fields = STEAL(fields), .bytes = bytes};
    return 0;
}

static void *take(struct intake *intake, size_t bytes)
{
    return h2o_mem_alloc_pool(&intake->req->pool, bytes);
}

/* ---- refusals ---- */

/* In the form that the clients of the endpoint expect or, while there is none, of the service. */
static void make_refusal(
    struct intake *intake, struct answer *answer, const struct problem *problem)
{
    const struct plan_endpoint *endpoint = intake->endpoint;
    bool is_krakend = endpoint ? endpoint->is_krakend : intake->front->config->is_krakend;
    struct compatibility_form form = {
        .output = intake->visit->output, .n_backends = endpoint ? endpoint->parts.count : 0};
    if (!is_krakend || !compatibility_of_problem(answer, form, problem->kind))
        answer_problem(answer, problem, visit_memory(intake->visit));
}

static void refuse(struct intake *intake, const struct problem *problem, bool must_close)
{
    struct answer answer;
    make_refusal(intake, &answer, problem);
    answer.must_close = must_close;
    visit_answer(intake->visit, &answer);
}

static void refuse_kind(struct intake *intake, enum problem_kind kind, const char *detail)
{
    refuse(intake, &(struct problem){.kind = kind, .detail = slice_of(detail)}, false);
}

static void admit_unmatched(struct intake *intake)
{
    visit_admit(intake->visit, books_row(&intake->front->books, FIGURES_UNMATCHED));
}

/* What follows on the connection is nobody's. */
static void refuse_form(struct intake *intake, enum problem_kind kind, const char *sentence)
{
    admit_unmatched(intake);
    refuse(intake, &(struct problem){.kind = kind, .detail = slice_of(sentence)}, true);
}

static void refuse_method(struct intake *intake)
{
    struct answer answer;
    struct problem problem = {.kind = PROBLEM_WRONG_METHOD};
    char *allow = take(intake, ROUTE_ALLOW_BYTES);
    memcpy(allow, intake->match.allow, ROUTE_ALLOW_BYTES);
    make_refusal(intake, &answer, &problem);
    answer_add(&answer, "Allow", slice_of(allow));
    visit_answer(intake->visit, &answer);
}

static void redirect(struct intake *intake)
{
    struct slice path = intake->match.location, query = intake->head.query;
    char *location = take(intake, path.len + query.len);
    size_t n = (size_t)(slice_copy(query, slice_copy(path, location)) - location);
    struct answer answer = {.status = 307};
    answer_add(&answer, "Location", (struct slice){.at = location, .len = n});
    visit_answer(intake->visit, &answer);
}

static void serve_health(struct intake *intake)
{
    struct timespec now;
    visit_admit(intake->visit, books_row(&intake->front->books, FIGURES_HEALTH));
    char *body = take(intake, HEALTH_MAX_BYTES);
    (void)clock_gettime(CLOCK_REALTIME, &now); /* a clock that always exists */
    struct answer answer = {.status = 200};
    answer_add(&answer, "Content-Type", slice_of("application/json; charset=utf-8"));
    answer_add(&answer, "Cache-Control", slice_of("no-store"));
    answer_append(&answer, (struct slice){.at = body, .len = health_write(&now, body)});
    visit_answer(intake->visit, &answer);
}

/* ---- the head ---- */

/* The bytes that the library parsed stand at the front of the socket's buffer until the request is
 * over. */
static enum guard_outcome head_read(struct intake *intake)
{
    const h2o_buffer_t *input = intake->visit->connection->socket->input;
    return guard_read(
        input->bytes, input->size, intake->front->config->max_header_bytes, &intake->head);
}

static struct header_lines lines_of(struct intake *intake)
{
    const h2o_headers_t *headers = &intake->req->headers;
    struct header_line *lines = take(intake, (headers->size + 1) * sizeof(*lines));
    for (size_t i = 0; i < headers->size; i++) {
        const h2o_header_t *header = &headers->entries[i];
        lines[i] =
            (struct header_line){.name = {.at = header->name->base, .len = header->name->len},
                .value = {.at = header->value.base, .len = header->value.len}};
    }
    return (struct header_lines){.items = lines, .n = headers->size};
}

/* ---- the parts ---- */

static void trace_read(struct intake *intake, const struct header_lines *lines)
{
    if (header_find(lines, slice_of(TRACE_PARENT)).len)
        intake->visit->trace =
            trace_of_request(lines, take(intake, TRACE_STATE_BYTES + intake->head.bytes));
}

/* For its line in the access log. */
static void note_asked(struct intake *intake)
{
    struct header_lines lines = lines_of(intake);
    trace_read(intake, &lines);
    access_asked(
        intake->visit->access, &intake->head, header_find(&lines, slice_of("X-Request-Id")));
}

/* What its messages belong to: the client's trace, or one that is made where it has none. */
static void trace_publish(struct intake *intake, const struct header_lines *lines)
{
    struct visit *visit = intake->visit;
    trace_read(intake, lines);
    if (visit->trace.parent.len || !intake->front->config->makes_traces)
        return;
    struct message_id_source *source = &intake->front->ids;
    bool is_sampled = message_id_bits(source) % 100 < intake->front->config->traces_percent;
    visit->trace = trace_make(source, is_sampled, take(intake, TRACE_PARENT_BYTES));
    visit->is_trace_made = true;
}

static struct fields_request fields_request_of(
    struct intake *intake, const struct plan_endpoint *endpoint)
{
    struct visit *visit = intake->visit;
    struct header_lines lines = lines_of(intake);
    trace_publish(intake, &lines);
    return (struct fields_request){.plan = &intake->front->plan,
        .endpoint = endpoint,
        .parameters = intake->match.parameters,
        .n_parameters = intake->match.n_parameters,
        .headers = lines,
        .host = intake->head.host,
        .peer = {.at = visit->connection->peer, .len = visit->connection->n_peer_bytes},
        .trace = visit->trace,
        .generated_id = message_id_next(&intake->front->ids, visit->generated_id)};
}

/* They are written where there is room for the largest, and kept as small as they are. */
static struct slice fields_keep(struct intake *intake, const struct message_writer *writer)
{
    char *kept = take(intake, writer->used);
    return (struct slice){.at = memcpy(kept, writer->bytes, writer->used), .len = writer->used};
}

/* What the first publish is known by. */
static void note_first(struct intake *intake, const struct fields_request *request,
    const struct part *part, struct slice message_id)
{
    struct visit *visit = intake->visit;
    visit->message_id = message_id;
    if (visit->access)
        visit->access->routing_key = fields_routing_key(request, part->plan);
}

/* The fields of one publish. False: the request is refused. */
static bool part_fill(
    struct intake *intake, const struct fields_request *request, struct part *part)
{
    const struct intake_room *room = &intake->front->room;
    struct message_writer writer = {.bytes = room->fields, .size = room->bytes};
    struct slice message_id;
    char fault[FIELDS_FAULT_BYTES];
    enum fields_outcome outcome =
        fields_write(request, part->plan, &writer, room->scratch, &message_id, fault);
    if (outcome == FIELDS_REFUSED) {
        refuse_kind(intake, PROBLEM_INVALID_VALUE, fault);
        return false;
    }
    assert(outcome == FIELDS_OK);
    part->fields = fields_keep(intake, &writer);
    part->body = (struct slice){.at = intake->req->entity.base, .len = intake->req->entity.len};
    if (!intake->visit->message_id.len)
        note_first(intake, request, part, message_id);
    return true;
}

static bool parts_fill(struct intake *intake, const struct plan_endpoint *endpoint)
{
    struct request *request = &intake->visit->request;
    if (!request_has_producer(request))
        return true;
    struct fields_request fields = fields_request_of(intake, endpoint);
    assert(fields_max_bytes(&fields) <= intake->front->room.bytes);
    for (uint32_t i = 0; i < request->n_parts; i++)
        if (request->parts[i].plan->verb == PLAN_PRODUCE &&
            !part_fill(intake, &fields, &request->parts[i]))
            return false;
    return true;
}

static enum plan_encoding output_of(struct intake *intake, const struct plan_endpoint *endpoint)
{
    if (endpoint->output_encoding != PLAN_NEGOTIATE)
        return endpoint->output_encoding;
    struct header_lines lines = lines_of(intake);
    return accept_choose(header_join(&lines, slice_of("Accept"), take(intake, intake->head.bytes)));
}

static void serve_endpoint(struct intake *intake, const struct plan_endpoint *endpoint)
{
    struct request *request = &intake->visit->request;
    intake->endpoint = endpoint;
    if (intake->visit->access)
        intake->visit->access->endpoint = endpoint;
    intake->visit->output = output_of(intake, endpoint);
    size_t parts_bytes = endpoint->parts.count * sizeof(struct part);
    if (!endpoint->parts.count) {
        refuse_kind(intake, PROBLEM_NOT_AMQP, "");
        return;
    }
    if (intake->req->entity.len > endpoint->max_body_bytes) {
        refuse(intake, &(struct problem){.kind = PROBLEM_BODY_TOO_LARGE}, true);
        return;
    }
    struct part *parts = take(intake, parts_bytes);
    memset(parts, 0, parts_bytes);
    request_init(request, &intake->front->requests, &intake->front->plan, endpoint, parts);
    request->owner = intake->visit;
    if (intake->front->connections.is_draining && request_has_consumer(request)) {
        refuse(intake, &(struct problem){.kind = PROBLEM_DRAINING, .retry_after_s = ANSWER_RETRY_S},
            true);
        return;
    }
    if (parts_fill(intake, endpoint))
        visit_submit(intake->visit);
}

/* ---- the route ---- */

static void serve_route(struct intake *intake)
{
    const struct plan_endpoint *endpoints =
        plan_items(&intake->front->plan, intake->front->config->endpoints);
    struct slice method = intake->head.method, path = intake->head.path;
    char *scratch = take(intake, path.len);
    enum route_outcome outcome =
        route_find(intake->front->routes, method, path, scratch, &intake->match);
    if (outcome != ROUTE_FOUND)
        admit_unmatched(intake);
    switch (outcome) {
    case ROUTE_FOUND:
        visit_admit(intake->visit, intake->match.endpoint);
        last_words_at_endpoint(intake->match.endpoint);
        serve_endpoint(intake, &endpoints[intake->match.endpoint]);
        last_words_at_nothing();
        return;
    case ROUTE_NOT_FOUND:
        refuse_kind(intake, PROBLEM_NOT_FOUND, "");
        return;
    case ROUTE_WRONG_METHOD:
        refuse_method(intake);
        return;
    case ROUTE_REDIRECT:
        redirect(intake);
        return;
    case ROUTE_BAD_ESCAPE:
        refuse_kind(intake, PROBLEM_MALFORMED_REQUEST,
            "The path holds a percent sign that is not followed by two digits, or %00.");
        return;
    }
}

size_t intake_bound(struct front *front, const char *bytes, size_t n)
{
    const struct plan_endpoint *endpoints = plan_items(&front->plan, front->config->endpoints);
    struct guard_head head;
    struct route_match match;
    if (guard_read(bytes, n, front->config->max_header_bytes, &head) != GUARD_OK)
        return SIZE_MAX; /* refused when it is complete, for what it is */
    CLEANUP(cleanup_free) char *scratch = malloc(head.path.len);
    if (!scratch ||
        route_find(front->routes, head.method, head.path, scratch, &match) != ROUTE_FOUND)
        return SIZE_MAX;
    uint64_t most = endpoints[match.endpoint].max_body_bytes;
    return head.length > most ? 0 : head.bytes + most;
}

/* What the library would have refused, after a sound head. */
static enum problem_kind refusal_kind(int status)
{
    switch (status) {
    case 413:
        return PROBLEM_BODY_TOO_LARGE;
    case 417:
        return PROBLEM_EXPECTATION_FAILED;
    default:
        return PROBLEM_MALFORMED_REQUEST;
    }
}

void intake_serve(struct front *front, h2o_req_t *req, int refusal)
{
    struct intake intake = {.front = front, .req = req, .visit = visit_new(front, req)};
    if (intake.visit->connection->is_shut) {
        visit_on_gone(intake.visit); /* the rest of it came after we had refused to wait for it */
        return;
    }
    enum guard_outcome outcome = head_read(&intake);
    if (outcome != GUARD_OK) {
        refuse_form(&intake,
            guard_status(outcome) == 431 ? PROBLEM_HEAD_TOO_LARGE : PROBLEM_MALFORMED_REQUEST,
            guard_sentence(outcome));
        return;
    }
    if (intake.visit->access)
        note_asked(&intake);
    if (refusal) {
        refuse_form(&intake, refusal_kind(refusal), "");
        return;
    }
    enum chunks_outcome chunks = intake.head.is_chunked ? chunks_verdict() : CHUNKS_OK;
    if (chunks != CHUNKS_OK) {
        refuse_form(&intake, PROBLEM_MALFORMED_REQUEST, chunks_sentence(chunks));
        return;
    }
    if (slice_equals(intake.head.path, slice_of(HEALTH_PATH)) &&
        slice_equals(intake.head.method, slice_of("GET")))
        serve_health(&intake);
    else
        serve_route(&intake);
}
