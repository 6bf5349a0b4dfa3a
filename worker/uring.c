/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's operations on io_uring: they are queued, submitted and waited for in one system call.
 *
 * Needs Linux 6.1: multishot receive, a ring of provided buffers, and completions that are worked
 * off by the thread that waits for them (DEFER_TASKRUN).
 */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "shm/clock.h"

#include "engine.h"

/* A socket has three operations at most, a watch one: a full queue is submitted early, no more. */
#define N_SUBMISSIONS 256
/* A burst of receives completes without one being held back by the kernel. */
#define N_COMPLETIONS 4096

#define BUFFER_GROUP 0

struct uring {
    struct engine engine;
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring; /* what the kernel may fill */
    size_t buffer_ring_bytes;
    uint8_t *buffers;
    uint32_t n_buffers;
    uint32_t buffer_bytes;
};

static struct uring *uring_of(struct engine *engine)
{
    return (struct uring *)engine;
}

static void give_buffer(struct uring *uring, uint16_t id)
{
    io_uring_buf_ring_add(uring->buffer_ring, uring->buffers + (size_t)id * uring->buffer_bytes,
        uring->buffer_bytes, id, io_uring_buf_ring_mask(uring->n_buffers), 0);
    io_uring_buf_ring_advance(uring->buffer_ring, 1);
}

/* ---- starting ------------------------------------------------------------------------------- */

static struct io_uring_sqe *next_submission(struct uring *uring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    if (!sqe && io_uring_submit(&uring->ring) >= 0)
        sqe = io_uring_get_sqe(&uring->ring);
    return sqe;
}

static void start(struct io_uring_sqe *sqe, struct loop_op *op)
{
    assert(!op->is_busy);
    op->is_busy = true;
    io_uring_sqe_set_data(sqe, op);
}

static int uring_connect(struct engine *engine, struct loop_op *op, int fd,
    const struct sockaddr *address, socklen_t n_address)
{
    struct io_uring_sqe *sqe = next_submission(uring_of(engine));
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_connect(sqe, fd, address, n_address);
    start(sqe, op);
    return 0;
}

static int uring_receive(struct engine *engine, struct loop_op *op, int fd)
{
    struct io_uring_sqe *sqe = next_submission(uring_of(engine));
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    start(sqe, op);
    return 0;
}

static int uring_send(
    struct engine *engine, struct loop_op *op, int fd, const struct msghdr *message)
{
    struct io_uring_sqe *sqe = next_submission(uring_of(engine));
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_sendmsg(sqe, fd, message, MSG_WAITALL | MSG_NOSIGNAL);
    start(sqe, op);
    return 0;
}

static int uring_poll(struct engine *engine, struct loop_op *op, int fd)
{
    struct io_uring_sqe *sqe = next_submission(uring_of(engine));
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_poll_add(sqe, fd, POLLIN);
    start(sqe, op);
    return 0;
}

static int uring_cancel(struct engine *engine, struct loop_op *op)
{
    assert(op->is_busy);
    struct io_uring_sqe *sqe = next_submission(uring_of(engine));
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_cancel(sqe, op, 0);
    io_uring_sqe_set_data(sqe, NULL); /* what became of the operation it reports itself */
    return 0;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int uring_wait(struct engine *engine, uint64_t wait_ns)
{
    struct io_uring_cqe *first;
    struct __kernel_timespec timeout = {
        .tv_sec = (int64_t)(wait_ns / CLOCK_S), .tv_nsec = (int64_t)(wait_ns % CLOCK_S)};
    int r = io_uring_submit_and_wait_timeout(
        &uring_of(engine)->ring, &first, 1, wait_ns == CLOCK_NEVER ? NULL : &timeout, NULL);
    switch (r) {
    case -ETIME:  /* nothing came in time */
    case -EINTR:  /* a signal */
    case -EBUSY:  /* completions must be worked off first */
    case -EAGAIN: /* the kernel is short of memory just now; what is queued stays so */
        return 0;
    default:
        return r < 0 ? r : 0;
    }
}

static void report(struct uring *uring, struct loop_op *op, int result, uint32_t flags)
{
    struct loop_event event = {.result = result, .is_last = !(flags & IORING_CQE_F_MORE)};
    uint16_t buffer_id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
    bool has_buffer = flags & IORING_CQE_F_BUFFER;
    if (has_buffer)
        event.bytes = uring->buffers + (size_t)buffer_id * uring->buffer_bytes;
    if (event.is_last)
        op->is_busy = false;
    op->on_event(op->owner, &event);
    if (has_buffer)
        give_buffer(uring, buffer_id);
}

static void uring_dispatch(struct engine *engine)
{
    struct uring *uring = uring_of(engine);
    /* Those that are there now: what their callbacks cause is for the next turn, after the timers.
     */
    for (unsigned n = io_uring_cq_ready(&uring->ring); n > 0; n--) {
        struct io_uring_cqe *cqe;
        if (io_uring_peek_cqe(&uring->ring, &cqe) < 0)
            return;
        struct loop_op *op = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        uint32_t flags = cqe->flags;
        io_uring_cqe_seen(&uring->ring, cqe);
        if (op)
            report(uring, op, result, flags);
    }
}

/* ---- a life --------------------------------------------------------------------------------- */

static void unmap_memory(void *memory, size_t n_bytes)
{
    if (memory)
        (void)munmap(memory, n_bytes);
}

static void uring_free(struct engine *engine)
{
    struct uring *uring = uring_of(engine);
    io_uring_queue_exit(&uring->ring); /* the kernel lets go of the buffers before they are gone */
    unmap_memory(uring->buffer_ring, uring->buffer_ring_bytes);
    unmap_memory(uring->buffers, (size_t)uring->n_buffers * uring->buffer_bytes);
    free(uring);
}

static const struct engine_ops ops = {
    .name = "io_uring",
    .free = uring_free,
    .connect = uring_connect,
    .receive = uring_receive,
    .send = uring_send,
    .cancel = uring_cancel,
    .poll = uring_poll,
    .wait = uring_wait,
    .dispatch = uring_dispatch,
};

static void *map_memory(size_t n_bytes)
{
    void *memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int provide_buffers(struct uring *uring)
{
    uring->buffer_ring_bytes = uring->n_buffers * sizeof(struct io_uring_buf);
    uring->buffer_ring = map_memory(uring->buffer_ring_bytes);
    uring->buffers = map_memory((size_t)uring->n_buffers * uring->buffer_bytes);
    if (!uring->buffer_ring || !uring->buffers)
        return -ENOMEM;
    io_uring_buf_ring_init(uring->buffer_ring);
    for (uint32_t id = 0; id < uring->n_buffers; id++)
        give_buffer(uring, (uint16_t)id);
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)uring->buffer_ring,
        .ring_entries = uring->n_buffers,
        .bgid = BUFFER_GROUP,
    };
    return io_uring_register_buf_ring(&uring->ring, &registration, 0);
}

static int open_ring(struct io_uring *ring)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED,
        .cq_entries = N_COMPLETIONS,
    };
    return io_uring_queue_init_params(N_SUBMISSIONS, ring, &params);
}

/* What is asked of it, and nothing else ever. */
static const uint8_t operations[] = {IORING_OP_ASYNC_CANCEL, IORING_OP_CONNECT, IORING_OP_POLL_ADD,
    IORING_OP_RECV, IORING_OP_SENDMSG};

enum { N_OPERATIONS = sizeof operations / sizeof *operations };

/* That it knows rings of buffers and multishot receive follows from the
 * flags of open_ring(), which are younger. */
static bool knows_operations(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool knows_all = probe;
    for (size_t i = 0; knows_all && i < N_OPERATIONS; i++)
        knows_all = io_uring_opcode_supported(probe, operations[i]);
    io_uring_free_probe(probe);
    return knows_all;
}

/* What goes through a ring passes no filter of system calls (confine.h): so a worker that was taken
 * over has no more of the ring than the loop. Nothing is registered with it afterwards. */
static int restrict_and_enable(struct io_uring *ring)
{
    struct io_uring_restriction restrictions[N_OPERATIONS + 1] = {
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_BUFFER_SELECT}};
    for (size_t i = 0; i < N_OPERATIONS; i++)
        restrictions[1 + i] = (struct io_uring_restriction){
            .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = operations[i]};
    /* not by the functions of these names, which liburing 2.3 does not export */
    int r = io_uring_register(
        (unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, restrictions, N_OPERATIONS + 1);
    return r < 0
               ? r
               : io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int prepare(struct uring *uring)
{
    int r = provide_buffers(uring);
    if (r < 0)
        return r;
    if (!knows_operations(&uring->ring))
        return -ENOSYS;
    r = restrict_and_enable(&uring->ring);
    if (r < 0)
        return r;
    return io_uring_get_events(
        &uring->ring); /* a policy may refuse to enter what it let us set up */
}

/* An older kernel does not know a flag or an operation of ours, and calls that invalid. */
static int too_old_or(int error)
{
    return error == -EINVAL ? -ENOSYS : error;
}

int uring_new(struct engine **out, uint32_t n_buffers, uint32_t buffer_bytes)
{
    assert(n_buffers > 0 && n_buffers <= 32768 && (n_buffers & (n_buffers - 1)) == 0);
    struct uring *uring = calloc(1, sizeof *uring);
    if (!uring)
        return -ENOMEM;
    uring->engine.ops = &ops;
    uring->n_buffers = n_buffers;
    uring->buffer_bytes = buffer_bytes;
    int r = open_ring(&uring->ring);
    if (r < 0) {
        free(uring);
        return too_old_or(r);
    }
    r = prepare(uring);
    if (r < 0) {
        uring_free(&uring->engine);
        return too_old_or(r);
    }
    *out = &uring->engine;
    return 0;
}
