/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/vhost.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>
#include <unistd.h>
#include "tests/support/broker_control.h"
#include "tests/support/http_client.h"
#include "tests/support/require.h"

/* The parsed answer, NULL when it has no body or says 404; the caller releases it. */
static json_t *manage(const char *method, const char *path, const char *body)
{
    autofree char *url =
        format_text("http://guest:guest@127.0.0.1:%u/api/%s", broker_http_port(), path);
    struct http_answer answer;
    http_do(&(struct http_request){.method = method,
                .url = url,
                .headers = "Content-Type: application/json\n",
                .body = body,
                .body_bytes = body != NULL ? strlen(body) : 0},
        &answer);
    bool is_done = answer.status >= 200 && answer.status < 300;
    require(is_done || answer.status == 404, "%s %s: %d %s %s", method, path, answer.status,
        answer.failure, answer.body);
    json_t *json = is_done ? json_loadb(answer.body, answer.body_bytes, 0, NULL) : NULL;
    http_answer_done(&answer);
    return json;
}

static void manage_silently(const char *method, const char *path, const char *body)
{
    json_decref(manage(method, path, body));
}

void vhost_init(struct vhost *vhost, const char *test)
{
    *vhost = (struct vhost){0};
    vhost->name = format_text("%s-%d", test, (int)getpid());
    vhost->url = format_text("amqp://guest:guest@127.0.0.1:%u/%s", broker_port(), vhost->name);
    autofree char *path = format_text("vhosts/%s", vhost->name);
    manage_silently("PUT", path, "{}");
    autofree char *rights = format_text("permissions/%s/guest", vhost->name);
    manage_silently("PUT", rights, "{\"configure\":\".*\",\"write\":\".*\",\"read\":\".*\"}");
}

void vhost_done(struct vhost *vhost)
{
    if (vhost->name == NULL)
        return;
    autofree char *path = format_text("vhosts/%s", vhost->name);
    manage_silently("DELETE", path, NULL);
    if (vhost->user_url != NULL) {
        autofree char *user = format_text("users/%s", vhost->name);
        manage_silently("DELETE", user, NULL);
    }
    free(vhost->name);
    free(vhost->url);
    free(vhost->user_url);
    *vhost = (struct vhost){0};
}

const char *vhost_let_in(
    struct vhost *vhost, const char *password, const char *configure, const char *write)
{
    autofree char *user = format_text("users/%s", vhost->name);
    autofree char *words = format_text("{\"password\":\"%s\",\"tags\":\"\"}", password);
    manage_silently("PUT", user, words);
    autofree char *rights = format_text("permissions/%s/%s", vhost->name, vhost->name);
    autofree char *granted =
        format_text("{\"configure\":\"%s\",\"write\":\"%s\",\"read\":\".*\"}", configure, write);
    manage_silently("PUT", rights, granted);
    vhost->user_url = format_text(
        "amqp://%s:%s@127.0.0.1:%u/%s", vhost->name, password, broker_port(), vhost->name);
    return vhost->user_url;
}

static bool is_member(const json_t *object, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && strcmp(text, value) == 0;
}

json_t *vhost_list(const struct vhost *vhost, const char *kind)
{
    autofree char *path = format_text("%s/%s", kind, vhost->name);
    return manage("GET", path, NULL);
}

json_t *vhost_describe(const struct vhost *vhost, const char *kind, const char *name)
{
    autofree char *path = format_text("%s/%s/%s", kind, vhost->name, name);
    return manage("GET", path, NULL);
}

json_t *vhost_connections(const struct vhost *vhost)
{
    autofree char *path = format_text("vhosts/%s/connections", vhost->name);
    return manage("GET", path, NULL);
}

void vhost_make(const struct vhost *vhost, const char *kind, const char *name, const char *json)
{
    autofree char *path = format_text("%s/%s/%s", kind, vhost->name, name);
    manage_silently("PUT", path, json);
}

int vhost_n_bindings(const struct vhost *vhost, const char *queue)
{
    json_t *bindings = vhost_list(vhost, "bindings");
    int n = 0;
    size_t i;
    json_t *binding;
    json_array_foreach(bindings, i, binding) n +=
        is_member(binding, "destination", queue) && !is_member(binding, "source", "");
    json_decref(bindings);
    return n;
}

bool vhost_has_binding(
    const struct vhost *vhost, const char *exchange, const char *queue, const char *routing_key)
{
    json_t *bindings = vhost_list(vhost, "bindings"), *binding;
    bool has = false;
    size_t i;
    json_array_foreach(bindings, i, binding) has |= is_member(binding, "source", exchange) &&
                                                    is_member(binding, "destination", queue) &&
                                                    is_member(binding, "routing_key", routing_key);
    json_decref(bindings);
    return has;
}

/* What the broker tells about one queue, an empty object when it knows none; for the caller to
 * release. */
static json_t *look_at(const struct vhost *vhost, const char *queue)
{
    json_t *queues = vhost_list(vhost, "queues"), *found = NULL;
    size_t i;
    json_t *each;
    json_array_foreach(queues, i, each)
    {
        if (is_member(each, "name", queue))
            found = json_incref(each);
    }
    json_decref(queues);
    return found != NULL ? found : json_object();
}

int vhost_n_unacked(const struct vhost *vhost, const char *queue)
{
    json_t *found = look_at(vhost, queue);
    const json_t *n = json_object_get(found, "messages_unacknowledged");
    int n_unacked = n == NULL ? -1 : (int)json_integer_value(n);
    json_decref(found);
    return n_unacked;
}

int vhost_leader(const struct vhost *vhost, const char *queue)
{
    json_t *found = look_at(vhost, queue);
    const char *name = json_string_value(json_object_get(found, "leader"));
    int port = 0;
    if (name != NULL)
        (void)sscanf(name, "leveret-%d@", &port); /* 0 when it has another name */
    json_decref(found);
    return port;
}

int vhost_n_online(const struct vhost *vhost, const char *queue)
{
    json_t *found = look_at(vhost, queue);
    int n = (int)json_array_size(json_object_get(found, "online"));
    json_decref(found);
    return n;
}

static void close_connection(const char *name)
{
    char *escaped = curl_easy_escape(NULL, name, 0);
    require(escaped != NULL, "curl_easy_escape");
    autofree char *path = format_text("connections/%s", escaped);
    curl_free(escaped);
    manage_silently("DELETE", path, NULL);
}

int vhost_close_connections(const struct vhost *vhost)
{
    json_t *connections = vhost_connections(vhost);
    size_t i;
    json_t *connection;
    json_array_foreach(connections, i, connection)
        close_connection(json_string_value(json_object_get(connection, "name")));
    int n = (int)json_array_size(connections);
    json_decref(connections);
    return n;
}
