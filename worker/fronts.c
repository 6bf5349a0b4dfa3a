/* SPDX-License-Identifier: Apache-2.0 */
#include "fronts.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>

#include "shm/doorbell.h"
#include "shm/log.h"

/* A dead front's desk: its publishes go on, and their bodies lie in its lane. */
struct fronts_orphan {
    struct desk *desk;
    struct service_mark *mark;
    struct fronts_orphan *next;
};

/* ---- the dead ---- */

static void forget_orphans(struct fronts *fronts)
{
    struct fronts_orphan **at = &fronts->orphans;
    while (*at) {
        struct fronts_orphan *orphan = *at;
        if (desk_n_busy(orphan->desk) || !service_has_passed(fronts->service, orphan->mark)) {
            at = &orphan->next;
            continue;
        }
        *at = orphan->next;
        desk_free(orphan->desk);
        free(orphan->mark);
        free(orphan);
    }
}

static void keep_orphan(struct fronts *fronts, struct desk *desk)
{
    struct fronts_orphan *orphan = calloc(1, sizeof(*orphan));
    struct service_mark *mark = service_mark_new(fronts->service);
    if (!orphan || !mark)
        log_fatal("memory", "there is none even for the remains of a dead front");
    *orphan = (struct fronts_orphan){.desk = desk, .mark = mark, .next = fronts->orphans};
    fronts->orphans = orphan;
}

static void close_front(struct fronts *fronts)
{
    struct desk *desk = STEAL(fronts->desk);
    desk_front_died(desk);
    service_use_desk(fronts->service, NULL);
    log_line(desk_n_busy(desk) ? LOG_WARN : LOG_INFO, "front-gone", "unanswered_publishes=%u",
        desk_n_busy(desk));
    keep_orphan(fronts, desk);
    loop_watch_free(fronts->loop, STEAL(fronts->bell_watch));
    loop_watch_free(fronts->loop, STEAL(fronts->front_watch));
    cleanup_fd(&fronts->rope);
    cleanup_fd(&fronts->bell);
    cleanup_fd(&fronts->front_pidfd);
    fronts->rope = fronts->bell = fronts->front_pidfd = -1;
}

/* ---- the living ---- */

static void on_bell(void *owner)
{
    struct fronts *fronts = owner;
    doorbell_hush(fronts->bell);
}

static void on_front_end(void *owner)
{
    close_front(owner);
}

static bool work(void *owner)
{
    struct fronts *fronts = owner;
    bool has_more = false;
    if (fronts->orphans)
        forget_orphans(fronts);
    if (!fronts->desk)
        return false;
    desk_unpark(fronts->desk);
    has_more = desk_turn(fronts->desk);
    if (desk_complaint(fronts->desk) && !fronts->has_complained) {
        fronts->has_complained = true;
        fronts->on_complaint(fronts->owner, desk_complaint(fronts->desk));
    }
    return has_more;
}

static bool park(void *owner)
{
    struct fronts *fronts = owner;
    if (!fronts->desk)
        return false;
    desk_ring(fronts->desk, fronts->rope);
    return !desk_park(fronts->desk);
}

void fronts_init(struct fronts *fronts)
{
    fronts->rope = fronts->bell = fronts->front_pidfd = -1;
    fronts->work = (struct loop_hook){.run = work, .owner = fronts};
    fronts->park = (struct loop_hook){.run = park, .owner = fronts};
    loop_hook_add(fronts->loop, LOOP_WORK, &fronts->work);
    loop_hook_add(fronts->loop, LOOP_PARK, &fronts->park);
}

static int watch(struct fronts *fronts, const struct control_fds *fds)
{
    fronts->bell_watch = loop_watch_new(fronts->loop, fds->fd[CONTROL_LANE_BELL], on_bell, fronts);
    fronts->front_watch =
        loop_watch_new(fronts->loop, fds->fd[CONTROL_LANE_PEER], on_front_end, fronts);
    if (fronts->bell_watch && fronts->front_watch)
        return 0;
    loop_watch_free(fronts->loop, STEAL(fronts->bell_watch));
    loop_watch_free(fronts->loop, STEAL(fronts->front_watch));
    return -ENOMEM;
}

int fronts_open(struct fronts *fronts, struct control_fds *fds)
{
    struct desk *desk;
    if (fronts->desk)
        close_front(fronts);
    int error = desk_new(&desk, fds->fd[CONTROL_LANE_MEMORY], service_desk_config(fronts->service));
    if (error)
        return error;
    error = watch(fronts, fds);
    if (error) {
        desk_free(desk);
        return error;
    }
    fronts->desk = desk;
    fronts->has_complained = false;
    fronts->rope = STEAL_FD(fds->fd[CONTROL_LANE_ROPE]);
    fronts->bell = STEAL_FD(fds->fd[CONTROL_LANE_BELL]);
    fronts->front_pidfd = STEAL_FD(fds->fd[CONTROL_LANE_PEER]);
    service_use_desk(fronts->service, desk);
    return 0;
}

bool fronts_is_open(const struct fronts *fronts)
{
    return fronts->desk;
}

void fronts_kill(const struct fronts *fronts)
{
    (void)pidfd_send_signal(fronts->front_pidfd, SIGKILL, NULL, 0); /* fails when it is dead */
}

bool fronts_is_idle(const struct fronts *fronts)
{
    return !fronts->orphans && (!fronts->desk || !desk_n_busy(fronts->desk));
}
