/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "fields.h"
#include "front_plan.h"

static struct plan plan;
static const struct plan_endpoint *endpoint;
static const struct plan_part *part;

static struct header_line lines[16];
static struct slice parameters[5];
static struct fields_request request;
static char long_text[300];

/* The specification's producer; `sources` beside it has a fixed routing key, `arrays` wants arrays.
 */
static struct plan_part keyed_part(struct plan_builder *builder)
{
    const struct {
        enum message_field_kind field;
        const char *label;
    } keys[] = {
        {MESSAGE_EXPIRATION, "exp_key (parameter a)"},
        {MESSAGE_REPLY_TO, "reply_to_key (parameter b)"},
        {MESSAGE_MESSAGE_ID, "msg_id_key (parameter id)"},
        {MESSAGE_PRIORITY, "priority_key (parameter prio)"},
        {MESSAGE_ROUTING_KEY, "routing_key (parameter route)"},
    };
    struct plan_source sources[5];
    for (uint32_t i = 0; i < 5; i++)
        sources[i] = (struct plan_source){.field = keys[i].field,
            .parameter = i,
            .label = plan_add_string(builder, keys[i].label)};
    return (struct plan_part){
        .verb = PLAN_PRODUCE, .sources = plan_add_list(builder, sources, sizeof(sources[0]), 5)};
}

static struct plan_part fixed_part(struct plan_builder *builder, const char *routing_key)
{
    struct plan_source source = {.field = MESSAGE_ROUTING_KEY,
        .parameter = PLAN_NONE,
        .text = plan_add_string(builder, routing_key),
        .label = plan_add_string(builder, "routing_key")};
    return (struct plan_part){
        .verb = PLAN_PRODUCE, .sources = plan_add_list(builder, &source, sizeof(source), 1)};
}

enum { KEYED, FIXED, UNKEYED, ARRAYS, N_PARTS };

static void begin(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_part parts[N_PARTS] = {
        [KEYED] = keyed_part(builder),
        [FIXED] = fixed_part(builder, "fixed.key"),
        [UNKEYED] = fixed_part(builder, ""),
        [ARRAYS] = {.verb = PLAN_PRODUCE, .has_header_arrays = 1},
    };
    struct plan_endpoint all = {
        .passes_all_headers = 1, .parts = plan_add_list(builder, parts, sizeof(parts[0]), N_PARTS)};
    front_plan_join(&plan, builder, &all, 1);
    endpoint = plan_items(&plan, ((const struct plan_front *)plan.root)->endpoints);
    part = plan_items(&plan, endpoint->parts);
    memset(long_text, 'x', sizeof(long_text) - 1);
    const char *const values[] = {"60000", "reply.q", "id-1", "5", "kd-obs"};
    for (size_t i = 0; i < 5; i++)
        parameters[i] = slice_of(values[i]);
    request = (struct fields_request){.plan = &plan,
        .endpoint = endpoint,
        .parameters = parameters,
        .n_parameters = 5,
        .headers = {.items = lines},
        .host = slice_of("sidecar:8080"),
        .peer = slice_of("10.0.0.7"),
        .generated_id = slice_of("generated")};
}

static void end(void)
{
    plan_leave(&plan);
}

static void add(const char *name, const char *value)
{
    lines[request.headers.n++] =
        (struct header_line){.name = slice_of(name), .value = slice_of(value)};
}

/* The fields as text, "kind name=value;" each; buffers are exactly as large as promised. */
static char *fields_of(int which)
{
    static const char *const names[] = {[MESSAGE_ROUTING_KEY] = "key",
        [MESSAGE_CONTENT_TYPE] = "type",
        [MESSAGE_EXPIRATION] = "expiration",
        [MESSAGE_REPLY_TO] = "reply",
        [MESSAGE_MESSAGE_ID] = "id",
        [MESSAGE_PRIORITY] = "priority",
        [MESSAGE_HEADER] = ""};
    size_t room = fields_max_bytes(&request), n_text;
    CLEANUP(cleanup_free) uint8_t *bytes = malloc(room);
    CLEANUP(cleanup_free) char *scratch = malloc(room);
    struct message_writer writer = {.bytes = bytes, .size = room};
    struct slice id;
    char fault[FIELDS_FAULT_BYTES] = "", *text;
    enum fields_outcome outcome =
        fields_write(&request, &part[which], &writer, scratch, &id, fault);
    cr_assert_eq(outcome, FIELDS_OK, "%s", fault);
    struct message_reader reader = {.bytes = bytes, .size = writer.used};
    struct message_field field;
    FILE *out = open_memstream(&text, &n_text);
    enum message_outcome read;
    while ((read = message_read(&reader, &field)) == MESSAGE_OK) {
        (void)fprintf(out, "%s%.*s=%.*s;", names[field.kind], (int)field.name_bytes, field.name,
            (int)field.value_bytes, field.value);
        if (field.kind == MESSAGE_MESSAGE_ID)
            cr_assert(slice_equals(id, (struct slice){field.value, field.value_bytes}));
    }
    cr_assert_eq(read, MESSAGE_END);
    (void)fclose(out);
    return text;
}

static void expect_fields(int which, const char *expected)
{
    CLEANUP(cleanup_free) char *got = fields_of(which);
    cr_expect_str_eq(got, expected);
}

static void expect_part_of_fields(int which, const char *expected)
{
    CLEANUP(cleanup_free) char *got = fields_of(which);
    cr_expect_not_null(strstr(got, expected), "%s is not in %s", expected, got);
}

static void expect_no_part_of_fields(int which, const char *unexpected)
{
    CLEANUP(cleanup_free) char *got = fields_of(which);
    cr_expect_null(strstr(got, unexpected), "%s is in %s", unexpected, got);
}

static void expect_fault(int which, const char *expected)
{
    size_t room = fields_max_bytes(&request);
    CLEANUP(cleanup_free) uint8_t *bytes = malloc(room);
    CLEANUP(cleanup_free) char *scratch = malloc(room);
    struct message_writer writer = {.bytes = bytes, .size = room};
    struct slice id;
    char fault[FIELDS_FAULT_BYTES] = "";
    cr_expect_eq(
        fields_write(&request, &part[which], &writer, scratch, &id, fault), FIELDS_REFUSED);
    cr_expect_str_eq(fault, expected);
}

#define FORWARDED "X-Forwarded-For=10.0.0.7;X-Forwarded-Host=sidecar:8080;"

Test(fields, parameters_become_properties, .init = begin, .fini = end)
{
    add("content-type", "application/json");
    expect_fields(KEYED, "expiration=60000;reply=reply.q;priority=5;key=kd-obs;id=id-1;"
                         "type=application/json;Content-Type=application/json;" FORWARDED);
}

Test(fields, an_empty_parameter_leaves_its_property_absent, .init = begin, .fini = end)
{
    for (size_t i = 0; i < 5; i++)
        parameters[i] = slice_of("");
    expect_fields(KEYED, "id=generated;" FORWARDED);
}

Test(fields, a_fixed_routing_key_is_the_key, .init = begin, .fini = end)
{
    expect_fields(FIXED, "key=fixed.key;id=generated;" FORWARDED);
    expect_fields(UNKEYED, "id=generated;" FORWARDED);
}

Test(fields, the_id_is_the_parameter_then_the_idempotency_key_then_generated, .init = begin,
    .fini = end)
{
    expect_part_of_fields(FIXED, ";id=generated;");
    add("idempotency-key", "  ");
    expect_part_of_fields(FIXED, ";id=generated;");
    lines[0].value = slice_of(" \"key-1\" ");
    expect_part_of_fields(FIXED, ";id=\"key-1\";");
    expect_part_of_fields(KEYED, ";id=id-1;");
    parameters[2] = slice_of("");
    expect_part_of_fields(KEYED, ";id=\"key-1\";");
}

Test(fields, bad_values_are_named, .init = begin, .fini = end)
{
    const struct {
        int parameter;
        const char *value, *fault;
    } cases[] = {
        {0, "notanumber", "exp_key (parameter a) is not a decimal number"},
        {0, "-1", "exp_key (parameter a) is not a decimal number"},
        {0, "1.5", "exp_key (parameter a) is not a decimal number"},
        {0, " ", "exp_key (parameter a) is not a decimal number"},
        {0, "4294967296", "exp_key (parameter a) is out of range"},
        {1, long_text, "reply_to_key (parameter b) is longer than 255 bytes"},
        {2, long_text, "msg_id_key (parameter id) is longer than 255 bytes"},
        {3, "abc", "priority_key (parameter prio) is not a decimal number"},
        {3, "256", "priority_key (parameter prio) is out of range"},
        {3, "-1", "priority_key (parameter prio) is not a decimal number"},
        {4, long_text, "routing_key (parameter route) is longer than 255 bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice good = parameters[cases[i].parameter];
        parameters[cases[i].parameter] = slice_of(cases[i].value);
        expect_fault(KEYED, cases[i].fault);
        parameters[cases[i].parameter] = good;
    }
}

Test(fields, bad_headers_are_named, .init = begin, .fini = end)
{
    char expected[FIELDS_FAULT_BYTES];
    request.headers.n = 0;
    add("content-type", long_text);
    expect_fault(FIXED, "header Content-Type is longer than 255 bytes");
    request.headers.n = 0;
    add("idempotency-key", long_text);
    expect_fault(FIXED, "header Idempotency-Key is longer than 255 bytes");
    request.headers.n = 0;
    add(long_text, "value");
    (void)snprintf(expected, sizeof(expected), "the name of header %.256s is longer than 255 bytes",
        long_text);
    expect_fault(FIXED, expected);
    request.headers.n = 0;
    for (int i = 0; i < 3; i++)
        add("Connection", "a,b,c,d,e,f,g,h,i,j,k");
    expect_fault(FIXED, "header Connection names more than 32 things");
}

Test(fields, headers_go_in_canonical_spelling_and_joined, .init = begin, .fini = end)
{
    add("x-multi", "1 ");
    add("connection", "x-secret, keep-alive");
    add("X-REQUEST-id", "r1");
    add("x-secret", "s");
    add("X-Multi", "2");
    add("host", "other");
    add("te", "trailers");
    add("x-empty", "");
    add("x-bytes", "\xff\x80");
    expect_fields(UNKEYED, "id=generated;X-Multi=1, 2;X-Request-Id=r1;X-Empty=;"
                           "X-Bytes=\xff\x80;" FORWARDED);
    expect_fields(ARRAYS, "id=generated;X-Multi=1;X-Request-Id=r1;X-Multi=2;X-Empty=;"
                          "X-Bytes=\xff\x80;" FORWARDED);
}

Test(fields, forwarded_for_ends_with_the_peer_that_we_saw, .init = begin, .fini = end)
{
    add("X-Forwarded-Host", "spoofed");
    add("x-forwarded-for", "9.9.9.9, 8.8.8.8");
    expect_part_of_fields(FIXED, ";X-Forwarded-For=9.9.9.9, 8.8.8.8, 10.0.0.7;"
                                 "X-Forwarded-Host=sidecar:8080;");
    add("X-Forwarded-For", "7.7.7.7");
    expect_part_of_fields(ARRAYS, ";X-Forwarded-For=9.9.9.9, 8.8.8.8, 7.7.7.7, 10.0.0.7;");
    add("Connection", "X-Forwarded-For, X-Forwarded-Host");
    expect_part_of_fields(FIXED, ";" FORWARDED);
    request.headers.n = 0;
    request.peer = (struct slice){0};
    request.host = (struct slice){0};
    expect_part_of_fields(FIXED, ";X-Forwarded-For=unknown;X-Forwarded-Host=;");
}

Test(fields, what_is_asked_for_suffices_for_the_largest, .init = begin, .fini = end)
{
    static char peer[FIELDS_ADDRESS_BYTES + 1], zeros[MESSAGE_SHORT_BYTES + 1];
    memset(peer, '1', FIELDS_ADDRESS_BYTES);
    memset(zeros, '0', MESSAGE_SHORT_BYTES);
    parameters[0] = parameters[3] = slice_of(zeros);
    parameters[1] = parameters[2] = parameters[4] = slice_of(long_text);
    parameters[1].len = parameters[2].len = parameters[4].len = MESSAGE_SHORT_BYTES;
    request.peer = slice_of(peer);
    add("content-type", long_text);
    lines[0].value.len = MESSAGE_SHORT_BYTES;
    for (int i = 0; i < 4; i++)
        add("x-forwarded-for", long_text);
    for (int i = 0; i < 4; i++)
        add("x-multi", long_text);
    CLEANUP(cleanup_free) char *joined = fields_of(KEYED);
    CLEANUP(cleanup_free) char *arrays = fields_of(ARRAYS);
    cr_assert_gt(strlen(joined), 3 * 600u);
    cr_assert_gt(strlen(arrays), 3 * 600u);
}

Test(fields, room_for_the_largest_head_is_enough_for_one_that_is_nothing_but_fields, .init = begin,
    .fini = end)
{
    size_t head_bytes = 0;
    add("x-multi", "1");
    add("x-long", long_text);
    for (size_t i = 0; i < request.headers.n; i++)
        head_bytes += lines[i].name.len + lines[i].value.len;
    request.host = slice_of(long_text);
    cr_assert_geq(fields_most_bytes(request.headers.n, head_bytes), fields_max_bytes(&request));
}

Test(fields, too_little_room_is_told_apart_wherever_it_ends, .init = begin, .fini = end)
{
    add("content-type", "application/json");
    add("x-multi", "1");
    add("x-multi", "2");
    size_t room = fields_max_bytes(&request);
    CLEANUP(cleanup_free) uint8_t *bytes = malloc(room);
    CLEANUP(cleanup_free) char *scratch = malloc(room);
    struct message_writer writer = {.bytes = bytes, .size = room};
    struct slice id = {0};
    char fault[FIELDS_FAULT_BYTES];
    cr_assert_eq(fields_write(&request, &part[KEYED], &writer, scratch, &id, fault), FIELDS_OK);
    size_t used = writer.used;
    id = (struct slice){0};
    for (size_t size = 0; size < used; size++) {
        writer = (struct message_writer){.bytes = bytes, .size = size};
        cr_assert_eq(
            fields_write(&request, &part[KEYED], &writer, scratch, &id, fault), FIELDS_FULL);
        cr_assert_null(id.at);
    }
}

Test(fields, carry_the_trace_of_the_request_whatever_it_says_itself, .init = begin, .fini = end)
{
    add("traceparent", "garbage");
    add("tracestate", "a=1");
    expect_no_part_of_fields(FIXED, "trace");
    request.trace = (struct trace){.parent = slice_of("00-1-2-01"), .state = slice_of("a=1")};
    expect_part_of_fields(FIXED, "traceparent=00-1-2-01;tracestate=a=1;");
    add("Connection", "tracestate");
    expect_part_of_fields(FIXED, "traceparent=00-1-2-01;X-");
}
