/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/message.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define MAX_EXPIRATION UINT64_C(4294967295)
#define MAX_PRIORITY UINT64_C(255)
#define MAX_OMITTED UINT64_C(4294967295)

static const char *const outcome_texts[] = {
    [MESSAGE_OK] = "",
    [MESSAGE_END] = "has ended",
    [MESSAGE_FULL] = "does not fit",
    [MESSAGE_MALFORMED] = "is malformed",
    [MESSAGE_TOO_LONG] = "is longer than 255 bytes",
    [MESSAGE_NOT_A_NUMBER] = "is not a decimal number",
    [MESSAGE_OUT_OF_RANGE] = "is out of range",
    [MESSAGE_HAS_NUL] = "holds a NUL byte",
};

const char *message_outcome_text(enum message_outcome outcome)
{
    return outcome_texts[outcome];
}

size_t message_field_bytes(const struct message_field *field)
{
    return MESSAGE_FIELD_HEAD_BYTES + field->name_bytes + field->value_bytes;
}

static enum message_outcome short_string_check(const char *bytes, size_t n)
{
    if (n > MESSAGE_SHORT_BYTES)
        return MESSAGE_TOO_LONG;
    return memchr(bytes, '\0', n) ? MESSAGE_HAS_NUL : MESSAGE_OK;
}

static enum message_outcome number_check(const char *digits, size_t n, uint64_t max)
{
    uint64_t number = 0;
    if (!n)
        return MESSAGE_NOT_A_NUMBER;
    if (n > MESSAGE_SHORT_BYTES)
        return MESSAGE_TOO_LONG; /* an endless row of zeros is a number, too */
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return MESSAGE_NOT_A_NUMBER;
        if (number <= max)
            number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    return number <= max ? MESSAGE_OK : MESSAGE_OUT_OF_RANGE;
}

static bool has_name(enum message_field_kind kind)
{
    return kind == MESSAGE_HEADER || kind == MESSAGE_PROPERTY;
}

enum message_outcome message_check(const struct message_field *field)
{
    switch (field->kind) {
    case MESSAGE_EXPIRATION:
        return number_check(field->value, field->value_bytes, MAX_EXPIRATION);
    case MESSAGE_PRIORITY:
        return number_check(field->value, field->value_bytes, MAX_PRIORITY);
    case MESSAGE_N_OMITTED:
        return number_check(field->value, field->value_bytes, MAX_OMITTED);
    case MESSAGE_HEADER:
    case MESSAGE_PROPERTY:
        return short_string_check(field->name, field->name_bytes);
    case MESSAGE_ROUTING_KEY:
    case MESSAGE_CONTENT_TYPE:
    case MESSAGE_REPLY_TO:
    case MESSAGE_MESSAGE_ID:
        return short_string_check(field->value, field->value_bytes);
    case MESSAGE_N_KINDS:
        break;
    }
    return MESSAGE_MALFORMED;
}

enum message_outcome message_write(struct message_writer *writer, const struct message_field *field)
{
    enum message_outcome outcome = message_check(field);
    if (outcome != MESSAGE_OK)
        return outcome;
    assert(has_name(field->kind) || !field->name_bytes);
    if (field->value_bytes > UINT32_MAX || message_field_bytes(field) > writer->size - writer->used)
        return MESSAGE_FULL;
    uint8_t *at = writer->bytes + writer->used;
    uint32_t value_bytes = (uint32_t)field->value_bytes;
    at[0] = (uint8_t)field->kind;
    at[1] = (uint8_t)field->name_bytes;
    at[2] = at[3] = 0;
    memcpy(at + 4, &value_bytes, sizeof(value_bytes));
    if (field->name_bytes)
        memcpy(at + MESSAGE_FIELD_HEAD_BYTES, field->name, field->name_bytes);
    if (value_bytes)
        memcpy(at + MESSAGE_FIELD_HEAD_BYTES + field->name_bytes, field->value, value_bytes);
    writer->used += message_field_bytes(field);
    return MESSAGE_OK;
}

enum message_outcome message_read(struct message_reader *reader, struct message_field *field)
{
    const uint8_t *at = reader->bytes + reader->read;
    size_t left = reader->size - reader->read;
    if (!left)
        return MESSAGE_END;
    if (left < MESSAGE_FIELD_HEAD_BYTES)
        return MESSAGE_MALFORMED;
    uint32_t value_bytes;
    memcpy(&value_bytes, at + 4, sizeof(value_bytes));
    left -= MESSAGE_FIELD_HEAD_BYTES;
    if (at[1] > left || value_bytes > left - at[1])
        return MESSAGE_MALFORMED;
    struct message_field found = {
        .kind = at[0],
        .name = (const char *)at + MESSAGE_FIELD_HEAD_BYTES,
        .name_bytes = at[1],
        .value = (const char *)at + MESSAGE_FIELD_HEAD_BYTES + at[1],
        .value_bytes = value_bytes,
    };
    if (!has_name(found.kind) && found.name_bytes)
        return MESSAGE_MALFORMED;
    enum message_outcome outcome = message_check(&found);
    if (outcome != MESSAGE_OK)
        return outcome;
    reader->read += message_field_bytes(&found);
    *field = found;
    return MESSAGE_OK;
}
