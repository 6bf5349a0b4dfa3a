/* SPDX-License-Identifier: Apache-2.0 */
#include "confirm.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int confirm_init(struct confirm *confirm, uint32_t window)
{
    uint64_t n_heads = 16;
    while (n_heads < window)
        n_heads *= 2;
    struct confirm_entry **heads = calloc(2 * n_heads, sizeof(struct confirm_entry *));
    if (!heads)
        return -ENOMEM;
    *confirm = (struct confirm){.by_number = heads, .by_id = heads + n_heads, .mask = n_heads - 1};
    return 0;
}

void confirm_done(struct confirm *confirm)
{
    free(confirm->by_number); /* by_id is its second half */
    *confirm = (struct confirm){0};
}

void confirm_restart(struct confirm *confirm)
{
    assert(confirm->n_in_flight == 0);
    confirm->n_added = 0;
}

uint64_t confirm_id(const char *message_id, size_t n_bytes)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < n_bytes; i++)
        hash = (hash ^ (uint8_t)message_id[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32; /* its low bits choose the bucket */
}

static struct confirm_entry *find_number(const struct confirm *confirm, uint64_t number)
{
    struct confirm_entry *entry = confirm->by_number[number & confirm->mask];
    while (entry && entry->number != number)
        entry = entry->same_number_hash;
    return entry;
}

static struct confirm_entry *find_id(const struct confirm *confirm, uint64_t id)
{
    struct confirm_entry *entry = confirm->by_id[id & confirm->mask];
    while (entry && entry->id != id)
        entry = entry->same_id_hash;
    return entry;
}

bool confirm_has_id(const struct confirm *confirm, uint64_t id)
{
    return find_id(confirm, id);
}

void confirm_add(struct confirm *confirm, struct confirm_entry *entry, uint64_t id)
{
    assert(!confirm_has_id(confirm, id));
    *entry = (struct confirm_entry){.number = ++confirm->n_added, .id = id};
    struct confirm_entry **number_head = &confirm->by_number[entry->number & confirm->mask];
    struct confirm_entry **id_head = &confirm->by_id[id & confirm->mask];
    entry->same_number_hash = *number_head;
    entry->same_id_hash = *id_head;
    *number_head = *id_head = entry;
    entry->previous = confirm->last;
    if (confirm->last)
        confirm->last->next = entry;
    else
        confirm->first = entry;
    confirm->last = entry;
    confirm->n_in_flight++;
}

struct confirm_entry *confirm_return(struct confirm *confirm, uint64_t id)
{
    struct confirm_entry *entry = find_id(confirm, id);
    if (entry)
        entry->is_returned = true;
    return entry;
}

enum confirm_outcome confirm_check(const struct confirm *confirm, uint64_t tag, bool is_multiple)
{
    if (is_multiple)
        return tag <= confirm->n_added ? CONFIRM_OK : CONFIRM_UNKNOWN;
    return find_number(confirm, tag) ? CONFIRM_OK : CONFIRM_UNKNOWN;
}

static void unhash(struct confirm *confirm, struct confirm_entry *entry)
{
    struct confirm_entry **at = &confirm->by_number[entry->number & confirm->mask];
    while (*at != entry)
        at = &(*at)->same_number_hash;
    *at = entry->same_number_hash;
    at = &confirm->by_id[entry->id & confirm->mask];
    while (*at != entry)
        at = &(*at)->same_id_hash;
    *at = entry->same_id_hash;
}

static void take_out(struct confirm *confirm, struct confirm_entry *entry)
{
    unhash(confirm, entry);
    if (entry->previous)
        entry->previous->next = entry->next;
    else
        confirm->first = entry->next;
    if (entry->next)
        entry->next->previous = entry->previous;
    else
        confirm->last = entry->previous;
    entry->next = entry->previous = NULL;
    confirm->n_in_flight--;
}

struct confirm_entry *confirm_take(struct confirm *confirm, uint64_t tag, bool is_multiple)
{
    struct confirm_entry *entry = is_multiple ? confirm->first : find_number(confirm, tag);
    if (!entry || (is_multiple && tag && entry->number > tag))
        return NULL;
    take_out(confirm, entry);
    return entry;
}

struct confirm_entry *confirm_take_first(struct confirm *confirm)
{
    struct confirm_entry *entry = confirm->first;
    if (entry)
        take_out(confirm, entry);
    return entry;
}
