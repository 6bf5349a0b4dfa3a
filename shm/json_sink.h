/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink for JSON text: pieces written one after the other into room that somebody else owns, and
 * counted whether there is room or not. Without any room it measures.
 */
#ifndef LEVERET_SHM_JSON_SINK_H
#define LEVERET_SHM_JSON_SINK_H

#include <string.h>

#include "shm/json.h"
#include "shm/json_string.h"

struct json_sink {
    char *out;   /* may be NULL when there is no room */
    size_t room; /* from `out` */
    size_t n;    /* may pass room: then something was not written */
};

/* All of the bytes, or none where they do not fit. */
static inline void json_sink_put(struct json_sink *sink, const char *bytes, size_t n)
{
    if (n > 0 && sink->n <= sink->room && n <= sink->room - sink->n)
        memcpy(sink->out + sink->n, bytes, n);
    sink->n += n;
}

static inline void json_sink_slice(struct json_sink *sink, struct json_slice slice)
{
    json_sink_put(sink, slice.at, slice.len);
}

/* "name": */
static inline void json_sink_name(struct json_sink *sink, struct json_slice raw)
{
    json_sink_put(sink, "\"", 1);
    json_sink_slice(sink, raw);
    json_sink_put(sink, "\":", 2);
}

/* Any bytes as a JSON string. */
static inline void json_sink_text(struct json_sink *sink, struct json_slice bytes)
{
    size_t room = sink->n <= sink->room ? sink->room - sink->n : 0;
    char *out = room ? sink->out + sink->n : NULL;
    sink->n += json_string_write(out, room, bytes.at, bytes.len);
}

#endif
