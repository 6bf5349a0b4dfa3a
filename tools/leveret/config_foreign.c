/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "config_foreign.h"
#include "config_spelling.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

enum foreign_class { FOREIGN_ACCEPTED, FOREIGN_WARNED, FOREIGN_REFUSED };

/* A namespace, or with a "/" at its end all below it. The first that fits counts. */
struct foreign_namespace {
    const char *name;
    enum foreign_class class;
};

static const struct foreign_namespace namespaces[] = {
    {"auth/", FOREIGN_REFUSED},
    {"security/", FOREIGN_REFUSED},
    {"validation/", FOREIGN_REFUSED},
    {"plugin/http-server", FOREIGN_REFUSED}, /* basic-auth, ip-filter and others like them */
    {"plugin/middleware", FOREIGN_REFUSED},
    {"telemetry/", FOREIGN_ACCEPTED},
    {"documentation/", FOREIGN_ACCEPTED},
    {"ai/", FOREIGN_WARNED},
    {"backend/", FOREIGN_WARNED},
    {"governance/", FOREIGN_WARNED},
    {"grpc", FOREIGN_WARNED},
    {"modifier/", FOREIGN_WARNED},
    {"plugin/", FOREIGN_WARNED},
    {"proxy", FOREIGN_WARNED},
    {"qos/", FOREIGN_WARNED},
    {"redis", FOREIGN_WARNED},
    {"router", FOREIGN_WARNED},
    {"server/", FOREIGN_WARNED},
    {"websocket", FOREIGN_WARNED},
    {"workflow", FOREIGN_WARNED},
};

/* Names of version 2, behind "github.com/" or "github_com/", and of version 3. */
static const struct {
    const char *v2, *v3;
} aliases[] = {
    {"devopsfaith/krakend-amqp/agent", "async/amqp"},
    {"devopsfaith/krakend-amqp/consume", "backend/amqp/consumer"},
    {"devopsfaith/krakend-amqp/produce", "backend/amqp/producer"},
    {"devopsfaith/krakend/proxy", "proxy"},
    {"devopsfaith/bloomfilter", "auth/revoker"},
    {"devopsfaith/krakend-jose/signer", "auth/signer"},
    {"devopsfaith/krakend-jose/validator", "auth/validator"},
    {"devopsfaith/krakend-oauth2-clientcredentials", "auth/client-credentials"},
    {"devopsfaith/krakend-botdetector", "security/bot-detector"},
    {"devopsfaith/krakend-cors", "security/cors"},
    {"devopsfaith/krakend-httpsecure", "security/http"},
    {"devopsfaith/krakend-cel", "validation/cel"},
    {"devopsfaith/krakend-jsonschema", "validation/json-schema"},
    {"devopsfaith/krakend/transport/http/server/handler", "plugin/http-server"},
    {"devopsfaith/krakend/transport/http/client/executor", "plugin/http-client"},
    {"devopsfaith/krakend/transport/http/client/graphql", "backend/graphql"},
    {"devopsfaith/krakend/http", "backend/http"},
    {"devopsfaith/krakend/proxy/plugin", "plugin/req-resp-modifier"},
    {"devopsfaith/krakend-lambda", "backend/lambda"},
    {"devopsfaith/krakend-pubsub/publisher", "backend/pubsub/publisher"},
    {"devopsfaith/krakend-pubsub/subscriber", "backend/pubsub/subscriber"},
    {"luraproject/lura/router/gin", "router"},
    {"devopsfaith/krakend-httpcache", "qos/http-cache"},
    {"devopsfaith/krakend-circuitbreaker/gobreaker", "qos/circuit-breaker"},
    {"devopsfaith/krakend-ratelimit/juju/router", "qos/ratelimit/router"},
    {"devopsfaith/krakend-ratelimit/juju/proxy", "qos/ratelimit/proxy"},
    {"devopsfaith/krakend-lua/router", "modifier/lua-endpoint"},
    {"devopsfaith/krakend-lua/proxy", "modifier/lua-proxy"},
    {"devopsfaith/krakend-lua/proxy/backend", "modifier/lua-backend"},
    {"devopsfaith/krakend-martian", "modifier/martian"},
    {"devopsfaith/krakend-gelf", "telemetry/gelf"},
    {"devopsfaith/krakend-gologging", "telemetry/logging"},
    {"devopsfaith/krakend-logstash", "telemetry/logstash"},
    {"devopsfaith/krakend-metrics", "telemetry/metrics"},
    {"devopsfaith/krakend-opencensus", "telemetry/opencensus"},
    {"letgoapp/krakend-influx", "telemetry/influx"},
};

/* A key of one level. `why` NULL: accepted. */
struct foreign_key {
    const struct config_level *level;
    const char *name;
    const char *why;
};

static const struct foreign_key keys[] = {
    {&config_level_service, "allow_insecure_connections", NULL},
    {&config_level_service, "client_tls", NULL},
    {&config_level_service, "dialer_fallback_delay", NULL},
    {&config_level_service, "dialer_keep_alive", NULL},
    {&config_level_service, "dialer_timeout", NULL},
    {&config_level_service, "disable_compression", NULL},
    {&config_level_service, "disable_keep_alives", NULL},
    {&config_level_service, "dns_cache_ttl", NULL},
    {&config_level_service, "expect_continue_timeout", NULL},
    {&config_level_service, "idle_connection_timeout", NULL},
    {&config_level_service, "max_idle_connections", NULL},
    {&config_level_service, "max_idle_connections_per_host", NULL},
    {&config_level_service, "response_header_timeout", NULL},
    {&config_level_service, "sd_providers", NULL},
    {&config_level_service, "sequential_start", NULL},
    {&config_level_service, "async_agent", NULL}, /* config_service.c has read it */
    {&config_level_service, "debug_endpoint", "there is no /__debug/ here"},
    {&config_level_service, "echo_endpoint", "there is no /__echo/ here"},
    {&config_level_service, "max_shutdown_wait_time", "leveret.drain_timeout says it here"},
    {&config_level_service, "plugin", "plugins are not loaded"},
    {&config_level_service, "use_h2c", "HTTP/2 is not spoken"},
    {&config_level_backend, "sd_scheme", NULL},
    {&config_level_backend, "sd", "hosts are taken as they are, and resolved by name"},
    {&config_level_backend, "input_headers", "the endpoint's headers reach every backend"},
    {&config_level_backend, "headers_to_pass", "the endpoint's headers reach every backend"},
    {&config_level_backend, "input_query_strings", NULL},
    {&config_level_backend, "querystring_params", NULL},
};

/* "github.com/" and its spelling at the first level of version 2, where a dot was not allowed. */
static const char *behind_github(const char *name)
{
    if (strncmp(name, "github.com/", strlen("github.com/")) != 0 &&
        strncmp(name, "github_com/", strlen("github_com/")) != 0)
        return NULL;
    return name + strlen("github.com/");
}

const char *config_foreign_alias(const char *name)
{
    const char *v2 = behind_github(name);

    for (size_t i = 0; v2 && i < N(aliases); i++)
        if (strcmp(aliases[i].v2, v2) == 0)
            return aliases[i].v3;
    return name;
}

const char *config_foreign_v2_name(const char *name)
{
    for (size_t i = 0; i < N(aliases); i++)
        if (strcmp(aliases[i].v3, name) == 0)
            return aliases[i].v2;
    return NULL;
}

static bool is_comment(const char *key)
{
    return strchr("@$_#", *key) && *key;
}

static const struct foreign_namespace *find_namespace(const char *name)
{
    for (size_t i = 0; i < N(namespaces); i++) {
        size_t length = strlen(namespaces[i].name);
        bool is_folder = namespaces[i].name[length - 1] == '/';

        if (is_folder ? strncmp(name, namespaces[i].name, length) == 0
                      : strcmp(name, namespaces[i].name) == 0)
            return &namespaces[i];
    }
    return NULL;
}

void config_foreign_namespace(const struct config_reading *reading, const struct config_path *path)
{
    const char *name = config_foreign_alias(path->key);
    const struct foreign_namespace *found = find_namespace(name);

    if (is_comment(name) || json_object_get(reading->ignore, name))
        return;
    if (!found)
        config_report(reading, FINDING_WARNING, path, "unknown namespace: it has no effect");
    else if (found->class == FOREIGN_WARNED)
        config_report(reading, FINDING_WARNING, path, "%s has no effect here", name);
    else if (found->class == FOREIGN_REFUSED)
        config_report(reading, FINDING_ERROR, path,
            "%s is not enforced here, which would leave the endpoint open; if that is what you "
            "want, name it in extra_config.leveret.ignore",
            name);
}

static const struct foreign_key *find_key(const struct config_level *level, const char *name)
{
    for (size_t i = 0; i < N(keys); i++)
        if (keys[i].level == level && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

void config_foreign_key(const struct config_reading *reading, const struct config_level *level,
    const json_t *value, const struct config_path *path)
{
    const struct foreign_key *found = find_key(level, path->key);
    const char *nearest;

    if (is_comment(path->key) || (found && (!found->why || json_is_false(value))))
        return;
    if (found) {
        config_report(reading, FINDING_WARNING, path, "has no effect: %s", found->why);
        return;
    }
    nearest = config_spelling_nearest(level, path->key);
    if (nearest)
        config_report(reading, FINDING_WARNING, path, "unknown key; did you mean \"%s\"?", nearest);
    else
        config_report(reading, FINDING_WARNING, path, "unknown key: it has no effect");
}
