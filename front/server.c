/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "shm/clock.h"
#include "shm/log.h"

#include "front.h"
#include "intake.h"
#include "tls.h"

enum {
    ACCEPTS_A_TURN = 64,
    RECEIVE_BUFFER_BYTES = 64 << 10, /* what a client may send ahead while it waits */
};

#define PAUSE_NS (100 * CLOCK_MS)

static void on_request(void *owner, h2o_req_t *req, int refusal)
{
    intake_serve(owner, req, refusal);
}

/* Is it the fault of the one who would have come? Then the next one may do (accept(2), errors). */
static bool is_of_one_client(int error)
{
    static const int errors[] = {ECONNABORTED, EINTR, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT,
        EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (error == errors[i])
            return true;
    return false;
}

static void pause_listeners(struct server *server, int error)
{
    uint64_t now_ns = clock_now_ns();
    figure_add(&server->front->books.own.front->accept_pauses, 1);
    for (uint32_t i = 0; i < server->n_listeners; i++)
        h2o_socket_read_stop(server->listeners[i].socket);
    timer_set(&server->front->loop.timers, &server->pause, now_ns + PAUSE_NS);
    log_often(LOG_WARN, "accept-paused", NULL,
        "connections=%u reason=\"%s\": nobody is let in for a moment",
        server->front->connections.n_open, strerror(error));
}

static void on_pause_over(void *owner)
{
    server_accept(owner);
}

/* One client. Can there be another? */
static bool accept_one(struct server_listener *listener)
{
    struct server *server = listener->server;
    struct connections *connections = &server->front->connections;
    if (connections_are_full(connections)) {
        h2o_socket_read_stop(listener->socket); /* the rest waits in the kernel's queue */
        return false;
    }
    h2o_socket_t *socket = h2o_evloop_socket_accept(listener->socket);
    if (socket) {
        (void)connection_open(connections, socket); /* the socket knows it */
        figure_add(&server->front->books.own.front->connections_accepted, 1);
        h2o_accept(listener->accept, socket);
        return true;
    }
    if (is_of_one_client(errno))
        return true;
    if (errno != EAGAIN)
        pause_listeners(server, errno);
    return false;
}

static void on_acceptable(h2o_socket_t *socket, const char *error)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++)
        if (!accept_one(socket->data))
            return;
}

static SSL_CTX *tls_of(const struct front *front)
{
    const char *complaint;
    if (!front->config->tls.count)
        return NULL;
    SSL_CTX *tls = tls_new(&front->plan, plan_items(&front->plan, front->config->tls), &complaint);
    if (!tls)
        log_fatal("tls", "reason=\"%s\": HTTPS cannot be served", complaint);
    return tls;
}

void server_init(struct server *server, struct front *front)
{
    server->front = front;
    timer_init(&server->pause, on_pause_over, server);
    library_init(&server->library, front->loop.events,
        &(struct library_use){.on_request = on_request,
            .owner = front,
            .max_body = front_largest_body(front),
            .tls = tls_of(front)});
}

bool server_is_unix(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof(address);
    (void)getsockname(fd, (struct sockaddr *)&address, &n); /* fails: it is none */
    return address.ss_family == AF_UNIX;
}

void server_listen(struct server *server, int fd)
{
    struct library *library = &server->library;
    /* who reaches a unix socket is on this machine, by the rights of its file */
    bool has_tls = library->accept_tls.ssl_ctx && !server_is_unix(fd);
    assert(server->n_listeners < CONTROL_MAX_LISTENERS);
    struct server_listener *listener = &server->listeners[server->n_listeners++];
    /* accepted sockets inherit it; a refusal leaves the kernel's own bound */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){RECEIVE_BUFFER_BYTES}, sizeof(int));
    *listener = (struct server_listener){.server = server,
        .socket = loop_watch(&server->front->loop, fd, on_acceptable, listener),
        .accept = has_tls ? &library->accept_tls : &library->accept};
    h2o_socket_read_stop(listener->socket);
}

void server_accept(struct server *server)
{
    server->is_accepting = true;
    for (uint32_t i = 0; i < server->n_listeners; i++)
        if (!h2o_socket_is_reading(server->listeners[i].socket))
            h2o_socket_read_start(server->listeners[i].socket, on_acceptable);
}

/* Who stands in the line of a socket that nobody else listens on would be turned away. */
static void accept_the_last(struct server_listener *listener)
{
    while (listener->server->is_accepting && accept_one(listener))
        ;
}

void server_drain(struct server *server)
{
    for (uint32_t i = 0; i < server->n_listeners; i++)
        accept_the_last(&server->listeners[i]);
    timer_clear(&server->front->loop.timers, &server->pause);
    while (server->n_listeners > 0)
        h2o_socket_close(server->listeners[--server->n_listeners].socket);
    h2o_context_request_shutdown(&server->library.context);
}
