/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "answer.h"
#include "dashboard.h"
#include "front.h"
#include "metrics.h"
#include "probe.h"
#include "stats.h"

static struct deadlines *timers_of(const struct admin *admin)
{
    return &admin->front->loop.timers;
}

/* ---- answers ---- */

static void add_field(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(
        &req->pool, &req->res.headers, name, strlen(name), 0, NULL, value, strlen(value));
}

static void fill_head(
    const struct admin_client *client, int status, const char *content_type, size_t content_length)
{
    h2o_req_t *req = client->req;
    req->res.status = status;
    req->res.reason = answer_reason(status);
    req->res.content_length = content_length;
    add_field(req, "Content-Type", content_type);
    add_field(req, "Cache-Control", "no-store");
    add_field(req, "Cross-Origin-Resource-Policy", "same-origin");
    add_field(req, "X-Content-Type-Options", "nosniff");
    if (client->admin->is_leaving)
        req->http1_is_persistent = 0;
}

static bool is_method(const h2o_req_t *req, const char *method)
{
    return h2o_memis(req->input.method.base, req->input.method.len, method, strlen(method));
}

/* All of it at once; it stays where it is until the request ends. */
static void answer_with(
    struct admin_client *client, int status, const char *content_type, h2o_iovec_t body)
{
    fill_head(client, status, content_type, body.len);
    h2o_start_response(client->req, &client->generator);
    h2o_send(client->req, &body, !is_method(client->req, "HEAD"), H2O_SEND_STATE_FINAL);
}

/* Out of the client's buffer. */
static void answer(
    struct admin_client *client, int status, const char *content_type, size_t n_bytes)
{
    answer_with(client, status, content_type, h2o_iovec_init(client->buffer, n_bytes));
}

static void refuse(struct admin_client *client, enum problem_kind kind, const char *detail)
{
    struct problem problem = {.kind = kind, .detail = slice_of(detail)};
    size_t n = problem_write(&problem, client->buffer);
    answer(client, problem_status(kind), PROBLEM_CONTENT_TYPE, n);
}

/* What follows on the connection is nobody's. */
static void refuse_form(struct admin_client *client, enum problem_kind kind, const char *sentence)
{
    client->req->http1_is_persistent = 0;
    refuse(client, kind, sentence);
}

static void refuse_method(struct admin_client *client)
{
    add_field(client->req, "Allow", "GET, HEAD");
    refuse(client, PROBLEM_WRONG_METHOD, "");
}

static void refuse_stranger(struct admin_client *client)
{
    add_field(client->req, "WWW-Authenticate", "Bearer");
    add_field(client->req, "WWW-Authenticate", "Basic realm=\"leveret\"");
    refuse(client, PROBLEM_UNAUTHORIZED,
        "The token of this listener is shown as a bearer's or as the password of any user.");
}

/* ---- probes ---- */

static void answer_probe(struct admin_client *client, const struct probe *probe)
{
    struct page page = {.overview = &client->overview,
        .at = client->buffer,
        .end = client->buffer + client->admin->buffer_bytes};
    page_put(&page, probe->n ? "{\"status\":\"failing\"" : "{\"status\":\"ok\"");
    if (probe->n && client->clearance == CLEARANCE_ALL) {
        page_put(&page, ",\"reasons\":");
        stats_put_reasons(&page, probe);
    }
    page_put(&page, "}\n");
    answer(
        client, probe->n ? 503 : 200, stats_page.content_type, (size_t)(page.at - client->buffer));
}

static void serve_live(struct admin_client *client)
{
    struct probe probe;
    probe_live(&client->overview, &probe);
    answer_probe(client, &probe);
}

static void serve_startup(struct admin_client *client)
{
    struct probe probe;
    probe_started(&client->overview, &probe);
    answer_probe(client, &probe);
}

static void serve_ready(struct admin_client *client)
{
    struct probe probe;
    probe_ready(&client->overview, &probe);
    answer_probe(client, &probe);
}

/* ---- pages ---- */

static void wait_for_turn(struct admin_client *client)
{
    struct admin *admin = client->admin;
    client->next = NULL;
    client->is_waiting = true;
    *admin->last_waiting = client;
    admin->last_waiting = &client->next;
    timer_set(timers_of(admin), &admin->piece, 0); /* at once, but in the loop's next turn */
}

static void stop_waiting(struct admin_client *client)
{
    struct admin *admin = client->admin;
    struct admin_client **at = &admin->waiting;
    if (!client->is_waiting)
        return;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    if (!client->next)
        admin->last_waiting = at;
    client->is_waiting = false;
}

/* The client has taken the last piece. */
static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    wait_for_turn(H2O_STRUCT_FROM_MEMBER(struct admin_client, generator, generator));
}

/* One piece for the one who has waited longest. */
static void on_piece(void *owner)
{
    struct admin *admin = owner;
    struct admin_client *client = admin->waiting;
    stop_waiting(client);
    if (admin->waiting)
        timer_set(timers_of(admin), &admin->piece, 0);
    size_t n = page_write(&client->page, client->buffer, admin->buffer_bytes);
    h2o_iovec_t piece = h2o_iovec_init(client->buffer, n);
    h2o_send(client->req, &piece, 1,
        page_is_done(&client->page) ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void serve_page(struct admin_client *client, const struct page_kind *kind)
{
    fill_head(client, 200, kind->content_type, SIZE_MAX);
    h2o_start_response(client->req, &client->generator);
    if (is_method(client->req, "HEAD")) {
        h2o_send(client->req, NULL, 0, H2O_SEND_STATE_FINAL);
        return;
    }
    page_begin(&client->page, kind, &client->overview, &client->admin->tally);
    wait_for_turn(client);
}

static void serve_stats(struct admin_client *client)
{
    serve_page(client, &stats_page);
}

static void serve_metrics(struct admin_client *client)
{
    serve_page(client, &metrics_page);
}

/* ---- the dashboard ---- */

static void serve_dashboard(struct admin_client *client)
{
    add_field(client->req, "Content-Security-Policy", dashboard_policy);
    add_field(client->req, "Referrer-Policy", "no-referrer");
    answer_with(client, 200, "text/html; charset=utf-8",
        h2o_iovec_init(dashboard_page, dashboard_page_bytes));
}

/* ---- requests ---- */

static const struct route {
    const char *path;
    void (*serve)(struct admin_client *client);
    bool is_probe; /* its verdict is for everybody */
} routes[] = {
    {"/__stats/", serve_stats, false},
    {"/__stats", serve_stats, false},
    {"/__dashboard", serve_dashboard, false},
    {"/metrics", serve_metrics, false},
    {"/__live", serve_live, true},
    {"/__startup", serve_startup, true},
    {"/__ready", serve_ready, true},
};

static const struct route *route_of(struct slice path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (slice_equals(path, slice_of(routes[i].path)))
            return &routes[i];
    return NULL;
}

/* Lives in the request's memory, so that its end is heard of. */
struct end {
    struct admin_client *client;
};

static void on_dispose(void *memory)
{
    struct admin_client *client = ((struct end *)memory)->client;
    stop_waiting(client);
    client->req = NULL;
    timer_set(timers_of(client->admin), &client->timer, clock_now_ns() + ADMIN_IDLE_NS);
}

/* The only one of its name; nothing when there are more. */
static struct slice authorization_of(const h2o_req_t *req)
{
    const h2o_headers_t *fields = &req->headers;
    ssize_t at = h2o_find_header(fields, H2O_TOKEN_AUTHORIZATION, -1);
    if (at < 0 || h2o_find_header(fields, H2O_TOKEN_AUTHORIZATION, at) >= 0)
        return (struct slice){0};
    return (struct slice){
        .at = fields->entries[at].value.base, .len = fields->entries[at].value.len};
}

static void serve(struct admin_client *client)
{
    const struct route *route = route_of(client->head.path);
    if (client->clearance == CLEARANCE_MISDIRECTED)
        refuse(client, PROBLEM_MISDIRECTED, "Without a token, Host is an address or localhost.");
    else if (client->clearance != CLEARANCE_ALL && !(route && route->is_probe))
        refuse_stranger(client);
    else if (!is_method(client->req, "GET") && !is_method(client->req, "HEAD"))
        refuse_method(client);
    else if (!route)
        refuse(client, PROBLEM_NOT_FOUND, "");
    else {
        overview_make(&client->overview, client->admin->front);
        route->serve(client);
    }
}

/* The bytes that the library parsed stand at the front of the socket's buffer. */
static void receive(struct admin_client *client, int refusal)
{
    const h2o_buffer_t *input = client->socket->input;
    struct admin *admin = client->admin;
    enum guard_outcome outcome = guard_read(
        input->bytes, input->size, admin->front->config->max_header_bytes, &client->head);
    if (outcome != GUARD_OK) {
        refuse_form(client,
            guard_status(outcome) == 431 ? PROBLEM_HEAD_TOO_LARGE : PROBLEM_MALFORMED_REQUEST,
            guard_sentence(outcome));
        return;
    }
    if (client->head.length || client->head.is_chunked || refusal) {
        refuse_form(client, PROBLEM_MALFORMED_REQUEST, "A request here has no body.");
        return;
    }
    client->clearance =
        clearance_of(&admin->rule, client->head.host, authorization_of(client->req));
    serve(client);
}

static void on_close(void *data)
{
    struct admin_client *client = data;
    struct admin *admin = client->admin;
    timer_clear(timers_of(admin), &client->timer);
    client->socket = NULL;
    client->next = admin->free;
    admin->free = client;
    admin_accept(admin);
}

static void on_request(void *owner, h2o_req_t *req, int refusal)
{
    h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
    struct admin_client *client = socket->on_close.data;
    struct end *end = h2o_mem_alloc_shared(&req->pool, sizeof(*end), on_dispose);
    end->client = client;
    client->req = req;
    client->generator = (h2o_generator_t){.proceed = on_proceed};
    timer_set(timers_of(client->admin), &client->timer, clock_now_ns() + ADMIN_SERVING_NS);
    receive(client, refusal);
}

/* ---- connections ---- */

/* The library notices, and closes it. */
static void shut(struct admin_client *client)
{
    (void)shutdown(
        h2o_socket_get_fd(client->socket), SHUT_RDWR); /* fails when its peer was quicker */
}

static void on_time_up(void *owner)
{
    shut(owner);
}

static void let_in(struct admin *admin, h2o_socket_t *socket)
{
    struct admin_client *client = admin->free;
    admin->free = client->next;
    client->socket = socket;
    socket->on_close.cb = on_close;
    socket->on_close.data = client;
    timer_set(timers_of(admin), &client->timer, clock_now_ns() + ADMIN_SERVING_NS);
    h2o_accept(&admin->library.accept, socket);
}

/* One in a turn: whoever waits has waited in the kernel's line, and goes on to. */
static void on_acceptable(h2o_socket_t *listener, const char *error)
{
    struct admin *admin = listener->data;
    h2o_socket_t *socket = admin->free ? h2o_evloop_socket_accept(listener) : NULL;
    if (socket)
        let_in(admin, socket);
    if (!admin->free)
        h2o_socket_read_stop(listener);
}

void admin_accept(struct admin *admin)
{
    if (admin->listener && !h2o_socket_is_reading(admin->listener))
        h2o_socket_read_start(admin->listener, on_acceptable);
}

int admin_listen(struct admin *admin, struct front *front, int fd)
{
    admin->front = front;
    admin->buffer_bytes = page_buffer_bytes(overview_longest_name(&front->plan));
    admin->last_waiting = &admin->waiting;
    timer_init(&admin->piece, on_piece, admin);
    for (size_t i = 0; i < ADMIN_MAX_CLIENTS; i++) {
        struct admin_client *client = &admin->clients[i];
        *client = (struct admin_client){
            .admin = admin, .buffer = malloc(admin->buffer_bytes), .next = admin->free};
        if (!client->buffer)
            return -ENOMEM;
        timer_init(&client->timer, on_time_up, client);
        admin->free = client;
    }
    library_init(&admin->library, front->loop.events,
        &(struct library_use){.on_request = on_request, .owner = admin});
    admin->rule =
        (struct clearance_rule){.token = slice_of_plan(&front->plan, front->config->admin_token),
            .is_tcp = !server_is_unix(fd)};
    admin->listener = loop_watch(&front->loop, fd, on_acceptable, admin);
    h2o_socket_read_stop(admin->listener);
    return 0;
}

void admin_leave(struct admin *admin)
{
    if (!admin->listener)
        return;
    h2o_socket_close(STEAL(admin->listener));
    admin->is_leaving = true;
    for (size_t i = 0; i < ADMIN_MAX_CLIENTS; i++)
        if (admin->clients[i].socket && !admin->clients[i].req)
            shut(&admin->clients[i]);
}
