/* SPDX-License-Identifier: Apache-2.0 */
/*
 * properties_to_headers: what a message says of itself, as fields of the answer; and that nobody
 * who publishes can say anything else with it.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(properties, .timeout = 60);

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "properties.json");
    scene_await_bindings(&scene, "shown", 1);
    scene_await_bindings(&scene, "first", 1);
    scene_await_bindings(&scene, "second", 1);
}

static struct http_answer get(const char *path)
{
    struct http_answer answer = scene_do_when_up(&scene, path, &(struct http_request){0});
    expect_status(&answer, 200);
    return answer;
}

static void publish(const char *routing_key, const amqp_basic_properties_t *properties)
{
    amqp_client_publish(&scene.amqp, &(struct amqp_client_message){.exchange = "things",
                                         .routing_key = routing_key,
                                         .body = "{}",
                                         .body_bytes = 2,
                                         .properties = properties});
}

static amqp_table_entry_t text_header(const char *name, amqp_bytes_t value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(name),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = value}};
}

static void publish_headers(const char *routing_key, amqp_table_entry_t *headers, int n)
{
    publish(routing_key, &(amqp_basic_properties_t){._flags = AMQP_BASIC_HEADERS_FLAG,
                             .headers = {.num_entries = n, .entries = headers}});
}

static void publish_id(const char *routing_key, const char *id)
{
    publish(routing_key, &(amqp_basic_properties_t){._flags = AMQP_BASIC_MESSAGE_ID_FLAG,
                             .message_id = amqp_cstring_bytes(id)});
}

static void publish_all(void)
{
    publish("shown", &(amqp_basic_properties_t){
                         ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                                   AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                                   AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                                   AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG |
                                   AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                                   AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
                         .content_type = amqp_cstring_bytes("text/csv"),
                         .content_encoding = amqp_cstring_bytes("gzip"),
                         .correlation_id = amqp_cstring_bytes("c-1"),
                         .reply_to = amqp_cstring_bytes("answers"),
                         .expiration = amqp_cstring_bytes("60000"),
                         .message_id = amqp_cstring_bytes("m-1"),
                         .type = amqp_cstring_bytes("order"),
                         .user_id = amqp_cstring_bytes("guest"),
                         .app_id = amqp_cstring_bytes("shop"),
                         .priority = 5,
                         .delivery_mode = 2,
                         .timestamp = 1795397995});
}

static const struct {
    const char *name, *value;
} fields_of_all[] = {
    {"X-Amqp-Content-Type", "text/csv"},
    {"X-Amqp-Content-Encoding", "gzip"},
    {"X-Amqp-Correlation-Id", "c-1"},
    {"X-Amqp-Reply-To", "answers"},
    {"X-Amqp-Expiration", "60000"},
    {"X-Amqp-Message-Id", "m-1"},
    {"X-Amqp-Type", "order"},
    {"X-Amqp-User-Id", "guest"},
    {"X-Amqp-App-Id", "shop"},
    {"X-Amqp-Priority", "5"},
    {"X-Amqp-Delivery-Mode", "2"},
    {"X-Amqp-Timestamp", "1795397995"},
};

Test(properties, each_is_a_field_of_the_answer)
{
    begin("each_property");
    publish_all();
    struct http_answer answer = get("/shown");
    for (size_t i = 0; i < sizeof fields_of_all / sizeof *fields_of_all; i++)
        expect_header(&answer, fields_of_all[i].name, fields_of_all[i].value);
    expect_header(&answer, "Content-Type", "text/csv");
    expect_no_header(&answer, "Content-Encoding");
    expect_no_header(&answer, "X-Amqp-Omitted");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(properties, a_message_that_is_shaped_keeps_them)
{
    begin("shaped");
    scene_await_bindings(&scene, "shaped", 1);
    publish_id("shaped", "m-1");
    struct http_answer answer = get("/shaped");
    expect_body(&answer, "{\"g\":{}}");
    expect_header(&answer, "X-Amqp-Message-Id", "m-1");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(properties, a_backend_that_does_not_ask_for_them_shows_none_of_the_same_queue)
{
    begin("hidden");
    publish_all();
    struct http_answer answer = get("/hidden");
    cr_assert_null(strcasestr(answer.head, "X-Amqp-"), "%s", answer.head);
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(properties, headers_of_scalar_type_are_text_and_others_are_counted)
{
    begin("scalars");
    amqp_table_entry_t headers[] = {
        text_header("orderId", amqp_cstring_bytes("o-7")),
        {amqp_cstring_bytes("retries"), {.kind = AMQP_FIELD_KIND_I32, .value.i32 = -3}},
        {amqp_cstring_bytes("paid"), {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}},
        {amqp_cstring_bytes("rate"), {.kind = AMQP_FIELD_KIND_F64, .value.f64 = 0.1}},
        {amqp_cstring_bytes("at"), {.kind = AMQP_FIELD_KIND_TIMESTAMP, .value.u64 = 1795397995}},
        {amqp_cstring_bytes("list"), {.kind = AMQP_FIELD_KIND_ARRAY}},
        {amqp_cstring_bytes("nothing"), {.kind = AMQP_FIELD_KIND_VOID}},
    };
    publish_headers("shown", headers, sizeof headers / sizeof *headers);
    struct http_answer answer = get("/shown");
    expect_header(&answer, "X-Amqp-Header-orderId", "o-7");
    expect_header(&answer, "X-Amqp-Header-retries", "-3");
    expect_header(&answer, "X-Amqp-Header-paid", "true");
    expect_header(&answer, "X-Amqp-Header-rate", "0.1");
    expect_header(&answer, "X-Amqp-Header-at", "1795397995");
    expect_no_header(&answer, "X-Amqp-Header-list");
    expect_header(&answer, "X-Amqp-Omitted", "2");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(properties, no_header_of_a_message_becomes_one_of_the_answers_own)
{
    static const char *const names[] = {"Content-Length", "Content-Type", "Transfer-Encoding",
        "Connection", "Set-Cookie", "X-Krakend-Completed", "X-Leveret-Outcome", "Cache-Control"};
    amqp_table_entry_t headers[sizeof names / sizeof *names];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        headers[i] = text_header(names[i], amqp_cstring_bytes("7"));
    begin("own_names");
    publish_headers("shown", headers, sizeof names / sizeof *names);
    struct http_answer answer = get("/shown");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        autofree char *shown = format_text("X-Amqp-Header-%s", names[i]);
        expect_header(&answer, shown, "7");
    }
    expect_header(&answer, "Content-Length", "2");
    expect_header(&answer, "X-Krakend-Completed", "true");
    expect_header(&answer, "X-Leveret-Outcome", "delivered");
    expect_header(&answer, "Cache-Control", "no-store");
    expect_no_header(&answer, "Set-Cookie");
    expect_body(&answer, "{}");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(properties, nothing_that_would_break_a_head_gets_into_it)
{
    static struct {
        char bytes[20];
        size_t n;
    } values[] = {
        {"a\r\nSet-Cookie: b", 16}, {"a\nb", 3}, {"a\rb", 3}, {"a\0b", 3}, {"\x1b[0m", 4}};
    static const char *const names[] = {"a b", "a:b", "a\r\nSet-Cookie", "\xc3\xa9", ""};
    enum { N = sizeof values / sizeof *values, N_NAMES = sizeof names / sizeof *names };
    amqp_table_entry_t headers[N + N_NAMES + 1];
    for (int i = 0; i < N; i++)
        headers[i] =
            text_header("value", (amqp_bytes_t){.len = values[i].n, .bytes = values[i].bytes});
    for (int i = 0; i < N_NAMES; i++)
        headers[N + i] = text_header(names[i], amqp_cstring_bytes("name"));
    headers[N + N_NAMES] = text_header("good", amqp_cstring_bytes("gr\xc3\xbc\xc3\x9f"));
    begin("broken_heads");
    publish_headers("shown", headers, N + N_NAMES + 1);
    struct http_answer answer = get("/shown");
    expect_header(&answer, "X-Amqp-Header-good", "gr\xc3\xbc\xc3\x9f");
    expect_header(&answer, "X-Amqp-Omitted", "10");
    expect_no_header(&answer, "X-Amqp-Header-value");
    expect_no_header(&answer, "Set-Cookie");
    expect_body(&answer, "{}");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(properties, a_thousand_headers_are_bounded)
{
    enum { N = 1000 };
    static char names[N][8];
    static amqp_table_entry_t headers[N];
    for (int i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%d", i);
        headers[i] = text_header(names[i], amqp_cstring_bytes("0123456789"));
    }
    begin("thousand");
    publish_headers("shown", headers, N);
    struct http_answer answer = get("/shown");
    char value[32];
    const char *omitted = http_header(&answer, "X-Amqp-Omitted", value, sizeof value);
    cr_assert_not_null(omitted);
    int n_shown = 0;
    for (const char *at = answer.head; (at = strstr(at, "X-Amqp-Header-")) != NULL; at++)
        n_shown++;
    cr_assert(n_shown > 0 && n_shown <= 64, "%d", n_shown);
    cr_assert_eq(atoi(omitted), N - n_shown);
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(properties, of_two_messages_the_one_whose_backend_asks_shows_its_own)
{
    begin("of_two");
    publish_id("first", "m-1");
    publish_id("second", "m-2");
    struct http_answer answer = get("/two");
    expect_header(&answer, "X-Krakend-Completed", "true");
    expect_header(&answer, "X-Amqp-Message-Id", "m-2");
    http_answer_done(&answer);
    publish_id("first", "m-3");
    answer = get("/two");
    expect_header(&answer, "X-Krakend-Completed", "false");
    expect_no_header(&answer, "X-Amqp-Message-Id");
    http_answer_done(&answer);
    scene_end(&scene);
}
