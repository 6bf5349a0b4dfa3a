/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk serves both calls: without an `out` it only counts, takes every member that may stay for
 * one that does, and notes which renamed ones there are; with it, those that lose their name to
 * another are left out, so what is written is never longer than what was counted.
 */
#include "shape.h"

#include <stdlib.h>
#include <string.h>

#include "shm/flatmap.h"
#include "shm/json_sink.h"
#include "shm/json_string.h"

/* What the rules are applied to. */
struct subject {
    enum { SUBJECT_NOTHING, SUBJECT_OBJECT, SUBJECT_WRAPPED } kind;
    struct json_value object;  /* OBJECT */
    const char *wrapper;       /* WRAPPED: the only key */
    struct json_slice content; /* WRAPPED: its value */
    bool is_text;              /* WRAPPED: bytes that become a string */
    bool is_in_message;        /* OBJECT, NOTHING: it can be shown where it lies */
};

struct work {
    const struct shape *shape;
    uint16_t *ranks;       /* of each place, the least that is there; noted while counting */
    struct json_sink sink; /* without an `out`: counts */
};

/* One object on its way to the output. */
struct walk {
    struct plan_list paths;
    bool is_top;
    bool is_changed;
    size_t n_members;
};

/* ---- rules ---- */

struct wanted {
    const struct plan *plan;
    struct json_slice key; /* raw */
};

static struct json_slice name_of(const struct plan *plan, struct plan_text text)
{
    return (struct json_slice){.at = plan_string(plan, text), .len = text.length};
}

static bool is_plain(struct json_slice raw)
{
    return !raw.len || !memchr(raw.at, '\\', raw.len);
}

/* By their code points, which for plain ones is the order of their bytes. */
static int compare_raw(struct json_slice a, struct json_slice b)
{
    if (is_plain(a) && is_plain(b)) {
        size_t n = a.len < b.len ? a.len : b.len;
        int order = n ? memcmp(a.at, b.at, n) : 0;
        return order ? order : (a.len > b.len) - (a.len < b.len);
    }
    while (a.len && b.len) {
        uint32_t x = json_string_next(&a), y = json_string_next(&b);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.len != 0) - (b.len != 0);
}

/* plan_path and plan_rename begin with their name. */
static int compare_to_item(const void *key, const void *item)
{
    const struct wanted *wanted = key;
    const struct plan_text *name = item;
    return compare_raw(wanted->key, name_of(wanted->plan, *name));
}

static const void *find(
    const struct shape *shape, struct plan_list list, size_t item_bytes, struct json_slice key)
{
    struct wanted wanted = {.plan = shape->plan, .key = key};
    if (!list.count)
        return NULL;
    return bsearch(&wanted, plan_items(shape->plan, list), list.count, item_bytes, compare_to_item);
}

/* ---- members ---- */

enum fate { LEFT_OUT, SHOWN, SHOWN_IN_PART };

/* *below: where to go on inside it, if it is SHOWN_IN_PART. */
static enum fate fate_of(const struct work *work, const struct walk *walk,
    const struct json_member *member, struct plan_list *below)
{
    if (!walk->paths.count)
        return SHOWN;
    bool is_allow = work->shape->rules->filter == PLAN_ALLOWS;
    const struct plan_path *path =
        find(work->shape, walk->paths, sizeof(struct plan_path), member->key);
    if (!path)
        return is_allow ? LEFT_OUT : SHOWN;
    if (!path->below.count)
        return is_allow ? SHOWN : LEFT_OUT;
    *below = path->below;
    if (member->value.kind == JSON_KIND_OBJECT)
        return SHOWN_IN_PART;
    return is_allow ? LEFT_OUT : SHOWN;
}

/* The rule for a member's name at the top level, or NULL. */
static const struct plan_rename *rename_of(
    const struct work *work, const struct walk *walk, struct json_slice name)
{
    struct plan_list none = {0};
    return find(work->shape, walk->is_top ? work->shape->rules->renames : none,
        sizeof(struct plan_rename), name);
}

/* Everything of a member up to its value. */
static void put_name(struct work *work, struct walk *walk, const struct json_member *member,
    const struct plan_rename *rename)
{
    if (walk->n_members)
        json_sink_put(&work->sink, ",", 1);
    struct json_slice name = rename ? name_of(work->shape->plan, rename->new_name) : member->key;
    if (!rename || json_string_equal(name, member->key)) { /* with the white space around it */
        const char *quote = member->key.at - 1;
        json_sink_put(&work->sink, quote, (size_t)(member->value.text.at - quote));
        return;
    }
    json_sink_name(&work->sink, name);
    walk->is_changed = true;
}

static bool put_object(struct work *work, const struct json_value *object, struct walk *walk);

static bool put_member(struct work *work, struct walk *walk, const struct json_member *member)
{
    struct walk before = *walk, inner = {0};
    enum fate fate = fate_of(work, walk, member, &inner.paths);
    const struct plan_rename *rename = rename_of(work, walk, member->key);
    bool is_beaten = work->sink.out && rename && rename->rank != work->ranks[rename->place];
    if (fate == LEFT_OUT || is_beaten) {
        walk->is_changed = true;
        return true;
    }
    size_t begin = work->sink.n;
    put_name(work, walk, member, rename);
    if (fate == SHOWN)
        json_sink_slice(&work->sink, member->value.text);
    else if (!put_object(work, &member->value, &inner))
        return false;
    if (fate == SHOWN_IN_PART && !inner.n_members &&
        work->shape->rules->filter == PLAN_ALLOWS) { /* nothing in it is allowed */
        work->sink.n = begin;
        *walk = before;
        walk->is_changed = true;
        return true;
    }
    walk->n_members++;
    walk->is_changed |= inner.is_changed;
    if (!work->sink.out && rename && rename->rank < work->ranks[rename->place])
        work->ranks[rename->place] = rename->rank;
    return true;
}

/* An object; one in which nothing changes as it was written. False: it is no JSON any more. */
static bool put_object(struct work *work, const struct json_value *object, struct walk *walk)
{
    struct json_cursor cursor;
    struct json_member member;
    enum json_outcome outcome;
    size_t begin = work->sink.n;
    json_open(&cursor, object);
    json_sink_put(&work->sink, "{", 1);
    while ((outcome = json_next(&cursor, &member)) == JSON_OK)
        if (!put_member(work, walk, &member))
            return false;
    json_sink_put(&work->sink, "}", 1);
    if (!walk->is_changed) {
        work->sink.n = begin;
        json_sink_slice(&work->sink, object->text);
    }
    return outcome == JSON_END;
}

/* ---- what the rules are applied to ---- */

static struct subject wrapped(const char *wrapper, struct json_slice content, bool is_text)
{
    return (struct subject){
        .kind = SUBJECT_WRAPPED, .wrapper = wrapper, .content = content, .is_text = is_text};
}

static bool find_subject(
    const struct shape *shape, struct json_slice message, struct subject *subject)
{
    if (shape->encoding == PLAN_STRING || shape->encoding == PLAN_NO_OP) {
        *subject = wrapped("content", message, true);
        return true;
    }
    struct json_value value = {.text = message, .kind = JSON_KIND_NULL};
    if (message.len && json_peek(message.at, message.len, &value) != JSON_OK)
        return false;
    *subject = (struct subject){.kind = SUBJECT_NOTHING, .is_in_message = true};
    if (!message.len)
        return true;
    if (shape->encoding == PLAN_JSON_COLLECTION ||
        (shape->encoding == PLAN_SAFEJSON && value.kind == JSON_KIND_ARRAY))
        *subject = wrapped("collection", value.text, false);
    else if (value.kind == JSON_KIND_OBJECT)
        *subject = (struct subject){.kind = SUBJECT_OBJECT, .object = value, .is_in_message = true};
    else if (shape->encoding == PLAN_SAFEJSON)
        *subject = wrapped("content", value.text, false);
    else
        return value.kind == JSON_KIND_NULL;
    return true;
}

/* The last member of that name, if it is an object. */
static bool step_into(struct json_value *object, struct json_slice name, bool *is_spoiled)
{
    struct json_cursor cursor;
    struct json_member member;
    struct json_value found = {.kind = JSON_KIND_NULL};
    enum json_outcome outcome;
    json_open(&cursor, object);
    while ((outcome = json_next(&cursor, &member)) == JSON_OK)
        if (json_string_equal(member.key, name))
            found = member.value;
    *is_spoiled = outcome != JSON_END;
    *object = found;
    return !*is_spoiled && found.kind == JSON_KIND_OBJECT;
}

/* Whatever is no object on the way to the target, or is not there, leaves an empty one. */
static bool find_target(const struct shape *shape, struct subject *subject)
{
    static const struct json_value empty = {.text = {.at = "{}", .len = 2}};
    const struct plan_text *names = plan_items(shape->plan, shape->rules->target);
    bool is_there = subject->kind == SUBJECT_OBJECT, is_spoiled = false;
    for (uint32_t i = 0; is_there && i < shape->rules->target.count; i++)
        is_there = step_into(&subject->object, name_of(shape->plan, names[i]), &is_spoiled);
    if (!is_there)
        *subject = (struct subject){.kind = SUBJECT_OBJECT, .object = empty};
    return !is_spoiled;
}

static bool subject_of(
    const struct shape *shape, struct json_slice message, struct subject *subject)
{
    if (!find_subject(shape, message, subject))
        return false;
    return !shape->rules->target.count || find_target(shape, subject);
}

/* ---- the whole ---- */

/* A wrapper has one member, and that is no object. */
static void put_wrapped(struct work *work, const struct subject *subject)
{
    struct walk walk = {.paths = work->shape->rules->paths, .is_top = true};
    struct json_slice key = {.at = subject->wrapper, .len = strlen(subject->wrapper)};
    struct json_member member = {.key = key, .value = {.kind = JSON_KIND_NULL}};
    const struct plan_rename *rename = rename_of(work, &walk, key);
    json_sink_put(&work->sink, "{", 1);
    if (fate_of(work, &walk, &member, &walk.paths) != LEFT_OUT) {
        json_sink_name(&work->sink, rename ? name_of(work->shape->plan, rename->new_name) : key);
        if (subject->is_text)
            json_sink_text(&work->sink, subject->content);
        else
            json_sink_slice(&work->sink, subject->content);
    }
    json_sink_put(&work->sink, "}", 1);
}

/* Is the subject what flatmap_filter made of it? */
static bool is_flattened(const struct shape *shape)
{
    return shape->rules->flatmap.count && shape->tree->is_changed;
}

/* The subject inside its group. *is_changed: it is not the same as before, whatever is around it.
 */
static bool put_subject(struct work *work, const struct subject *subject, bool *is_changed)
{
    const struct plan_shape *rules = work->shape->rules;
    struct walk walk = {.paths = rules->paths, .is_top = true};
    if (rules->group.length) {
        json_sink_put(&work->sink, "{", 1);
        json_sink_name(&work->sink, name_of(work->shape->plan, rules->group));
    }
    if (subject->kind == SUBJECT_NOTHING)
        json_sink_put(&work->sink, "null", 4);
    else if (is_flattened(work->shape))
        json_tree_write(work->shape->tree, &work->sink);
    else if (subject->kind == SUBJECT_WRAPPED)
        put_wrapped(work, subject);
    else if (!rules->paths.count && !rules->renames.count)
        json_sink_slice(&work->sink, subject->object.text);
    else if (!put_object(work, &subject->object, &walk))
        return false;
    if (rules->group.length)
        json_sink_put(&work->sink, "}", 1);
    *is_changed = walk.is_changed || is_flattened(work->shape);
    return true;
}

/* Takes the subject apart and puts it together as flatmap_filter says; SHAPE_REBUILT: it did, or
 * there was nothing to do. */
static enum shape_outcome flatten(const struct shape *shape, const struct subject *subject)
{
    static const enum shape_outcome outcomes[] = {[JSON_TREE_OK] = SHAPE_REBUILT,
        [JSON_TREE_TOO_LARGE] = SHAPE_TOO_LARGE,
        [JSON_TREE_SPOILED] = SHAPE_SPOILED};
    if (!shape->rules->flatmap.count)
        return SHAPE_REBUILT;
    if (subject->kind == SUBJECT_WRAPPED)
        json_tree_open_member(shape->tree,
            (struct json_slice){.at = subject->wrapper, .len = strlen(subject->wrapper)},
            subject->content, subject->is_text);
    else
        json_tree_open(shape->tree, subject->object.text);
    if (subject->kind != SUBJECT_NOTHING)
        flatmap_apply(shape->tree, shape->plan, shape->rules->flatmap);
    return outcomes[json_tree_outcome(shape->tree)];
}

enum shape_outcome shape_plan(
    const struct shape *shape, struct json_slice message, struct shape_draft *draft)
{
    struct subject subject;
    struct work work = {.shape = shape, .ranks = draft->ranks};
    bool is_changed;
    memset(draft->ranks, 0xff, sizeof(draft->ranks)); /* behind PLAN_LAST_RANK comes nothing */
    if (!subject_of(shape, message, &subject))
        return SHAPE_SPOILED;
    enum shape_outcome outcome = flatten(shape, &subject);
    if (outcome != SHAPE_REBUILT)
        return outcome;
    if (!put_subject(&work, &subject, &is_changed))
        return SHAPE_SPOILED;
    draft->max_bytes = work.sink.n;
    draft->shown = subject.kind == SUBJECT_OBJECT ? subject.object.text : message;
    if (subject.is_in_message && !is_changed && !shape->rules->group.length)
        return SHAPE_AS_IT_IS;
    return SHAPE_REBUILT;
}

bool shape_write(const struct shape *shape, struct json_slice message,
    const struct shape_draft *draft, char *out, size_t *n_bytes)
{
    struct subject subject;
    uint16_t ranks[PLAN_RENAMES_MAX];
    struct work work = {
        .shape = shape, .ranks = ranks, .sink = {.out = out, .room = draft->max_bytes}};
    bool is_changed;
    memcpy(ranks, draft->ranks, sizeof(ranks));
    if (!subject_of(shape, message, &subject) || !put_subject(&work, &subject, &is_changed) ||
        work.sink.n > work.sink.room)
        return false;
    *n_bytes = work.sink.n;
    return true;
}
