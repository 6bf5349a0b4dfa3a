/* SPDX-License-Identifier: Apache-2.0 */
#include "turn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls_server.h"
#include "transport.h"

#define LARGE ((size_t)8 << 20) /* more than the socket buffers of both sides hold */

static struct transport transport;
static struct tls_peer peer = {.name = "127.0.0.1"};
static int listener = -1, fd = -1; /* the server's socket */
static struct loop_watch *watch;
static struct sockaddr_in address = {.sin_family = AF_INET};

static int n_connected, n_closed, n_done;
static size_t n_received, n_taken;
static char received[64];
static struct connection_end end;
static bool closes_on_bytes;

/* What the server has read, and whether it reads at all. */
static bool is_deaf, has_said_bye;
static size_t n_server_read;
static uint8_t server_read[16384];

/* ---- ours ------------------------------------------------------------------------------------ */

static void on_connected(void *owner)
{
    n_connected++;
}

static void on_bytes(void *owner, const uint8_t *bytes, size_t n_bytes)
{
    cr_assert_leq(n_received + n_bytes, sizeof received);
    memcpy(received + n_received, bytes, n_bytes);
    n_received += n_bytes;
    if (closes_on_bytes)
        transport_close(&transport);
}

static void on_taken(void *owner, size_t n_bytes, bool is_done)
{
    cr_assert_eq(n_closed, 0, "nothing comes after on_closed");
    n_taken += n_bytes;
    n_done += is_done;
}

static void on_closed(void *owner, const struct connection_end *why)
{
    cr_assert_eq(transport.state, TRANSPORT_IDLE);
    n_closed++;
    end = *why;
}

static const struct transport_ops ops = {.on_connected = on_connected,
    .on_bytes = on_bytes,
    .on_taken = on_taken,
    .on_closed = on_closed};

/* ---- the server's ---------------------------------------------------------------------------- */

static void server_speak(void)
{
    uint8_t said[65536];
    int n = BIO_read(server_says, said, sizeof said);
    if (n > 0)
        cr_assert_eq(send(fd, said, (size_t)n, MSG_NOSIGNAL), n);
}

static void server_drop(void)
{
    loop_watch_free(loop, watch);
    watch = NULL;
    cleanup_fd(&fd);
    fd = -1;
}

static void on_server_readable(void *owner)
{
    static uint8_t heard[65536];
    if (is_deaf) {
        loop_watch_free(loop, watch);
        watch = NULL;
        return;
    }
    ssize_t n = recv(fd, heard, sizeof heard, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        server_drop();
        return;
    }
    cr_assert_eq(BIO_write(server_hears, heard, (int)n), n);
    int r = 1;
    while (r > 0) {
        r = SSL_read(server, server_read, sizeof server_read);
        n_server_read += r > 0 ? (size_t)r : 0;
    }
    has_said_bye = SSL_get_shutdown(server) & SSL_RECEIVED_SHUTDOWN;
    server_speak();
}

static void server_accept(void)
{
    server_begin();
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(fd, 0);
    watch = loop_watch_new(loop, fd, on_server_readable, NULL);
    cr_assert_not_null(watch);
}

static void server_write(const char *text)
{
    cr_assert_eq(SSL_write(server, text, (int)strlen(text)), (int)strlen(text));
    server_speak();
}

static void server_reset(void)
{
    struct linger at_once = {.l_onoff = 1};
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    server_drop();
}

/* ---- scene ----------------------------------------------------------------------------------- */

static void listen_on_loopback(void)
{
    socklen_t n = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, 16), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &n), 0);
}

static void set_up(void)
{
    turn_new(&(struct loop_config){.n_buffers = 4, .buffer_bytes = 4096, .n_timers = 8});
    server_init();
    listen_on_loopback();
    peer.context = our_context(NULL);
    cr_assert_eq(transport_init(&transport, loop, &ops, NULL, true), 0);
}

static void tear_down(void)
{
    transport_close(&transport);
    if (transport.state != TRANSPORT_IDLE)
        TURN_UNTIL(transport.state == TRANSPORT_IDLE);
    transport_done(&transport);
    SSL_CTX_free(peer.context);
    server_drop();
    cleanup_fd(&listener);
    server_done();
    loop_free(loop);
}

TestSuite(transport, .init = set_up, .fini = tear_down);

static void start(const struct tls_peer *with, uint64_t patience_ns)
{
    const struct transport_goal goal = {
        .address = (const struct sockaddr *)&address,
        .n_address = sizeof address,
        .peer = with,
        .port = 5671,
        .deadline_ns = clock_now_ns() + patience_ns,
    };
    cr_assert_eq(transport_connect(&transport, &goal), 0);
}

/* TCP stands, and the server waits for our first word. */
static void start_shaking(void)
{
    start(&peer, 5 * CLOCK_S);
    TURN_UNTIL(transport.state == TRANSPORT_SHAKING);
    server_accept();
}

static void connect_both(void)
{
    start_shaking();
    cr_assert_eq(n_connected, 0, "not before it is secure");
    TURN_UNTIL(n_connected == 1 && SSL_is_init_finished(server));
}

static void send_bytes(const void *bytes, size_t n)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    transport_send(&transport, &iov, 1);
}

static void expect_end(enum connection_end_reason reason, const char *text)
{
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(end.reason, reason);
    cr_assert_str_eq(end.text, text);
    turn_once();
    cr_assert_eq(n_closed, 1, "told once");
}

/* ---- without TLS ----------------------------------------------------------------------------- */

Test(transport, without_a_context_bytes_go_as_they_are)
{
    static const struct tls_peer plain = {.name = "127.0.0.1"};
    char heard[8];
    start(&plain, 5 * CLOCK_S);
    TURN_UNTIL(n_connected == 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    send_bytes("hello", 5);
    TURN_UNTIL(n_done == 1);
    cr_assert_eq(n_taken, 5);
    cr_assert_eq(recv(fd, heard, sizeof heard, 0), 5);
    cr_assert_eq(memcmp(heard, "hello", 5), 0);
    cr_assert_eq(send(fd, "world", 5, 0), 5);
    TURN_UNTIL(n_received == 5);
    cleanup_fd(&fd);
    fd = -1;
    expect_end(CONNECTION_END_LOST, "the peer closed the connection");
}

Test(transport, a_refused_connection_is_told_as_lost)
{
    cleanup_fd(&listener);
    listener = -1;
    start(&peer, 5 * CLOCK_S);
    expect_end(CONNECTION_END_LOST, "connecting: Connection refused");
    cr_assert_eq(end.error, ECONNREFUSED);
}

/* ---- with it --------------------------------------------------------------------------------- */

Test(transport, bytes_go_both_ways)
{
    connect_both();
    send_bytes("hello", 5);
    TURN_UNTIL(n_done == 1 && n_server_read == 5);
    cr_assert_eq(n_taken, 5);
    cr_assert_eq(memcmp(server_read, "hello", 5), 0);
    server_write("world");
    TURN_UNTIL(n_received == 5);
    cr_assert_eq(memcmp(received, "world", 5), 0);
}

Test(transport, a_large_message_is_taken_whole_while_the_peer_reads)
{
    uint8_t *bytes = calloc(1, LARGE);
    connect_both();
    send_bytes(bytes, LARGE);
    cr_assert_not(transport_may_send(&transport));
    TURN_UNTIL(n_server_read == LARGE);
    TURN_UNTIL(n_done == 1);
    cr_assert_eq(n_taken, LARGE);
    cr_assert(transport_may_send(&transport));
    free(bytes);
}

Test(transport, answers_that_the_peer_wants_are_sent_without_a_message_of_ours)
{
    connect_both();
    cr_assert_eq(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
    server_write("x");
    TURN_UNTIL(n_received == 1);
    send_bytes("hello", 5);
    TURN_UNTIL(n_server_read == 5);
    cr_assert_eq(n_taken, 5);
    cr_assert_eq(n_done, 1);
}

/* A ticket for who has shown a certificate is longer than the server's records. */
static void server_demand_long_tickets(void)
{
    struct certificate me;
    certificate_init(&me, &authority, &(struct certificate_order){.name = "me"});
    SSL_CTX_free(peer.context);
    peer.context = our_context(&me);
    certificate_done(&me);
    server_demand_certificate();
    cr_assert_eq(SSL_CTX_set_max_send_fragment(server_context, 512), 1);
}

Test(transport, a_message_waits_for_the_rest_of_a_ticket_and_goes_on_by_itself)
{
    uint8_t ticket[8192];
    server_demand_long_tickets();
    connect_both();
    cr_assert_eq(SSL_new_session_ticket(server), 1);
    cr_assert_eq(SSL_do_handshake(server), 1);
    int n = BIO_read(server_says, ticket, sizeof ticket);
    cr_assert_eq(send(fd, ticket, (size_t)n - 1, MSG_NOSIGNAL), n - 1);
    TURN_UNTIL(SSL_in_init(transport.tls.ssl));
    send_bytes("hello", 5);
    cr_assert_not(transport_may_send(&transport));
    cr_assert_eq(send(fd, ticket + n - 1, 1, MSG_NOSIGNAL), 1);
    TURN_UNTIL(n_server_read == 5);
    TURN_UNTIL(n_done == 1);
    cr_assert_eq(n_taken, 5);
    cr_assert(transport_may_send(&transport));
}

Test(transport, it_may_connect_again)
{
    connect_both();
    transport_close(&transport);
    TURN_UNTIL(n_closed == 1);
    n_connected = n_closed = 0;
    server_drop();
    connect_both();
    send_bytes("again", 5);
    TURN_UNTIL(n_server_read == 5);
}

/* ---- a handshake that comes to nothing -------------------------------------------------------- */

Test(transport, who_is_not_the_broker_is_told_why)
{
    peer.name = "rabbit.example";
    start_shaking();
    expect_end(CONNECTION_END_TLS, "TLS with rabbit.example:5671: certificate verify failed: "
                                   "hostname mismatch (/CN=broker)");
    cr_assert_eq(n_connected, 0);
    TURN_UNTIL(fd < 0);
    cr_assert_eq(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_CERTIFICATE);
}

Test(transport, a_handshake_that_stalls_is_given_up_at_its_deadline)
{
    uint64_t begun_ns = clock_now_ns();
    start(&peer, 50 * CLOCK_MS);
    expect_end(CONNECTION_END_TLS,
        "TLS with 127.0.0.1:5671: the handshake does not come to its end in time");
    cr_assert_geq(clock_now_ns(), begun_ns + 50 * CLOCK_MS);
}

Test(transport, a_peer_that_closes_in_the_handshake_is_told_as_one)
{
    is_deaf = true;
    start_shaking();
    turn_once();
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    expect_end(
        CONNECTION_END_TLS, "TLS with 127.0.0.1:5671: the connection was closed in the handshake");
}

Test(transport, a_peer_that_resets_in_the_handshake_is_told_as_one)
{
    is_deaf = true;
    start_shaking();
    server_reset();
    expect_end(CONNECTION_END_TLS, "TLS with 127.0.0.1:5671: the connection was closed in the "
                                   "handshake: Connection reset by peer");
    cr_assert_eq(end.error, ECONNRESET);
}

Test(transport, a_peer_that_speaks_plain_amqp_is_told_as_one)
{
    is_deaf = true;
    start_shaking();
    cr_assert_eq(send(fd, "AMQP\0\0\11\1", 8, 0), 8);
    expect_end(CONNECTION_END_TLS,
        "TLS with 127.0.0.1:5671: it answers in plain AMQP: there is no TLS on this port");
}

Test(transport, closing_in_the_handshake_ends_it)
{
    is_deaf = true;
    start_shaking();
    transport_close(&transport);
    cr_assert_eq(n_closed, 0, "not from inside the call");
    expect_end(CONNECTION_END_LOST, "closed");
}

Test(transport, closing_before_the_handshake_ends_it)
{
    start(&peer, 5 * CLOCK_S);
    transport_close(&transport);
    expect_end(CONNECTION_END_LOST, "closed");
}

/* ---- the end --------------------------------------------------------------------------------- */

Test(transport, that_we_leave_is_said)
{
    connect_both();
    transport_close(&transport);
    cr_assert_eq(n_closed, 0, "not from inside the call");
    expect_end(CONNECTION_END_LOST, "closed");
    TURN_UNTIL(fd < 0);
    cr_assert(has_said_bye);
}

Test(transport, a_peer_that_leaves_is_heard_to_the_end_and_answered)
{
    connect_both();
    cr_assert_eq(SSL_write(server, "bye", 3), 3);
    (void)SSL_shutdown(server);
    server_speak();
    expect_end(CONNECTION_END_LOST, "the peer closed the connection");
    cr_assert_eq(n_received, 3);
    TURN_UNTIL(fd < 0);
    cr_assert(has_said_bye);
}

Test(transport, a_peer_that_goes_without_a_word_is_told_as_lost)
{
    connect_both();
    turn_once();
    server_reset();
    expect_end(CONNECTION_END_LOST, "receiving: Connection reset by peer");
}

Test(transport, a_record_that_cannot_be_read_is_the_end_and_is_told_as_such)
{
    connect_both();
    cr_assert_eq(send(fd, "\x17\3\3\0\4fake", 9, 0), 9);
    expect_end(CONNECTION_END_TLS, "TLS with 127.0.0.1:5671: it speaks no TLS that can be read: "
                                   "decryption failed or bad record mac");
}

Test(transport, it_may_be_closed_from_on_bytes)
{
    closes_on_bytes = true;
    connect_both();
    server_write("one");
    server_write("two");
    expect_end(CONNECTION_END_LOST, "closed");
    cr_assert_eq(n_received, 3, "nobody listens any more");
}

Test(transport, closing_while_sending_tells_how_much_may_have_arrived)
{
    uint8_t *bytes = calloc(1, LARGE);
    connect_both();
    is_deaf = true;
    send_bytes(bytes, LARGE);
    for (int i = 0; i < 20; i++)
        turn_once();
    cr_assert_eq(n_done, 0, "the peer does not read");
    transport_close(&transport);
    TURN_UNTIL(n_closed == 1);
    cr_assert_lt(n_taken, LARGE);
    cr_assert_gt(n_taken, 0);
    free(bytes);
    is_deaf = false;
    while (fd >= 0)
        on_server_readable(NULL);
    cr_assert_eq(n_server_read, n_taken, "neither more nor less than was told");
}

Test(transport, a_peer_that_goes_while_we_send_is_told_once)
{
    uint8_t *bytes = calloc(1, LARGE);
    connect_both();
    is_deaf = true;
    send_bytes(bytes, LARGE);
    for (int i = 0; i < 20; i++)
        turn_once();
    server_reset();
    TURN_UNTIL(n_closed == 1);
    cr_assert_eq(end.reason, CONNECTION_END_LOST);
    cr_assert_lt(n_taken, LARGE);
    turn_once();
    cr_assert_eq(n_closed, 1);
    free(bytes);
}
