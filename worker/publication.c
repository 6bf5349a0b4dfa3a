/* SPDX-License-Identifier: Apache-2.0 */
#include "publication.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/message.h"

#include "frame.h"

int publication_init(struct publication *publication)
{
    *publication = (struct publication){
        .fields = malloc(PUBLICATION_FIELD_BYTES),
        .headers = calloc(PUBLICATION_MAX_HEADERS, sizeof(*publication->headers)),
        .grouped = calloc(PUBLICATION_MAX_HEADERS, sizeof(*publication->grouped)),
        .values = calloc(PUBLICATION_MAX_HEADERS, sizeof(*publication->values)),
    };
    if (publication->fields && publication->headers && publication->grouped && publication->values)
        return 0;
    publication_done(publication);
    return -ENOMEM;
}

void publication_done(struct publication *publication)
{
    free(publication->fields);
    free(publication->headers);
    free(publication->grouped);
    free(publication->values);
    *publication = (struct publication){0};
}

static void set_text(struct publication *publication, amqp_bytes_t *property, amqp_flags_t flag,
    struct message_field field)
{
    *property = frame_bytes(field.value, field.value_bytes);
    publication->properties._flags |= flag;
}

/* message_read() has checked that it is a number up to 255. */
static void set_priority(struct publication *publication, struct message_field field)
{
    unsigned priority = 0;
    for (size_t i = 0; i < field.value_bytes; i++)
        priority = priority * 10 + (unsigned)(field.value[i] - '0');
    publication->properties.priority = (uint8_t)priority;
    publication->properties._flags |= AMQP_BASIC_PRIORITY_FLAG;
}

static const char *add_header(struct publication *publication, struct message_field field)
{
    if (publication->n_headers == PUBLICATION_MAX_HEADERS)
        return "The message has too many headers.";
    publication->headers[publication->n_headers++] = (amqp_table_entry_t){
        .key = frame_bytes(field.name, field.name_bytes),
        .value = {.kind = AMQP_FIELD_KIND_UTF8,
            .value.bytes = frame_bytes(field.value, field.value_bytes)},
    };
    return NULL;
}

static const char *add_field(struct publication *publication, struct message_field field)
{
    amqp_basic_properties_t *properties = &publication->properties;
    switch (field.kind) {
    case MESSAGE_ROUTING_KEY:
        publication->publish.routing_key = frame_bytes(field.value, field.value_bytes);
        break;
    case MESSAGE_CONTENT_TYPE:
        set_text(publication, &properties->content_type, AMQP_BASIC_CONTENT_TYPE_FLAG, field);
        break;
    case MESSAGE_EXPIRATION:
        set_text(publication, &properties->expiration, AMQP_BASIC_EXPIRATION_FLAG, field);
        break;
    case MESSAGE_REPLY_TO:
        set_text(publication, &properties->reply_to, AMQP_BASIC_REPLY_TO_FLAG, field);
        break;
    case MESSAGE_MESSAGE_ID:
        set_text(publication, &properties->message_id, AMQP_BASIC_MESSAGE_ID_FLAG, field);
        break;
    case MESSAGE_PRIORITY:
        set_priority(publication, field);
        break;
    case MESSAGE_HEADER:
        return add_header(publication, field);
    case MESSAGE_PROPERTY:
    case MESSAGE_N_OMITTED:
        return "a field that only a delivery has";
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
static int gather_values(struct publication *publication, uint32_t first, uint32_t n_values)
{
    int n = 0;
    for (uint32_t i = first; i < publication->n_headers; i++)
        if (has_key(&publication->headers[i], publication->headers[first].key))
            publication->values[n_values + (uint32_t)n++] = publication->headers[i].value;
    return n;
}

static bool is_repeated(const struct publication *publication, uint32_t header)
{
    for (uint32_t i = 0; i < header; i++)
        if (has_key(&publication->headers[i], publication->headers[header].key))
            return true;
    return false;
}

static amqp_table_t grouped_headers(struct publication *publication)
{
    int n_grouped = 0;
    uint32_t n_values = 0;
    for (uint32_t i = 0; i < publication->n_headers; i++) {
        if (is_repeated(publication, i))
            continue;
        int n = gather_values(publication, i, n_values);
        publication->grouped[n_grouped++] = (amqp_table_entry_t){
            .key = publication->headers[i].key,
            .value = {.kind = AMQP_FIELD_KIND_ARRAY,
                .value.array = {.num_entries = n, .entries = &publication->values[n_values]}},
        };
        n_values += (uint32_t)n;
    }
    return (amqp_table_t){.num_entries = n_grouped, .entries = publication->grouped};
}

static void set_headers(struct publication *publication, bool has_arrays)
{
    if (!publication->n_headers)
        return;
    publication->properties.headers =
        has_arrays ? grouped_headers(publication)
                   : (amqp_table_t){.num_entries = (int)publication->n_headers,
                         .entries = publication->headers};
    publication->properties._flags |= AMQP_BASIC_HEADERS_FLAG;
}

static void begin(struct publication *publication, const struct publication_form *form)
{
    publication->n_headers = 0;
    publication->publish = (amqp_basic_publish_t){
        .exchange = amqp_cstring_bytes(form->exchange),
        .routing_key = amqp_empty_bytes,
        .mandatory = 1, /* or nobody would know that a message went nowhere */
    };
    publication->properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_TIMESTAMP_FLAG, .timestamp = (uint64_t)time(NULL)};
    if (form->is_persistent) {
        publication->properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
        publication->properties._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    }
}

static const char *read_fields(struct publication *publication, const struct desk_slot *slot)
{
    if (slot->fields.length > PUBLICATION_FIELD_BYTES)
        return "The message has more bytes of headers than the broker takes.";
    memcpy(publication->fields, desk_bytes(slot, slot->fields), slot->fields.length);
    struct message_reader reader = {.bytes = publication->fields, .size = slot->fields.length};
    struct message_field field;
    enum message_outcome outcome;
    while ((outcome = message_read(&reader, &field)) == MESSAGE_OK) {
        const char *wrong = add_field(publication, field);
        if (wrong)
            return wrong;
    }
    if (outcome == MESSAGE_END)
        return NULL;
    (void)snprintf(publication->wrong, sizeof(publication->wrong), "A field of the message %s.",
        message_outcome_text(outcome));
    return publication->wrong;
}

const char *publication_read(struct publication *publication, const struct desk_slot *slot,
    const struct publication_form *form)
{
    begin(publication, form);
    const char *wrong = read_fields(publication, slot);
    if (wrong)
        return wrong;
    amqp_bytes_t id = publication->properties.message_id;
    if (!id.len)
        return "The message has no id.";
    publication->id = confirm_id(id.bytes, id.len);
    set_headers(publication, form->has_header_arrays);
    /* frame_bytes() takes the const away, which iovec does not have either */
    amqp_bytes_t body = frame_bytes(desk_bytes(slot, slot->body), slot->body.length);
    publication->body = (struct iovec){.iov_base = body.bytes, .iov_len = body.len};
    publication->message = (struct writer_message){.publish = &publication->publish,
        .properties = &publication->properties,
        .body = &publication->body,
        .n_body = 1};
    return NULL;
}
