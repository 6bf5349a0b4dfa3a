/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP client for tests, over libcurl: one request, one answer, each on a connection of its own
 * unless a load (load.h) is run. An answer that never comes is an answer too (status 0), since what
 * is tested here is who gets one.
 *
 *   http_do(request) -> answer -> http_answer_done
 *   http_begin(request) -> http_end(call) -> answer     the caller does something meanwhile
 */
#ifndef LEVERET_TESTS_HTTP_CLIENT_H
#define LEVERET_TESTS_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

enum { HTTP_FAILURE_BYTES = 256, HTTP_DEFAULT_TIMEOUT_MS = 20000 };

struct http_request {
    const char *method;  /* NULL: GET */
    const char *url;     /* absolute */
    const char *headers; /* "Name: value" lines, each ended by \n; NULL: none. "Name:" takes one of
                            libcurl's own away */
    const void *body;    /* NULL: none */
    size_t body_bytes;
    int is_chunked;  /* the body without a Content-Length */
    long timeout_ms; /* 0: HTTP_DEFAULT_TIMEOUT_MS */
    /* https: files of PEM. Who must have signed for the server; whom we show, or NULL. */
    const char *authority, *certificate, *key;
};

struct http_answer {
    int status; /* 0: there was none, and `failure` says why */
    char failure[HTTP_FAILURE_BYTES];
    char *head; /* status line and headers as they came */
    size_t head_bytes;
    char *body; /* with a NUL behind it that is not counted */
    size_t body_bytes;
    uint64_t elapsed_ns;
};

void http_do(const struct http_request *request, struct http_answer *answer);
void http_answer_done(struct http_answer *answer);

/* The value of the first such header in `value`, without blanks around it; NULL when there is none.
 */
const char *http_header(
    const struct http_answer *answer, const char *name, char *value, size_t value_size);

/* Starts the request on a thread of its own. What it points to must live until http_end(). */
struct http_call *http_begin(const struct http_request *request);
/* Waits for the answer, which the request's own time-out bounds, and frees the call. */
void http_end(struct http_call *call, struct http_answer *answer);

#endif
