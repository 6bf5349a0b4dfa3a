/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keys say to each other, as the whole report has it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"

TestSuite(config_rules, .init = fixture_enter, .fini = fixture_leave);

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define FILE(endpoints) "{\"version\":3,\"endpoints\":[\n" endpoints "]}"
#define GET(path, backends) "{\"endpoint\":\"" path "\",\"backend\":[\n" backends "]}"
#define POST(path, backends)                                                                       \
    "{\"endpoint\":\"" path "\",\"method\":\"POST\",\"backend\":[\n" backends "]}"
#define CONSUME(keys, own)                                                                         \
    "{\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/consumer\":{\n" keys                \
    "},\n\"leveret\":{" own "}}}"
#define PRODUCE(keys, own)                                                                         \
    "{\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/producer\":{\n" keys                \
    "},\n\"leveret\":{" own "}}}"
#define CONSUMER_AT(i, j)                                                                          \
    "$.endpoints[" #i "].backend[" #j "].extra_config[\"backend/amqp/consumer\"]"
#define PRODUCER_AT(i, j)                                                                          \
    "$.endpoints[" #i "].backend[" #j "].extra_config[\"backend/amqp/producer\"]"

static const struct report_row routes[] = {
    {FILE(GET("/a", CONSUME("", "")) ",\n" GET("/a", CONSUME("", ""))),
        "f:6:13: $.endpoints[1].endpoint: error: GET /a is what $.endpoints[0] serves already\n",
        CONFIG_INVALID},
    {FILE(GET("/a", CONSUME("", "")) ",\n" POST("/a", PRODUCE("", ""))), "", CONFIG_VALID},
    {FILE(GET("/a/{b}", CONSUME("", "")) ",\n" GET("/a/{c}", CONSUME("", ""))),
        "f:6:13: $.endpoints[1].endpoint: error: GET /a/{c} is what $.endpoints[0] serves "
        "already\n",
        CONFIG_INVALID},
    {FILE(GET("/a/{b}", CONSUME("", "")) ",\n" GET("/a/b", CONSUME("", ""))), "", CONFIG_VALID},
    {FILE(GET("/a", CONSUME("", "")) ",\n" GET("a", CONSUME("", ""))),
        "f:6:13: $.endpoints[1].endpoint: error: GET /a is what $.endpoints[0] serves already\n",
        CONFIG_INVALID},
    {FILE(GET("/a/{b}c", CONSUME("", ""))),
        "f:2:13: $.endpoints[0].endpoint: error: a parameter takes a whole segment and has a name, "
        "as "
        "in /a/{name}\n",
        CONFIG_INVALID},
    {FILE("{\"backend\":[" CONSUME("", "") "]}"),
        "f:2:1: $.endpoints[0]: error: has no \"endpoint\", the path to serve\n", CONFIG_INVALID},
    {FILE(GET("/__health", "")),
        "f:2:1: $.endpoints[0]: warning: has no AMQP backend: it answers 501 not-amqp\n"
        "f:2:13: $.endpoints[0].endpoint: error: is reserved\n",
        CONFIG_INVALID},
};

Test(config_rules, name_routes_that_clash)
{
    fixture_expect_reports(routes, N(routes));
}

static const struct report_row backends[] = {
    {FILE(GET("/a", "{\"host\":[\"http://h\"],\"encoding\":\"xml\",\"mapping\":{\"a\":\"b\"}}")),
        "f:2:1: $.endpoints[0]: warning: has no AMQP backend: it answers 501 not-amqp\n",
        CONFIG_VALID},
    {FILE("{\"endpoint\":\"/a\",\"extra_config\":{\"auth/validator\":{}},\"backend\":[{}]}"),
        "f:2:1: $.endpoints[0]: warning: has no AMQP backend: it answers 501 not-amqp\n",
        CONFIG_VALID},
    {FILE(GET("/a", CONSUME("", "") ",\n{\"host\":[\"http://h\"]}")),
        "f:2:28: $.endpoints[0].backend: error: mixes AMQP backends with others\n", CONFIG_INVALID},
    {FILE(GET("/a", CONSUME("", "") ",\n7")),
        "f:2:28: $.endpoints[0].backend: error: mixes AMQP backends with others\n"
        "f:6:1: $.endpoints[0].backend[1]: error: must be an object, not an integer\n",
        CONFIG_INVALID},
    {FILE(GET("/a", "{\"extra_config\":{\"backend/amqp/consumer\":{},"
                    "\"github.com/devopsfaith/krakend-amqp/produce\":{}}}")),
        "f:3:1: $.endpoints[0].backend[0]: error: is a consumer and a producer at once: make it "
        "two "
        "backends\n",
        CONFIG_INVALID},
    {FILE(GET("/a", "{\"extra_config\":{\"backend/amqp/consumer\":{}}}")),
        "f:3:1: $.endpoints[0].backend[0]: error: has no host, and neither has the service\n",
        CONFIG_INVALID},
    {"{\"version\":3,\"host\":[\"http://h\"],\"endpoints\":[\n" GET("/a",
         "{\"extra_config\":{\"backend/amqp/consumer\":{}}},"
         "{\"extra_config\":{\"backend/amqp/consumer\":{}}}") "]}",
        "f:1:22: $.host[0]: error: an AMQP backend needs amqp:// or amqps://, not http://\n",
        CONFIG_INVALID},
    {FILE(GET("/a", "{\"host\":[\"amqp://h/a\",\"amqp://i/b\"],"
                    "\"extra_config\":{\"backend/amqp/consumer\":{}}}")),
        "f:3:23: $.endpoints[0].backend[0].host[1]: error: leads elsewhere than the first host: "
        "vhost, heartbeat, connection_timeout, channel_max and whether it is amqps:// must be the "
        "same\n",
        CONFIG_INVALID},
    {FILE(GET("/a", "{\"host\":[\"amqps://h/?verify=verify_none\",\"amqp://h\"],"
                    "\"extra_config\":{\"backend/amqp/consumer\":{}}}")),
        "f:3:10: $.endpoints[0].backend[0].host[0]: warning: verify=verify_none lets anybody stand "
        "in for the broker and read the credentials\n"
        "f:3:42: $.endpoints[0].backend[0].host[1]: error: leads elsewhere than the first host: "
        "vhost, heartbeat, connection_timeout, channel_max and whether it is amqps:// must be the "
        "same\n",
        CONFIG_INVALID},
    {FILE("{\"endpoint\":\"/a\",\"concurrent_calls\":2,\"backend\":[" CONSUME("", "") "]}"),
        "f:2:37: $.endpoints[0].concurrent_calls: warning: is taken as 1: asking twice would take "
        "or "
        "publish two messages\n",
        CONFIG_VALID},
    {FILE("{\"endpoint\":\"/a\",\"output_encoding\":\"no-op\",\"backend\":[" CONSUME(
         "", "") "," CONSUME("", "") "]}"),
        "f:2:36: $.endpoints[0].output_encoding: error: no-op passes one message on as it is, and "
        "there are 2 backends\n",
        CONFIG_INVALID},
    {FILE(GET("/a", CONSUME("", "\"properties_to_headers\":false") ",\n" CONSUME(
                        "", "\"properties_to_headers\":true") ",\n" CONSUME("",
                        "\"properties_to_headers\":true"))),
        "f:11:36: $.endpoints[0].backend[2].extra_config.leveret.properties_to_headers: warning: "
        "has no effect: the answer shows the properties of one message, that of "
        "$.endpoints[0].backend[1]\n",
        CONFIG_VALID},
};

Test(config_rules, name_backends_that_cannot_be_together)
{
    fixture_expect_reports(backends, N(backends));
}

static const struct report_row parameters[] = {
    {FILE(POST("/a/{route}", PRODUCE("\"routing_key\":\"Route\"", ""))), "", CONFIG_VALID},
    {FILE(POST("/a/{route}", PRODUCE("\"routing_key\":\"route\"", ""))),
        "f:4:15: " PRODUCER_AT(
            0, 0) ".routing_key: error: parameters are named with the first letter "
                  "in upper case: did you mean \"Route\"?\n",
        CONFIG_INVALID},
    {FILE(POST("/a/{Route}", PRODUCE("\"routing_key\":\"route\"", ""))),
        "f:4:15: " PRODUCER_AT(
            0, 0) ".routing_key: error: parameters are named with the first letter "
                  "in upper case: did you mean \"Route\"?\n",
        CONFIG_INVALID},
    {FILE(POST("/a/{id}", PRODUCE("\"msg_id_key\":\"id\"", ""))),
        "f:4:14: " PRODUCER_AT(
            0, 0) ".msg_id_key: error: parameters are named with the first letter "
                  "in upper case: did you mean \"Id\"?\n",
        CONFIG_INVALID},
    {FILE(POST(
         "/a", PRODUCE("\"routing_key\":\"Route\",\n\"exp_key\":\"A\",\n\"reply_to_key\":\"B\",\n"
                       "\"msg_id_key\":\"Id\",\n\"priority_key\":\"Prio\"",
                   ""))),
        "f:4:15: " PRODUCER_AT(0,
            0) ".routing_key: warning: the endpoint has no parameter of this "
               "name: the routing key is empty\n"
               "f:5:11: " PRODUCER_AT(0,
                   0) ".exp_key: warning: the endpoint has no parameter of this name: "
                      "there is no expiration\n"
                      "f:6:16: " PRODUCER_AT(0,
                          0) ".reply_to_key: warning: the endpoint has no parameter of this "
                             "name: there is no reply_to\n"
                             "f:7:14: " PRODUCER_AT(0,
                                 0) ".msg_id_key: warning: the endpoint has no parameter of this "
                                    "name: Leveret makes the message id\n"
                                    "f:8:16: " PRODUCER_AT(
                                        0, 0) ".priority_key: warning: the endpoint has no "
                                              "parameter of this "
                                              "name: there is no priority\n",
        CONFIG_VALID},
    {FILE(POST("/a/{route}", PRODUCE("\"routing_key\":\"route\",\"static_routing_key\":true", ""))),
        "", CONFIG_VALID},
};

Test(config_rules, name_parameters_that_the_route_does_not_have)
{
    fixture_expect_reports(parameters, N(parameters));
}

#define BINDS_NOTHING "has no effect: \"declare\" says to change nothing on the broker\n"

static const struct report_row settings[] = {
    {FILE(POST("/a", PRODUCE("\"immediate\":true", ""))),
        "f:4:13: " PRODUCER_AT(
            0, 0) ".immediate: warning: RabbitMQ closes the connection on it: the "
                  "endpoint answers 501\n",
        CONFIG_VALID},
    {FILE(POST("/a", PRODUCE("\"mandatory\":true", "\"confirm\":false"))),
        "f:4:13: " PRODUCER_AT(0, 0) ".mandatory: warning: has no effect with \"confirm\": false, "
                                     "which answers before the broker does\n",
        CONFIG_VALID},
    {FILE(POST("/a", PRODUCE("", "\"bind\":[\"k\"]"))),
        "f:5:19: $.endpoints[0].backend[0].extra_config.leveret.bind: warning: has no effect "
        "without "
        "a \"name\", the queue to bind\n"
        "f:5:19: $.endpoints[0].backend[0].extra_config.leveret.bind: warning: has no effect "
        "without "
        "an \"exchange\" to bind to\n",
        CONFIG_VALID},
    {FILE(GET("/a", CONSUME("\"name\":\"q\",\"no_wait\":true,\"prefetch_size\":1000", ""))),
        "f:4:43: " CONSUMER_AT(0, 0) ".prefetch_size: warning: is taken as 0: RabbitMQ closes the "
                                     "connection on anything else\n",
        CONFIG_VALID},
    {FILE(POST(
         "/a", PRODUCE("\"prefetch_size\":1000,\"prefetch_count\":10,\"exclusive\":true", ""))),
        "", CONFIG_VALID},
    {FILE(GET("/a", CONSUME("\"name\":\"q\",\"routing_key\":[\"#\"]", ""))),
        "f:4:26: " CONSUMER_AT(
            0, 0) ".routing_key: warning: has no effect without an \"exchange\" to "
                  "bind to\n",
        CONFIG_VALID},
    {FILE(GET("/a", CONSUME("\"name\":\"q\",\"exchange\":\"e\",\"routing_key\":[\"#\"]",
                        "\"declare\":\"passive\""))),
        "f:4:41: " CONSUMER_AT(0, 0) ".routing_key: warning: " BINDS_NOTHING, CONFIG_VALID},
    {FILE(POST("/a",
         PRODUCE("\"name\":\"q\",\"exchange\":\"e\"", "\"declare\":\"none\",\"bind\":[\"k\"]"))),
        "f:5:36: $.endpoints[0].backend[0].extra_config.leveret.bind: warning: " BINDS_NOTHING,
        CONFIG_VALID},
    {FILE(GET("/a", CONSUME("", "\"declare\":\"none\""))),
        "f:5:22: $.endpoints[0].backend[0].extra_config.leveret.declare: error: needs a \"name\": "
        "a "
        "queue that the broker names is there only when it was declared\n",
        CONFIG_INVALID},
    {FILE(
         GET("/a", CONSUME("\"name\":\"q\"", "\"queue_arguments\":{\"x-max-length\":5,\"a\":[]}"))),
        "f:5:52: $.endpoints[0].backend[0].extra_config.leveret.queue_arguments.a: error: must be "
        "a "
        "string, a number or a boolean, not an array\n",
        CONFIG_INVALID},
    {"{\"version\":3,\"max_header_bytes\":500000,\"endpoints\":[]}",
        "f:1:33: $.max_header_bytes: warning: more than 417792 is never taken in\n", CONFIG_VALID},
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"workers\":64,\"memory\":"
     "\"16MiB\"}}}",
        "f:1:78: $.extra_config.leveret.memory: error: is too little for 64 workers\n",
        CONFIG_INVALID},
};

Test(config_rules, name_settings_that_have_no_effect)
{
    fixture_expect_reports(settings, N(settings));
}

#define SHAPED(keys)                                                                               \
    "{\"host\":[\"amqp://h\"],\n" keys ",\"extra_config\":{\"backend/amqp/consumer\":{}}}"
#define NAMES_8 "a.a.a.a.a.a.a.a."

static const struct report_row shapes[] = {
    {FILE(GET("/a", SHAPED("\"target\":\"a.b\",\"allow\":[\"a\"],\"mapping\":{\"a\":\"b\"},"
                           "\"group\":\"g\""))),
        "", CONFIG_VALID},
    {FILE(GET("/a", SHAPED("\"deny\":[\"a\"],\"allow\":[\"a\"]"))),
        "f:4:8: $.endpoints[0].backend[0].deny: warning: has no effect beside \"allow\"\n",
        CONFIG_VALID},
    {FILE(GET("/a", SHAPED("\"mapping\":{\"a\":\"b\",\"c\":5}"))),
        "f:4:24: $.endpoints[0].backend[0].mapping.c: error: must be a string, not an integer\n",
        CONFIG_INVALID},
    {FILE(GET("/a", SHAPED("\"target\":\"" NAMES_8 NAMES_8 NAMES_8 NAMES_8 "\""))),
        "f:4:10: $.endpoints[0].backend[0].target: error: has more than 32 names\n",
        CONFIG_INVALID},
    {FILE(GET("/a", SHAPED("\"deny\":[\"a\",\"" NAMES_8 NAMES_8 NAMES_8 NAMES_8 "\"]"))),
        "f:4:13: $.endpoints[0].backend[0].deny[1]: error: has more than 32 names\n",
        CONFIG_INVALID},
    {FILE("{\"endpoint\":\"/a\",\"output_encoding\":\"no-op\",\"backend\":[\n" SHAPED(
         "\"group\":\"g\",\"deny\":[\"a\"]") "]}"),
        "f:4:9: $.endpoints[0].backend[0].group: warning: has no effect: no-op passes the message "
        "on as it is\n"
        "f:4:20: $.endpoints[0].backend[0].deny: warning: has no effect: no-op passes the message "
        "on as it is\n",
        CONFIG_VALID},
    {FILE(POST("/a", "{\"host\":[\"amqp://h\"],\n\"group\":\"g\",\"extra_config\":{\"backend/amqp/"
                     "producer\":{}}}")),
        "f:4:9: $.endpoints[0].backend[0].group: warning: has no effect: a producer gets no "
        "messages\n",
        CONFIG_VALID},
};

Test(config_rules, name_shapes_that_are_none)
{
    fixture_expect_reports(shapes, N(shapes));
}

#define SAYS "differs from what $.endpoints[0].backend[0] says of the same "
#define OWN "$.endpoints[1].backend[0].extra_config.leveret"

static const struct report_row shared[] = {
    {FILE(GET("/a", CONSUME("\"name\":\"q\",\"durable\":true", "")) ",\n" GET(
         "/b", CONSUME("\"name\":\"q\",\"durable\":true", ""))),
        "", CONFIG_VALID},
    {FILE(GET("/a", CONSUME("\"name\":\"q\",\"durable\":true", "")) ",\n" GET(
         "/b", CONSUME("\"name\":\"q\"", ""))),
        "f:7:62: " CONSUMER_AT(1, 0) ".durable: error: " SAYS "queue: one consumer serves both\n",
        CONFIG_INVALID},
    {FILE(GET("/a", CONSUME("\"name\":\"q\"", "")) ",\n" GET(
         "/b", CONSUME("\"name\":\"q\",\"exclusive\":true", ""))),
        "f:8:24: " CONSUMER_AT(1, 0) ".exclusive: error: " SAYS "queue: one consumer serves both\n",
        CONFIG_INVALID},
    {FILE(GET("/a",
         CONSUME("\"name\":\"q\"", "\"queue_arguments\":{\"x-max-length\":5}")) ",\n" GET("/b",
         CONSUME("\"name\":\"q\",\"delete\":false", "\"queue_arguments\":{\"x-max-length\":6}"))),
        "f:9:30: " OWN ".queue_arguments: error: " SAYS "queue: one consumer serves both\n",
        CONFIG_INVALID},
    {FILE(GET("/a", CONSUME("\"durable\":true", "")) ",\n" GET(
         "/b", CONSUME("\"durable\":false", ""))),
        "", CONFIG_VALID},
    {FILE(GET("/a", CONSUME("\"name\":\"q\"", "\"idle_release\":\"1s\"")) ",\n" GET(
         "/b", CONSUME("\"name\":\"q\",\"no_local\":true",
                   "\"idle_release\":\"2s\",\"declare\":\"none\""))),
        "f:8:23: " CONSUMER_AT(1, 0) ".no_local: warning: " SAYS
                                     "queue, which counts: one consumer "
                                     "serves both\n"
                                     "f:9:27: " OWN ".idle_release: warning: " SAYS
                                     "queue, which counts: one consumer serves both\n"
                                     "f:9:42: " OWN ".declare: warning: " SAYS
                                     "queue, which counts: it is declared once\n",
        CONFIG_VALID},
    {FILE(GET("/a", CONSUME("\"name\":\"q\",\"exchange\":\"e\",\"durable\":true", "")) ",\n" POST(
         "/b", PRODUCE("\"exchange\":\"e\",\"name\":\"q\"", "\"exchange_type\":\"direct\""))),
        "f:7:62: " PRODUCER_AT(1, 0) ".durable: warning: " SAYS
                                     "queue: the broker will refuse one of "
                                     "the two\n"
                                     "f:9:28: " OWN ".exchange_type: warning: " SAYS
                                     "exchange: the broker will refuse one of the "
                                     "two\n",
        CONFIG_VALID},
    {FILE(POST("/a", PRODUCE("\"exchange\":\"e\",\"backoff_strategy\":\"linear\"", "")) ",\n" POST(
         "/b", PRODUCE("\"exchange\":\"f\",\"max_retries\":3", ""))),
        "f:7:62: " PRODUCER_AT(1, 0) ".backoff_strategy: warning: " SAYS
                                     "broker, which counts: it is "
                                     "connected to once\n"
                                     "f:8:30: " PRODUCER_AT(1, 0) ".max_retries: warning: " SAYS
                                                                  "broker, which counts: it is "
                                                                  "connected to once\n",
        CONFIG_VALID},
};

Test(config_rules, name_queues_and_exchanges_that_are_described_twice_and_differently)
{
    fixture_expect_reports(shared, N(shared));
}

#define LONG_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_255 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50 "aaaaa"

static const struct report_row lengths[] = {
    {FILE(GET("/a", CONSUME("\"name\":\"" LONG_255 "\",\"exchange\":\"" LONG_255
                            "\",\"routing_key\":[\"" LONG_255 "\"]",
                        "\"exchange_type\":\"" LONG_255 "\""))),
        "", CONFIG_VALID},
    {FILE(GET("/a", CONSUME("\"name\":\"" LONG_255 "a\",\n\"exchange\":\"" LONG_255
                            "a\",\n\"routing_key\":[\"#\",\"" LONG_255 "a\"]",
                        "\"exchange_type\":\"" LONG_255 "a\""))),
        "f:4:8: " CONSUMER_AT(
            0, 0) ".name: error: is longer than the 255 bytes that AMQP allows\n"
                  "f:5:12: " CONSUMER_AT(
                      0, 0) ".exchange: error: is longer than the 255 bytes that AMQP "
                            "allows\n"
                            "f:6:20: " CONSUMER_AT(0,
                                0) ".routing_key[1]: error: is longer than the 255 bytes that AMQP "
                                   "allows\n"
                                   "f:7:28: "
                                   "$.endpoints[0].backend[0].extra_config.leveret.exchange_type: "
                                   "error: is longer than "
                                   "the 255 bytes that AMQP allows\n",
        CONFIG_INVALID},
    {FILE(POST("/a", PRODUCE("\"static_routing_key\":true,\n\"routing_key\":\"" LONG_255 "a\"",
                         "\"bind\":[\"" LONG_255 "a\"]"))),
        "f:5:15: " PRODUCER_AT(
            0, 0) ".routing_key: error: is longer than the 255 bytes that AMQP "
                  "allows\n"
                  "f:6:19: $.endpoints[0].backend[0].extra_config.leveret.bind: warning: has no "
                  "effect without "
                  "a \"name\", the queue to bind\n"
                  "f:6:19: $.endpoints[0].backend[0].extra_config.leveret.bind: warning: has no "
                  "effect without "
                  "an \"exchange\" to bind to\n"
                  "f:6:20: $.endpoints[0].backend[0].extra_config.leveret.bind[0]: error: is "
                  "longer than the 255 "
                  "bytes that AMQP allows\n",
        CONFIG_INVALID},
};

Test(config_rules, name_what_amqp_cannot_carry)
{
    fixture_expect_reports(lengths, N(lengths));
}

static const struct report_row listeners[] = {
    {"[\"a\"]", "is not host:port, [address]:port, unix:/path or unix:/path?mode=0660", 1},
    {"[\"a:b\"]", "is not host:port, [address]:port, unix:/path or unix:/path?mode=0660", 1},
    {"[\"a:65536\"]", "is not host:port, [address]:port, unix:/path or unix:/path?mode=0660", 1},
    {"[\"::1:80\"]", "is not host:port, [address]:port, unix:/path or unix:/path?mode=0660", 1},
    {"[\"unix:a\"]", "is not host:port, [address]:port, unix:/path or unix:/path?mode=0660", 1},
    {"[\"unix:/a?mode=8\"]", "has a mode that is not one such as 0660", 1},
    {"[\"unix:/a?mode=\"]", "has a mode that is not one such as 0660", 1},
    {"[\"unix:/a?mode=1777\"]", "has a mode that is not one such as 0660", 1},
    {"[\"unix:/" LONG_50 LONG_50 "aaaaaaa\"]", "has a longer path than a socket can have", 1},
};

static const struct report_row services[] = {
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\n\"admin_listen\":\"8090\"}}"
     "}",
        "f:2:16: $.extra_config.leveret.admin_listen: error: \"8090\" is not host:port, "
        "[address]:port, unix:/path or unix:/path?mode=0660, nor off\n",
        CONFIG_INVALID},
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\n\"admin_listen\":"
     "\"0.0.0.0:8090\"}}}",
        "f:2:16: $.extra_config.leveret.admin_listen: error: 0.0.0.0:8090 can be reached from "
        "other "
        "machines, which needs admin_token; else listen at 127.0.0.1 or at a unix socket\n",
        CONFIG_INVALID},
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"admin_listen\":\":8090\",\n"
     "\"admin_token\":\"not long enough\"}}}",
        "f:2:15: $.extra_config.leveret.admin_token: error: is not 16 to 256 letters, digits or "
        "-._~+/=\n",
        CONFIG_INVALID},
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"drain_timeout\":\"5s\",\n"
     "\"drain_delay\":\"5s\"}}}",
        "f:2:15: $.extra_config.leveret.drain_delay: error: is no part of drain_timeout, which "
        "must "
        "be longer: nothing would be drained\n",
        CONFIG_INVALID},
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"drain_timeout\":\"5s\","
     "\"drain_delay\":\"4s\"}}}",
        "", CONFIG_VALID},
};

Test(config_rules, name_an_address_of_figures_and_a_delay_that_cannot_be)
{
    fixture_expect_reports(services, N(services));
}

static const struct report_row unconfined[] = {
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\n\"confinement\":\"off\"}}}",
        "f:2:15: $.extra_config.leveret.confinement: warning: lets front and workers keep whatever "
        "rights they are started with\n",
        CONFIG_VALID},
    {"{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"confinement\":\"on\"}}}", "",
        CONFIG_VALID},
};

Test(config_rules, warn_of_children_that_keep_their_rights)
{
    fixture_expect_reports(unconfined, N(unconfined));
}

Test(config_rules, allow_as_many_listeners_as_a_front_can_have)
{
    for (int n = 16; n <= 17; n++) {
        char list[512] = "", text[700];
        for (int i = 0; i < n; i++)
            (void)snprintf(
                list + strlen(list), sizeof list - strlen(list), "%s\"a:%d\"", i ? "," : "", i + 1);
        (void)snprintf(text, sizeof text,
            "{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\n\"listen\":[%s]}}}",
            list);
        const struct report_row row = {text,
            n == 16 ? ""
                    : "f:2:10: $.extra_config.leveret.listen: error: has 17 listeners, and 16 "
                      "are the most\n",
            n == 16 ? CONFIG_VALID : CONFIG_INVALID};
        fixture_expect_reports(&row, 1);
    }
}

Test(config_rules, name_listeners_that_cannot_be)
{
    for (size_t i = 0; i < N(listeners); i++) {
        char text[400], report[400];
        struct loaded loaded;

        (void)snprintf(text, sizeof text,
            "{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"listen\":\n%s}}}",
            listeners[i].text);
        (void)snprintf(report, sizeof report,
            "f:2:2: $.extra_config.leveret.listen[0]: error: %s\n", listeners[i].report);
        loaded = fixture_load(text);
        cr_expect_str_eq(loaded.report, report);
        loaded_done(&loaded);
    }
}

Test(config_rules, name_memory_that_does_not_hold_a_body)
{
    struct loaded loaded = fixture_load(FILE(
        GET("/a", CONSUME("", "")) "],\"extra_config\":{\"leveret\":{\"workers\":8}},\"x\":[1"));

    cr_assert_str_eq(loaded.report,
        "f:5:45: $.extra_config.leveret.memory: warning: holds no body of over 4096 KiB: a larger "
        "max_body has no effect\n"
        "f:5:64: $.x: warning: unknown key: it has no effect\n");
    loaded_done(&loaded);
}

/* Eight workers have 256 slots each. */
static char *report_of_brokers(int n)
{
    char text[128 * 1024] = "{\"version\":3,\"extra_config\":{\"leveret\":{\"workers\":8,"
                            "\"memory\":\"128MiB\"}},\"endpoints\":[";
    for (int i = 0; i < n; i++)
        (void)sprintf(text + strlen(text),
            "%s{\"endpoint\":\"/%d\",\"method\":\"POST\",\"backend\":[{\"host\":[\"amqp://h%d\"],"
            "\"extra_config\":{\"backend/amqp/producer\":{},\"leveret\":{}}}]}",
            i ? "," : "", i, i);
    strcat(text, "]}");
    struct loaded loaded = fixture_load(text);
    char *report = strdup(loaded.report);
    loaded_done(&loaded);
    return report;
}

Test(config_rules, name_more_brokers_than_there_are_slots_for_stalled_ones)
{
    char *few = report_of_brokers(128), *many = report_of_brokers(129);

    cr_expect_null(strstr(few, "too few for the windows"), "%.300s", few);
    cr_expect_not_null(
        strstr(many, "$.extra_config.leveret.memory: warning: gives each worker 256 slots, "
                     "and half of them are too few for the windows of 129 brokers"),
        "%.300s", many);
    free(few);
    free(many);
}

/* ---- encodings that others have ---- */

#define WRITTEN_AS(output)                                                                         \
    FILE("{\"endpoint\":\"/a\",\n\"output_encoding\":\"" output                                    \
         "\",\"backend\":[\n" CONSUME("", "") "]}")
#define READ_AS(encoding)                                                                          \
    FILE(GET("/a", "{\"host\":[\"amqp://h\"],\n\"encoding\":\"" encoding                           \
                   "\",\"extra_config\":{\"backend/amqp/consumer\":{}}}"))
#define NOT_WRITTEN(output)                                                                        \
    {                                                                                              \
        WRITTEN_AS(output),                                                                        \
            "f:3:19: $.endpoints[0].output_encoding: error: \"" output                             \
            "\" is none of json, json-collection, string, no-op, negotiate\n",                     \
            CONFIG_INVALID                                                                         \
    }
#define NOT_READ(encoding)                                                                         \
    {                                                                                              \
        READ_AS(encoding),                                                                         \
            "f:4:12: $.endpoints[0].backend[0].encoding: error: \"" encoding                       \
            "\" is none of json, safejson, string, no-op\n",                                       \
            CONFIG_INVALID                                                                         \
    }

static const struct report_row encodings[] = {NOT_WRITTEN("xml"), NOT_WRITTEN("rss"),
    NOT_WRITTEN("yaml"), NOT_READ("xml"), NOT_READ("rss"), NOT_READ("yaml"),
    {"{\"version\":3,\"output_encoding\":\"yaml\",\"endpoints\":[]}",
        "f:1:32: $.output_encoding: error: \"yaml\" is none of json, json-collection, string, "
        "no-op, negotiate\n",
        CONFIG_INVALID}};

Test(config_rules, name_encodings_that_are_not_spoken)
{
    fixture_expect_reports(encodings, N(encodings));
}

/* ---- static and flatmap_filter ---- */

#define FLATTENED(operations)                                                                      \
    FILE(GET("/a", "{\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/consumer\":{},"      \
                   "\"proxy\":{\n\"flatmap_filter\":[" operations "]}}}"))
#define OPERATION(type, args) "\n{\"type\":\"" type "\",\n\"args\":[" args "]}"
#define FLATMAP_AT "$.endpoints[0].backend[0].extra_config.proxy.flatmap_filter"
#define TEN_NAMES "a.b.c.d.e.f.g.h.i.j"

static const struct report_row flatmaps[] = {
    {FLATTENED(OPERATION("move", "\"a.b\",\"a.c\"") "," OPERATION("Append",
         "\"a.*.b\",\"c\"") "," OPERATION("del", "\"a\",\"b.*\"") "," OPERATION("del", "")),
        "", CONFIG_VALID},
    {FLATTENED("\n{\"args\":[\"a\"]}"), "f:5:1: " FLATMAP_AT "[0]: error: has no \"type\"\n",
        CONFIG_INVALID},
    {FLATTENED("\n{\"type\":null,\"args\":[]}"),
        "f:5:1: " FLATMAP_AT "[0]: error: has no \"type\"\n", CONFIG_INVALID},
    {FLATTENED(OPERATION("", "")),
        "f:5:9: " FLATMAP_AT "[0].type: error: \"\" is none of move, append, del\n",
        CONFIG_INVALID},
    {FLATTENED(OPERATION("${LEVERET_NOT_SET:-}", "")),
        "f:5:9: " FLATMAP_AT "[0].type: error: \"${LEVERET_NOT_SET:-}\" is none of move, append, "
        "del\n",
        CONFIG_INVALID},
    {FLATTENED("\n7"), "f:5:1: " FLATMAP_AT "[0]: error: must be an object, not an integer\n",
        CONFIG_INVALID},
    {FLATTENED(OPERATION("copy", "\"a\",\"b\"")),
        "f:5:9: " FLATMAP_AT "[0].type: error: \"copy\" is none of move, append, del\n",
        CONFIG_INVALID},
    {FLATTENED(OPERATION("move", "\"a\"")),
        "f:6:8: " FLATMAP_AT "[0].args: error: must have two paths, from and to\n", CONFIG_INVALID},
    {FLATTENED(OPERATION("append", "\"a\",\"b\",\"c\"")),
        "f:6:8: " FLATMAP_AT "[0].args: warning: has two paths: the others have no effect\n",
        CONFIG_VALID},
    {FLATTENED(OPERATION("move", "\"a.b\",\"x.c\"")),
        "f:6:8: " FLATMAP_AT "[0].args: warning: gives a new name and no other place: both paths "
        "are equally long, so only the last name of the second counts\n",
        CONFIG_VALID},
    {FLATTENED(OPERATION("append", "\"a\",\"b.*\"")),
        "f:6:8: " FLATMAP_AT "[0].args: warning: has no effect: in the second path * stands for "
        "no name\n",
        CONFIG_VALID},
    {FLATTENED(OPERATION("del", "\"" TEN_NAMES "." TEN_NAMES "." TEN_NAMES ".x.y.z\"")),
        "f:6:9: " FLATMAP_AT "[0].args[0]: error: has more than 32 names\n", CONFIG_INVALID},
    {FILE(GET("/a", "{\"host\":[\"amqp://h\"],\"allow\":[\"a\"],\"mapping\":{\"a\":\"b\"},\n"
                    "\"extra_config\":{\"backend/amqp/consumer\":{},"
                    "\"proxy\":{\"flatmap_filter\":[{\"type\":\"del\",\"args\":[\"a\"]}]}}}")),
        "f:3:30: $.endpoints[0].backend[0].allow: warning: has no effect beside "
        "\"flatmap_filter\"\n"
        "f:3:46: $.endpoints[0].backend[0].mapping: warning: has no effect beside "
        "\"flatmap_filter\"\n",
        CONFIG_VALID},
    {FILE(GET("/a", "{\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/producer\":{},\n"
                    "\"proxy\":{\"flatmap_filter\":[{\"type\":\"del\",\"args\":[\"a\"]}]}}}")),
        "f:4:27: " FLATMAP_AT ": warning: has no effect: a producer gets no messages\n",
        CONFIG_VALID},
};

Test(config_rules, name_operations_that_cannot_be_done)
{
    fixture_expect_reports(flatmaps, N(flatmaps));
}

#define PROXIED(proxy, output)                                                                     \
    FILE("{\"endpoint\":\"/a\",\"output_encoding\":\"" output                                      \
         "\",\"extra_config\":{\"proxy\":{\n" proxy "}},\"backend\":[\n" CONSUME("", "") "]}")
#define PROXY_AT "$.endpoints[0].extra_config.proxy"

static const struct report_row proxies[] = {
    {PROXIED(
         "\"static\":{\"data\":{\"a\":[1,null,{\"b\":\"${HOME:-x}\"}]},\"strategy\":\"errored\"}",
         "json"),
        "", CONFIG_VALID},
    {PROXIED("\"static\":{\"data\":[1]}", "json"),
        "f:3:18: " PROXY_AT ".static.data: error: must be an object, not an array\n",
        CONFIG_INVALID},
    {PROXIED("\"static\":{\"data\":{\"a\":[\"${LEVERET_TEST_NOBODY_SETS_THIS}\"]}}", "json"),
        "f:3:24: " PROXY_AT ".static.data.a[0]: error: ${LEVERET_TEST_NOBODY_SETS_THIS} is not "
        "set and has no default\n",
        CONFIG_INVALID},
    {PROXIED("\"static\":{\"data\":{\"a\":1},\"strategy\":\"sometimes\"}", "json"),
        "f:3:37: " PROXY_AT ".static.strategy: warning: \"sometimes\" is none of always, success, "
        "complete, errored, incomplete: taken as always\n",
        CONFIG_VALID},
    {PROXIED("\"static\":{\"data\":{\"a\":1}}", "no-op"),
        "f:3:10: " PROXY_AT ".static: warning: has no effect: no-op passes the message on as it "
        "is\n",
        CONFIG_VALID},
    {PROXIED("\"flatmap_filter\":[{\"type\":\"del\",\"args\":[\"a\"]}]", "json"),
        "f:3:18: " PROXY_AT ".flatmap_filter: warning: has no effect: one backend's message is not "
        "merged; its own flatmap_filter shapes it\n",
        CONFIG_VALID},
};

Test(config_rules, name_members_that_cannot_be_added)
{
    fixture_expect_reports(proxies, N(proxies));
}
