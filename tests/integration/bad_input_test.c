/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad input is an error that names it, and nothing is sent: whatever a client says, the queue that
 * would take every message of these endpoints stays empty and the sidecar goes on.
 */
#include "expect.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(bad_input, .timeout = 60);

static struct scene scene;

static void begin_with(const char *name, const char *file)
{
    scene_open(&scene, name);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "all", .is_durable = true});
    amqp_client_declare_exchange(&scene.amqp, "things", "topic", true);
    amqp_client_bind(&scene.amqp, "all", "things", "#");
    scene_begin(&scene, file);
}

static void begin(const char *name)
{
    begin_with(name, "produce.json");
}

/* A good request still works, and is the only message there is. */
static void end(void)
{
    struct http_answer answer = scene_do_when_up(&scene, "/key/good",
        &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "all"), 1);
    scene_end(&scene);
}

static void refuses(const char *path, int status, const char *kind, const char *named)
{
    struct http_answer answer = scene_post(&scene, path, "x");
    expect_problem(&answer, status, kind);
    expect_in_body(&answer, named);
    http_answer_done(&answer);
}

Test(bad_input, an_unknown_path_is_404)
{
    begin("unknown_path");
    refuses("/none", 404, "not-found", "/problems/not-found");
    refuses("/", 404, "not-found", "/problems/not-found");
    refuses("/key", 404, "not-found", "/problems/not-found");
    refuses("/key/a/b", 404, "not-found", "/problems/not-found");
    end();
}

Test(bad_input, a_wrong_method_is_405_and_says_which_would_do)
{
    begin("wrong_method");
    struct http_answer answer = scene_get(&scene, "/fixed");
    expect_problem(&answer, 405, "wrong-method");
    char allow[64];
    cr_assert_not_null(http_header(&answer, "Allow", allow, sizeof allow));
    cr_assert(strcmp(allow, "POST, PUT") == 0 || strcmp(allow, "PUT, POST") == 0, "%s", allow);
    http_answer_done(&answer);

    answer = scene_do(&scene, "/key/in", &(struct http_request){.method = "DELETE"});
    expect_problem(&answer, 405, "wrong-method");
    expect_header(&answer, "Allow", "POST");
    http_answer_done(&answer);
    end();
}

Test(bad_input, head_is_a_wrong_method_without_a_body)
{
    begin("head");
    struct raw_client client;
    char answer[4096];
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(
        raw_client_say(&client, "HEAD /fixed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    cr_assert(raw_client_read(&client, NULL, answer, sizeof answer, deadline_in_ms(10000)));
    cr_assert_eq(strncmp(answer, "HTTP/1.1 405", 12), 0, "%s", answer);
    cr_assert_not_null(strcasestr(answer, "\r\nallow:"), "%s", answer);
    const char *end_of_head = strstr(answer, "\r\n\r\n");
    cr_assert_not_null(end_of_head);
    cr_assert_str_eq(end_of_head, "\r\n\r\n", "HEAD has no body: %s", answer);
    raw_client_close(&client);
    end();
}

Test(bad_input, a_slash_too_many_is_sent_to_the_path_without_it)
{
    begin("slash");
    struct http_answer answer = scene_post(&scene, "/key/in/", "x");
    expect_status(&answer, 307);
    char location[256];
    cr_assert_not_null(http_header(&answer, "Location", location, sizeof location));
    cr_assert_str_eq(location, "/key/in");
    http_answer_done(&answer);
    end();
}

Test(bad_input, an_expiration_that_is_no_number_is_400)
{
    begin("expiration");
    static const char *const values[] = {"abc", "-1", "1.5", "1000ms", "%20", "4294967296"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        autofree char *path = format_text("/produce/%s/r/i/1/in", values[i]);
        refuses(path, 400, "invalid-value", "exp_key");
    }
    end();
}

Test(bad_input, a_priority_that_is_no_octet_is_400)
{
    begin("priority");
    static const char *const values[] = {"abc", "-1", "256", "1.5", "300"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        autofree char *path = format_text("/produce/1/r/i/%s/in", values[i]);
        refuses(path, 400, "invalid-value", "priority_key");
    }
    end();
}

Test(bad_input, a_short_string_of_256_bytes_is_400)
{
    begin("long_strings");
    char value[257];
    memset(value, 'v', 256);
    value[256] = '\0';
    autofree char *reply_to = format_text("/produce/1/%s/i/1/in", value);
    refuses(reply_to, 400, "invalid-value", "reply_to_key");
    autofree char *id = format_text("/produce/1/r/%s/1/in", value);
    refuses(id, 400, "invalid-value", "msg_id_key");
    autofree char *key = format_text("/produce/1/r/i/1/%s", value);
    refuses(key, 400, "invalid-value", "routing_key");
    end();
}

Test(bad_input, a_short_string_of_255_bytes_is_sent)
{
    begin("longest_strings");
    char value[256];
    memset(value, 'v', 255);
    value[255] = '\0';
    autofree char *path = format_text("/produce/60000/%s/%s/1/%s", value, value, value);
    struct http_answer answer = scene_do_when_up(
        &scene, path, &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    struct amqp_received received;
    cr_assert(amqp_client_get(&scene.amqp, "all", &received));
    cr_assert_str_eq(received.routing_key, value);
    expect_text(received.message.properties.reply_to, value);
    expect_text(received.message.properties.message_id, value);
    amqp_received_done(&received);
    end();
}

Test(bad_input, a_malformed_escape_is_400)
{
    begin("escapes");
    refuses("/key/%zz", 400, "malformed-request", "/problems/malformed-request");
    refuses("/key/%2", 400, "malformed-request", "/problems/malformed-request");
    refuses("/key/a%00b", 400, "malformed-request", "/problems/malformed-request");
    end();
}

/* The bytes are answered with 400 and a closed connection. */
static void is_malformed(const char *bytes)
{
    struct raw_client client;
    char answer[4096];
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, bytes));
    cr_assert(raw_client_read(&client, NULL, answer, sizeof answer, deadline_in_ms(10000)),
        "the connection stays open after %s", bytes);
    cr_assert_eq(strncmp(answer, "HTTP/1.1 400", 12), 0, "%s is answered with %s", bytes, answer);
    raw_client_close(&client);
}

Test(bad_input, a_malformed_request_line_is_400)
{
    begin("request_line");
    is_malformed("NONSENSE\r\n\r\n");
    is_malformed("POST\r\n\r\n");
    is_malformed("POST /key/in HTTP/9.9.9\r\nHost: a\r\n\r\n");
    is_malformed("POST  HTTP/1.1\r\nHost: a\r\n\r\n");
    is_malformed("\x16\x03\x01\x02\r\n\r\n");
    end();
}

Test(bad_input, a_head_that_two_readers_would_read_differently_is_400)
{
    begin("smuggling");
    is_malformed(
        "POST /key/in HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx");
    is_malformed("POST /key/in HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
    is_malformed("POST /key/in HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 1\r\n\r\nx");
    is_malformed("POST /key/in HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
    is_malformed("POST /key/in HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx");
    is_malformed("POST /key/in HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\nx");
    end();
}

/* A client that still sends may see a reset instead; it never sees a success. */
static void is_too_large(const char *path, size_t n, int is_chunked)
{
    char *body = calloc(1, n);
    cr_assert_not_null(body);
    struct http_answer answer = scene_do(&scene, path,
        &(struct http_request){
            .method = "POST", .body = body, .body_bytes = n, .is_chunked = is_chunked});
    cr_assert(answer.status == 413 || answer.status == 0, "status %d", answer.status);
    http_answer_done(&answer);
    free(body);
}

Test(bad_input, a_body_over_max_body_is_413)
{
    scene_open(&scene, "too_large");
    amqp_client_declare_exchange(&scene.amqp, "bodies", "topic", true);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "all", .is_durable = true});
    amqp_client_bind(&scene.amqp, "all", "bodies", "#");
    scene_begin(&scene, "bodies.json");
    is_too_large("/small/out", 64 * 1024 + 1, 0);
    is_too_large("/small/out", 64 * 1024 + 1, 1);
    is_too_large("/out", 8 * 1024 * 1024 + 1, 0);

    struct raw_client client; /* what no endpoint takes is refused before it is sent */
    char answer[4096];
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(
        &client, "POST /out HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n"));
    cr_assert(raw_client_read(&client, "\r\n", answer, sizeof answer, deadline_in_ms(10000)));
    cr_assert_eq(strncmp(answer, "HTTP/1.1 413", 12), 0, "%s", answer);
    raw_client_close(&client);

    cr_assert_eq(amqp_client_depth(&scene.amqp, "all"), 0);
    scene_end(&scene);
}

Test(bad_input, an_endpoint_without_an_amqp_backend_is_501)
{
    scene_open(&scene, "not_amqp");
    scene_begin_with(&scene,
        &(struct sidecar_options){
            .configuration = "{\"version\":3,\"endpoints\":[{\"endpoint\":\"/web\",\"backend\":["
                             "{\"host\":[\"http://127.0.0.1:1\"],\"url_pattern\":\"/\"}]}]}"});
    struct http_answer answer = scene_get(&scene, "/web");
    expect_problem(&answer, 501, "not-amqp");
    http_answer_done(&answer);
    scene_end(&scene);
}
