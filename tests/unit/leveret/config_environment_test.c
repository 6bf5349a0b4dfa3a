/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the environment and the command line say over the file, and what must never be said back.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"

TestSuite(config_environment, .init = fixture_enter, .fini = fixture_leave);

#define EMPTY "{\"version\":3,\n\"port\":1,\"endpoints\":[]}"

static void set(const char *name, const char *value)
{
    cr_assert_eq(setenv(name, value, 1), 0);
}

Test(config_environment, overrides_keys_of_the_first_level)
{
    struct loaded loaded;

    set("KRAKEND_PORT", "9090");
    set("KRAKEND_LISTEN_IP", "0.0.0.0");
    set("KRAKEND_TIMEOUT", "5s");
    set("KRAKEND_OUTPUT_ENCODING", "string");
    set("KRAKEND_DISABLE_REST", "true");
    set("KRAKEND_NAME", "");
    set("KRAKEND_WORKERS", "7");
    loaded = fixture_load(EMPTY);
    cr_assert_str_eq(loaded.report, "");
    cr_expect_eq(loaded.config->port, 9090);
    cr_expect_eq(loaded.config->listeners[0].port, 9090);
    cr_expect_str_eq(loaded.config->listeners[0].host, "0.0.0.0");
    cr_expect_eq(loaded.config->timeout_ns, INT64_C(5000000000));
    cr_expect_eq(loaded.config->output, CONFIG_OUTPUT_STRING);
    cr_expect(loaded.config->is_rest_disabled);
    cr_expect_str_eq(loaded.config->name, "", "an empty variable says nothing");
    cr_expect_eq(loaded.config->workers, 1, "not a key of the first level");
    loaded_done(&loaded);
}

Test(config_environment, is_named_where_it_is_wrong)
{
    struct loaded loaded;

    set("KRAKEND_PORT", "http");
    loaded = fixture_load(EMPTY);
    cr_assert_eq(loaded.outcome, CONFIG_INVALID);
    cr_assert_str_eq(
        loaded.report, "KRAKEND_PORT:1:1: $.port: error: \"http\" is not an integer\n");
    loaded_done(&loaded);
}

static struct config *load_over(struct loaded *loaded, struct overrides overrides, const char *text)
{
    *loaded = fixture_load_bytes(text, strlen(text), &overrides);
    cr_assert_eq(loaded->outcome, CONFIG_VALID, "%s", loaded->report);
    return loaded->config;
}

Test(config_environment, the_command_line_beats_it_and_the_file)
{
    static const char text[] =
        "{\"version\":3,\"listen_ip\":\"::1\",\"endpoints\":[],"
        "\"extra_config\":{\"leveret\":{\"workers\":3,\"listen\":[\"a:1\",\"unix:/s\"]}}}";
    struct loaded loaded;
    struct config *config;

    set("KRAKEND_PORT", "9090");
    config = load_over(&loaded, (struct overrides){.port = 7070, .workers = 2}, text);
    cr_assert_eq(config->n_listeners, 1);
    cr_expect_str_eq(config->listeners[0].host, "::1");
    cr_expect_eq(config->listeners[0].port, 7070);
    cr_expect_eq(config->workers, 2);
    loaded_done(&loaded);
    config = load_over(&loaded, (struct overrides){.port = 0}, text);
    cr_expect_eq(config->listeners[0].port, 0, "any free port");
    cr_expect_eq(config->workers, 3);
    loaded_done(&loaded);
    config = load_over(&loaded, (struct overrides){.port = -1}, text);
    cr_expect_eq(config->n_listeners, 2);
    loaded_done(&loaded);
}

Test(config_environment, references_are_replaced_in_every_string_that_is_read)
{
    struct loaded loaded;
    const struct config_backend *backend;

    set("L_HOST", "amqp://u:p@h/v");
    set("L_PORT", "7");
    set("L_TRUE", "true");
    set("L_KEY", "k");
    loaded = fixture_load(
        "{\"version\":3,\"port\":\"${L_PORT}\",\"timeout\":\"${L_PORT}s\",\"endpoints\":["
        "{\"endpoint\":\"/"
        "${L_KEY}\",\"method\":\"${L_NONE:-POST}\",\"backend\":[{\"host\":[\"${L_HOST}\"],"
        "\"extra_config\":{\"backend/amqp/"
        "producer\":{\"durable\":\"${L_TRUE}\",\"exchange\":\"${L_KEY}-x\","
        "\"name\":\"n\"},\"leveret\":{\"bind\":[\"${L_KEY}.a\"],\"queue_arguments\":{\"x\":\"${L_"
        "KEY}\"}}}}]}],"
        "\"extra_config\":{\"leveret\":{\"memory\":\"${L_NONE:-32MiB}\"}}}");
    cr_assert_str_eq(loaded.report, "");
    cr_expect_eq(loaded.config->port, 7);
    cr_expect_eq(loaded.config->timeout_ns, INT64_C(7000000000));
    cr_expect_eq(loaded.config->memory_bytes, 32 << 20);
    cr_expect_str_eq(loaded.config->endpoints[0].pattern, "/k");
    cr_expect_eq(loaded.config->endpoints[0].method, CONFIG_POST);
    backend = &loaded.config->endpoints[0].backends[0];
    cr_expect_str_eq(backend->hosts[0].user, "u");
    cr_expect_str_eq(backend->hosts[0].vhost, "v");
    cr_expect(backend->amqp.is_durable);
    cr_expect_str_eq(backend->amqp.exchange, "k-x");
    cr_expect_str_eq(backend->amqp.bindings.items[0], "k.a");
    cr_expect_str_eq(json_string_value(json_object_get(backend->amqp.queue_arguments, "x")), "k");
    loaded_done(&loaded);
}

Test(config_environment, references_are_replaced_in_the_names_that_ignore_lists)
{
    struct loaded loaded;

    set("L_KIND", "validator");
    loaded =
        fixture_load("{\"version\":3,\"endpoints\":[],\"extra_config\":{\"auth/validator\":{},"
                     "\"security/cors\":{},\"leveret\":{\"ignore\":"
                     "[\"auth/${L_KIND}\",\"${L_NONE:-github.com/devopsfaith/krakend-cors}\"]}}}");
    cr_expect_str_eq(loaded.report, "");
    cr_expect_eq(loaded.outcome, CONFIG_VALID);
    loaded_done(&loaded);
    loaded = fixture_load("{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":\n"
                          "{\"ignore\":[\"${L_NONE}\"]}}}");
    cr_expect_str_eq(loaded.report, "f:2:12: $.extra_config.leveret.ignore[0]: error: "
                                    "${L_NONE} is not set and has no default\n");
    loaded_done(&loaded);
}

#define SECRET "s3cr3t"

Test(config_environment, a_secret_is_never_said_back)
{
    static const char *const texts[] = {
        "\"host\":[\"amqp://u:" SECRET "@h:port\"],",
        "\"host\":[\"http://u:" SECRET "@h\"],",
        "\"host\":[\"${L_SECRET}\"],",
        "\"host\":[\"amqp://u:${file:secret}%@h\"],",
        "\"host\":[\"amqp://h\"],\"encoding\":\"${L_SECRET}\",",
        "\"host\":[\"amqp://h\"],\"is_collection\":\"${L_SECRET}\",",
        "\"host\":[\"amqp://h\"],\"mapping\":{\"a\":[\"${L_SECRET}\"]},",
    };

    set("L_SECRET", SECRET);
    fixture_write("secret", SECRET, strlen(SECRET));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[400];
        struct loaded loaded;

        (void)snprintf(text, sizeof text,
            "{\"version\":3,\"endpoints\":[{\"endpoint\":\"/a\",\"backend\":[{%s\"extra_config\":"
            "{\"backend/amqp/consumer\":{}}}]}]}",
            texts[i]);
        loaded = fixture_load(text);
        cr_expect_eq(loaded.outcome, CONFIG_INVALID, "%s", texts[i]);
        cr_expect_null(strstr(loaded.report, SECRET), "%s", loaded.report);
        loaded_done(&loaded);
    }
}
