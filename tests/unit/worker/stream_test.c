/* SPDX-License-Identifier: Apache-2.0 */
#include "turn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#define LARGE ((size_t)16 << 20) /* more than the socket buffers of both sides hold */

static struct stream stream;
static int listener = -1, peer = -1;
static struct sockaddr_in address = {.sin_family = AF_INET};

static int n_connected, n_closed, n_done, close_error;
static size_t n_received, n_taken;
static uint64_t checksum;
static char close_what[64];
static bool closes_on_bytes;

static void on_connected(void *owner)
{
    n_connected++;
}

static uint64_t add_up(uint64_t sum, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

static void on_bytes(void *owner, const uint8_t *bytes, size_t n_bytes)
{
    n_received += n_bytes;
    checksum = add_up(checksum, bytes, n_bytes);
    if (closes_on_bytes)
        stream_close(&stream);
}

static void on_taken(void *owner, size_t n_bytes, bool is_done)
{
    cr_assert_eq(n_closed, 0, "nothing comes after on_closed");
    n_taken += n_bytes;
    n_done += is_done;
}

static void on_closed(void *owner, int error, const char *what)
{
    cr_assert_eq(stream.state, STREAM_IDLE);
    n_closed++;
    close_error = error;
    (void)strncpy(close_what, what, sizeof close_what - 1);
}

static const struct stream_ops ops = {.on_connected = on_connected,
    .on_bytes = on_bytes,
    .on_taken = on_taken,
    .on_closed = on_closed};

static void listen_on_loopback(int backlog)
{
    socklen_t n = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, backlog), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &n), 0);
}

static void set_up(void)
{
    /* Few small buffers, so that they run out. */
    turn_new(&(struct loop_config){.n_buffers = 2, .buffer_bytes = 4096, .n_timers = 8});
    stream_init(&stream, loop, &ops, NULL);
    listen_on_loopback(16);
}

static void tear_down(void)
{
    stream_close(&stream);
    if (stream.state != STREAM_IDLE)
        TURN_UNTIL(stream.state == STREAM_IDLE);
    loop_free(loop);
    cleanup_fd(&listener);
    cleanup_fd(&peer);
}

TestSuite(stream, .init = set_up, .fini = tear_down);

static int start(void)
{
    return stream_connect(
        &stream, (const struct sockaddr *)&address, sizeof address, clock_now_ns() + 5 * CLOCK_S);
}

static void connect_both(void)
{
    cr_assert_eq(start(), 0);
    TURN_UNTIL(n_connected == 1);
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_assert_geq(peer, 0);
}

static void send_bytes(const void *bytes, size_t n)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    stream_send(&stream, &iov, 1);
}

/* What the peer has to read now; 0 when nothing, -1 at the end. */
static ssize_t peer_read(void *bytes, size_t n)
{
    ssize_t r = recv(peer, bytes, n, 0);
    if (r < 0 && errno == EAGAIN)
        return 0;
    return r > 0 ? r : -1;
}

static uint8_t *large_body(void)
{
    uint8_t *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return bytes;
}

/* ---- connecting ------------------------------------------------------------------------------ */

Test(stream, bytes_go_both_ways)
{
    char heard[16];
    connect_both();
    send_bytes("hello", 5);
    TURN_UNTIL(n_done == 1);
    cr_assert_eq(n_taken, 5);
    cr_assert_eq(peer_read(heard, sizeof heard), 5);
    cr_assert_arr_eq(heard, "hello", 5);
    cr_assert_eq(write(peer, "world", 5), 5);
    TURN_UNTIL(n_received == 5);
    cr_assert_eq(checksum, add_up(0, (const uint8_t *)"world", 5));
}

Test(stream, a_refused_connection_is_told_with_its_error)
{
    close(listener);
    listener = -1;
    cr_assert_eq(start(), 0);
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(close_error, ECONNREFUSED);
    cr_assert_str_eq(close_what, "connecting");
    cr_assert_eq(n_connected, 0);
}

/* A backlog that is full lets further connections hang, as a firewall would. */
Test(stream, a_connection_that_hangs_is_given_up_at_its_deadline)
{
    enum { N = 8 };
    int fillers[N];
    close(listener);
    address.sin_port = 0;
    listen_on_loopback(0);
    for (int i = 0; i < N; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    uint64_t deadline_ns = clock_now_ns() + 50 * CLOCK_MS;
    cr_assert_eq(
        stream_connect(&stream, (const struct sockaddr *)&address, sizeof address, deadline_ns), 0);
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(close_error, ETIMEDOUT);
    cr_assert_geq(clock_now_ns(), deadline_ns);
    for (int i = 0; i < N; i++)
        close(fillers[i]);
}

Test(stream, closing_while_it_connects_ends_it)
{
    cr_assert_eq(start(), 0);
    stream_close(&stream);
    cr_assert_eq(n_closed, 0, "not from inside the call");
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(n_connected, 0);
}

Test(stream, after_on_closed_it_may_connect_again)
{
    connect_both();
    stream_close(&stream);
    TURN_UNTIL(n_closed == 1);
    n_connected = n_closed = 0;
    close(peer);
    connect_both();
    cr_assert_eq(stream.state, STREAM_OPEN);
}

/* ---- receiving ------------------------------------------------------------------------------- */

Test(stream, more_than_the_buffers_hold_is_received_whole)
{
    uint8_t *bytes = large_body();
    size_t n_written = 0;
    connect_both();
    while (n_received < LARGE) {
        if (n_written < LARGE) {
            ssize_t n = send(peer, bytes + n_written, LARGE - n_written, MSG_DONTWAIT);
            n_written += n > 0 ? (size_t)n : 0;
        }
        size_t before = n_received;
        TURN_UNTIL(n_received > before);
    }
    cr_assert_eq(checksum, add_up(0, bytes, LARGE));
    free(bytes);
}

Test(stream, a_peer_that_closes_is_told_as_no_error)
{
    connect_both();
    cr_assert_eq(write(peer, "bye", 3), 3);
    close(peer);
    peer = -1;
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(n_received, 3, "what it said before is heard");
    cr_assert_eq(close_error, 0);
    cr_assert_str_eq(close_what, "the peer closed the connection");
}

static void reset_peer(void)
{
    struct linger at_once = {.l_onoff = 1};
    cr_assert_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(peer);
    peer = -1;
}

Test(stream, a_peer_that_resets_is_told_as_an_error)
{
    connect_both();
    reset_peer();
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(close_error, ECONNRESET);
}

Test(stream, it_may_be_closed_from_on_bytes)
{
    closes_on_bytes = true;
    connect_both();
    cr_assert_eq(write(peer, "x", 1), 1);
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(close_error, 0);
    cr_assert_eq(n_received, 1);
}

/* ---- sending --------------------------------------------------------------------------------- */

Test(stream, a_large_send_is_taken_whole_while_the_peer_reads)
{
    uint8_t *bytes = large_body(), *heard = malloc(LARGE);
    size_t n_heard = 0;
    connect_both();
    send_bytes(bytes, LARGE);
    while (n_heard < LARGE) {
        turn_once();
        ssize_t n = peer_read(heard + n_heard, LARGE - n_heard);
        cr_assert_geq(n, 0);
        n_heard += (size_t)n;
    }
    TURN_UNTIL(n_done == 1);
    cr_assert_eq(n_taken, LARGE);
    cr_assert_eq(memcmp(heard, bytes, LARGE), 0);
    free(bytes);
    free(heard);
}

Test(stream, many_pieces_arrive_in_their_order)
{
    struct iovec iov[STREAM_MAX_IOV];
    uint8_t bytes[STREAM_MAX_IOV * 3], heard[sizeof bytes];
    connect_both();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (int i = 0; i < STREAM_MAX_IOV; i++)
        iov[i] = (struct iovec){.iov_base = bytes + i * 3, .iov_len = 3};
    stream_send(&stream, iov, STREAM_MAX_IOV);
    TURN_UNTIL(n_done == 1);
    cr_assert_eq(peer_read(heard, sizeof heard), (ssize_t)sizeof heard);
    cr_assert_arr_eq(heard, bytes, sizeof bytes);
}

Test(stream, closing_while_sending_tells_how_much_was_taken_and_then_lets_go)
{
    uint8_t *bytes = large_body();
    connect_both();
    send_bytes(bytes, LARGE);
    turn_once();
    turn_once();
    cr_assert_eq(n_done, 0, "the peer does not read");
    stream_close(&stream);
    TURN_UNTIL(n_closed == 1);
    cr_assert_lt(n_taken, LARGE);
    free(bytes); /* a sanitizer would see the kernel's copy come later than this */

    size_t n_heard = 0;
    static uint8_t heard[65536];
    ssize_t n;
    while ((n = recv(peer, heard, sizeof heard, MSG_WAITALL)) > 0 || (n < 0 && errno == EAGAIN))
        n_heard += n > 0 ? (size_t)n : 0;
    cr_assert_leq(n_heard, n_taken, "no byte leaves that was not told as taken");
}

Test(stream, a_reset_while_sending_is_told_once)
{
    uint8_t *bytes = large_body();
    connect_both();
    send_bytes(bytes, LARGE);
    turn_once();
    reset_peer();
    TURN_UNTIL(n_closed == 1);
    cr_assert_lt(n_taken, LARGE);
    turn_once();
    cr_assert_eq(n_closed, 1);
    free(bytes);
}

Test(stream, pieces_larger_than_the_socket_buffer_are_taken_whole)
{
    uint8_t *bytes = large_body(), *heard = malloc(LARGE);
    connect_both();
    int small = 4096;
    (void)setsockopt(stream.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    struct iovec iov[3] = {{bytes, 100000}, {bytes + 100000, 1}, {bytes + 100001, 300000}};
    stream_send(&stream, iov, 3);
    size_t n_heard = 0;
    while (n_heard < 400001) {
        turn_once();
        ssize_t n = peer_read(heard + n_heard, LARGE - n_heard);
        cr_assert_geq(n, 0);
        n_heard += (size_t)n;
    }
    TURN_UNTIL(n_done == 1);
    cr_assert_eq(n_taken, 400001);
    cr_assert_eq(memcmp(heard, bytes, 400001), 0);
    free(bytes);
    free(heard);
}
