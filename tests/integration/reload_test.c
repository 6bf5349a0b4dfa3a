/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP: the file is read again and another generation of processes takes over, and nobody who
 * speaks to the sidecar, or to the broker behind it, misses anything.
 */
#include "expect.h"
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/folder.h"
#include "tests/support/ledger.h"
#include "tests/support/port.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"

enum { N_CONNECTIONS = 16, N_RELOADS = 20, RELOADS_A_LOAD = 5, N_MESSAGES = 3000, LARGE = 8 << 20 };

TestSuite(reload, .timeout = 300);

static struct scene scene;
static uint16_t port;
static int n_generations;

/* What a test changes. */
struct file {
    const char *out;      /* the path of the producer; NULL: /out */
    const char *listen;   /* NULL: the one port */
    const char *consumer; /* more members of the consumer, with a comma in front */
};

static char *text_of(const struct file *file)
{
    autofree char *one = format_text("\"127.0.0.1:%u\"", port);
    return format_text(
        "{\"version\": 3, \"timeout\": \"10s\", \"write_timeout\": \"10s\", \"host\": [\"%s\"],"
        " \"extra_config\": {\"leveret\": {\"drain_timeout\": \"12s\", \"log_level\": \"debug\","
        "  \"listen\": [%s]}}, \"endpoints\": ["
        " {\"endpoint\": \"%s\", \"method\": \"POST\", \"backend\": [{\"extra_config\": {"
        "   \"backend/amqp/producer\": {\"exchange\": \"plain\", \"durable\": true,"
        "   \"mandatory\": true, \"routing_key\": \"k\", \"static_routing_key\": true}}}]},"
        " {\"endpoint\": \"/in\", \"output_encoding\": \"no-op\", \"backend\": ["
        "   {\"encoding\": \"no-op\", \"extra_config\": {\"backend/amqp/consumer\": {"
        "   \"name\": \"plain\", \"exchange\": \"plain\", \"routing_key\": [\"k\"],"
        "   \"prefetch_count\": 32, \"durable\": true%s}, \"leveret\": {\"idle_release\": "
        "\"50ms\"}}}]}]}",
        scene.vhost.url, file->listen ? file->listen : one, file->out ? file->out : "/out",
        file->consumer ? file->consumer : "");
}

static void begin_with(const char *name, const struct file *file)
{
    scene_open(&scene, name);
    port = port_reserve();
    autofree char *text = text_of(file);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text, .port = port});
    scene_await_bindings(&scene, "plain", 1);
    n_generations = 1;
}

static void begin(const char *name)
{
    begin_with(name, &(struct file){0});
}

static void await_gone(int generation)
{
    autofree char *gone = format_text("generation-gone generation=%d orderly=1", generation);
    sidecar_await_log(&scene.sidecar, gone);
}

/* Returns when the next generation serves and the one before it is told to drain, which may still
 * take a client meanwhile. */
static void reload(const struct file *file)
{
    autofree char *text = text_of(file);
    autofree char *serves = format_text("reloaded generation=%d drains=", ++n_generations);
    sidecar_reload(&scene.sidecar, text);
    sidecar_await_log(&scene.sidecar, serves);
}

static void expect_post(const char *path, int status)
{
    struct http_answer answer = scene_post(&scene, path, "body");
    expect_status(&answer, status);
    http_answer_done(&answer);
}

static void expect_get(const char *body)
{
    struct http_answer answer = scene_get(&scene, "/in");
    expect_status(&answer, 200);
    expect_body(&answer, body);
    http_answer_done(&answer);
}

/* ---- under load ---- */

static int n_reloads(void)
{
    const char *wanted = getenv("LEVERET_TEST_RELOADS");
    return wanted ? atoi(wanted) : N_RELOADS;
}

static void change_under_load(void (*change)(void), int n_times)
{
    struct ledger ledger;
    struct ledger_verdict verdict;
    ledger_init(&ledger, 0);
    struct load posts = ledger_posts(&ledger, &scene, "/out", N_CONNECTIONS);
    struct load gets = ledger_gets(&ledger, &scene, "/in", N_CONNECTIONS);
    posts.n_requests = gets.n_requests = N_MESSAGES;
    struct load_run *posting = load_begin(&posts);
    struct load_run *getting = load_begin(&gets);
    for (int i = 0; i < n_times; i++)
        change();
    load_end(posting);
    load_end(getting);
    cr_assert_eq(ledger_n_posts(&ledger, 200), N_MESSAGES, "%d of %d, %d without an answer",
        ledger_n_posts(&ledger, 200), N_MESSAGES, ledger_n_posts(&ledger, 0));
    /* one that waits when its generation is told to leave has had nothing */
    cr_assert_eq(
        ledger_n_gets(&ledger, 200) + ledger_n_gets(&ledger, 204) + ledger_n_gets(&ledger, 503),
        N_MESSAGES, "%d without an answer", ledger_n_gets(&ledger, 0));
    cr_assert_gt(ledger_n_gets(&ledger, 200), 0);
    await_gone(n_generations - 1);
    ledger_drain(&ledger, &scene.amqp, "plain");
    ledger_close(&ledger, &(struct ledger_rules){0}, &verdict);
    cr_assert(ledger_is_true(&verdict), "%s", verdict.first);
    ledger_done(&ledger);
}

static void reload_the_same(void)
{
    reload(&(struct file){0});
}

Test(reload, under_load_loses_no_request_and_no_message)
{
    begin("reload_load");
    expect_post("/out", 200);
    expect_get("body");
    for (int n_left = n_reloads(); n_left > 0; n_left -= RELOADS_A_LOAD)
        change_under_load(reload_the_same, n_left < RELOADS_A_LOAD ? n_left : RELOADS_A_LOAD);
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_null(strstr(log, "orderly=0"), "%s", strstr(log, "orderly=0"));
    cr_assert_null(strstr(log, "child-died"), "%s", strstr(log, "child-died"));
    scene_end(&scene);
}

/* All that comes until the other side closes. */
static size_t read_to_the_end(struct raw_client *client)
{
    static char bytes[64 << 10];
    size_t n_read = 0;
    for (ssize_t n; (n = recv(client->fd, bytes, sizeof bytes, 0)) != 0; n_read += (size_t)n)
        cr_assert_gt(n, 0, "the connection is dropped after %zu bytes", n_read);
    return n_read;
}

Test(reload, an_answer_that_is_being_read_is_read_to_its_end)
{
    begin("reload_reading");
    struct raw_client client;
    char head[2048], *body = malloc(LARGE);
    cr_assert(body);
    memset(body, 'x', LARGE);
    amqp_client_publish(&scene.amqp,
        &(struct amqp_client_message){
            .exchange = "plain", .routing_key = "k", .body = body, .body_bytes = LARGE});
    free(body);
    raw_client_connect_narrow(&client, port);
    cr_assert(raw_client_say(&client, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(raw_client_read(&client, "\r\n\r\n", head, sizeof head, deadline_in_ms(10000)));
    cr_assert_eq(strncmp(head, "HTTP/1.1 200", 12), 0, "%s", head);
    size_t n_first = strlen(strstr(head, "\r\n\r\n") + 4);
    reload(&(struct file){0});
    cr_assert_eq(n_first + read_to_the_end(&client), LARGE);
    raw_client_close(&client);
    await_gone(1);
    cr_assert_eq(scene_stop_and_count(&scene, "plain", 0), 0, "it was delivered");
    scene_close(&scene);
}

/* ---- what the file says ---- */

Test(reload, other_endpoints_take_effect)
{
    begin("reload_endpoints");
    expect_post("/out", 200);
    reload(&(struct file){.out = "/elsewhere"});
    await_gone(1);
    expect_post("/elsewhere", 200);
    expect_post("/out", 404);
    scene_end(&scene);
}

Test(reload, a_bad_file_is_refused_with_its_findings_and_the_old_one_goes_on)
{
    begin("reload_bad");
    sidecar_reload(&scene.sidecar, "{\"version\": 3, \"timeout\": true, \"endpoints\": []}");
    sidecar_await_log(&scene.sidecar, "not-reloaded");
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert(strstr(log, "configuration "), "%s", log);
    cr_assert(strstr(log, "$.timeout: error: "), "%s", log);
    expect_post("/out", 200);
    reload(&(struct file){.out = "/elsewhere"});
    await_gone(n_generations - 1);
    expect_post("/elsewhere", 200);
    scene_end(&scene);
}

static bool accepts(uint16_t at)
{
    int fd = port_connect(at);
    if (fd >= 0)
        (void)close(fd); /* nothing was said */
    return fd >= 0;
}

Test(reload, listeners_come_and_go_and_one_that_stays_stays_open)
{
    begin("reload_listeners");
    uint16_t second = port_reserve();
    autofree char *both = format_text("\"127.0.0.1:%u\", \"127.0.0.1:%u\"", port, second);
    cr_assert_not(accepts(second));
    reload(&(struct file){.listen = both});
    cr_assert(accepts(second));
    cr_assert(accepts(port));
    reload(&(struct file){0});
    await_gone(2);
    cr_assert_not(accepts(second));
    expect_post("/out", 200);
    scene_end(&scene);
}

Test(reload, an_address_that_cannot_be_had_is_refused_and_the_old_ones_stay)
{
    begin("reload_address");
    autofree char *overlapping = format_text("\"0.0.0.0:%u\"", port);
    autofree char *text = text_of(&(struct file){.listen = overlapping});
    sidecar_reload(&scene.sidecar, text);
    sidecar_await_log(&scene.sidecar, "not-reloaded");
    expect_post("/out", 200);
    scene_end(&scene);
}

/* ---- queues that depend on who consumes them ---- */

Test(reload, a_queue_that_is_deleted_with_its_last_consumer_survives_with_what_is_in_it)
{
    enum { N = 5 };
    const struct file file = {.consumer = ", \"delete\": true"};
    begin_with("reload_auto_delete", &file);
    scene_publish(&scene, "plain", "k", "the first");
    expect_get("the first"); /* from now on it has a consumer, and would go with it */
    for (int i = 0; i < N; i++)
        scene_publish(&scene, "plain", "k", "kept");
    for (int i = 0; i < 3; i++) {
        reload(&file);
        await_gone(n_generations - 1);
    }
    for (int i = 0; i < N; i++)
        expect_get("kept");
    scene_end(&scene);
}

Test(reload, an_exclusive_queue_is_had_when_the_one_before_has_left)
{
    const struct file file = {.consumer = ", \"exclusive\": true"};
    begin_with("reload_exclusive", &file);
    expect_post("/out", 200);
    expect_get("body");
    reload(&file);
    await_gone(1);
    scene_await_bindings(&scene, "plain", 1);
    struct http_answer posted = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "again", .body_bytes = 5});
    expect_status(&posted, 200);
    http_answer_done(&posted);
    expect_get("again");
    scene_end(&scene);
}

/* ---- another program in the same process ---- */

/* The log says that the program was executed, and its first generation serves. */
static void upgrade(void)
{
    autofree char *serves = format_text("reloaded generation=%d drains=", ++n_generations);
    child_signal(&scene.sidecar.supervisor, SIGUSR2);
    sidecar_await_log(&scene.sidecar, serves);
}

static int count_in_log(const char *text)
{
    int n = 0;
    autofree char *log = sidecar_log(&scene.sidecar);
    for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

Test(reload, the_program_is_executed_anew_under_load_in_the_same_process)
{
    enum { N_UPGRADES = 4 };
    begin("upgrade_load");
    pid_t supervisor = scene.sidecar.supervisor.pid;
    pid_t front = sidecar_front(&scene.sidecar);
    expect_post("/out", 200);
    expect_get("body");
    change_under_load(upgrade, N_UPGRADES);
    cr_assert_eq(count_in_log("upgrading program="), N_UPGRADES);
    cr_assert_eq(count_in_log("not-upgraded"), 0);
    cr_assert_eq(count_in_log("child-died"), 0);
    cr_assert_eq(scene.sidecar.supervisor.pid, supervisor);
    cr_assert_neq(sidecar_front(&scene.sidecar), front);
    reload(&(struct file){.out = "/elsewhere"});
    await_gone(n_generations - 1);
    expect_post("/elsewhere", 200);
    scene_end(&scene);
}

Test(reload, a_program_that_cannot_take_over_is_not_executed)
{
    begin("upgrade_refused");
    autofree char *text = text_of(&(struct file){0});
    require(unlink(scene.sidecar.configuration_file) == 0, "no file");
    folder_write(scene.sidecar.configuration_file, "{\"version\": 3, \"timeout\": true}");
    child_signal(&scene.sidecar.supervisor, SIGUSR2);
    sidecar_await_log(&scene.sidecar, "not-upgraded reason=\"the rehearsal ended with 1\"");
    cr_assert_eq(count_in_log("upgrading program="), 0);
    expect_post("/out", 200);
    require(unlink(scene.sidecar.configuration_file) == 0, "no file");
    folder_write(scene.sidecar.configuration_file, text);
    upgrade();
    expect_post("/out", 200);
    scene_end(&scene);
}

static void shell_in(const char *folder, const char *commands)
{
    autofree char *line = format_text("cd %s && %s", folder, commands);
    require(system(line) == 0, "failed: %s", line);
}

/* As when a library of theirs is not there. */
Test(reload, programs_whose_children_do_not_start_are_not_executed)
{
    autofree char *folder = folder_new("upgrade");
    autofree char *installed = format_text("%s/leveret", folder);
    shell_in(folder, "at=$(dirname $LEVERET)/../.. && "
                     "cp $LEVERET $at/front/leveret-front $at/worker/leveret-worker .");
    require(setenv("LEVERET", installed, 1) == 0, "no environment");
    begin("upgrade_children");
    shell_in(folder, "mv leveret-worker kept && cp /bin/false leveret-worker");
    child_signal(&scene.sidecar.supervisor, SIGUSR2);
    sidecar_await_log(&scene.sidecar, "not-upgraded reason=\"the rehearsal ended with 1\"");
    cr_assert_eq(count_in_log("leveret-worker reason=\"it does not start: it ended with 1\""), 1);
    cr_assert_eq(count_in_log("upgrading program="), 0);
    expect_post("/out", 200);
    shell_in(folder, "mv kept leveret-worker");
    upgrade();
    expect_post("/out", 200);
    scene_end(&scene);
    folder_remove(folder);
}

Test(reload, an_end_right_behind_an_upgrade_drains_all)
{
    begin("upgrade_end");
    child_signal(&scene.sidecar.supervisor, SIGUSR2);
    sidecar_await_log(&scene.sidecar, "upgrading program=");
    scene_end(&scene);
}
