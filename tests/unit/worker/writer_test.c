/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "bytes.h"
#include "frame.h"
#include "writer.h"

static struct outbox outbox;
static struct frame_reader reader;
static struct frame_decoder decoder;
static struct bytes sent;
static uint8_t body[1 << 18];

static struct {
    amqp_basic_publish_t publish;
    amqp_basic_properties_t properties;
} message;

static void set_up(void)
{
    cr_assert_eq(outbox_init(&outbox, 1 << 20), 0);
    cr_assert_eq(frame_reader_init(&reader, 131072), 0);
    frame_decoder_init(&decoder);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 31 + i / 256);
    message.publish.exchange = amqp_cstring_bytes("x");
    message.publish.routing_key = amqp_cstring_bytes("k");
    message.properties._flags = AMQP_BASIC_MESSAGE_ID_FLAG;
    message.properties.message_id = amqp_cstring_bytes("id");
}

static void tear_down(void)
{
    outbox_done(&outbox);
    frame_reader_done(&reader);
    frame_decoder_done(&decoder);
}

TestSuite(writer, .init = set_up, .fini = tear_down);

/* All that is queued, as the broker would get it; returns how many pieces it was in. */
static int drain(void)
{
    struct iovec iov[256];
    int n, n_pieces = 0;
    sent.n = 0;
    while ((n = outbox_take(&outbox, iov, 256)) > 0) {
        for (int i = 0; i < n; i++) {
            put(&sent, iov[i].iov_base, iov[i].iov_len);
            outbox_note_taken(&outbox, iov[i].iov_len);
        }
        n_pieces += n;
    }
    return n_pieces;
}

static int write_body(const struct iovec *pieces, int n_pieces, size_t frame_max)
{
    return writer_message(&outbox, 5, frame_max,
        &(struct writer_message){.publish = &message.publish,
            .properties = &message.properties,
            .body = pieces,
            .n_body = n_pieces});
}

static int write_message(size_t n_body, size_t frame_max)
{
    return write_body(&(struct iovec){.iov_base = body, .iov_len = n_body}, 1, frame_max);
}

/* Reads `sent` back: publish, header, body frames; the body must be `body`. Returns n of frames. */
static int expect_message(size_t n_body)
{
    const uint8_t *at = sent.at;
    size_t n = sent.n, n_seen = 0;
    int n_frames = 0;
    struct frame frame;
    while (frame_read(&reader, &at, &n, &frame) == FRAME_READY) {
        cr_assert_eq(frame.channel, 5);
        if (n_frames == 0) {
            cr_assert_eq(frame.type, AMQP_FRAME_METHOD);
            cr_assert_arr_eq(frame.payload, "\x00\x3c\x00\x28", 4); /* basic.publish */
        } else if (n_frames == 1) {
            struct frame_content content;
            cr_assert_eq(frame.type, AMQP_FRAME_HEADER);
            cr_assert_eq(frame_decode_content(&decoder, &frame, &content), 0);
            cr_assert_eq(content.body_size, n_body);
        } else {
            cr_assert_eq(frame.type, AMQP_FRAME_BODY);
            cr_assert_arr_eq(frame.payload, body + n_seen, frame.n_payload);
            n_seen += frame.n_payload;
        }
        n_frames++;
    }
    cr_assert_eq(n_seen, n_body);
    return n_frames;
}

Test(writer, the_protocol_header_is_that_of_0_9_1)
{
    cr_assert_eq(writer_protocol_header(&outbox), 0);
    (void)drain();
    cr_assert_eq(sent.n, 8);
    cr_assert_arr_eq(sent.at, "AMQP\x00\x00\x09\x01", 8);
}

Test(writer, a_heartbeat_is_an_empty_frame_of_type_8)
{
    cr_assert_eq(writer_heartbeat(&outbox), 0);
    (void)drain();
    cr_assert_eq(sent.n, 8);
    cr_assert_arr_eq(sent.at, "\x08\x00\x00\x00\x00\x00\x00\xce", 8);
}

Test(writer, a_method_is_one_frame)
{
    amqp_basic_ack_t ack = {.delivery_tag = 258, .multiple = 1};
    cr_assert_eq(writer_method(&outbox, 513, AMQP_BASIC_ACK_METHOD, &ack), 0);
    (void)drain();
    cr_assert_eq(sent.n, 21);
    cr_assert_arr_eq(sent.at,
        "\x01\x02\x01\x00\x00\x00\x0d\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x01\x02\x01\xce", 21);
}

Test(writer, an_empty_body_has_no_body_frame)
{
    cr_assert_eq(write_message(0, 4096), 0);
    cr_assert_eq(drain(), 1);
    cr_assert_eq(expect_message(0), 2);
    cr_assert_eq(write_body(NULL, 0, 4096), 0);
    (void)drain();
    cr_assert_eq(expect_message(0), 2);
}

Test(writer, bodies_are_cut_at_frame_max)
{
    static const struct {
        size_t n_body;
        int n_frames;
    } cases[] = {{1, 3}, {4087, 3}, {4088, 3}, {4089, 4}, {8176, 4}, {8177, 5}, {200000, 51}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(write_message(cases[i].n_body, 4096), 0);
        (void)drain();
        cr_assert_eq(expect_message(cases[i].n_body), cases[i].n_frames, "%zu", cases[i].n_body);
    }
}

Test(writer, small_messages_of_a_batch_are_one_contiguous_piece)
{
    for (int i = 0; i < 100; i++)
        cr_assert_eq(write_message(1000, 131072), 0);
    cr_assert_eq(drain(), 1);
}

Test(writer, a_large_body_is_sent_from_where_it_lies)
{
    struct iovec iov[8];
    cr_assert_eq(write_message(WRITER_BORROW_BYTES, 131072), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 8), 3);
    cr_assert_eq(iov[1].iov_base, body);
    cr_assert_eq(iov[1].iov_len, WRITER_BORROW_BYTES);
}

Test(writer, a_body_just_below_the_limit_is_copied)
{
    struct iovec iov[8];
    cr_assert_eq(write_message(WRITER_BORROW_BYTES - 1, 131072), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 8), 1);
}

Test(writer, a_body_in_pieces_is_put_together_whatever_the_cuts)
{
    srand(3);
    for (int round = 0; round < 200; round++) {
        struct iovec pieces[8];
        size_t at = 0;
        for (int i = 0; i < 8; i++) {
            size_t n = (size_t)(rand() % 5 ? rand() % 9000 : 0);
            pieces[i] = (struct iovec){.iov_base = body + at, .iov_len = n};
            at += n;
        }
        cr_assert_eq(write_body(pieces, 8, 4096 + (size_t)rand() % 8192), 0);
        (void)drain();
        (void)expect_message(at);
    }
}

Test(writer, a_routing_key_over_255_bytes_is_refused_and_nothing_is_queued)
{
    message.publish.routing_key = frame_bytes(body, 256);
    cr_assert_eq(write_message(10, 131072), -EINVAL);
    cr_assert(outbox_is_empty(&outbox));
}

Test(writer, a_property_over_255_bytes_is_refused_and_nothing_is_queued)
{
    message.properties.message_id = frame_bytes(body, 256);
    cr_assert_eq(write_message(10, 131072), -EINVAL);
    cr_assert(outbox_is_empty(&outbox));
}

Test(writer, a_header_name_over_255_bytes_is_refused_and_nothing_is_queued)
{
    amqp_table_entry_t entry = {
        .key = frame_bytes(body, 300), .value = {.kind = AMQP_FIELD_KIND_VOID}};
    message.properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    message.properties.headers = (amqp_table_t){.num_entries = 1, .entries = &entry};
    cr_assert_eq(write_message(10, 131072), -EINVAL);
    cr_assert(outbox_is_empty(&outbox));
}

Test(writer, a_content_header_must_fit_in_one_frame)
{
    amqp_table_entry_t entry = {.key = frame_bytes("k", 1),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = frame_bytes(body, 4096)}}};
    message.properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    message.properties.headers = (amqp_table_t){.num_entries = 1, .entries = &entry};
    cr_assert_eq(write_message(10, 4096), -EMSGSIZE);
    cr_assert(outbox_is_empty(&outbox));
    cr_assert_eq(write_message(10, 131072), 0);
}

Test(writer, arguments_of_a_declaration_must_fit_in_4096_bytes)
{
    amqp_table_entry_t entry = {.key = frame_bytes("k", 1),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = frame_bytes(body, 5000)}}};
    amqp_queue_declare_t declare = {.arguments = {.num_entries = 1, .entries = &entry}};
    cr_assert_eq(writer_method(&outbox, 1, AMQP_QUEUE_DECLARE_METHOD, &declare), -EINVAL);
    entry.value.value.bytes = frame_bytes(body, 10);
    entry.key = frame_bytes(body, 256);
    cr_assert_eq(writer_method(&outbox, 1, AMQP_QUEUE_DECLARE_METHOD, &declare), -EINVAL);
    cr_assert(outbox_is_empty(&outbox));
}

Test(writer, a_full_outbox_refuses_messages_and_still_takes_an_ack)
{
    int r = 0, n = 0;
    while ((r = write_message(4000, 131072)) == 0)
        n++;
    cr_assert_eq(r, -ENOBUFS);
    cr_assert_gt(n, 200);
    uint64_t queued = outbox.queued;
    cr_assert_eq(write_message(4000, 131072), -ENOBUFS);
    cr_assert_eq(outbox.queued, queued);
    amqp_basic_ack_t ack = {.delivery_tag = 1};
    cr_assert_eq(writer_method(&outbox, 5, AMQP_BASIC_ACK_METHOD, &ack), 0);
    (void)drain();
    cr_assert_eq(write_message(4000, 131072), 0, "room again once it was taken");
}

Test(writer, a_message_in_more_frames_than_an_empty_outbox_holds_is_too_large_for_ever)
{
    uint8_t *huge = calloc(1, (size_t)80 << 20);
    struct iovec piece = {.iov_base = huge, .iov_len = (size_t)80 << 20};
    cr_assert_eq(write_body(&piece, 1, 4096), -EMSGSIZE);
    cr_assert(outbox_is_empty(&outbox));
    cr_assert_eq(write_body(&piece, 1, 131072), 0);
    free(huge);
}
