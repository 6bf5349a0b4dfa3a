/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"

#include "engine.h"

struct loop {
    struct engine *engine;
    int refusal; /* why it is not io_uring */
    struct deadlines deadlines;
    struct loop_hook *hooks[LOOP_N_PHASES];
    struct loop_watch *watches; /* those that were not freed yet */
    uint64_t now_ns;
    int error; /* of something that has nobody to tell; ends the next turn */
};

struct loop_watch {
    struct loop *loop;
    struct loop_op op;
    int fd;
    bool is_freed; /* by its owner; it goes when the operation has ended */
    void (*on_ready)(void *owner);
    void *owner;
    struct loop_watch *next, *previous;
};

/* ---- a life --------------------------------------------------------------------------------- */

static int engine_new(struct loop *loop, const struct loop_config *config)
{
    if (config->io == IO_EPOLL)
        return epoll_new(&loop->engine, config->buffer_bytes);
    int r = uring_new(&loop->engine, config->n_buffers, config->buffer_bytes);
    if (r == 0 || config->io == IO_URING)
        return r;
    loop->refusal = r;
    return epoll_new(&loop->engine, config->buffer_bytes);
}

int loop_new(struct loop **out, const struct loop_config *config)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    int r = deadlines_init(&loop->deadlines, config->n_timers);
    if (r == 0)
        r = engine_new(loop, config);
    if (r < 0) {
        loop_free(loop);
        return r;
    }
    loop->now_ns = clock_now_ns();
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->engine)
        loop->engine->ops->free(loop->engine);
    while (loop->watches) {
        struct loop_watch *watch = loop->watches;
        loop->watches = watch->next;
        free(watch);
    }
    deadlines_done(&loop->deadlines);
    free(loop);
}

const char *loop_io(const struct loop *loop)
{
    return loop->engine->ops->name;
}

int loop_refusal(const struct loop *loop)
{
    return loop->refusal;
}

const char *loop_explain(int error)
{
    switch (-error) {
    case EPERM:
    case EACCES:
        return "io_uring is refused: by the container's seccomp profile or by "
               "kernel.io_uring_disabled";
    case ENOSYS:
        return "this kernel has no io_uring, or one older than Linux 6.1";
    case ENOMEM:
        return "no memory for io_uring: look at the limit of locked memory";
    default:
        return strerror(-error);
    }
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

/* ---- a turn --------------------------------------------------------------------------------- */

static bool run_hooks(struct loop *loop)
{
    bool has_more = false;
    for (int phase = 0; phase < LOOP_N_PHASES; phase++) {
        struct loop_hook *next;
        for (struct loop_hook *hook = loop->hooks[phase]; hook; hook = next) {
            next = hook->next; /* it may remove itself */
            has_more |= hook->run(hook->owner);
        }
    }
    return has_more;
}

static void run_timers(struct loop *loop)
{
    /* Not more than there are: a timer that is armed again for now waits for the next turn. */
    for (uint32_t n = loop->deadlines.n; n > 0; n--) {
        struct deadline *due = deadlines_pop(&loop->deadlines, loop->now_ns);
        if (!due)
            return;
        struct loop_timer *timer = due->owner;
        timer->on_due(timer->owner);
    }
}

static uint64_t wait_for(const struct loop *loop, uint64_t deadline_ns)
{
    uint64_t next_ns = deadlines_next(&loop->deadlines);
    if (next_ns > deadline_ns)
        next_ns = deadline_ns;
    if (next_ns == CLOCK_NEVER)
        return CLOCK_NEVER;
    uint64_t now_ns = clock_now_ns(); /* the hooks took their time */
    return next_ns > now_ns ? next_ns - now_ns : 0;
}

int loop_turn(struct loop *loop, uint64_t deadline_ns)
{
    bool has_more = run_hooks(loop);
    struct engine *engine = loop->engine;
    int r = engine->ops->wait(engine, has_more ? 0 : wait_for(loop, deadline_ns));
    if (r < 0)
        return r;
    loop->now_ns = clock_now_ns();
    engine->ops->dispatch(engine);
    run_timers(loop);
    return loop->error;
}

/* ---- timers, hooks -------------------------------------------------------------------------- */

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due_ns)
{
    timer->deadline.owner = timer;
    if (due_ns == CLOCK_NEVER)
        deadline_clear(&loop->deadlines, &timer->deadline);
    else
        deadline_set(&loop->deadlines, &timer->deadline, due_ns);
}

void loop_hook_add(struct loop *loop, enum loop_phase phase, struct loop_hook *hook)
{
    struct loop_hook **at = &loop->hooks[phase];
    while (*at)
        at = &(*at)->next;
    hook->next = NULL;
    *at = hook;
}

void loop_hook_remove(struct loop *loop, enum loop_phase phase, struct loop_hook *hook)
{
    for (struct loop_hook **at = &loop->hooks[phase]; *at; at = &(*at)->next) {
        if (*at == hook) {
            *at = hook->next;
            return;
        }
    }
}

/* ---- watches -------------------------------------------------------------------------------- */

static void watch_unlink(struct loop_watch *watch)
{
    if (watch->next)
        watch->next->previous = watch->previous;
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        watch->loop->watches = watch->next;
    free(watch);
}

static int watch_arm(struct loop_watch *watch)
{
    struct engine *engine = watch->loop->engine;
    return engine->ops->poll(engine, &watch->op, watch->fd);
}

/* A poll that has ended is armed again after the callback: what was left unread is told again. */
static void on_watch_event(void *owner, const struct loop_event *event)
{
    struct loop_watch *watch = owner;
    if (!watch->is_freed) {
        assert(event->result >= 0); /* the fd of a watch is open, so it can be polled */
        watch->on_ready(watch->owner);
    }
    if (!event->is_last)
        return;
    if (watch->is_freed) {
        watch_unlink(watch);
        return;
    }
    int r = watch_arm(watch);
    if (r < 0)
        watch->loop->error = r;
}

struct loop_watch *loop_watch_new(
    struct loop *loop, int fd, void (*on_ready)(void *owner), void *owner)
{
    struct loop_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->loop = loop;
    watch->op = (struct loop_op){.on_event = on_watch_event, .owner = watch};
    watch->fd = fd;
    watch->on_ready = on_ready;
    watch->owner = owner;
    if (watch_arm(watch) < 0) {
        free(watch);
        return NULL;
    }
    watch->next = loop->watches;
    if (watch->next)
        watch->next->previous = watch;
    loop->watches = watch;
    return watch;
}

void loop_watch_free(struct loop *loop, struct loop_watch *watch)
{
    if (!watch)
        return;
    watch->is_freed = true;
    int r = watch->op.is_busy ? loop_cancel(loop, &watch->op) : 0; /* not: this is its callback */
    if (r < 0)
        loop->error = r;
}

/* ---- operations ----------------------------------------------------------------------------- */

int loop_connect(struct loop *loop, struct loop_op *op, int fd, const struct sockaddr *address,
    socklen_t n_address)
{
    return loop->engine->ops->connect(loop->engine, op, fd, address, n_address);
}

int loop_receive(struct loop *loop, struct loop_op *op, int fd)
{
    return loop->engine->ops->receive(loop->engine, op, fd);
}

int loop_send(struct loop *loop, struct loop_op *op, int fd, const struct msghdr *message)
{
    return loop->engine->ops->send(loop->engine, op, fd, message);
}

int loop_cancel(struct loop *loop, struct loop_op *op)
{
    return loop->engine->ops->cancel(loop->engine, op);
}
