/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker on a loopback socket, driven by the loop of the test itself: it knows the handshake,
 * opens and closes channels, counts what else it hears, and misbehaves on request.
 */
#ifndef LEVERET_TESTS_WORKER_FAKE_BROKER_H
#define LEVERET_TESTS_WORKER_FAKE_BROKER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "bytes.h"
#include "frame.h"
#include "turn.h"

struct fake_broker {
    /* how it behaves */
    bool is_mute;     /* accepts and says nothing */
    bool is_deaf;     /* does not read once the connection is open */
    uint16_t refusal; /* closes the connection with this code after start-ok */
    uint16_t heartbeat_s;
    /* what it has seen */
    int n_accepted, n_opened, n_heartbeats, n_publishes, n_declares, n_closes, n_close_oks, n_ends;
    size_t n_body_bytes;
    uint16_t port;
    /* its own */
    int listener, fd;
    struct loop_watch *accepting, *reading;
    struct frame_reader reader;
    size_t n_header; /* bytes of the protocol header that came */
};

static struct bytes fake_says;

static inline void fake_flush(struct fake_broker *fake)
{
    if (fake->fd >= 0)
        cr_assert_eq(write(fake->fd, fake_says.at, fake_says.n), (ssize_t)fake_says.n);
    fake_says.n = 0;
}

static inline void fake_hang_up(struct fake_broker *fake)
{
    loop_watch_free(loop, fake->reading);
    fake->reading = NULL;
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
}

static inline void fake_reset(struct fake_broker *fake)
{
    struct linger at_once = {.l_onoff = 1};
    cr_assert_eq(setsockopt(fake->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    fake_hang_up(fake);
}

static inline void fake_close(struct fake_broker *fake, uint16_t code, const char *text)
{
    amqp_connection_close_t close = {.reply_code = code, .reply_text = amqp_cstring_bytes(text)};
    put_amqp(&fake_says, 0, AMQP_CONNECTION_CLOSE_METHOD, &close);
}

static inline void fake_start(void)
{
    amqp_connection_start_t start = {.version_minor = 9,
        .mechanisms = amqp_cstring_bytes("PLAIN"),
        .locales = amqp_cstring_bytes("en_US")};
    put_amqp(&fake_says, 0, AMQP_CONNECTION_START_METHOD, &start);
}

static inline void fake_on_start_ok(struct fake_broker *fake)
{
    amqp_connection_tune_t tune = {.frame_max = 131072, .heartbeat = fake->heartbeat_s};
    if (fake->refusal)
        fake_close(fake, fake->refusal, "refused");
    else
        put_amqp(&fake_says, 0, AMQP_CONNECTION_TUNE_METHOD, &tune);
}

static inline void fake_on_method(struct fake_broker *fake, uint16_t channel, uint32_t id)
{
    amqp_connection_open_ok_t open_ok = {0};
    amqp_connection_close_ok_t close_ok = {0};
    amqp_channel_open_ok_t channel_open_ok = {0};
    switch (id) {
    case AMQP_CONNECTION_START_OK_METHOD:
        fake_on_start_ok(fake);
        break;
    case AMQP_CONNECTION_OPEN_METHOD:
        put_amqp(&fake_says, 0, AMQP_CONNECTION_OPEN_OK_METHOD, &open_ok);
        fake->n_opened++;
        break;
    case AMQP_CONNECTION_CLOSE_METHOD:
        put_amqp(&fake_says, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
        fake->n_closes++;
        break;
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
        fake->n_close_oks++;
        break;
    case AMQP_CHANNEL_OPEN_METHOD:
        put_amqp(&fake_says, channel, AMQP_CHANNEL_OPEN_OK_METHOD, &channel_open_ok);
        break;
    case AMQP_EXCHANGE_DECLARE_METHOD:
    case AMQP_QUEUE_DECLARE_METHOD:
        fake->n_declares++;
        break;
    case AMQP_BASIC_PUBLISH_METHOD:
        fake->n_publishes++;
        break;
    default:
        break;
    }
}

static inline void fake_on_frame(struct fake_broker *fake, const struct frame *frame)
{
    if (frame->type == AMQP_FRAME_HEARTBEAT)
        fake->n_heartbeats++;
    if (frame->type == AMQP_FRAME_BODY)
        fake->n_body_bytes += frame->n_payload;
    if (frame->type == AMQP_FRAME_METHOD) {
        uint32_t id;
        memcpy(&id, frame->payload, sizeof id);
        fake_on_method(fake, frame->channel, be32toh(id));
    }
}

static inline void fake_on_readable(void *owner)
{
    struct fake_broker *fake = owner;
    static uint8_t heard[65536];
    if (fake->is_deaf && fake->n_opened > 0) {
        loop_watch_free(loop, fake->reading);
        fake->reading = NULL;
        return;
    }
    ssize_t r = recv(fake->fd, heard, sizeof heard, MSG_DONTWAIT);
    if (r < 0 && errno == EAGAIN)
        return;
    if (r <= 0) {
        fake->n_ends++;
        fake_hang_up(fake);
        return;
    }
    const uint8_t *at = heard;
    size_t n = (size_t)r;
    while (n > 0 && fake->n_header < 8) {
        at++;
        n--;
        if (++fake->n_header == 8 && !fake->is_mute)
            fake_start();
    }
    struct frame frame;
    while (frame_read(&fake->reader, &at, &n, &frame) == FRAME_READY)
        fake_on_frame(fake, &frame);
    fake_flush(fake);
}

static inline void fake_on_acceptable(void *owner)
{
    struct fake_broker *fake = owner;
    int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    fake_hang_up(fake);
    fake->fd = fd;
    fake->n_accepted++;
    fake->n_header = 0;
    frame_reader_reset(&fake->reader);
    fake->reading = loop_watch_new(loop, fd, fake_on_readable, fake);
}

/* `port` 0: any free one. */
static inline void fake_listen(struct fake_broker *fake, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    static const int on = 1;
    fake->fd = -1;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(setsockopt(fake->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    cr_assert_eq(bind(fake->listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fake->listener, 16), 0);
    cr_assert_eq(getsockname(fake->listener, (struct sockaddr *)&address, &n), 0);
    fake->port = ntohs(address.sin_port);
    if (!fake->reader.held)
        cr_assert_eq(frame_reader_init(&fake->reader, 131072), 0);
    fake->accepting = loop_watch_new(loop, fake->listener, fake_on_acceptable, fake);
}

static inline void fake_go_away(struct fake_broker *fake)
{
    fake_hang_up(fake);
    loop_watch_free(loop, fake->accepting);
    fake->accepting = NULL;
    close(fake->listener);
}

static inline void fake_done(struct fake_broker *fake)
{
    if (fake->accepting)
        fake_go_away(fake);
    frame_reader_done(&fake->reader);
}

#endif
