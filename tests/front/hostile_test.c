/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "scene.h"

TestSuite(hostile, .init = scene_open, .fini = scene_close, .timeout = 30);

Test(hostile, a_worker_that_makes_blocking_what_it_has_of_the_bells_does_not_block_the_front)
{
    uint64_t most = UINT64_MAX - 1;
    int bell = stage.worker.doorbell.bell, rope = stage.front_bell.rope;
    cr_assert_eq(fcntl(bell, F_SETFL, 0) | fcntl(rope, F_SETFL, 0), 0);
    cr_assert_eq(write(rope, &most, sizeof(most)), (ssize_t)sizeof(most));
    cr_assert_eq(read(rope, &most, sizeof(most)), (ssize_t)sizeof(most));
    for (int i = 0; i < 3; i++) {
        stage_say(&stage, &client, POST("/produce/x", 0));
        stage_publish(&stage, OUTCOME_CONFIRMED);
        reply_read(&reply, &client, true);
        cr_assert_eq(reply.status, 200);
        raw_client_close(&client);
    }
}
