/* SPDX-License-Identifier: Apache-2.0 */
#include "received.h"

#include <string.h>

#include "shm/message.h"

#include "header_rules.h"

#define PROPERTY_PREFIX "X-Amqp-"
#define HEADER_PREFIX "X-Amqp-Header-"
#define OMITTED "X-Amqp-Omitted"

enum { PROPERTIES_MAX = MESSAGE_SHOWN_MAX + 2 }; /* with the content type and the last one */

static struct message_reader private_fields(const struct part *part, struct answer_memory memory)
{
    struct slice shared = part->reply.fields;
    char *fields = memory.take(memory.owner, shared.len + 1);
    (void)slice_copy(shared, fields); /* there may be none */
    return (struct message_reader){.bytes = (const uint8_t *)fields, .size = shared.len};
}

static struct slice value_of(const struct message_field *field)
{
    return (struct slice){.at = field->value, .len = field->value_bytes};
}

struct slice received_type(const struct part *part, struct answer_memory memory)
{
    struct message_reader reader = private_fields(part, memory);
    struct message_field field;
    while (message_read(&reader, &field) == MESSAGE_OK)
        if (field.kind == MESSAGE_CONTENT_TYPE)
            return value_of(&field);
    return (struct slice){0};
}

static bool has_name(const struct message_field *field, const char *name)
{
    struct slice its = {.at = field->name, .len = field->name_bytes};
    return slice_equals(its, slice_of(name));
}

void received_identity(struct answer *answer, const struct part *part, struct answer_memory memory)
{
    struct slice parent = {0}, state = {0};
    struct message_reader reader = private_fields(part, memory);
    struct message_field field;
    while (message_read(&reader, &field) == MESSAGE_OK) {
        if (field.kind == MESSAGE_PROPERTY && has_name(&field, "message-id"))
            answer->message_id = value_of(&field);
        else if (field.kind == MESSAGE_HEADER && has_name(&field, TRACE_PARENT))
            parent = value_of(&field);
        else if (field.kind == MESSAGE_HEADER && has_name(&field, TRACE_STATE))
            state = value_of(&field);
    }
    if (parent.len)
        answer->trace = trace_of(parent, state, memory.take(memory.owner, TRACE_STATE_BYTES));
}

/* One more field of the answer. False: it is none, or one too many. */
static bool add(struct answer *answer, const char *name, struct slice value)
{
    if (!slice_is_field_value(value) || answer->n_properties == PROPERTIES_MAX - 1)
        return false;
    answer->properties[answer->n_properties++] =
        (struct answer_field){.name = name, .value = value};
    return true;
}

static bool add_named(
    struct answer *answer, const struct message_field *field, struct answer_memory memory)
{
    bool is_header = field->kind == MESSAGE_HEADER;
    struct slice prefix = slice_of(is_header ? HEADER_PREFIX : PROPERTY_PREFIX);
    struct slice name = {.at = field->name, .len = field->name_bytes};
    if (!slice_is_token(name))
        return false;
    char *text = memory.take(memory.owner, prefix.len + name.len + 1);
    char *end = slice_copy(prefix, text);
    if (is_header)
        (void)slice_copy(name, end);
    else
        (void)header_canonical(name, end);
    end[name.len] = '\0';
    return add(answer, text, value_of(field));
}

/* The reader has seen that it is one. */
static uint64_t number_of(struct slice digits)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.len; i++)
        number = number * 10 + (uint64_t)(digits.at[i] - '0');
    return number;
}

/* Returns how many headers were left out over it. */
static uint64_t show(
    struct answer *answer, const struct message_field *field, struct answer_memory memory)
{
    switch (field->kind) {
    case MESSAGE_CONTENT_TYPE:
        return !add(answer, PROPERTY_PREFIX "Content-Type", value_of(field));
    case MESSAGE_PROPERTY:
    case MESSAGE_HEADER:
        return !add_named(answer, field, memory);
    case MESSAGE_N_OMITTED:
        return number_of(value_of(field));
    default:
        return 0; /* no delivery has it */
    }
}

void received_properties(
    struct answer *answer, const struct part *part, struct answer_memory memory)
{
    struct message_reader reader = private_fields(part, memory);
    struct message_field field;
    uint64_t n_omitted = 0;
    answer->properties = memory.take(memory.owner, PROPERTIES_MAX * sizeof(*answer->properties));
    while (message_read(&reader, &field) == MESSAGE_OK)
        n_omitted += show(answer, &field, memory);
    if (n_omitted)
        answer->properties[answer->n_properties++] =
            (struct answer_field){.name = OMITTED, .value = answer_decimal(n_omitted, memory)};
}
