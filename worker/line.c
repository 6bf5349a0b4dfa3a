/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <assert.h>
#include <stddef.h>

#include "desk.h"

void line_join(struct line *line, struct desk_slot *slot)
{
    assert(!slot->line);
    slot->line = line;
    slot->previous = line->last;
    slot->next = NULL;
    if (line->last)
        line->last->next = slot;
    else
        line->first = slot;
    line->last = slot;
    line->n++;
}

void line_leave(struct desk_slot *slot)
{
    struct line *line = slot->line;
    if (!line)
        return;
    if (slot->previous)
        slot->previous->next = slot->next;
    else
        line->first = slot->next;
    if (slot->next)
        slot->next->previous = slot->previous;
    else
        line->last = slot->previous;
    line->n--;
    slot->line = NULL;
    slot->next = slot->previous = NULL;
}

struct desk_slot *line_take(struct line *line)
{
    struct desk_slot *slot = line->first;
    if (slot)
        line_leave(slot);
    return slot;
}
