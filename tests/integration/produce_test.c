/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a POST puts on the wire: read back with an independent client, property by property, header
 * by header, byte by byte.
 */
#include "expect.h"
#include <time.h>
#include <amqp_framing.h>
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(produce, .timeout = 60);

static struct scene scene;

/* A queue `in` that takes everything with the routing key `in`. */
static void begin(const char *name)
{
    scene_open(&scene, name);
    amqp_client_declare_exchange(&scene.amqp, "things", "topic", true);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "in", .is_durable = true});
    amqp_client_bind(&scene.amqp, "in", "things", "in");
    scene_begin(&scene, "produce.json");
}

static void end(void)
{
    cr_assert_eq(amqp_client_depth(&scene.amqp, "in"), 0, "something else was published");
    scene_end(&scene);
}

static struct http_answer post_with(const char *path, const char *headers, const char *body)
{
    return scene_do_when_up(&scene, path,
        &(struct http_request){
            .method = "POST", .headers = headers, .body = body, .body_bytes = strlen(body)});
}

static void expect_sent(const char *path, const char *headers, const char *body)
{
    struct http_answer answer = post_with(path, headers, body);
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static struct amqp_received take(void)
{
    struct amqp_received received;
    cr_assert(amqp_client_get(&scene.amqp, "in", &received), "nothing on the queue");
    return received;
}

static bool has(const struct amqp_received *received, amqp_flags_t flag)
{
    return (received->message.properties._flags & flag) != 0;
}

Test(produce, sets_the_properties_that_the_path_names_and_no_other)
{
    begin("properties");
    uint64_t before = (uint64_t)time(NULL);
    expect_sent(
        "/produce/60000/reply.q/id-1/5/in", "Content-Type: application/json\n", "{\"x\":1}");
    struct amqp_received received = take();
    const amqp_basic_properties_t *properties = &received.message.properties;
    cr_assert_str_eq(received.exchange, "things");
    cr_assert_str_eq(received.routing_key, "in");
    cr_assert_not(received.is_redelivered);
    expect_text(properties->content_type, "application/json");
    expect_text(properties->expiration, "60000");
    expect_text(properties->reply_to, "reply.q");
    expect_text(properties->message_id, "id-1");
    cr_assert_eq(properties->priority, 5);
    cr_assert_eq(properties->delivery_mode, AMQP_DELIVERY_PERSISTENT);
    cr_assert_geq(properties->timestamp, before);
    cr_assert_leq(properties->timestamp, (uint64_t)time(NULL));
    cr_assert_eq(properties->_flags, AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_EXPIRATION_FLAG |
                                         AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                                         AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                                         AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_HEADERS_FLAG);
    expect_text(received.message.body, "{\"x\":1}");
    amqp_received_done(&received);
    end();
}

Test(produce, answers_after_the_confirm_with_the_message_id)
{
    begin("answer");
    struct http_answer answer = post_with("/key/in", NULL, "x");
    expect_status(&answer, 200);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "in"), 1, "it is there when the answer is");
    expect_body(&answer, "{}");
    expect_header(&answer, "Content-Type", "application/json; charset=utf-8");
    expect_header(&answer, "X-Krakend-Completed", "true");
    char id[64];
    cr_assert_not_null(http_header(&answer, "X-Message-Id", id, sizeof id));
    struct amqp_received received = take();
    expect_text(received.message.properties.message_id, id);
    amqp_received_done(&received);
    http_answer_done(&answer);
    end();
}

Test(produce, makes_ids_of_uuid_version_7_that_grow)
{
    begin("ids");
    char last[64] = "";
    for (int i = 0; i < 10; i++) {
        expect_sent("/key/in", NULL, "x");
        struct amqp_received received = take();
        char id[64] = "";
        cr_assert_eq(received.message.properties.message_id.len, 36);
        memcpy(id, received.message.properties.message_id.bytes, 36);
        cr_assert_eq(id[14], '7', "%s", id);
        cr_assert_not_null(strchr("89ab", id[19]), "%s", id);
        cr_assert_gt(strcmp(id, last), 0, "%s after %s", id, last);
        memcpy(last, id, sizeof last);
        amqp_received_done(&received);
    }
    end();
}

Test(produce, leaves_out_the_properties_whose_segment_is_empty)
{
    begin("empty_segments");
    expect_sent("/produce/////in", NULL, "x");
    struct amqp_received received = take();
    cr_assert_not(has(&received, AMQP_BASIC_EXPIRATION_FLAG));
    cr_assert_not(has(&received, AMQP_BASIC_REPLY_TO_FLAG));
    cr_assert_not(has(&received, AMQP_BASIC_PRIORITY_FLAG));
    cr_assert_not(has(&received, AMQP_BASIC_CONTENT_TYPE_FLAG), "the request had none");
    cr_assert(has(&received, AMQP_BASIC_MESSAGE_ID_FLAG), "one is made");
    amqp_received_done(&received);
    end();
}

Test(produce, decodes_a_segment_after_it_has_split_the_path)
{
    begin("decoding");
    expect_sent("/produce/60000/a%2Fb%20c%C3%A9+d/%25b/0/%69n", NULL, "x");
    struct amqp_received received = take();
    expect_text(received.message.properties.reply_to, "a/b c\xc3\xa9+d");
    expect_text(received.message.properties.message_id, "%b");
    cr_assert(has(&received, AMQP_BASIC_PRIORITY_FLAG), "0 is a priority");
    cr_assert_eq(received.message.properties.priority, 0);
    amqp_received_done(&received);
    end();
}

Test(produce, passes_the_headers_that_the_endpoint_lists_in_canonical_spelling)
{
    begin("listed_headers");
    expect_sent("/produce/60000/r/i/1/in",
        "Content-Type: text/plain\nx-request-ID: r-1\nX-Other: no\nX-Multi: 1\nUser-Agent: me\n"
        "X-MULTI: 2\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
        "x");
    struct amqp_received received = take();
    expect_amqp_header(&received, "Content-Type", "text/plain");
    expect_amqp_header(&received, "X-Request-Id", "r-1");
    expect_amqp_header(&received, "X-Multi", "1, 2");
    expect_amqp_header(
        &received, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    expect_amqp_header(&received, "X-Forwarded-For", "127.0.0.1");
    expect_amqp_header(&received, "X-Forwarded-Host", scene.sidecar.url + strlen("http://"));
    cr_assert_eq(received.message.properties.headers.num_entries, 6);
    amqp_received_done(&received);
    end();
}

Test(produce, passes_all_headers_but_those_of_the_connection)
{
    begin("all_headers");
    expect_sent("/all/in",
        "Content-Type: text/plain\nAccept:\nUser-Agent: me\nX-Any: 1\nConnection: X-Hop\nX-Hop: 1\n"
        "Keep-Alive: 5\nTE: trailers\nX-Forwarded-For: 9.9.9.9\nX-Forwarded-Host: forged\n",
        "x");
    struct amqp_received received = take();
    expect_amqp_header(&received, "Content-Type", "text/plain");
    expect_amqp_header(&received, "User-Agent", "me");
    expect_amqp_header(&received, "X-Any", "1");
    expect_amqp_header(&received, "X-Forwarded-For", "9.9.9.9, 127.0.0.1");
    expect_amqp_header(&received, "X-Forwarded-Host", scene.sidecar.url + strlen("http://"));
    cr_assert_eq(received.message.properties.headers.num_entries, 5);
    amqp_received_done(&received);
    end();
}

Test(produce, passes_content_type_alone_where_the_endpoint_lists_nothing)
{
    begin("no_list");
    expect_sent("/key/in", "Content-Type: text/plain\nX-Any: 1\n", "x");
    struct amqp_received received = take();
    expect_text(received.message.properties.content_type, "text/plain");
    expect_amqp_header(&received, "Content-Type", "text/plain");
    cr_assert_null(amqp_received_header(&received, "X-Any"));
    amqp_received_done(&received);
    end();
}

Test(produce, makes_every_header_an_array_where_it_is_asked_to)
{
    begin("arrays");
    expect_sent("/arrays", "X-Multi: 1\nX-Multi: 2\n", "x");
    struct amqp_received received = take();
    const amqp_field_value_t *multi = amqp_received_header(&received, "X-Multi");
    cr_assert_not_null(multi);
    cr_assert_eq(multi->kind, AMQP_FIELD_KIND_ARRAY);
    cr_assert_eq(multi->value.array.num_entries, 2);
    expect_text(multi->value.array.entries[0].value.bytes, "1");
    expect_text(multi->value.array.entries[1].value.bytes, "2");
    const amqp_field_value_t *one = amqp_received_header(&received, "X-Forwarded-For");
    cr_assert_not_null(one);
    cr_assert_eq(one->kind, AMQP_FIELD_KIND_ARRAY);
    cr_assert_eq(one->value.array.num_entries, 1);
    amqp_received_done(&received);
    end();
}

Test(produce, takes_the_idempotency_key_as_message_id)
{
    begin("idempotency");
    expect_sent("/key/in", "Idempotency-Key: k-1\n", "x");
    struct amqp_received received = take();
    expect_text(received.message.properties.message_id, "k-1");
    amqp_received_done(&received);
    expect_sent("/produce/60000/r/from-path/1/in", "Idempotency-Key: k-1\n", "x");
    received = take();
    expect_text(received.message.properties.message_id, "from-path");
    amqp_received_done(&received);
    end();
}

Test(produce, says_that_no_queue_takes_the_message)
{
    begin("unroutable");
    struct http_answer answer = post_with("/produce/1/r/id-7/1/nowhere", NULL, "x");
    expect_problem(&answer, 422, "unroutable");
    expect_in_body(&answer, "\"message_id\":\"id-7\"");
    http_answer_done(&answer);
    end();
}

Test(produce, says_that_no_queue_takes_the_message_also_where_that_is_no_error)
{
    begin("unroutable_optional");
    struct http_answer answer = post_with("/optional/nowhere", NULL, "x");
    expect_status(&answer, 200);
    expect_header(&answer, "X-Krakend-Completed", "false");
    expect_header(&answer, "X-Leveret-Outcome", "unroutable");
    http_answer_done(&answer);
    end();
}

Test(produce, matches_returns_to_their_own_requests_when_ids_repeat)
{
    begin("same_ids");
    struct http_answer answers[16];
    struct http_call *calls[16];
    char *urls[16];
    struct http_answer first = post_with("/key/in", NULL, "up");
    expect_status(&first, 200);
    http_answer_done(&first);
    for (int i = 0; i < 16; i++) {
        urls[i] = format_text(
            "%s/produce/60000/r/same/1/%s", scene.sidecar.url, i % 2 == 0 ? "in" : "nowhere");
        calls[i] = http_begin(
            &(struct http_request){.method = "POST", .url = urls[i], .body = "x", .body_bytes = 1});
    }
    for (int i = 0; i < 16; i++) {
        http_end(calls[i], &answers[i]);
        expect_status(&answers[i], i % 2 == 0 ? 200 : 422);
        http_answer_done(&answers[i]);
        free(urls[i]);
    }
    cr_assert_eq(amqp_client_depth(&scene.amqp, "in"), 9);
    amqp_client_purge(&scene.amqp, "in");
    end();
}

Test(produce, publishes_a_chunked_body_without_its_framing)
{
    begin("chunked");
    struct http_answer answer = scene_do_when_up(&scene, "/key/in",
        &(struct http_request){
            .method = "POST", .body = "chunked body", .body_bytes = 12, .is_chunked = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    struct amqp_received received = take();
    expect_text(received.message.body, "chunked body");
    cr_assert_null(amqp_received_header(&received, "Transfer-Encoding"));
    amqp_received_done(&received);
    end();
}

Test(produce, keeps_the_query_string_out_of_the_message)
{
    begin("query");
    expect_sent("/key/in?route=nowhere&Route=nowhere", NULL, "x");
    struct amqp_received received = take();
    cr_assert_str_eq(received.routing_key, "in");
    amqp_received_done(&received);
    end();
}

Test(produce, serves_a_second_method_on_the_same_path)
{
    begin("put");
    struct http_answer answer = scene_do_when_up(
        &scene, "/fixed", &(struct http_request){.method = "PUT", .body = "put", .body_bytes = 3});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    struct amqp_received received = take();
    expect_text(received.message.body, "put");
    amqp_received_done(&received);
    end();
}

Test(produce, does_not_publish_a_body_that_breaks_off)
{
    begin("broken_body");
    expect_sent("/key/in", NULL, "up");
    struct raw_client client;
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(
        &client, "POST /key/in HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello"));
    raw_client_close(&client);
    expect_sent("/key/in", NULL, "after");
    cr_assert_eq(amqp_client_depth(&scene.amqp, "in"), 2);
    amqp_client_purge(&scene.amqp, "in");
    end();
}

Test(produce, publishes_for_clients_that_do_not_wait_for_the_answer)
{
    begin("impatient");
    expect_sent("/key/in", NULL, "up");
    for (int i = 0; i < 50; i++) {
        struct raw_client client;
        raw_client_connect(&client, scene.sidecar.port);
        cr_assert(raw_client_say(
            &client, "POST /key/in HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"));
        raw_client_close(&client);
    }
    await(amqp_client_depth(&scene.amqp, "in") == 51, 10000, "%d of 51 published",
        amqp_client_depth(&scene.amqp, "in"));
    amqp_client_purge(&scene.amqp, "in");
    end();
}

Test(produce, sends_transient_messages_to_what_is_not_durable)
{
    begin("transient");
    /* the sidecar declares this exchange; declaring it alike is allowed, otherwise it is a 406 */
    struct http_answer answer = post_with("/transient", NULL, "x");
    expect_problem(&answer, 422, "unroutable");
    http_answer_done(&answer);
    amqp_client_declare_exchange(&scene.amqp, "fleeting", "topic", false);
    amqp_client_bind(&scene.amqp, "in", "fleeting", "in");
    expect_sent("/transient", NULL, "x");
    struct amqp_received received = take();
    cr_assert(!has(&received, AMQP_BASIC_DELIVERY_MODE_FLAG) ||
              received.message.properties.delivery_mode == AMQP_DELIVERY_NONPERSISTENT);
    amqp_received_done(&received);
    end();
}
