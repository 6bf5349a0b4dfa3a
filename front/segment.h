/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments of a path: what stands between its slashes (RFC 3986, 3.3), and what they mean once
 * their escapes are read (2.1). Splitting comes first, so that an escaped slash stays in its value.
 */
#ifndef LEVERET_FRONT_SEGMENT_H
#define LEVERET_FRONT_SEGMENT_H

#include "shm/cleanup.h"

#include "slice.h"

enum segment_outcome {
    SEGMENT_OK,
    SEGMENT_BAD_ESCAPE, /* a `%` without two hexadecimal digits behind it, or `%00` */
};

/* Take the next segment off `rest`, a path that begins with a slash; false at its end. "/a/" has
 * two segments, "a" and an empty one. */
bool segment_next(struct slice *rest, struct slice *segment);

/* The bytes that `segment` means, into `out` of segment.len bytes. */
enum segment_outcome segment_decode(
    struct slice segment, char *out, struct slice *decoded) MUST_USE;

/* `segment`, which decodes well, with the letters of `text`, which begins like what it means but for
 * their case: as long as it was, into `out` of segment.len bytes. */
void segment_spell(struct slice segment, struct slice text, char *out);

#endif
