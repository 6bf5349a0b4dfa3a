/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_server.h"

#include <stdlib.h>

static struct tls tls;
static struct tls_peer peer = {.name = "rabbit.test"};
static enum tls_outcome last;
static bool is_open, is_byte_by_byte;
static uint8_t heard[1 << 20];
static size_t n_heard;

static void set_up(void)
{
    server_init();
    server_begin();
    peer.context = our_context(NULL);
    cr_assert_eq(tls_init(&tls), 0);
    cr_assert_eq(tls_start(&tls, &peer), 0);
}

static void tear_down(void)
{
    tls_done(&tls);
    SSL_CTX_free(peer.context);
    server_done();
}

TestSuite(tls, .init = set_up, .fini = tear_down);

/* ---- carrying bytes between the two ---------------------------------------------------------- */

/* All that is pending, as a kernel would take it; returns how many plain bytes that freed. */
static size_t take_all(void)
{
    const uint8_t *bytes;
    size_t n = tls_pending(&tls, &bytes);
    if (n > 0)
        cr_assert_eq(BIO_write(server_hears, bytes, (int)n), (int)n);
    return tls_taken(&tls, n);
}

/* The machine gets what the server said, and does what follows from it. */
static void hear(const uint8_t *bytes, size_t n_bytes)
{
    tls_feed(&tls, bytes, n_bytes);
    if (!is_open) {
        last = tls_shake(&tls);
        is_open = last == TLS_DONE;
    }
    while (is_open) {
        const uint8_t *plain;
        size_t n;
        last = tls_read(&tls, &plain, &n);
        if (last != TLS_DONE)
            return;
        cr_assert_leq(n, sizeof heard - n_heard);
        memcpy(heard + n_heard, plain, n);
        n_heard += n;
    }
}

/* What the server has said, in pieces if that is wanted, up to a failure. */
static void hear_server(void)
{
    static uint8_t said[1 << 20];
    int n = BIO_read(server_says, said, sizeof said);
    size_t step = is_byte_by_byte ? 1 : sizeof said;
    ERR_clear_error(); /* the server's, which has a process of its own elsewhere */
    for (size_t at = 0; n > 0 && at < (size_t)n && last <= TLS_MORE; at += step)
        hear(said + at, (size_t)n - at < step ? (size_t)n - at : step);
}

/* To and fro until both have shaken hands, or one has given up. */
static void shake(void)
{
    last = tls_shake(&tls);
    cr_assert_eq(last, TLS_MORE);
    for (int i = 0; i < 8 && last != TLS_FAILED && !(is_open && SSL_is_init_finished(server));
         i++) {
        (void)take_all();
        (void)SSL_do_handshake(server);
        hear_server();
    }
}

static void expect_open(void)
{
    shake();
    cr_assert(is_open, "%s", tls.error);
    cr_assert(SSL_is_init_finished(server));
}

static void expect_failure(const char *words)
{
    shake();
    cr_assert_eq(last, TLS_FAILED, "it succeeded");
    cr_assert_not_null(strstr(tls.error, words), "%s", tls.error);
}

static void write_all(const void *bytes, size_t n_bytes)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n_bytes}, *rest = &iov;
    int n = 1;
    while (n > 0) {
        cr_assert_eq(tls_write(&tls, &rest, &n), TLS_DONE);
        (void)take_all();
    }
}

static void expect_server_reads(const void *bytes, size_t n_bytes)
{
    static uint8_t read[1 << 20];
    size_t n_read = 0;
    int n;
    while (n_read < n_bytes && (n = SSL_read(server, read + n_read, (int)(n_bytes - n_read))) > 0)
        n_read += (size_t)n;
    cr_assert_eq(n_read, n_bytes);
    cr_assert_eq(memcmp(read, bytes, n_bytes), 0);
}

static void server_write(const void *bytes, size_t n_bytes)
{
    cr_assert_eq(SSL_write(server, bytes, (int)n_bytes), (int)n_bytes);
}

static void expect_talk(void)
{
    n_heard = 0;
    write_all("to you", 6);
    expect_server_reads("to you", 6);
    server_write("to us", 5);
    hear_server();
    cr_assert_eq(last, TLS_MORE, "%s", tls.error);
    cr_assert_eq(n_heard, 5);
    cr_assert_eq(memcmp(heard, "to us", 5), 0);
}

/* ---- shaking hands --------------------------------------------------------------------------- */

Test(tls, both_understand_each_other_in_1_3)
{
    expect_open();
    cr_assert_str_eq(SSL_get_version(tls.ssl), "TLSv1.3");
    cr_assert_str_eq(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name), "rabbit.test");
    expect_talk();
}

Test(tls, both_understand_each_other_in_1_2)
{
    SSL_set_max_proto_version(server, TLS1_2_VERSION);
    expect_open();
    cr_assert_str_eq(SSL_get_version(tls.ssl), "TLSv1.2");
    expect_talk();
}

Test(tls, bytes_that_come_one_by_one_are_understood)
{
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        tls_stop(&tls);
        cr_assert_eq(tls_start(&tls, &peer), 0);
        server_begin();
        SSL_set_max_proto_version(server, version);
        is_open = false;
        is_byte_by_byte = true;
        expect_open();
        expect_talk();
    }
}

Test(tls, versions_before_1_2_are_not_spoken)
{
    SSL_set_security_level(server, 0);
    SSL_set_min_proto_version(server, TLS1_VERSION);
    SSL_set_max_proto_version(server, TLS1_1_VERSION);
    expect_failure("it breaks off: tlsv1 alert protocol version");
}

Test(tls, what_the_server_says_right_behind_the_handshake_is_read)
{
    last = tls_shake(&tls);
    (void)take_all();
    uint8_t byte; /* TLS 1.3 lets a server speak before it has our last word */
    size_t n;
    cr_assert_eq(SSL_read_early_data(server, &byte, 1, &n), SSL_READ_EARLY_DATA_FINISH);
    cr_assert_eq(SSL_write_early_data(server, "early", 5, &n), 1);
    hear_server();
    cr_assert(is_open);
    cr_assert_eq(n_heard, 5);
}

/* ---- who it is ------------------------------------------------------------------------------- */

static const struct {
    struct certificate_order order;
    bool is_strangers;
    const char *name, *words; /* NULL: it will do */
} certificates[] = {
    {{.name = "b", .names = "DNS:rabbit.test"}, false, "rabbit.test", NULL},
    {{.name = "b", .names = "DNS:*.rabbit.test"}, false, "a.rabbit.test", NULL},
    {{.name = "b", .names = "IP:10.0.0.1"}, false, "10.0.0.1", NULL},
    {{.name = "b", .names = "IP:::1"}, false, "::1", NULL},
    {{.name = "b", .names = "DNS:rabbit.test"}, true, "rabbit.test",
        "certificate verify failed: unable to get local issuer certificate (/CN=b)"},
    {{.name = "b", .names = "DNS:other.test"}, false, "rabbit.test",
        "certificate verify failed: hostname mismatch (/CN=b)"},
    {{.name = "b", .names = "DNS:rab*.test"}, false, "rabbit.test",
        "certificate verify failed: hostname mismatch (/CN=b)"},
    {{.name = "b", .names = "DNS:*.rabbit.test"}, false, "rabbit.test", "hostname mismatch"},
    {{.name = "rabbit.test", .names = "DNS:other.test"}, false, "rabbit.test", "hostname mismatch"},
    {{.name = "b", .names = "DNS:10.0.0.1"}, false, "10.0.0.1", "IP address mismatch (/CN=b)"},
    {{.name = "b", .names = "IP:10.0.0.2"}, false, "10.0.0.1", "IP address mismatch (/CN=b)"},
    {{.name = "old", .names = "DNS:rabbit.test", .begins_s = -7200, .ends_s = -3600}, false,
        "rabbit.test", "certificate verify failed: certificate has expired (/CN=old)"},
    {{.name = "new", .names = "DNS:rabbit.test", .begins_s = 3600, .ends_s = 7200}, false,
        "rabbit.test", "certificate verify failed: certificate is not yet valid (/CN=new)"},
    {{.name = "a\x01\"b", .names = "DNS:other.test"}, false, "rabbit.test",
        "hostname mismatch (/CN=a\\x01"},
};

Test(tls, only_a_certificate_of_the_authoritys_for_the_name_will_do)
{
    for (size_t i = 0; i < sizeof certificates / sizeof *certificates; i++) {
        server_certify(
            certificates[i].is_strangers ? &stranger : &authority, &certificates[i].order);
        server_begin();
        peer.name = certificates[i].name;
        tls_stop(&tls);
        cr_assert_eq(tls_start(&tls, &peer), 0);
        is_open = false;
        if (certificates[i].words)
            expect_failure(certificates[i].words);
        else
            expect_open();
        is_open = false;
    }
}

Test(tls, a_failure_leaves_the_peer_an_alert)
{
    server_certify(&stranger, &(struct certificate_order){.name = "b", .names = "DNS:rabbit.test"});
    server_begin();
    expect_failure("certificate verify failed");
    const uint8_t *bytes;
    cr_assert_gt(tls_pending(&tls, &bytes), 0);
    (void)take_all();
    cr_assert_leq(SSL_do_handshake(server), 0);
    cr_assert_eq(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_UNKNOWN_CA);
}

Test(tls, without_authorities_anybody_will_do)
{
    SSL_CTX_free(peer.context);
    peer.context = tls_context_new(&(struct tls_config){.n_authorities = 0});
    server_certify(&stranger, &(struct certificate_order){.name = "b", .ends_s = -1});
    server_begin();
    tls_stop(&tls);
    cr_assert_eq(tls_start(&tls, &peer), 0);
    expect_open();
}

Test(tls, a_certificate_is_shown_to_who_asks_for_one)
{
    struct certificate me;
    char name[16];
    certificate_init(&me, &authority, &(struct certificate_order){.name = "me"});
    SSL_CTX_free(peer.context);
    peer.context = our_context(&me);
    server_demand_certificate();
    server_begin();
    tls_stop(&tls);
    cr_assert_eq(tls_start(&tls, &peer), 0);
    expect_open();
    X509_NAME *subject = X509_get_subject_name(SSL_get0_peer_certificate(server));
    cr_assert_gt(X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof name), 0);
    cr_assert_str_eq(name, "me");
    certificate_done(&me);
}

static void expect_breaks_off(const char *words)
{
    server_demand_certificate();
    server_begin();
    shake();
    (void)take_all();
    (void)SSL_do_handshake(server);
    hear_server();
    cr_assert_eq(last, TLS_FAILED);
    cr_assert_str_eq(tls.error, words);
}

Test(tls, without_a_certificate_for_who_demands_one_it_is_said_in_1_3)
{
    expect_breaks_off("it breaks off: tlsv13 alert certificate required");
}

Test(tls, without_a_certificate_for_who_demands_one_it_is_said_in_1_2)
{
    SSL_CTX_set_max_proto_version(server_context, TLS1_2_VERSION);
    expect_breaks_off("it breaks off: sslv3 alert handshake failure");
}

Test(tls, what_is_no_pem_makes_no_context)
{
    struct tls_config config = {.authorities = "prose", .n_authorities = 5};
    cr_assert_null(tls_context_new(&config));
    config = (struct tls_config){
        .certificate = authority.pem, .n_certificate = strlen(authority.pem), .key = "prose"};
    cr_assert_null(tls_context_new(&config));
}

/* ---- what is no TLS -------------------------------------------------------------------------- */

static void say(const void *bytes, size_t n_bytes)
{
    last = tls_shake(&tls);
    hear(bytes, n_bytes);
}

Test(tls, a_peer_that_answers_in_plain_amqp_is_named)
{
    say("AMQP\0\0\11\1", 8);
    cr_assert_eq(last, TLS_FAILED);
    cr_assert_str_eq(tls.error, "it answers in plain AMQP: there is no TLS on this port");
}

Test(tls, a_peer_that_answers_something_else_is_left)
{
    say("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    cr_assert_eq(last, TLS_FAILED);
    cr_assert_str_eq(tls.error, "it speaks no TLS that can be read: wrong version number");
}

Test(tls, a_record_that_is_too_long_is_refused)
{
    say("\x16\3\3\xff\xff\2\0\0", 8);
    cr_assert_eq(last, TLS_FAILED);
    cr_assert_not_null(strstr(tls.error, "it speaks no TLS that can be read"), "%s", tls.error);
}

/* Every byte of the server's side of the handshake is wrong once. */
Test(tls, a_handshake_with_a_wrong_byte_anywhere_never_opens_and_never_crashes)
{
    size_t n_opened = 0, n_tried = 0;
    for (size_t at = 0;; at++) {
        uint8_t said[8192];
        tls_stop(&tls);
        cr_assert_eq(tls_start(&tls, &peer), 0);
        server_begin();
        is_open = false;
        n_heard = 0;
        last = tls_shake(&tls);
        (void)take_all();
        (void)SSL_do_handshake(server);
        int n = BIO_read(server_says, said, sizeof said);
        cr_assert_gt(n, 0);
        if (at >= (size_t)n)
            break;
        said[at] ^= 0x20;
        hear(said, (size_t)n);
        n_tried++;
        n_opened += is_open;
    }
    cr_assert_gt(n_tried, 700);
    /* the version in a record's head, of which nothing depends (RFC 8446, 5.1) */
    cr_assert_leq(n_opened, 8, "%zu of %zu", n_opened, n_tried);
}

Test(tls, a_wrong_byte_later_is_the_end)
{
    uint8_t said[256];
    expect_open();
    hear_server();
    server_write("hello", 5);
    int n = BIO_read(server_says, said, sizeof said);
    said[n - 1] ^= 1;
    n_heard = 0;
    hear(said, (size_t)n);
    cr_assert_eq(last, TLS_FAILED);
    cr_assert_str_eq(
        tls.error, "it speaks no TLS that can be read: decryption failed or bad record mac");
    cr_assert_eq(n_heard, 0);
}

/* ---- the end --------------------------------------------------------------------------------- */

Test(tls, a_peer_that_is_done_is_heard_to_its_last_byte)
{
    expect_open();
    server_write("bye", 3);
    (void)SSL_shutdown(server);
    hear_server();
    cr_assert_eq(last, TLS_CLOSED);
    cr_assert_eq(n_heard, 3);
}

Test(tls, that_we_are_done_is_said)
{
    uint8_t byte;
    expect_open();
    tls_close(&tls);
    (void)take_all();
    cr_assert_leq(SSL_read(server, &byte, 1), 0);
    cr_assert_eq(SSL_get_shutdown(server), SSL_RECEIVED_SHUTDOWN);
}

/* ---- records --------------------------------------------------------------------------------- */

static uint8_t large[1 << 20];

static void fill(void)
{
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 2654435761u >> 13);
}

Test(tls, small_pieces_fill_records)
{
    enum { N_PIECES = 256, PIECE = 100, N_BYTES = N_PIECES * PIECE };
    struct iovec iov[N_PIECES], *rest = iov;
    int n = N_PIECES;
    expect_open();
    fill();
    for (int i = 0; i < N_PIECES; i++)
        iov[i] = (struct iovec){large + i * PIECE, PIECE};
    cr_assert_eq(tls_write(&tls, &rest, &n), TLS_DONE);
    cr_assert_eq(n, 0);
    cr_assert_eq(tls.n_records, 2, "25,600 bytes");
    cr_assert_eq(take_all(), N_BYTES);
    expect_server_reads(large, N_BYTES);
}

Test(tls, pieces_of_every_size_arrive_in_their_order)
{
    struct iovec iov[] = {{large, 1}, {large + 1, 20000}, {large + 20001, 16384},
        {large + 36385, 16383}, {large + 52768, 2}, {large + 52770, 40000}};
    struct iovec *rest = iov;
    int n = 6;
    expect_open();
    fill();
    cr_assert_eq(tls_write(&tls, &rest, &n), TLS_DONE);
    cr_assert_eq(n, 0);
    cr_assert_eq(tls.n_records, 6, "92,770 bytes");
    (void)take_all();
    expect_server_reads(large, 92770);
}

Test(tls, more_than_the_buffer_holds_waits_for_room)
{
    struct iovec iov = {large, sizeof large}, *rest = &iov;
    int n = 1, n_rounds = 0;
    size_t n_taken = 0;
    expect_open();
    fill();
    while (n > 0) {
        cr_assert_eq(tls_write(&tls, &rest, &n), TLS_DONE);
        cr_assert_eq(tls.n_records, TLS_MAX_RECORDS);
        n_taken += take_all();
        n_rounds++;
    }
    cr_assert_eq(n_taken, sizeof large);
    cr_assert_eq(n_rounds, 4);
    expect_server_reads(large, sizeof large);
}

Test(tls, a_plain_byte_is_taken_when_its_whole_record_is)
{
    const uint8_t *bytes;
    struct iovec iov = {large, TLS_PLAIN_BYTES + 10}, *rest = &iov;
    int n = 1;
    expect_open();
    cr_assert_eq(tls_write(&tls, &rest, &n), TLS_DONE);
    size_t n_pending = tls_pending(&tls, &bytes);
    size_t n_second = n_pending - tls.records[0].end;
    cr_assert(tls_holds_more(&tls));
    cr_assert_eq(tls_taken(&tls, 1), 0);
    cr_assert_eq(tls_taken(&tls, n_pending - n_second - 2), 0);
    cr_assert_eq(tls_taken(&tls, 1), TLS_PLAIN_BYTES);
    cr_assert_eq(tls_taken(&tls, n_second - 1), 0);
    cr_assert(tls_holds_more(&tls));
    cr_assert_eq(tls_taken(&tls, 1), 10);
    cr_assert_not(tls_holds_more(&tls));
    cr_assert_eq(tls_pending(&tls, &bytes), 0);
}

/* ---- what a peer may want later --------------------------------------------------------------- */

Test(tls, new_keys_are_taken_and_given)
{
    expect_open();
    cr_assert_eq(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
    expect_talk();
    expect_talk();
}

Test(tls, new_keys_may_be_wanted_while_the_buffer_is_full)
{
    struct iovec iov = {large, sizeof large}, *rest = &iov;
    int n = 1;
    expect_open();
    hear_server();
    cr_assert_eq(tls_write(&tls, &rest, &n), TLS_DONE);
    cr_assert_eq(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
    server_write("x", 1);
    hear_server();
    cr_assert_eq(last, TLS_MORE, "%s", tls.error);
    while (n > 0) {
        (void)take_all();
        cr_assert_eq(tls_write(&tls, &rest, &n), TLS_DONE);
    }
    (void)take_all();
    expect_server_reads(large, sizeof large);
}

/* Of who has shown a certificate a ticket is longer than the server's records: it has come in part. */
Test(tls, a_message_waits_while_a_ticket_has_come_in_part)
{
    static const char text[] = "to you";
    uint8_t ticket[8192];
    struct certificate me;
    struct iovec iov = {large, sizeof text}, *rest = &iov;
    int n_rest = 1;
    memcpy(large, text, sizeof text);
    certificate_init(&me, &authority, &(struct certificate_order){.name = "me"});
    SSL_CTX_free(peer.context);
    peer.context = our_context(&me);
    server_demand_certificate();
    cr_assert_eq(SSL_CTX_set_max_send_fragment(server_context, 512), 1);
    server_begin();
    tls_stop(&tls);
    cr_assert_eq(tls_start(&tls, &peer), 0);
    expect_open();
    hear_server();
    cr_assert_eq(SSL_new_session_ticket(server), 1);
    cr_assert_eq(SSL_do_handshake(server), 1);
    int n = BIO_read(server_says, ticket, sizeof ticket);
    cr_assert_gt(n, 512 + 64, "it has more than one record");
    hear(ticket, (size_t)n - 1);
    cr_assert_eq(last, TLS_MORE);
    cr_assert_eq(tls_write(&tls, &rest, &n_rest), TLS_MORE, "%s", tls.error);
    cr_assert_eq(n_rest, 1);
    hear(ticket + n - 1, 1);
    cr_assert_eq(last, TLS_MORE);
    cr_assert_eq(tls_write(&tls, &rest, &n_rest), TLS_DONE, "%s", tls.error);
    (void)take_all();
    expect_server_reads(text, sizeof text);
    expect_talk();
    certificate_done(&me);
}

Test(tls, who_wants_new_keys_without_end_and_reads_none_of_the_answers_is_left)
{
    expect_open();
    hear_server();
    for (int i = 0; i < 100000 && last == TLS_MORE; i++) {
        cr_assert_eq(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
        cr_assert_eq(SSL_do_handshake(server), 1);
        hear_server();
    }
    cr_assert_eq(last, TLS_FAILED);
    cr_assert_str_eq(tls.error, "it wants more answers than it reads");
}

Test(tls, a_new_handshake_is_refused_and_the_connection_stays)
{
    SSL_set_max_proto_version(server, TLS1_2_VERSION);
    expect_open();
    cr_assert_eq(SSL_renegotiate(server), 1);
    (void)SSL_do_handshake(server);
    hear_server();
    cr_assert_eq(last, TLS_MORE, "%s", tls.error);
    const uint8_t *bytes;
    cr_assert_gt(tls_pending(&tls, &bytes), 0, "the refusal");
}
