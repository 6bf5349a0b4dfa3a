/* SPDX-License-Identifier: Apache-2.0 */
#include "visit.h"

#include <assert.h>

#include "shm/clock.h"

#include "front.h"

enum { FIRST_LOOK_MS = 1, LAST_LOOK_MS = 64 };

/* Row: from. A bit for each state that may follow. */
static const uint8_t arrows[VISIT_N_STATES] = {
    [VISIT_PENDING] = 1u << VISIT_WRITING | 1u << VISIT_ENDING,
    [VISIT_WRITING] = 1u << VISIT_PROVING | 1u << VISIT_ENDING,
    [VISIT_PROVING] = 1u << VISIT_ENDING,
};

static void visit_move(struct visit *visit, enum visit_state to)
{
    assert(arrows[visit->state] >> to & 1);
    visit->state = to;
}

static struct deadlines *timers_of(struct visit *visit)
{
    return &visit->front->loop.timers;
}

/* ---- the end ---- */

static void count_end(struct visit *visit)
{
    struct books *books = &visit->front->books;
    if (visit->row == VISIT_NO_ROW)
        return;
    if (visit->state == VISIT_PENDING || visit->is_gone)
        books_abandon(books, visit->row);
    else
        books_time(books, visit->row, &visit->timing, clock_now_ns());
}

static void log_end_of(struct visit *visit)
{
    if (!visit->access)
        return;
    if (visit->state == VISIT_PENDING)
        access_abandoned(visit->access);
    if (visit->state == VISIT_WRITING || visit->state == VISIT_PROVING)
        visit->access->settled = ACCESS_REQUEUE;
    access_write(visit->access, &visit->front->plan, clock_now_ns());
}

static void on_dispose(void *memory)
{
    struct visit *visit = memory;
    count_end(visit);
    log_end_of(visit);
    timer_clear(timers_of(visit), &visit->timer);
    request_leave(&visit->request);
    h2o_socket_dont_read(visit->connection->socket, 0); /* the library reads again, or closes */
    connection_serve(visit->connection, NULL);
}

/* Nothing may be touched afterwards: the library disposes of the request and serves the next one of
 * this connection inside the call when there is nothing left to write. */
static void send_last(struct visit *visit, h2o_iovec_t *pieces, size_t n)
{
    visit_move(visit, VISIT_ENDING);
    h2o_send(visit->req, pieces, n, H2O_SEND_STATE_FINAL);
}

/* ---- proof of delivery ---- */

static void decide(struct visit *visit, enum lane_op verdict)
{
    request_settle(&visit->request, verdict);
    if (visit->access)
        visit->access->settled = verdict == LANE_ACK ? ACCESS_ACK : ACCESS_REQUEUE;
    if (verdict == LANE_REQUEUE)
        visit->req->http1_is_persistent = 0; /* nobody is there to go on with */
    send_last(visit, NULL, 0);
}

static void prove(struct visit *visit)
{
    switch (connection_peer_state(visit->connection)) {
    case PEER_THERE:
        decide(visit, LANE_ACK);
        return;
    case PEER_GONE:
        decide(visit, LANE_REQUEUE);
        return;
    case PEER_LEAVING:
        break;
    }
    uint64_t now_ns = clock_now_ns();
    if (!connection_unacknowledged(visit->connection)) {
        decide(visit, LANE_ACK);
    } else if (now_ns >= visit->write_until_ns) {
        decide(visit, LANE_REQUEUE);
    } else {
        timer_set(timers_of(visit), &visit->timer, now_ns + visit->look_after_ns);
        if (visit->look_after_ns < LAST_LOOK_MS * CLOCK_MS)
            visit->look_after_ns *= 2;
    }
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    struct visit *visit = H2O_STRUCT_FROM_MEMBER(struct visit, generator, generator);
    visit_move(visit, VISIT_PROVING);
    if (!req->http1_is_persistent)
        connection_end(visit->connection);
    prove(visit);
}

static void on_timer(void *owner)
{
    prove(owner);
}

/* ---- the answer ---- */

static void add_fields(h2o_req_t *req, const struct answer_field *fields, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        h2o_add_header_by_str(&req->pool, &req->res.headers, fields[i].name, strlen(fields[i].name),
            0, NULL, fields[i].value.at, fields[i].value.len);
}

static void note_answer(struct visit *visit, const struct answer *answer, uint64_t body_bytes)
{
    struct access *access = visit->access;
    if (!access)
        return;
    if (visit->trace.parent.len)
        access->trace = visit->trace;
    access_answered(access, answer, body_bytes, &visit->front->ids);
    struct answer_field field = {.name = "X-Request-Id", .value = access->request_id};
    add_fields(visit->req, &field, 1);
}

static void tell_timing(struct visit *visit)
{
    const struct plan_endpoint *endpoint = visit->request.endpoint;
    if (!endpoint || !endpoint->shows_timing)
        return;
    char *room = h2o_mem_alloc_pool(&visit->req->pool, TIMING_BYTES);
    struct answer_field field = {
        .name = "Server-Timing", .value = timing_write(&visit->timing, room)};
    add_fields(visit->req, &field, 1);
}

static void fill_head(struct visit *visit, const struct answer *answer)
{
    h2o_req_t *req = visit->req;
    req->res.status = answer->status;
    req->res.reason = answer_reason(answer->status);
    req->res.content_length = answer->body_bytes;
    if (answer->status == 204)
        req->res.content_length = SIZE_MAX; /* no such field in a 204 (RFC 9110, 8.6) */
    add_fields(req, answer->fields, answer->n_fields);
    add_fields(req, answer->properties, answer->n_properties);
    if (answer->must_close || visit->front->connections.is_draining)
        req->http1_is_persistent = 0;
}

void visit_answer(struct visit *visit, const struct answer *answer)
{
    h2o_req_t *req = visit->req;
    h2o_iovec_t pieces[ANSWER_MAX_PIECES];
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    size_t n = is_head ? 0 : answer->n_pieces;
    for (size_t i = 0; i < n; i++) {
        const struct slice *piece = &answer->pieces[i];
        pieces[i] = (h2o_iovec_t){.base = (char *)(uintptr_t)piece->at, .len = piece->len};
    }
    if (!visit->timing.answered_ns)
        visit->timing.answered_ns = clock_now_ns();
    if (visit->row != VISIT_NO_ROW && !visit->is_gone)
        books_answer(
            &visit->front->books, visit->row, answer->status, is_head ? 0 : answer->body_bytes);
    visit->write_until_ns = visit->timing.answered_ns + visit->front->config->write_timeout_ns;
    fill_head(visit, answer);
    tell_timing(visit);
    note_answer(visit, answer, is_head ? 0 : answer->body_bytes);
    h2o_start_response(req, &visit->generator);
    if (!answer->has_deliveries) {
        send_last(visit, pieces, n);
        return;
    }
    visit_move(visit, VISIT_WRITING);
    h2o_send(req, pieces, n, H2O_SEND_STATE_IN_PROGRESS);
}

/* In the words of the worker that spoke last. */
static void note_times(struct visit *visit)
{
    struct timing *timing = &visit->timing;
    for (uint32_t i = 0; i < visit->request.n_parts; i++) {
        const struct part_reply *reply = &visit->request.parts[i].reply;
        if (reply->done_ns <= timing->done_ns)
            continue;
        timing->claimed_ns = reply->claimed_ns;
        timing->done_ns = reply->done_ns;
    }
    timing->answered_ns = clock_now_ns();
}

void visit_on_settled(struct request *request)
{
    struct visit *visit = request->owner;
    struct answer answer;
    struct answer_question question = {.plan = &visit->front->plan,
        .endpoint = request->endpoint,
        .output = visit->output,
        .parts = request->parts,
        .message_id = visit->message_id,
        .seed = &visit->front->seed,
        .tree = &visit->front->tree,
        .memory = visit_memory(visit)};
    note_times(visit);
    if (visit->is_trace_made)
        question.made_trace = visit->trace;
    answer_make(&answer, &question);
    if (answer.has_deliveries)
        request_pin(request);
    else
        request_settle(request, LANE_REQUEUE);
    visit_answer(visit, &answer);
}

/* ---- the wait ---- */

void visit_on_gone(struct visit *visit)
{
    if (visit->state != VISIT_PENDING)
        return; /* the write will fail, or the proof */
    visit->is_gone = true;
    request_leave(&visit->request);
    visit->req->http1_is_persistent = 0;
    if (visit->access)
        access_abandoned(visit->access);
    visit_answer(visit, &(struct answer){.status = 503}); /* to nobody; the library cleans up */
}

static enum peer_state peer_state(struct visit *visit)
{
    enum { HTTP_1_1 = 0x101 }; /* before it there were no interim answers */
    enum peer_state state = connection_peer_state(visit->connection);
    if (state != PEER_LEAVING || !request_has_consumer(&visit->request))
        return state;
    if (!connection_can_ask(visit->connection))
        return PEER_GONE; /* it may read on, but a message is safer on its queue */
    if (visit->is_asked || visit->req->version < HTTP_1_1)
        return state;
    visit->is_asked = true;
    connection_ask(visit->connection);
    return connection_peer_state(visit->connection);
}

static void look(struct visit *visit)
{
    if (visit->state == VISIT_PENDING && peer_state(visit) == PEER_GONE)
        visit_on_gone(visit);
}

static bool is_writing(const struct visit *visit)
{
    return visit->state == VISIT_WRITING || visit->state == VISIT_ENDING;
}

void visit_sweep(struct visit *visit, uint64_t now_ns)
{
    if (visit->state == VISIT_PENDING && !h2o_socket_is_reading(visit->connection->socket))
        look(visit);
    else if (is_writing(visit) && now_ns >= visit->write_until_ns)
        connection_shut(visit->connection); /* it does not read: the write fails, and ends it */
}

static void on_readable(h2o_socket_t *socket, const char *error)
{
    struct connection *connection = connection_of(socket);
    /* Whatever it is, it would be reported again and again: the next request, or the client's end
     * of sending. The sweep looks at those that are not watched. */
    h2o_socket_read_stop(socket);
    if (connection->visit)
        look(connection->visit);
}

void visit_submit(struct visit *visit)
{
    h2o_socket_t *socket = visit->connection->socket;
    /* before the submission, which may answer; reading and not reading in one turn cost nothing */
    h2o_socket_dont_read(socket, 1);
    h2o_socket_read_start(socket, on_readable);
    visit->timing.submitted_ns = clock_now_ns();
    request_submit(&visit->request, visit->timing.submitted_ns);
}

static void *pool_take(void *owner, size_t bytes)
{
    return h2o_mem_alloc_pool(owner, bytes);
}

struct answer_memory visit_memory(struct visit *visit)
{
    return (struct answer_memory){.take = pool_take, .owner = &visit->req->pool};
}

static void access_begin(struct visit *visit)
{
    const struct connection *connection = visit->connection;
    visit->access = h2o_mem_alloc_pool(&visit->req->pool, sizeof(*visit->access));
    *visit->access = (struct access){.begun_ns = visit->timing.begun_ns,
        .peer = {.at = connection->peer, .len = connection->n_peer_bytes},
        .request_bytes = visit->req->entity.len};
}

struct visit *visit_new(struct front *front, h2o_req_t *req)
{
    struct visit *visit = h2o_mem_alloc_shared(&req->pool, sizeof(*visit), on_dispose);
    *visit = (struct visit){.generator = {.proceed = on_proceed},
        .req = req,
        .front = front,
        .connection = connection_of(req->conn->callbacks->get_socket(req->conn)),
        .look_after_ns = FIRST_LOOK_MS * CLOCK_MS,
        .row = VISIT_NO_ROW,
        .timing = {.begun_ns = clock_now_ns()}};
    timer_init(&visit->timer, on_timer, visit);
    if (front->config->access_log != PLAN_ACCESS_OFF)
        access_begin(visit);
    connection_serve(visit->connection, visit);
    return visit;
}

void visit_admit(struct visit *visit, uint32_t row)
{
    visit->row = row;
    books_accept(&visit->front->books, row, visit->req->entity.len);
}

void visit_cut_off(struct visit *visit)
{
    connection_shut(visit->connection);
}
