/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans: what the supervisor read from the file, in the shape in which a child uses it.
 *
 * A plan is a sealed memfd that the child maps read-only: a plan_header, then the root structure
 * and all that it refers to, by offset from the plan's start. There are two: the front's, which
 * knows routes, parameters and answers and no broker; the worker's, which knows brokers, exchanges
 * and queues and no HTTP. The two meet in one number: plan_part.backend is an index into
 * plan_worker.backends.
 *
 * A child trusts its plan: it comes from the process that started it, and nobody can change it any
 * more.
 */
#ifndef LEVERET_PLAN_H
#define LEVERET_PLAN_H

#include <stdint.h>

#define PLAN_MAGIC UINT64_C(0x316e616c70767672)
#define PLAN_VERSION 3u

enum plan_kind { PLAN_FRONT = 1, PLAN_WORKER };
enum plan_verb { PLAN_PRODUCE = 1, PLAN_CONSUME };
enum plan_encoding {
    PLAN_JSON = 1,        /* an object; any other value is undecodable */
    PLAN_JSON_COLLECTION, /* backend: an array, given as {"collection": ...}. endpoint: it bare */
    PLAN_SAFEJSON,        /* any value; what is no object is wrapped */
    PLAN_STRING,          /* any bytes; {"content": "..."} where the answer is JSON */
    PLAN_NO_OP,           /* any bytes with their own content type */
    PLAN_NEGOTIATE        /* endpoint: JSON or STRING, as the client's Accept says */
};
enum plan_declare { PLAN_DECLARE_ACTIVE = 1, PLAN_DECLARE_PASSIVE, PLAN_DECLARE_NONE };
enum plan_backoff {
    PLAN_BACKOFF_CONSTANT = 1,
    PLAN_BACKOFF_LINEAR,
    PLAN_BACKOFF_LINEAR_JITTER,
    PLAN_BACKOFF_EXPONENTIAL,
    PLAN_BACKOFF_EXPONENTIAL_JITTER
};

#define PLAN_NONE UINT32_MAX       /* no such index */
#define PLAN_ANY_WORKER UINT32_MAX /* whichever has the least to do */

/* A string: `length` bytes at `offset`, with a NUL behind them that is not counted. */
struct plan_text {
    uint32_t offset;
    uint32_t length;
};

/* `count` structures of one type in a row. */
struct plan_list {
    uint32_t offset;
    uint32_t count;
};

struct plan_header {
    uint64_t magic;
    uint32_t version;
    uint32_t layout; /* a hash of the sizes that the maker believed in */
    uint32_t kind;   /* enum plan_kind */
    uint32_t root;   /* offset of plan_front or plan_worker */
    uint64_t total_bytes;
};

/* ---- of both. Names of members are spelt as between the quotes of a JSON string, with no escape
 * that is not needed. ---- */

enum {
    PLAN_PATH_MAX = 32,    /* names in one dot path, and so levels of a tree of them */
    PLAN_FLATMAP_MAX = 256 /* operations of one filter */
};

enum plan_flatmap_verb { PLAN_FLATMAP_MOVE = 1, PLAN_FLATMAP_APPEND, PLAN_FLATMAP_DEL };

/* One operation of flatmap_filter (shm/flatmap.h). */
struct plan_flatmap {
    uint32_t verb; /* enum plan_flatmap_verb */
    uint32_t reserved;
    struct plan_list from; /* plan_text: a path's names, from the outside in */
    struct plan_list to;   /* the same; DEL: none */
};

/* ---- the front's ---- */

/* Where a field of a published message comes from. */
struct plan_source {
    uint32_t field;         /* enum message_field_kind */
    uint32_t parameter;     /* index among the pattern's {names} from the left; PLAN_NONE: `text` */
    struct plan_text text;  /* the value itself when it is fixed */
    struct plan_text label; /* how an answer names it: "exp_key (parameter a)" */
};

/* One backend of an endpoint, as the front sees it. */
struct plan_part {
    uint32_t backend;          /* index into plan_worker.backends */
    uint32_t worker;           /* the only worker that serves it, or PLAN_ANY_WORKER */
    uint32_t broker;           /* index into plan_front.brokers */
    uint32_t queue;            /* of a consumer, index into plan_front.queues; else PLAN_NONE */
    uint8_t verb;              /* enum plan_verb */
    uint8_t encoding;          /* enum plan_encoding, of what the worker passes on */
    uint8_t is_mandatory;      /* an unroutable message is an error of the request */
    uint8_t has_header_arrays; /* each value of a repeated header is a field of its own */
    uint8_t shows_properties;  /* the message's properties are fields of the answer; of one part of
                                  an endpoint at most */
    struct plan_text name;     /* how answers and logs call it; never holds a credential */
    struct plan_text destination; /* its exchange or queue, for the access log */
    struct plan_list sources;     /* plan_source */
};

/* Which requests have a line in the access log. */
enum plan_access { PLAN_ACCESS_OFF, PLAN_ACCESS_ERRORS, PLAN_ACCESS_ALL };

/* When the members of `fixed` are added to an answer. */
enum plan_strategy {
    PLAN_STATIC_ALWAYS,
    PLAN_STATIC_SUCCESS,   /* no backend failed */
    PLAN_STATIC_COMPLETE,  /* the answer says that it is complete */
    PLAN_STATIC_ERRORED,   /* one did: the contrary of SUCCESS */
    PLAN_STATIC_INCOMPLETE /* the contrary of COMPLETE */
};

struct plan_endpoint {
    struct plan_text pattern; /* "/produce/{a}/{id}" */
    struct plan_text method;
    uint64_t timeout_ns;
    uint64_t cache_ttl_s;    /* 0: no Cache-Control of its own */
    uint64_t max_body_bytes; /* of a request */
    uint32_t max_in_flight;  /* 0: bounded by the slots alone */
    uint8_t output_encoding; /* enum plan_encoding */
    uint8_t passes_all_headers;
    uint8_t is_krakend;     /* answers in the form that the gateway of that name gives them */
    uint8_t is_sequential;  /* a part is asked when the one before it has succeeded */
    uint8_t fixed_strategy; /* enum plan_strategy */
    uint8_t shows_timing;   /* answers have Server-Timing */
    uint8_t reserved[6];
    struct plan_text fixed;   /* a JSON object; empty: none */
    struct plan_list flatmap; /* plan_flatmap, of the merged answer of several parts */
    struct plan_list headers; /* plan_text, canonical spelling; unused when all are passed */
    struct plan_list parts;   /* plan_part, in the file's order; none: answers 501 not-amqp */
};

/* A tap of the workers' plan, in its order, as the figures name it. */
struct plan_front_queue {
    struct plan_text name; /* unlike that of any other of its broker */
    uint32_t broker;       /* index into plan_front.brokers */
    uint32_t worker;       /* the only worker that serves it */
    uint32_t is_exclusive; /* it has a connection of its own; 0 or 1 */
    uint32_t reserved;
};

/* What makes HTTPS of the TCP listeners. Its maker has tried it. */
struct plan_server_tls {
    struct plan_text certificate, key; /* PEM; a chain, the certificate first */
    struct plan_text authorities;      /* PEM, of clients; empty: none is asked for a certificate */
    struct plan_text ciphers,
        suites; /* of TLS 1.2, of 1.3, as OpenSSL writes them; empty: its own */
    uint32_t speaks_1_2, speaks_1_3; /* 0 or 1, one of them at least */
};

struct plan_front {
    uint32_t n_workers;
    uint32_t max_connections;
    uint32_t max_header_bytes;
    uint32_t is_krakend;             /* the same where no endpoint is meant: 404, 405; 0 or 1 */
    uint64_t read_header_timeout_ns; /* from the first byte of a head to its end */
    uint64_t read_timeout_ns;        /* from the end of the head to the end of the body */
    uint64_t write_timeout_ns;       /* from the first byte of an answer to its last */
    uint64_t idle_timeout_ns;        /* of a connection between two requests */
    uint64_t drain_timeout_ns;
    struct plan_text name;        /* of the service */
    struct plan_text admin_token; /* who looks must show it; empty: there is none */
    uint32_t access_log;          /* enum plan_access */
    uint32_t makes_traces;        /* for a publish that comes without; 0 or 1 */
    uint32_t traces_percent;      /* of those that are made: how many are to be recorded */
    uint32_t reserved;
    struct plan_list endpoints; /* plan_endpoint */
    struct plan_list brokers;   /* plan_text: host:port/vhost, each unlike the others */
    struct plan_list queues;    /* plan_front_queue */
    struct plan_list tls;       /* plan_server_tls: one, or none, which is plain HTTP */
};

/* ---- the worker's ---- */

/* What makes TLS to a broker, as PEM. Its maker has tried it. */
struct plan_tls {
    struct plan_text authorities; /* empty: any certificate will do */
    struct plan_text certificate; /* empty: we show none */
    struct plan_text key;
};

struct plan_host {
    struct plan_text host; /* a name or an address, without brackets */
    struct plan_text user;
    struct plan_text password;
    struct plan_text server_name; /* for which its certificate must be */
    uint32_t port;
    uint32_t tls;         /* index into plan_worker.tls; PLAN_NONE: plain AMQP */
    uint32_t is_external; /* SASL EXTERNAL in place of PLAIN; 0 or 1 */
    uint32_t reserved;
};

/* One vhost of one broker or cluster. Hosts are tried in turn. */
struct plan_broker {
    struct plan_text name; /* host:port/vhost of the first host: for the log */
    struct plan_text vhost;
    struct plan_list hosts; /* plan_host; all of them have TLS, or none */
    uint64_t connection_timeout_ns;
    uint32_t heartbeat_s; /* what we propose; the broker's wins when lower; 0: none */
    uint32_t channel_max; /* 0: the broker's */
    uint32_t max_retries; /* 0: for ever */
    uint32_t backoff;     /* enum plan_backoff */
};

enum plan_argument_kind {
    PLAN_ARGUMENT_BOOL = 1,
    PLAN_ARGUMENT_INT,
    PLAN_ARGUMENT_DOUBLE,
    PLAN_ARGUMENT_STRING
};

/* One entry of a declaration's arguments table. */
struct plan_argument {
    struct plan_text name;
    struct plan_text text; /* STRING */
    int64_t integer;       /* INT; BOOL as 0 or 1 */
    double number;         /* DOUBLE */
    uint32_t kind;         /* enum plan_argument_kind */
    uint32_t reserved;
};

struct plan_exchange {
    struct plan_text name;      /* empty: the default exchange, never declared */
    struct plan_text type;      /* "topic" unless the file says otherwise */
    struct plan_list arguments; /* plan_argument */
    uint8_t is_durable;
    uint8_t is_auto_delete;
    uint8_t reserved[6];
};

struct plan_queue {
    struct plan_text name;      /* empty: of a producer, no queue; of a tap, the broker names it */
    struct plan_list arguments; /* plan_argument */
    uint8_t is_durable;
    uint8_t is_auto_delete;
    uint8_t is_exclusive;
    uint8_t is_single_active; /* classic, with a single active consumer */
    uint8_t reserved[4];
};

/* One exchange and the routing keys that bind a queue to it. */
struct plan_binding {
    struct plan_exchange exchange;
    struct plan_list routing_keys; /* plan_text */
};

enum plan_filter { PLAN_KEEPS_ALL, PLAN_ALLOWS, PLAN_DENIES };

enum {
    PLAN_RENAMES_MAX = 256, /* names that a mapping gives new ones */
    PLAN_LAST_RANK = UINT16_MAX
};

/*
 * A name in the paths of allow or deny; those of one level are sorted. They are
 * sorted by their code points.
 */
struct plan_path {
    struct plan_text name;
    struct plan_list below; /* plan_path; none: the path ends here and means the whole member */
};

/* A name that `mapping` mentions, old or new. Those with one place stand under one name in the
 * answer: of them the least rank that is in the message has it. */
struct plan_rename {
    struct plan_text name;
    struct plan_text
        new_name;   /* the same one, of rank PLAN_LAST_RANK, for what is only a new one */
    uint16_t place; /* from 0, without gaps, below PLAN_RENAMES_MAX */
    uint16_t rank;
    uint32_t reserved;
};

/* What the answer shows of a consumed message: target, then the filter, then the renames, or
 * instead of both what flatmap makes of it; then the group. All zero: the message as it is. */
struct plan_shape {
    struct plan_list target;  /* plan_text: names from the outside in */
    struct plan_list paths;   /* plan_path: the tree of allow or deny */
    struct plan_list renames; /* plan_rename, sorted by name */
    struct plan_list flatmap; /* plan_flatmap, in their order */
    struct plan_text group;   /* empty: none */
    uint8_t filter;           /* enum plan_filter: what `paths` are */
    uint8_t is_any;           /* one of them says something */
    uint8_t reserved[6];
};

/* One backend of the file. A producer publishes; a consumer takes its messages from its tap. */
struct plan_backend {
    uint32_t verb;              /* enum plan_verb */
    uint32_t broker;            /* index into brokers */
    uint32_t tap;               /* consumer: index into taps; else PLAN_NONE */
    uint8_t declare;            /* enum plan_declare */
    uint8_t encoding;           /* consumer: enum plan_encoding */
    uint8_t is_confirmed;       /* producer: publisher confirms */
    uint8_t is_persistent;      /* producer: delivery mode 2 */
    uint8_t is_immediate;       /* producer: answered UNSUPPORTED, never sent */
    uint8_t has_header_arrays;  /* producer: header fields become arrays of long strings */
    uint8_t is_auto_acked;      /* consumer: acked when bound, before the answer */
    uint8_t discards_malformed; /* consumer: what cannot be decoded is discarded, not requeued */
    uint64_t max_body_bytes;    /* consumer: a larger message is too-large */
    struct plan_shape shape;    /* consumer */
    struct plan_text name;      /* for the log */
    struct plan_binding target; /* producer: the exchange; routing_keys bind `queue` to it */
    struct plan_queue queue;    /* producer: declared beside, never exclusive */
};

/* A queue that is consumed: one consumer and one line of waiting GETs for all backends on it. */
struct plan_tap {
    uint32_t broker;
    uint32_t worker;         /* the only worker that serves it */
    uint32_t prefetch_count; /* upper bound of what is held unacked; never 0 in a plan */
    uint8_t declare;         /* enum plan_declare */
    uint8_t is_no_local;
    uint8_t passes_properties; /* to the front: one of its backends shows them */
    uint8_t reserved;
    uint64_t idle_release_ns; /* after the last waiting GET; 0: keep */
    struct plan_text name;    /* for the log */
    struct plan_queue queue;
    struct plan_list bindings; /* plan_binding: one per backend with an exchange */
};

struct plan_worker {
    uint32_t n_workers;
    uint32_t backend_window; /* most unsettled publishes of one backend on one worker */
    uint32_t broker_window;  /* of all backends of one broker together; not below the other */
    uint32_t reserved;
    uint64_t drain_timeout_ns;
    struct plan_text connection_name;
    struct plan_list tls;      /* plan_tls */
    struct plan_list brokers;  /* plan_broker */
    struct plan_list backends; /* plan_backend */
    struct plan_list taps;     /* plan_tap */
};

#endif
