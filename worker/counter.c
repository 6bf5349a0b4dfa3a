/* SPDX-License-Identifier: Apache-2.0 */
#include "counter.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shm/doorbell.h"
#include "shm/log.h"

/* A dead front's desk: its publishes go on, and their bodies lie in its lane. */
struct counter_orphan {
    struct desk *desk;
    struct service_mark *mark;
    struct counter_orphan *next;
};

/* ---- the dead ---- */

static void forget_orphans(struct counter *counter)
{
    struct counter_orphan **at = &counter->orphans;
    while (*at) {
        struct counter_orphan *orphan = *at;
        if (desk_n_busy(orphan->desk) || !service_has_passed(counter->service, orphan->mark)) {
            at = &orphan->next;
            continue;
        }
        *at = orphan->next;
        desk_free(orphan->desk);
        free(orphan->mark);
        free(orphan);
    }
}

static void keep_orphan(struct counter *counter, struct desk *desk)
{
    struct counter_orphan *orphan = calloc(1, sizeof(*orphan));
    struct service_mark *mark = service_mark_new(counter->service);
    if (!orphan || !mark)
        log_fatal("memory", "not even for the remains of a dead front");
    *orphan = (struct counter_orphan){.desk = desk, .mark = mark, .next = counter->orphans};
    counter->orphans = orphan;
}

static void close_counter(struct counter *counter)
{
    struct desk *desk = STEAL(counter->desk);
    desk_front_died(desk);
    service_use_desk(counter->service, NULL);
    log_line(desk_n_busy(desk) ? LOG_WARN : LOG_INFO, "front-lost", "publishes=%u go on unanswered",
        desk_n_busy(desk));
    keep_orphan(counter, desk);
    loop_watch_free(counter->loop, STEAL(counter->bell_watch));
    loop_watch_free(counter->loop, STEAL(counter->front_watch));
    cleanup_fd(&counter->front_bell);
    cleanup_fd(&counter->own_bell);
    cleanup_fd(&counter->front_pidfd);
    counter->front_bell = counter->own_bell = counter->front_pidfd = -1;
}

/* ---- the living ---- */

static void on_bell(void *owner)
{
    struct counter *counter = owner;
    doorbell_hush(counter->own_bell);
}

static void on_front_end(void *owner)
{
    close_counter(owner);
}

static bool work(void *owner)
{
    struct counter *counter = owner;
    bool has_more = false;
    if (counter->orphans)
        forget_orphans(counter);
    if (!counter->desk)
        return false;
    desk_unpark(counter->desk);
    has_more = desk_turn(counter->desk);
    if (desk_complaint(counter->desk) && !counter->has_complained) {
        counter->has_complained = true;
        counter->on_complaint(counter->owner, desk_complaint(counter->desk));
    }
    return has_more;
}

static bool park(void *owner)
{
    struct counter *counter = owner;
    if (!counter->desk)
        return false;
    desk_ring(counter->desk, counter->front_bell);
    return !desk_park(counter->desk);
}

void counter_init(struct counter *counter)
{
    counter->front_bell = counter->own_bell = counter->front_pidfd = -1;
    counter->work = (struct loop_hook){.run = work, .owner = counter};
    counter->park = (struct loop_hook){.run = park, .owner = counter};
    loop_hook_add(counter->loop, LOOP_WORK, &counter->work);
    loop_hook_add(counter->loop, LOOP_PARK, &counter->park);
}

static int watch(struct counter *counter, const struct control_fds *fds)
{
    counter->bell_watch =
        loop_watch_new(counter->loop, fds->fd[CONTROL_LANE_WORKER_BELL], on_bell, counter);
    counter->front_watch =
        loop_watch_new(counter->loop, fds->fd[CONTROL_LANE_PEER], on_front_end, counter);
    if (counter->bell_watch && counter->front_watch)
        return 0;
    loop_watch_free(counter->loop, STEAL(counter->bell_watch));
    loop_watch_free(counter->loop, STEAL(counter->front_watch));
    return -ENOMEM;
}

int counter_open(struct counter *counter, struct control_fds *fds)
{
    struct desk *desk;
    if (counter->desk)
        close_counter(counter);
    int error =
        desk_new(&desk, fds->fd[CONTROL_LANE_MEMORY], service_desk_config(counter->service));
    if (error)
        return error;
    error = watch(counter, fds);
    if (error) {
        desk_free(desk);
        return error;
    }
    counter->desk = desk;
    counter->has_complained = false;
    counter->front_bell = STEAL_FD(fds->fd[CONTROL_LANE_FRONT_BELL]);
    counter->own_bell = STEAL_FD(fds->fd[CONTROL_LANE_WORKER_BELL]);
    counter->front_pidfd = STEAL_FD(fds->fd[CONTROL_LANE_PEER]);
    service_use_desk(counter->service, desk);
    return 0;
}

bool counter_is_open(const struct counter *counter)
{
    return counter->desk;
}

bool counter_is_idle(const struct counter *counter)
{
    return !counter->orphans && (!counter->desk || !desk_n_busy(counter->desk));
}
