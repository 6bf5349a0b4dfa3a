/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS on the data listeners, with clients of two kinds: libcurl, and OpenSSL by hand for those
 * that leave, stall or lie. What is promised without TLS holds with it.
 */
#include "expect.h"
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>
#include "tests/support/certificates.h"
#include "tests/support/folder.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { WAIT_MS = 20000, LARGE = 8 << 20, N_CLIENTS = 50, RECORD_BYTES = 4096 };

TestSuite(https, .timeout = 120);

static struct scene scene;
static struct authority authority;
static char *folder;
static char ca_file[256];

/* ---- scene ---- */

static void write_file(const char *name, const char *text)
{
    autofree char *path = format_text("%s/%s", folder, name);
    (void)unlink(path); /* it may not be there yet */
    folder_write(path, text);
}

static void write_identity(const struct authority *signer, const char *name, bool has_key)
{
    struct certificate certificate;
    autofree char *pem = format_text("%s.pem", name), *key = format_text("%s.key", name);
    certificate_init(&certificate, signer,
        &(struct certificate_order){.name = name, .names = "DNS:localhost,IP:127.0.0.1"});
    write_file(pem, certificate.pem);
    if (has_key)
        write_file(key, certificate.key_pem);
    certificate_done(&certificate);
}

/* `more`: members of `tls` behind the files. The caller frees it. */
static char *file_with(const char *more)
{
    return format_text(
        "{\"version\":3,\"timeout\":\"5s\",\"read_header_timeout\":\"500ms\",\"host\":[\"%s\"],"
        "\"tls\":{\"public_key\":\"%s/me.pem\",\"private_key\":\"%s/me.key\"%s},\"endpoints\":["
        "{\"endpoint\":\"/out\",\"method\":\"POST\",\"backend\":[{\"extra_config\":{"
        "\"backend/amqp/producer\":{\"routing_key\":\"plain\",\"static_routing_key\":true}}}]},"
        "{\"endpoint\":\"/in\",\"output_encoding\":\"no-op\",\"backend\":[{\"encoding\":\"no-op\","
        "\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"plain\",\"exchange\":\"plain\","
        "\"routing_key\":[\"k\"],\"prefetch_count\":100}}}]}]}",
        scene.vhost.url, folder, folder, more);
}

static void begin(const char *name)
{
    scene_open(&scene, name);
    folder = folder_new("leveret-https");
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder); /* a short path */
    authority_init(&authority, "authority");
    write_file("ca.pem", authority.pem);
    write_identity(&authority, "me", true);
    autofree char *text = file_with("");
    scene_begin_with(
        &scene, &(struct sidecar_options){.configuration = text, .authority = ca_file});
    scene_await_bindings(&scene, "plain", 1);
}

static void end_with(int n_left)
{
    int n = scene_stop_and_count(&scene, "plain", n_left);
    cr_assert_eq(n, n_left, "%d messages are left instead of %d", n, n_left);
    scene_close(&scene);
    authority_done(&authority);
    folder_remove(folder);
    free(folder);
}

static void expect_next_get(const char *body, size_t n_body)
{
    struct http_answer answer = scene_do_when_up(&scene, "/in", &(struct http_request){0});
    expect_status(&answer, 200);
    cr_assert_eq(answer.body_bytes, n_body);
    cr_assert_eq(memcmp(answer.body, body, n_body), 0);
    http_answer_done(&answer);
}

/* ---- a client by hand ---- */

struct visitor {
    struct raw_client raw;
    SSL_CTX *context;
    SSL *session;
    BIO *in, *out; /* borrowed: the session's */
};

static bool flush(struct visitor *visitor)
{
    char bytes[RECORD_BYTES];
    for (int n; (n = BIO_read(visitor->out, bytes, sizeof bytes)) > 0;)
        if (!raw_client_send(&visitor->raw, bytes, (size_t)n))
            return false;
    return true;
}

/* False: the other side has closed. */
static bool hear(struct visitor *visitor)
{
    char bytes[RECORD_BYTES];
    ssize_t n = read(visitor->raw.fd, bytes, sizeof bytes);
    return n > 0 && BIO_write(visitor->in, bytes, (int)n) == (int)n;
}

/* All but its last flight is said. */
static void shake_hands(struct visitor *visitor, int version)
{
    raw_client_connect(&visitor->raw, scene.sidecar.port);
    visitor->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(visitor->context, version);
    visitor->session = SSL_new(visitor->context);
    visitor->in = BIO_new(BIO_s_mem());
    visitor->out = BIO_new(BIO_s_mem());
    SSL_set_bio(visitor->session, visitor->in, visitor->out);
    for (int r; (r = SSL_connect(visitor->session)) != 1;) {
        cr_assert_eq(SSL_get_error(visitor->session, r), SSL_ERROR_WANT_READ);
        cr_assert(flush(visitor));
        cr_assert(hear(visitor), "it was not let in");
    }
}

static void say(struct visitor *visitor, const char *text)
{
    cr_assert_eq(SSL_write(visitor->session, text, (int)strlen(text)), (int)strlen(text));
}

static void ask(struct visitor *visitor)
{
    shake_hands(visitor, TLS1_3_VERSION);
    say(visitor, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(flush(visitor));
}

static void forget(struct visitor *visitor)
{
    SSL_free(visitor->session);
    SSL_CTX_free(visitor->context);
}

static void leave_politely(struct visitor *visitor)
{
    (void)SSL_shutdown(visitor->session); /* says close_notify; the answer is not waited for */
    cr_assert(flush(visitor));
    raw_client_close(&visitor->raw);
}

static void leave_rudely(struct visitor *visitor)
{
    raw_client_close(&visitor->raw);
}

static void leave_with_reset(struct visitor *visitor)
{
    raw_client_reset(&visitor->raw);
}

/* ---- what gets through ---- */

Test(https, messages_of_every_size_go_and_come_byte_for_byte)
{
    static const size_t sizes[] = {0, 1, 1400, 16384, 16385, LARGE - 1};
    begin("https_sizes");
    char *body = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        body[i] = (char)(i * 31 + i / 251);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct http_answer answer = scene_do_when_up(&scene, "/out",
            &(struct http_request){.method = "POST", .body = body, .body_bytes = sizes[i]});
        expect_status(&answer, 200);
        expect_header(&answer, "X-Leveret-Outcome", "confirmed");
        http_answer_done(&answer);
        expect_next_get(body, sizes[i]);
    }
    free(body);
    end_with(0);
}

Test(https, requests_in_one_record_are_answered_in_their_order)
{
    char text[4096];
    struct visitor visitor;
    begin("https_pipeline");
    shake_hands(&visitor, TLS1_3_VERSION);
    say(&visitor, "GET /__health HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n"
                  "Connection: close\r\n\r\n");
    cr_assert(flush(&visitor));
    size_t used = 0;
    while (hear(&visitor))
        for (int n;
             (n = SSL_read(visitor.session, text + used, (int)(sizeof text - 1 - used))) > 0;)
            used += (size_t)n;
    text[used] = '\0';
    const char *first = strstr(text, "HTTP/1.1 200"), *second = strstr(text, "HTTP/1.1 404");
    cr_assert(first && second && first < second, "%s", text);
    cr_expect(SSL_get_shutdown(visitor.session) & SSL_RECEIVED_SHUTDOWN, "no close_notify");
    raw_client_close(&visitor.raw);
    forget(&visitor);
    end_with(0);
}

/* ---- clients that leave ---- */

static void leaves_before_a_message_comes(const char *name, void (*leave)(struct visitor *visitor))
{
    struct visitor visitor;
    begin(name);
    ask(&visitor);
    await(amqp_client_consumers(&scene.amqp, "plain") == 1, WAIT_MS, "no consumer");
    leave(&visitor);
    forget(&visitor);
    scene_publish(&scene, "plain", "k", "for the next one");
    expect_next_get("for the next one", strlen("for the next one"));
    end_with(0);
}

Test(https, one_that_says_good_bye_before_a_message_comes_costs_nothing)
{
    leaves_before_a_message_comes("https_bye", leave_politely);
}

Test(https, one_that_closes_before_a_message_comes_costs_nothing)
{
    leaves_before_a_message_comes("https_close", leave_rudely);
}

Test(https, one_that_resets_before_a_message_comes_costs_nothing)
{
    leaves_before_a_message_comes("https_reset", leave_with_reset);
}

/* While the worker stands still many clients ask, with a message for each on the queue, and leave. */
static void many_leave(const char *name, void (*leave)(struct visitor *visitor))
{
    struct visitor visitors[N_CLIENTS];
    begin(name);
    for (int i = 0; i < N_CLIENTS; i++)
        scene_publish(&scene, "plain", "k", "not for them");
    pid_t worker = sidecar_worker(&scene.sidecar);
    process_freeze(worker);
    for (int i = 0; i < N_CLIENTS; i++)
        ask(&visitors[i]);
    scene_let_front_read(&scene);
    for (int i = 0; i < N_CLIENTS; i++) {
        leave(&visitors[i]);
        forget(&visitors[i]);
    }
    process_thaw(worker);
    scene_let_front_read(&scene);
    end_with(N_CLIENTS);
}

Test(https, many_that_say_good_bye_before_the_worker_looks_cost_nothing)
{
    many_leave("https_byes", leave_politely);
}

Test(https, many_that_reset_before_the_worker_looks_cost_nothing)
{
    many_leave("https_resets", leave_with_reset);
}

/* The HTTP library overlooks a broken record behind the first request, and takes what OpenSSL then
 * refuses to write for written. */
Test(https, a_message_that_could_not_be_encrypted_stays_on_its_queue)
{
    static const char broken[5 + 32] = {0x17, 3, 3, 0, 32};
    struct visitor visitor;
    begin("https_broken");
    scene_publish(&scene, "plain", "k", "kept");
    shake_hands(&visitor, TLS1_3_VERSION);
    say(&visitor, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert_eq(BIO_write(visitor.out, broken, sizeof broken), (int)sizeof broken);
    cr_assert(flush(&visitor)); /* its last flight, the request and the rest at once */
    cr_assert(raw_client_is_closed(&visitor.raw, clock_now_ns() + WAIT_MS * CLOCK_MS));
    raw_client_close(&visitor.raw);
    forget(&visitor);
    end_with(1);
}

/* ---- who is not let in ---- */

Test(https, who_speaks_plain_http_is_turned_away_by_name)
{
    struct raw_client client;
    begin("https_plain");
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(raw_client_is_closed(&client, clock_now_ns() + WAIT_MS * CLOCK_MS));
    raw_client_close(&client);
    sidecar_await_log(&scene.sidecar, "tls-refused peer=127.0.0.1 reason=\"http request\"");
    end_with(0);
}

Test(https, a_handshake_that_stalls_is_given_up_after_the_time_of_a_head)
{
    static const char begun[] = {0x16, 3, 1, 2, 0, 1};
    struct raw_client client;
    begin("https_stall");
    uint64_t begun_ns = clock_now_ns();
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_send(&client, begun, sizeof begun));
    cr_assert(raw_client_is_closed(&client, begun_ns + WAIT_MS * CLOCK_MS));
    cr_expect_geq(clock_now_ns() - begun_ns, 500 * CLOCK_MS);
    raw_client_close(&client);
    end_with(0);
}

Test(https, what_is_older_than_the_least_version_is_refused)
{
    struct raw_client client;
    char answer[64];
    begin("https_old");
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL *session = SSL_new(context);
    raw_client_connect(&client, scene.sidecar.port);
    SSL_set_fd(session, client.fd);
    cr_expect_neq(SSL_connect(session), 1);
    SSL_free(session);
    SSL_CTX_free(context);
    (void)raw_client_read(
        &client, NULL, answer, sizeof answer, clock_now_ns() + WAIT_MS * CLOCK_MS);
    raw_client_close(&client);
    sidecar_await_log(&scene.sidecar, "reason=\"unsupported protocol\"");
    end_with(0);
}

/* ---- a reload ---- */

static void reload(const char *more, const char *until)
{
    autofree char *text = file_with(more);
    sidecar_reload(&scene.sidecar, text);
    sidecar_await_log(&scene.sidecar, until);
}

static int status_with(const char *ca, const char *certificate, const char *key)
{
    autofree char *path = certificate ? format_text("%s/%s", folder, certificate) : NULL;
    autofree char *key_path = key ? format_text("%s/%s", folder, key) : NULL;
    struct http_answer answer = scene_do(&scene, "/__health",
        &(struct http_request){.authority = ca, .certificate = path, .key = key_path});
    int status = answer.status;
    http_answer_done(&answer);
    return status;
}

Test(https, a_reload_takes_renewed_files_up_and_refuses_half_a_renewal)
{
    struct authority other;
    begin("https_renew");
    autofree char *other_file = format_text("%s/other-ca.pem", folder);
    authority_init(&other, "other authority");
    write_file("other-ca.pem", other.pem);
    write_identity(&other, "me", false); /* the key is still the old one */
    reload("", "it does not fit the certificate");
    cr_expect_eq(status_with(ca_file, NULL, NULL), 200);
    write_identity(&other, "me", true);
    reload("", "generation-gone generation=1");
    cr_expect_eq(status_with(other_file, NULL, NULL), 200);
    cr_expect_eq(status_with(ca_file, NULL, NULL), 0);
    authority_done(&other);
    end_with(0);
}

Test(https, with_mutual_tls_only_a_certificate_of_the_authoritys_is_let_in)
{
    struct authority other;
    begin("https_mutual");
    autofree char *more = format_text(",\"enable_mtls\":true,\"ca_certs\":[\"%s\"]", ca_file);
    authority_init(&other, "other authority");
    write_identity(&authority, "client", true);
    write_identity(&other, "stranger", true);
    reload(more, "generation-gone generation=1");
    cr_expect_eq(status_with(ca_file, "client.pem", "client.key"), 200);
    cr_expect_eq(status_with(ca_file, NULL, NULL), 0);
    sidecar_await_log(&scene.sidecar, "peer did not return a certificate");
    cr_expect_eq(status_with(ca_file, "stranger.pem", "stranger.key"), 0);
    sidecar_await_log(&scene.sidecar, "unable to get local issuer certificate");
    authority_done(&other);
    end_with(0);
}
