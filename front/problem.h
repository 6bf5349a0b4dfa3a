/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error bodies: problem details for HTTP APIs (RFC 9457).
 *
 *      {"type":"/problems/unroutable","title":"...","status":422,"detail":"...",
 *       "message_id":"...","retry_after":1,"backend":"orders","broker":{"code":312,"text":"..."},
 *       "backends":[{"backend":"orders","outcome":"confirmed"}]}
 *
 * The kinds stand in one table; a client may rely on their names. Texts may come from a broker or a
 * client: they are escaped, cut to a bound, and bytes that are no UTF-8 become U+FFFD. The front
 * knows no credential of a broker, so none can stand here.
 */
#ifndef LEVERET_FRONT_PROBLEM_H
#define LEVERET_FRONT_PROBLEM_H

#include <stdint.h>

#include "slice.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* Each name, status and title; `-` in the name stands for `_` here. */
#define PROBLEM_KINDS(X)                                                                           \
    X(MALFORMED_REQUEST, "malformed-request", 400, "The request is not HTTP as it should be")      \
    X(INVALID_VALUE, "invalid-value", 400, "A value does not fit into a message")                  \
    X(UNAUTHORIZED, "unauthorized", 401, "Who looks must show the token")                          \
    X(NOT_FOUND, "not-found", 404, "There is no such endpoint")                                    \
    X(WRONG_METHOD, "wrong-method", 405, "The endpoint has no such method")                        \
    X(REQUEST_TIMEOUT, "request-timeout", 408, "The request took too long to arrive")              \
    X(BODY_TOO_LARGE, "body-too-large", 413, "The body is larger than the endpoint takes")         \
    X(EXPECTATION_FAILED, "expectation-failed", 417, "What the request expects is not done here")  \
    X(MISDIRECTED, "misdirected", 421, "Nobody of that name is here")                              \
    X(UNROUTABLE, "unroutable", 422, "No queue takes this message")                                \
    X(HEAD_TOO_LARGE, "head-too-large", 431, "The header fields are too large")                    \
    X(INTERNAL, "internal", 500, "The sidecar made a mistake")                                     \
    X(NOT_AMQP, "not-amqp", 501, "The endpoint has no AMQP backend")                               \
    X(UNSUPPORTED, "unsupported", 501, "The broker does not do what the configuration asks for")   \
    X(REJECTED, "rejected", 502, "The broker did not accept the message")                          \
    X(PARTIAL, "partial", 502, "Not every backend accepted the message")                           \
    X(UNDECODABLE, "undecodable", 502, "The message on the queue cannot be decoded")               \
    X(TOO_LARGE, "too-large", 502, "The message on the queue is larger than the endpoint takes")   \
    X(BROKER_DOWN, "broker-down", 503, "There is no connection to the broker")                     \
    X(BROKER_BLOCKED, "broker-blocked", 503, "The broker takes no messages at present")            \
    X(BROKER_STALLED, "broker-stalled", 503, "The broker does not answer")                         \
    X(BUSY, "busy", 503, "Too many requests are in flight")                                        \
    X(TOPOLOGY, "topology", 503, "The broker refused the exchange or the queue")                   \
    X(WORKER_DOWN, "worker-down", 503, "The worker is being restarted")                            \
    X(DRAINING, "draining", 503, "The sidecar is shutting down")                                   \
    X(OUTCOME_UNKNOWN, "outcome-unknown", 504, "The message was sent, and no answer came")

#define PROBLEM_ENUM(kind, name, status, title) PROBLEM_##kind,
enum problem_kind { PROBLEM_KINDS(PROBLEM_ENUM) PROBLEM_N_KINDS };
#undef PROBLEM_ENUM

const char *problem_name(enum problem_kind kind);
int problem_status(enum problem_kind kind);

/* What became of one of several backends. */
struct problem_part {
    struct slice backend;
    struct slice outcome;
};

/* What is empty or 0 is left out. */
struct problem {
    enum problem_kind kind;
    int status; /* 0: the kind's own */
    struct slice detail;
    struct slice message_id;
    uint32_t retry_after_s;
    struct slice backend;
    uint16_t broker_code;
    struct slice broker_text;
    const struct problem_part *parts;
    size_t n_parts;
};

enum {
    PROBLEM_TEXT_BYTES = 512, /* so many bytes of each text are shown */
    PROBLEM_MAX_PARTS = 64,   /* so many parts */
};

/* Bytes that problem_write() takes at most. */
size_t problem_max_bytes(const struct problem *problem);

/* Write the body to `out`, of problem_max_bytes(); its length. */
size_t problem_write(const struct problem *problem, char *out);

#endif
