/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amqps://, against the broker's own TLS, which is Erlang's, and against doors that play it wrongly
 * (tests/support/tls_door.h): what gets through, and what is said and done when nothing does.
 */
#include "expect.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "tests/support/broker_control.h"
#include "tests/support/folder.h"
#include "tests/support/port.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"
#include "tests/support/tls_door.h"

enum { WAIT_MS = 20000, LARGE = 1 << 20 };

TestSuite(broker_tls, .timeout = 120);

static struct scene scene;
static struct authority authority; /* of the doors, not of the broker */
static struct certificate door_certificate;
static char *folder;

/* ---- scene ---- */

static void write_file(const char *name, const char *text)
{
    autofree char *path = format_text("%s/%s", folder, name);
    (void)unlink(path); /* it may not be there yet */
    folder_write(path, text);
}

static void begin_tls(const char *name)
{
    scene_open(&scene, name);
    folder = folder_new("leveret-tls");
    authority_init(&authority, "door's authority");
    certificate_init(&door_certificate, &authority,
        &(struct certificate_order){.name = "door", .names = "DNS:localhost,IP:127.0.0.1"});
    write_file("door-ca.pem", authority.pem);
}

static void end_tls(void)
{
    certificate_done(&door_certificate);
    authority_done(&authority);
    folder_remove(folder);
    free(folder);
}

/* POST /out/N and GET /in/N over the Nth URI; the GET only where `consumes`. */
static char *file_of(char *const *uris, int n, bool consumes)
{
    json_t *endpoints = json_array();
    for (int i = 0; i < n; i++) {
        autofree char *out = format_text("/out/%d", i), *in = format_text("/in/%d", i);
        autofree char *queue = format_text("tls-%d", i);
        cr_assert_eq(
            json_array_append_new(endpoints,
                json_pack("{s:s,s:s,s:[{s:[s],s:{s:{s:s,s:b,s:s}}}]}", "method", "POST", "endpoint",
                    out, "backend", "host", uris[i], "extra_config", "backend/amqp/producer",
                    "routing_key", queue, "static_routing_key", 1, "exchange", "")),
            0);
        if (consumes)
            cr_assert_eq(json_array_append_new(endpoints,
                             json_pack("{s:s,s:s,s:[{s:s,s:[s],s:{s:{s:s}}}]}", "endpoint", in,
                                 "output_encoding", "no-op", "backend", "encoding", "no-op", "host",
                                 uris[i], "extra_config", "backend/amqp/consumer", "name", queue)),
                0);
    }
    json_t *file =
        json_pack("{s:i,s:s,s:o}", "version", 3, "timeout", "5s", "endpoints", endpoints);
    char *text = json_dumps(file, 0);
    json_decref(file);
    return text;
}

static void begin_with(char *const *uris, int n, bool consumes)
{
    autofree char *text = file_of(uris, n, consumes);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
}

static void expect_published(int i, const char *body, size_t n_body)
{
    autofree char *out = format_text("/out/%d", i);
    struct http_answer answer = scene_do_when_up(
        &scene, out, &(struct http_request){.method = "POST", .body = body, .body_bytes = n_body});
    expect_status(&answer, 200);
    expect_header(&answer, "X-Leveret-Outcome", "confirmed");
    http_answer_done(&answer);
}

/* One message through it, there and back. */
static void expect_works(int i, const char *body, size_t n_body)
{
    autofree char *in = format_text("/in/%d", i);
    expect_published(i, body, n_body);
    struct http_answer answer = scene_do_when_up(&scene, in, &(struct http_request){0});
    expect_status(&answer, 200);
    cr_assert_eq(answer.body_bytes, n_body);
    cr_assert_eq(memcmp(answer.body, body, n_body), 0);
    http_answer_done(&answer);
}

static void expect_down(int i)
{
    autofree char *path = format_text("/out/%d", i);
    struct http_answer answer = scene_post(&scene, path, "x");
    expect_problem(&answer, 503, "broker-down");
    expect_header(&answer, "Retry-After", "1");
    http_answer_done(&answer);
}

static void expect_unsaid(const char *secret)
{
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_expect_null(strstr(log, secret), "%s", log);
}

/* ---- the broker's own TLS ---- */

/* How many of the sidecar's connections have TLS and have said who they are in this way. */
static int count_connections(const char *mechanism)
{
    json_t *connections = vhost_connections(&scene.vhost), *connection;
    int n = 0;
    size_t i;
    json_array_foreach(connections, i, connection)
    {
        const char *product = "", *found = "", *user = "";
        int has_tls = 0;
        (void)json_unpack(connection, "{s:b,s:s,s:s,s:{s:s}}", "ssl", &has_tls, "auth_mechanism",
            &found, "user", &user, "client_properties", "product", &product);
        n += has_tls && strcmp(product, "Leveret") == 0 && strcmp(found, mechanism) == 0 &&
             strcmp(user, "guest") == 0;
    }
    json_decref(connections);
    return n;
}

static char *secure_uri(const char *user, const char *query)
{
    return format_text("amqps://%s127.0.0.1:%u/%s?cacertfile=%s/ca.pem%s", user,
        broker_amqps_port(), scene.vhost.name, broker_certificates(), query);
}

Test(broker_tls, messages_of_every_size_go_and_come_byte_for_byte)
{
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 131072, LARGE};
    static char body[LARGE];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    begin_tls("tls_sizes");
    autofree char *uri = secure_uri("guest:guest@", "");
    begin_with(&uri, 1, true);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        expect_works(0, body, sizes[i]);
    await(count_connections("PLAIN") == 2, WAIT_MS, "not one to publish, one to consume");
    scene_end(&scene);
    end_tls();
}

Test(broker_tls, with_external_the_certificate_is_the_user)
{
    begin_tls("tls_external");
    autofree char *query =
        format_text("&certfile=%s/guest.pem&keyfile=%s/guest.key&auth_mechanism=external",
            broker_certificates(), broker_certificates());
    autofree char *uri = secure_uri("", query);
    begin_with(&uri, 1, true);
    expect_works(0, "x", 1);
    await(count_connections("EXTERNAL") == 2, WAIT_MS, "they are somebody else's");
    scene_end(&scene);
    end_tls();
}

Test(broker_tls, with_external_a_certificate_of_nobodys_is_refused_in_the_brokers_words)
{
    begin_tls("tls_stranger");
    autofree char *query =
        format_text("&certfile=%s/stranger.pem&keyfile=%s/stranger.key&auth_mechanism=external",
            broker_certificates(), broker_certificates());
    autofree char *uri = secure_uri("guest:unspoken@", query);
    begin_with(&uri, 1, false);
    sidecar_await_log(&scene.sidecar, "why=refused code=403 reason=\"ACCESS_REFUSED - Login was "
                                      "refused using authentication mechanism EXTERNAL");
    expect_down(0);
    expect_unsaid("unspoken");
    expect_unsaid("PRIVATE KEY");
    scene_end(&scene);
    end_tls();
}

/* ---- what is wrong, each by its name ---- */

static struct certificate special(const struct authority *by, const char *names, long ends_s)
{
    struct certificate certificate;
    certificate_init(&certificate, by,
        &(struct certificate_order){
            .name = "odd", .names = names, .begins_s = -7200, .ends_s = ends_s});
    return certificate;
}

enum { N_FAULTS = 10, N_DOORS = 7 };

/* The reason that the log gives; %u is the port. */
static const char *const reasons[N_FAULTS] = {
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: certificate verify failed: certificate has "
    "expired (/CN=odd)\"",
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: certificate verify failed: IP address mismatch "
    "(/CN=odd)\"",
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: the handshake does not come to its end in "
    "time\"",
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: the connection was closed in the handshake",
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: it speaks no TLS that can be read: wrong "
    "version number\"",
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: it breaks off: tlsv13 alert certificate "
    "required\"",
    "why=tls code=0 reason=\"TLS with rabbit.test:%u: certificate verify failed: hostname mismatch "
    "(/CN=door)\"",
    /* the broker itself */
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: certificate verify failed: self-signed "
    "certificate in certificate chain (/CN=Leveret's tests)\"",
    "why=tls code=0 reason=\"TLS with 127.0.0.1:%u: it answers in plain AMQP: there is no TLS on "
    "this port\"",
    "why=violation code=501 reason=\"the broker speaks TLS on this port: its URI begins with "
    "amqps://\"",
};

static void open_doors(struct tls_door *doors[N_DOORS], const struct certificate *expired,
    const struct certificate *misnamed)
{
    const struct tls_door_options options[N_DOORS] = {
        {.certificate = expired},
        {.certificate = misnamed},
        {.certificate = &door_certificate, .manner = TLS_MUTE},
        {.certificate = &door_certificate, .manner = TLS_CLOSES},
        {.certificate = &door_certificate, .manner = TLS_BABBLES},
        {.certificate = &door_certificate, .demanded_by = authority.pem},
        {.certificate = &door_certificate},
    };
    for (int i = 0; i < N_DOORS; i++) {
        struct tls_door_options option = options[i];
        option.port = broker_port();
        doors[i] = tls_door_open(&option);
    }
}

static void write_uris(
    char *uris[N_FAULTS], struct tls_door *const doors[N_DOORS], uint16_t ports[N_FAULTS])
{
    for (int i = 0; i < N_DOORS; i++)
        ports[i] = tls_door_port(doors[i]);
    ports[7] = broker_amqps_port();
    ports[8] = broker_port();
    ports[9] = broker_amqps_port();
    for (int i = 0; i < N_FAULTS; i++)
        uris[i] = format_text("%s://guest:unspoken@127.0.0.1:%u/?connection_timeout=%d%s%s%s%s",
            i == 9 ? "amqp" : "amqps", ports[i], i == 2 ? 300 : 10000,
            i == 9 ? "" : "&cacertfile=", i == 9 ? "" : folder, i == 9 ? "" : "/door-ca.pem",
            i == 6 ? "&server_name_indication=rabbit.test" : "");
}

Test(broker_tls, each_fault_is_in_the_log_by_its_name_and_503_and_tried_again_at_leisure)
{
    struct tls_door *doors[N_DOORS];
    char *uris[N_FAULTS];
    uint16_t ports[N_FAULTS];
    begin_tls("tls_faults");
    struct certificate expired = special(&authority, "IP:127.0.0.1", -3600);
    struct certificate misnamed = special(&authority, "DNS:127.0.0.1,IP:127.0.0.2", 3600);
    open_doors(doors, &expired, &misnamed);
    write_uris(uris, doors, ports);
    uint64_t begun_ns = clock_now_ns();
    begin_with(uris, N_FAULTS, false);
    for (int i = 0; i < N_FAULTS; i++) {
        autofree char *port = format_text("%u", ports[i]);
        autofree char *reason = scene_replace(reasons[i], "%u", port);
        sidecar_await_log(&scene.sidecar, reason);
        expect_down(i);
    }
    for (int i = 0; i < N_DOORS; i++)
        await(tls_door_n_visitors(doors[i]) >= 2, WAIT_MS, "fault %d is not tried again", i);
    int n_seconds = (int)((clock_now_ns() - begun_ns) / CLOCK_S);
    for (int i = 0; i < N_DOORS; i++) {
        int n = tls_door_n_visitors(doors[i]);
        cr_expect_leq(n, n_seconds + 2, "fault %d: %d times in %d s", i, n, n_seconds);
    }
    expect_unsaid("unspoken");
    scene_end(&scene);
    for (int i = 0; i < N_DOORS; i++)
        tls_door_close(doors[i]);
    for (int i = 0; i < N_FAULTS; i++)
        free(uris[i]);
    certificate_done(&expired);
    certificate_done(&misnamed);
    end_tls();
}

/* ---- what goes on behind a connection's back ---- */

static char *door_uri(const struct tls_door *door)
{
    return format_text("amqps://guest:guest@localhost:%u/%s?cacertfile=%s/door-ca.pem",
        tls_door_port(door), scene.vhost.name, folder);
}

Test(broker_tls, new_keys_again_and_again_cost_no_message)
{
    enum { N_MESSAGES = 20 };
    begin_tls("tls_rekeys");
    struct tls_door *door = tls_door_open(&(struct tls_door_options){
        .manner = TLS_REKEYS, .certificate = &door_certificate, .port = broker_port()});
    autofree char *uri = door_uri(door);
    begin_with(&uri, 1, true);
    for (int n = 0; n < N_MESSAGES; n++)
        expect_works(0, "x", 1);
    cr_expect_eq(tls_door_n_visitors(door), 2, "it was lost on the way");
    scene_end(&scene);
    tls_door_close(door);
    end_tls();
}

Test(broker_tls, a_record_that_was_spoilt_costs_the_connection_which_comes_back)
{
    begin_tls("tls_spoilt");
    struct tls_door *door = tls_door_open(&(struct tls_door_options){
        .manner = TLS_SPOILS, .certificate = &door_certificate, .port = broker_port()});
    autofree char *uri = door_uri(door);
    begin_with(&uri, 1, true);
    sidecar_await_log(
        &scene.sidecar, "it speaks no TLS that can be read: decryption failed or bad record mac\"");
    expect_works(0, "x", 1);
    cr_expect_geq(tls_door_n_visitors(door), 3, "one of two, and its successor");
    scene_end(&scene);
    tls_door_close(door);
    end_tls();
}

/* ---- renewed files ---- */

static void kill_worker(void)
{
    pid_t pid = sidecar_worker(&scene.sidecar);
    cr_assert_gt(pid, 0);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    await(sidecar_worker(&scene.sidecar) > 0 && sidecar_worker(&scene.sidecar) != pid, WAIT_MS,
        "no other worker");
}

Test(broker_tls, a_reload_takes_renewed_files_up_and_nothing_else_does)
{
    begin_tls("tls_renewed");
    struct tls_door *door = tls_door_open(
        &(struct tls_door_options){.certificate = &door_certificate, .port = broker_port()});
    autofree char *uri = door_uri(door);
    begin_with(&uri, 1, true);
    expect_published(0, "before", 6);
    write_file("door-ca.pem", "half of a renew");
    kill_worker();
    expect_published(0, "another worker", 14);

    autofree char *text = file_of(&uri, 1, true);
    sidecar_reload(&scene.sidecar, text);
    sidecar_await_log(&scene.sidecar, "cacertfile cannot be used: it holds no certificate in PEM");
    expect_published(0, "a bad reload", 12);

    struct authority other;
    authority_init(&other, "other");
    write_file("door-ca.pem", other.pem);
    sidecar_reload(&scene.sidecar, text);
    sidecar_await_log(&scene.sidecar,
        "certificate verify failed: unable to get local issuer certificate (/CN=door)");
    authority_done(&other);
    scene_end(&scene);
    tls_door_close(door);
    end_tls();
}
