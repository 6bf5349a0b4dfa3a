/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the broker refuses is told in its own words, to the endpoint that it concerns and to no
 * other.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(topology, .timeout = 60);

static struct scene scene;

static void expect_works(void)
{
    struct http_answer answer = scene_do_when_up(
        &scene, "/key/in", &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void declare_queue(void)
{
    amqp_client_declare_exchange(&scene.amqp, "things", "topic", true);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "in", .is_durable = true});
    amqp_client_bind(&scene.amqp, "in", "things", "in");
}

Test(topology, an_exchange_of_another_type_is_503_with_the_brokers_words_and_no_retry)
{
    scene_open(&scene, "other_type");
    declare_queue();
    amqp_client_declare_exchange(&scene.amqp, "fleeting", "direct", false);
    scene_begin(&scene, "produce.json");
    expect_works();
    struct http_answer answer;
    await(
        (answer = scene_post(&scene, "/transient", "x"), strstr(answer.body, "topology") != NULL) ||
            (http_answer_done(&answer), 0),
        10000, "the refusal is not told");
    expect_problem(&answer, 503, "topology");
    expect_no_header(&answer, "Retry-After");
    expect_in_body(&answer, "PRECONDITION_FAILED");
    expect_in_body(&answer, "\"code\":406");
    cr_assert_null(strstr(answer.body, "guest"), "a credential: %s", answer.body);
    http_answer_done(&answer);
    expect_works();
    scene_end(&scene);
}

Test(topology, an_exchange_that_is_deleted_is_told_and_the_others_go_on)
{
    scene_open(&scene, "deleted");
    declare_queue();
    scene_begin(&scene, "produce.json");
    expect_works();
    struct http_answer answer = scene_do_when_up(&scene, "/transient",
        &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_problem(&answer, 422, "unroutable");
    http_answer_done(&answer);
    (void)amqp_exchange_delete(scene.amqp.connection, 1, amqp_cstring_bytes("fleeting"), false);
    cr_assert_eq(amqp_get_rpc_reply(scene.amqp.connection).reply_type, AMQP_RESPONSE_NORMAL);
    answer = scene_post(&scene, "/transient", "x");
    expect_problem(&answer, 502, "rejected");
    expect_in_body(&answer, "NOT_FOUND");
    http_answer_done(&answer);
    expect_works();
    answer = scene_do_when_up(&scene, "/transient",
        &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_problem(&answer, 422, "unroutable");
    http_answer_done(&answer);
    scene_end(&scene);
}

/* Whoever reads the file expects what it produces to reach what it consumes, from the first
 * message. */
static void first_message_finds_its_queue(int n_workers)
{
    for (int i = 0; i < 10; i++) {
        autofree char *name = format_text("first_%d_%d", n_workers, i);
        scene_open(&scene, name);
        autofree char *text = scene_configuration("plain.json", scene.vhost.url);
        scene_begin_with(
            &scene, &(struct sidecar_options){.configuration = text, .n_workers = n_workers});
        struct http_answer answer = scene_do_when_up(&scene, "/out",
            &(struct http_request){.method = "POST", .body = "first", .body_bytes = 5});
        expect_status(&answer, 200);
        http_answer_done(&answer);
        scene_end(&scene);
    }
}

Test(topology, the_first_message_after_a_start_finds_the_queue_that_the_same_file_consumes)
{
    first_message_finds_its_queue(1);
}

Test(topology, the_first_message_finds_its_queue_also_when_another_worker_consumes_it)
{
    first_message_finds_its_queue(3);
}

Test(topology, no_credential_is_ever_logged)
{
    scene_open(&scene, "credentials");
    autofree char *url = format_text("%.*ssecret-password@127.0.0.1:1/x", 13, scene.vhost.url);
    autofree char *text = scene_configuration("produce.json", url);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    struct http_answer answer = scene_post(&scene, "/fixed", "x");
    expect_status(&answer, 503);
    cr_assert_null(strstr(answer.body, "secret-password"), "%s", answer.body);
    http_answer_done(&answer);
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_not_null(log);
    cr_assert_null(strstr(log, "secret-password"), "%s", log);
    cr_assert_null(strstr(log, "guest"), "%s", log);
    scene_end(&scene);
}

/* The environment with which a process was started, a line each. */
static char *environment_of(pid_t pid)
{
    static char text[65536];
    autofree char *file = format_text("/proc/%d/environ", (int)pid);
    FILE *stream = fopen(file, "re");
    cr_assert_not_null(stream);
    size_t n = fread(text, 1, sizeof text - 1, stream);
    (void)fclose(stream); /* only read from */
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\0')
            text[i] = '\n';
    text[n] = '\0';
    return text;
}

Test(topology, the_front_does_not_inherit_what_the_file_refers_to)
{
    scene_open(&scene, "environment");
    declare_queue();
    cr_assert_eq(setenv("BROKER_OF_THIS_TEST", scene.vhost.url, 1), 0);
    autofree char *text = scene_configuration("produce.json", "${BROKER_OF_THIS_TEST}");
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    expect_works();
    cr_assert_not_null(
        strstr(environment_of(sidecar_worker(&scene.sidecar)), "BROKER_OF_THIS_TEST="));
    const char *inherited = environment_of(sidecar_front(&scene.sidecar));
    cr_assert_not_null(strstr(inherited, "PATH="), "%s", inherited);
    cr_assert_null(strstr(inherited, "BROKER_OF_THIS_TEST="), "%s", inherited);
    cr_assert_null(strstr(inherited, scene.vhost.url), "%s", inherited);
    scene_end(&scene);
}
