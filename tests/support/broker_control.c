/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/broker_control.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/support/require.h"

#define CONTROL_NAME "LEVERET_TEST_BROKER_CONTROL"
#define AMQP_PORT "LEVERET_TEST_AMQP_PORT_%d"
#define TLS_PORT "LEVERET_TEST_AMQPS_PORT_%d"
#define CERTIFICATES "LEVERET_TEST_CERTIFICATES_%d"
#define HTTP_PORT "LEVERET_TEST_MANAGEMENT_PORT_%d"

struct request {
    uint8_t action, node;
};

static int turned_to;

static socklen_t control_address(struct sockaddr_un *address, const char *name)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "%s", name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static void set_env(const char *name, const char *value)
{
    require(setenv(name, value, 1) == 0, "setenv %s", name);
}

static const char *get_env(const char *name)
{
    const char *value = getenv(name);
    require(value != NULL, "%s is not set: run this under with_broker", name);
    return value;
}

static void set_number(const char *name, long number)
{
    autofree char *text = format_text("%ld", number);
    set_env(name, text);
}

int broker_control_listen(void)
{
    autofree char *name = format_text("leveret-test-broker-%d", (int)getpid());
    struct sockaddr_un address;
    socklen_t size = control_address(&address, name);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    require(bind(fd, (struct sockaddr *)&address, size) == 0, "bind %s", name);
    require(listen(fd, SOMAXCONN) == 0, "listen");
    set_env(CONTROL_NAME, name);
    return fd;
}

void broker_control_export(struct broker *const *nodes, int n_nodes)
{
    for (int i = 0; i < n_nodes; i++) {
        autofree char *amqp = format_text(AMQP_PORT, i), *http = format_text(HTTP_PORT, i);
        set_number(amqp, broker_amqp_port(nodes[i]));
        autofree char *tls = format_text(TLS_PORT, i), *folder = format_text(CERTIFICATES, i);
        set_number(http, broker_management_port(nodes[i]));
        set_number(tls, broker_tls_port(nodes[i]));
        set_env(folder, broker_folder(nodes[i]));
    }
    autofree char *url = format_text("amqp://guest:guest@127.0.0.1:%u", broker_amqp_port(nodes[0]));
    set_env("AMQP_URL", url);
    set_number("BROKER_PID", broker_pid(nodes[0]));
}

void broker_control_serve(int listener, struct broker *const *nodes, int n_nodes)
{
    static void (*const actions[BROKER_N_ACTIONS])(struct broker *) = {
        [BROKER_START] = broker_start,
        [BROKER_STOP] = broker_stop,
        [BROKER_KILL] = broker_kill,
        [BROKER_FREEZE] = broker_freeze,
        [BROKER_THAW] = broker_thaw,
        [BROKER_RESTORE] = broker_restore,
    };
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    require(fd >= 0, "accept");
    struct request request;
    if (recv(fd, &request, sizeof request, 0) == sizeof request) {
        require(request.action < BROKER_N_ACTIONS, "no such action: %u", request.action);
        require(request.node < n_nodes, "no such node: %u", request.node);
        actions[request.action](nodes[request.node]);
        (void)send(fd, &request, sizeof request, MSG_NOSIGNAL); /* a test that is gone needs none */
    }
    (void)close(fd); /* of a socket: nothing to lose */
}

void broker_turn_to(int node)
{
    turned_to = node;
}

void broker_do(enum broker_action action)
{
    struct sockaddr_un address;
    socklen_t size = control_address(&address, get_env(CONTROL_NAME));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    require(connect(fd, (struct sockaddr *)&address, size) == 0, "connect to with_broker");
    struct request request = {.action = (uint8_t)action, .node = (uint8_t)turned_to};
    require(send(fd, &request, sizeof request, MSG_NOSIGNAL) == sizeof request, "ask with_broker");
    require(recv(fd, &request, sizeof request, 0) == sizeof request,
        "with_broker failed at action %d", action);
    (void)close(fd); /* of a socket: nothing to lose */
}

static uint16_t port_named(char *name)
{
    autofree char *owned = name;
    return (uint16_t)atoi(get_env(owned));
}

uint16_t broker_port(void)
{
    return port_named(format_text(AMQP_PORT, turned_to));
}

uint16_t broker_amqps_port(void)
{
    return port_named(format_text(TLS_PORT, turned_to));
}

const char *broker_certificates(void)
{
    autofree char *name = format_text(CERTIFICATES, turned_to);
    return get_env(name);
}

uint16_t broker_http_port(void)
{
    return port_named(format_text(HTTP_PORT, turned_to));
}
