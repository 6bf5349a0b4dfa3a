/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crowds: ten thousand that say nothing, a thousand in the middle of a head, ten thousand requests
 * that nobody reads the answers of, all hostile forms at once. The front's memory stays within what
 * its plan says, and whoever comes with a request is served.
 */
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/support/child.h"

#include "scene.h"

TestSuite(crowd, .fini = scene_close, .timeout = 110);

enum {
    N_IDLE = 10000,
    N_SLOW = 1000,
    N_PIPELINED = 10000,
    N_HOSTILE = 2000,
    AT_A_TIME = 64,
    OF_ONE_IDLE = 2 << 10,  /* bytes */
    OF_ONE_SLOW = 20 << 10, /* its head has 8 KiB, and a buffer doubles */
    SOME_KIB = 4 << 10,
};

static struct raw_client crowd[N_IDLE];
static long rest_kib;

static void begin(uint32_t max_connections)
{
    struct rlimit most;
    require(getrlimit(RLIMIT_NOFILE, &most) == 0, "getrlimit");
    most.rlim_cur = most.rlim_max;
    require(setrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_max > N_IDLE + 100,
        "descriptors: %lu are too few", (unsigned long)most.rlim_max);
    stage_open(&stage, &(struct stage_settings){.max_connections = max_connections});
    raw_client_connect(&client, stage.port);
    next_request_works();
    rest_kib = process_own_kib(stage.front);
}

/* All `n`, by as many at a time as the line before the listener has room for. */
static void come(size_t n, const char *const *texts, size_t n_texts)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = texts[i % n_texts];
        raw_client_connect(&crowd[i], stage.port);
        cr_assert(!*text || raw_client_say(&crowd[i], text));
        if (i % AT_A_TIME == 0)
            next_request_works();
    }
    next_request_works(); /* the front has seen all who came before it */
}

static void go(size_t n)
{
    for (size_t i = 0; i < n; i++)
        raw_client_close(&crowd[i]);
}

static void expect_at_most(size_t n, size_t bytes_each)
{
    long most_kib = rest_kib + SOME_KIB + (long)(n * bytes_each / 1024);
    long kib = process_own_kib(stage.front);
    cr_expect_leq(kib, most_kib, "%ld KiB instead of %ld", kib, most_kib);
}

Test(crowd, ten_thousand_that_say_nothing_keep_nobody_waiting)
{
    begin(N_IDLE + 8);
    come(N_IDLE, &(const char *){""}, 1);
    expect_at_most(N_IDLE, OF_ONE_IDLE);
    struct raw_client other;
    raw_client_connect(&other, stage.port);
    cr_assert(raw_client_say(&other, POST("/produce/x", 0)));
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &other, true);
    cr_assert_eq(reply.status, 200);
    raw_client_close(&other);
    go(N_IDLE);
}

Test(crowd, a_thousand_in_the_middle_of_a_head_keep_nobody_waiting)
{
    static char text[8000] = "GET /__health HTTP/1.1\r\nHost: a\r\nx: ";
    memset(text + strlen(text), 'y', sizeof(text) - strlen(text) - 1);
    begin(N_SLOW + 8);
    come(N_SLOW, &(const char *){text}, 1);
    expect_at_most(N_SLOW, OF_ONE_SLOW);
    go(N_SLOW);
}

/* The kernel takes what it has room for: the front has stopped to read long before. */
static size_t say_without_reading(void)
{
    static const char one[] = GET("/__health");
    size_t n = 0, at = 0;
    while (n < N_PIPELINED) {
        ssize_t sent = send(client.fd, one + at, strlen(one) - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd writable = {.fd = client.fd, .events = POLLOUT};
        if (sent < 0 && poll(&writable, 1, 200) == 0)
            break; /* nobody takes any more */
        at += sent > 0 ? (size_t)sent : 0;
        n += at == strlen(one);
        at %= strlen(one);
    }
    cr_assert(raw_client_say(&client, one + at)); /* to its end */
    return n + 1;
}

Test(crowd, ten_thousand_requests_at_once_are_answered_in_their_order)
{
    begin(8);
    size_t n = say_without_reading();
    expect_at_most(1, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        reply_read(&reply, &client, true);
        cr_assert_eq(reply.status, 200, "the %zuth", i);
    }
    next_request_works();
}

/* ---- everything at once ---- */

static const char *const hostile[] = {
    "GET /__health HTTP/1.1\r\nHost: a\r\nx: ", /* and no more */
    "POST /produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhello",
    "POST /produce/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nhello",
    "POST /produce/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;aaaaaaaa",
    "POST /produce/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "POST /produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "POST /produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "\r\n\r\n\r\n\r\n",
    GET("/consume"),
    GET("/__health") GET("/__health") GET("/__health") GET("/__health"),
};

Test(crowd, all_hostile_forms_at_once_keep_nobody_waiting)
{
    begin(N_HOSTILE + 8);
    come(N_HOSTILE, hostile, sizeof(hostile) / sizeof(hostile[0]));
    expect_at_most(N_HOSTILE, OF_ONE_SLOW);
    go(N_HOSTILE);
    next_request_works();
}
