/* SPDX-License-Identifier: Apache-2.0 */
#include "reshape.h"

#include <string.h>

/* Its fields, then its new body, in a block of their own. */
static enum reshape_outcome rebuild(const struct shape *shape, struct desk *desk,
    struct tap_message *message, struct json_slice shown, const struct shape_draft *draft)
{
    uint64_t n_needed = message->n_fields + draft->max_bytes;
    size_t n_body;
    if (n_needed > desk_block_max(desk))
        return RESHAPE_TOO_LARGE;
    uint64_t block = desk_block_take(desk, n_needed);
    if (block == DESK_NO_BLOCK)
        return RESHAPE_NOT_NOW;
    uint8_t *bytes = desk_block_bytes(desk, block);
    memcpy(bytes, desk_block_bytes(desk, message->block), message->n_fields);
    if (!shape_write(shape, shown, draft, (char *)bytes + message->n_fields, &n_body)) {
        desk_block_give(desk, block);
        return RESHAPE_NOT_NOW;
    }
    desk_block_give(desk, message->block);
    message->block = block;
    message->n_body = (uint32_t)n_body;
    return RESHAPE_OK;
}

enum reshape_outcome reshape(const struct shape *shape, struct desk *desk,
    struct tap_message *message, struct decode_part *part)
{
    const char *body = (const char *)desk_block_bytes(desk, message->block) + message->n_fields;
    struct json_slice decoded = {.at = body + part->at, .len = part->n_bytes};
    struct shape_draft draft;
    enum reshape_outcome outcome = RESHAPE_NOT_NOW;
    switch (shape_plan(shape, decoded, &draft)) {
    case SHAPE_AS_IT_IS:
        *part =
            (struct decode_part){.at = (size_t)(draft.shown.at - body), .n_bytes = draft.shown.len};
        return RESHAPE_OK;
    case SHAPE_REBUILT:
        outcome = rebuild(shape, desk, message, decoded, &draft);
        break;
    case SHAPE_TOO_LARGE:
        outcome = RESHAPE_TOO_LARGE;
        break;
    case SHAPE_SPOILED:
        break;
    }
    if (outcome == RESHAPE_OK)
        *part = (struct decode_part){.n_bytes = message->n_body};
    return outcome;
}
