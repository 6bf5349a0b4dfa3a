/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/lane.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shm/layout.h"
#include "shm/ring.h"

enum { PAGE_BYTES = 4096, MIN_SLOTS = 16, BYTES_PER_SLOT = 64 * 1024 };

#define MAX_LANE_BYTES (UINT64_C(1) << 32)

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

static bool is_power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

/* What an arena can keep the books of. */
static bool is_area_size(uint64_t bytes)
{
    return is_power_of_two(bytes) && bytes >= PAGE_BYTES;
}

static uint64_t power_of_two_at_most(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n));
}

/* Two builds that disagree about any of these must not share a lane. */
static uint32_t lane_layout(void)
{
    const uint64_t facts[] = {LANE_VERSION, sizeof(struct lane_header), sizeof(struct slot),
        sizeof(struct slot_request), sizeof(struct slot_reply), sizeof(struct ring_shared),
        offsetof(struct lane_header, front), offsetof(struct lane_header, worker),
        offsetof(struct slot_reply, claimed_ns), offsetof(struct slot_reply, text),
        offsetof(struct slot, reply), offsetof(struct slot, inline_bytes), SLOT_N_STATES,
        OUTCOME_N};
    return layout_hash(facts, sizeof(facts) / sizeof(facts[0]));
}

static void header_fill(struct lane_header *header, const struct lane_size *size)
{
    uint32_t n_entries = 1;
    while (n_entries < size->n_slots * LANE_ENTRIES_PER_SLOT)
        n_entries *= 2;
    *header = (struct lane_header){
        .magic = LANE_MAGIC,
        .version = LANE_VERSION,
        .layout = lane_layout(),
        .n_slots = size->n_slots,
        .n_entries = n_entries,
        .request_area_bytes = size->request_area_bytes,
        .reply_area_bytes = size->reply_area_bytes,
    };
    header->request_ring = page_up(sizeof(struct lane_header));
    header->reply_ring = page_up(header->request_ring + ring_bytes(n_entries));
    header->slots = page_up(header->reply_ring + ring_bytes(n_entries));
    header->request_area = page_up(header->slots + (uint64_t)size->n_slots * sizeof(struct slot));
    header->reply_area = page_up(header->request_area + size->request_area_bytes);
    header->total_bytes = page_up(header->reply_area + size->reply_area_bytes);
}

int lane_size_from_memory(uint64_t memory_bytes, uint32_t n_lanes, struct lane_size *size)
{
    assert(n_lanes > 0);
    uint64_t lane_bytes = memory_bytes / n_lanes;
    if (lane_bytes >= MAX_LANE_BYTES)
        lane_bytes = MAX_LANE_BYTES - 1;
    uint64_t n_slots = lane_bytes / BYTES_PER_SLOT;
    if (n_slots < MIN_SLOTS)
        return -ENOSPC;
    if (n_slots > LANE_MAX_SLOTS)
        n_slots = LANE_MAX_SLOTS;
    uint64_t area_bytes = power_of_two_at_most(lane_bytes / 2);
    *size = (struct lane_size){
        .n_slots = (uint32_t)n_slots,
        .request_area_bytes = area_bytes / 2,
        .reply_area_bytes = area_bytes / 2,
    };
    return 0;
}

static int header_write(int fd, const struct lane_header *header)
{
    if (ftruncate(fd, (off_t)header->total_bytes) < 0)
        return -errno;
    if (pwrite(fd, header, sizeof(*header), 0) != (ssize_t)sizeof(*header))
        return -errno;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    return 0;
}

int lane_new(const struct lane_size *size)
{
    assert(size->n_slots > 0 && size->n_slots <= LANE_MAX_SLOTS);
    assert(is_area_size(size->request_area_bytes) && is_area_size(size->reply_area_bytes));
    struct lane_header header;
    header_fill(&header, size);
    if (header.total_bytes >= MAX_LANE_BYTES)
        return -EFBIG;
    CLEANUP(cleanup_fd) int fd = memfd_create("leveret-lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int error = header_write(fd, &header);
    return error ? error : STEAL_FD(fd);
}

/* Is this header exactly what lane_new() writes for its own sizes, in a file of that size? */
static bool is_sound(const struct lane_header *header, uint64_t file_bytes)
{
    if (header->magic != LANE_MAGIC || header->version != LANE_VERSION ||
        header->layout != lane_layout())
        return false;
    if (!header->n_slots || header->n_slots > LANE_MAX_SLOTS ||
        header->request_area_bytes >= MAX_LANE_BYTES || header->reply_area_bytes >= MAX_LANE_BYTES)
        return false;
    if (!is_area_size(header->request_area_bytes) || !is_area_size(header->reply_area_bytes))
        return false;
    struct lane_size size = {.n_slots = header->n_slots,
        .request_area_bytes = header->request_area_bytes,
        .reply_area_bytes = header->reply_area_bytes};
    struct lane_header expected;
    header_fill(&expected, &size);
    size_t n = offsetof(struct lane_header, total_bytes) + sizeof(header->total_bytes);
    return memcmp(header, &expected, n) == 0 && header->total_bytes == file_bytes;
}

int lane_join(struct lane *lane, int memory_fd)
{
    struct stat stat;
    struct lane_header header;
    if (fstat(memory_fd, &stat) < 0)
        return -errno;
    ssize_t n = pread(memory_fd, &header, sizeof(header), 0);
    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(header) || !is_sound(&header, (uint64_t)stat.st_size))
        return -EPROTO;
    int seals = fcntl(memory_fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return -EPROTO; /* a peer could cut it short under us */
    uint8_t *base =
        mmap(NULL, header.total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    struct lane_header *shared = (struct lane_header *)(void *)base;
    *lane = (struct lane){
        .base = base,
        .total_bytes = header.total_bytes,
        .n_slots = header.n_slots,
        .n_entries = header.n_entries,
        .request_ring = (struct ring_shared *)(void *)(base + header.request_ring),
        .reply_ring = (struct ring_shared *)(void *)(base + header.reply_ring),
        .slots = (struct slot *)(void *)(base + header.slots),
        .request_area = header.request_area,
        .request_area_bytes = header.request_area_bytes,
        .reply_area = header.reply_area,
        .reply_area_bytes = header.reply_area_bytes,
        .front = &shared->front,
        .worker = &shared->worker,
    };
    return 0;
}

void lane_leave(struct lane *lane)
{
    if (lane->base)
        (void)munmap(lane->base, lane->total_bytes); /* our own mapping: cannot fail */
    *lane = (struct lane){0};
}

const uint8_t *lane_at(
    const struct lane *lane, struct lane_ref ref, uint64_t area, uint64_t area_bytes)
{
    if (!ref.length)
        return lane->base;
    if (ref.offset < area || ref.length > area_bytes || ref.offset - area > area_bytes - ref.length)
        return NULL;
    return lane->base + ref.offset;
}

uint64_t lane_inline_offset(const struct lane *lane, uint32_t slot)
{
    assert(slot < lane->n_slots);
    return (uint64_t)(lane->slots[slot].inline_bytes - lane->base);
}

const uint8_t *lane_request_bytes(const struct lane *lane, uint32_t slot, struct lane_ref ref)
{
    const uint8_t *at = lane_at(lane, ref, lane_inline_offset(lane, slot), LANE_INLINE_BYTES);
    return at ? at : lane_at(lane, ref, lane->request_area, lane->request_area_bytes);
}

const uint8_t *lane_reply_bytes(const struct lane *lane, struct lane_ref ref)
{
    return lane_at(lane, ref, lane->reply_area, lane->reply_area_bytes);
}
