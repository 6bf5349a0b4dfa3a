/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said about a file that is not as it should be: the whole report, places included.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "config_fixture.h"

TestSuite(config_errors, .init = fixture_enter, .fini = fixture_leave);

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define V3(rest) "{\"version\":3,\n" rest "}"
#define ENDPOINT(rest) V3("\"endpoints\":[{\"endpoint\":\"/a/{b}\",\n" rest "}]")
#define BACKEND(rest) ENDPOINT("\"backend\":[{\"host\":[\"amqp://h\"],\n" rest "}]")
#define CONSUME(keys) BACKEND("\"extra_config\":{\"backend/amqp/consumer\":{\n" keys "}}")
#define PRODUCE(keys) BACKEND("\"extra_config\":{\"backend/amqp/producer\":{\n" keys "}}")
#define LEVERET(keys) V3("\"endpoints\":[],\"extra_config\":{\"leveret\":{\n" keys "}}")
#define SERVICE(keys) V3("\"endpoints\":[],\n" keys)
#define CONSUMER_PATH "$.endpoints[0].backend[0].extra_config[\"backend/amqp/consumer\"]"
#define PRODUCER_PATH "$.endpoints[0].backend[0].extra_config[\"backend/amqp/producer\"]"

/* ---- the document ---- */

static const struct report_row documents[] = {
    {"", "f:1:1: $: error: breaks off: this is not the end of a JSON text\n", CONFIG_INVALID},
    {"[]", "f:1:1: $: error: must be an object, not an array\n", CONFIG_INVALID},
    {"3", "f:1:1: $: error: must be an object, not an integer\n", CONFIG_INVALID},
    {"{\n \"version\": 3,\n", "f:3:1: $: error: breaks off: this is not the end of a JSON text\n",
        CONFIG_INVALID},
    {"{\"version\": 3,\n  }", "f:2:3: $: error: is not JSON from here on\n", CONFIG_INVALID},
    {"{\"version\": 3} x", "f:1:16: $: error: has something behind its end\n", CONFIG_INVALID},
    {"{\"version\": 3,\n\"port\": {{ .port }}}",
        "f:2:9: $: error: template braces {{ are not replaced: render the file before Leveret "
        "reads "
        "it\n",
        CONFIG_INVALID},
    {"{\"version\": 3,\n\"port\": 1,\n \"port\": 2}",
        "f:3:2: $: error: the object has this key twice\n", CONFIG_INVALID},
    {"{\"version\": 3,\n\"name\": \"secret\\u0000\"}",
        "f:2:23: $: error: the string before this has a NUL in it\n", CONFIG_INVALID},
    {"{\"version\": 3,\n\"name\": \"secret\\ud800\"}",
        "f:2:23: $: error: the string before this has half of a surrogate pair in it\n",
        CONFIG_INVALID},
    {"{\"version\": 3,\n\"port\": 99999999999999999999}",
        "f:2:29: $: error: the number before this is too large\n", CONFIG_INVALID},
    {"{\"endpoints\":[]}",
        "f:1:1: $: error: has no \"version\": it must be 2 or 3: the versions of the format that "
        "are "
        "read\n",
        CONFIG_INVALID},
    {"{\"version\":1,\"endpoints\":[]}",
        "f:1:12: $.version: error: 1 is not read: it must be 2 or 3: the versions of the format "
        "that "
        "are read\n",
        CONFIG_INVALID},
    {"{\"version\":\"3\"}",
        "f:1:12: $.version: error: must be 2 or 3: the versions of the format that are read\n",
        CONFIG_INVALID},
    {"{\"version\":3}", "f:1:1: $: warning: has no endpoints: nothing is served\n", CONFIG_VALID},
    {"\xef\xbb\xbf{\"version\":3,\"endpoints\":[]}", "", CONFIG_VALID},
};

Test(config_errors, name_what_is_wrong_with_the_document)
{
    fixture_expect_reports(documents, N(documents));
}

/* ---- types and ranges ---- */

static const struct report_row values[] = {
    {SERVICE("\"port\":\"8080\""), "f:3:8: $.port: error: must be an integer, not a string\n",
        CONFIG_INVALID},
    {SERVICE("\"port\":80.5"),
        "f:3:8: $.port: error: must be an integer, not a number with a fraction\n", CONFIG_INVALID},
    {SERVICE("\"port\":65536"), "f:3:8: $.port: error: is out of range: 0 to 65535\n",
        CONFIG_INVALID},
    {SERVICE("\"port\":-1"), "f:3:8: $.port: error: is out of range: 0 to 65535\n", CONFIG_INVALID},
    {SERVICE("\"port\":null"), "", CONFIG_VALID},
    {SERVICE("\"timeout\":\"2\""),
        "f:3:11: $.timeout: error: \"2\" is not a duration such as \"2s\", \"1500ms\" or "
        "\"1m30s\"\n",
        CONFIG_INVALID},
    {SERVICE("\"timeout\":2"),
        "f:3:11: $.timeout: error: must be a duration such as \"2s\", \"1500ms\" or \"1m30s\", not "
        "an "
        "integer\n",
        CONFIG_INVALID},
    {SERVICE("\"timeout\":\"-2s\""), "f:3:11: $.timeout: error: is out of range: 0 to 24h\n",
        CONFIG_INVALID},
    {SERVICE("\"timeout\":\"25h\""), "f:3:11: $.timeout: error: is out of range: 0 to 24h\n",
        CONFIG_INVALID},
    {SERVICE("\"timeout\":\"9999999999h\""),
        "f:3:11: $.timeout: error: is out of range: 0 to 24h\n", CONFIG_INVALID},
    {LEVERET("\"compatibility\":\"kraken\""),
        "f:3:17: $.extra_config.leveret.compatibility: error: \"kraken\" is none of none, "
        "krakend\n",
        CONFIG_INVALID},
    {SERVICE("\"output_encoding\":\"xml\""),
        "f:3:19: $.output_encoding: error: \"xml\" is none of json, json-collection, string, "
        "no-op, "
        "negotiate\n",
        CONFIG_INVALID},
    {SERVICE("\"host\":\"amqp://u:secret@h\""),
        "f:3:8: $.host: error: must be an array of strings, not a string\n", CONFIG_INVALID},
    {SERVICE("\"host\":[\"amqp://h\",7]"),
        "f:3:20: $.host[1]: error: must be a string, not an integer\n", CONFIG_INVALID},
    {SERVICE("\"tls\":true"), "f:3:7: $.tls: error: must be an object, not true\n", CONFIG_INVALID},
    {SERVICE("\"tls\":{\"disabled\":1}"),
        "f:3:7: $.tls.public_key: error: cannot be used: HTTPS needs a certificate\n"
        "f:3:7: $.tls.private_key: error: cannot be used: HTTPS needs the certificate's key\n"
        "f:3:19: $.tls.disabled: error: must be true or false, not an integer\n",
        CONFIG_INVALID},
    {SERVICE("\"extra_config\":[]"),
        "f:3:16: $.extra_config: error: must be an object, not an array\n", CONFIG_INVALID},
    {SERVICE("\"name\":\"{{ .name }}\""),
        "f:3:8: $.name: error: template braces {{ are not replaced: render the file before Leveret "
        "reads it\n",
        CONFIG_INVALID},
    {SERVICE("\"name\":\"${LEVERET_NOT_SET}\""),
        "f:3:8: $.name: error: ${LEVERET_NOT_SET} is not set and has no default\n", CONFIG_INVALID},
    {SERVICE("\"port\":\"${LEVERET_NOT_SET:-x}\""),
        "f:3:8: $.port: error: \"${LEVERET_NOT_SET:-x}\" is not an integer\n", CONFIG_INVALID},
    {LEVERET("\"workers\":0"),
        "f:3:11: $.extra_config.leveret.workers: error: is out of range: 1 to 64\n",
        CONFIG_INVALID},
    {LEVERET("\"memory\":\"1MiB\""),
        "f:3:10: $.extra_config.leveret.memory: error: is out of range: 16MiB to 65536MiB\n",
        CONFIG_INVALID},
    {LEVERET("\"memory\":\"lots\""),
        "f:3:10: $.extra_config.leveret.memory: error: \"lots\" is not a size such as \"8MiB\"\n",
        CONFIG_INVALID},
    {LEVERET("\"memory\":true"),
        "f:3:10: $.extra_config.leveret.memory: error: must be a size such as \"8MiB\", not true\n",
        CONFIG_INVALID},
    {V3("\"endpoints\":{}"), "f:2:13: $.endpoints: error: must be an array, not an object\n",
        CONFIG_INVALID},
    {V3("\"endpoints\":[7]"), "f:2:14: $.endpoints[0]: error: must be an object, not an integer\n",
        CONFIG_INVALID},
    {ENDPOINT("\"backend\":{}"),
        "f:2:14: $.endpoints[0]: warning: has no AMQP backend: it answers 501 not-amqp\n"
        "f:3:11: $.endpoints[0].backend: error: must be an array, not an object\n",
        CONFIG_INVALID},
    {CONSUME("\"durable\":\"yes\""),
        "f:5:11: " CONSUMER_PATH ".durable: error: must be true or false, "
        "not a string\n",
        CONFIG_INVALID},
    {CONSUME("\"routing_key\":\"a\""),
        "f:5:15: " CONSUMER_PATH ".routing_key: error: must be an array of strings, not a string\n",
        CONFIG_INVALID},
    {PRODUCE("\"routing_key\":[\"a\"]"),
        "f:5:15: " PRODUCER_PATH ".routing_key: error: must be a string, not an array\n",
        CONFIG_INVALID},
    {CONSUME("\"backoff_strategy\":\"fibonacci\""),
        "f:5:20: " CONSUMER_PATH ".backoff_strategy: warning: \"fibonacci\" is none of constant, "
        "linear, linear-jitter, exponential, exponential-jitter: taken as constant\n",
        CONFIG_VALID},
};

Test(config_errors, name_values_that_cannot_be)
{
    fixture_expect_reports(values, N(values));
}

/* ---- names ---- */

static const struct report_row names[] = {
    {SERVICE("\"tiemout\":\"1s\""),
        "f:3:11: $.tiemout: warning: unknown key; did you mean \"timeout\"?\n", CONFIG_VALID},
    {SERVICE("\"Timeout\":\"1s\""),
        "f:3:11: $.Timeout: warning: unknown key; did you mean \"timeout\"?\n", CONFIG_VALID},
    {SERVICE("\"frobnicate\":1"), "f:3:14: $.frobnicate: warning: unknown key: it has no effect\n",
        CONFIG_VALID},
    {SERVICE("\"a\\nb\":1"), "f:3:8: $[\"a\\nb\"]: warning: unknown key: it has no effect\n",
        CONFIG_VALID},
    {CONSUME("\"mandatory\":true"),
        "f:5:13: " CONSUMER_PATH ".mandatory: warning: unknown key: it has no effect\n",
        CONFIG_VALID},
    {ENDPOINT("\"headers_to_pass\":[],\"backend\":[{\"host\":[\"amqp://h\"],"
              "\"extra_config\":{\"backend/amqp/producer\":{}}}]"),
        "f:3:19: $.endpoints[0].headers_to_pass: warning: in a version 3 file this is spelt "
        "\"input_headers\"\n",
        CONFIG_VALID},
    {ENDPOINT("\"headers_to_pass\":[],\"input_headers\":[],\"backend\":[{\"host\":[\"amqp://h\"],"
              "\"extra_config\":{\"backend/amqp/producer\":{}}}]"),
        "f:3:19: $.endpoints[0].headers_to_pass: error: says the same as \"input_headers\": leave "
        "one "
        "of them out\n",
        CONFIG_INVALID},
    {"{\"version\":2,\"endpoints\":[{\"endpoint\":\"/a\",\"input_headers\":[\"*\"],\"backend\":[{"
     "\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/producer\":{}}}]}]}",
        "f:1:60: $.endpoints[0].input_headers: warning: in a version 2 file this is spelt "
        "\"headers_to_pass\"\n",
        CONFIG_VALID},
    {BACKEND("\"extra_config\":{\"backend/amqp/consumer\":{},\n"
             "\"github.com/devopsfaith/krakend-amqp/consume\":{}}"),
        "f:5:47: $.endpoints[0].backend[0].extra_config[\"github.com/devopsfaith/krakend-amqp/"
        "consume\"]: error: says the same as " CONSUMER_PATH "\n",
        CONFIG_INVALID},
    {BACKEND("\"extra_config\":{\"backend/amqp/consumer\":7}"),
        "f:4:41: " CONSUMER_PATH ": error: must be an object, not an integer\n", CONFIG_INVALID},
};

Test(config_errors, name_keys_that_are_not_spelt_right)
{
    fixture_expect_reports(names, N(names));
}

/* ---- what is not ours ---- */

#define OPEN                                                                                       \
    " is not enforced here, which would leave the endpoint open; if that is what you want, name "  \
    "it in extra_config.leveret.ignore\n"

static const struct report_row foreign[] = {
    {SERVICE("\"$schema\":\"x\",\"@comment\":{},\"_x\":1,\"#y\":2,\"dns_cache_ttl\":\"1s\","
             "\"client_tls\":{}"),
        "", CONFIG_VALID},
    {SERVICE(
         "\"extra_config\":{\"telemetry/logging\":{},\"documentation/openapi\":{\"x\":\"{{y}}\"},"
         "\"github_com/devopsfaith/krakend-gologging\":{},\"@comment\":1}"),
        "", CONFIG_VALID},
    {SERVICE("\"debug_endpoint\":false,\"echo_endpoint\":true"),
        "f:3:40: $.echo_endpoint: warning: has no effect: there is no /__echo/ here\n",
        CONFIG_VALID},
    {SERVICE("\"extra_config\":{\"qos/ratelimit/service\":{}}"),
        "f:3:41: $.extra_config[\"qos/ratelimit/service\"]: warning: qos/ratelimit/service has no "
        "effect here\n",
        CONFIG_VALID},
    {SERVICE("\"extra_config\":{\"github_com/devopsfaith/krakend-ratelimit/juju/router\":{}}"),
        "f:3:72: $.extra_config[\"github_com/devopsfaith/krakend-ratelimit/juju/router\"]: "
        "warning: "
        "qos/ratelimit/router has no effect here\n",
        CONFIG_VALID},
    {SERVICE("\"extra_config\":{\"my/plugin\":{}}"),
        "f:3:29: $.extra_config[\"my/plugin\"]: warning: unknown namespace: it has no effect\n",
        CONFIG_VALID},
    {SERVICE("\"extra_config\":{\"auth/validator\":{}}"),
        "f:3:34: $.extra_config[\"auth/validator\"]: error: auth/validator" OPEN, CONFIG_INVALID},
    {SERVICE("\"extra_config\":{\"github.com/devopsfaith/krakend-jose/validator\":{}}"),
        "f:3:65: $.extra_config[\"github.com/devopsfaith/krakend-jose/validator\"]: error: "
        "auth/validator" OPEN,
        CONFIG_INVALID},
    {SERVICE("\"extra_config\":{\"security/cors\":{}}"),
        "f:3:33: $.extra_config[\"security/cors\"]: error: security/cors" OPEN, CONFIG_INVALID},
    {SERVICE("\"extra_config\":{\"plugin/http-server\":{}}"),
        "f:3:38: $.extra_config[\"plugin/http-server\"]: error: plugin/http-server" OPEN,
        CONFIG_INVALID},
    {SERVICE(
         "\"extra_config\":{\"auth/validator\":{},\"security/cors\":{},"
         "\"leveret\":{\"ignore\":[\"auth/validator\",\"github_com/devopsfaith/krakend-cors\"]}}"),
        "", CONFIG_VALID},
    {ENDPOINT("\"extra_config\":{\"validation/cel\":[]},\"backend\":[{\"host\":[\"amqp://h\"],"
              "\"extra_config\":{\"backend/amqp/producer\":{},\"auth/client-credentials\":{}}}]"),
        "f:3:34: $.endpoints[0].extra_config[\"validation/cel\"]: error: validation/cel" OPEN
        "f:3:139: $.endpoints[0].backend[0].extra_config[\"auth/client-credentials\"]: error: "
        "auth/client-credentials" OPEN,
        CONFIG_INVALID},
    {SERVICE("\"async_agent\":[{\"name\":\"a\"}]"),
        "f:3:15: $.async_agent: error: async_agent is not served: messages are fetched by "
        "requests, "
        "none is pushed\n",
        CONFIG_INVALID},
    {SERVICE("\"async_agent\":[]"), "", CONFIG_VALID},
    {BACKEND("\"input_headers\":[\"A\"],\"extra_config\":{\"backend/amqp/producer\":{}}"),
        "f:4:17: $.endpoints[0].backend[0].input_headers: warning: has no effect: the endpoint's "
        "headers reach every backend\n",
        CONFIG_VALID},
};

Test(config_errors, name_what_is_not_ours_by_its_class)
{
    fixture_expect_reports(foreign, N(foreign));
}

/* ---- not built yet ---- */

static const struct report_row later[] = {
    {SERVICE("\"tls\":{\"public_key\":\"a\",\"disabled\":true}"), "", CONFIG_VALID},
    {BACKEND("\"target\":\"\",\"allow\":[],\"deny\":[],\"mapping\":{},"
             "\"extra_config\":{\"backend/amqp/consumer\":{}}"),
        "", CONFIG_VALID},
    {ENDPOINT(
         "\"extra_config\":{\"github.com/devopsfaith/krakend/proxy\":{\"sequential\":false}},"
         "\"backend\":[{\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/consumer\":{}}}]"),
        "", CONFIG_VALID},
};

Test(config_errors, name_what_is_not_built_yet)
{
    fixture_expect_reports(later, N(later));
}
