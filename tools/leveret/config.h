/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file, read, checked and typed.
 *
 * config_load() reads the file once; afterwards nothing looks at JSON again, except for what stays
 * an object: arguments of exchanges and queues, new names, members of answers. Every field holds what the file said or
 * its default (config_keys.c is the only place that knows either). Inherited values are already
 * resolved: an endpoint's timeout is its own or the service's.
 *
 * The structures hold broker credentials, and the private keys that are some. They live in the supervisor and in the plans of the
 * workers, nowhere else.
 */
#ifndef LEVERET_CONFIG_H
#define LEVERET_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <leveret/io.h>
#include "shm/log.h"
#include "findings.h"

#define CONFIG_FILE_BYTES_MAX (8 << 20)
#define CONFIG_WORKERS_MAX 64

struct config_list {
    const char *const *items;
    size_t n;
};

/* Structures of one type in a row. */
struct config_items {
    void *items;
    size_t n;
};

enum config_method { CONFIG_GET, CONFIG_POST, CONFIG_PUT, CONFIG_PATCH, CONFIG_DELETE };
enum config_output {
    CONFIG_OUTPUT_JSON,
    CONFIG_OUTPUT_JSON_COLLECTION,
    CONFIG_OUTPUT_STRING,
    CONFIG_OUTPUT_NO_OP,
    CONFIG_OUTPUT_NEGOTIATE
};
enum config_encoding {
    CONFIG_ENCODING_JSON,
    CONFIG_ENCODING_SAFEJSON,
    CONFIG_ENCODING_STRING,
    CONFIG_ENCODING_NO_OP
};
enum config_role { CONFIG_CONSUMER, CONFIG_PRODUCER };
enum config_delivery {
    CONFIG_DELIVERY_AUTO,
    CONFIG_DELIVERY_PERSISTENT,
    CONFIG_DELIVERY_TRANSIENT
};
enum config_declare { CONFIG_DECLARE_ACTIVE, CONFIG_DECLARE_PASSIVE, CONFIG_DECLARE_NONE };
enum config_backoff {
    CONFIG_BACKOFF_CONSTANT,
    CONFIG_BACKOFF_LINEAR,
    CONFIG_BACKOFF_LINEAR_JITTER,
    CONFIG_BACKOFF_EXPONENTIAL,
    CONFIG_BACKOFF_EXPONENTIAL_JITTER
};
/* Whose answers a client gets where they differ. */
enum config_compatibility { CONFIG_LEVERET, CONFIG_KRAKEND };
enum config_confinement { CONFIG_CONFINED, CONFIG_UNCONFINED };
enum config_access { CONFIG_ACCESS_OFF, CONFIG_ACCESS_ERRORS, CONFIG_ACCESS_ALL };
enum config_tracing { CONFIG_TRACING_PASS, CONFIG_TRACING_CREATE };

/* Where the data listener stands: exactly one of host and unix_path is set. */
struct config_listener {
    const char *host; /* a name or an address, without brackets; "" = every interface */
    uint16_t port;
    const char *unix_path;
    int64_t mode; /* of the socket's file */
};

/* The files that TLS to a broker needs, as an AMQP URI names them; "" = it does not. */
struct config_tls_files {
    const char *authorities; /* "" = the system's */
    const char *certificate, *key;
};

/* The same, read. Hosts that say the same share one (config_broker_tls.h). */
struct config_broker_tls {
    struct config_tls_files files;
    bool is_unverified;
    const char *authorities, *certificate, *key; /* PEM; "" = none */
    uint32_t number;                             /* from 0, in the order of the list */
    struct config_broker_tls *next;
};

/* One entry of `host`: an AMQP URI, split and percent-decoded. */
struct config_host {
    const char *user, *password;
    const char *host;
    uint16_t port;
    const char *vhost;
    int64_t heartbeat_s; /* 0 = none */
    int64_t connection_timeout_ns;
    int64_t channel_max; /* 0 = the broker's */
    bool is_external;    /* the certificate says who we are, not user and password */

    bool is_secure; /* amqps://; what follows is for it alone */
    bool is_unverified;
    const char *server_name; /* whose certificate it must show; "" = the host's */
    struct config_tls_files files;
    const struct config_broker_tls *tls; /* NULL until the files are read */
};

/* What a consumer and a producer say to the broker; what only the other one has is at its default.
 */
struct config_amqp {
    const char *queue;
    const char *exchange;
    struct config_list bindings; /* consumer: `routing_key`; producer: `bind` */
    bool is_durable, is_auto_delete, is_exclusive, is_no_wait, is_no_local;
    int64_t prefetch_count, prefetch_size;
    bool is_auto_ack, discards_malformed;

    const char *routing_key; /* a parameter's name, or the key itself; "" = the empty key */
    bool has_static_routing_key;
    bool is_mandatory, is_immediate;
    const char *exp_key, *reply_to_key, *msg_id_key, *priority_key; /* parameters; "" = none */

    int64_t max_retries; /* 0 = for ever */
    int backoff;         /* enum config_backoff */

    bool is_confirmed;
    int delivery; /* enum config_delivery */
    int declare;  /* enum config_declare */
    const char *exchange_type;
    json_t *exchange_arguments, *queue_arguments; /* objects of scalars, or NULL */
    bool has_header_arrays, has_properties_as_headers;
    int64_t idle_release_ns; /* 0 = keep */
};

enum config_flatmap_verb { CONFIG_FLATMAP_MOVE = 1, CONFIG_FLATMAP_APPEND, CONFIG_FLATMAP_DEL };

/* One element of flatmap_filter, as written. */
struct config_operation {
    int verb;                /* enum config_flatmap_verb; 0 = it does not say */
    struct config_list args; /* dot paths */
};

struct config_backend {
    const char *path;      /* "$.endpoints[3].backend[0]": for messages and logs */
    const char *amqp_path; /* of the namespace that made it one: its keys stand there */
    const char *own_path;  /* of its extra_config.leveret */
    const char *proxy_path;
    enum config_role role;
    struct config_list host;   /* as written; hosts has them parsed */
    struct config_host *hosts; /* at least one; all of one vhost */
    size_t n_hosts;
    bool is_host_sanitize_disabled;
    const char *url_pattern;
    int encoding; /* enum config_encoding */
    bool is_collection;
    const char *group, *target; /* "" = none */
    struct config_list allow, deny;
    json_t *mapping;             /* an object of strings, in the file's order; or NULL */
    struct config_items flatmap; /* config_operation */
    struct config_amqp amqp;
};

/* When the members of `static` are added to an answer. */
enum config_strategy {
    CONFIG_STATIC_ALWAYS,
    CONFIG_STATIC_SUCCESS,
    CONFIG_STATIC_COMPLETE,
    CONFIG_STATIC_ERRORED,
    CONFIG_STATIC_INCOMPLETE
};

struct config_static {
    json_t *data; /* an object, or NULL */
    int strategy; /* enum config_strategy */
};

struct config_proxy {
    const char *path; /* of the namespace; the endpoint's when it is not there */
    bool is_sequential;
    struct config_static fixed;
    struct config_items flatmap; /* config_operation */
};

struct config_endpoint {
    const char *path;    /* "$.endpoints[3]" */
    const char *pattern; /* "/a/{b}/c" */
    int method;          /* enum config_method */
    int output;          /* enum config_output */
    int64_t timeout_ns, cache_ttl_ns;
    struct config_list headers; /* as written; "*" = all */
    struct config_list query_strings;
    int64_t concurrent_calls;
    int64_t max_body_bytes;
    int64_t max_in_flight; /* 0 = as many as there is room for */
    int compatibility;     /* enum config_compatibility */
    bool shows_timing;
    struct config_proxy proxy;
    struct config_backend *backends; /* none: no AMQP backend here, the answer is 501 */
    size_t n_backends;
};

enum config_tls_version { CONFIG_TLS_OLDER, CONFIG_TLS_1_2, CONFIG_TLS_1_3 };

/* Of the listeners. What follows the files' names is read from them (config_listener_tls.h). */
struct config_tls {
    bool is_present, is_disabled;
    const char *public_key, *private_key;
    int min_version, max_version; /* enum config_tls_version */
    bool wants_client_certificate, has_no_system_authorities;
    struct config_list ca_certs;
    const char *certificate, *key, *authorities; /* PEM; "" = none */
    const char *ciphers, *suites; /* of TLS 1.2, of 1.3, as OpenSSL writes them; "" = its own */
};

struct config {
    const char *file;
    uint64_t hash; /* of its bytes: FNV-1a */
    int version;   /* 2 or 3 */
    const char *name;
    int64_t timeout_ns, cache_ttl_ns;
    int output;                /* enum config_output */
    struct config_list host;   /* as written */
    struct config_host *hosts; /* parsed, once a backend relies on them */
    size_t n_hosts;
    bool is_host_parsed;
    int64_t port;
    const char *listen_ip;
    int64_t read_header_timeout_ns, read_timeout_ns, write_timeout_ns, idle_timeout_ns;
    int64_t max_header_bytes;
    bool is_rest_disabled;
    struct config_tls tls;

    int64_t workers;
    struct config_list listen;         /* as written */
    struct config_listener *listeners; /* from listen, or from listen_ip and port: at least one */
    size_t n_listeners;
    const char *admin_listen;     /* as written */
    const char *admin_token;      /* "": none */
    struct config_listener admin; /* from it; nowhere when it is none: neither host nor path */
    int64_t memory_bytes;         /* of all lanes together */
    int64_t max_connections;
    int64_t drain_timeout_ns, drain_delay_ns;
    int log_level, log_format; /* enum log_level, enum log_format */
    bool shows_timing;
    int access_log; /* enum config_access */
    int tracing;    /* enum config_tracing */
    int64_t tracing_percent;
    int io;          /* enum io */
    int confinement; /* enum config_confinement */
    const char *user;
    const char *connection_name;
    struct config_list ignore;
    int compatibility; /* enum config_compatibility */

    const char *own_path; /* of extra_config.leveret, or "$" */

    struct config_broker_tls *broker_tls; /* what the hosts' TLS needs: a list, or NULL */
    struct config_endpoint *endpoints;
    size_t n_endpoints;
    json_t *variables; /* of the environment, to which strings refer: a member for each */
    const struct topology *topology; /* what the backends share: plan_topology.h */
    struct config_pool *pool;        /* what the pointers above lead to */
};

/* What the command line says over the file. */
struct overrides {
    int port; /* one listener here, instead of all of the file's; 0 = any free port; -1: not said */
    int workers;       /* 0: not said */
    const char *admin; /* in place of admin_listen; NULL: not said */
};

/*
 * Reads, checks and types the file at path.
 * CONFIG_VALID: *config is set, the caller frees it, and no finding is an error. CONFIG_INVALID:
 * the findings say why. -ENOMEM: there is no verdict. *config is set only with CONFIG_VALID.
 *
 * The findings are sorted by position and are the caller's. Environment: KRAKEND_<KEY> overrides a
 * key of the first level, and `${NAME}` in strings is replaced. The command line beats both.
 */
enum config_outcome { CONFIG_VALID, CONFIG_INVALID };
int config_load(const char *path, const struct overrides *overrides, struct config **config,
    struct findings *findings) __attribute__((warn_unused_result));

/*
 * The same, and keeps the text of the file in *file, for findings_locate() of what is found later.
 * The caller ends it with config_file_done(), whatever the outcome: there are credentials in it.
 */
struct config_file;
int config_load_file(const char *path, const struct overrides *overrides, struct config_file *file,
    struct config **config, struct findings *findings) __attribute__((warn_unused_result));
void config_free(struct config *config);

#endif
