/* SPDX-License-Identifier: Apache-2.0 */
#include "census.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "obituary.h"
#include "shm/clock.h"

/* ---- segments ---- */

static const struct census_segment no_segment = {.fd = -1, .to_look_at = -1};

static int segment_open(
    struct census_segment *segment, enum figures_kind kind, const struct figures_shape *shape)
{
    segment->fd = figures_new(kind, shape);
    if (segment->fd < 0)
        return segment->fd;
    segment->to_look_at = figures_reopen(segment->fd);
    return segment->to_look_at < 0 ? segment->to_look_at : 0;
}

static void segment_close(struct census_segment *segment)
{
    cleanup_fd(&segment->fd);
    cleanup_fd(&segment->to_look_at);
    *segment = no_segment;
}

static int segments_open(struct census *census, const struct figures_shape *shape)
{
    int error = segment_open(&census->supervisor, FIGURES_SUPERVISOR, shape);
    if (!error)
        error = segment_open(&census->front, FIGURES_FRONT, shape);
    for (uint32_t i = 0; !error && i < census->n_workers; i++)
        error = segment_open(&census->workers[i], FIGURES_WORKER, shape);
    return error;
}

/* ---- a life ---- */

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* a clock that always exists */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / CLOCK_MS;
}

static void own_begin(struct census *census, const struct census_title *title)
{
    figure_set(&census->own.supervisor->generation, title->number);
    figure_set(&census->own.supervisor->configuration, title->configuration);
    figure_set(&census->own.supervisor->started_unix_ms, wall_ms());
    struct figures_process *self = &census->own.processes[FIGURES_PROCESS_SUPERVISOR];
    figure_set(&self->pid, (uint64_t)getpid());
    figure_set(&self->state, FIGURES_PROCESS_SERVING);
    figure_set(&self->starts, 1);
    figure_set(&self->started_at, clock_now_ns());
    census->places[FIGURES_PROCESS_SUPERVISOR].pid = getpid();
}

int census_init(
    struct census *census, const struct figures_shape *shape, const struct census_title *title)
{
    *census = (struct census){.n_workers = shape->n_workers,
        .supervisor = no_segment,
        .front = no_segment,
        .workers = calloc(shape->n_workers + 1, sizeof(*census->workers)),
        .places = calloc(FIGURES_PROCESS_FIRST_WORKER + shape->n_workers, sizeof(*census->places))};
    for (uint32_t i = 0; census->workers && i < census->n_workers; i++)
        census->workers[i] = no_segment;
    int error = census->workers && census->places ? segments_open(census, shape) : -ENOMEM;
    if (!error)
        error = figures_join(
            &census->own, census->supervisor.fd, FIGURES_SUPERVISOR, shape, FIGURES_COUNT);
    if (error) {
        census_done(census);
        return error;
    }
    own_begin(census, title);
    census_measure(census, clock_now_ns());
    return 0;
}

void census_done(struct census *census)
{
    figures_leave(&census->own);
    segment_close(&census->supervisor);
    segment_close(&census->front);
    for (uint32_t i = 0; census->workers && i < census->n_workers; i++)
        segment_close(&census->workers[i]);
    free(census->workers);
    free(census->places);
    *census = (struct census){.supervisor = no_segment, .front = no_segment};
}

/* ---- what is known of them ---- */

static const uint8_t states[CHILD_N_STATES] = {
    [CHILD_DOWN] = FIGURES_PROCESS_DOWN,
    [CHILD_STARTING] = FIGURES_PROCESS_STARTING,
    [CHILD_SERVING] = FIGURES_PROCESS_SERVING,
    [CHILD_LEAVING] = FIGURES_PROCESS_LEAVING,
    [CHILD_DOOMED] = FIGURES_PROCESS_DOOMED,
};

static void place_take(struct census_place *place, pid_t pid)
{
    if (place->pid == pid)
        return;
    place->cpu_before_ns += place->cpu_ns;
    place->cpu_ns = 0;
    place->pid = pid;
}

void census_note(struct census *census, uint32_t place, const struct child *child)
{
    struct figures_process *process = &census->own.processes[place];
    bool is_there = child->state != CHILD_DOWN;
    place_take(&census->places[place], is_there ? child->pid : 0);
    figure_set(&process->pid, is_there ? (uint64_t)child->pid : 0);
    figure_set(&process->state, states[child->state]);
    figure_set(&process->starts, child->n_starts);
    figure_set(&process->missed_beats, is_there ? child->n_missed : 0);
    figure_set(&process->started_at, is_there ? child->started_ns : 0);
}

void census_note_draining(struct census *census, bool is_draining)
{
    figure_set(&census->own.supervisor->is_draining, is_draining);
}

void census_obituary(struct census *census, uint32_t place, const struct obituary *obituary)
{
    char sentence[FIGURES_TEXT_BYTES + 1];
    obituary_write(obituary, sentence, sizeof(sentence));
    figures_text_write(&census->own.processes[place].last_words, sentence);
}

/* ---- what they have taken ---- */

/* The first line of /proc/PID/NAME. False: there is none, so the process has just ended. */
static bool proc_read(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name); /* fits */
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

/* User and system time (proc(5), stat: the 14th and 15th field; the second may hold anything). */
static bool cpu_read(pid_t pid, uint64_t *cpu_ns)
{
    char text[1024];
    unsigned long user, system;
    const char *behind_name =
        proc_read(pid, "stat", text, sizeof(text)) ? strrchr(text, ')') : NULL;
    if (!behind_name ||
        sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
            &system) != 2)
        return false;
    *cpu_ns = (user + system) * (CLOCK_S / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

static void measure(struct figures_process *process, struct census_place *place)
{
    char text[256];
    uint64_t cpu_ns, page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    unsigned long resident = 0, shared = 0;
    if (place->pid && cpu_read(place->pid, &cpu_ns))
        place->cpu_ns = cpu_ns;
    if (place->pid && proc_read(place->pid, "statm", text, sizeof(text)))
        (void)sscanf(text, "%*u %lu %lu", &resident, &shared); /* zero where it says nothing */
    figure_set(&process->cpu_ns, place->cpu_before_ns + place->cpu_ns);
    figure_set(&process->rss_bytes, resident * page_bytes);
    figure_set(&process->shared_bytes, shared * page_bytes);
}

void census_measure(struct census *census, uint64_t now_ns)
{
    for (uint32_t i = 0; i < FIGURES_PROCESS_FIRST_WORKER + census->n_workers; i++)
        measure(&census->own.processes[i], &census->places[i]);
    figure_set(&census->own.supervisor->looked_at, now_ns);
}
