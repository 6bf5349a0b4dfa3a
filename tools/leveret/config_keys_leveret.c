/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leveret's own keys of the service and of an endpoint: extra_config.leveret.
 */
#include "config.h"
#include "config_keys.h"

#define HOUR INT64_C(3600000000000)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define N(rows) (sizeof(rows) / sizeof *(rows))

static const struct config_choice log_levels[] = {
    {.name = "error", .value = LOG_ERROR},
    {.name = "warn", .value = LOG_WARN},
    {.name = "info", .value = LOG_INFO},
    {.name = "debug", .value = LOG_DEBUG},
    {0},
};

static const struct config_choice log_formats[] = {
    {.name = "text", .value = LOG_TEXT},
    {.name = "json", .value = LOG_JSON},
    {0},
};

static const struct config_choice ios[] = {
    {.name = "auto", .value = IO_AUTO},
    {.name = "uring", .value = IO_URING},
    {.name = "epoll", .value = IO_EPOLL},
    {0},
};

static const struct config_choice confinements[] = {
    {.name = "on", .value = CONFIG_CONFINED},
    {.name = "off", .value = CONFIG_UNCONFINED},
    {0},
};

static const struct config_choice accesses[] = {
    {.name = "off", .value = CONFIG_ACCESS_OFF},
    {.name = "errors", .value = CONFIG_ACCESS_ERRORS},
    {.name = "all", .value = CONFIG_ACCESS_ALL},
    {0},
};

static const struct config_choice tracings[] = {
    {.name = "pass", .value = CONFIG_TRACING_PASS},
    {.name = "create", .value = CONFIG_TRACING_CREATE},
    {0},
};

static const struct config_choice compatibilities[] = {
    {.name = "none", .value = CONFIG_LEVERET},
    {.name = "krakend", .value = CONFIG_KRAKEND},
    {0},
};

static const struct config_key leveret_service_keys[] = {
    {.name = "workers",
        .type = KEY_INT,
        .offset = offsetof(struct config, workers),
        .min = 1,
        .max = CONFIG_WORKERS_MAX,
        .initial = "1",
        .help = "Processes that speak to the broker."},
    {.name = "listen",
        .type = KEY_LIST,
        .offset = offsetof(struct config, listen),
        .help = "Data listeners in place of port: host:port, unix:/path or unix:/path?mode=0660."},
    {.name = "admin_listen",
        .type = KEY_STRING,
        .offset = offsetof(struct config, admin_listen),
        .initial = "127.0.0.1:8090",
        .help = "Listener of figures and probes, written like those of listen; off: none."},
    {.name = "admin_token",
        .type = KEY_STRING,
        .offset = offsetof(struct config, admin_token),
        .initial = "",
        .help = "Who looks at admin_listen must show it; needed where that is not the loopback "
                "interface."},
    {.name = "memory",
        .type = KEY_SIZE,
        .offset = offsetof(struct config, memory_bytes),
        .min = 16 * MIB,
        .max = 64 * GIB,
        .initial = "128MiB",
        .help = "Memory that front and workers share, reserved at start and touched on demand."},
    {.name = "max_connections",
        .type = KEY_INT,
        .offset = offsetof(struct config, max_connections),
        .min = 1,
        .max = UINT16_MAX,
        .initial = "1024",
        .help = "The most HTTP connections at a time."},
    {.name = "drain_timeout",
        .type = KEY_DURATION,
        .offset = offsetof(struct config, drain_timeout_ns),
        .max = 24 * HOUR,
        .initial = "10s",
        .help = "Time from SIGTERM until what is still in flight is dropped."},
    {.name = "drain_delay",
        .type = KEY_DURATION,
        .offset = offsetof(struct config, drain_delay_ns),
        .max = 24 * HOUR,
        .initial = "0s",
        .help = "Part of drain_timeout in which /__ready fails and clients are still let in."},
    {.name = "log_level",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config, log_level),
        .choices = log_levels,
        .initial = "info",
        .help = "The least grave lines that are logged."},
    {.name = "log_format",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config, log_format),
        .choices = log_formats,
        .initial = "text",
        .help = "How a line of the log is written."},
    {.name = "access_log",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config, access_log),
        .choices = accesses,
        .initial = "off",
        .help = "Which requests have a line in the log: none, those that failed (errors), or all."},
    {.name = "server_timing",
        .type = KEY_BOOL,
        .offset = offsetof(struct config, shows_timing),
        .initial = "false",
        .help = "Answers say in Server-Timing where the time of their request went."},
    {.name = "tracing",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config, tracing),
        .choices = tracings,
        .initial = "pass",
        .help =
            "A trace goes on as it came (pass); one is made where a publish has none (create)."},
    {.name = "tracing_percent",
        .type = KEY_INT,
        .offset = offsetof(struct config, tracing_percent),
        .max = 100,
        .initial = "100",
        .help = "Of the traces that are made, so many in a hundred are marked as sampled."},
    {.name = "io",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config, io),
        .choices = ios,
        .initial = "auto",
        .help = "What the workers wait on; auto is io_uring where it can be set up, else epoll."},
    {.name = "confinement",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config, confinement),
        .choices = confinements,
        .initial = "on",
        .help =
            "Front and workers give up what they do not need; off, for debuggers, is warned of."},
    {.name = "user",
        .type = KEY_STRING,
        .offset = offsetof(struct config, user),
        .initial = "nobody",
        .help = "Whom front and workers become when root starts them: a name, or a number."},
    {.name = "connection_name",
        .type = KEY_STRING,
        .offset = offsetof(struct config, connection_name),
        .initial = "",
        .help = "Name in the broker's list of connections; the service's when it is empty."},
    {.name = "ignore",
        .type = KEY_LIST,
        .offset = offsetof(struct config, ignore),
        .help = "Namespaces of access control that may stand in the file without effect."},
    {.name = "compatibility",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config, compatibility),
        .choices = compatibilities,
        .initial = "none",
        .help = "With krakend, all endpoints answer as the gateway does, unknown paths too."},
};
const struct config_level config_level_leveret_service = {
    "leveret, service", leveret_service_keys, N(leveret_service_keys), NULL};

static const struct config_key leveret_endpoint_keys[] = {
    {.name = "max_body",
        .type = KEY_SIZE,
        .offset = offsetof(struct config_endpoint, max_body_bytes),
        .max = 1 * GIB,
        .initial = "8MiB",
        .help = "Largest body of a request and of a consumed message."},
    {.name = "max_in_flight",
        .type = KEY_INT,
        .offset = offsetof(struct config_endpoint, max_in_flight),
        .max = UINT16_MAX,
        .initial = "0",
        .help = "The most requests at a time; 0 is as many as there is room for."},
    {.name = "compatibility",
        .type = KEY_CHOICE,
        .offset = offsetof(struct config_endpoint, compatibility),
        .choices = compatibilities,
        .help = "With krakend, this endpoint answers as the gateway does, with none as Leveret."},
    {.name = "server_timing",
        .type = KEY_BOOL,
        .offset = offsetof(struct config_endpoint, shows_timing),
        .help = "Answers have Server-Timing; as the service says when absent."},
};
const struct config_level config_level_leveret_endpoint = {
    "leveret, endpoint", leveret_endpoint_keys, N(leveret_endpoint_keys), NULL};
