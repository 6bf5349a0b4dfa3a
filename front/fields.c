/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <assert.h>
#include <stdio.h>

#define FORWARDED_FOR "X-Forwarded-For"
#define FORWARDED_HOST "X-Forwarded-Host"

enum { SHOWN_BYTES = 256, N_SHORT_KINDS = MESSAGE_HEADER - MESSAGE_ROUTING_KEY };

/* What the steps of one fields_write() share. */
struct work {
    const struct fields_request *request;
    const struct plan_part *part;
    struct message_writer *writer;
    struct header_rules rules;
    char *scratch;
    char *fault;
};

/* ---- writing one field ---- */

/* `label` with `prefix` before it is how a client knows the value. */
static enum fields_outcome put(
    struct work *work, const struct message_field *field, const char *prefix, struct slice label)
{
    enum message_outcome outcome = message_write(work->writer, field);
    if (outcome == MESSAGE_OK)
        return FIELDS_OK;
    if (outcome == MESSAGE_FULL)
        return FIELDS_FULL;
    int n_shown = label.len < SHOWN_BYTES ? (int)label.len : SHOWN_BYTES;
    (void)snprintf(work->fault, FIELDS_FAULT_BYTES, "%s%.*s %s", prefix, n_shown, label.at,
        message_outcome_text(outcome)); /* fits */
    return FIELDS_REFUSED;
}

static enum fields_outcome put_property(
    struct work *work, enum message_field_kind kind, struct slice value, struct slice label)
{
    struct message_field field = {
        .kind = kind, .name = "", .value = value.at, .value_bytes = value.len};
    return put(work, &field, "", label);
}

static enum fields_outcome put_header(struct work *work, struct slice name, struct slice value)
{
    char canonical[MESSAGE_SHORT_BYTES];
    if (name.len <= sizeof(canonical)) /* a longer one is refused as it is */
        name = header_canonical(name, canonical);
    struct message_field field = {.kind = MESSAGE_HEADER,
        .name = name.at,
        .name_bytes = name.len,
        .value = value.at,
        .value_bytes = value.len};
    return put(work, &field, "the name of header ", name);
}

/* ---- the properties ---- */

static struct slice source_value(
    const struct fields_request *request, const struct plan_source *source)
{
    if (source->parameter == PLAN_NONE)
        return slice_of_plan(request->plan, source->text);
    assert(source->parameter < request->n_parameters);
    return request->parameters[source->parameter];
}

/* All that the plan names; of them the message id is only picked up. */
static enum fields_outcome put_sources(struct work *work, struct slice *id, struct slice *id_label)
{
    const struct plan_source *sources = plan_items(work->request->plan, work->part->sources);
    for (uint32_t i = 0; i < work->part->sources.count; i++) {
        struct slice value = source_value(work->request, &sources[i]);
        struct slice label = slice_of_plan(work->request->plan, sources[i].label);
        if (!value.len)
            continue;
        if (sources[i].field == MESSAGE_MESSAGE_ID) {
            *id = value;
            *id_label = label;
            continue;
        }
        enum fields_outcome outcome = put_property(work, sources[i].field, value, label);
        if (outcome)
            return outcome;
    }
    return FIELDS_OK;
}

static enum fields_outcome put_properties(struct work *work, struct slice *message_id)
{
    const struct header_lines *lines = &work->request->headers;
    struct slice id = {0}, label = slice_of("header Idempotency-Key");
    enum fields_outcome outcome = put_sources(work, &id, &label);
    if (outcome)
        return outcome;
    if (!id.len)
        id = header_find(lines, slice_of("Idempotency-Key"));
    if (!id.len)
        id = work->request->generated_id;
    outcome = put_property(work, MESSAGE_MESSAGE_ID, id, label);
    struct slice type = header_find(lines, slice_of("Content-Type"));
    if (!outcome && type.len)
        outcome = put_property(work, MESSAGE_CONTENT_TYPE, type, slice_of("header Content-Type"));
    *message_id = id;
    return outcome;
}

struct slice fields_routing_key(const struct fields_request *request, const struct plan_part *part)
{
    const struct plan_source *sources = plan_items(request->plan, part->sources);
    for (uint32_t i = 0; i < part->sources.count; i++)
        if (sources[i].field == MESSAGE_ROUTING_KEY)
            return source_value(request, &sources[i]);
    return (struct slice){0};
}

/* ---- the headers ---- */

static bool has_come(const struct header_lines *lines, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (slice_equals_nocase(lines->items[j].name, lines->items[i].name))
            return true;
    }
    return false;
}

static enum fields_outcome put_headers(struct work *work)
{
    const struct header_lines *lines = &work->request->headers;
    for (size_t i = 0; i < lines->n; i++) {
        struct slice name = lines->items[i].name;
        struct slice value = slice_trim(lines->items[i].value);
        if (!header_rules_pass(&work->rules, name))
            continue;
        if (!work->part->has_header_arrays) {
            if (has_come(lines, i))
                continue;
            value = header_join(lines, name, work->scratch);
        }
        enum fields_outcome outcome = put_header(work, name, value);
        if (outcome)
            return outcome;
    }
    return FIELDS_OK;
}

static enum fields_outcome put_forwarded_for(struct work *work)
{
    const struct fields_request *request = work->request;
    struct slice name = slice_of(FORWARDED_FOR);
    struct slice peer = request->peer.len ? request->peer : slice_of("unknown");
    char *end = work->scratch;
    assert(peer.len <= FIELDS_ADDRESS_BYTES);
    if (!header_rules_hop(&work->rules, name)) {
        struct slice list = header_join(&request->headers, name, work->scratch);
        end = list.at == work->scratch ? end + list.len : slice_copy(list, end);
    }
    if (end != work->scratch)
        end = slice_copy(slice_of(", "), end);
    end = slice_copy(peer, end);
    struct slice value = {.at = work->scratch, .len = (size_t)(end - work->scratch)};
    return put_header(work, name, value);
}

static enum fields_outcome put_trace_field(struct work *work, const char *name, struct slice value)
{
    if (!value.len || header_rules_hop(&work->rules, slice_of(name)))
        return FIELDS_OK;
    return put_header(work, slice_of(name), value);
}

static enum fields_outcome put_trace(struct work *work)
{
    const struct trace *trace = &work->request->trace;
    enum fields_outcome outcome = put_trace_field(work, TRACE_PARENT, trace->parent);
    return outcome ? outcome : put_trace_field(work, TRACE_STATE, trace->state);
}

/* ---- the whole ---- */

/* `line_bytes`: of all names and values. */
static size_t max_bytes(size_t n_lines, size_t line_bytes, size_t host_bytes)
{
    size_t n = N_SHORT_KINDS * (size_t)(MESSAGE_FIELD_HEAD_BYTES + MESSAGE_SHORT_BYTES);
    n += n_lines * (MESSAGE_FIELD_HEAD_BYTES + strlen(", ")) + line_bytes;
    n += MESSAGE_FIELD_HEAD_BYTES + strlen(FORWARDED_FOR ", ") + FIELDS_ADDRESS_BYTES;
    n += MESSAGE_FIELD_HEAD_BYTES + strlen(FORWARDED_HOST) + host_bytes;
    /* one that is made; another is among the lines */
    n += MESSAGE_FIELD_HEAD_BYTES + strlen(TRACE_PARENT) + TRACE_PARENT_BYTES;
    return n;
}

size_t fields_max_bytes(const struct fields_request *request)
{
    size_t line_bytes = 0;
    for (size_t i = 0; i < request->headers.n; i++)
        line_bytes += request->headers.items[i].name.len + request->headers.items[i].value.len;
    return max_bytes(request->headers.n, line_bytes, request->host.len);
}

size_t fields_most_bytes(size_t n_lines, size_t head_bytes)
{
    return max_bytes(n_lines, head_bytes, head_bytes);
}

enum fields_outcome fields_write(const struct fields_request *request, const struct plan_part *part,
    struct message_writer *writer, char *scratch, struct slice *message_id,
    char fault[FIELDS_FAULT_BYTES])
{
    struct work work = {
        .request = request, .part = part, .writer = writer, .scratch = scratch, .fault = fault};
    struct slice id = {0};
    if (header_rules_init(&work.rules, request->plan, request->endpoint, &request->headers)) {
        (void)snprintf(fault, FIELDS_FAULT_BYTES, "header Connection names more than %d things",
            HEADER_MAX_OPTIONS);
        return FIELDS_REFUSED;
    }
    enum fields_outcome outcome = put_properties(&work, &id);
    if (!outcome)
        outcome = put_headers(&work);
    if (!outcome)
        outcome = put_trace(&work);
    if (!outcome)
        outcome = put_forwarded_for(&work);
    if (!outcome)
        outcome = put_header(&work, slice_of(FORWARDED_HOST), request->host);
    if (!outcome)
        *message_id = id;
    return outcome;
}
