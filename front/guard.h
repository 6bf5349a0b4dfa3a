/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate before a request: is its head one that every reader of HTTP/1 understands alike?
 *
 * Two readers in a row that disagree about where a request ends let a client smuggle a second one
 * past the first reader (RFC 9112, 11.2). The HTTP library under the front takes the first of two
 * lengths, the last of two codings and any line end, and hides those fields from handlers; so the
 * bytes that it parsed are read here once more, strictly. Whatever is not GUARD_OK is answered with
 * guard_status() and the connection is closed: nothing that follows on it can be trusted.
 *
 * The head is read line by line from its first byte, and nothing behind its empty line is touched.
 */
#ifndef LEVERET_FRONT_GUARD_H
#define LEVERET_FRONT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "slice.h"

/* The RFC is 9112 unless another is named. */
enum guard_outcome {
    GUARD_OK,
    GUARD_INCOMPLETE,         /* no empty line in these bytes (2.1) */
    GUARD_TOO_LARGE,          /* longer than it may be (RFC 6585, 5) */
    GUARD_BARE_LF,            /* a line that ends without CR (2.2) */
    GUARD_BARE_CR,            /* a CR without LF (2.2) */
    GUARD_BAD_REQUEST_LINE,   /* not METHOD SP target SP HTTP/1.x (3) */
    GUARD_BAD_TARGET,         /* neither a path nor http(s)://host/path (3.2) */
    GUARD_BAD_NAME,           /* a field without a colon, or whose name is no token (5) */
    GUARD_BLANK_BEFORE_COLON, /* (5.1) */
    GUARD_FOLDED,             /* a field that goes on in the next line (5.2) */
    GUARD_CONTROL_BYTE,       /* a control character in a value (RFC 9110, 5.5) */
    GUARD_NO_HOST,            /* HTTP/1.1 without Host (3.2) */
    GUARD_TWO_HOSTS,          /* (3.2) */
    GUARD_BAD_HOST,           /* not a host with or without a port (3.2) */
    GUARD_TWO_LENGTHS,        /* Content-Length twice, also with equal values (6.3) */
    GUARD_BAD_LENGTH,         /* Content-Length is not one decimal number (6.2) */
    GUARD_TWO_CODINGS,        /* Transfer-Encoding twice (6.1) */
    GUARD_BAD_CODING,         /* Transfer-Encoding is anything but `chunked` (6.1) */
    GUARD_OLD_CODING,         /* Transfer-Encoding in HTTP/1.0 (6.1) */
    GUARD_LENGTH_AND_CODING,  /* both (6.3) */
    GUARD_N_OUTCOMES
};

/* What a sound head says; slices of the bytes that were read. */
struct guard_head {
    size_t bytes; /* from the first byte to the end of the empty line */
    struct slice method;
    struct slice path;  /* begins with a slash; without what follows it */
    struct slice query; /* from its `?`, or empty */
    struct slice host;  /* of the target when it names one, else the field's; may be empty */
    uint64_t length;    /* Content-Length; 0 without one */
    bool is_old;        /* HTTP/1.0 */
    bool is_chunked;    /* the body is; chunks.h tells whether it is sound */
};

/* Read the head that begins at `bytes`, of at most `max_bytes`; `n` bytes may be read, and there
 * may be a body behind it. `head` is set by GUARD_OK alone. */
enum guard_outcome guard_read(
    const char *bytes, size_t n, size_t max_bytes, struct guard_head *head) MUST_USE;

/* 400 or 431. */
int guard_status(enum guard_outcome outcome);

/* A sentence for the client, with the section that it broke. Never quotes what it sent. */
const char *guard_sentence(enum guard_outcome outcome);

#endif
