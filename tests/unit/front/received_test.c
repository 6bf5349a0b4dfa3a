/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "shm/message.h"

#include "answer_pool.h"
#include "received.h"

static uint8_t fields[2 * MESSAGE_DELIVERY_BYTES];
static struct message_writer writer;
static struct answer answer;
static void set_up(void)
{
    writer = (struct message_writer){.bytes = fields, .size = sizeof(fields)};
    answer = (struct answer){.status = 200};
}

TestSuite(received, .init = set_up);

static void put(enum message_field_kind kind, const char *name, struct slice value)
{
    struct message_field field = {kind, name, strlen(name), value.at, value.len};
    cr_assert_eq(message_write(&writer, &field), MESSAGE_OK);
}

static void show(void)
{
    struct part part = {.reply.fields = {(const char *)fields, writer.used}};
    received_properties(&answer, &part, answer_pool);
}

/* The answer's fields as they would be written. */
static const char *shown(void)
{
    static char text[16384];
    size_t n = 0;
    text[0] = '\0';
    show();
    for (uint32_t i = 0; i < answer.n_properties; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s: %.*s\n", answer.properties[i].name,
            (int)answer.properties[i].value.len, answer.properties[i].value.at);
    return text;
}

Test(received, properties_have_amqps_names_and_headers_their_own)
{
    put(MESSAGE_CONTENT_TYPE, "", slice_of("text/csv"));
    put(MESSAGE_PROPERTY, "correlation-id", slice_of("c-1"));
    put(MESSAGE_PROPERTY, "priority", slice_of("5"));
    put(MESSAGE_HEADER, "orderId", slice_of("7"));
    put(MESSAGE_HEADER, "x-many", slice_of("a"));
    put(MESSAGE_HEADER, "x-many", slice_of(""));
    cr_assert_str_eq(shown(), "X-Amqp-Content-Type: text/csv\nX-Amqp-Correlation-Id: c-1\n"
                              "X-Amqp-Priority: 5\nX-Amqp-Header-orderId: 7\n"
                              "X-Amqp-Header-x-many: a\nX-Amqp-Header-x-many: \n");
}

Test(received, a_message_without_properties_shows_none)
{
    cr_assert_str_eq(shown(), "");
}

Test(received, no_name_gets_out_of_its_prefix)
{
    static const char *const names[] = {"Content-Length", "Set-Cookie", "Connection",
        "Transfer-Encoding", "X-Krakend-Completed", "X-Leveret-Outcome", "Location"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put(MESSAGE_HEADER, names[i], slice_of("1"));
    show();
    for (uint32_t i = 0; i < answer.n_properties; i++) {
        const char *name = answer.properties[i].name;
        cr_assert_eq(strncmp(name, "X-Amqp-Header-", 14), 0, "%s", name);
        cr_assert_str_eq(name + 14, names[i]);
    }
}

Test(received, what_http_cannot_carry_is_omitted_and_counted)
{
    static const struct slice values[] = {{"a\rb", 3}, {"a\nb", 3}, {"a\0b", 3}, {"\x1b[0m", 4},
        {"\x7f", 1}, {"a\r\nSet-Cookie: b", 16}};
    static const char *const names[] = {"", "a b", "a:b", "a\r\nb", "\xc3\xa9", "a\x7f", "(a)"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        put(MESSAGE_HEADER, "value", values[i]);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put(MESSAGE_HEADER, names[i], slice_of("name"));
    put(MESSAGE_PROPERTY, "app-id", (struct slice){"a\nb", 3});
    put(MESSAGE_HEADER, "good", slice_of("tab\tand \xc3\xa9"));
    put(MESSAGE_N_OMITTED, "", slice_of("3"));
    cr_assert_str_eq(shown(), "X-Amqp-Header-good: tab\tand \xc3\xa9\nX-Amqp-Omitted: 17\n");
}

Test(received, fields_beyond_what_a_delivery_may_have_are_omitted_and_counted)
{
    for (int i = 0; i < MESSAGE_SHOWN_MAX + 10; i++)
        put(MESSAGE_HEADER, "a", slice_of("1"));
    show();
    cr_assert_eq(answer.n_properties, MESSAGE_SHOWN_MAX + 2);
    const struct answer_field *last = &answer.properties[answer.n_properties - 1];
    cr_assert_str_eq(last->name, "X-Amqp-Omitted");
    cr_assert(slice_equals(last->value, slice_of("9")));
}

Test(received, kinds_that_no_delivery_has_and_fields_that_break_off_are_not_shown)
{
    put(MESSAGE_ROUTING_KEY, "", slice_of("key"));
    put(MESSAGE_HEADER, "a", slice_of("1"));
    put(MESSAGE_HEADER, "b", slice_of("2"));
    writer.used--;
    cr_assert_str_eq(shown(), "X-Amqp-Header-a: 1\n");
}

Test(received, the_content_type_is_read_alone)
{
    put(MESSAGE_PROPERTY, "app-id", slice_of("a"));
    put(MESSAGE_CONTENT_TYPE, "", slice_of("text/csv"));
    struct part part = {.reply.fields = {(const char *)fields, writer.used}};
    cr_assert(slice_equals(received_type(&part, answer_pool), slice_of("text/csv")));
    part.reply.fields.len = 0;
    cr_assert_eq(received_type(&part, answer_pool).len, 0);
}

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void identify(void)
{
    struct part part = {.reply.fields = {(const char *)fields, writer.used}};
    received_identity(&answer, &part, answer_pool);
}

Test(received, id_and_trace_are_told)
{
    put(MESSAGE_HEADER, "tracestate", slice_of("a=1"));
    put(MESSAGE_PROPERTY, "message-id", slice_of("m-1"));
    put(MESSAGE_PROPERTY, "app-id", slice_of("a"));
    put(MESSAGE_HEADER, "traceparent", slice_of(PARENT));
    identify();
    cr_assert(slice_equals(answer.message_id, slice_of("m-1")));
    cr_assert(slice_equals(answer.trace.parent, slice_of(PARENT)));
    cr_assert(slice_equals(answer.trace.state, slice_of("a=1")));
}

Test(received, a_trace_that_is_none_is_not_told)
{
    put(MESSAGE_HEADER, "traceparent", slice_of(PARENT "\r\nSet-Cookie: a"));
    put(MESSAGE_HEADER, "tracestate", slice_of("a=1"));
    identify();
    cr_assert_eq(answer.message_id.len + answer.trace.parent.len + answer.trace.state.len, 0);
}
