/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first pass checks the parts and counts their keys, so that the second can write behind a
 * table that never grows. A key is looked up after it was copied: in the output it is ours alone.
 */
#include "merge.h"

#include "shm/cleanup.h"
#include "shm/json_string.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint32_t hash;
    uint32_t key_at; /* offset in the output; 0: free, since a bracket stands there */
};

struct merge {
    const struct siphash_seed *seed;
    char *out;
    size_t len;
    struct entry *entries;
    size_t mask;   /* number of entries, a power of two, less one */
    size_t n_left; /* keys that were counted and not met yet; a fourth of the entries stays free */
};

size_t merge_bound(const struct json_slice *parts, size_t n_parts)
{
    size_t bound = 2; /* each part has brackets, but there may be none */
    for (size_t i = 0; i < n_parts; i++)
        bound += parts[i].len;
    return bound;
}

/* JSON_OK: the part's members follow. JSON_END: it adds nothing. Else it is no object. */
static enum json_outcome open_part(struct json_cursor *cursor, const struct json_slice *part)
{
    struct json_value value;
    size_t fault;
    if (part->len == 0)
        return JSON_END;
    if (json_peek(part->at, part->len, &value) != JSON_OK)
        return JSON_MALFORMED;
    if (value.kind == JSON_KIND_OBJECT) {
        json_open(cursor, &value);
        return JSON_OK;
    }
    bool is_null =
        json_check(part->at, part->len, &value, &fault) == JSON_OK && value.kind == JSON_KIND_NULL;
    return is_null ? JSON_END : JSON_MALFORMED;
}

static int count_keys(const struct json_slice *part, size_t *n_keys)
{
    struct json_cursor cursor;
    struct json_member member;
    enum json_outcome outcome = open_part(&cursor, part);
    while (outcome == JSON_OK) {
        outcome = json_next(&cursor, &member);
        *n_keys += outcome == JSON_OK;
    }
    return outcome == JSON_END ? 0 : MERGE_NO_OBJECT;
}

static size_t table_size(size_t n_keys)
{
    size_t n_entries = 4;
    while (n_entries / 4 * 3 < n_keys)
        n_entries *= 2;
    return n_entries;
}

static uint32_t hash_key(const struct siphash_seed *seed, struct json_slice key)
{
    struct siphash hash;
    siphash_init(&hash, seed);
    for (uint32_t point; (point = json_string_next(&key)) != JSON_STRING_END;)
        siphash_add(&hash, point);
    return (uint32_t)siphash_end(&hash);
}

static bool is_key_at(const struct merge *merge, size_t at, struct json_slice key)
{
    const char *end = merge->out + at;
    if (!json_string_skip(&end, merge->out + merge->len))
        return false;
    size_t len = (size_t)(end - merge->out) - at - 1;
    return json_string_equal((struct json_slice){.at = merge->out + at, .len = len}, key);
}

/* The entry of `key`, or the free one that would be. */
static struct entry *find_key(const struct merge *merge, uint32_t hash, struct json_slice key)
{
    for (size_t i = hash & merge->mask;; i = (i + 1) & merge->mask) {
        struct entry *entry = &merge->entries[i];
        if (entry->key_at == 0 || (entry->hash == hash && is_key_at(merge, entry->key_at, key)))
            return entry;
    }
}

/* A member of the part whose output begins behind `part_at`. It fits, kept or dropped: what was
 * written is shorter than what was read, where each part has brackets of its own. */
static int add_member(struct merge *merge, const struct json_member *member, size_t part_at)
{
    const struct json_slice *value = &member->value.text;
    const char *begin = member->key.at - 1; /* the quote */
    size_t size = (size_t)(value->at + value->len - begin);
    size_t at = merge->len == 1 ? 1 : merge->len + 1; /* a comma stands before all but the first */
    memcpy(merge->out + at, begin, size);

    struct json_slice key = {.at = merge->out + at + 1, .len = member->key.len};
    uint32_t hash = hash_key(merge->seed, key);
    struct entry *entry = find_key(merge, hash, key);
    if (entry->key_at != 0 && entry->key_at <= part_at)
        return 0; /* an earlier part has it: the next member is copied over this one */
    if (entry->key_at == 0) {
        if (merge->n_left-- == 0)
            return MERGE_NO_OBJECT; /* there were fewer when they were counted */
        *entry = (struct entry){.hash = hash, .key_at = (uint32_t)(at + 1)};
    }
    if (at > merge->len)
        merge->out[merge->len] = ',';
    merge->len = at + size;
    return 0;
}

static int add_part(struct merge *merge, const struct json_slice *part)
{
    size_t part_at = merge->len;
    struct json_cursor cursor;
    struct json_member member;
    enum json_outcome outcome = open_part(&cursor, part);
    while (outcome == JSON_OK) {
        outcome = json_next(&cursor, &member);
        int result = outcome == JSON_OK ? add_member(merge, &member, part_at) : 0;
        if (result != 0)
            return result;
    }
    return outcome == JSON_END ? 0 : MERGE_NO_OBJECT;
}

int merge_objects(const struct siphash_seed *seed, const struct json_slice *parts, size_t n_parts,
    char *out, size_t *len)
{
    size_t n_keys = 0;
    int result = merge_bound(parts, n_parts) > UINT32_MAX ? -EMSGSIZE : 0;
    for (size_t i = 0; i < n_parts && result == 0; i++)
        result = count_keys(&parts[i], &n_keys);
    if (result != 0)
        return result;

    size_t n_entries = table_size(n_keys);
    CLEANUP(cleanup_free) struct entry *entries = calloc(n_entries, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    struct merge merge = {.seed = seed,
        .out = out,
        .len = 1,
        .entries = entries,
        .mask = n_entries - 1,
        .n_left = n_keys};
    out[0] = '{';
    for (size_t i = 0; i < n_parts && result == 0; i++)
        result = add_part(&merge, &parts[i]);
    if (result != 0)
        return result;
    out[merge.len++] = '}';
    assert(merge.len <= merge_bound(parts, n_parts));
    *len = merge.len;
    return MERGE_OK;
}
