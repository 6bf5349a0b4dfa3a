/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Two for each frame of a borrowed body, which is enough for 64 MiB in the smallest frames that may
 * be negotiated, and for 2 GiB in the usual ones. Memory is only used once it is written to. */
#define MAX_SEGMENTS 32768

static int batch_init(struct outbox_batch *batch, size_t capacity)
{
    batch->bytes = malloc(capacity);
    batch->segments = malloc(MAX_SEGMENTS * sizeof *batch->segments);
    return batch->bytes && batch->segments ? 0 : -ENOMEM;
}

static void batch_done(struct outbox_batch *batch)
{
    free(batch->bytes);
    free(batch->segments);
}

static void batch_clear(struct outbox_batch *batch)
{
    batch->n_bytes = 0;
    batch->n_segments = 0;
}

/* The filling batch's last segment when it can grow, else a new one; NULL when there are too many.
 */
static struct outbox_segment *own_segment(struct outbox_batch *batch)
{
    if (batch->n_segments > 0) {
        struct outbox_segment *last = &batch->segments[batch->n_segments - 1];
        if (!last->borrowed)
            return last;
    }
    if (batch->n_segments == MAX_SEGMENTS)
        return NULL;
    struct outbox_segment *added = &batch->segments[batch->n_segments++];
    *added = (struct outbox_segment){0};
    return added;
}

static bool all_handed_over(const struct outbox *outbox)
{
    return outbox->leaving_segment == outbox->leaving->n_segments;
}

static void swap_batches(struct outbox *outbox)
{
    struct outbox_batch *filled = outbox->filling;
    outbox->filling = outbox->leaving;
    outbox->leaving = filled;
    batch_clear(outbox->filling);
    outbox->leaving_segment = 0;
    outbox->leaving_byte = 0;
}

int outbox_init(struct outbox *outbox, size_t capacity)
{
    *outbox = (struct outbox){.capacity = capacity};
    outbox->filling = &outbox->batches[0];
    outbox->leaving = &outbox->batches[1];
    if (batch_init(outbox->filling, capacity) < 0 || batch_init(outbox->leaving, capacity) < 0) {
        outbox_done(outbox);
        return -ENOMEM;
    }
    return 0;
}

void outbox_done(struct outbox *outbox)
{
    batch_done(&outbox->batches[0]);
    batch_done(&outbox->batches[1]);
    *outbox = (struct outbox){0};
}

void outbox_reset(struct outbox *outbox)
{
    batch_clear(outbox->filling);
    batch_clear(outbox->leaving);
    outbox->leaving_segment = 0;
    outbox->leaving_byte = 0;
    outbox->handed_over = outbox->queued;
    outbox->taken = outbox->queued;
}

size_t outbox_room(const struct outbox *outbox)
{
    return outbox->capacity - outbox->filling->n_bytes;
}

uint8_t *outbox_tail(struct outbox *outbox)
{
    return outbox->filling->bytes + outbox->filling->n_bytes;
}

int outbox_commit(struct outbox *outbox, size_t n_bytes)
{
    assert(n_bytes <= outbox_room(outbox));
    struct outbox_segment *segment = own_segment(outbox->filling);
    if (!segment)
        return -ENOBUFS;
    segment->n_bytes += n_bytes;
    outbox->filling->n_bytes += n_bytes;
    outbox->queued += n_bytes;
    return 0;
}

int outbox_append(struct outbox *outbox, const void *bytes, size_t n_bytes)
{
    if (n_bytes > outbox_room(outbox))
        return -ENOBUFS;
    memcpy(outbox_tail(outbox), bytes, n_bytes);
    return outbox_commit(outbox, n_bytes);
}

int outbox_borrow(struct outbox *outbox, const void *bytes, size_t n_bytes)
{
    struct outbox_batch *batch = outbox->filling;
    assert(bytes && n_bytes > 0);
    if (batch->n_segments == MAX_SEGMENTS)
        return -ENOBUFS;
    batch->segments[batch->n_segments++] =
        (struct outbox_segment){.borrowed = bytes, .n_bytes = n_bytes};
    outbox->queued += n_bytes;
    return 0;
}

struct outbox_mark outbox_mark(const struct outbox *outbox)
{
    const struct outbox_batch *batch = outbox->filling;
    return (struct outbox_mark){
        .n_bytes = batch->n_bytes,
        .n_segments = batch->n_segments,
        .last_segment_bytes =
            batch->n_segments > 0 ? batch->segments[batch->n_segments - 1].n_bytes : 0,
        .queued = outbox->queued,
    };
}

void outbox_rollback(struct outbox *outbox, const struct outbox_mark *mark)
{
    struct outbox_batch *batch = outbox->filling;
    assert(mark->n_segments <= batch->n_segments && mark->queued <= outbox->queued);
    batch->n_bytes = mark->n_bytes;
    batch->n_segments = mark->n_segments;
    if (mark->n_segments > 0)
        batch->segments[mark->n_segments - 1].n_bytes = mark->last_segment_bytes;
    outbox->queued = mark->queued;
}

bool outbox_has_more(const struct outbox *outbox)
{
    return outbox->handed_over < outbox->queued;
}

bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->taken == outbox->queued;
}

int outbox_take(struct outbox *outbox, struct iovec *iov, int max)
{
    if (outbox->taken < outbox->handed_over || !outbox_has_more(outbox))
        return 0;
    if (all_handed_over(outbox))
        swap_batches(outbox);

    int n = 0;
    while (n < max && !all_handed_over(outbox)) {
        const struct outbox_segment *segment = &outbox->leaving->segments[outbox->leaving_segment];
        iov[n].iov_len = segment->n_bytes;
        if (segment->borrowed) {
            iov[n].iov_base = (void *)(uintptr_t)segment->borrowed; /* iovec has no const */
        } else {
            iov[n].iov_base = outbox->leaving->bytes + outbox->leaving_byte;
            outbox->leaving_byte += segment->n_bytes;
        }
        outbox->handed_over += segment->n_bytes;
        outbox->leaving_segment++;
        n++;
    }
    return n;
}

void outbox_note_taken(struct outbox *outbox, size_t n_bytes)
{
    assert(n_bytes <= outbox->handed_over - outbox->taken);
    outbox->taken += n_bytes;
}
