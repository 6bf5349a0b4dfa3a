/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ceiling BODY_BYTES: the least that HTTP with libh2o can cost. It answers every POST as a confirmed
 * publish is answered and every GET with a body of that size, both from memory and at once, on a free
 * port of 127.0.0.1 that is the one line on stdout. It ends at the end of its stdin.
 */
#include <arpa/inet.h>
#include <h2o.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/require.h"

enum { MAX_ENTITY_BYTES = 64 << 20 };

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accepting = {.ctx = &context, .hosts = NULL};
static h2o_iovec_t message;

struct field {
    const char *name, *value;
};

static void add_fields(h2o_req_t *request, const struct field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        h2o_add_header_by_str(&request->pool, &request->res.headers, fields[i].name,
            strlen(fields[i].name), 1, NULL, fields[i].value, strlen(fields[i].value));
    }
}

/* With the fields of the sidecar's own answers, so that both write and wrk reads the same. */
static int on_request(h2o_handler_t *self, h2o_req_t *request)
{
    static h2o_generator_t generator;
    static const struct field fields[] = {{"x-krakend-completed", "true"},
        {"x-leveret-outcome", "delivered"}, {"cache-control", "no-store"},
        {"content-type", "application/json; charset=utf-8"},
        {"x-message-id", "00000000-0000-0000-0000-000000000000"}};
    bool is_get = h2o_memis(request->method.base, request->method.len, H2O_STRLIT("GET"));
    h2o_iovec_t body = is_get ? message : h2o_iovec_init(H2O_STRLIT("{}"));
    request->res.status = 200;
    request->res.reason = "OK";
    request->res.content_length = body.len;
    add_fields(request, fields, is_get ? 3 : sizeof fields / sizeof *fields);
    h2o_start_response(request, &generator);
    h2o_send(request, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    h2o_socket_t *socket;
    while (error == NULL && (socket = h2o_evloop_socket_accept(listener)) != NULL)
        h2o_accept(&accepting, socket);
}

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&name, size) == 0 && listen(fd, SOMAXCONN) == 0,
        "no listener");
    require(getsockname(fd, (struct sockaddr *)&name, &size) == 0, "getsockname");
    *port = ntohs(name.sin_port);
    return fd;
}

static void on_input(h2o_socket_t *input, const char *error)
{
    exit(0);
}

static void set_up(size_t n_body)
{
    message = (h2o_iovec_t){.base = malloc(n_body + 1), .len = n_body};
    require(message.base != NULL, "malloc");
    memset(message.base, 'x', n_body);
    h2o_config_init(&config);
    config.max_request_entity_size = MAX_ENTITY_BYTES;
    h2o_hostconf_t *host =
        h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&context, h2o_evloop_create(), &config);
    accepting.hosts = config.hosts;
}

int main(int argc, char **argv)
{
    uint16_t port;
    require(argc == 2, "usage: ceiling BODY_BYTES");
    set_up(strtoul(argv[1], NULL, 10));
    h2o_socket_t *listener =
        h2o_evloop_socket_create(context.loop, listen_anywhere(&port), H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_accept);
    h2o_socket_t *input = h2o_evloop_socket_create(context.loop, STDIN_FILENO, 0);
    h2o_socket_read_start(input, on_input);
    require(printf("%u\n", port) > 0 && fflush(stdout) == 0, "stdout");
    for (;;)
        (void)h2o_evloop_run(context.loop, INT32_MAX); /* -1 is a signal: no reason to end */
}
