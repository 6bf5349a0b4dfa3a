/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruments themselves, tried on a real RabbitMQ and its management API before they judge
 * anything else. Runs alone under with_broker, one test at a time, since two of them stop the
 * broker.
 */
#include <criterion/criterion.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <amqp.h>
#include "tests/support/amqp_client.h"
#include "tests/support/broker_control.h"
#include "tests/support/child.h"
#include "tests/support/folder.h"
#include "tests/support/http_client.h"
#include "tests/support/load.h"
#include "tests/support/port.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/settle.h"
#include "tests/support/vhost.h"

TestSuite(support, .timeout = 150);

static struct vhost vhost;
static struct amqp_client amqp;

static void open_with_queue(const char *name)
{
    vhost_init(&vhost, name);
    amqp_client_init(&amqp, vhost.url);
    amqp_client_declare_queue(&amqp, &(struct amqp_client_queue){.name = "q", .is_durable = true});
}

static void done(void)
{
    amqp_client_done(&amqp);
    vhost_done(&vhost);
}

static void publish(struct amqp_client *client, const char *body)
{
    amqp_client_publish(
        client, &(struct amqp_client_message){
                    .exchange = "", .routing_key = "q", .body = body, .body_bytes = strlen(body)});
}

static int management_status(const char *path, long timeout_ms)
{
    autofree char *url =
        format_text("http://guest:guest@127.0.0.1:%u/api/%s", broker_http_port(), path);
    struct http_answer answer;
    http_do(&(struct http_request){.url = url, .timeout_ms = timeout_ms}, &answer);
    int status = answer.status;
    http_answer_done(&answer);
    return status;
}

Test(support, a_message_comes_back_with_all_that_it_carried)
{
    open_with_queue("comes_back");
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("X-Name"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("a value")}};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .message_id = amqp_cstring_bytes("id-1"),
        .priority = 7,
        .headers = {.num_entries = 1, .entries = &entry}};
    static const char body[] = "with a NUL \0 and \xff";
    amqp_client_publish(&amqp, &(struct amqp_client_message){.exchange = "",
                                   .routing_key = "q",
                                   .body = body,
                                   .body_bytes = sizeof body,
                                   .properties = &properties});
    cr_assert_eq(amqp_client_depth(&amqp, "q"), 1);

    struct amqp_received received;
    cr_assert(amqp_client_get(&amqp, "q", &received));
    cr_assert(amqp_is_text(received.message.properties.message_id, "id-1"));
    cr_assert_eq(received.message.properties.priority, 7);
    cr_assert_eq(received.message.properties._flags, properties._flags);
    cr_assert(amqp_received_has_header(&received, "X-Name", "a value"));
    cr_assert_not(amqp_received_has_header(&received, "X-Name", "another"));
    cr_assert_null(amqp_received_header(&received, "X-Other"));
    cr_assert_eq(received.message.body.len, sizeof body);
    cr_assert_arr_eq(received.message.body.bytes, body, sizeof body);
    cr_assert_str_eq(received.routing_key, "q");
    cr_assert_not(received.is_redelivered);
    amqp_received_done(&received);

    cr_assert_not(amqp_client_get(&amqp, "q", &received), "it was acked");
    done();
}

Test(support, take_waits_for_a_message_and_no_longer_than_it_was_told)
{
    open_with_queue("take");
    struct amqp_received received;
    cr_assert_not(amqp_client_take(&amqp, "q", 20, &received));
    publish(&amqp, "late");
    cr_assert(amqp_client_take(&amqp, "q", AMQP_CLIENT_TIMEOUT_MS, &received));
    cr_assert(amqp_is_text(received.message.body, "late"));
    amqp_received_done(&received);
    cr_assert_eq(amqp_client_depth(&amqp, "q"), 0);
    cr_assert_eq(amqp_client_consumers(&amqp, "q"), 0);
    done();
}

Test(support, a_missing_queue_has_no_depth_and_costs_nothing)
{
    open_with_queue("missing");
    cr_assert_eq(amqp_client_depth(&amqp, "none"), -1);
    cr_assert_eq(amqp_client_depth(&amqp, "q"), 0, "the client still works");
    done();
}

Test(support, vhosts_do_not_see_each_other)
{
    open_with_queue("first");
    struct vhost other;
    struct amqp_client client;
    vhost_init(&other, "second");
    amqp_client_init(&client, other.url);
    cr_assert_eq(amqp_client_depth(&client, "q"), -1);
    amqp_client_done(&client);
    vhost_done(&other);
    done();
}

Test(support, closing_a_vhosts_connections_counts_them)
{
    open_with_queue("closing");
    await(vhost_close_connections(&vhost) == 1, 10000, "the broker does not list the connection");
    done();
}

Test(support, a_child_tells_how_it_ended)
{
    struct child child;
    child_start(
        &child, &(struct child_program){.argv = (const char *[]){"/bin/sh", "-c", "exit 3", NULL}});
    cr_assert(child_wait(&child, deadline_in_ms(5000)));
    cr_assert_eq(child.code, 3);
    child_start(&child, &(struct child_program){.argv = (const char *[]){"/bin/cat", NULL},
                            .env = (const char *[]){NULL}});
    (void)child_wait(&child, deadline_in_ms(5000)); /* reads end of file at once */
    cr_assert_eq(child.code, 0);
    child_start(
        &child, &(struct child_program){.argv = (const char *[]){"/bin/sleep", "60", NULL}});
    cr_assert_not(child_wait(&child, deadline_in_ms(1)));
    child_kill(&child);
    cr_assert_eq(child.code, -SIGKILL);
    child_start(&child, &(struct child_program){.argv = (const char *[]){"/none", NULL}});
    cr_assert(child_wait(&child, deadline_in_ms(5000)));
    cr_assert_eq(child.code, 127);
}

Test(support, a_child_that_is_apart_ends_with_its_own_children)
{
    struct child child;
    int end[2];
    char byte;
    cr_assert_eq(pipe(end), 0);
    autofree char *script = format_text("echo >/proc/%d/fd/%d; sleep 60 >/proc/%d/fd/%d & wait",
        getpid(), end[1], getpid(), end[1]);
    child_start(
        &child, &(struct child_program){
                    .argv = (const char *[]){"/bin/sh", "-c", script, NULL}, .is_apart = true});
    cr_assert_eq(read(end[0], &byte, 1), 1);
    cr_assert_eq(getpgid(child.pid), child.pid);
    child_kill(&child);
    cr_assert_eq(close(end[1]), 0);
    cr_assert_eq(read(end[0], &byte, 1), 0, "nobody has the pipe");
}

/* The log of the one broker that is started in the folder, as far as it has come; NULL: none yet. */
static char *log_of_node_in(const char *folder)
{
    autofree char *pattern = format_text("%s/leveret-broker-*/node.log", folder);
    glob_t found = {0};
    char *text = glob(pattern, 0, NULL, &found) == 0 ? folder_read(found.gl_pathv[0]) : NULL;
    globfree(&found);
    return text;
}

static bool has_logged(const char *folder, const char *text)
{
    autofree char *log = log_of_node_in(folder);
    return log != NULL && strstr(log, text) != NULL;
}

/* As a terminal does it: to all that are in the group. */
static void interrupt_a_start_that_has_logged(const char *text)
{
    autofree char *folder = folder_new("leveret-interrupted");
    cr_assert_eq(setenv("TMPDIR", folder, 1), 0);
    struct child child;
    child_start(&child, &(struct child_program){
                            .argv = (const char *[]){WITH_BROKER, "/bin/false", NULL},
                            .is_apart = true,
                        });
    await(has_logged(folder, text), 60000, "no broker is started in %s", folder);
    cr_assert_eq(kill(-child.pid, SIGINT), 0);
    cr_assert(child_wait(&child, deadline_in_ms(8000)));
    cr_assert_eq(child.code, 128 + SIGINT);
    cr_assert_eq(rmdir(folder), 0, "nothing is left in it");
}

Test(support, ctrl_c_in_the_first_moment_of_a_broker_leaves_nothing)
{
    interrupt_a_start_that_has_logged("");
}

Test(support, ctrl_c_while_a_broker_boots_leaves_nothing)
{
    interrupt_a_start_that_has_logged("Starting broker");
}

Test(support, reserved_ports_differ_and_nobody_listens_on_them)
{
    uint16_t a = port_reserve(), b = port_reserve();
    cr_assert_neq(a, b);
    cr_assert_eq(port_connect(a), -1);
    int fd = port_connect(broker_port());
    cr_assert_geq(fd, 0);
    (void)close(fd); /* of a socket */
}

Test(support, an_http_answer_has_status_headers_and_body)
{
    autofree char *url = format_text("http://127.0.0.1:%u/api/overview", broker_http_port());
    struct http_answer answer;
    http_do(&(struct http_request){.url = url}, &answer);
    cr_assert_eq(answer.status, 401);
    char value[64];
    cr_assert_str_eq(http_header(&answer, "WWW-Authenticate", value, sizeof value),
        "Basic realm=\"RabbitMQ Management\"");
    cr_assert_null(http_header(&answer, "X-None", value, sizeof value));
    cr_assert_eq(answer.body_bytes, strlen(answer.body));
    http_answer_done(&answer);
}

Test(support, a_server_that_is_not_there_is_an_answer_of_status_0)
{
    autofree char *url = format_text("http://127.0.0.1:%u/", port_reserve());
    struct http_call *call = http_begin(&(struct http_request){.url = url});
    struct http_answer answer;
    http_end(call, &answer);
    cr_assert_eq(answer.status, 0);
    cr_assert_neq(answer.failure[0], '\0');
    http_answer_done(&answer);
}

Test(support, raw_bytes_arrive_as_they_were_said)
{
    struct raw_client client;
    char answer[4096];
    raw_client_connect(&client, broker_http_port());
    cr_assert(raw_client_say(&client, "NONSENSE\r\n\r\n"));
    cr_assert(raw_client_read(&client, "\r\n", answer, sizeof answer, deadline_in_ms(5000)));
    cr_assert_eq(strncmp(answer, "HTTP/1.1 400", 12), 0, "%s", answer);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(5000)));
    raw_client_close(&client);
}

struct tally {
    char *url;
    int n_ok[200];
};

static void on_request(void *context, int i, struct http_request *request)
{
    const struct tally *tally = context;
    request->url = tally->url;
    if (i % 2 == 1) {
        request->method = "PUT";
        request->body = "{}";
        request->body_bytes = 2;
    }
}

static void on_answer(void *context, int i, const struct http_answer *answer)
{
    struct tally *tally = context;
    tally->n_ok[i] += answer->status == (i % 2 == 1 ? 204 : 200);
}

Test(support, a_load_answers_each_request_once)
{
    vhost_init(&vhost, "load");
    struct tally tally = {.url = format_text("http://guest:guest@127.0.0.1:%u/api/vhosts/%s",
                              broker_http_port(), vhost.name)};
    struct load load = {.n_connections = 8,
        .n_requests = 200,
        .on_request = on_request,
        .on_answer = on_answer,
        .context = &tally};
    load_run(&load);
    for (int i = 0; i < load.n_requests; i++)
        cr_assert_eq(tally.n_ok[i], 1, "request %d", i);
    free(tally.url);
    vhost_done(&vhost);
}

Test(support, a_frozen_broker_says_nothing_until_it_is_thawed)
{
    broker_do(BROKER_FREEZE);
    cr_assert_eq(management_status("overview", 200), 0);
    broker_do(BROKER_THAW);
    cr_assert_eq(management_status("overview", 0), 200);
}

Test(support, a_killed_broker_comes_back_with_what_it_had_confirmed)
{
    open_with_queue("killed");
    settle_declarations();
    amqp_basic_properties_t persistent = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = AMQP_DELIVERY_PERSISTENT};
    amqp_client_publish(&amqp, &(struct amqp_client_message){.exchange = "",
                                   .routing_key = "q",
                                   .body = "kept",
                                   .body_bytes = 4,
                                   .properties = &persistent});
    broker_do(BROKER_KILL);
    cr_assert_eq(port_connect(broker_port()), -1);
    broker_do(BROKER_START);
    amqp_client_done(&amqp);
    amqp_client_init(&amqp, vhost.url);
    struct amqp_received received;
    cr_assert(amqp_client_get(&amqp, "q", &received));
    cr_assert(amqp_is_text(received.message.body, "kept"));
    amqp_received_done(&received);
    done();
}
