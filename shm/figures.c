/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/figures.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shm/layout.h"

enum { PAGE_BYTES = 4096 };

#define FIGURES_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* ---- a segment ---- */

/* Two builds that disagree about any of these must not share a segment. */
static uint32_t figures_layout(void)
{
    const uint64_t facts[] = {FIGURES_VERSION, sizeof(struct figures_header),
        sizeof(struct figures_front), sizeof(struct figures_endpoint),
        sizeof(struct figures_worker), sizeof(struct figures_connection),
        sizeof(struct figures_backend), sizeof(struct figures_queue),
        sizeof(struct figures_supervisor), sizeof(struct figures_process), FIGURES_CELLS_STRIDE};
    return layout_hash(facts, sizeof(facts) / sizeof(facts[0]));
}

/* Takes the place of `n` rows, all of them whole lines, off the segment. */
static void *rows(uint64_t *used, uint8_t *base, size_t row_bytes, uint64_t n)
{
    uint64_t at = *used;
    assert(row_bytes % LANE_LINE == 0);
    *used += row_bytes * n;
    return base ? base + at : NULL;
}

/* Where everything stands in the segment at `base`, or only how large it is when that is NULL. */
static uint64_t lay_out(struct figures *figures, uint8_t *base, enum figures_kind kind,
    const struct figures_shape *shape)
{
    uint64_t used = sizeof(struct figures_header), n_histograms = 0;
    uint64_t n_endpoints = (uint64_t)shape->n_endpoints + FIGURES_MORE_ENDPOINTS;
    *figures = (struct figures){.base = base};
    if (kind == FIGURES_FRONT) {
        figures->front = rows(&used, base, sizeof(*figures->front), 1);
        figures->endpoints = rows(&used, base, sizeof(*figures->endpoints), n_endpoints);
        n_histograms = n_endpoints * FIGURES_N_STAGES;
    } else if (kind == FIGURES_WORKER) {
        figures->worker = rows(&used, base, sizeof(*figures->worker), 1);
        figures->connections =
            rows(&used, base, sizeof(*figures->connections), figures_n_connections(shape));
        figures->backends = rows(&used, base, sizeof(*figures->backends), shape->n_backends);
        figures->queues = rows(&used, base, sizeof(*figures->queues), shape->n_queues);
        n_histograms = shape->n_backends;
    } else {
        uint64_t n_processes = FIGURES_PROCESS_FIRST_WORKER + (uint64_t)shape->n_workers;
        figures->supervisor = rows(&used, base, sizeof(*figures->supervisor), 1);
        figures->processes = rows(&used, base, sizeof(*figures->processes), n_processes);
    }
    used = (used + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    figures->cells = rows(&used, base, sizeof(figure) * FIGURES_CELLS_STRIDE, n_histograms);
    return figures->total_bytes = used;
}

static struct figures_header header_of(enum figures_kind kind)
{
    return (struct figures_header){.magic = FIGURES_MAGIC,
        .version = FIGURES_VERSION,
        .layout = figures_layout(),
        .kind = kind};
}

int figures_new(enum figures_kind kind, const struct figures_shape *shape)
{
    struct figures figures;
    struct figures_header header = header_of(kind);
    CLEANUP(cleanup_fd) int fd = memfd_create("leveret-figures", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)lay_out(&figures, NULL, kind, shape)) < 0)
        return -errno;
    if (pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
        return -errno;
    if (fcntl(fd, F_ADD_SEALS, FIGURES_SEALS) < 0)
        return -errno;
    return STEAL_FD(fd);
}

int figures_reopen(int fd)
{
    char path[sizeof("/proc/self/fd/") + 12];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* fits */
    int again = open(path, O_RDONLY | O_CLOEXEC);
    return again < 0 ? -errno : again;
}

/* Read before it is mapped, so that the owner cannot change it between two looks. */
static bool is_sound(int fd, enum figures_kind kind, uint64_t total_bytes)
{
    struct stat stat;
    struct figures_header header, expected = header_of(kind);
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & FIGURES_SEALS) == FIGURES_SEALS && fstat(fd, &stat) == 0 &&
           (uint64_t)stat.st_size == total_bytes &&
           pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
           header.magic == expected.magic && header.version == expected.version &&
           header.layout == expected.layout && header.kind == expected.kind;
}

int figures_join(struct figures *figures, int fd, enum figures_kind kind,
    const struct figures_shape *shape, enum figures_access access)
{
    struct figures joined;
    uint64_t total_bytes = lay_out(&joined, NULL, kind, shape);
    int protection = access == FIGURES_COUNT ? PROT_READ | PROT_WRITE : PROT_READ;
    if (!is_sound(fd, kind, total_bytes))
        return -EPROTO;
    uint8_t *base = mmap(NULL, total_bytes, protection, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    (void)lay_out(figures, base, kind, shape); /* as large as before */
    return 0;
}

void figures_leave(struct figures *figures)
{
    if (figures->base)
        (void)munmap(figures->base, figures->total_bytes); /* our own mapping: cannot fail */
    *figures = (struct figures){0};
}

/* ---- codes ---- */

static const int codes[] = {FIGURES_CODES};
static_assert(sizeof(codes) / sizeof(codes[0]) == FIGURES_N_CODES - 1, "and one for the others");

uint32_t figures_code(int status)
{
    uint32_t i = 0;
    while (i < FIGURES_N_CODES - 1 && codes[i] != status)
        i++;
    return i;
}

int figures_status(uint32_t code)
{
    return code < FIGURES_N_CODES - 1 ? codes[code] : 0;
}

/* ---- durations ---- */

/*
 * A duration is measured in 1/1024 us, so that doublings of a microsecond are powers of two: its
 * highest bit is the octave and the six behind it the cell therein.
 */
enum { FIRST_BIT = 10, SUBCELL_BITS = 6 };
static_assert(1 << SUBCELL_BITS == FIGURES_SUBCELLS, "the bits behind the highest");

#define LONGEST_NS (UINT64_C(1) << 40) /* longer ones are as good as this */

static uint64_t scale_up(uint64_t duration_ns)
{
    return (duration_ns < LONGEST_NS ? duration_ns : LONGEST_NS) * 128 / 125;
}

uint32_t figures_cell_of(uint64_t duration_ns)
{
    uint64_t scaled = scale_up(duration_ns);
    if (scaled >> FIRST_BIT == 0)
        return 0;
    int bit = 63 - __builtin_clzll(scaled);
    uint32_t octave = (uint32_t)(bit - FIRST_BIT);
    if (octave >= FIGURES_OCTAVES)
        return FIGURES_CELLS - 1;
    return 1 + octave * FIGURES_SUBCELLS +
           (uint32_t)(scaled >> (bit - SUBCELL_BITS) & (FIGURES_SUBCELLS - 1));
}

uint64_t figures_cell_from_ns(uint32_t cell)
{
    if (cell == 0)
        return 0;
    uint32_t octave = (cell - 1) / FIGURES_SUBCELLS, nth = (cell - 1) % FIGURES_SUBCELLS;
    uint64_t scaled = (uint64_t)(FIGURES_SUBCELLS + nth)
                      << (octave + (uint32_t)(FIRST_BIT - SUBCELL_BITS));
    return (scaled * 125 + 127) / 128;
}

void figures_time(struct figures_span *span, figure *cells, uint64_t duration_ns)
{
    uint32_t cell = figures_cell_of(duration_ns);
    uint64_t lowest = figure_get(&span->lowest);
    figure_add(&cells[cell], 1);
    figure_add(&span->count, 1);
    figure_add(&span->sum_ns, duration_ns);
    if (duration_ns > figure_get(&span->max_ns))
        figure_set(&span->max_ns, duration_ns);
    if (!lowest || cell + 1 < lowest)
        figure_set(&span->lowest, cell + 1);
    if (cell + 1 > figure_get(&span->highest))
        figure_set(&span->highest, cell + 1);
}

void figures_tally_clear(struct figures_tally *tally)
{
    if (tally->past > tally->lowest)
        memset(tally->cells + tally->lowest, 0,
            (tally->past - tally->lowest) * sizeof(tally->cells[0]));
    tally->count = tally->sum_ns = tally->max_ns = 0;
    tally->lowest = tally->past = 0;
}

static uint32_t clamped(uint64_t cell, uint64_t most)
{
    return (uint32_t)(cell < most ? cell : most);
}

/* What the owner says of the range is no more than a hint where to look. */
void figures_tally_add(
    struct figures_tally *tally, const struct figures_span *span, const figure *cells)
{
    uint64_t lowest = figure_get(&span->lowest);
    uint32_t past = clamped(figure_get(&span->highest), FIGURES_CELLS);
    uint32_t first = clamped(lowest ? lowest - 1 : 0, past);
    uint64_t max_ns = figure_get(&span->max_ns);
    if (!lowest || first == past)
        return;
    for (uint32_t i = first; i < past; i++) {
        uint64_t n = figure_get(&cells[i]);
        tally->cells[i] += n;
        tally->count += n;
    }
    tally->sum_ns += figure_get(&span->sum_ns);
    tally->max_ns = max_ns > tally->max_ns ? max_ns : tally->max_ns;
    tally->lowest = tally->past && tally->lowest < first ? tally->lowest : first;
    tally->past = tally->past > past ? tally->past : past;
}

static uint64_t middle_ns(const struct figures_tally *tally, uint32_t cell)
{
    if (cell == FIGURES_CELLS - 1)
        return tally->max_ns;
    uint64_t middle = (figures_cell_from_ns(cell) + figures_cell_from_ns(cell + 1)) / 2;
    return middle < tally->max_ns ? middle : tally->max_ns;
}

uint64_t figures_tally_quantile(const struct figures_tally *tally, uint32_t per_mille)
{
    uint64_t rank =
        tally->count / 1000 * per_mille + (tally->count % 1000 * per_mille + 999) / 1000;
    uint64_t n = 0;
    for (uint32_t i = tally->lowest; i < tally->past; i++) {
        n += tally->cells[i];
        if (n && n >= rank)
            return middle_ns(tally, i);
    }
    return 0;
}

uint64_t figures_tally_below(const struct figures_tally *tally, uint64_t bound_ns)
{
    uint32_t past = figures_cell_of(bound_ns);
    uint64_t n = 0;
    for (uint32_t i = tally->lowest; i < tally->past && i < past; i++)
        n += tally->cells[i];
    return n;
}

/* ---- texts ---- */

void figures_text_write(struct figures_text *text, const char *string)
{
    uint64_t words[FIGURES_TEXT_BYTES / 8] = {0};
    uint64_t turn = figure_get(&text->turn) | 1;
    size_t n = strlen(string);
    memcpy(words, string, n < sizeof(words) ? n : sizeof(words));
    figure_set(&text->turn, turn);
    atomic_thread_fence(memory_order_release); /* pairs with the fence of figures_text_read() */
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        figure_set(&text->words[i], words[i]);
    /* release; pairs with the acquire in figures_text_read() */
    atomic_store_explicit(&text->turn, turn + 1, memory_order_release);
}

void figures_text_read(const struct figures_text *text, char out[FIGURES_TEXT_BYTES + 1])
{
    uint64_t words[FIGURES_TEXT_BYTES / 8];
    /* acquire; pairs with the release at the end of figures_text_write() */
    uint64_t turn = atomic_load_explicit(&text->turn, memory_order_acquire);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        words[i] = figure_get(&text->words[i]);
    atomic_thread_fence(memory_order_acquire); /* pairs with the fence of figures_text_write() */
    bool is_whole = turn % 2 == 0 && figure_get(&text->turn) == turn;
    memcpy(out, words, sizeof(words));
    out[is_whole ? FIGURES_TEXT_BYTES : 0] = '\0';
    for (char *at = out; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
}
