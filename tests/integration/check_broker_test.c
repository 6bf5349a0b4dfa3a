/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret check --broker` before a deploy: what a real broker has is compared with what a file
 * says, and nothing is made or changed there.
 */
#include "expect.h"
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/broker_control.h"
#include "tests/support/child.h"
#include "tests/support/folder.h"
#include "tests/support/port.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(check_broker, .timeout = 120);

#define PRODUCER "$.endpoints[0].backend[0].extra_config[\"backend/amqp/producer\"]"
#define CONSUMER "$.endpoints[0].backend[0].extra_config[\"backend/amqp/consumer\"]"

enum { GOOD = 0, BAD = 1, REFUSED = 3, CHECK_MS = 60000 };

static struct scene scene;

/* ---- running it ---- */

struct verdict {
    int code;
    char *report; /* from the heap; without the path of the file */
};

static const char *folder(void)
{
    const char *path = getenv("LEVERET_TEST_FOLDER");
    return path != NULL ? path : "/tmp";
}

/* Cuts the file's folder off the lines of a report. */
static char *shorten(const char *report)
{
    char *shortened = format_text("%s", "");
    size_t n_folder = strlen(folder()) + 1;
    while (*report != '\0') {
        const char *line =
            strncmp(report, folder(), n_folder - 1) == 0 ? report + n_folder : report;
        size_t n_line = strcspn(line, "\n");
        char *longer = format_text("%s%.*s\n", shortened, (int)n_line, line);
        free(shortened);
        shortened = longer;
        report = line + n_line + (line[n_line] == '\n');
    }
    return shortened;
}

static struct verdict check(const char *option, const char *configuration)
{
    autofree char *file = format_text("%s/check.json", folder());
    autofree char *output = format_text("%s/check.out", folder());
    struct child child;
    struct verdict verdict;
    folder_write(file, configuration);
    child_start(&child, &(struct child_program){.argv = (const char *[]){getenv("LEVERET"), "check",
                                                    "--broker", "-c", file, option, NULL},
                            .output = output});
    require(child_wait(&child, deadline_in_ms(CHECK_MS)), "check does not end");
    autofree char *report = folder_read(output);
    require(report != NULL, "no report");
    verdict = (struct verdict){child.code, shorten(report)};
    require(unlink(file) == 0 && unlink(output) == 0, "unlink");
    return verdict;
}

static void verdict_done(struct verdict *verdict)
{
    free(verdict->report);
}

#define expect_verdict(verdict, expected_code, ...)                                                \
    do {                                                                                           \
        autofree char *expected_ = format_text(__VA_ARGS__);                                       \
        cr_expect_eq(                                                                              \
            (verdict)->code, expected_code, "%d: %s", (verdict)->code, (verdict)->report);         \
        cr_expect_not_null(                                                                        \
            strstr((verdict)->report, expected_), "no %s in %s", expected_, (verdict)->report);    \
    } while (0)

/* ---- what the file says, what the broker has ---- */

/* One endpoint with one backend, whose keys stand in lines 5 and 6. */
static char *configuration(const char *url, const char *role, const char *keys, const char *own)
{
    return format_text("{\"version\": 3, \"host\": [\"%s\"],\n"
                       "\"extra_config\": {\"leveret\": {\"compatibility\": \"krakend\"}},\n"
                       "\"endpoints\": [{\"endpoint\": \"/x\", \"method\": \"%s\",\n"
                       "  \"backend\": [{\"extra_config\": {\n"
                       "    \"backend/amqp/%s\": {%s},\n"
                       "    \"leveret\": {%s}}}]}]}\n",
        url, strcmp(role, "producer") == 0 ? "POST" : "GET", role, keys, own);
}

static void have_topology(void)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("x-max-length"),
        .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = 10}};
    amqp_client_declare_exchange(&scene.amqp, "things", "topic", true);
    amqp_client_declare_exchange(&scene.amqp, "straight", "direct", true);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "kept", .is_durable = true});
    amqp_client_declare_queue(&scene.amqp, &(struct amqp_client_queue){.name = "short",
                                               .is_durable = true,
                                               .arguments = {.num_entries = 1, .entries = &entry}});
}

static void begin(const char *name)
{
    scene_open(&scene, name);
    have_topology();
}

/* What a file with this backend is told. */
static struct verdict check_backend(const char *role, const char *keys, const char *own)
{
    autofree char *text = configuration(scene.vhost.url, role, keys, own);
    return check(NULL, text);
}

/* ---- mismatches ---- */

/* What the broker says stands behind "received". */
static const struct row {
    const char *role, *keys, *own;
    int code;
    const char *expected;
} rows[] = {
    /* it fits */
    {"producer", "\"exchange\": \"things\", \"durable\": true", "", GOOD,
        "check.json: 0 errors, 0 warnings\n"},
    {"consumer", "\"name\": \"kept\", \"exchange\": \"things\", \"durable\": true", "", GOOD,
        "check.json: 0 errors, 0 warnings\n"},
    {"consumer", "\"name\": \"short\", \"durable\": true",
        "\"queue_arguments\": {\"x-max-length\": 10}", GOOD, "check.json: 0 errors, 0 warnings\n"},
    {"producer", "\"exchange\": \"straight\", \"durable\": true", "\"exchange_type\": \"direct\"",
        GOOD, "check.json: 0 errors, 0 warnings\n"},
    {"producer", "\"exchange\": \"amq.topic\", \"durable\": true", "", GOOD,
        "check.json: 0 errors, 0 warnings\n"},
    /* what is taken as given may be of any kind */
    {"producer", "\"exchange\": \"straight\"", "\"declare\": \"passive\"", GOOD,
        "check.json: 0 errors, 0 warnings\n"},
    {"consumer", "\"name\": \"short\"", "\"declare\": \"none\"", GOOD,
        "check.json: 0 errors, 0 warnings\n"},
    /* an exchange is another one */
    {"producer", "\"exchange\": \"straight\", \"durable\": true", "", REFUSED,
        "check.json:5:43: " PRODUCER ".exchange: error: the broker refuses it: PRECONDITION_FAILED "
        "- inequivalent arg 'type' for exchange 'straight'"},
    {"producer", "\"exchange\": \"things\"", "", REFUSED,
        PRODUCER ".exchange: error: the broker refuses it: PRECONDITION_FAILED - inequivalent arg "
                 "'durable' for exchange 'things'"},
    {"consumer",
        "\"name\": \"kept\", \"exchange\": \"things\", \"durable\": true, \"delete\": true", "",
        REFUSED,
        CONSUMER ".exchange: error: the broker refuses it: PRECONDITION_FAILED - inequivalent arg "
                 "'auto_delete' for exchange 'things'"},
    {"producer", "\"exchange\": \"things\", \"durable\": true",
        "\"exchange_arguments\": {\"alternate-exchange\": \"other\"}", REFUSED,
        PRODUCER ".exchange: error: the broker refuses it: PRECONDITION_FAILED - inequivalent arg "
                 "'alternate-exchange' for exchange 'things'"},
    {"producer", "\"exchange\": \"things\", \"durable\": true",
        "\"exchange_type\": \"x-nobody-knows\"", REFUSED,
        PRODUCER ".exchange: error: the broker refuses it: COMMAND_INVALID - unknown exchange type "
                 "'x-nobody-knows'"},
    /* a queue is another one */
    {"consumer", "\"name\": \"kept\"", "", REFUSED,
        "check.json:5:39: " CONSUMER ".name: error: the broker refuses it: PRECONDITION_FAILED - "
        "inequivalent arg 'durable' for queue 'kept'"},
    {"consumer", "\"name\": \"kept\", \"durable\": true, \"exclusive\": true", "", REFUSED,
        CONSUMER ".name: error: the broker refuses it: RESOURCE_LOCKED"},
    {"consumer", "\"name\": \"short\", \"durable\": true",
        "\"queue_arguments\": {\"x-max-length\": 11}", REFUSED,
        CONSUMER ".name: error: the broker refuses it: PRECONDITION_FAILED - inequivalent arg "
                 "'x-max-length' for queue 'short'"},
    /* ... which keeps nobody from publishing */
    {"producer", "\"name\": \"kept\", \"exchange\": \"amq.topic\"", "\"declare\": \"passive\"",
        GOOD, "check.json: 0 errors, 0 warnings\n"},
    {"producer", "\"name\": \"short\", \"exchange\": \"things\", \"durable\": true", "", GOOD,
        PRODUCER ".name: warning: the broker refuses it: PRECONDITION_FAILED - inequivalent arg "
                 "'x-max-length' for queue 'short'"},
    /* it is not there */
    {"producer", "\"name\": \"newq\", \"exchange\": \"new\", \"durable\": true", "", GOOD,
        PRODUCER ".exchange: note: is not there yet: it will be declared\n"},
    {"consumer", "\"name\": \"newq\", \"exchange\": \"new\", \"durable\": true", "", GOOD,
        CONSUMER ".name: note: is not there yet: it will be declared\n"},
    {"producer", "\"exchange\": \"new\"", "\"declare\": \"passive\"", REFUSED,
        PRODUCER ".exchange: error: is not there, and the file declares it nowhere: NOT_FOUND - no "
                 "exchange 'new'"},
    {"producer", "\"exchange\": \"new\"", "\"declare\": \"none\"", REFUSED,
        PRODUCER ".exchange: error: is not there, and the file declares it nowhere: NOT_FOUND"},
    {"producer", "\"name\": \"newq\", \"exchange\": \"things\"", "\"declare\": \"passive\"", GOOD,
        PRODUCER ".name: warning: is not there, and the file declares it nowhere: NOT_FOUND"},
    {"consumer", "\"name\": \"newq\"", "\"declare\": \"passive\"", REFUSED,
        CONSUMER ".name: error: is not there, and the file declares it nowhere: NOT_FOUND - no "
                 "queue 'newq'"},
    {"consumer", "\"name\": \"kept\", \"exchange\": \"new\"", "\"declare\": \"passive\"", REFUSED,
        CONSUMER ".exchange: error: is not there, and the file declares it nowhere: NOT_FOUND"},
    {"consumer", "\"name\": \"kept\", \"exchange\": \"new\"", "\"declare\": \"none\"", GOOD,
        "check.json: 0 errors, 0 warnings\n"},
};

Test(check_broker, prints_each_mismatch_in_the_brokers_words_at_the_key_that_names_it)
{
    begin("mismatch");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct verdict verdict = check_backend(rows[i].role, rows[i].keys, rows[i].own);
        expect_verdict(&verdict, rows[i].code, "%s", rows[i].expected);
        verdict_done(&verdict);
    }
    scene_close(&scene);
}

Test(check_broker, makes_nothing_and_changes_nothing)
{
    begin("untouched");
    scene_publish(&scene, "", "kept", "still here");
    for (int i = 0; i < 2; i++) {
        struct verdict verdict = check_backend(
            "consumer", "\"name\": \"newq\", \"exchange\": \"new\", \"routing_key\": [\"#\"]", "");
        expect_verdict(&verdict, GOOD,
            "check.json:5:39: " CONSUMER ".name: note: is not there yet: it will be declared\n"
            "check.json:5:59: " CONSUMER ".exchange: note: is not there yet: it will be declared\n"
            "check.json: 0 errors, 0 warnings, 2 notes\n");
        verdict_done(&verdict);
        verdict = check_backend("consumer",
            "\"name\": \"kept\", \"durable\": true, \"exchange\": \"things\", \"routing_key\": "
            "[\"#\"]",
            "");
        expect_verdict(&verdict, GOOD, "check.json: 0 errors, 0 warnings\n");
        verdict_done(&verdict);
    }
    cr_assert_eq(amqp_client_depth(&scene.amqp, "newq"), -1);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "kept"), 1);
    cr_assert_eq(amqp_client_consumers(&scene.amqp, "kept"), 0);
    cr_assert_eq(vhost_n_bindings(&scene.vhost, "kept"), 0);
    struct amqp_received received;
    cr_assert(amqp_client_get(&scene.amqp, "kept", &received));
    cr_assert_not(received.is_redelivered);
    amqp_received_done(&received);
    scene_close(&scene);
}

Test(check_broker, asks_all_that_a_connection_of_one_channel_can)
{
    begin("one_channel");
    autofree char *url = format_text("%s?channel_max=1", scene.vhost.url);
    autofree char *text = configuration(
        url, "producer", "\"name\": \"short\", \"exchange\": \"things\", \"durable\": true", "");
    struct verdict verdict = check(NULL, text);
    expect_verdict(&verdict, GOOD, PRODUCER ".name: warning: the broker refuses it");
    verdict_done(&verdict);
    scene_close(&scene);
}

Test(check_broker, knows_what_another_backend_of_the_file_declares)
{
    begin("another");
    autofree char *text = format_text(
        "{\"version\": 3, \"host\": [\"%s\"], \"endpoints\": ["
        "{\"endpoint\": \"/out\", \"method\": \"POST\", \"backend\": [{\"extra_config\": {"
        "\"backend/amqp/producer\": {\"exchange\": \"new\"}, \"leveret\": {\"declare\": "
        "\"none\"}}}]},"
        "{\"endpoint\": \"/in\", \"backend\": [{\"extra_config\": {"
        "\"backend/amqp/consumer\": {\"name\": \"newq\", \"exchange\": \"new\"}}}]}]}",
        scene.vhost.url);
    struct verdict verdict = check(NULL, text);
    expect_verdict(&verdict, GOOD, PRODUCER ".exchange: note: is not there yet");
    verdict_done(&verdict);
    scene_close(&scene);
}

/* ---- rights ---- */

static void own_queue(void)
{
    (void)amqp_queue_declare(scene.amqp.connection, 1, amqp_cstring_bytes("mine"), false, false,
        true, false, amqp_empty_table);
    cr_assert_eq(amqp_get_rpc_reply(scene.amqp.connection).reply_type, AMQP_RESPONSE_NORMAL);
}

Test(check_broker, says_of_an_exclusive_queue_that_it_is_in_use)
{
    begin("locked");
    own_queue();
    struct verdict verdict = check_backend("consumer", "\"name\": \"mine\"", "");
    expect_verdict(&verdict, REFUSED, CONSUMER ".name: error: is in use: RESOURCE_LOCKED");
    verdict_done(&verdict);
    /* the predecessor may have it, which makes way */
    verdict = check_backend("consumer", "\"name\": \"mine\", \"exclusive\": true", "");
    expect_verdict(&verdict, GOOD, CONSUMER ".name: warning: is in use: RESOURCE_LOCKED");
    verdict_done(&verdict);
    scene_close(&scene);
}

Test(check_broker, says_what_a_user_may_not_declare_and_not_who)
{
    begin("rights");
    const char *url = vhost_let_in(&scene.vhost, "unspoken", "^kept$", ".*");
    autofree char *text = configuration(
        url, "consumer", "\"name\": \"kept\", \"exchange\": \"things\", \"durable\": true", "");
    struct verdict verdict = check(NULL, text);
    expect_verdict(&verdict, REFUSED,
        CONSUMER ".exchange: error: the broker refuses it: ACCESS_REFUSED - access to exchange "
                 "'things' in vhost '%s' refused\n",
        scene.vhost.name);
    cr_assert_not_null(
        strstr(verdict.report, "check.json: 1 error, 0 warnings\n"), "%s", verdict.report);
    verdict_done(&verdict);
    scene_close(&scene);
}

/* ---- no broker ---- */

/* What is said of a host, in a report that names no credential. */
static void expect_no_way(const char *url, const char *reason)
{
    autofree char *text = configuration(url, "producer", "\"exchange\": \"things\"", "");
    struct verdict verdict = check(NULL, text);
    expect_verdict(
        &verdict, REFUSED, "check.json:1:25: $.host[0]: error: no way to the broker: %s", reason);
    cr_expect_null(strstr(verdict.report, "unspoken"), "%s", verdict.report);
    cr_expect_null(strstr(verdict.report, "guest"), "%s", verdict.report);
    verdict_done(&verdict);
}

Test(check_broker, says_why_no_host_leads_to_the_broker)
{
    begin("no_way");
    autofree char *nowhere = format_text("amqp://guest:unspoken@127.0.0.1:%u", port_reserve());
    expect_no_way(nowhere, "connecting: Connection refused");
    expect_no_way("amqp://guest:unspoken@nobody.invalid/?connection_timeout=2000", "");
    const char *right = vhost_let_in(&scene.vhost, "right", ".*", ".*");
    autofree char *wrong =
        format_text("amqp://%s:unspoken@%s", scene.vhost.name, strchr(right, '@') + 1);
    expect_no_way(wrong, "ACCESS_REFUSED - Login was refused");
    autofree char *vhost = format_text("%s-none", scene.vhost.url);
    expect_no_way(vhost, "NOT_ALLOWED - vhost");
    scene_close(&scene);
}

Test(check_broker, asks_over_tls_and_says_why_there_is_none)
{
    begin("over_tls");
    autofree char *url = format_text("amqps://guest:guest@localhost:%u/%s?cacertfile=%s/ca.pem",
        broker_amqps_port(), scene.vhost.name, broker_certificates());
    autofree char *text =
        configuration(url, "producer", "\"exchange\": \"things\", \"durable\": true", "");
    struct verdict verdict = check(NULL, text);
    expect_verdict(&verdict, GOOD, "check.json: 0 errors, 0 warnings\n");
    verdict_done(&verdict);
    autofree char *stranger = format_text("amqps://guest:unspoken@localhost:%u/?cacertfile=%s/"
                                          "guest.pem",
        broker_amqps_port(), broker_certificates());
    autofree char *reason = format_text("TLS with localhost:%u: certificate verify failed: "
                                        "self-signed certificate in certificate chain",
        broker_amqps_port());
    expect_no_way(stranger, reason);
    scene_close(&scene);
}

Test(check_broker, does_not_wait_for_a_broker_that_never_greets)
{
    uint16_t port = port_reserve();
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    require(listen(listener, 8) == 0, "listen");
    autofree char *url =
        format_text("amqp://guest:unspoken@127.0.0.1:%u/?connection_timeout=100", port);
    expect_no_way(url, "");
    (void)close(listener); /* of a socket: nothing to lose */
}

Test(check_broker, is_content_with_one_host_of_two_and_warns_of_the_other)
{
    begin("one_of_two");
    autofree char *hosts = format_text("amqp://guest:guest@127.0.0.1:%u/%s\", \"%s", port_reserve(),
        scene.vhost.name, scene.vhost.url);
    autofree char *text =
        configuration(hosts, "producer", "\"exchange\": \"things\", \"durable\": true", "");
    struct verdict verdict = check(NULL, text);
    expect_verdict(&verdict, GOOD,
        "$.host[0]: warning: this host cannot be used now, another one can: connecting: Connection "
        "refused\ncheck.json: 0 errors, 1 warning\n");
    verdict_done(&verdict);
    verdict = check("--strict", text);
    expect_verdict(&verdict, REFUSED, "check.json: 0 errors, 1 warning\n");
    verdict_done(&verdict);
    scene_close(&scene);
}

Test(check_broker, asks_nobody_when_the_file_is_not_sound)
{
    autofree char *url = format_text("amqp://127.0.0.1:%u", port_reserve());
    autofree char *text = configuration(url, "producer", "\"exchange\": 1", "");
    struct verdict verdict = check(NULL, text);
    expect_verdict(&verdict, BAD, "check.json: 1 error, 0 warnings\n");
    verdict_done(&verdict);
    autofree char *odd = configuration(url, "producer", "\"exchange\": \"\", \"odd\": 1", "");
    verdict = check("--strict", odd);
    expect_verdict(&verdict, BAD, "no way to the broker"); /* the file's own verdict counts */
    verdict_done(&verdict);
}
