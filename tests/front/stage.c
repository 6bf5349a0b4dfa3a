/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "shm/control.h"
#include "shm/figures.h"
#include "shm/log.h"
#include "shm/message.h"
#include "shm/plan.h"

/* ---- the plan ---- */

struct part_plan {
    uint32_t backend;
    uint8_t verb, encoding;
};

static struct plan_list parts_of(
    struct plan_builder *builder, const struct part_plan *items, size_t n)
{
    struct plan_part parts[4] = {0};
    struct plan_source route = {.field = MESSAGE_ROUTING_KEY,
        .parameter = 0,
        .label = plan_add_string(builder, "routing_key (parameter route)")};
    for (size_t i = 0; i < n; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "backend-%u", items[i].backend);
        parts[i] = (struct plan_part){.backend = items[i].backend,
            .worker = items[i].verb == PLAN_CONSUME ? 0 : PLAN_ANY_WORKER,
            .verb = items[i].verb,
            .encoding = items[i].encoding,
            .is_mandatory = 1,
            .name = plan_add_string(builder, name)};
        if (items[i].verb == PLAN_PRODUCE && items[i].backend == 0)
            parts[i].sources = plan_add_list(builder, &route, sizeof(route), 1);
    }
    return plan_add_list(builder, parts, sizeof(parts[0]), n);
}

static struct plan_endpoint endpoint(struct plan_builder *builder, const char *method,
    const char *pattern, uint8_t output, struct plan_list parts)
{
    return (struct plan_endpoint){.pattern = plan_add_string(builder, pattern),
        .method = plan_add_string(builder, method),
        .max_body_bytes = STAGE_MAX_BODY,
        .output_encoding = output,
        .parts = parts};
}

static uint64_t or_long(uint64_t ms)
{
    return (ms ? ms : 30000) * CLOCK_MS;
}

/* Of the plan that follows. */
static const struct figures_shape figures_shape = {
    .n_endpoints = 8, .n_workers = 1, .n_backends = 7};

static int plan_make(const struct stage_settings *settings)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    const struct part_plan one = {0, PLAN_PRODUCE, 0};
    const struct part_plan both[] = {{1, PLAN_PRODUCE, 0}, {6, PLAN_PRODUCE, 0}};
    const struct part_plan pair[] = {{2, PLAN_CONSUME, PLAN_JSON}, {4, PLAN_CONSUME, PLAN_JSON}};
    const struct part_plan text = {3, PLAN_CONSUME, PLAN_STRING};
    const struct part_plan raw = {5, PLAN_CONSUME, PLAN_NO_OP};
    struct plan_endpoint endpoints[] = {
        endpoint(builder, "POST", "/produce/{route}", PLAN_JSON, parts_of(builder, &one, 1)),
        endpoint(builder, "POST", "/small/{route}", PLAN_JSON, parts_of(builder, &one, 1)),
        endpoint(builder, "POST", "/both", PLAN_JSON, parts_of(builder, both, 2)),
        endpoint(builder, "GET", "/none", PLAN_JSON, (struct plan_list){0}),
        endpoint(builder, "GET", "/consume", PLAN_JSON, parts_of(builder, pair, 1)),
        endpoint(builder, "GET", "/text", PLAN_STRING, parts_of(builder, &text, 1)),
        endpoint(builder, "GET", "/pair", PLAN_JSON, parts_of(builder, pair, 2)),
        endpoint(builder, "GET", "/raw", PLAN_NO_OP, parts_of(builder, &raw, 1)),
    };
    const size_t n = sizeof(endpoints) / sizeof(endpoints[0]);
    endpoints[1].max_body_bytes = 16;
    for (size_t i = 0; i < n; i++)
        endpoints[i].timeout_ns = or_long(settings->timeout_ms);
    struct plan_front front = {.n_workers = 1,
        .max_connections = settings->max_connections ? settings->max_connections : 64,
        .max_header_bytes = 8192,
        .read_header_timeout_ns = or_long(settings->read_header_timeout_ms),
        .read_timeout_ns = or_long(settings->read_timeout_ms),
        .write_timeout_ns = or_long(settings->write_timeout_ms),
        .idle_timeout_ns = or_long(settings->idle_timeout_ms),
        .drain_timeout_ns = 5 * CLOCK_S,
        .endpoints = plan_add_list(builder, endpoints, sizeof(endpoints[0]), n)};
    int fd = plan_builder_seal(builder, &front, sizeof(front));
    plan_builder_free(builder);
    require(fd >= 0, "plan");
    return fd;
}

/* ---- the processes ---- */

static pid_t front_start(int control)
{
    const char *program = getenv("LEVERET_FRONT");
    require(program, "LEVERET_FRONT names no program");
    pid_t pid = fork();
    require(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if it cannot, a failed test leaves a process */
    if (dup2(control, LEVERET_CONTROL_FD) < 0 || fcntl(LEVERET_CONTROL_FD, F_SETFD, 0) < 0)
        _exit(126);
    (void)close_range(LEVERET_CONTROL_FD + 1, ~0u, 0);
    execl(program, program, (char *)NULL);
    _exit(127);
}

static int listen_tcp(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, n) == 0 && listen(fd, 128) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &n) == 0,
        "listen");
    *port = ntohs(address.sin_port);
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                listen(fd, 128) == 0,
        "listen on %s", path);
    return fd;
}

static void tell(struct stage *stage, const struct control_message *message, int fd)
{
    struct control_fds fds = {.fd = {fd, -1, -1, -1}, .n = fd >= 0};
    require(control_send(stage->control, message, &fds) == 0, "control");
}

struct control_message stage_control_message(struct stage *stage)
{
    struct control_message message;
    struct control_fds fds = {.n = 0};
    struct pollfd readable = {.fd = stage->control, .events = POLLIN};
    require(poll(&readable, 1, STAGE_WAIT_MS) == 1, "the front says nothing");
    require(control_receive(stage->control, &message, &fds) == CONTROL_OK, "the front is gone");
    return message;
}

static int pidfd_of(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    require(fd >= 0, "pidfd_open");
    return fd;
}

static pid_t idle_process_start(void)
{
    pid_t pid = fork();
    require(pid >= 0, "fork");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* as above */
        for (;;)
            (void)pause(); /* until it is killed */
    }
    return pid;
}

void stage_worker_start(struct stage *stage)
{
    struct fake_worker *worker = &stage->worker;
    struct lane_size size = {
        .n_slots = 256, .request_area_bytes = 16 << 20, .reply_area_bytes = 32 << 20};
    fake_worker_join(worker, lane_new(&size));
    require(doorbell_new(&stage->front_bell) == 0, "doorbell");
    stage->worker_process = idle_process_start();
    CLEANUP(cleanup_fd) int pidfd = pidfd_of(stage->worker_process);
    struct control_message message = {.kind = CONTROL_LANE};
    struct control_fds fds = {
        .fd = {worker->memory_fd, stage->front_bell.bell, worker->doorbell.rope, pidfd}, .n = 4};
    require(control_send(stage->control, &message, &fds) == 0, "control");
}

void stage_lane_is_none(struct stage *stage)
{
    CLEANUP(cleanup_fd) int none = memfd_create("none", MFD_CLOEXEC);
    CLEANUP(doorbell_close) struct doorbell bell;
    require(doorbell_new(&bell) == 0, "doorbell");
    struct control_message message = {.kind = CONTROL_LANE};
    struct control_fds fds = {.fd = {none, bell.bell, bell.rope, bell.rope}, .n = 4};
    require(control_send(stage->control, &message, &fds) == 0, "control");
}

static void process_kill(pid_t *pid)
{
    if (*pid <= 0)
        return;
    (void)kill(*pid, SIGKILL); /* it may have ended already */
    require(waitpid(*pid, NULL, 0) == *pid, "waitpid");
    *pid = 0;
}

void stage_worker_kill(struct stage *stage)
{
    process_kill(&stage->worker_process);
    fake_worker_close(&stage->worker);
    doorbell_close(&stage->front_bell);
}

void stage_open(struct stage *stage, const struct stage_settings *settings)
{
    int ends[2];
    *stage = (struct stage){0};
    require(control_pair(ends) == 0, "control");
    stage->control = ends[0];
    stage->front = front_start(ends[1]);
    stage->front_pidfd = pidfd_of(stage->front);
    (void)close(ends[1]);
    stage->listener =
        settings->unix_path ? listen_unix(settings->unix_path) : listen_tcp(&stage->port);
    CLEANUP(cleanup_fd) int plan = plan_make(settings);
    CLEANUP(cleanup_fd) int figures = figures_new(FIGURES_FRONT, &figures_shape);
    require(figures >= 0, "figures");
    struct control_message start = {
        .kind = CONTROL_START, .log_level = LOG_ERROR, .n_listeners = 1, .n_lanes = 1};
    require(
        control_send(stage->control, &start,
            &(struct control_fds){.fd = {plan, figures, -1, -1}, .n = CONTROL_START_N_FDS}) == 0,
        "control");
    tell(stage, &(struct control_message){.kind = CONTROL_LISTENER}, stage->listener);
    if (settings->early)
        stage_say(stage, settings->early, settings->early_text);
    stage_worker_start(stage);
    cr_assert_eq(stage_control_message(stage).kind, CONTROL_READY);
    (void)close(stage->listener);
}

void stage_close(struct stage *stage)
{
    process_kill(&stage->front);
    if (stage->worker_process)
        stage_worker_kill(stage);
    (void)close(stage->front_pidfd);
    (void)close(stage->control);
}

void stage_drain(struct stage *stage, uint64_t ms_from_now)
{
    struct control_message message = {
        .kind = CONTROL_DRAIN, .deadline_ns = deadline_in_ms(ms_from_now)};
    tell(stage, &message, -1);
}

static bool is_asleep(pid_t pid)
{
    char path[64], state = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    require(file && fscanf(file, "%*d %*s %c", &state) == 1, "%s", path);
    (void)fclose(file); /* it was only read */
    return state == 'S';
}

void stage_freeze(struct stage *stage)
{
    await(is_asleep(stage->front), STAGE_WAIT_MS, "the front never waits");
    require(kill(stage->front, SIGSTOP) == 0, "SIGSTOP");
    require(waitpid(stage->front, NULL, WUNTRACED) == stage->front, "waitpid");
}

void stage_thaw(struct stage *stage)
{
    require(kill(stage->front, SIGCONT) == 0, "SIGCONT");
}

int stage_exit_code(struct stage *stage)
{
    int status;
    struct pollfd ended = {.fd = stage->front_pidfd, .events = POLLIN};
    require(poll(&ended, 1, 2 * STAGE_WAIT_MS) == 1, "the front does not end");
    require(waitpid(stage->front, &status, 0) == stage->front, "waitpid");
    stage->front = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- the worker ---- */

uint32_t stage_take(struct stage *stage, enum lane_op op)
{
    struct fake_worker *worker = &stage->worker;
    while (!fake_worker_has_entry(worker)) {
        struct pollfd rung = {.fd = worker->doorbell.bell, .events = POLLIN};
        doorbell_park(worker->lane.worker);
        if (fake_worker_has_entry(worker))
            break;
        require(poll(&rung, 1, STAGE_WAIT_MS) == 1, "the front hands over nothing");
        doorbell_hush(worker->doorbell.bell);
    }
    doorbell_unpark(worker->lane.worker);
    return fake_worker_take(worker, op);
}

void stage_ring(struct stage *stage)
{
    (void)doorbell_ring(
        stage->worker.lane.front, stage->front_bell.rope); /* an awake front looks */
}

uint32_t stage_wait(struct stage *stage)
{
    uint32_t slot = stage_take(stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage->worker, slot, SLOT_READY, SLOT_WAITING));
    return slot;
}

void stage_deliver(struct stage *stage, uint32_t slot, const void *body, size_t n)
{
    fake_worker_deliver(&stage->worker, slot, body, n);
    stage_ring(stage);
}

void stage_publish(struct stage *stage, enum outcome outcome)
{
    stage_publish_taken(stage, stage_take(stage, LANE_SUBMIT), outcome);
}

void stage_publish_taken(struct stage *stage, uint32_t slot, enum outcome outcome)
{
    struct fake_worker *worker = &stage->worker;
    cr_assert(fake_worker_move(worker, slot, SLOT_READY, SLOT_CLAIMED));
    cr_assert(fake_worker_move(worker, slot, SLOT_CLAIMED, SLOT_SENT));
    fake_worker_done(worker, slot, SLOT_SENT, &(struct slot_reply){.outcome = outcome});
    stage_ring(stage);
}

bool stage_is_quiet(struct stage *stage)
{
    return !fake_worker_has_entry(&stage->worker);
}

/* ---- the client ---- */

void stage_say(struct stage *stage, struct raw_client *client, const char *text)
{
    raw_client_connect(client, stage->port);
    cr_assert(raw_client_say(client, text));
}

static void read_exactly(struct raw_client *client, char *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        struct pollfd readable = {.fd = client->fd, .events = POLLIN};
        require(poll(&readable, 1, STAGE_WAIT_MS) == 1, "no answer");
        ssize_t got = recv(client->fd, to + done, n - done, 0);
        require(got >= 0, "the answer breaks off after %zu of %zu bytes", done, n);
        require(got > 0, "the front has closed after %zu of %zu bytes", done, n);
        done += (size_t)got;
    }
}

void reply_read(struct reply *reply, struct raw_client *client, bool has_body)
{
    size_t n = 0;
    *reply = (struct reply){0};
    while (n < 4 || memcmp(reply->head + n - 4, "\r\n\r\n", 4) != 0) {
        require(n + 1 < sizeof(reply->head), "a head that does not end");
        read_exactly(client, reply->head + n++, 1);
    }
    require(sscanf(reply->head, "HTTP/1.1 %d", &reply->status) == 1, "no status line");
    if (reply->status == 100) {
        reply_read(reply, client, has_body); /* it was only the interim one */
        return;
    }
    const char *length = strcasestr(reply->head, "\r\ncontent-length: ");
    if (!has_body || !length)
        return;
    reply->body_bytes = strtoul(length + strlen("\r\ncontent-length: "), NULL, 10);
    require(reply->body_bytes < sizeof(reply->body), "a body of %zu bytes", reply->body_bytes);
    read_exactly(client, reply->body, reply->body_bytes);
}

bool reply_has(const struct reply *reply, const char *field_line)
{
    char line[512];
    (void)snprintf(line, sizeof(line), "\r\n%s\r\n", field_line);
    return strcasestr(reply->head, line) != NULL;
}
