/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's side of a connection without I/O, played by hand: what it says is put into `says`
 * and fed to the connection in one go, what it hears is read from the connection's outbox frame by
 * frame. One connection per test process, as Criterion gives every test its own.
 */
#ifndef LEVERET_TESTS_WORKER_BROKER_H
#define LEVERET_TESTS_WORKER_BROKER_H

#include <criterion/criterion.h>
#include <errno.h>

#include "bytes.h"
#include "connection.h"
#include "shm/clock.h"

static struct connection connection;
static struct bytes says, hears;
static size_t n_read; /* bytes of `hears` that a test has looked at */
static uint64_t now_ns = 1000 * CLOCK_S;
static amqp_pool_t hears_pool;

static const struct connection_login login = {.user = "me", .password = "secret", .vhost = "v1"};

static inline bool is_bytes(amqp_bytes_t heard, const void *bytes, size_t n)
{
    return heard.len == n && memcmp(heard.bytes, bytes, n) == 0;
}

static inline bool is_text(amqp_bytes_t heard, const char *text)
{
    return is_bytes(heard, text, strlen(text));
}

/* ---- hearing ------------------------------------------------------------------------------- */

/* Takes all that the connection has queued, as the kernel would. */
static inline void broker_hear(void)
{
    struct iovec iov[64];
    int n;
    while ((n = outbox_take(&connection.outbox, iov, 64)) > 0) {
        for (int i = 0; i < n; i++) {
            put(&hears, iov[i].iov_base, iov[i].iov_len);
            outbox_note_taken(&connection.outbox, iov[i].iov_len);
        }
        connection_spoke(&connection, now_ns);
    }
}

static inline bool broker_heard_all(void)
{
    broker_hear();
    return n_read == hears.n;
}

/* The next frame must be this method on this channel; its arguments live until the next call. */
static inline void *broker_heard(uint16_t channel, amqp_method_number_t id)
{
    broker_hear();
    const uint8_t *at = hears.at + n_read;
    cr_assert_geq(hears.n - n_read, 12, "%s was not sent", amqp_method_name(id));
    cr_assert_eq(at[0], 1, "%s was not sent", amqp_method_name(id));
    uint32_t n, heard;
    memcpy(&n, at + 3, sizeof n);
    memcpy(&heard, at + 7, sizeof heard);
    n = be32toh(n);
    heard = be32toh(heard);
    cr_assert_eq(
        heard, id, "%s where %s was expected", amqp_method_name(heard), amqp_method_name(id));
    cr_assert_eq(at[1] << 8 | at[2], channel);
    void *method = NULL;
    if (!hears_pool.pagesize)
        init_amqp_pool(&hears_pool, 4096);
    recycle_amqp_pool(&hears_pool);
    cr_assert_eq(amqp_decode_method(id, &hears_pool, frame_bytes(at + 11, n - 4), &method), 0);
    n_read += n + FRAME_OVERHEAD_BYTES;
    return method;
}

static inline void broker_heard_bytes(const void *bytes, size_t n)
{
    broker_hear();
    cr_assert_geq(hears.n - n_read, n);
    cr_assert_arr_eq(hears.at + n_read, bytes, n);
    n_read += n;
}

/* ---- saying -------------------------------------------------------------------------------- */

/* Feeds what was put into `says`. */
static inline void broker_speak(void)
{
    connection_input(&connection, says.at, says.n, now_ns);
    says.n = 0;
}

static inline void broker_method(uint16_t channel, amqp_method_number_t id, void *method)
{
    put_amqp(&says, channel, id, method);
}

static inline void broker_start(const char *mechanisms)
{
    amqp_connection_start_t start = {.version_major = 0,
        .version_minor = 9,
        .mechanisms = amqp_cstring_bytes(mechanisms),
        .locales = amqp_cstring_bytes("en_US")};
    broker_method(0, AMQP_CONNECTION_START_METHOD, &start);
    broker_speak();
}

static inline void broker_tune(uint16_t channel_max, uint32_t frame_max, uint16_t heartbeat_s)
{
    amqp_connection_tune_t tune = {
        .channel_max = channel_max, .frame_max = frame_max, .heartbeat = heartbeat_s};
    broker_method(0, AMQP_CONNECTION_TUNE_METHOD, &tune);
    broker_speak();
}

static inline void broker_open_ok(void)
{
    amqp_connection_open_ok_t open_ok = {0};
    broker_method(0, AMQP_CONNECTION_OPEN_OK_METHOD, &open_ok);
    broker_speak();
}

static inline void broker_close(uint16_t code, const char *text)
{
    amqp_connection_close_t close = {.reply_code = code, .reply_text = amqp_cstring_bytes(text)};
    broker_method(0, AMQP_CONNECTION_CLOSE_METHOD, &close);
    broker_speak();
}

static inline void broker_close_ok(void)
{
    amqp_connection_close_ok_t close_ok = {0};
    broker_method(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
    broker_speak();
}

/* From IDLE to OPEN, all that was said on the way read. */
static inline void broker_accept(void)
{
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN AMQPLAIN");
    broker_tune(2047, 131072, 60);
    broker_open_ok();
    broker_hear();
    n_read = hears.n;
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

#endif
