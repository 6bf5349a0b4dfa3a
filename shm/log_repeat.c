/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_repeat.h"

#include <string.h>

static bool is_of(const struct log_repeat *place, const char *event, const void *about)
{
    return place->event && place->about == about && strcmp(place->event, event) == 0;
}

/* Free, or the one whose time is over first. */
static struct log_repeat *oldest(struct log_repeats *repeats)
{
    struct log_repeat *found = &repeats->places[0];
    for (size_t i = 0; i < LOG_REPEAT_PLACES; i++) {
        struct log_repeat *place = &repeats->places[i];
        if (!place->event)
            return place;
        if (place->end_ns < found->end_ns)
            found = place;
    }
    return found;
}

static void clear(struct log_repeats *repeats, struct log_repeat *place)
{
    repeats->n_counting -= place->n_counted > 0;
    place->event = NULL;
    place->n_counted = 0;
}

struct log_repeat *log_repeat_find(struct log_repeats *repeats, const char *event,
    const void *about, uint64_t now_ns, struct log_repeat *over)
{
    struct log_repeat *place = NULL;
    over->n_counted = 0;
    for (size_t i = 0; i < LOG_REPEAT_PLACES && !place; i++)
        if (is_of(&repeats->places[i], event, about))
            place = &repeats->places[i];
    if (place && now_ns < place->end_ns)
        return place;
    if (!place)
        place = oldest(repeats);
    if (place->n_counted)
        *over = *place;
    clear(repeats, place);
    place->event = event;
    place->about = about;
    place->begin_ns = now_ns;
    place->end_ns = now_ns + LOG_REPEAT_NS;
    place->n_said = 0;
    return place;
}

bool log_repeat_may_say(struct log_repeat *place)
{
    if (place->n_said == LOG_REPEAT_LINES)
        return false;
    place->n_said++;
    return true;
}

void log_repeat_count(
    struct log_repeats *repeats, struct log_repeat *place, const char *tail, size_t n)
{
    repeats->n_counting += place->n_counted == 0;
    place->n_counted++;
    place->n_tail = n <= sizeof(place->tail) ? n : 0;
    memcpy(place->tail, tail, place->n_tail);
}

bool log_repeat_take(struct log_repeats *repeats, uint64_t now_ns, struct log_repeat *over)
{
    for (size_t i = 0; i < LOG_REPEAT_PLACES && repeats->n_counting; i++) {
        struct log_repeat *place = &repeats->places[i];
        if (place->n_counted && place->end_ns <= now_ns) {
            *over = *place;
            clear(repeats, place);
            return true;
        }
    }
    return false;
}

uint64_t log_repeat_next_ns(const struct log_repeats *repeats)
{
    uint64_t next_ns = CLOCK_NEVER;
    for (size_t i = 0; i < LOG_REPEAT_PLACES && repeats->n_counting; i++) {
        const struct log_repeat *place = &repeats->places[i];
        if (place->n_counted && place->end_ns < next_ns)
            next_ns = place->end_ns;
    }
    return next_ns;
}
