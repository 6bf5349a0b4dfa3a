/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <leveret/control.h>
#include "admin_token.h"
#include "config_listener.h"
#include "config_value.h"

#define UNIX_PREFIX "unix:"
#define MODE_QUERY "?mode="
#define MODE_DEFAULT 0660

static const char *const shapes =
    "is not host:port, [address]:port, unix:/path or unix:/path?mode=0660";

/* 0660 and the like, in octal; -1: it is not. */
static int64_t parse_mode(const char *text)
{
    int64_t mode = 0;

    if (!*text || strlen(text) > 4)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '7')
            return -1;
        mode = mode * 8 + (*text - '0');
    }
    return mode <= 0777 ? mode : -1;
}

static int parse_unix(struct config_pool *pool, const char *text, struct config_listener *listener,
    const char **complaint)
{
    const char *query = strstr(text, MODE_QUERY);
    size_t length = query ? (size_t)(query - text) : strlen(text);
    struct sockaddr_un address;

    listener->mode = query ? parse_mode(query + strlen(MODE_QUERY)) : MODE_DEFAULT;
    if (*text != '/')
        *complaint = shapes;
    else if (length >= sizeof address.sun_path)
        *complaint = "has a longer path than a socket can have";
    else if (listener->mode < 0)
        *complaint = "has a mode that is not one such as 0660";
    if (*complaint)
        return 0;
    listener->unix_path = config_pool_copy(pool, text, length);
    return listener->unix_path ? 0 : -ENOMEM;
}

static int parse_tcp(struct config_pool *pool, const char *text, struct config_listener *listener,
    const char **complaint)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool is_bracketed = length >= 2 && *text == '[' && colon[-1] == ']';
    int64_t port;

    if (!colon || value_int(colon + 1, &port) != VALUE_OK || port < 0 || port > UINT16_MAX ||
        (!is_bracketed && memchr(text, ':', length))) {
        *complaint = shapes;
        return 0;
    }
    listener->port = (uint16_t)port;
    if (is_bracketed) {
        text++;
        length -= 2;
    }
    listener->host = config_pool_copy(pool, text, length);
    return listener->host ? 0 : -ENOMEM;
}

static int parse(struct config_pool *pool, const char *text, struct config_listener *listener,
    const char **complaint)
{
    bool is_unix = strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;

    return is_unix ? parse_unix(pool, text + strlen(UNIX_PREFIX), listener, complaint)
                   : parse_tcp(pool, text, listener, complaint);
}

static int resolve_listed(
    const struct config_reading *reading, const struct config_path *path, struct config *config)
{
    for (size_t i = 0; i < config->listen.n; i++) {
        const char *complaint = NULL;
        struct config_path element = config_path_element(path, i);
        int error =
            parse(reading->pool, config->listen.items[i], &config->listeners[i], &complaint);

        if (error)
            return error;
        if (complaint)
            config_report(reading, FINDING_ERROR, &element, "%s", complaint);
    }
    if (config->listen.n > CONTROL_MAX_LISTENERS)
        config_report(reading, FINDING_ERROR, path, "has %zu listeners, and %d are the most",
            config->listen.n, CONTROL_MAX_LISTENERS);
    config->n_listeners = config->listen.n;
    return 0;
}

int config_listener_resolve(const struct config_reading *reading, int overriding_port,
    const struct config_path *listen_path, struct config *config)
{
    size_t n = config->listen.n > 0 ? config->listen.n : 1;

    config->listeners = config_pool_alloc(reading->pool, n * sizeof *config->listeners);
    if (!config->listeners)
        return -ENOMEM;
    if (config->listen.n > 0 && overriding_port < 0)
        return resolve_listed(reading, listen_path, config);
    config->listeners[0] = (struct config_listener){
        .host = config->listen_ip,
        .port = (uint16_t)(overriding_port < 0 ? config->port : overriding_port),
    };
    config->n_listeners = 1;
    return 0;
}

/* Whom only this machine reaches: 127.0.0.0/8, ::1, or the name that stands for them. */
static bool is_loopback(const char *host)
{
    struct in_addr address;
    struct in6_addr address6;

    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, host, &address6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&address6);
    return strcasecmp(host, "localhost") == 0;
}

static void check_token(const struct config_reading *reading, const struct config_path *said_at,
    const char *said, const struct config_path *token_path, const struct config *config)
{
    if (*config->admin_token && !admin_token_is_sound(config->admin_token))
        config_report(reading, FINDING_ERROR, token_path, "is not " ADMIN_TOKEN_SHAPE);
    else if (!*config->admin_token && config->admin.host && !is_loopback(config->admin.host))
        config_report(reading, FINDING_ERROR, said_at,
            "%s can be reached from other machines, which needs admin_token; else listen at "
            "127.0.0.1 or at a unix socket",
            said);
}

int config_listener_resolve_admin(const struct config_reading *reading, const char *overriding,
    const struct config_path *own_path, struct config *config)
{
    const char *text = overriding ? overriding : config->admin_listen, *complaint = NULL;
    const struct config_path document = {0},
                             token_path = config_path_member(own_path, "admin_token"),
                             listen_path = config_path_member(own_path, "admin_listen"),
                             *said_at = overriding ? &document : &listen_path;
    int error;

    if (!*text || strcmp(text, "off") == 0)
        return 0;
    error = parse(reading->pool, text, &config->admin, &complaint);
    if (!error && complaint)
        config_report(reading, FINDING_ERROR, said_at, "%s\"%s\" %s, nor off",
            overriding ? "--admin " : "", text, complaint);
    check_token(reading, said_at, text, &token_path, config);
    return error;
}
