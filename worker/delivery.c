/* SPDX-License-Identifier: Apache-2.0 */
#include "delivery.h"

#include <assert.h>
#include <string.h>

#include "properties.h"

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

void delivery_content(struct delivery *delivery, struct desk *desk,
    const struct delivery_wish *wish, const struct frame_content *content)
{
    struct tap_message *message = &delivery->message;
    uint8_t fields[MESSAGE_DELIVERY_BYTES];
    uint32_t n_fields = properties_write(fields, content->properties, wish->wants_properties);
    uint64_t n_body = content->body_size;
    if (n_body > wish->max_body_bytes || (desk && n_body > desk_block_max(desk) - n_fields)) {
        message->fit = TAP_TOO_LARGE;
        return;
    }
    message->n_fields = n_fields;
    message->n_body = (uint32_t)n_body;
    message->block = desk ? desk_block_take(desk, n_fields + n_body) : DESK_NO_BLOCK;
    if (message->block == DESK_NO_BLOCK) {
        message->fit = TAP_NO_ROOM;
        return;
    }
    message->fit = TAP_WHOLE;
    memcpy(desk_block_bytes(desk, message->block), fields, n_fields);
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
