/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front or a worker that does what a test says: it reports each message of the supervisor over a
 * line to the test's stage (stage.h), and does nothing of its own. It ends when that line does.
 *
 * Built three times: as the front, as a worker, and as one that never reads its control socket.
 */
#include <assert.h>
#include <dirent.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "shm/clock.h"
#include "shm/control.h"
#include "shm/doorbell.h"
#include "shm/lane.h"

enum { LANES_MAX = 64 };

/* What a test wants of the lanes' side of the puppet. */
enum mood { BEATS_WHEN_CALLED, SAYS_SO, STUCK };

static int line = -1;
static int control = LEVERET_CONTROL_FD;
static enum mood mood;
static struct {
    struct lane lane;
    int bell;
} lanes[LANES_MAX];
static int n_lanes;

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void report(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (send(line, text, (size_t)n + 1, MSG_NOSIGNAL) < 0)
        _exit(0); /* the test is over */
}

/* ---- what was inherited ---- */

static int n_descriptors(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        n += entry->d_name[0] != '.';
    (void)closedir(folder);
    return n - 1; /* the folder's own */
}

static bool is_null(int fd)
{
    struct stat it, null;
    return fstat(fd, &it) == 0 && stat("/dev/null", &null) == 0 && it.st_rdev == null.st_rdev;
}

/* The number behind "key:" in a file of /proc. */
static unsigned long long proc_number(const char *path, const char *key, int base)
{
    char row[256];
    unsigned long long number = 0;
    CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
    assert(file);
    while (fgets(row, sizeof(row), file)) {
        if (strncmp(row, key, strlen(key)) == 0 && row[strlen(key)] == ':')
            number = strtoull(row + strlen(key) + 1, NULL, base);
    }
    return number;
}

static void line_open(int n_inherited)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("LEVERET_STAGE");
    assert(name);
    (void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
    line = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(line, (struct sockaddr *)&address, sizeof(address)) < 0)
        _exit(0); /* the test is over */
    report("%s pid=%d descriptors=%d in_is_null=%d out_is_null=%d blocked=%llx ignored=%llx",
        PUPPET, getpid(), n_inherited, is_null(STDIN_FILENO), is_null(STDOUT_FILENO),
        proc_number("/proc/self/status", "SigBlk", 16),
        proc_number("/proc/self/status", "SigIgn", 16));
}

/* ---- the supervisor's messages ---- */

static unsigned long inode(int fd)
{
    struct stat stat;
    assert(fstat(fd, &stat) == 0);
    return stat.st_ino;
}

static int port_of(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof(address);
    assert(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.sin_port);
}

static int process_of(int pidfd)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    return (int)proc_number(path, "Pid", 10);
}

static struct lane_side *side_of(const struct lane *lane)
{
    return strcmp(PUPPET, "worker") == 0 ? lane->worker : lane->front;
}

static void on_lane(const struct control_message *message, struct control_fds *fds)
{
    assert(n_lanes < LANES_MAX);
    assert(lane_join(&lanes[n_lanes].lane, fds->fd[CONTROL_LANE_MEMORY]) == 0);
    lanes[n_lanes].bell = dup(fds->fd[CONTROL_LANE_BELL]);
    n_lanes++;
    doorbell_park(side_of(&lanes[n_lanes - 1].lane)); /* as one does that hangs behind its sleep */
    report("lane worker=%u memory=%lu peer=%d", message->worker,
        inode(fds->fd[CONTROL_LANE_MEMORY]), process_of(fds->fd[CONTROL_LANE_PEER]));
}

static void on_message(const struct control_message *m, struct control_fds *fds)
{
    switch ((enum control_kind)m->kind) {
    case CONTROL_START:
        report("start worker=%u listeners=%u lanes=%u level=%u format=%u attach=%u plan=%lu",
            m->worker, m->n_listeners, m->n_lanes, m->log_level, m->log_format, m->must_attach,
            inode(fds->fd[0]));
        break;
    case CONTROL_LISTENER:
        report("listener port=%d", port_of(fds->fd[0]));
        break;
    case CONTROL_LANE:
        on_lane(m, fds);
        break;
    case CONTROL_DRAIN:
        report("drain in_ms=%d", clock_wait_ms(clock_now_ns(), m->deadline_ns, 1000000));
        break;
    case CONTROL_FIGURES:
        break; /* it has no page to show them on */
    case CONTROL_READY:
    case CONTROL_COMPLAINT:
    case CONTROL_SURVEY:
    case CONTROL_FINDING:
    case CONTROL_N_KINDS:
        report("nonsense");
        break;
    }
}

static void on_control(void)
{
    struct control_message message;
    struct control_fds fds;
    switch (control_receive(control, &message, &fds)) {
    case CONTROL_OK:
        on_message(&message, &fds);
        control_fds_close(&fds);
        break;
    case CONTROL_MALFORMED:
        report("malformed");
        break;
    case CONTROL_CLOSED:
        control = -1;
        report("eof");
        break;
    case CONTROL_NOTHING:
        break;
    }
}

/* ---- the test's orders ---- */

static void say(enum control_kind kind, unsigned worker)
{
    struct control_message message = {.kind = kind, .worker = worker, .reason = "so I was told"};
    assert(control_send(control, &message, NULL) == 0);
}

/* Told only afterwards, so that the supervisor sees it before whatever the test does next. */
static void hang_up(void)
{
    (void)close(control);
    control = -1;
    report("hung up");
}

static void on_order(void)
{
    char order[64] = "";
    int number = 0;
    if (recv(line, order, sizeof(order) - 1, 0) <= 0)
        _exit(0); /* the test is over */
    if (strcmp(order, "ready") == 0)
        say(CONTROL_READY, 0);
    else if (sscanf(order, "complain %d", &number) == 1)
        say(CONTROL_COMPLAINT, (unsigned)number);
    else if (strcmp(order, "babble") == 0)
        assert(send(control, "babble", 6, 0) == 6);
    else if (strcmp(order, "hang up") == 0)
        hang_up();
    else if (strcmp(order, "stuck") == 0)
        mood = STUCK;
    else if (strcmp(order, "beat when called") == 0)
        mood = SAYS_SO;
    else if (sscanf(order, "exit %d", &number) == 1)
        _exit(number);
    else
        assert(!"an order");
}

static void on_bell(int i)
{
    doorbell_hush(lanes[i].bell);
    if (mood == STUCK)
        return;
    atomic_fetch_add(&side_of(&lanes[i].lane)->beats, 1);
    if (mood == SAYS_SO)
        report("called");
}

int main(int argc, char **argv)
{
    struct pollfd polled[2 + LANES_MAX];
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return 0;
    line_open(n_descriptors());
    for (;;) {
        polled[0] = (struct pollfd){.fd = line, .events = POLLIN};
        polled[1] =
            (struct pollfd){.fd = strcmp(PUPPET, "deaf") == 0 ? -1 : control, .events = POLLIN};
        for (int i = 0; i < n_lanes; i++)
            polled[2 + i] = (struct pollfd){.fd = lanes[i].bell, .events = POLLIN};
        int n = n_lanes; /* as polled: a message may add one */
        assert(poll(polled, 2 + (nfds_t)n, -1) > 0);
        if (polled[1].revents)
            on_control();
        else if (polled[0].revents)
            on_order();
        for (int i = 0; i < n; i++) {
            if (polled[2 + i].revents)
                on_bell(i);
        }
    }
}
