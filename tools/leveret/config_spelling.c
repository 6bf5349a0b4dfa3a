/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include "config_spelling.h"

#define KEY_LENGTH_MAX 40
#define SLIPS_MAX 2

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop or change to get from one text to the other (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[KEY_LENGTH_MAX + 1], n = strlen(b);

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; *a; a++, i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t changed =
                diagonal + (tolower((unsigned char)*a) != tolower((unsigned char)b[j - 1]));

            diagonal = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

static void consider(const char *name, const char *candidate, const char **nearest, size_t *best)
{
    size_t slips;

    if (!candidate || strlen(candidate) <= SLIPS_MAX)
        return;
    slips = distance(name, candidate);
    if (slips < *best) {
        *best = slips;
        *nearest = candidate;
    }
}

const char *config_spelling_nearest(const struct config_level *level, const char *name)
{
    const char *nearest = NULL;
    size_t best = SLIPS_MAX + 1;

    if (strlen(name) > KEY_LENGTH_MAX)
        return NULL;
    for (; level; level = level->base)
        for (size_t i = 0; i < level->n_keys; i++) {
            consider(name, level->keys[i].name, &nearest, &best);
            consider(name, level->keys[i].v2_name, &nearest, &best);
        }
    return nearest;
}
