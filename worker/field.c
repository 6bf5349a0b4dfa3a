/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Where a table or an array that is being walked ends. */
struct level {
    size_t end;
    bool is_table; /* its values have keys */
};

struct walk {
    const uint8_t *bytes;
    size_t at;
    struct level levels[FIELD_MAX_DEPTH];
    int depth;
};

static size_t bytes_left(const struct walk *walk)
{
    return walk->levels[walk->depth - 1].end - walk->at;
}

static int skip(struct walk *walk, size_t n_bytes)
{
    if (n_bytes > bytes_left(walk))
        return -EPROTO;
    walk->at += n_bytes;
    return 0;
}

/* Takes a 32-bit length whose bytes follow inside the level. */
static int take_length(struct walk *walk, uint32_t *out)
{
    uint32_t wire;
    if (bytes_left(walk) < sizeof wire)
        return -EPROTO;
    memcpy(&wire, walk->bytes + walk->at, sizeof wire);
    walk->at += sizeof wire;
    *out = be32toh(wire);
    return *out <= bytes_left(walk) ? 0 : -EPROTO;
}

static int enter(struct walk *walk, bool is_table)
{
    uint32_t length;
    int r = take_length(walk, &length);
    if (r < 0)
        return r;
    if (walk->depth == FIELD_MAX_DEPTH)
        return -EPROTO;
    walk->levels[walk->depth++] = (struct level){.end = walk->at + length, .is_table = is_table};
    return 0;
}

/* Bytes of a value of fixed size; -1 for the others and for what is no kind. */
static int fixed_size(uint8_t kind)
{
    switch (kind) {
    case AMQP_FIELD_KIND_VOID:
        return 0;
    case AMQP_FIELD_KIND_BOOLEAN:
    case AMQP_FIELD_KIND_I8:
    case AMQP_FIELD_KIND_U8:
        return 1;
    case AMQP_FIELD_KIND_I16:
    case AMQP_FIELD_KIND_U16:
        return 2;
    case AMQP_FIELD_KIND_I32:
    case AMQP_FIELD_KIND_U32:
    case AMQP_FIELD_KIND_F32:
        return 4;
    case AMQP_FIELD_KIND_DECIMAL:
        return 5;
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_F64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        return 8;
    default:
        return -1;
    }
}

static int walk_value(struct walk *walk)
{
    if (bytes_left(walk) == 0)
        return -EPROTO;
    uint8_t kind = walk->bytes[walk->at++];
    if (kind == AMQP_FIELD_KIND_TABLE || kind == AMQP_FIELD_KIND_ARRAY)
        return enter(walk, kind == AMQP_FIELD_KIND_TABLE);
    if (kind == AMQP_FIELD_KIND_UTF8 || kind == AMQP_FIELD_KIND_BYTES) {
        uint32_t length;
        int r = take_length(walk, &length);
        return r < 0 ? r : skip(walk, length);
    }
    int size = fixed_size(kind);
    return size < 0 ? -EPROTO : skip(walk, (size_t)size);
}

static int walk_key(struct walk *walk)
{
    return skip(walk, 1u + walk->bytes[walk->at]);
}

int field_check_encoded(const uint8_t *bytes, size_t n_bytes)
{
    /* Level 0 stands for what the table lies in. */
    struct walk walk = {.bytes = bytes, .levels = {{.end = n_bytes}}, .depth = 1};
    int r = enter(&walk, true);
    while (r == 0 && walk.depth > 1) {
        if (bytes_left(&walk) == 0) {
            walk.depth--;
            continue;
        }
        if (walk.levels[walk.depth - 1].is_table)
            r = walk_key(&walk);
        if (r == 0)
            r = walk_value(&walk);
    }
    return r;
}

static bool is_encodable(const amqp_table_t *table, int depth);

static bool value_is_encodable(const amqp_field_value_t *value, int depth)
{
    if (value->kind == AMQP_FIELD_KIND_TABLE)
        return is_encodable(&value->value.table, depth + 1);
    if (value->kind != AMQP_FIELD_KIND_ARRAY)
        return true;
    if (depth == FIELD_MAX_DEPTH)
        return false;
    for (int i = 0; i < value->value.array.num_entries; i++)
        if (!value_is_encodable(&value->value.array.entries[i], depth + 1))
            return false;
    return true;
}

static bool is_encodable(const amqp_table_t *table, int depth)
{
    if (depth >= FIELD_MAX_DEPTH)
        return false;
    for (int i = 0; i < table->num_entries; i++) {
        const amqp_table_entry_t *entry = &table->entries[i];
        if (entry->key.len > UINT8_MAX || !value_is_encodable(&entry->value, depth))
            return false;
    }
    return true;
}

bool field_is_encodable(const amqp_table_t *table)
{
    return is_encodable(table, 0);
}
