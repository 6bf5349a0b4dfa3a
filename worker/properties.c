/* SPDX-License-Identifier: Apache-2.0 */
#include "properties.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/message.h"

#include "frame.h"

enum {
    NUMBER_BYTES = 32,
    TRACE_VALUE_BYTES = 1024, /* more than a reader takes */
    N_OF_TRACE = 2,
    COUNT_BYTES = MESSAGE_FIELD_HEAD_BYTES + 10, /* of the field that counts what is left out */
};

/* A property that is a short string. */
struct string_property {
    amqp_flags_t flag;
    size_t offset;
    const char *name;
};

#define STRING_PROPERTY(FLAG, field, text)                                                         \
    {                                                                                              \
        AMQP_BASIC_##FLAG##_FLAG, offsetof(amqp_basic_properties_t, field), text                   \
    }
static const struct string_property string_properties[] = {
    STRING_PROPERTY(CONTENT_ENCODING, content_encoding, "content-encoding"),
    STRING_PROPERTY(CORRELATION_ID, correlation_id, "correlation-id"),
    STRING_PROPERTY(REPLY_TO, reply_to, "reply-to"),
    STRING_PROPERTY(EXPIRATION, expiration, "expiration"),
    STRING_PROPERTY(MESSAGE_ID, message_id, "message-id"),
    STRING_PROPERTY(TYPE, type, "type"),
    STRING_PROPERTY(USER_ID, user_id, "user-id"),
    STRING_PROPERTY(APP_ID, app_id, "app-id"),
};
#undef STRING_PROPERTY

enum {
    N_STRING_PROPERTIES = sizeof(string_properties) / sizeof(string_properties[0]),
    N_PROPERTIES = N_STRING_PROPERTIES + 3 /* priority, delivery mode, timestamp */
};

static_assert(
    (1 + N_PROPERTIES) * (MESSAGE_FIELD_HEAD_BYTES + 2 * MESSAGE_SHORT_BYTES) + COUNT_BYTES <=
        MESSAGE_DELIVERY_BYTES,
    "what may have no room is headers");

static amqp_bytes_t unsigned_text(char room[NUMBER_BYTES], uint64_t number)
{
    (void)snprintf(room, NUMBER_BYTES, "%" PRIu64, number); /* twenty digits */
    return amqp_cstring_bytes(room);
}

static enum message_outcome write_field(struct message_writer *writer, enum message_field_kind kind,
    amqp_bytes_t name, amqp_bytes_t value)
{
    return message_write(writer, &(struct message_field){.kind = kind,
                                     .name = name.bytes,
                                     .name_bytes = name.len,
                                     .value = value.bytes,
                                     .value_bytes = value.len});
}

static void write_property(struct message_writer *writer, const char *name, amqp_bytes_t value)
{
    enum message_outcome outcome =
        write_field(writer, MESSAGE_PROPERTY, amqp_cstring_bytes(name), value);
    assert(outcome == MESSAGE_OK);
}

static void write_number_property(struct message_writer *writer, const char *name, uint64_t number)
{
    char room[NUMBER_BYTES];
    write_property(writer, name, unsigned_text(room, number));
}

static void write_properties(
    struct message_writer *writer, const amqp_basic_properties_t *properties)
{
    for (size_t i = 0; i < N_STRING_PROPERTIES; i++) {
        const struct string_property *property = &string_properties[i];
        const void *value = (const char *)properties + property->offset;
        if (properties->_flags & property->flag)
            write_property(writer, property->name, *(const amqp_bytes_t *)value);
    }
    if (properties->_flags & AMQP_BASIC_PRIORITY_FLAG)
        write_number_property(writer, "priority", properties->priority);
    if (properties->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG)
        write_number_property(writer, "delivery-mode", properties->delivery_mode);
    if (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
        write_number_property(writer, "timestamp", properties->timestamp);
}

/* ---- headers ---- */

static amqp_bytes_t signed_text(char room[NUMBER_BYTES], int64_t number)
{
    (void)snprintf(room, NUMBER_BYTES, "%" PRId64, number); /* a sign and nineteen digits */
    return amqp_cstring_bytes(room);
}

/* The fewest digits that are read as the same number again; `most` tell any two apart. */
static amqp_bytes_t float_text(char room[NUMBER_BYTES], double number, bool is_double)
{
    for (int digits = is_double ? 15 : 6, most = is_double ? 17 : 9; digits <= most; digits++) {
        (void)snprintf(room, NUMBER_BYTES, "%.*g", digits, number);
        double read = strtod(room, NULL);
        if (is_double ? read == number : (float)read == (float)number)
            break;
    }
    return amqp_cstring_bytes(room);
}

/* 12.34 is 1234e-2. */
static amqp_bytes_t decimal_text(char room[NUMBER_BYTES], amqp_decimal_t decimal)
{
    (void)snprintf(room, NUMBER_BYTES, "%" PRIu32 "e-%u", decimal.value, decimal.decimals);
    return amqp_cstring_bytes(room);
}

/* The value as text, made in `room` or where it lies. At NULL: it has none. */
static amqp_bytes_t scalar_text(char room[NUMBER_BYTES], const amqp_field_value_t *value)
{
    switch (value->kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        return value->value.bytes.len ? value->value.bytes : amqp_cstring_bytes("");
    case AMQP_FIELD_KIND_BOOLEAN:
        return amqp_cstring_bytes(value->value.boolean ? "true" : "false");
    case AMQP_FIELD_KIND_I8:
        return signed_text(room, value->value.i8);
    case AMQP_FIELD_KIND_I16:
        return signed_text(room, value->value.i16);
    case AMQP_FIELD_KIND_I32:
        return signed_text(room, value->value.i32);
    case AMQP_FIELD_KIND_I64:
        return signed_text(room, value->value.i64);
    case AMQP_FIELD_KIND_U8:
        return unsigned_text(room, value->value.u8);
    case AMQP_FIELD_KIND_U16:
        return unsigned_text(room, value->value.u16);
    case AMQP_FIELD_KIND_U32:
        return unsigned_text(room, value->value.u32);
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        return unsigned_text(room, value->value.u64);
    case AMQP_FIELD_KIND_F32:
        return float_text(room, value->value.f32, false);
    case AMQP_FIELD_KIND_F64:
        return float_text(room, value->value.f64, true);
    case AMQP_FIELD_KIND_DECIMAL:
        return decimal_text(room, value->value.decimal);
    default:
        return amqp_empty_bytes;
    }
}

static bool write_header(struct message_writer *writer, const amqp_table_entry_t *entry)
{
    char room[NUMBER_BYTES];
    amqp_bytes_t text = scalar_text(room, &entry->value);
    return text.bytes && write_field(writer, MESSAGE_HEADER, entry->key, text) == MESSAGE_OK;
}

static void write_headers(struct message_writer *writer, const amqp_table_t *headers)
{
    char room[NUMBER_BYTES];
    int n_written = 0;
    writer->size -= COUNT_BYTES;
    for (int i = 0; i < headers->num_entries && n_written < MESSAGE_SHOWN_MAX - N_PROPERTIES; i++)
        n_written += write_header(writer, &headers->entries[i]);
    writer->size += COUNT_BYTES;
    if (n_written == headers->num_entries)
        return;
    uint64_t n_omitted = (uint64_t)(headers->num_entries - n_written);
    enum message_outcome outcome = write_field(
        writer, MESSAGE_N_OMITTED, amqp_cstring_bytes(""), unsigned_text(room, n_omitted));
    assert(outcome == MESSAGE_OK);
}

/* ---- what it is known by ---- */

static bool is_of_trace(const amqp_table_entry_t *entry)
{
    static const char *const names[] = {"traceparent", "tracestate"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (entry->key.len == strlen(names[i]) &&
            memcmp(entry->key.bytes, names[i], entry->key.len) == 0)
            return entry->value.kind == AMQP_FIELD_KIND_UTF8 &&
                   entry->value.value.bytes.len <= TRACE_VALUE_BYTES;
    return false;
}

static void write_identity(struct message_writer *writer, const amqp_basic_properties_t *properties)
{
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        write_property(writer, "message-id", properties->message_id);
    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return;
    for (int i = 0, n = 0; i < properties->headers.num_entries && n < N_OF_TRACE; i++)
        if (is_of_trace(&properties->headers.entries[i]))
            n += write_header(writer, &properties->headers.entries[i]);
}

uint32_t properties_write(uint8_t bytes[MESSAGE_DELIVERY_BYTES],
    const amqp_basic_properties_t *properties, bool shows_all)
{
    struct message_writer writer = {.bytes = bytes, .size = MESSAGE_DELIVERY_BYTES};
    if (properties->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG)
        (void)write_field(&writer, MESSAGE_CONTENT_TYPE, amqp_cstring_bytes(""),
            properties->content_type); /* left out when it has a NUL */
    if (!shows_all)
        write_identity(&writer, properties);
    else
        write_properties(&writer, properties);
    if (shows_all && properties->_flags & AMQP_BASIC_HEADERS_FLAG)
        write_headers(&writer, &properties->headers);
    return (uint32_t)writer.used;
}
