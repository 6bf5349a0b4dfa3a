/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"

#include <string.h>

#include "shm/flatmap.h"
#include "shm/json.h"
#include "shm/json_string.h"

#include "merge.h"
#include "received.h"

#define JSON_TYPE "application/json; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"

void content_of_publish(struct answer *answer, enum plan_encoding output)
{
    switch (output) {
    case PLAN_STRING:
    case PLAN_NO_OP:
        return;
    case PLAN_JSON_COLLECTION:
        answer_append(answer, slice_of("[]"));
        break;
    default:
        answer_append(answer, slice_of("{}"));
    }
    answer_add(answer, "Content-Type", slice_of(JSON_TYPE));
}

void content_of_nothing(struct answer *answer, enum plan_encoding output, uint32_t n_backends)
{
    if (output == PLAN_NO_OP)
        return;
    answer_add(answer, "Content-Type", slice_of(output == PLAN_STRING ? TEXT_TYPE : JSON_TYPE));
    if (output == PLAN_JSON_COLLECTION)
        answer_append(answer, slice_of("[]"));
    else if (output != PLAN_STRING)
        answer_append(answer, slice_of(n_backends > 1 ? "{}" : "null"));
}

struct slice content_fixed(const struct plan *plan, const struct plan_endpoint *endpoint,
    bool is_success, bool is_complete)
{
    const bool is_wanted[] = {[PLAN_STATIC_ALWAYS] = true,
        [PLAN_STATIC_SUCCESS] = is_success,
        [PLAN_STATIC_COMPLETE] = is_complete,
        [PLAN_STATIC_ERRORED] = !is_success,
        [PLAN_STATIC_INCOMPLETE] = !is_complete};
    if (!endpoint->fixed.length || !is_wanted[endpoint->fixed_strategy])
        return (struct slice){0};
    return slice_of_plan(plan, endpoint->fixed);
}

/* ---- an object, by the output ---- */

/* The member of that name, the last if it is there twice. False: there is none. */
static bool find_member(const struct json_value *object, const char *name, struct json_value *found)
{
    struct json_slice key = {.at = name, .len = strlen(name)};
    struct json_cursor cursor;
    struct json_member member;
    bool is_found = false;
    json_open(&cursor, object);
    while (json_next(&cursor, &member) == JSON_OK) {
        if (!json_string_equal(member.key, key))
            continue;
        *found = member.value;
        is_found = true;
    }
    return is_found;
}

/* What stands between its quotes, as text. It may lie in a lane, and have been a string a moment
 * ago. */
static struct slice text_of(struct json_slice quoted, struct answer_memory memory)
{
    if (quoted.len <= 2)
        return (struct slice){0};
    struct json_slice raw = {.at = quoted.at + 1, .len = quoted.len - 2};
    if (!memchr(raw.at, '\\', raw.len))
        return (struct slice){.at = raw.at, .len = raw.len};
    char *text = memory.take(memory.owner, raw.len);
    return (struct slice){.at = text, .len = json_string_read(text, raw)};
}

static struct slice collection_of(const struct json_value *object)
{
    struct json_value found = *object;
    (void)find_member(object, "collection", &found); /* or the object itself */
    return (struct slice){.at = found.text.at, .len = found.text.len};
}

static struct slice content_of(const struct json_value *object, struct answer_memory memory)
{
    struct json_value found;
    if (find_member(object, "content", &found) && found.kind == JSON_KIND_STRING)
        return text_of(found.text, memory);
    return (struct slice){.at = object->text.at, .len = object->text.len};
}

/* What the output shows of a JSON value that is an object or null. */
static struct slice shown(
    struct json_slice object, enum plan_encoding output, struct answer_memory memory)
{
    struct json_value value;
    bool is_object =
        json_peek(object.at, object.len, &value) == JSON_OK && value.kind == JSON_KIND_OBJECT;
    if (output == PLAN_JSON_COLLECTION)
        return is_object ? collection_of(&value) : slice_of("[]");
    if (output == PLAN_STRING)
        return is_object ? content_of(&value, memory) : (struct slice){0};
    return (struct slice){.at = object.at, .len = object.len};
}

static void put_shown(struct answer *answer, struct json_slice object, enum plan_encoding output,
    struct answer_memory memory)
{
    answer_add(answer, "Content-Type", slice_of(output == PLAN_STRING ? TEXT_TYPE : JSON_TYPE));
    answer_append(answer, shown(object, output, memory));
}

void content_of_fixed(struct answer *answer, enum plan_encoding output, struct slice fixed,
    struct answer_memory memory)
{
    put_shown(answer, (struct json_slice){.at = fixed.at, .len = fixed.len}, output, memory);
}

/* ---- a message as an object ---- */

/* What stands before and behind a message to make it an object. */
struct wrapped {
    struct slice before, message, behind;
};

static struct wrapped wrapped_in(const char *before, struct slice message)
{
    return (struct wrapped){slice_of(before), message, slice_of("}")};
}

/* By its first byte: the worker has checked it, whatever it is now. */
static enum json_kind kind_of(struct slice message)
{
    struct json_value value;
    return json_peek(message.at, message.len, &value) == JSON_OK ? value.kind : JSON_KIND_NULL;
}

/* Any bytes as {"content":"..."}. */
static struct wrapped quoted(struct slice message, struct answer_memory memory)
{
    size_t room = json_string_write(NULL, 0, message.at, message.len);
    char *text = memory.take(memory.owner, room);
    size_t n = json_string_write(text, room, message.at, message.len);
    if (n > room) /* it lies in a lane, and somebody changed it in between */
        n = json_string_write(text, room, "", 0);
    return wrapped_in("{\"content\":", (struct slice){.at = text, .len = n});
}

static struct wrapped as_object(const struct part *part, struct answer_memory memory)
{
    struct slice message = part->reply.body;
    uint8_t encoding = part->plan->encoding;
    if (encoding == PLAN_STRING || encoding == PLAN_NO_OP)
        return quoted(message, memory);
    if (!message.len)
        return (struct wrapped){.message = slice_of("null")};
    enum json_kind kind = kind_of(message);
    if (encoding == PLAN_JSON_COLLECTION || (encoding == PLAN_SAFEJSON && kind == JSON_KIND_ARRAY))
        return wrapped_in("{\"collection\":", message);
    if (encoding == PLAN_SAFEJSON && kind != JSON_KIND_OBJECT)
        return wrapped_in("{\"content\":", message);
    return (struct wrapped){.message = message};
}

static struct json_slice joined(struct wrapped wrapped, struct answer_memory memory)
{
    if (!wrapped.before.len)
        return (struct json_slice){wrapped.message.at, wrapped.message.len};
    size_t n = wrapped.before.len + wrapped.message.len + wrapped.behind.len;
    char *text = memory.take(memory.owner, n);
    memcpy(text, wrapped.before.at, wrapped.before.len);
    memcpy(text + wrapped.before.len, wrapped.message.at, wrapped.message.len);
    memcpy(text + n - wrapped.behind.len, wrapped.behind.at, wrapped.behind.len);
    return (struct json_slice){text, n};
}

/* ---- one message, as it lies ---- */

static bool is_text(const struct part *part)
{
    return part->plan->encoding == PLAN_STRING || part->plan->encoding == PLAN_NO_OP;
}

/* Looks no further than to the first member: most messages are not read here at all. */
static bool is_hollow(struct json_slice object)
{
    struct json_value value;
    if (json_peek(object.at, object.len, &value) != JSON_OK || value.kind != JSON_KIND_OBJECT)
        return true;
    size_t i = 1;
    while (i < value.text.len && strchr(" \t\r\n", value.text.at[i]))
        i++;
    return i == value.text.len || value.text.at[i] == '}';
}

/* An object in pieces is never hollow: it has the wrapper's member. */
static enum content_outcome put_pieces(struct answer *answer, const struct wrapped *wrapped)
{
    struct json_slice message = {wrapped->message.at, wrapped->message.len};
    answer_add(answer, "Content-Type", slice_of(JSON_TYPE));
    answer_append(answer, wrapped->before);
    answer_append(answer, wrapped->message);
    answer_append(answer, wrapped->behind);
    return !wrapped->before.len && is_hollow(message) ? CONTENT_HOLLOW : CONTENT_OK;
}

static enum content_outcome one_message(
    struct answer *answer, const struct answer_question *question)
{
    const struct part *part = &question->parts[0];
    enum plan_encoding output = question->output;
    if (output == PLAN_NO_OP || (output == PLAN_STRING && is_text(part))) {
        answer_add(answer, "Content-Type",
            output == PLAN_NO_OP ? received_type(part, question->memory) : slice_of(TEXT_TYPE));
        answer_append(answer, part->reply.body);
        return CONTENT_OK;
    }
    if (output == PLAN_JSON_COLLECTION && !is_text(part) &&
        kind_of(part->reply.body) == JSON_KIND_ARRAY) {
        answer_add(answer, "Content-Type", slice_of(JSON_TYPE));
        answer_append(answer, part->reply.body);
        return CONTENT_OK;
    }
    struct wrapped wrapped = as_object(part, question->memory);
    if (output == PLAN_JSON)
        return put_pieces(answer, &wrapped);
    struct json_slice object = joined(wrapped, question->memory);
    put_shown(answer, object, output, question->memory);
    return is_hollow(object) ? CONTENT_HOLLOW : CONTENT_OK;
}

/* ---- an object that is made here ---- */

static enum content_outcome merge(const struct answer_question *question,
    const struct json_slice *objects, size_t n, struct json_slice *merged)
{
    struct answer_memory memory = question->memory;
    char *text = memory.take(memory.owner, merge_bound(objects, n));
    size_t n_bytes;
    int error = merge_objects(question->seed, objects, n, text, &n_bytes);
    if (error)
        return error < 0 ? CONTENT_TOO_LARGE : CONTENT_NO_OBJECT;
    *merged = (struct json_slice){.at = text, .len = n_bytes};
    return CONTENT_OK;
}

static enum content_outcome merge_messages(
    const struct answer_question *question, struct json_slice *merged)
{
    struct answer_memory memory = question->memory;
    uint32_t n_parts = question->endpoint->parts.count;
    struct json_slice *objects = memory.take(memory.owner, n_parts * sizeof(*objects));
    size_t n = 0;
    for (uint32_t i = 0; i < n_parts; i++)
        if (question->parts[i].reply.outcome == OUTCOME_DELIVERED)
            objects[n++] = joined(as_object(&question->parts[i], memory), memory);
    if (n_parts > 1)
        return merge(question, objects, n, merged);
    *merged = objects[0];
    return CONTENT_OK;
}

static enum content_outcome flatten(
    const struct answer_question *question, struct json_slice *object)
{
    struct json_tree *tree = question->tree;
    json_tree_open(tree, *object);
    flatmap_apply(tree, question->plan, question->endpoint->flatmap);
    if (json_tree_outcome(tree) != JSON_TREE_OK)
        return json_tree_outcome(tree) == JSON_TREE_TOO_LARGE ? CONTENT_TOO_LARGE
                                                              : CONTENT_NO_OBJECT;
    if (!tree->is_changed)
        return CONTENT_OK;
    struct json_sink sink = {0};
    json_tree_write(tree, &sink);
    sink = (struct json_sink){
        .out = question->memory.take(question->memory.owner, sink.n), .room = sink.n};
    json_tree_write(tree, &sink);
    *object = (struct json_slice){.at = sink.out, .len = sink.n};
    return CONTENT_OK;
}

static enum content_outcome one_object(
    const struct answer_question *question, struct slice fixed, struct json_slice *object)
{
    enum content_outcome outcome = merge_messages(question, object);
    if (outcome == CONTENT_OK && question->endpoint->flatmap.count)
        outcome = flatten(question, object);
    if (outcome != CONTENT_OK || !fixed.len)
        return outcome;
    struct json_slice both[] = {{.at = fixed.at, .len = fixed.len}, *object}; /* the first wins */
    return merge(question, both, 2, object);
}

enum content_outcome content_of_deliveries(
    struct answer *answer, const struct answer_question *question, struct slice fixed)
{
    struct json_slice object;
    if (question->endpoint->parts.count == 1 && !fixed.len)
        return one_message(answer, question);
    enum content_outcome outcome = one_object(question, fixed, &object);
    if (outcome != CONTENT_OK)
        return outcome;
    put_shown(answer, object, question->output, question->memory);
    return is_hollow(object) ? CONTENT_HOLLOW : CONTENT_OK;
}
