/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several backends, one answer: the objects that they gave, in the order of the configuration, made
 * into one object. Members are copied byte for byte, key, value and what stands between them. Where
 * keys of two parts mean the same, the earlier part's member stays whole and the later one's is
 * dropped; nothing is merged below the top level. A key that one part repeats is passed on as often
 * as it would be if the part were alone.
 *
 * Parts may lie in shared memory: they are checked, not believed, and bytes that change meanwhile
 * spoil no more than this answer's text.
 */
#ifndef LEVERET_FRONT_MERGE_H
#define LEVERET_FRONT_MERGE_H

#include "shm/cleanup.h"
#include "shm/json.h"
#include "siphash.h"

#include <stddef.h>

enum merge_outcome {
    MERGE_OK,
    MERGE_NO_OBJECT, /* a part is no JSON object */
};

/* Bytes that the merged object takes at most. */
size_t merge_bound(const struct json_slice *parts, size_t n_parts);

/*
 * Writes the merged object to `out`, which has room for merge_bound() bytes, and its length to
 * `len`. A part that is empty or `null` adds nothing; when all do, or there is none, the object is
 * `{}`. A lone part comes out as it is but for white space: a caller who must not touch it does not
 * come here.
 *
 * MERGE_OK; MERGE_NO_OBJECT; -ENOMEM; -EMSGSIZE: the bound is above 4 GiB. On failure `len` is as
 * it was. `seed` is the process's own, random and secret. Costs two passes over the parts, expected
 * time in proportion to them whatever their keys, and one allocation of 11 to 22 bytes a key,
 * released before it returns.
 */
MUST_USE int merge_objects(const struct siphash_seed *seed, const struct json_slice *parts,
    size_t n_parts, char *out, size_t *len);

#endif
