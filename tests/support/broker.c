/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/broker.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/certificates.h"
#include "tests/support/child.h"
#include "tests/support/folder.h"
#include "tests/support/port.h"
#include "tests/support/require.h"

#define SERVER "/usr/lib/rabbitmq/bin/rabbitmq-server"
#define EPMD "/usr/bin/epmd"

enum { START_MS = 60000, STOP_MS = 60000, LOOK_AGAIN_MS = 20, GREETING_MS = 2000 };

struct broker {
    char *folder, *home; /* home: with the cookie that a cluster has in common */
    uint16_t amqp_port, tls_port, management_port, epmd_port, distribution_port;
    struct child epmd; /* Erlang's name server, which would otherwise outlive the node */
    struct child node;
    size_t log_bytes; /* of node.log, when the node was started last */
};

/* The first start of a node makes it join the others that it is told of. */
static char *cluster_text(const struct broker *b, const struct broker *first)
{
    if (first == NULL)
        return format_text("%s", "");
    return format_text("cluster_formation.peer_discovery_backend = classic_config\n"
                       "cluster_formation.classic_config.nodes.1 = leveret-%u@localhost\n"
                       "cluster_formation.classic_config.nodes.2 = leveret-%u@localhost\n",
        first->amqp_port, b->amqp_port);
}

static void write_certificate(const struct broker *b, const struct authority *authority,
    const char *file, const struct certificate_order *order)
{
    struct certificate certificate;
    autofree char *pem = format_text("%s/%s.pem", b->folder, file);
    autofree char *key = format_text("%s/%s.key", b->folder, file);
    certificate_init(&certificate, authority, order);
    folder_write(pem, certificate.pem);
    folder_write(key, certificate.key_pem);
    certificate_done(&certificate);
}

static void write_certificates(const struct broker *b)
{
    struct authority authority;
    autofree char *file = format_text("%s/ca.pem", b->folder);
    authority_init(&authority, "Leveret's tests");
    folder_write(file, authority.pem);
    write_certificate(b, &authority, "broker",
        &(struct certificate_order){.name = "broker", .names = "DNS:localhost,IP:127.0.0.1"});
    write_certificate(b, &authority, "guest", &(struct certificate_order){.name = "guest"});
    write_certificate(b, &authority, "stranger", &(struct certificate_order){.name = "stranger"});
    authority_done(&authority);
}

static void write_configuration(const struct broker *b, const struct broker *first)
{
    autofree char *cluster = cluster_text(b, first);
    autofree char *plugins = format_text("%s/plugins", b->folder);
    folder_write(plugins, "[rabbitmq_management,rabbitmq_auth_mechanism_ssl].\n");
    autofree char *file = format_text("%s/rabbitmq.conf", b->folder);
    autofree char *text = format_text("listeners.tcp.1 = 127.0.0.1:%u\n"
                                      "listeners.ssl.1 = 127.0.0.1:%u\n"
                                      "ssl_options.cacertfile = %s/ca.pem\n"
                                      "ssl_options.certfile = %s/broker.pem\n"
                                      "ssl_options.keyfile = %s/broker.key\n"
                                      "ssl_options.verify = verify_peer\n"
                                      "ssl_options.fail_if_no_peer_cert = false\n"
                                      "auth_mechanisms.1 = PLAIN\n"
                                      "auth_mechanisms.2 = AMQPLAIN\n"
                                      "auth_mechanisms.3 = EXTERNAL\n"
                                      "ssl_cert_login_from = common_name\n"
                                      "management.tcp.ip = 127.0.0.1\n"
                                      "management.tcp.port = %u\n"
                                      "collect_statistics_interval = 500\n%s",
        b->amqp_port, b->tls_port, b->folder, b->folder, b->folder, b->management_port, cluster);
    folder_write(file, text);
}

static void start_epmd(struct broker *b)
{
    autofree char *port = format_text("%u", b->epmd_port);
    autofree char *log = format_text("%s/epmd.log", b->folder);
    child_start(
        &b->epmd, &(struct child_program){
                      .argv = (const char *[]){EPMD, "-port", port, "-address", "127.0.0.1", NULL},
                      .folder = b->folder,
                      .output = log,
                      .is_apart = true,
                  });
}

static struct broker *prepare(const struct broker *first)
{
    struct broker *b = calloc(1, sizeof *b);
    require(b != NULL, "no memory");
    require(access(SERVER, X_OK) == 0, "no RabbitMQ here: run tools/setup");
    b->folder = folder_new("leveret-broker");
    b->home = format_text("%s", first == NULL ? b->folder : first->home);
    b->amqp_port = port_reserve();
    b->tls_port = port_reserve();
    b->management_port = port_reserve();
    b->epmd_port = first == NULL ? port_reserve() : first->epmd_port;
    b->distribution_port = port_reserve();
    write_certificates(b);
    write_configuration(b, first);
    return b;
}

struct broker *broker_new(void)
{
    struct broker *b = prepare(NULL);
    start_epmd(b);
    broker_start(b);
    return b;
}

struct broker *broker_new_beside(const struct broker *first)
{
    struct broker *b = prepare(first);
    broker_start(b);
    return b;
}

/*
 * Direct child and nothing between: with RABBITMQ_ALLOW_INPUT the script becomes the Erlang machine
 * instead of waiting for it, so that the pid is the one to stop and to kill.
 */
static void start_node(struct broker *b)
{
    enum { N = 18, LENGTH = 512 };
    char text[N][LENGTH];
    const char *env[N + 1];
    size_t n = 0;
#define ENV(...) (void)snprintf(text[n], LENGTH, __VA_ARGS__), env[n] = text[n], n++
    ENV("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    ENV("LANG=C.UTF-8");
    ENV("HOME=%s", b->home);
    ENV("ERL_EPMD_PORT=%u", b->epmd_port);
    ENV("ERL_EPMD_ADDRESS=127.0.0.1");
    ENV("ERL_CRASH_DUMP=%s/erl_crash.dump", b->folder);
    ENV("RABBITMQ_CONF_ENV_FILE=%s/none", b->folder);
    ENV("RABBITMQ_NODENAME=leveret-%u@localhost", b->amqp_port);
    ENV("RABBITMQ_MNESIA_BASE=%s/data", b->folder);
    ENV("RABBITMQ_LOG_BASE=%s/log", b->folder);
    ENV("RABBITMQ_CONFIG_FILE=%s/rabbitmq.conf", b->folder);
    ENV("RABBITMQ_ENABLED_PLUGINS_FILE=%s/plugins", b->folder);
    ENV("RABBITMQ_DIST_PORT=%u", b->distribution_port);
    ENV("RABBITMQ_ALLOW_INPUT=1");
    ENV("RABBITMQ_SERVER_START_ARGS=-noinput");
    ENV("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}");
#undef ENV
    env[n] = NULL;
    autofree char *log = format_text("%s/node.log", b->folder);
    child_start(&b->node, &(struct child_program){
                              .argv = (const char *[]){SERVER, NULL},
                              .env = env,
                              .folder = b->folder,
                              .output = log,
                              .is_apart = true,
                          });
}

/* AMQP 0-9-1, 4.2.2: the client sends the protocol header, the server answers with a method frame.
 */
static bool has_greeted(uint16_t port)
{
    static const char header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    int fd = port_connect(port);
    if (fd < 0)
        return false;
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    char frame_type = 0;
    bool greeted = send(fd, header, sizeof header, MSG_NOSIGNAL) == sizeof header &&
                   poll(&answer, 1, GREETING_MS) == 1 && recv(fd, &frame_type, 1, 0) == 1 &&
                   frame_type == 1;
    (void)close(fd); /* of a socket: nothing to lose */
    return greeted;
}

/* A vhost that is made while a node of the cluster still boots is never heard of again. */
static bool has_booted(const struct broker *b)
{
    autofree char *log = format_text("%s/node.log", b->folder);
    autofree char *said = folder_read(log);
    return said != NULL && strlen(said) > b->log_bytes &&
           strstr(said + b->log_bytes, "completed with") != NULL;
}

static void remember_log(struct broker *b)
{
    autofree char *log = format_text("%s/node.log", b->folder);
    autofree char *said = folder_read(log);
    b->log_bytes = said == NULL ? 0 : strlen(said);
}

static void require_alive(struct broker *b)
{
    if (!child_wait(&b->node, deadline_in_ms(LOOK_AGAIN_MS)))
        return;
    autofree char *log = format_text("%s/node.log", b->folder);
    autofree char *said = folder_read(log);
    require(false, "RabbitMQ ended with %d while it started: %s", b->node.code, said);
}

static bool is_told_to_end(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

void broker_start(struct broker *b)
{
    require(!child_is_running(&b->node), "the broker is up already");
    remember_log(b);
    start_node(b);
    uint64_t deadline = deadline_in_ms(START_MS);
    while (!is_told_to_end() && (!has_booted(b) || !has_greeted(b->amqp_port))) {
        require_alive(b);
        require(clock_now_ns() < deadline, "RabbitMQ does not come up; see %s", b->folder);
    }
}

void broker_stop(struct broker *b)
{
    child_signal(&b->node, SIGTERM);
    require(child_wait(&b->node, deadline_in_ms(STOP_MS)), "RabbitMQ does not stop");
    require(b->node.code == 0, "RabbitMQ stopped with %d", b->node.code);
}

void broker_kill(struct broker *b)
{
    child_kill(&b->node);
}

void broker_freeze(struct broker *b)
{
    require(child_is_running(&b->node), "the broker is down");
    process_freeze(b->node.pid);
}

void broker_thaw(struct broker *b)
{
    require(child_is_running(&b->node), "the broker is down");
    process_thaw(b->node.pid);
}

void broker_restore(struct broker *b)
{
    if (child_is_running(&b->node))
        broker_thaw(b);
    else
        broker_start(b);
}

uint16_t broker_amqp_port(const struct broker *b)
{
    return b->amqp_port;
}

uint16_t broker_tls_port(const struct broker *b)
{
    return b->tls_port;
}

const char *broker_folder(const struct broker *b)
{
    return b->folder;
}

uint16_t broker_management_port(const struct broker *b)
{
    return b->management_port;
}

pid_t broker_pid(const struct broker *b)
{
    return b->node.pid;
}

void broker_free(struct broker *b)
{
    if (b == NULL)
        return;
    child_kill(&b->node); /* nothing of it is to be kept, so there is nothing to wait for */
    child_kill(&b->epmd);
    folder_remove(b->folder);
    free(b->folder);
    free(b->home);
    free(b);
}
