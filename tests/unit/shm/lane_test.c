/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "shm/lane.h"
#include "shm/ring.h"
#include "shm/slot.h"

static const struct lane_size small = {
    .n_slots = 20, .request_area_bytes = 1 << 16, .reply_area_bytes = 1 << 17};

Test(lane, two_sides_see_the_same_slots_and_rings)
{
    CLEANUP(cleanup_fd) int fd = lane_new(&small);
    struct lane front, worker;
    cr_assert_eq(lane_join(&front, fd), 0);
    cr_assert_eq(lane_join(&worker, fd), 0);
    cr_assert_neq(front.base, worker.base);

    slot_ready(&front.slots[7], 3);
    cr_assert_eq(slot_look(&worker.slots[7]).state, SLOT_READY);
    struct ring_producer out;
    struct ring_consumer in;
    uint64_t entry;
    ring_producer_init(&out, front.request_ring, front.n_entries);
    ring_consumer_init(&in, worker.request_ring, worker.n_entries);
    cr_assert_eq(ring_push(&out, LANE_ENTRY(LANE_SUBMIT, 7, 3)), RING_OK);
    cr_assert_eq(ring_pop(&in, &entry), RING_OK);
    cr_assert_eq(LANE_ENTRY_OP(entry), LANE_SUBMIT);
    cr_assert_eq(LANE_ENTRY_SLOT(entry), 7);
    cr_assert_eq(LANE_ENTRY_GENERATION(entry), 3);
    lane_leave(&front);
    lane_leave(&worker);
    lane_leave(&worker);
}

Test(lane, parts_do_not_overlap_and_fill_the_file)
{
    CLEANUP(cleanup_fd) int fd = lane_new(&small);
    struct lane lane;
    cr_assert_eq(lane_join(&lane, fd), 0);
    uint8_t *request_end = (uint8_t *)lane.request_ring + ring_bytes(lane.n_entries);
    uint8_t *reply_end = (uint8_t *)lane.reply_ring + ring_bytes(lane.n_entries);
    cr_assert_geq((uint8_t *)lane.request_ring, lane.base + sizeof(struct lane_header));
    cr_assert_geq((uint8_t *)lane.reply_ring, request_end);
    cr_assert_geq((uint8_t *)lane.slots, reply_end);
    cr_assert_geq(lane.base + lane.request_area, (uint8_t *)(lane.slots + lane.n_slots));
    cr_assert_geq(lane.reply_area, lane.request_area + lane.request_area_bytes);
    cr_assert_geq(lane.total_bytes, lane.reply_area + lane.reply_area_bytes);
    cr_assert_geq(lane.n_entries, LANE_ENTRIES_PER_SLOT * lane.n_slots);
    lane_leave(&lane);
}

Test(lane, cannot_be_cut_short_or_grown)
{
    CLEANUP(cleanup_fd) int fd = lane_new(&small);
    cr_assert_eq(ftruncate(fd, 4096), -1);
    cr_assert_eq(ftruncate(fd, 1 << 30), -1);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int forged(size_t at, const void *bytes, size_t n)
{
    int fd = lane_new(&small);
    cr_assert_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
    return fd;
}

Test(lane, is_not_joined_when_its_header_does_not_fit)
{
    const struct {
        size_t at;
        uint64_t value;
        size_t n;
    } cases[] = {
        {offsetof(struct lane_header, magic), 1, 8},
        {offsetof(struct lane_header, version), 99, 4},
        {offsetof(struct lane_header, layout), 0, 4},
        {offsetof(struct lane_header, n_slots), 0, 4},
        {offsetof(struct lane_header, n_slots), UINT32_MAX, 4},
        {offsetof(struct lane_header, n_entries), 2, 4},
        {offsetof(struct lane_header, slots), UINT64_MAX, 8},
        {offsetof(struct lane_header, request_area_bytes), UINT64_MAX, 8},
        {offsetof(struct lane_header, reply_area), 0, 8},
        {offsetof(struct lane_header, total_bytes), 4096, 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(cleanup_fd) int fd = forged(cases[i].at, &cases[i].value, cases[i].n);
        struct lane lane;
        cr_assert_eq(lane_join(&lane, fd), -EPROTO, "case %zu", i);
    }
}

/* A header that is consistent in itself: page for page, from one area to the other. */
static int shifted(int64_t bytes)
{
    int fd = lane_new(&small);
    struct lane_header header;
    cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    header.request_area_bytes += (uint64_t)bytes;
    header.reply_area += (uint64_t)bytes;
    header.reply_area_bytes -= (uint64_t)bytes;
    cr_assert_eq(pwrite(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    return fd;
}

Test(lane, is_not_joined_when_an_area_is_none_that_an_arena_can_keep)
{
    const int64_t shifts[] = {4096, 1 << 17, -(1 << 16)};
    struct lane lane;
    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        CLEANUP(cleanup_fd) int fd = shifted(shifts[i]);
        cr_assert_eq(lane_join(&lane, fd), -EPROTO, "case %zu", i);
    }
    CLEANUP(cleanup_fd) int fd = shifted(0);
    cr_assert_eq(lane_join(&lane, fd), 0);
    lane_leave(&lane);
}

Test(lane, is_not_joined_when_it_is_no_lane)
{
    CLEANUP(cleanup_fd) int empty = memfd_create("empty", MFD_CLOEXEC);
    struct lane lane;
    cr_assert_eq(lane_join(&lane, empty), -EPROTO);
    cr_assert_eq(lane_join(&lane, -1), -EBADF);
}

Test(lane, references_are_followed_inside_their_area_alone)
{
    CLEANUP(cleanup_fd) int fd = lane_new(&small);
    struct lane lane;
    cr_assert_eq(lane_join(&lane, fd), 0);
    uint32_t area = (uint32_t)lane.reply_area, bytes = (uint32_t)lane.reply_area_bytes;
    const struct {
        struct lane_ref ref;
        bool is_inside;
    } cases[] = {
        {{area, 1}, true},
        {{area, bytes}, true},
        {{area + bytes - 1, 1}, true},
        {{area + bytes - 1, 2}, false},
        {{area, bytes + 1}, false},
        {{area - 1, 2}, false},
        {{0, 1}, false},
        {{UINT32_MAX, UINT32_MAX}, false},
        {{area, UINT32_MAX}, false},
        {{UINT32_MAX, 0}, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(
            lane_reply_bytes(&lane, cases[i].ref) != NULL, cases[i].is_inside, "case %zu", i);
    lane_leave(&lane);
}

Test(lane, a_request_lies_in_its_own_slot_or_in_the_request_area)
{
    CLEANUP(cleanup_fd) int fd = lane_new(&small);
    struct lane lane;
    cr_assert_eq(lane_join(&lane, fd), 0);
    uint32_t mine = (uint32_t)lane_inline_offset(&lane, 3);
    uint32_t other = (uint32_t)lane_inline_offset(&lane, 4);
    uint32_t area = (uint32_t)lane.request_area;
    cr_assert_not_null(lane_request_bytes(&lane, 3, (struct lane_ref){mine, LANE_INLINE_BYTES}));
    cr_assert_null(lane_request_bytes(&lane, 3, (struct lane_ref){mine, LANE_INLINE_BYTES + 1}));
    cr_assert_null(lane_request_bytes(&lane, 3, (struct lane_ref){other, 1}));
    cr_assert_not_null(lane_request_bytes(&lane, 3, (struct lane_ref){area, 4096}));
    cr_assert_null(lane_request_bytes(&lane, 3, (struct lane_ref){(uint32_t)lane.reply_area, 1}));
    lane_leave(&lane);
}

Test(lane, sizes_follow_from_the_memory_that_the_user_grants)
{
    struct lane_size size;
    cr_assert_eq(lane_size_from_memory(UINT64_C(256) << 20, 1, &size), 0);
    cr_assert_eq(size.n_slots, 4096);
    cr_assert_eq(size.request_area_bytes, UINT64_C(64) << 20);
    cr_assert_eq(size.reply_area_bytes, UINT64_C(64) << 20);
    cr_assert_eq(lane_size_from_memory(UINT64_C(256) << 20, 4, &size), 0);
    cr_assert_eq(size.n_slots, 1024);
    cr_assert_eq(lane_size_from_memory(1 << 20, 2, &size), -ENOSPC);
}

Test(lane, of_any_granted_memory_stays_within_it)
{
    for (uint64_t memory = 1 << 20; memory <= UINT64_C(64) << 30; memory = memory * 3 / 2) {
        struct lane_size size;
        cr_assert_eq(lane_size_from_memory(memory, 1, &size), 0);
        CLEANUP(cleanup_fd) int fd = lane_new(&size);
        cr_assert_geq(fd, 0);
        struct lane lane;
        cr_assert_eq(lane_join(&lane, fd), 0);
        cr_assert_leq(lane.total_bytes, memory);
        lane_leave(&lane);
    }
}
