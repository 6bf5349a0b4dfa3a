/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"

#include <string.h>

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

/* ---- one message ---- */

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

/* The collection of an object, the last if it says so twice; without one, the object. */
static struct slice collection_of(const struct json_value *object)
{
    struct json_slice key = {.at = "collection", .len = strlen("collection")};
    struct json_slice found = object->text;
    struct json_cursor cursor;
    struct json_member member;
    json_open(&cursor, object);
    while (json_next(&cursor, &member) == JSON_OK)
        if (member.value.kind == JSON_KIND_ARRAY && json_string_equal(member.key, key))
            found = member.value.text;
    return (struct slice){.at = found.at, .len = found.len};
}

/* The array itself; nothing is an empty one. */
static struct slice as_collection(const struct part *part)
{
    struct json_value value;
    struct slice body = part->reply.body;
    if (json_peek(body.at, body.len, &value) != JSON_OK || value.kind == JSON_KIND_NULL)
        return slice_of("[]");
    return value.kind == JSON_KIND_OBJECT ? collection_of(&value) : body;
}

static void one_message(struct answer *answer, const struct part *part, enum plan_encoding output,
    struct answer_memory memory)
{
    if (output == PLAN_NO_OP || output == PLAN_STRING) {
        answer_add(answer, "Content-Type",
            output == PLAN_NO_OP ? received_type(part, memory) : slice_of(TEXT_TYPE));
        answer_append(answer, part->reply.body);
        return;
    }
    answer_add(answer, "Content-Type", slice_of(JSON_TYPE));
    if (output == PLAN_JSON_COLLECTION) {
        answer_append(answer, as_collection(part));
        return;
    }
    struct wrapped wrapped = as_object(part, memory);
    answer_append(answer, wrapped.before);
    answer_append(answer, wrapped.message);
    answer_append(answer, wrapped.behind);
}

/* ---- several messages ---- */

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

static bool several_messages(struct answer *answer, const struct answer_question *question)
{
    struct answer_memory memory = question->memory;
    uint32_t n_parts = question->endpoint->parts.count;
    struct json_slice *objects = memory.take(memory.owner, n_parts * sizeof(*objects));
    size_t n = 0;
    for (uint32_t i = 0; i < n_parts; i++)
        if (question->parts[i].reply.outcome == OUTCOME_DELIVERED)
            objects[n++] = joined(as_object(&question->parts[i], memory), memory);
    char *merged = memory.take(memory.owner, merge_bound(objects, n));
    size_t n_bytes;
    if (merge_objects(question->seed, objects, n, merged, &n_bytes) != MERGE_OK)
        return false;
    answer_add(answer, "Content-Type", slice_of(JSON_TYPE));
    answer_append(answer, (struct slice){.at = merged, .len = n_bytes});
    return true;
}

bool content_of_deliveries(struct answer *answer, const struct answer_question *question)
{
    if (question->endpoint->parts.count > 1)
        return several_messages(answer, question);
    one_message(answer, &question->parts[0], question->output, question->memory);
    return true;
}
