/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probes while a broker that the test plays comes, stops to read, and goes: which of them fail,
 * why, and that an orchestrator hears of the end before clients are turned away.
 */
#include "tests/fault/play.h"

#include <signal.h>
#include <unistd.h>

#include "tests/support/require.h"
#include "tests/support/stats.h"

enum { SOON_MS = 10000 };

TestSuite(probes, .timeout = 60);

static struct play play;

static bool says(const char *path, const char *reason)
{
    return stats_probe_says(&play.scene.sidecar, path, reason);
}

#define await_probe(path, reason) await(says(path, reason), SOON_MS, "%s never says so", path)

Test(probes, follow_the_broker_that_comes_is_blocked_and_goes)
{
    amqp_door_open(&play.door, NULL);
    play_start(&play, "probes", "publish.json");
    await_probe("/__ready", "broker-away");
    cr_expect(says("/__startup", "broker-never-seen"));
    cr_expect(says("/__live", NULL), "a broker that is away is no reason to restart anything");

    play_accept(&play);
    await_probe("/__ready", NULL);
    cr_expect(says("/__startup", NULL));

    amqp_peer_block(&play.peer, true);
    await_probe("/__ready", "broker-blocked");
    amqp_peer_block(&play.peer, false);
    await_probe("/__ready", NULL);

    amqp_peer_hang_up(&play.peer);
    await_probe("/__ready", "broker-away");
    cr_expect(says("/__startup", NULL), "it has started, and that is not undone");
    cr_expect(says("/__live", NULL));
    play_accept(&play);
    await_probe("/__ready", NULL);
    play_end(&play);
}

Test(probes, name_the_endpoints_and_the_broker_that_is_to_blame)
{
    amqp_door_open(&play.door, NULL);
    play_start(&play, "probe_reasons", "publish.json");
    autofree char *url = format_text("%s/__ready", play.scene.sidecar.admin_url);
    autofree char *broker = format_text("\"what\":\"127.0.0.1:%u/\"", play.door.port);
    struct http_answer answer;
    http_do(&(struct http_request){.url = url}, &answer);
    expect_status(&answer, 503);
    expect_in_body(&answer, "{\"status\":\"failing\",\"reasons\":[");
    expect_in_body(&answer, broker);
    expect_in_body(&answer, "\"endpoint\":\"POST /out/{id}\"");
    http_answer_done(&answer);
    play_accept(&play);
    play_end(&play);
}

/* What is in flight is answered, and whoever asks how it is hears that it drains. */
Test(probes, a_front_that_drains_says_so_until_it_leaves)
{
    struct amqp_heard heard;
    play_begin(&play, "probe_drain", "publish.json");
    struct play_request request = play_publish(&play, "/out/last", &heard);
    sidecar_drain(&play.scene.sidecar);
    await_probe("/__ready", "draining");
    cr_expect(says("/__live", NULL), "it is no reason to kill it");
    json_t *stats = stats_read(&play.scene.sidecar);
    cr_expect(json_is_true(json_object_get(json_object_get(stats, "service"), "draining")));
    cr_expect_eq(stats_number(stats_endpoint(stats, "POST /out/{id}"), "in_flight"), 1);
    json_decref(stats);
    amqp_peer_ack(&play.peer, &heard, false);
    play_expect(&request, 200, NULL);
    play_end(&play);
}

Test(probes, with_a_delay_ready_fails_while_clients_are_still_let_in)
{
    amqp_door_open(&play.door, NULL);
    require(setenv("LEVERET_TEST_DRAIN_DELAY", "1900ms", 1) == 0, "setenv");
    play_start(&play, "probe_delay", "publish.json");
    play_accept(&play);
    await_probe("/__ready", NULL);
    sidecar_drain(&play.scene.sidecar);
    await_probe("/__ready", "draining");
    play_expect_works(&play, "/out/late");
    play_end(&play);
}
