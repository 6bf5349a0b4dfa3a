/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "shm/clock.h"
#include "shm/log.h"

#include "timer.h"

int loop_init(struct loop *loop, uint32_t max_timers)
{
    struct deadlines timers;
    int error = deadlines_init(&timers, max_timers);
    if (error)
        return error;
    *loop = (struct loop){.events = h2o_evloop_create(), .timers = timers};
    return 0;
}

h2o_socket_t *loop_watch(struct loop *loop, int fd, h2o_socket_cb on_ready, void *data)
{
    h2o_socket_t *socket = h2o_evloop_socket_create(loop->events, fd, H2O_SOCKET_FLAG_DONT_READ);
    socket->data = data;
    h2o_socket_read_start(socket, on_ready);
    return socket;
}

void loop_turn(struct loop *loop)
{
    uint64_t now_ns = clock_now_ns();
    unsigned n = loop->lanes ? lanes_poll(loop->lanes) : 0;
    n += timers_run(&loop->timers, now_ns); /* a reply that is there is not too late */
    if (loop->lanes)
        lanes_ring(loop->lanes);
    bool may_sleep = n == 0 && (!loop->lanes || lanes_park(loop->lanes));
    uint64_t log_ns = log_turn(now_ns), next_ns = deadlines_next(&loop->timers);
    int wait_ms = clock_wait_ms(now_ns, log_ns < next_ns ? log_ns : next_ns, LOOP_MAX_WAIT_MS);
    (void)h2o_evloop_run(
        loop->events, may_sleep ? wait_ms : 0); /* fails when a signal interrupts: the next turn */
    if (loop->lanes)
        lanes_unpark(loop->lanes);
}
