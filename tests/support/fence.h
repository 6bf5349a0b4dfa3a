/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place for test bytes that ends at a page nobody may touch, so that reading or writing one byte
 * too far is a SIGSEGV and not a test that happens to pass.
 */
#ifndef LEVERET_TESTS_FENCE_H
#define LEVERET_TESTS_FENCE_H

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define FENCE_PAGE 4096

struct fence {
    char *base;
    size_t size; /* without the forbidden page */
};

static inline void fence_init(struct fence *fence, size_t room)
{
    fence->size = (room + FENCE_PAGE - 1) / FENCE_PAGE * FENCE_PAGE;
    fence->base = mmap(
        NULL, fence->size + FENCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(fence->base != MAP_FAILED);
    int refused = mprotect(fence->base + fence->size, FENCE_PAGE, PROT_NONE);
    assert(refused == 0);
}

static inline void fence_done(struct fence *fence)
{
    (void)munmap(fence->base, fence->size + FENCE_PAGE); /* a test's end: nothing to do about it */
}

/* The last `len` bytes before the forbidden page. */
static inline char *fence_room(const struct fence *fence, size_t len)
{
    assert(len <= fence->size);
    return fence->base + fence->size - len;
}

/* A copy of `bytes` there. */
static inline char *fence_copy(const struct fence *fence, const char *bytes, size_t len)
{
    return len == 0 ? fence_room(fence, 0) : memcpy(fence_room(fence, len), bytes, len);
}

#endif
