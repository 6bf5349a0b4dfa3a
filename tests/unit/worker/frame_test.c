/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "bytes.h"
#include "frame.h"

static struct frame_reader reader;
static struct frame_decoder decoder;
static struct bytes bytes;

static void set_up(void)
{
    cr_assert_eq(frame_reader_init(&reader, 131072), 0);
    frame_decoder_init(&decoder);
    bytes.n = 0;
}

static void tear_down(void)
{
    frame_reader_done(&reader);
    frame_decoder_done(&decoder);
}

TestSuite(frame, .init = set_up, .fini = tear_down);

/* Reads all of `bytes` in one go and expects the refusal. */
static void expect_refusal(const char *words)
{
    const uint8_t *at = bytes.at;
    size_t n = bytes.n;
    struct frame frame;
    int r;
    do
        r = frame_read(&reader, &at, &n, &frame);
    while (r == FRAME_READY);
    cr_assert_eq(r, -EPROTO);
    cr_assert(strstr(reader.error, words), "\"%s\" does not say \"%s\"", reader.error, words);
}

static struct frame read_one(void)
{
    const uint8_t *at = bytes.at;
    size_t n = bytes.n;
    struct frame frame;
    cr_assert_eq(frame_read(&reader, &at, &n, &frame), FRAME_READY);
    return frame;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void put_three_frames(void)
{
    put_method(&bytes, 7, AMQP_QUEUE_BIND_OK_METHOD, NULL, 0);
    put_body(&bytes, 7, "hello\xce!", 7);
    put_heartbeat(&bytes);
}

static void expect_three_frames(const struct frame *frames, const uint8_t *payload)
{
    cr_assert_eq(frames[0].type, AMQP_FRAME_METHOD);
    cr_assert_eq(frames[0].channel, 7);
    cr_assert_eq(frames[0].n_payload, 4);
    cr_assert_eq(frames[1].type, AMQP_FRAME_BODY);
    cr_assert_eq(frames[1].n_payload, 7);
    cr_assert_arr_eq(payload, "hello\xce!", 7);
    cr_assert_eq(frames[2].type, AMQP_FRAME_HEARTBEAT);
    cr_assert_eq(frames[2].n_payload, 0);
}

Test(frame, frames_split_at_every_byte_are_the_same_frames)
{
    put_three_frames();
    for (size_t cut = 0; cut <= bytes.n; cut++) {
        struct frame frames[3];
        uint8_t payload[7];
        int n_frames = 0;
        const uint8_t *parts[2] = {bytes.at, bytes.at + cut};
        size_t n_parts[2] = {cut, bytes.n - cut};
        for (int i = 0; i < 2; i++) {
            while (frame_read(&reader, &parts[i], &n_parts[i], &frames[n_frames]) == FRAME_READY) {
                if (n_frames == 1) /* it dies with the next read */
                    memcpy(payload, frames[1].payload, sizeof payload);
                n_frames++;
            }
            cr_assert_eq(n_parts[i], 0, "all input is used");
        }
        cr_assert_eq(n_frames, 3, "cut at %zu", cut);
        expect_three_frames(frames, payload);
    }
}

Test(frame, frames_that_come_byte_by_byte_are_the_same_frames)
{
    struct frame frames[3];
    uint8_t payload[7];
    int n_frames = 0;
    put_three_frames();
    for (size_t i = 0; i < bytes.n; i++) {
        const uint8_t *at = bytes.at + i;
        size_t n = 1;
        if (frame_read(&reader, &at, &n, &frames[n_frames]) == FRAME_READY) {
            if (n_frames == 1)
                memcpy(payload, frames[1].payload, sizeof payload);
            n_frames++;
        }
        cr_assert_eq(n, 0);
    }
    cr_assert_eq(n_frames, 3);
    expect_three_frames(frames, payload);
}

Test(frame, a_frame_that_lies_whole_in_the_input_is_not_copied)
{
    put_body(&bytes, 1, "body", 4);
    struct frame frame = read_one();
    cr_assert_eq(frame.payload, bytes.at + FRAME_HEADER_BYTES);
}

Test(frame, the_largest_frame_agreed_on_is_read_and_one_byte_more_is_refused)
{
    static uint8_t body[5000];
    frame_reader_limit(&reader, 4096);
    put_body(&bytes, 1, body, 4088);
    cr_assert_eq(read_one().n_payload, 4088);
    bytes.n = 0;
    put_body(&bytes, 1, body, 4089);
    expect_refusal("4089 bytes of payload where frames have at most 4096");
}

Test(frame, a_length_of_four_gigabytes_is_refused_before_any_byte_of_it_came)
{
    put_8(&bytes, AMQP_FRAME_BODY);
    put_16(&bytes, 1);
    put_32(&bytes, UINT32_MAX);
    expect_refusal("4294967295 bytes");
}

Test(frame, a_length_that_lies_is_refused_also_when_it_came_in_two_parts)
{
    put_8(&bytes, AMQP_FRAME_METHOD);
    put_16(&bytes, 1);
    put_32(&bytes, 0x7fffffff);
    const uint8_t *at = bytes.at;
    size_t n = 5;
    struct frame frame;
    cr_assert_eq(frame_read(&reader, &at, &n, &frame), FRAME_NEED_MORE);
    n = 2;
    cr_assert_eq(frame_read(&reader, &at, &n, &frame), -EPROTO);
}

Test(frame, a_wrong_end_octet_is_refused)
{
    put_body(&bytes, 9, "body", 4);
    bytes.at[bytes.n - 1] = 0xcd;
    expect_refusal("type 3 on channel 9 ends with 0xcd");
}

Test(frame, an_unknown_type_is_refused)
{
    static const uint8_t types[] = {0, 4, 5, 6, 7, 9, 255};
    for (size_t i = 0; i < sizeof types; i++) {
        bytes.n = 0;
        end_frame(&bytes, begin_frame(&bytes, types[i], 1));
        expect_refusal("is not a type of frame");
        frame_reader_reset(&reader);
    }
}

Test(frame, a_broker_of_another_protocol_version_is_named)
{
    put(&bytes, "AMQP\0\1\0\0", 8);
    expect_refusal("does not speak AMQP 0-9-1");
}

Test(frame, an_http_server_behind_the_port_is_named)
{
    put(&bytes, "HTTP/1.1 400 Bad Request\r\n", 26);
    expect_refusal("speaks HTTP");
}

Test(frame, a_reset_forgets_half_a_frame_and_the_limit)
{
    static uint8_t body[5000];
    frame_reader_limit(&reader, 4096);
    put_body(&bytes, 1, body, 4000);
    const uint8_t *at = bytes.at;
    size_t n = 100;
    struct frame frame;
    cr_assert_eq(frame_read(&reader, &at, &n, &frame), FRAME_NEED_MORE);
    frame_reader_reset(&reader);
    bytes.n = 0;
    put_body(&bytes, 1, body, 5000);
    cr_assert_eq(read_one().n_payload, 5000);
}

/* Whatever comes, in whatever pieces: an answer, and never a byte read beyond the input. */
Test(frame, random_bytes_end_in_a_refusal_or_in_wanting_more)
{
    srand(1);
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)rand() % 64;
        uint8_t *input = malloc(n ? n : 1); /* its own block: a sanitizer sees one byte too many */
        for (size_t i = 0; i < n; i++)
            input[i] = (uint8_t)(rand() % 3 ? rand() % 9 : rand());
        const uint8_t *at = input;
        size_t left = n;
        struct frame frame;
        int r;
        while ((r = frame_read(&reader, &at, &left, &frame)) == FRAME_READY)
            cr_assert(frame.n_payload <= n);
        if (r == -EPROTO || rand() % 4 == 0)
            frame_reader_reset(&reader);
        free(input);
    }
}

/* ---- methods ------------------------------------------------------------------------------- */

Test(frame, a_method_is_decoded)
{
    static struct bytes arguments;
    put_64(&arguments, 42);
    put_8(&arguments, 1);
    put_method(&bytes, 3, AMQP_BASIC_ACK_METHOD, arguments.at, arguments.n);
    struct frame frame = read_one();
    amqp_method_t method;
    cr_assert_eq(frame_decode_method(&decoder, &frame, &method), 0);
    const amqp_basic_ack_t *ack = method.decoded;
    cr_assert_eq(ack->delivery_tag, 42);
    cr_assert(ack->multiple);
}

Test(frame, a_method_cut_short_is_refused)
{
    static struct bytes arguments;
    put_short(&arguments, "consumer");
    put_64(&arguments, 1);
    put_8(&arguments, 0);
    put_short(&arguments, "exchange");
    put_short(&arguments, "key");
    for (size_t n = 0; n <= arguments.n; n++) {
        bytes.n = 0;
        put_method(&bytes, 3, AMQP_BASIC_DELIVER_METHOD, arguments.at, n);
        struct frame frame = read_one();
        amqp_method_t method;
        cr_assert_eq(frame_decode_method(&decoder, &frame, &method), n == arguments.n ? 0 : -EPROTO,
            "%zu bytes", n);
    }
}

Test(frame, a_method_that_no_broker_sends_is_refused)
{
    static const uint32_t ids[] = {
        0, AMQP_BASIC_PUBLISH_METHOD, AMQP_QUEUE_DECLARE_METHOD, UINT32_MAX};
    static const uint8_t zeros[64];
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        bytes.n = 0;
        put_method(&bytes, 1, ids[i], zeros, sizeof zeros);
        struct frame frame = read_one();
        amqp_method_t method;
        cr_assert_eq(frame_decode_method(&decoder, &frame, &method), -EPROTO);
    }
}

Test(frame, a_payload_too_short_for_a_method_id_is_refused)
{
    size_t begun = begin_frame(&bytes, AMQP_FRAME_METHOD, 1);
    put_16(&bytes, 60);
    end_frame(&bytes, begun);
    struct frame frame = read_one();
    amqp_method_t method;
    cr_assert_eq(frame_decode_method(&decoder, &frame, &method), -EPROTO);
}

/* ---- content headers ----------------------------------------------------------------------- */

static size_t begin_content(uint16_t flags)
{
    size_t begun = begin_frame(&bytes, AMQP_FRAME_HEADER, 1);
    put_16(&bytes, 60);
    put_16(&bytes, 0);
    put_64(&bytes, UINT64_C(1) << 40);
    put_16(&bytes, flags);
    return begun;
}

#define ALL_FLAGS                                                                                  \
    (AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_HEADERS_FLAG |   \
        AMQP_BASIC_MESSAGE_ID_FLAG)

static void put_properties_around_headers(int depth)
{
    size_t begun = begin_content(ALL_FLAGS);
    put_short(&bytes, "text/plain");
    put_short(&bytes, "gzip");
    static size_t tables[20000];
    for (int i = 0; i < depth; i++) {
        if (i > 0) {
            put_short(&bytes, "k");
            put_8(&bytes, 'F');
        }
        tables[i] = begin_length(&bytes);
    }
    put_short(&bytes, "name");
    put_8(&bytes, 'S');
    put_long(&bytes, "value");
    for (int i = depth - 1; i >= 0; i--)
        end_length(&bytes, tables[i]);
    put_short(&bytes, "id-1");
    end_frame(&bytes, begun);
}

static bool is_string(amqp_bytes_t string, const char *text)
{
    return string.len == strlen(text) && memcmp(string.bytes, text, string.len) == 0;
}

Test(frame, a_content_header_is_decoded)
{
    put_properties_around_headers(1);
    struct frame frame = read_one();
    struct frame_content content;
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), 0);
    cr_assert_eq(content.body_size, UINT64_C(1) << 40);
    cr_assert_not(content.headers_dropped);
    cr_assert(is_string(content.properties->content_type, "text/plain"));
    cr_assert(is_string(content.properties->message_id, "id-1"));
    cr_assert_eq(content.properties->headers.num_entries, 1);
    cr_assert(is_string(content.properties->headers.entries[0].value.value.bytes, "value"));
}

Test(frame, headers_nested_too_deep_are_dropped_and_the_other_properties_kept)
{
    put_properties_around_headers(10000);
    struct frame frame = read_one();
    struct frame_content content;
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), 0);
    cr_assert(content.headers_dropped);
    cr_assert_not(content.properties->_flags & AMQP_BASIC_HEADERS_FLAG);
    cr_assert(is_string(content.properties->content_type, "text/plain"));
    cr_assert(is_string(content.properties->content_encoding, "gzip"));
    cr_assert(is_string(content.properties->message_id, "id-1"));
}

Test(frame, headers_of_an_unknown_kind_are_dropped_and_the_message_is_not)
{
    size_t begun = begin_content(AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG);
    size_t table = begin_length(&bytes);
    put_short(&bytes, "k");
    put_8(&bytes, '?');
    end_length(&bytes, table);
    put_short(&bytes, "id-2");
    end_frame(&bytes, begun);
    struct frame frame = read_one();
    struct frame_content content;
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), 0);
    cr_assert(content.headers_dropped);
    cr_assert(is_string(content.properties->message_id, "id-2"));
}

Test(frame, a_content_header_cut_short_is_refused)
{
    put_properties_around_headers(1);
    struct frame whole = read_one();
    struct frame_content content;
    for (size_t n = 0; n < whole.n_payload; n++) {
        struct frame cut = whole;
        uint8_t *own = malloc(n ? n : 1);
        memcpy(own, whole.payload, n);
        cut.payload = own;
        cut.n_payload = n;
        cr_assert_eq(frame_decode_content(&decoder, &cut, &content), -EPROTO, "%zu bytes", n);
        free(own);
    }
}

Test(frame, property_flags_that_never_end_are_refused)
{
    size_t begun = begin_content(1);
    for (int i = 0; i < 100; i++)
        put_16(&bytes, 1);
    end_frame(&bytes, begun);
    struct frame frame = read_one();
    struct frame_content content;
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), -EPROTO);
}

Test(frame, content_of_another_class_is_refused)
{
    put_content_header(&bytes, 1, 5);
    bytes.at[FRAME_HEADER_BYTES + 1] = 50;
    struct frame frame = read_one();
    struct frame_content content;
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), -EPROTO);
}

Test(frame, content_with_a_weight_is_refused)
{
    put_content_header(&bytes, 1, 5);
    bytes.at[FRAME_HEADER_BYTES + 3] = 1;
    struct frame frame = read_one();
    struct frame_content content;
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), -EPROTO);
}

Test(frame, one_large_message_does_not_leave_its_memory_behind)
{
    size_t begun = begin_content(AMQP_BASIC_HEADERS_FLAG);
    size_t table = begin_length(&bytes);
    for (int i = 0; i < 2000; i++) { /* arrays of their own: many small pieces of the pool */
        put_short(&bytes, "k");
        put_8(&bytes, 'A');
        size_t array = begin_length(&bytes);
        for (int j = 0; j < 30; j++)
            put_8(&bytes, 'V');
        end_length(&bytes, array);
    }
    end_length(&bytes, table);
    end_frame(&bytes, begun);
    struct frame frame = read_one();
    struct frame_content content;
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), 0);
    cr_assert_eq(content.properties->headers.num_entries, 2000);
    cr_assert_gt(decoder.pool.pages.num_blocks, 8);

    bytes.n = 0;
    put_content_header(&bytes, 1, 0);
    frame = read_one();
    cr_assert_eq(frame_decode_content(&decoder, &frame, &content), 0);
    cr_assert_eq(decoder.pool.pages.num_blocks, 1);
}

/* Mutations of an honest header: decoded or refused, nothing else. */
Test(frame, random_content_headers_are_survived)
{
    srand(2);
    for (int round = 0; round < 20000; round++) {
        bytes.n = 0;
        put_properties_around_headers(1 + rand() % 4);
        struct frame frame = read_one();
        uint8_t *own = malloc(frame.n_payload);
        memcpy(own, frame.payload, frame.n_payload);
        for (int i = rand() % 4; i >= 0; i--)
            own[2 + (size_t)rand() % (frame.n_payload - 2)] = (uint8_t)rand();
        frame.payload = own;
        struct frame_content content;
        int r = frame_decode_content(&decoder, &frame, &content);
        cr_assert(r == 0 || r == -EPROTO);
        free(own);
    }
}
