/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which path leads where: the routing key of the message says which endpoint it was, and what its
 * parameter held.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(routes, .timeout = 60);

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "all", .is_durable = true});
    amqp_client_declare_exchange(&scene.amqp, "things", "topic", true);
    amqp_client_bind(&scene.amqp, "all", "things", "#");
    scene_begin(&scene, "routes.json");
}

static struct http_answer post(const char *path)
{
    return scene_do_when_up(
        &scene, path, &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
}

static void leads_to(const char *path, const char *routing_key)
{
    struct http_answer answer = post(path);
    expect_status(&answer, 200);
    http_answer_done(&answer);
    struct amqp_received received;
    cr_assert(amqp_client_get(&scene.amqp, "all", &received), "%s", path);
    cr_assert_str_eq(received.routing_key, routing_key, "%s: %s", path, received.routing_key);
    amqp_received_done(&received);
}

/* `location` NULL: there is no such field. */
static void leads_nowhere(const char *path, int status, const char *location)
{
    struct http_answer answer = post(path);
    expect_status(&answer, status);
    if (location)
        expect_header(&answer, "Location", location);
    else
        expect_no_header(&answer, "Location");
    http_answer_done(&answer);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "all"), 0, "%s", path);
}

static const struct {
    const char *path, *routing_key;
} found[] = {
    {"/key/a.b", "a.b"},
    {"/key/%61%2Fb", "a/b"},
    {"/key/a%20b+c", "a b+c"},
    {"/key/%C3%A9", "\xc3\xa9"},
    {"/key/..%2f", "../"},
    {"/key/%2525", "%25"},
    {"/key/PLAIN", "PLAIN"},
    {"/key/plain", "the plain one"},
    {"/key/pl%61in", "the plain one"},
    {"/key/plain?key=other", "the plain one"},
    {"/key/plain/x/end", "x"},
    {"/key/plain//end", ""},
    {"/key/plain/last", "plain"},
    {"/file.xml", "xml"},
    {"/file.tar.gz", "tar.gz"},
    {"/f%69le.%2E", "."},
    {"/file.json", "the json one"},
    {"/a/b/last", "b"},
    {"/slash/", "the slash one"},
};

Test(routes, each_path_leads_to_its_endpoint_with_its_parameters)
{
    begin("found");
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        leads_to(found[i].path, found[i].routing_key);
    scene_end(&scene);
}

static const struct {
    const char *path;
    int status;
    const char *location;
} lost[] = {
    {"/key/a/", 307, "/key/a"},
    {"/key/a/?b=c", 307, "/key/a?b=c"},
    {"/key/%61%2Fb/", 307, "/key/%61%2Fb"},
    {"/file.xml/", 307, "/file.xml"},
    {"/key/a//", 404, NULL},
    {"/key/", 404, NULL},
    {"/key", 404, NULL},
    {"/Key/A", 307, "/key/A"},
    {"/KEY/%61/?b=C", 307, "/key/%61?b=C"},
    {"/File.xml", 307, "/file.xml"},
    {"/%46ile.XML", 307, "/%66ile.XML"},
    {"/file.", 404, NULL},
    {"/file", 404, NULL},
    {"/slash", 404, NULL},
    {"/", 404, NULL},
    {"/a/b/c/last", 404, NULL},
    {"/key/%", 400, NULL},
    {"/key/%g0", 400, NULL},
    {"/key/%00", 400, NULL},
};

Test(routes, any_other_path_is_sent_back_or_not_found)
{
    begin("lost");
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        leads_nowhere(lost[i].path, lost[i].status, lost[i].location);
    leads_to("/key/good", "good");
    scene_end(&scene);
}
