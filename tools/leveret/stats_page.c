/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_page.h"

#include <math.h>
#include <string.h>

/* ---- the whole ------------------------------------------------------------------------------ */

static enum admin_outcome no_json(
    const char *url, const json_error_t *error, struct admin_failure *failure)
{
    if (json_error_code(error) == json_error_premature_end_of_input)
        return admin_fail(failure, "%s broke off in the middle of its figures", url);
    return admin_fail(failure, "%s is no sidecar: what it answered is not JSON (line %d: %s)", url,
        error->line, error->text);
}

enum admin_outcome stats_page_read(const struct admin_answer *answer, const char *url,
    json_t **page, struct admin_failure *failure)
{
    json_error_t error;
    if (answer->status != 200)
        return admin_fail(failure,
            "%s has no figures: it answered %d. Is it the admin listener of a sidecar?", url,
            answer->status);
    json_t *root = json_loadb(answer->body, answer->body_bytes, 0, &error);
    if (!root)
        return no_json(url, &error, failure);
    if (!json_is_integer(json_object_get(root, "version"))) {
        json_decref(root);
        return admin_fail(failure, "%s is no sidecar: it answered with other JSON", url);
    }
    *page = root;
    return ADMIN_ANSWERED;
}

enum admin_outcome stats_page_check(
    const json_t *page, const char *url, struct admin_failure *failure)
{
    json_int_t version = json_integer_value(json_object_get(page, "version"));
    return version == STATS_VERSION
               ? ADMIN_ANSWERED
               : admin_fail(failure, "%s has figures of version %lld, this program knows %d", url,
                     (long long)version, STATS_VERSION);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

struct node node_member(struct node node, const char *name)
{
    return (struct node){.now = json_object_get(node.now, name),
        .before = json_object_get(node.before, name),
        .seconds = node.seconds};
}

size_t node_n_elements(struct node list)
{
    return json_array_size(list.now);
}

struct node node_element(struct node list, size_t nth, const char *key)
{
    struct node element = {.now = json_array_get(list.now, nth),
        .before = json_array_get(list.before, nth),
        .seconds = list.seconds};
    if (key && !json_equal(json_object_get(element.now, key), json_object_get(element.before, key)))
        element.before = NULL;
    return element;
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);
    return json_is_number(number) ? json_number_value(number) : NAN;
}

double node_figure(struct node node, const char *name)
{
    return number_of(node.now, name);
}

double node_rate(struct node node, const char *name)
{
    double more = number_of(node.now, name) - number_of(node.before, name);
    return more >= 0 && node.seconds > 0 ? more / node.seconds : NAN;
}

bool node_flag(struct node node, const char *name)
{
    return json_is_true(json_object_get(node.now, name));
}

const char *node_text(struct node node, const char *name)
{
    const char *text = json_string_value(json_object_get(node.now, name));
    return text ? text : "";
}

/* A reload, or a start: all has been counted from zero again. */
static bool is_same_life(struct node page)
{
    static const char *const marks[] = {"generation", "started_unix_ms"};
    struct node service = node_member(page, "service");
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (!json_equal(
                json_object_get(service.now, marks[i]), json_object_get(service.before, marks[i])))
            return false;
    return true;
}

struct node node_of(const json_t *now, const json_t *before)
{
    struct node page = {.now = now, .before = before};
    double ns = number_of(now, "monotonic_ns") - number_of(before, "monotonic_ns");
    if (!before || !is_same_life(page) || !(ns > 0))
        return (struct node){.now = now};
    page.seconds = ns / 1e9;
    return page;
}
