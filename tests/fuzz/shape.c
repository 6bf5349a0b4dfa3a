/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message and what its backend shows of it. The first line is members of a backend as a file has
 * them, such as "allow":["a"],"group":"g"; if there is another line behind the message that begins with
 * a NUL, it is what a liar has made of the message by the time it is written.
 *
 * What is shown of a message lies inside it, or takes the room that was said and is JSON.
 */
#include <sys/mman.h>

#include "config.h"
#include "decode.h"
#include "fuzz.h"
#include "plan_worker.h"
#include "shape.h"
#include "shm/cleanup.h"
#include "shm/clock.h"
#include "tests/support/require.h"

enum { MAX_STEPS = 1 << 16 };

static struct json_tree tree; /* as the worker has it: one, for all messages */

/* ---- the rules ---- */

static int file_of(struct fuzz_input members)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0, "no memory");
    (void)dprintf(fd,
        "{\"version\":3,\"host\":[\"amqp://h\"],\"endpoints\":[{\"endpoint\":\"/a\",\"backend\":[{"
        "%.*s}]}]}",
        (int)members.n, (const char *)members.at);
    return fd;
}

/* A sealed plan with a consumer of these members; -1: there is none. */
static int plan_of(struct fuzz_input members)
{
    const struct overrides none = {.port = -1};
    CLEANUP(findings_done) struct findings findings = {0};
    CLEANUP(cleanup_fd) int fd = file_of(members);
    struct config *config = NULL;
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* it fits */
    if (config_load(path, &none, &config, &findings) != CONFIG_VALID)
        return -1;
    int plan = plan_worker_new(config);
    config_free(config);
    return plan;
}

/* ---- a message through them ---- */

static void expect_json(const char *text, size_t n)
{
    struct json_value value;
    size_t fault;
    fuzz_expect(json_check(text, n, &value, &fault) == JSON_OK);
    fuzz_expect(value.text.len == n);
}

static bool is_text(enum plan_encoding encoding)
{
    return encoding == PLAN_STRING || encoding == PLAN_NO_OP;
}

/* `then`: what the same memory holds when it is written. */
static void rebuild(const struct shape *shape, const struct shape_draft *draft,
    struct json_slice message, const char *then)
{
    CLEANUP(cleanup_free) char *out = malloc(draft->max_bytes + !draft->max_bytes);
    bool is_honest = memcmp(message.at, then, message.len) == 0;
    size_t n = SIZE_MAX;
    require(out != NULL, "no memory");
    memcpy((char *)(uintptr_t)message.at, then, message.len);
    bool is_written = shape_write(shape, message, draft, out, &n);
    fuzz_expect(is_written || (!is_honest && n == SIZE_MAX));
    if (!is_written)
        return;
    fuzz_expect(n <= draft->max_bytes);
    if (is_honest)
        expect_json(out, n);
}

static void show(const struct shape *shape, struct json_slice message, const char *then)
{
    struct shape_draft draft;
    switch (shape_plan(shape, message, &draft)) {
    case SHAPE_AS_IT_IS:
        fuzz_expect(draft.shown.len == 0 ||
                    (draft.shown.at >= message.at &&
                        draft.shown.at + draft.shown.len <= message.at + message.len));
        if (draft.shown.len && !is_text(shape->encoding))
            expect_json(draft.shown.at, draft.shown.len);
        return;
    case SHAPE_REBUILT:
        rebuild(shape, &draft, message, then);
        return;
    case SHAPE_TOO_LARGE:
        fuzz_expect(shape->rules->flatmap.count > 0);
        return;
    case SHAPE_SPOILED:
        fuzz_expect(false); /* decode() took it, and nobody has touched it */
    }
}

static void message_through(
    const struct plan *plan, const struct plan_backend *backend, struct fuzz_input bytes)
{
    const uint8_t *nul = bytes.n ? memchr(bytes.at, '\0', bytes.n) : NULL;
    struct fuzz_input lie = {nul, nul ? (size_t)(bytes.at + bytes.n - nul) : 0};
    bytes.n -= lie.n;
    CLEANUP(cleanup_free) char *body = fuzz_box(bytes);
    CLEANUP(cleanup_free) char *then = fuzz_box(bytes);
    struct decode_part part;
    if (lie.n > 1)
        memcpy(then, lie.at + 1, lie.n - 1 < bytes.n ? lie.n - 1 : bytes.n);
    if (!decode(backend->encoding, (const uint8_t *)body, bytes.n, &part))
        return;
    fuzz_expect(part.at <= bytes.n && part.n_bytes <= bytes.n - part.at);
    const struct shape shape = {
        .plan = plan, .rules = &backend->shape, .encoding = backend->encoding, .tree = &tree};
    if (backend->shape.is_any)
        show(&shape, (struct json_slice){body + part.at, part.n_bytes}, then + part.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fuzz_input input = {bytes, n};
    CLEANUP(cleanup_fd) int fd = plan_of(fuzz_line(&input));
    struct plan plan;
    if (fd < 0)
        return 0;
    require(plan_join(&plan, fd, PLAN_WORKER) == 0, "no plan");
    if (!tree.nodes)
        require(json_tree_init(&tree, MAX_STEPS) == 0, "no memory");
    const struct plan_worker *worker = plan.root;
    const struct plan_backend *backends = plan_items(&plan, worker->backends);
    for (uint32_t i = 0; i < worker->backends.count; i++)
        if (backends[i].verb == PLAN_CONSUME)
            message_through(&plan, &backends[i], input);
    plan_leave(&plan);
    return 0;
}
