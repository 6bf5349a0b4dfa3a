/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "shm/clock.h"

#include "answer.h"
#include "problem.h"

enum { SWEEP_MIN_MS = 10, SWEEP_MAX_MS = 50, SWEEPS_PER_TIMEOUT = 8 };

/* A client that is in the middle of something sends the next request sooner than this. */
#define DRAIN_IDLE_NS CLOCK_S

/* Above this fraction of the budget the sweep looks as often as it can. */
enum { WATCHFUL = 8 };

/* The library doubles a buffer that grows, so a body may take twice its size. */
enum { BUDGET_BODIES = 4, BUDGET_HEADS_BYTES = 4 << 20 };

static void on_sweep(void *owner);

int connections_init(struct connections *all, const struct plan_front *plan, uint32_t max_open,
    struct deadlines *timers, uint64_t largest_body)
{
    struct connection *items = calloc(max_open, sizeof(*items));
    if (!items)
        return -ENOMEM;
    for (uint32_t i = 0; i + 1 < max_open; i++)
        items[i].next = &items[i + 1];
    *all = (struct connections){.items = items,
        .free = items,
        .timers = timers,
        .plan = plan,
        .max_open = max_open,
        .idle_ns = plan->idle_timeout_ns,
        .silent_ns = plan->idle_timeout_ns,
        .budget_bytes = BUDGET_BODIES * largest_body + BUDGET_HEADS_BYTES};
    all->open.next = all->open.prev = &all->open;
    timer_init(&all->sweep, on_sweep, all);
    return 0;
}

void connections_allow(struct connections *all, uint64_t bytes)
{
    if (all->budget_bytes < bytes)
        all->budget_bytes = bytes;
}

/* ---- the life of one ---- */

/* Nobody is left to be looked at; the heap may have something to give back. */
static void rest(struct connections *all)
{
    timer_set(all->timers, &all->sweep, heap_look(&all->heap, 0, clock_now_ns()));
}

static void on_close(void *data)
{
    struct connection *connection = data;
    struct connections *all = connection->all;
    connection->prev->next = connection->next;
    connection->next->prev = connection->prev;
    connection->next = all->free;
    all->free = connection;
    if (--all->n_open == 0)
        rest(all);
    all->on_room(all->owner);
}

/* The peer's address without its port; empty for a unix socket. */
static void peer_read(struct connection *connection)
{
    struct sockaddr_storage address;
    char text[NI_MAXHOST];
    static const char mapped[] = "::ffff:"; /* IPv4 on a listener for both (RFC 4291, 2.5.5.2) */
    socklen_t n = h2o_socket_getpeername(connection->socket, (struct sockaddr *)&address);
    if (!n || (address.ss_family != AF_INET && address.ss_family != AF_INET6))
        return;
    size_t length = h2o_socket_getnumerichost((struct sockaddr *)&address, n, text);
    if (length == SIZE_MAX || length > CONNECTION_PEER_BYTES)
        return;
    bool is_mapped = strncmp(text, mapped, sizeof(mapped) - 1) == 0 && strchr(text, '.');
    size_t skip = is_mapped ? sizeof(mapped) - 1 : 0;
    memcpy(connection->peer, text + skip, length - skip);
    connection->n_peer_bytes = (uint8_t)(length - skip);
}

static uint64_t sweep_ns(const struct plan_front *plan)
{
    uint64_t least = plan->idle_timeout_ns;
    const uint64_t others[] = {
        plan->read_header_timeout_ns, plan->read_timeout_ns, plan->write_timeout_ns};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (others[i] < least)
            least = others[i];
    least /= SWEEPS_PER_TIMEOUT;
    if (least < SWEEP_MIN_MS * CLOCK_MS)
        return SWEEP_MIN_MS * CLOCK_MS;
    return least > SWEEP_MAX_MS * CLOCK_MS ? SWEEP_MAX_MS * CLOCK_MS : least;
}

struct connection *connection_open(struct connections *all, h2o_socket_t *socket)
{
    assert(!connections_are_full(all));
    struct connection *connection = all->free;
    all->free = connection->next;
    *connection = (struct connection){.socket = socket,
        .all = all,
        .next = &all->open,
        .prev = all->open.prev,
        .since_ns = clock_now_ns()};
    all->open.prev->next = connection;
    all->open.prev = connection;
    socket->on_close.cb = on_close;
    socket->on_close.data = connection;
    peer_read(connection);
    if (all->n_open++ == 0)
        timer_set(all->timers, &all->sweep, connection->since_ns + sweep_ns(all->plan));
    return connection;
}

struct connection *connection_of(h2o_socket_t *socket)
{
    assert(socket->on_close.cb == on_close);
    return socket->on_close.data;
}

void connection_serve(struct connection *connection, struct visit *visit)
{
    connection->visit = visit;
    connection->phase = CONNECTION_IDLE;
    if (visit)
        return;
    connection->since_ns = clock_now_ns();
    connection->was_served = true;
}

void connection_shut(struct connection *connection)
{
    connection->is_shut = true;
    /* fails when the peer has ended it already: then the library knows, or will */
    (void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

/* Answer by hand: the library cannot before it has the whole request. */
static void refuse(struct connection *connection, const struct problem *problem)
{
    enum { HEAD_BYTES = 384, BODY_BYTES = 1024, RETRY_BYTES = 32 };
    char text[HEAD_BYTES + BODY_BYTES], body[BODY_BYTES];
    assert(problem_max_bytes(problem) <= BODY_BYTES);
    size_t n_body = problem_write(problem, body);
    int status = problem_status(problem->kind);
    char retry[RETRY_BYTES] = "";
    if (problem->retry_after_s)
        (void)snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", problem->retry_after_s);
    int n = snprintf(text, sizeof(text),
        "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: " PROBLEM_CONTENT_TYPE
        "\r\nX-Krakend-Completed: false\r\n" ANSWER_OUTCOME
        ": %s\r\nCache-Control: no-store\r\n%sContent-Length: %zu\r\n\r\n%.*s",
        status, answer_reason(status), problem_name(problem->kind), retry, n_body, (int)n_body,
        body);
    if (!connection->socket->ssl && !h2o_socket_is_writing(connection->socket)) {
        int fd = h2o_socket_get_fd(connection->socket);
        (void)send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL); /* a courtesy */
    }
    connection->all->on_refused(connection->all->owner, connection, problem->kind);
    connection_shut(connection);
}

/* ---- the other end ---- */

/* After a fault nothing is written any more, and nobody is told. */
static bool is_broken(const SSL *session)
{
    return session && SSL_in_init(session);
}

enum peer_state connection_peer_state(const struct connection *connection)
{
    if (is_broken(connection->session))
        return PEER_GONE;
    struct pollfd poll_fd = {.fd = h2o_socket_get_fd(connection->socket), .events = POLLRDHUP};
    if (poll(&poll_fd, 1, 0) < 0)
        poll_fd.revents = 0; /* interrupted: nothing was seen */
    if (poll_fd.revents & (POLLERR | POLLNVAL))
        return PEER_GONE;
    if (connection->is_ended) /* POLLHUP would say no more than that the peer has ended too */
        return PEER_LEAVING;
    if (poll_fd.revents & POLLHUP)
        return PEER_GONE;
    return poll_fd.revents & POLLRDHUP ? PEER_LEAVING : PEER_THERE;
}

bool connection_can_ask(const struct connection *connection)
{
    return !connection->socket->ssl;
}

void connection_ask(struct connection *connection)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const size_t n = sizeof(interim) - 1;
    assert(connection_can_ask(connection));
    if (h2o_socket_is_writing(connection->socket))
        return;
    int fd = h2o_socket_get_fd(connection->socket);
    ssize_t n_sent = send(fd, interim, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n_sent > 0 && (size_t)n_sent < n)
        connection_shut(connection); /* what follows half a line would be nonsense */
}

void connection_end(struct connection *connection)
{
    if (connection->socket->ssl)
        return; /* the library says so, in the words of TLS, when it closes */
    connection->is_ended = true;
    /* fails when the peer has reset it, which its state tells */
    (void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_WR);
}

size_t connection_unacknowledged(const struct connection *connection)
{
    int n = 0;
    if (ioctl(h2o_socket_get_fd(connection->socket), SIOCOUTQ, &n) < 0)
        return 0;
    return n > 0 ? (size_t)n : 0;
}

/* ---- the sweep ---- */

static enum connection_phase phase_now(const struct connection *connection)
{
    const h2o_buffer_t *input = connection->socket->input;
    if (h2o_socket_is_writing(connection->socket))
        return CONNECTION_WRITING;
    if (!input->size)
        return CONNECTION_IDLE;
    if (connection->phase == CONNECTION_BODY || memmem(input->bytes, input->size, "\r\n\r\n", 4))
        return CONNECTION_BODY;
    return CONNECTION_HEAD;
}

static uint64_t timeout_of(const struct connection *connection, enum connection_phase phase)
{
    const struct connections *all = connection->all;
    const struct plan_front *plan = all->plan;
    switch (phase) {
    case CONNECTION_HEAD:
        return plan->read_header_timeout_ns;
    case CONNECTION_BODY:
        return plan->read_timeout_ns;
    case CONNECTION_WRITING:
        return plan->write_timeout_ns;
    default:
        break;
    }
    if (connection->was_served)
        return all->idle_ns;
    return connection->socket->ssl && plan->read_header_timeout_ns < all->silent_ns
               ? plan->read_header_timeout_ns
               : all->silent_ns;
}

static void phase_enter(struct connection *connection, enum connection_phase phase, uint64_t now_ns)
{
    const struct connections *all = connection->all;
    const h2o_buffer_t *input = connection->socket->input;
    if (phase == connection->phase)
        return;
    connection->phase = phase;
    connection->since_ns = now_ns;
    if (phase == CONNECTION_BODY)
        connection->most_bytes = all->bound(all->owner, input->bytes, input->size);
}

/* Has a request arrived that the library has not read yet? It will, in this turn. */
static bool has_more(const struct connection *connection)
{
    int n = 0;
    return ioctl(h2o_socket_get_fd(connection->socket), FIONREAD, &n) == 0 && n > 0;
}

static void sweep_phase(struct connection *connection, uint64_t now_ns)
{
    const struct connections *all = connection->all;
    enum connection_phase phase = phase_now(connection);
    size_t n_bytes = connection->socket->input->size;
    phase_enter(connection, phase, now_ns);
    bool is_due = now_ns - connection->since_ns >= timeout_of(connection, phase);
    if (phase == CONNECTION_HEAD && n_bytes > all->plan->max_header_bytes)
        refuse(connection, &(struct problem){.kind = PROBLEM_HEAD_TOO_LARGE});
    else if (phase == CONNECTION_BODY && n_bytes > connection->most_bytes)
        refuse(connection, &(struct problem){.kind = PROBLEM_BODY_TOO_LARGE});
    else if (!is_due || (phase == CONNECTION_IDLE && has_more(connection)))
        return;
    else if (phase == CONNECTION_HEAD || phase == CONNECTION_BODY)
        refuse(connection, &(struct problem){.kind = PROBLEM_REQUEST_TIMEOUT});
    else
        connection_shut(connection);
}

/* Bytes that the library holds for what it reads or has read. */
static uint64_t held_bytes(const struct connection *connection)
{
    const h2o_buffer_t *input = connection->socket->input;
    return input->size ? input->capacity : 0;
}

/* Those of them for what it is still reading. */
static uint64_t reading_bytes(const struct connection *connection)
{
    return connection->visit || connection->is_shut ? 0 : held_bytes(connection);
}

/* Refuse those that hold more than an equal share of the budget until the rest fits: what is shut
 * is let go of in this turn. */
static void refuse_greedy(struct connections *all, uint64_t total_bytes, uint32_t n_reading)
{
    uint64_t share_bytes = all->budget_bytes / n_reading;
    for (struct connection *c = all->open.next; c != &all->open; c = c->next) {
        uint64_t bytes = reading_bytes(c);
        if (total_bytes <= all->budget_bytes)
            return;
        if (bytes <= share_bytes)
            continue;
        total_bytes -= bytes;
        refuse(
            c, &(struct problem){.kind = PROBLEM_BUSY,
                   .detail = slice_of("The bodies that are being received are too much together."),
                   .retry_after_s = 1});
    }
}

static void sweep_one(struct connection *connection, uint64_t now_ns)
{
    const struct connections *all = connection->all;
    if (connection->is_shut)
        return;
    if (connection->visit)
        all->on_visit(connection->visit, now_ns);
    else
        sweep_phase(connection, now_ns);
}

/* Returns when to look again, in nanoseconds from now. */
static uint64_t sweep(struct connections *all, uint64_t now_ns)
{
    uint64_t total_bytes = 0, total_held_bytes = 0;
    uint32_t n_reading = 0;
    for (struct connection *c = all->open.next, *next; c != &all->open; c = next) {
        next = c->next;
        sweep_one(c, now_ns);
        uint64_t bytes = reading_bytes(c);
        total_bytes += bytes;
        total_held_bytes += held_bytes(c);
        n_reading += bytes > 0;
    }
    (void)heap_look(&all->heap, total_held_bytes, now_ns); /* the next sweep is soon enough */
    if (total_bytes > all->budget_bytes)
        refuse_greedy(all, total_bytes, n_reading);
    return total_bytes > all->budget_bytes / WATCHFUL ? SWEEP_MIN_MS * CLOCK_MS
                                                      : sweep_ns(all->plan);
}

static void on_sweep(void *owner)
{
    struct connections *all = owner;
    uint64_t now_ns = clock_now_ns();
    uint64_t pause_ns = sweep(all, now_ns);
    if (all->n_open)
        timer_set(all->timers, &all->sweep, now_ns + pause_ns);
}

static void drain(struct connections *all, uint64_t idle_ns, uint64_t silent_ns)
{
    all->is_draining = true;
    all->idle_ns = idle_ns < all->idle_ns ? idle_ns : all->idle_ns;
    all->silent_ns = silent_ns < all->silent_ns ? silent_ns : all->silent_ns;
    on_sweep(all);
}

void connections_drain(struct connections *all)
{
    drain(all, DRAIN_IDLE_NS, all->plan->read_header_timeout_ns);
}

void connections_last_call(struct connections *all)
{
    drain(all, 0, 0);
}
