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
#define AMQP_PORT "LEVERET_TEST_AMQP_PORT"
#define HTTP_PORT "LEVERET_TEST_MANAGEMENT_PORT"

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

void broker_control_export(const struct broker *broker)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%u", broker_amqp_port(broker));
    set_env(AMQP_PORT, port);
    autofree char *url = format_text("amqp://guest:guest@127.0.0.1:%s", port);
    set_env("AMQP_URL", url);
    (void)snprintf(port, sizeof port, "%u", broker_management_port(broker));
    set_env(HTTP_PORT, port);
    (void)snprintf(port, sizeof port, "%d", (int)broker_pid(broker));
    set_env("BROKER_PID", port);
}

void broker_control_serve(int listener, struct broker *broker)
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
    uint8_t action;
    if (recv(fd, &action, 1, 0) == 1) {
        require(action < BROKER_N_ACTIONS, "no such action: %u", action);
        actions[action](broker);
        (void)send(fd, &action, 1, MSG_NOSIGNAL); /* a test that is gone needs no answer */
    }
    (void)close(fd); /* of a socket: nothing to lose */
}

void broker_do(enum broker_action action)
{
    struct sockaddr_un address;
    socklen_t size = control_address(&address, get_env(CONTROL_NAME));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    require(connect(fd, (struct sockaddr *)&address, size) == 0, "connect to with_broker");
    uint8_t byte = (uint8_t)action;
    require(send(fd, &byte, 1, MSG_NOSIGNAL) == 1, "ask with_broker");
    require(recv(fd, &byte, 1, 0) == 1, "with_broker failed at action %d", action);
    (void)close(fd); /* of a socket: nothing to lose */
}

uint16_t broker_port(void)
{
    return (uint16_t)atoi(get_env(AMQP_PORT));
}

uint16_t broker_http_port(void)
{
    return (uint16_t)atoi(get_env(HTTP_PORT));
}
