/* SPDX-License-Identifier: Apache-2.0 */
#include "accept.h"

/* How closely a range names a form. */
enum fit { FIT_NONE, FIT_ANYTHING, FIT_GROUP, FIT_EXACT };

/* What has been said about one form so far. */
struct form {
    const char *exact, *group;
    enum fit fit; /* of the closest range */
    int weight;   /* in thousandths */
};

enum { WEIGHT_MALFORMED = -1, WEIGHT_FULL = 1000 };

/* Cut at the first `separator`: what stands before it, trimmed; `rest` is what follows. */
static struct slice cut(struct slice *rest, char separator)
{
    struct slice head = *rest;
    const char *at = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
    if (!at) {
        *rest = (struct slice){0};
        return slice_trim(head);
    }
    head.len = (size_t)(at - head.at);
    *rest = (struct slice){.at = at + 1, .len = rest->len - head.len - 1};
    return slice_trim(head);
}

/* qvalue: 0 or 1, and at most three digits behind a point, which are zeros after a 1. */
static int parse_weight(struct slice text)
{
    if (!text.len || text.len > strlen("0.000") || (text.at[0] != '0' && text.at[0] != '1'))
        return WEIGHT_MALFORMED;
    if (text.len > 1 && text.at[1] != '.')
        return WEIGHT_MALFORMED;
    int weight = (text.at[0] - '0') * WEIGHT_FULL;
    int unit = WEIGHT_FULL / 10;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return WEIGHT_MALFORMED;
        weight += (text.at[i] - '0') * unit;
    }
    return weight > WEIGHT_FULL ? WEIGHT_MALFORMED : weight;
}

/* Other parameters than the weight are passed over: both forms have none that a client could mean.
 */
static int weight_of(struct slice parameters)
{
    while (parameters.len) {
        struct slice parameter = cut(&parameters, ';');
        if (parameter.len >= 2 && (parameter.at[0] | 0x20) == 'q' && parameter.at[1] == '=')
            return parse_weight((struct slice){.at = parameter.at + 2, .len = parameter.len - 2});
    }
    return WEIGHT_FULL;
}

static enum fit fit_of(const struct form *form, struct slice range)
{
    if (slice_equals_nocase(range, slice_of(form->exact)))
        return FIT_EXACT;
    if (slice_equals_nocase(range, slice_of(form->group)))
        return FIT_GROUP;
    return slice_equals(range, slice_of("*/*")) ? FIT_ANYTHING : FIT_NONE;
}

static void weigh(struct form *form, struct slice range, int weight)
{
    enum fit fit = fit_of(form, range);
    if (fit <= form->fit)
        return;
    form->fit = fit;
    form->weight = weight;
}

enum plan_encoding accept_choose(struct slice accept)
{
    struct form json = {.exact = "application/json", .group = "application/*"};
    struct form text = {.exact = "text/plain", .group = "text/*"};
    while (accept.len) {
        struct slice parameters = cut(&accept, ',');
        struct slice range = cut(&parameters, ';');
        int weight = weight_of(parameters);
        if (weight == WEIGHT_MALFORMED)
            continue;
        weigh(&json, range, weight);
        weigh(&text, range, weight);
    }
    return text.weight > json.weight ? PLAN_STRING : PLAN_JSON;
}
