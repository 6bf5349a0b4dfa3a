/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/plan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shm/layout.h"

enum { ALIGNMENT = 8, FIRST_CAPACITY = 4096 };

#define PLAN_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct plan_builder {
    enum plan_kind kind;
    int error; /* the first that happened */
    uint8_t *bytes;
    size_t used, capacity;
};

/* Two builds that disagree about any of these must not share a plan. */
static uint32_t plan_layout(void)
{
    const uint64_t facts[] = {PLAN_VERSION, sizeof(struct plan_header), sizeof(struct plan_source),
        sizeof(struct plan_part), sizeof(struct plan_endpoint), sizeof(struct plan_front_queue),
        sizeof(struct plan_front), sizeof(struct plan_server_tls), sizeof(struct plan_tls),
        sizeof(struct plan_host), sizeof(struct plan_broker), sizeof(struct plan_argument),
        sizeof(struct plan_exchange), sizeof(struct plan_queue), sizeof(struct plan_binding),
        sizeof(struct plan_path), sizeof(struct plan_rename), sizeof(struct plan_flatmap),
        sizeof(struct plan_shape), sizeof(struct plan_backend), sizeof(struct plan_tap),
        sizeof(struct plan_worker)};
    return layout_hash(facts, sizeof(facts) / sizeof(facts[0]));
}

/* Room for `n` aligned bytes, zeroed; its offset, or 0 when there is none (0 is the header's). */
static uint32_t grow(struct plan_builder *builder, size_t n)
{
    size_t at = (builder->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (builder->error)
        return 0;
    if (n > UINT32_MAX - at) {
        builder->error = -EFBIG;
        return 0;
    }
    if (at + n > builder->capacity) {
        size_t capacity = builder->capacity;
        while (capacity < at + n)
            capacity *= 2;
        uint8_t *bytes = realloc(builder->bytes, capacity);
        if (!bytes) {
            builder->error = -ENOMEM;
            return 0;
        }
        memset(bytes + builder->capacity, 0, capacity - builder->capacity);
        builder->bytes = bytes;
        builder->capacity = capacity;
    }
    builder->used = at + n;
    return (uint32_t)at;
}

static uint32_t append(struct plan_builder *builder, const void *bytes, size_t n, size_t padding)
{
    uint32_t at = grow(builder, n + padding);
    if (at && n)
        memcpy(builder->bytes + at, bytes, n);
    return at;
}

struct plan_builder *plan_builder_new(enum plan_kind kind)
{
    struct plan_builder *builder = malloc(sizeof(*builder));
    if (!builder)
        return NULL;
    *builder = (struct plan_builder){.kind = kind, .capacity = FIRST_CAPACITY};
    builder->bytes = calloc(1, FIRST_CAPACITY);
    builder->error = builder->bytes ? 0 : -ENOMEM;
    builder->used = sizeof(struct plan_header);
    return builder;
}

void plan_builder_free(struct plan_builder *builder)
{
    if (builder)
        free(builder->bytes);
    free(builder);
}

struct plan_text plan_add_text(struct plan_builder *builder, const char *bytes, size_t length)
{
    uint32_t at = append(builder, bytes, length, 1);
    return (struct plan_text){.offset = at, .length = at ? (uint32_t)length : 0};
}

struct plan_text plan_add_string(struct plan_builder *builder, const char *string)
{
    return plan_add_text(builder, string, string ? strlen(string) : 0);
}

struct plan_list plan_add_list(
    struct plan_builder *builder, const void *items, size_t item_bytes, size_t count)
{
    uint32_t at = append(builder, items, item_bytes * count, 0);
    return (struct plan_list){.offset = at, .count = at ? (uint32_t)count : 0};
}

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0)
            return -errno;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

int plan_builder_seal(struct plan_builder *builder, const void *root, size_t root_bytes)
{
    uint32_t root_at = append(builder, root, root_bytes, 0);
    if (builder->error)
        return builder->error;
    struct plan_header header = {
        .magic = PLAN_MAGIC,
        .version = PLAN_VERSION,
        .layout = plan_layout(),
        .kind = builder->kind,
        .root = root_at,
        .total_bytes = builder->used,
    };
    memcpy(builder->bytes, &header, sizeof(header));
    CLEANUP(cleanup_fd) int fd = memfd_create("leveret-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int error = write_all(fd, builder->bytes, builder->used);
    if (error)
        return error;
    if (fcntl(fd, F_ADD_SEALS, PLAN_SEALS) < 0)
        return -errno;
    return STEAL_FD(fd);
}

static size_t root_bytes_of(enum plan_kind kind)
{
    return kind == PLAN_FRONT ? sizeof(struct plan_front) : sizeof(struct plan_worker);
}

static bool is_sound(const struct plan_header *header, enum plan_kind kind, uint64_t file_bytes)
{
    return header->magic == PLAN_MAGIC && header->version == PLAN_VERSION &&
           header->layout == plan_layout() && header->kind == kind &&
           header->total_bytes == file_bytes && header->root <= file_bytes &&
           file_bytes - header->root >= root_bytes_of(kind);
}

int plan_join(struct plan *plan, int fd, enum plan_kind kind)
{
    struct stat stat;
    struct plan_header header;
    if (fstat(fd, &stat) < 0)
        return -errno;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & PLAN_SEALS) != PLAN_SEALS)
        return -EPROTO;
    if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        !is_sound(&header, kind, (uint64_t)stat.st_size))
        return -EPROTO;
    uint8_t *base = mmap(NULL, header.total_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    *plan =
        (struct plan){.base = base, .total_bytes = header.total_bytes, .root = base + header.root};
    return 0;
}

void plan_leave(struct plan *plan)
{
    if (plan->base)
        (void)munmap((void *)(uintptr_t)plan->base, plan->total_bytes); /* our own: cannot fail */
    *plan = (struct plan){0};
}

const char *plan_string(const struct plan *plan, struct plan_text text)
{
    assert(text.offset < plan->total_bytes && text.length < plan->total_bytes - text.offset);
    return text.offset ? (const char *)plan->base + text.offset : "";
}

const void *plan_items(const struct plan *plan, struct plan_list list)
{
    assert(list.offset <= plan->total_bytes);
    return plan->base + list.offset;
}
