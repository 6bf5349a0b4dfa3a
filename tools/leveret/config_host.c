/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include "config_host.h"
#include "config_value.h"
#include "shm/hexadecimal.h"

#define AMQP "amqp://"
#define AMQPS "amqps://"
#define SECOND INT64_C(1000000000)
#define SHORT_STRING_MAX 255 /* AMQP 0-9-1, 4.2.5.3 */
#define N(rows) (sizeof(rows) / sizeof *(rows))

/* A URI on its way to being a host. */
struct parse {
    const struct config_reading *reading;
    const struct config_path *path;
    struct config_host *host;
    bool is_usable, is_out_of_memory;
};

struct slice {
    const char *at;
    size_t length;
};

static void refuse(struct parse *parse, const char *message)
{
    parse->is_usable = false;
    config_report(parse->reading, FINDING_ERROR, parse->path, "%s", message);
}

static struct slice slice_between(const char *begin, const char *end)
{
    return (struct slice){.at = begin, .length = (size_t)(end - begin)};
}

/* Cuts at the first byte of `set`; *rest begins there, and is empty when there is none. */
static struct slice cut(struct slice text, const char *set, struct slice *rest)
{
    size_t i = 0;

    while (i < text.length && !strchr(set, text.at[i]))
        i++;
    *rest = (struct slice){.at = text.at + i, .length = text.length - i};
    return (struct slice){.at = text.at, .length = i};
}

static struct slice without_first(struct slice text)
{
    return (struct slice){.at = text.at + 1, .length = text.length - 1};
}

/* Percent-decoded, in the pool. NULL: refused, or no memory. */
static const char *decode(struct parse *parse, struct slice text, const char *complaint)
{
    char *decoded = config_pool_alloc(parse->reading->pool, text.length + 1), *out = decoded;

    if (!decoded) {
        parse->is_out_of_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < text.length; i++) {
        int high, low;

        if (text.at[i] != '%') {
            *out++ = text.at[i];
            continue;
        }
        high = i + 2 < text.length ? hexadecimal_value(text.at[i + 1]) : -1;
        low = i + 2 < text.length ? hexadecimal_value(text.at[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            refuse(parse, complaint);
            return NULL;
        }
        *out++ = (char)(high << 4 | low);
        i += 2;
    }
    return decoded;
}

static void parse_user(struct parse *parse, struct slice user_info)
{
    struct slice password, user = cut(user_info, ":", &password);

    parse->host->user = decode(parse, user, "the user name has a malformed % escape");
    if (password.length == 0)
        parse->host->password = "";
    else
        parse->host->password =
            decode(parse, without_first(password), "the password has a malformed % escape");
}

static void parse_port(struct parse *parse, struct slice text)
{
    uint32_t port = 0;

    for (size_t i = 0; i < text.length && port <= UINT16_MAX; i++) {
        if (!isdigit((unsigned char)text.at[i])) {
            refuse(parse, "the port is no number");
            return;
        }
        port = port * 10 + (uint32_t)(text.at[i] - '0');
    }
    if (text.length > 0 && (port == 0 || port > UINT16_MAX))
        refuse(parse, "the port is out of range: 1 to 65535");
    else if (text.length > 0)
        parse->host->port = (uint16_t)port;
}

/* The percent sign is for the zone of an IPv6 address. */
static void check_name(struct parse *parse, const char *name, const char *complaint)
{
    for (; name && *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("-._:%", *name)) {
            refuse(parse, complaint);
            return;
        }
}

/* "host", "host:port", "[v6]:port" */
static void parse_authority(struct parse *parse, struct slice authority)
{
    bool is_bracketed = authority.length > 0 && *authority.at == '[';
    struct slice rest, name;

    if (is_bracketed) {
        name = cut(without_first(authority), "]", &rest);
        if (rest.length == 0) {
            refuse(parse, "the address has a [ without its ]");
            return;
        }
        rest = without_first(rest);
    } else {
        name = cut(authority, ":", &rest);
    }
    if (rest.length > 0 && *rest.at != ':') {
        refuse(parse, "the address has something between ] and the port");
        return;
    }
    if (name.length > 0) {
        parse->host->host = decode(parse, name, "the host name has a malformed % escape");
        check_name(parse, parse->host->host, "the host name has a character that no host name has");
    }
    if (rest.length > 0)
        parse_port(parse, without_first(rest));
}

static void parse_vhost(struct parse *parse, struct slice path)
{
    if (path.length <= 1)
        return;
    parse->host->vhost = decode(parse, without_first(path), "the vhost has a malformed % escape");
    if (parse->host->vhost && strlen(parse->host->vhost) > SHORT_STRING_MAX)
        refuse(parse, "the vhost is longer than the 255 bytes that AMQP allows");
}

/* A query parameter that is a number, and what it is in the host's own unit. */
struct number_parameter {
    const char *name;
    size_t offset;
    int64_t max, unit;
};

static const struct number_parameter number_parameters[] = {
    {"heartbeat", offsetof(struct config_host, heartbeat_s), UINT16_MAX, 1},
    {"channel_max", offsetof(struct config_host, channel_max), UINT16_MAX, 1},
    {"connection_timeout", offsetof(struct config_host, connection_timeout_ns), 3600000,
        SECOND / 1000},
};

/* A query parameter of amqps:// that is a text. */
struct text_parameter {
    const char *name;
    size_t offset;
};

static const struct text_parameter text_parameters[] = {
    {"cacertfile", offsetof(struct config_host, files.authorities)},
    {"certfile", offsetof(struct config_host, files.certificate)},
    {"keyfile", offsetof(struct config_host, files.key)},
    {"server_name_indication", offsetof(struct config_host, server_name)},
};

static bool set_number(struct parse *parse, const char *name, const char *text)
{
    for (size_t i = 0; i < N(number_parameters); i++) {
        const struct number_parameter *parameter = &number_parameters[i];
        int64_t number;

        if (strcmp(parameter->name, name) != 0)
            continue;
        if (value_int(text, &number) != VALUE_OK || number < 0 || number > parameter->max) {
            parse->is_usable = false;
            config_report(parse->reading, FINDING_ERROR, parse->path,
                "the query parameter %s is no number from 0 to %lld", name,
                (long long)parameter->max);
        } else {
            *(int64_t *)((char *)parse->host + parameter->offset) = number * parameter->unit;
        }
        return true;
    }
    return false;
}

static void set_mechanism(struct parse *parse, const char *mechanism)
{
    if (strcasecmp(mechanism, "external") == 0)
        parse->host->is_external = true;
    else if (strcasecmp(mechanism, "plain") != 0)
        refuse(parse, "auth_mechanism is neither plain nor external");
}

static void set_verify(struct parse *parse, const char *verify)
{
    if (strcmp(verify, "verify_none") == 0)
        parse->host->is_unverified = true;
    else if (strcmp(verify, "verify_peer") != 0)
        refuse(parse, "verify is neither verify_peer nor verify_none");
}

static bool set_tls_text(struct parse *parse, const char *name, const char *text)
{
    for (size_t i = 0; i < N(text_parameters); i++)
        if (strcmp(text_parameters[i].name, name) == 0) {
            *(const char **)((char *)parse->host + text_parameters[i].offset) = text;
            return true;
        }
    if (strcmp(name, "verify") != 0)
        return false;
    set_verify(parse, text);
    return true;
}

static void warn_without_tls(struct parse *parse, const char *parameter)
{
    if (!parse->host->is_secure)
        config_report(parse->reading, FINDING_WARNING, parse->path,
            "the query parameter %s has no effect without amqps://", parameter);
}

static void parse_parameter(struct parse *parse, struct slice parameter)
{
    struct slice rest, before = cut(parameter, "=", &rest);
    const char *name = decode(parse, before, "the query has a malformed % escape"), *text = "";

    if (rest.length > 0)
        text = decode(parse, without_first(rest), "the query has a malformed % escape");
    if (!name || !text || set_number(parse, name, text))
        return;
    if (strcmp(name, "auth_mechanism") == 0)
        set_mechanism(parse, text);
    else if (set_tls_text(parse, name, text))
        warn_without_tls(parse, name);
    else
        config_report(parse->reading, FINDING_WARNING, parse->path,
            "the query has an unknown parameter: it has no effect");
}

static void parse_query(struct parse *parse, struct slice query)
{
    while (query.length > 0) {
        struct slice rest, parameter = cut(without_first(query), "&", &rest);

        if (parameter.length > 0)
            parse_parameter(parse, parameter);
        query = rest;
    }
}

static void check_server_name(struct parse *parse)
{
    const char *name = parse->host->server_name;

    check_name(parse, name, "server_name_indication has a character that no host name has");
    if (strlen(name) > SHORT_STRING_MAX)
        refuse(parse, "server_name_indication is longer than any host name");
}

/* What the parts of it say to each other. */
static void check_whole(struct parse *parse)
{
    const struct config_host *host = parse->host;
    bool has_certificate = *host->files.certificate, has_key = *host->files.key;

    check_server_name(parse);
    if (host->is_secure && has_certificate != has_key)
        refuse(parse, has_key ? "keyfile needs a certfile, whose key it is"
                              : "certfile needs a keyfile, the key to it");
    if (host->is_external && !host->is_secure)
        refuse(parse, "auth_mechanism=external needs amqps://");
    else if (host->is_external && !has_certificate)
        refuse(parse, "auth_mechanism=external needs certfile and keyfile, which say who we are");
    if (host->is_secure && host->is_unverified)
        config_report(parse->reading, FINDING_WARNING, parse->path,
            "verify=verify_none lets anybody stand in for the broker and read the credentials");
}

/* What stands behind amqp:// */
static void parse_rest(struct parse *parse, const char *rest)
{
    struct slice all = slice_between(rest, rest + strcspn(rest, "#"));
    struct slice query, before_query = cut(all, "?", &query);
    struct slice path, authority = cut(before_query, "/", &path);
    const char *at = memrchr(authority.at, '@', authority.length);

    for (size_t i = 0; i < all.length; i++)
        if ((unsigned char)all.at[i] <= ' ' || all.at[i] == 0x7f) {
            refuse(parse, "the URI has a space or a control character in it");
            return;
        }
    if (at) {
        parse_user(parse, slice_between(authority.at, at));
        authority = slice_between(at + 1, authority.at + authority.length);
    }
    parse_authority(parse, authority);
    parse_vhost(parse, path);
    parse_query(parse, query);
}

/* "http" out of "http://..."; of what is no scheme nothing is shown. */
static void refuse_scheme(struct parse *parse, const char *uri)
{
    size_t length = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-.");
    bool is_scheme = length > 0 && length <= 16 && strncmp(uri + length, "://", 3) == 0;

    parse->is_usable = false;
    if (is_scheme)
        config_report(parse->reading, FINDING_ERROR, parse->path,
            "an AMQP backend needs amqp:// or amqps://, not %.*s://", (int)length, uri);
    else
        config_report(parse->reading, FINDING_ERROR, parse->path,
            "an AMQP backend needs a host such as amqp://user:password@host:5672/vhost");
}

int config_host_parse(const struct config_reading *reading, const char *uri,
    const struct config_path *path, struct config_host *host, bool *is_usable)
{
    struct parse parse = {.reading = reading, .path = path, .host = host, .is_usable = true};

    *host = (struct config_host){
        .user = "guest",
        .password = "guest",
        .host = "localhost",
        .port = 5672,
        .vhost = "/",
        .heartbeat_s = 10,
        .connection_timeout_ns = 30 * SECOND,
        .is_secure = strncasecmp(uri, AMQPS, strlen(AMQPS)) == 0,
        .server_name = "",
        .files = {.authorities = "", .certificate = "", .key = ""},
    };
    if (host->is_secure)
        host->port = 5671;
    if (host->is_secure || strncasecmp(uri, AMQP, strlen(AMQP)) == 0)
        parse_rest(&parse, strstr(uri, "://") + strlen("://"));
    else
        refuse_scheme(&parse, uri);
    if (parse.is_usable)
        check_whole(&parse);
    *is_usable = parse.is_usable;
    return parse.is_out_of_memory ? -ENOMEM : 0;
}
