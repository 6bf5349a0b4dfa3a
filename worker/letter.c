/* SPDX-License-Identifier: Apache-2.0 */
#include "letter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/message.h"

#include "frame.h"

int letter_init(struct letter *letter)
{
    *letter = (struct letter){
        .fields = malloc(LETTER_FIELD_BYTES),
        .headers = calloc(LETTER_MAX_HEADERS, sizeof(*letter->headers)),
        .grouped = calloc(LETTER_MAX_HEADERS, sizeof(*letter->grouped)),
        .values = calloc(LETTER_MAX_HEADERS, sizeof(*letter->values)),
    };
    if (letter->fields && letter->headers && letter->grouped && letter->values)
        return 0;
    letter_done(letter);
    return -ENOMEM;
}

void letter_done(struct letter *letter)
{
    free(letter->fields);
    free(letter->headers);
    free(letter->grouped);
    free(letter->values);
    *letter = (struct letter){0};
}

static void set_text(
    struct letter *letter, amqp_bytes_t *property, amqp_flags_t flag, struct message_field field)
{
    *property = frame_bytes(field.value, field.value_bytes);
    letter->properties._flags |= flag;
}

/* message_read() has checked that it is a number up to 255. */
static void set_priority(struct letter *letter, struct message_field field)
{
    unsigned priority = 0;
    for (size_t i = 0; i < field.value_bytes; i++)
        priority = priority * 10 + (unsigned)(field.value[i] - '0');
    letter->properties.priority = (uint8_t)priority;
    letter->properties._flags |= AMQP_BASIC_PRIORITY_FLAG;
}

static const char *add_header(struct letter *letter, struct message_field field)
{
    if (letter->n_headers == LETTER_MAX_HEADERS)
        return "The message has too many headers.";
    letter->headers[letter->n_headers++] = (amqp_table_entry_t){
        .key = frame_bytes(field.name, field.name_bytes),
        .value = {.kind = AMQP_FIELD_KIND_UTF8,
            .value.bytes = frame_bytes(field.value, field.value_bytes)},
    };
    return NULL;
}

static const char *add_field(struct letter *letter, struct message_field field)
{
    amqp_basic_properties_t *properties = &letter->properties;
    switch (field.kind) {
    case MESSAGE_ROUTING_KEY:
        letter->publish.routing_key = frame_bytes(field.value, field.value_bytes);
        break;
    case MESSAGE_CONTENT_TYPE:
        set_text(letter, &properties->content_type, AMQP_BASIC_CONTENT_TYPE_FLAG, field);
        break;
    case MESSAGE_EXPIRATION:
        set_text(letter, &properties->expiration, AMQP_BASIC_EXPIRATION_FLAG, field);
        break;
    case MESSAGE_REPLY_TO:
        set_text(letter, &properties->reply_to, AMQP_BASIC_REPLY_TO_FLAG, field);
        break;
    case MESSAGE_MESSAGE_ID:
        set_text(letter, &properties->message_id, AMQP_BASIC_MESSAGE_ID_FLAG, field);
        break;
    case MESSAGE_PRIORITY:
        set_priority(letter, field);
        break;
    case MESSAGE_HEADER:
        return add_header(letter, field);
    case MESSAGE_N_KINDS:
        break;
    }
    return NULL;
}

static bool has_key(const amqp_table_entry_t *entry, amqp_bytes_t key)
{
    return entry->key.len == key.len && memcmp(entry->key.bytes, key.bytes, key.len) == 0;
}

/* Gathers the values of headers[first]'s name behind the n_values so far; returns how many. */
static int gather_values(struct letter *letter, uint32_t first, uint32_t n_values)
{
    int n = 0;
    for (uint32_t i = first; i < letter->n_headers; i++)
        if (has_key(&letter->headers[i], letter->headers[first].key))
            letter->values[n_values + (uint32_t)n++] = letter->headers[i].value;
    return n;
}

static bool is_repeated(const struct letter *letter, uint32_t header)
{
    for (uint32_t i = 0; i < header; i++)
        if (has_key(&letter->headers[i], letter->headers[header].key))
            return true;
    return false;
}

static amqp_table_t grouped_headers(struct letter *letter)
{
    int n_grouped = 0;
    uint32_t n_values = 0;
    for (uint32_t i = 0; i < letter->n_headers; i++) {
        if (is_repeated(letter, i))
            continue;
        int n = gather_values(letter, i, n_values);
        letter->grouped[n_grouped++] = (amqp_table_entry_t){
            .key = letter->headers[i].key,
            .value = {.kind = AMQP_FIELD_KIND_ARRAY,
                .value.array = {.num_entries = n, .entries = &letter->values[n_values]}},
        };
        n_values += (uint32_t)n;
    }
    return (amqp_table_t){.num_entries = n_grouped, .entries = letter->grouped};
}

static void set_headers(struct letter *letter, bool has_arrays)
{
    if (!letter->n_headers)
        return;
    letter->properties.headers = has_arrays ? grouped_headers(letter)
                                            : (amqp_table_t){.num_entries = (int)letter->n_headers,
                                                  .entries = letter->headers};
    letter->properties._flags |= AMQP_BASIC_HEADERS_FLAG;
}

static void begin(struct letter *letter, const struct letter_form *form)
{
    letter->n_headers = 0;
    letter->publish = (amqp_basic_publish_t){
        .exchange = amqp_cstring_bytes(form->exchange),
        .routing_key = amqp_empty_bytes,
        .mandatory = 1, /* or nobody would know that a message went nowhere */
    };
    letter->properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_TIMESTAMP_FLAG, .timestamp = (uint64_t)time(NULL)};
    if (form->is_persistent) {
        letter->properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
        letter->properties._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    }
}

static const char *read_fields(struct letter *letter, const struct desk_slot *slot)
{
    if (slot->fields.length > LETTER_FIELD_BYTES)
        return "The message has more bytes of headers than the broker takes.";
    memcpy(letter->fields, desk_bytes(slot, slot->fields), slot->fields.length);
    struct message_reader reader = {.bytes = letter->fields, .size = slot->fields.length};
    struct message_field field;
    enum message_outcome outcome;
    while ((outcome = message_read(&reader, &field)) == MESSAGE_OK) {
        const char *wrong = add_field(letter, field);
        if (wrong)
            return wrong;
    }
    if (outcome == MESSAGE_END)
        return NULL;
    (void)snprintf(letter->wrong, sizeof(letter->wrong), "A field of the message %s.",
        message_outcome_text(outcome));
    return letter->wrong;
}

const char *letter_read(
    struct letter *letter, const struct desk_slot *slot, const struct letter_form *form)
{
    begin(letter, form);
    const char *wrong = read_fields(letter, slot);
    if (wrong)
        return wrong;
    amqp_bytes_t id = letter->properties.message_id;
    if (!id.len)
        return "The message has no id.";
    letter->id = confirm_id(id.bytes, id.len);
    set_headers(letter, form->has_header_arrays);
    /* frame_bytes() takes the const away, which iovec does not have either */
    amqp_bytes_t body = frame_bytes(desk_bytes(slot, slot->body), slot->body.length);
    letter->body = (struct iovec){.iov_base = body.bytes, .iov_len = body.len};
    letter->message = (struct writer_message){.publish = &letter->publish,
        .properties = &letter->properties,
        .body = &letter->body,
        .n_body = 1};
    return NULL;
}
