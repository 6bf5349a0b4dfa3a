/* SPDX-License-Identifier: Apache-2.0 */
#include "alone.h"

#include <signal.h>
#include <sys/pidfd.h>

#include "shm/log.h"

#include "front.h"

void alone_begin(struct front *front)
{
    uint64_t *beats = calloc(front->config->n_workers, sizeof(*beats));
    if (!beats)
        log_fatal("memory", "workers=%u: there is none for so many", front->config->n_workers);
    for (uint32_t i = 0; i < front->config->n_workers; i++) {
        beats[i] = lanes_beats(front->lanes, i);
        lanes_call(front->lanes, i);
    }
    front->alone.beats = beats;
}

static bool is_silent(const struct front *front, uint32_t worker)
{
    return front->orders.crews[worker].pidfd &&
           lanes_beats(front->lanes, worker) == front->alone.beats[worker];
}

bool alone_is_over(const struct front *front)
{
    for (uint32_t i = 0; front->alone.beats && i < front->config->n_workers; i++)
        if (is_silent(front, i))
            return false;
    return true;
}

void alone_end(struct front *front)
{
    for (uint32_t i = 0; front->alone.beats && i < front->config->n_workers; i++) {
        if (!is_silent(front, i))
            continue;
        log_line(LOG_WARN, "worker-killed",
            "worker=%u reason=\"it does not turn, and there is no supervisor\"", i);
        /* fails when it is dead: fine */
        (void)pidfd_send_signal(h2o_socket_get_fd(front->orders.crews[i].pidfd), SIGKILL, NULL, 0);
    }
}
