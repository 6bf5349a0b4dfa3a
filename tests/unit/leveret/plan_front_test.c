/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <leveret/message.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "config_fixture.h"
#include "plan_front.h"
#include "shm/plan.h"

TestSuite(plan_front, .init = fixture_enter, .fini = fixture_leave);

#define SECOND UINT64_C(1000000000)

static const char text[] =
    "{\"version\":3,\"host\":[\"amqp://us3r:s3cr3t@broker.example/v\"],\"timeout\":\"7s\","
    "\"cache_ttl\":\"1m30s\",\"read_header_timeout\":\"1s\",\"read_timeout\":\"2s\","
    "\"write_timeout\":\"3s\",\"idle_timeout\":\"4s\",\"max_header_bytes\":5000,\"endpoints\":["
    "{\"endpoint\":\"/produce/{a}/{id}\",\"method\":\"POST\",\"timeout\":\"1s\","
    "\"input_headers\":[\"x-request-id\",\"CONTENT-TYPE\"],"
    "\"extra_config\":{\"leveret\":{\"max_body\":\"1KiB\",\"max_in_flight\":3}},\"backend\":["
    "{\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"orders\",\"routing_key\":\"Id\","
    "\"exp_key\":\"A\",\"priority_key\":\"Nowhere\",\"msg_id_key\":\"Id\",\"mandatory\":true}}},"
    "{\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"audit\",\"routing_key\":\"a.b\","
    "\"static_routing_key\":true},\"leveret\":{\"header_arrays\":true}}}]},"
    "{\"endpoint\":\"/http\",\"backend\":[{\"host\":[\"http://h\"]}]},"
    "{\"endpoint\":\"/consume\",\"input_headers\":[\"*\"],\"output_encoding\":\"json-collection\","
    "\"backend\":["
    "{\"is_collection\":true,\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q1\"}}},"
    "{\"encoding\":\"safejson\",\"is_collection\":true,"
    "\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q2\"},"
    "\"leveret\":{\"properties_to_headers\":true}}},"
    "{\"encoding\":\"string\",\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q1\"},"
    "\"leveret\":{\"properties_to_headers\":true}}}]},"
    "{\"endpoint\":\"/raw\",\"output_encoding\":\"no-op\",\"cache_ttl\":\"500ms\","
    "\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{}}}]}],"
    "\"extra_config\":{\"leveret\":{\"workers\":2,\"max_connections\":77,\"drain_timeout\":\"5s\","
    "\"access_log\":\"errors\",\"tracing\":\"create\",\"tracing_percent\":5}}"
    "}";

/* The plan of the file above, joined for the length of a test. */
static struct plan plan;
static const struct plan_front *front;
static const struct plan_endpoint *endpoints;

static void join(const char *file)
{
    struct loaded loaded = fixture_load(file);
    CLEANUP(cleanup_fd) int fd = -1;

    cr_assert_eq(loaded.outcome, CONFIG_VALID, "%s", loaded.report);
    fd = plan_front_new(loaded.config);
    cr_assert_geq(fd, 0);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(plan_join(&plan, fd, PLAN_FRONT), 0);
    front = plan.root;
    endpoints = plan_items(&plan, front->endpoints);
    loaded_done(&loaded);
}

static const struct plan_part *part(size_t endpoint, size_t index)
{
    const struct plan_part *parts = plan_items(&plan, endpoints[endpoint].parts);

    cr_assert_lt(index, endpoints[endpoint].parts.count);
    return &parts[index];
}

Test(plan_front, carries_the_limits_of_the_listener)
{
    join(text);
    cr_expect_eq(front->n_workers, 2);
    cr_expect_eq(front->max_connections, 77);
    cr_expect_eq(front->max_header_bytes, 5000);
    cr_expect_eq(front->read_header_timeout_ns, SECOND);
    cr_expect_eq(front->read_timeout_ns, 2 * SECOND);
    cr_expect_eq(front->write_timeout_ns, 3 * SECOND);
    cr_expect_eq(front->idle_timeout_ns, 4 * SECOND);
    cr_expect_eq(front->drain_timeout_ns, 5 * SECOND);
    cr_expect_eq(front->access_log, PLAN_ACCESS_ERRORS);
    cr_expect_eq(front->makes_traces, 1);
    cr_expect_eq(front->traces_percent, 5);
    cr_expect_eq(front->endpoints.count, 4);
    plan_leave(&plan);
}

Test(plan_front, carries_what_an_endpoint_is)
{
    const struct plan_text *headers;

    join(text);
    headers = plan_items(&plan, endpoints[0].headers);
    cr_expect_str_eq(plan_string(&plan, endpoints[0].pattern), "/produce/{a}/{id}");
    cr_expect_str_eq(plan_string(&plan, endpoints[0].method), "POST");
    cr_expect_eq(endpoints[0].timeout_ns, SECOND);
    cr_expect_eq(endpoints[0].cache_ttl_s, 90);
    cr_expect_eq(endpoints[0].max_body_bytes, 1024);
    cr_expect_eq(endpoints[0].max_in_flight, 3);
    cr_expect_eq(endpoints[0].output_encoding, PLAN_JSON);
    cr_expect_not(endpoints[0].passes_all_headers);
    cr_assert_eq(endpoints[0].headers.count, 2);
    cr_expect_str_eq(plan_string(&plan, headers[0]), "X-Request-Id");
    cr_expect_str_eq(plan_string(&plan, headers[1]), "Content-Type");
    cr_expect_eq(endpoints[1].parts.count, 0, "answers 501");
    cr_expect_eq(endpoints[2].timeout_ns, 7 * SECOND);
    cr_expect(endpoints[2].passes_all_headers);
    cr_expect_eq(endpoints[2].output_encoding, PLAN_JSON_COLLECTION);
    cr_expect_eq(endpoints[3].cache_ttl_s, 0, "less than a second");
    plan_leave(&plan);
}

static void expect_source(const struct plan_source *source, enum message_field_kind field,
    uint32_t parameter, const char *label)
{
    cr_expect_eq(source->field, field);
    cr_expect_eq(source->parameter, parameter);
    cr_expect_str_eq(plan_string(&plan, source->label), label);
}

Test(plan_front, says_where_the_fields_of_a_message_come_from)
{
    const struct plan_source *sources;

    join(text);
    sources = plan_items(&plan, part(0, 0)->sources);
    cr_assert_eq(part(0, 0)->sources.count, 3, "a parameter that is not there fills nothing");
    expect_source(&sources[0], MESSAGE_ROUTING_KEY, 1, "routing_key (parameter id)");
    expect_source(&sources[1], MESSAGE_EXPIRATION, 0, "exp_key (parameter a)");
    expect_source(&sources[2], MESSAGE_MESSAGE_ID, 1, "msg_id_key (parameter id)");
    sources = plan_items(&plan, part(0, 1)->sources);
    cr_assert_eq(part(0, 1)->sources.count, 1);
    expect_source(&sources[0], MESSAGE_ROUTING_KEY, PLAN_NONE, "routing_key");
    cr_expect_str_eq(plan_string(&plan, sources[0].text), "a.b");
    cr_expect_eq(part(2, 0)->sources.count, 0);
    plan_leave(&plan);
}

Test(plan_front, numbers_backends_and_sends_each_consumer_to_its_taps_worker)
{
    join(text);
    for (uint32_t i = 0; i < 2; i++) {
        cr_expect_eq(part(0, i)->backend, i);
        cr_expect_eq(part(0, i)->worker, PLAN_ANY_WORKER);
        cr_expect_eq(part(0, i)->verb, PLAN_PRODUCE);
    }
    for (uint32_t i = 0; i < 3; i++) {
        cr_expect_eq(part(2, i)->backend, 2 + i);
        cr_expect_eq(part(2, i)->verb, PLAN_CONSUME);
    }
    cr_expect_eq(part(2, 0)->worker, 0);
    cr_expect_eq(part(2, 1)->worker, 1);
    cr_expect_eq(part(2, 2)->worker, 0, "the same queue");
    cr_expect_eq(part(3, 0)->worker, 0, "the third tap of two workers");
    plan_leave(&plan);
}

Test(plan_front, carries_what_a_part_is)
{
    join(text);
    cr_expect(part(0, 0)->is_mandatory);
    cr_expect_not(part(0, 1)->is_mandatory);
    cr_expect_not(part(0, 0)->has_header_arrays);
    cr_expect(part(0, 1)->has_header_arrays);
    cr_expect_str_eq(plan_string(&plan, part(0, 1)->name), "backend[1] exchange audit");
    cr_expect_str_eq(plan_string(&plan, part(2, 1)->name), "backend[1] queue q2");
    cr_expect_eq(part(2, 0)->encoding, PLAN_JSON_COLLECTION);
    cr_expect_eq(part(2, 1)->encoding, PLAN_SAFEJSON);
    cr_expect_eq(part(2, 2)->encoding, PLAN_STRING);
    cr_expect_eq(part(3, 0)->encoding, PLAN_NO_OP, "as the endpoint's output");
    cr_expect_not(part(2, 0)->shows_properties);
    cr_expect(part(2, 1)->shows_properties, "the first that says so");
    cr_expect_not(part(2, 2)->shows_properties);
    plan_leave(&plan);
}

#define BACKEND(keys)                                                                              \
    "{" keys "\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/consumer\":{}}}"

Test(plan_front, calls_what_the_worker_shapes_an_object)
{
    join(
        "{\"version\":2,\"endpoints\":["
        "{\"endpoint\":\"/a\",\"backend\":[" BACKEND("\"encoding\":\"string\",\"group\":\"g\",") "," BACKEND(
            "\"is_collection\":true,\"whitelist\":[\"collection\"],") "," BACKEND("\"encoding\":"
                                                                                  "\"safejson\","
                                                                                  "\"blacklist\":[]"
                                                                                  ",\"mapping\":{},"
                                                                                  "\"target\":"
                                                                                  "\"\",") "]},"
                                                                                           "{\"endp"
                                                                                           "oint\":"
                                                                                           "\"/"
                                                                                           "raw\","
                                                                                           "\"outpu"
                                                                                           "t_"
                                                                                           "encodin"
                                                                                           "g\":"
                                                                                           "\"no-"
                                                                                           "op\","
                                                                                           "\"backe"
                                                                                           "nd\":"
                                                                                           "[" BACKEND(
                                                                                               "\"g"
                                                                                               "rou"
                                                                                               "p\""
                                                                                               ":\""
                                                                                               "g\""
                                                                                               ",") "]}]}");
    cr_expect_eq(part(0, 0)->encoding, PLAN_JSON);
    cr_expect_eq(part(0, 1)->encoding, PLAN_JSON);
    cr_expect_eq(part(0, 2)->encoding, PLAN_SAFEJSON, "rules that say nothing are none");
    cr_expect_eq(part(1, 0)->encoding, PLAN_NO_OP, "passed on as it is");
    plan_leave(&plan);
}

Test(plan_front, holds_nothing_of_a_broker_but_its_name)
{
    static const char *const words[] = {"us3r", "s3cr3t", "amqp"};

    join(text);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_expect_null(
            memmem(plan.base, plan.total_bytes, words[i], strlen(words[i])), "%s", words[i]);
    plan_leave(&plan);
}

Test(plan_front, bodies_are_no_larger_than_a_lane_holds)
{
    join("{\"version\":3,\"endpoints\":[{\"endpoint\":\"/a\",\"backend\":[{\"host\":[\"amqp://h\"],"
         "\"extra_config\":{\"backend/amqp/consumer\":{}}}]}],"
         "\"extra_config\":{\"leveret\":{\"workers\":8}}}");
    cr_expect_eq(endpoints[0].max_body_bytes, 4 << 20);
    plan_leave(&plan);
}

Test(plan_front, asks_in_turns_where_the_endpoint_says_so)
{
    join("{\"version\":3,\"host\":[\"amqp://h\"],\"endpoints\":["
         "{\"endpoint\":\"/a\",\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{}}}]},"
         "{\"endpoint\":\"/b\",\"extra_config\":{\"proxy\":{\"sequential\":true}},"
         "\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{}}}]}]}");
    cr_expect_not(endpoints[0].is_sequential);
    cr_expect(endpoints[1].is_sequential);
    plan_leave(&plan);
}

Test(plan_front, an_endpoint_answers_as_its_service_does_unless_it_says_otherwise)
{
    join("{\"version\":3,\"host\":[\"amqp://h\"],"
         "\"extra_config\":{\"leveret\":{\"compatibility\":\"krakend\"}},\"endpoints\":["
         "{\"endpoint\":\"/a\",\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{}}}]},"
         "{\"endpoint\":\"/b\",\"extra_config\":{\"leveret\":{\"compatibility\":\"none\"}},"
         "\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{}}}]}]}");
    cr_expect(front->is_krakend);
    cr_expect(endpoints[0].is_krakend);
    cr_expect_not(endpoints[1].is_krakend);
    plan_leave(&plan);
    join(text);
    cr_expect_not(front->is_krakend);
    cr_expect_not(endpoints[0].is_krakend);
    plan_leave(&plan);
}

/* ---- what the front itself does to an answer ---- */

#define TWO_CONSUMERS                                                                              \
    "\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"a\"}}},"                \
    "{\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"b\"}}}]"
#define ENDPOINTS(members)                                                                         \
    "{\"version\":3,\"host\":[\"amqp://h\"],\"endpoints\":[{\"endpoint\":\"/a\"," members "}]}"

Test(plan_front, carries_the_members_that_are_added_in_their_shortest_form)
{
    cr_assert_eq(setenv("LEVERET_TEST_REGION", "e\"u", 1), 0);
    join(ENDPOINTS("\"extra_config\":{\"proxy\":{\"static\":{\"strategy\":\"incomplete\",\"data\":"
                   "{ \"a\" : [1, 0.1, 1e3, 2.50, -0.0, 1e300, 123456789012345678, null, true, {}],"
                   "\"r\\u00e9\":\"${LEVERET_TEST_REGION}\",\"o\":{\"x\":0.30000000000000004}}}}}"
                   "," TWO_CONSUMERS));
    cr_expect_str_eq(plan_string(&plan, endpoints[0].fixed),
        "{\"a\":[1,0.1,1000,2.5,-0,1e+300,123456789012345678,null,true,{}],"
        "\"r\xc3\xa9\":\"e\\\"u\",\"o\":{\"x\":0.30000000000000004}}");
    cr_expect_eq(endpoints[0].fixed_strategy, PLAN_STATIC_INCOMPLETE);
    plan_leave(&plan);
    join(ENDPOINTS("\"extra_config\":{\"proxy\":{\"static\":{\"data\":{}}}}," TWO_CONSUMERS));
    cr_expect_eq(endpoints[0].fixed.length, 0);
    plan_leave(&plan);
}

static void expect_path(struct plan_list list, const char *expected)
{
    const struct plan_text *names = plan_items(&plan, list);
    char path[256] = "";

    for (uint32_t i = 0; i < list.count; i++)
        (void)strcat(strcat(path, i ? "/" : ""), plan_string(&plan, names[i]));
    cr_expect_str_eq(path, expected);
}

#define FLATMAP                                                                                    \
    "\"extra_config\":{\"proxy\":{\"flatmap_filter\":["                                            \
    "{\"type\":\"move\",\"args\":[\"a.*.b\",\"c\"]},{\"type\":\"del\",\"args\":[\"d\",\"e.\\\"\"]" \
    "},"                                                                                           \
    "{\"type\":\"append\",\"args\":[\"f\",\"g\"]}]}},"

Test(plan_front, carries_the_operations_on_a_merged_answer_one_path_each)
{
    static const enum plan_flatmap_verb verbs[] = {
        PLAN_FLATMAP_MOVE, PLAN_FLATMAP_DEL, PLAN_FLATMAP_DEL, PLAN_FLATMAP_APPEND};
    static const char *const from[] = {"a/*/b", "d", "e/\\\"", "f"};
    static const char *const to[] = {"c", "", "", "g"};
    const struct plan_flatmap *operations;

    join(ENDPOINTS(FLATMAP TWO_CONSUMERS));
    cr_assert_eq(endpoints[0].flatmap.count, 4);
    operations = plan_items(&plan, endpoints[0].flatmap);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(operations[i].verb, verbs[i]);
        expect_path(operations[i].from, from[i]);
        expect_path(operations[i].to, to[i]);
    }
    plan_leave(&plan);
    join(ENDPOINTS(FLATMAP "\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{}}}]"));
    cr_expect_eq(endpoints[0].flatmap.count, 0, "one backend's message is not merged");
    plan_leave(&plan);
}
