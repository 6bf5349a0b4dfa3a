/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "shm/message.h"

#include "frame.h"
#include "properties.h"

enum { MANY = 200 };

static uint8_t bytes[MESSAGE_DELIVERY_BYTES];
static amqp_basic_properties_t properties;
static amqp_table_entry_t entries[MANY];

static void set_up(void)
{
    properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_HEADERS_FLAG, .headers = {.entries = entries}};
}

TestSuite(properties, .init = set_up);

static void add(const char *name, amqp_field_value_t value)
{
    entries[properties.headers.num_entries++] =
        (amqp_table_entry_t){.key = amqp_cstring_bytes(name), .value = value};
}

static void add_text(const char *name, const char *text)
{
    add(name, (amqp_field_value_t){
                  .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(text)});
}

/* All fields, one a line: kind, name, value. */
static const char *written(bool shows_all)
{
    static const char *const kinds[MESSAGE_N_KINDS] = {[MESSAGE_CONTENT_TYPE] = "type",
        [MESSAGE_HEADER] = "header",
        [MESSAGE_PROPERTY] = "property",
        [MESSAGE_N_OMITTED] = "omitted"};
    static char text[2 * MESSAGE_DELIVERY_BYTES];
    struct message_reader reader = {
        .bytes = bytes, .size = properties_write(bytes, &properties, shows_all)};
    struct message_field field;
    enum message_outcome outcome;
    size_t n = 0;
    text[0] = '\0';
    while ((outcome = message_read(&reader, &field)) == MESSAGE_OK)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %.*s=%.*s\n", kinds[field.kind],
            (int)field.name_bytes, field.name, (int)field.value_bytes, field.value);
    cr_assert_eq(outcome, MESSAGE_END);
    return text;
}

static void set_all(void)
{
    properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                  AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                  AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
                  AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                  AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type = amqp_cstring_bytes("text/csv"),
        .content_encoding = amqp_cstring_bytes("gzip"),
        .correlation_id = amqp_cstring_bytes("c-1"),
        .reply_to = amqp_cstring_bytes("q"),
        .expiration = amqp_cstring_bytes("60000"),
        .message_id = amqp_cstring_bytes("m-1"),
        .type = amqp_cstring_bytes("order"),
        .user_id = amqp_cstring_bytes("guest"),
        .app_id = amqp_cstring_bytes("shop"),
        .priority = 0,
        .delivery_mode = 2,
        .timestamp = UINT64_MAX};
}

Test(properties, every_property_goes_that_is_there)
{
    set_all();
    cr_assert_str_eq(written(true),
        "type =text/csv\nproperty content-encoding=gzip\nproperty correlation-id=c-1\n"
        "property reply-to=q\nproperty expiration=60000\nproperty message-id=m-1\n"
        "property type=order\nproperty user-id=guest\nproperty app-id=shop\nproperty priority=0\n"
        "property delivery-mode=2\nproperty timestamp=18446744073709551615\n");
    properties._flags = AMQP_BASIC_APP_ID_FLAG;
    cr_assert_str_eq(written(true), "property app-id=shop\n");
}

Test(properties, what_it_is_known_by_goes_where_nothing_else_is_wanted)
{
    set_all();
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers = (amqp_table_t){.num_entries = 0, .entries = entries};
    add_text("a", "1");
    add_text("tracestate", "b=2");
    add_text("traceparent", "00-1");
    add_text("tracestate", "a third");
    cr_assert_str_eq(written(false), "type =text/csv\nproperty message-id=m-1\n"
                                     "header tracestate=b=2\nheader traceparent=00-1\n");
    properties._flags = 0;
    cr_assert_str_eq(written(false), "");
}

Test(properties, a_trace_that_is_no_text_or_too_long_is_left_out)
{
    char endless[1026];
    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    add_text("tracestate", endless);
    add("traceparent", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_I32, .value.i32 = 1});
    add_text("traceparents", "1");
    cr_assert_str_eq(written(false), "");
}

Test(properties, a_content_type_with_a_nul_is_left_out)
{
    properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG, .content_type = frame_bytes("a\0b", 3)};
    cr_assert_str_eq(written(true), "");
}

#define INTEGER(kind_, field, number)                                                              \
    add(#field, (amqp_field_value_t){.kind = AMQP_FIELD_KIND_##kind_, .value.field = number})

Test(properties, a_header_of_scalar_type_is_text)
{
    add_text("utf8", "gr\xc3\xbc\xc3\x9f\x65");
    add("bytes", (amqp_field_value_t){
                     .kind = AMQP_FIELD_KIND_BYTES, .value.bytes = amqp_cstring_bytes("raw")});
    add("empty", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_UTF8});
    add("yes", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1});
    add("no", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_BOOLEAN});
    INTEGER(I8, i8, INT8_MIN);
    INTEGER(I16, i16, INT16_MIN);
    INTEGER(I32, i32, INT32_MIN);
    INTEGER(I64, i64, INT64_MIN);
    INTEGER(U8, u8, UINT8_MAX);
    INTEGER(U16, u16, UINT16_MAX);
    INTEGER(U32, u32, UINT32_MAX);
    INTEGER(U64, u64, UINT64_MAX);
    add("time", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_TIMESTAMP, .value.u64 = 1795397995});
    add("decimal", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_DECIMAL,
                       .value.decimal = {.decimals = 2, .value = 1234}});
    cr_assert_str_eq(written(true),
        "header utf8=gr\xc3\xbc\xc3\x9f\x65\nheader bytes=raw\nheader empty=\nheader yes=true\n"
        "header no=false\nheader i8=-128\nheader i16=-32768\nheader i32=-2147483648\n"
        "header i64=-9223372036854775808\nheader u8=255\nheader u16=65535\n"
        "header u32=4294967295\nheader u64=18446744073709551615\nheader time=1795397995\n"
        "header decimal=1234e-2\n");
}

Test(properties, a_floating_point_number_has_the_digits_that_tell_it_from_others)
{
    static const double doubles[] = {0, 0.1, 1.0 / 3, 1e300, -2.5, 5e-324, HUGE_VAL};
    static const float floats[] = {0.1f, 16777216, 1.0f / 3};
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++)
        add("d", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_F64, .value.f64 = doubles[i]});
    for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++)
        add("f", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_F32, .value.f32 = floats[i]});
    cr_assert_str_eq(written(true),
        "header d=0\nheader d=0.1\nheader d=0.3333333333333333\nheader d=1e+300\nheader d=-2.5\n"
        "header d=4.94065645841247e-324\nheader d=inf\nheader f=0.1\nheader f=16777216\n"
        "header f=0.33333334\n");
}

Test(properties, what_is_no_scalar_is_counted)
{
    add("void", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_VOID});
    add("table", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_TABLE});
    add_text("a", "1");
    add("array", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_ARRAY});
    add_text("b", "2");
    cr_assert_str_eq(written(true), "header a=1\nheader b=2\nomitted =3\n");
}

Test(properties, a_name_with_a_nul_is_counted)
{
    add_text("a", "1");
    entries[0].key = frame_bytes("a\0b", 3);
    cr_assert_str_eq(written(true), "omitted =1\n");
}

Test(properties, a_header_without_room_is_counted_and_smaller_ones_still_go)
{
    static char large[MESSAGE_DELIVERY_BYTES];
    memset(large, 'x', sizeof(large) - 1);
    add_text("large", large);
    add_text("small", "1");
    cr_assert_str_eq(written(true), "header small=1\nomitted =1\n");
}

Test(properties, no_more_headers_go_than_an_answer_takes)
{
    set_all();
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers.entries = entries;
    for (int i = 0; i < MANY; i++)
        add_text("a", "1");
    const char *lines = written(true), *omitted = strstr(lines, "omitted");
    int n_named = -1; /* the content type has no name */
    for (const char *at = lines; at < omitted; at = strchr(at, '\n') + 1)
        n_named++;
    cr_assert_eq(n_named, MESSAGE_SHOWN_MAX);
    cr_assert_str_eq(omitted, "omitted =147\n");
}

Test(properties, properties_as_long_as_can_be_leave_room_for_the_count)
{
    static char longest[MESSAGE_SHORT_BYTES + 1];
    memset(longest, 'x', MESSAGE_SHORT_BYTES);
    set_all();
    amqp_bytes_t *const texts[] = {&properties.content_type, &properties.content_encoding,
        &properties.correlation_id, &properties.reply_to, &properties.expiration,
        &properties.message_id, &properties.type, &properties.user_id, &properties.app_id};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = amqp_cstring_bytes(longest);
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers.entries = entries;
    for (int i = 0; i < 30; i++)
        add_text(longest, longest);
    cr_assert_not_null(strstr(written(true), "omitted ="));
}
