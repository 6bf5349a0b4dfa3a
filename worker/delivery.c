/* SPDX-License-Identifier: Apache-2.0 */
#include "delivery.h"

#include <assert.h>
#include <string.h>

#include "shm/message.h"

enum { FIELD_BYTES = MESSAGE_FIELD_HEAD_BYTES + MESSAGE_SHORT_BYTES };

void delivery_init(struct delivery *delivery)
{
    *delivery = (struct delivery){.message = {.block = DESK_NO_BLOCK}};
}

void delivery_begin(
    struct delivery *delivery, const amqp_basic_deliver_t *deliver, uint32_t consumer)
{
    assert(delivery->message.block == DESK_NO_BLOCK);
    *delivery = (struct delivery){.message = {.delivery_tag = deliver->delivery_tag,
                                      .consumer = consumer,
                                      .is_redelivered = deliver->redelivered,
                                      .block = DESK_NO_BLOCK}};
}

/* The content type, unless it is one that a field cannot be. */
static uint32_t write_fields(uint8_t *block, const amqp_basic_properties_t *properties)
{
    struct message_writer writer = {.bytes = block, .size = FIELD_BYTES};
    struct message_field type = {.kind = MESSAGE_CONTENT_TYPE,
        .name = "",
        .value = properties->content_type.bytes,
        .value_bytes = properties->content_type.len};
    if (!(properties->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) ||
        message_write(&writer, &type) != MESSAGE_OK)
        return 0;
    return (uint32_t)writer.used;
}

void delivery_content(struct delivery *delivery, struct desk *desk, uint64_t max_body_bytes,
    const struct frame_content *content)
{
    struct tap_message *message = &delivery->message;
    uint64_t n_body = content->body_size;
    if (n_body > max_body_bytes || (desk && n_body > desk_block_max(desk) - FIELD_BYTES)) {
        message->fit = TAP_TOO_LARGE;
        return;
    }
    message->n_fields = FIELD_BYTES;
    message->n_body = (uint32_t)n_body;
    message->block = desk ? desk_block_take(desk, FIELD_BYTES + n_body) : DESK_NO_BLOCK;
    if (message->block == DESK_NO_BLOCK) {
        message->fit = TAP_NO_ROOM;
        return;
    }
    message->fit = TAP_WHOLE;
    message->n_fields = write_fields(desk_block_bytes(desk, message->block), content->properties);
}

void delivery_body(
    struct delivery *delivery, struct desk *desk, const uint8_t *bytes, size_t n_bytes)
{
    struct tap_message *message = &delivery->message;
    if (message->block == DESK_NO_BLOCK)
        return;
    assert(n_bytes <= message->n_body - delivery->n_arrived);
    uint8_t *body = desk_block_bytes(desk, message->block) + message->n_fields;
    memcpy(body + delivery->n_arrived, bytes, n_bytes);
    delivery->n_arrived += n_bytes;
}

struct tap_message delivery_take(struct delivery *delivery)
{
    struct tap_message message = delivery->message;
    delivery_init(delivery);
    return message;
}

void delivery_drop(struct delivery *delivery, struct desk *desk)
{
    if (delivery->message.block == DESK_NO_BLOCK)
        return;
    desk_block_give(desk, delivery->message.block);
    delivery->message.block = DESK_NO_BLOCK;
    delivery->message.fit = TAP_NO_ROOM;
}
