/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_address.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "config_value.h"

#define HTTP_PREFIX "http://"
#define UNIX_PREFIX "unix:"
#define PORT_DEFAULT "8090"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_BYTES ALNUM ".-_"
#define LITERAL_BYTES ALNUM ".:%"

/* Past `prefix`, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static bool parse_unix(const char *path, struct admin_address *address)
{
    struct sockaddr_un name;
    if (*path != '/' || strlen(path) >= sizeof(name.sun_path))
        return false;
    address->unix_path = path;
    return true;
}

/* "", ":80" and either with a slash behind it. */
static bool parse_port(const char *rest, struct admin_address *address)
{
    size_t n = 0;
    int64_t port;
    (void)strcpy(address->port, PORT_DEFAULT);
    if (*rest == ':') {
        rest++;
        n = strspn(rest, "0123456789");
        if (n == 0 || n >= sizeof(address->port))
            return false;
        (void)snprintf(address->port, sizeof(address->port), "%.*s", (int)n, rest);
        if (value_int(address->port, &port) != VALUE_OK || port < 1 || port > UINT16_MAX)
            return false;
    }
    rest += n;
    return strcmp(rest, "") == 0 || strcmp(rest, "/") == 0;
}

static bool parse_http(const char *text, struct admin_address *address)
{
    bool is_literal = *text == '[';
    text += is_literal;
    size_t n = strspn(text, is_literal ? LITERAL_BYTES : NAME_BYTES);
    if (n == 0 || n >= sizeof(address->host) || (is_literal && text[n] != ']'))
        return false;
    (void)snprintf(address->host, sizeof(address->host), "%.*s", (int)n, text);
    return parse_port(text + n + is_literal, address);
}

bool admin_address_parse(const char *url, struct admin_address *address)
{
    struct admin_address parsed = {.url = url};
    const char *rest;
    bool is_good = false;
    if ((rest = after(url, UNIX_PREFIX)))
        is_good = parse_unix(rest, &parsed);
    else if ((rest = after(url, HTTP_PREFIX)))
        is_good = parse_http(rest, &parsed);
    if (is_good)
        *address = parsed;
    return is_good;
}
