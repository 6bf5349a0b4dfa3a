/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/port.h"
#include "tests/support/require.h"

enum { MAX_PAIRS = 64, HELD_BYTES = 65536, WAKE = 0, LISTENER = 1, FIRST_PAIR = 2 };

/* Two connections; held[i] came from side i and is for the other one. */
struct pair {
    int fds[2];
    struct held {
        size_t from, to;
        char bytes[HELD_BYTES];
    } held[2];
};

struct relay {
    uint16_t port, target;
    int listener, wake;
    atomic_bool is_hushed, is_cut, is_over;
    pthread_t thread;
    struct pair *pairs[MAX_PAIRS];
    int n_pairs;
};

static void close_pair(struct relay *relay, int i, bool is_reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    for (int side = 0; side < 2; side++) {
        if (is_reset)
            (void)setsockopt(relay->pairs[i]->fds[side], SOL_SOCKET, SO_LINGER, &at_once,
                sizeof at_once);                 /* if not, it ends with FIN: as good */
        (void)close(relay->pairs[i]->fds[side]); /* the point is that it ends */
    }
    free(relay->pairs[i]);
    relay->pairs[i] = relay->pairs[--relay->n_pairs];
}

static void accept_pair(struct relay *relay)
{
    int one = 1, fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return; /* it has left while it waited */
    int target = relay->n_pairs < MAX_PAIRS ? port_connect(relay->target) : -1;
    if (target < 0) {
        (void)close(fd); /* as nobody listens there */
        return;
    }
    struct pair *pair = calloc(1, sizeof *pair);
    require(pair != NULL, "no memory");
    pair->fds[0] = fd;
    pair->fds[1] = target;
    for (int side = 0; side < 2; side++)
        require(setsockopt(pair->fds[side], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0,
            "TCP_NODELAY");
    relay->pairs[relay->n_pairs++] = pair;
}

/* False when that side has ended. */
static bool take_from(struct pair *pair, int side)
{
    struct held *held = &pair->held[side];
    ssize_t n = recv(pair->fds[side], held->bytes, sizeof held->bytes, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    held->from = 0;
    held->to = (size_t)n;
    return true;
}

static bool give_to(struct pair *pair, int side)
{
    struct held *held = &pair->held[!side];
    ssize_t n = send(pair->fds[side], held->bytes + held->from, held->to - held->from,
        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN;
    held->from += (size_t)n;
    return true;
}

static bool is_holding(const struct pair *pair, int side)
{
    return pair->held[side].from < pair->held[side].to;
}

/* One side is read from only when the other has taken all of it before. */
static bool serve_side(struct pair *pair, int side, short events)
{
    if ((events & POLLOUT) != 0 && is_holding(pair, !side) && !give_to(pair, side))
        return false;
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !is_holding(pair, side))
        return take_from(pair, side);
    return true;
}

static void watch(const struct pair *pair, struct pollfd fds[2])
{
    for (int side = 0; side < 2; side++) {
        short events = (short)((is_holding(pair, side) ? 0 : POLLIN) |
                               (is_holding(pair, !side) ? POLLOUT : 0));
        fds[side] = (struct pollfd){
            .fd = events != 0 ? pair->fds[side] : -1, /* or its end would be told again and again */
            .events = events};
    }
}

/* Backwards, since the last one takes the place of one that ends. */
static void serve_pairs(struct relay *relay, const struct pollfd *fds)
{
    bool is_cut = atomic_exchange(&relay->is_cut, false);
    for (int i = relay->n_pairs - 1; i >= 0; i--) {
        bool goes_on = !is_cut;
        for (int side = 0; side < 2 && goes_on; side++)
            goes_on = serve_side(relay->pairs[i], side, fds[2 * i + side].revents);
        if (!goes_on)
            close_pair(relay, i, is_cut);
    }
}

static bool is_deaf(struct relay *relay)
{
    return atomic_load(&relay->is_hushed) && !atomic_load(&relay->is_cut);
}

static void *serve(void *context)
{
    struct relay *relay = context;
    struct pollfd fds[FIRST_PAIR + 2 * MAX_PAIRS];
    while (!atomic_load(&relay->is_over)) {
        nfds_t n = is_deaf(relay) ? LISTENER : (nfds_t)(FIRST_PAIR + 2 * relay->n_pairs);
        fds[WAKE] = (struct pollfd){.fd = relay->wake, .events = POLLIN};
        fds[LISTENER] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
        for (int i = 0; i < relay->n_pairs; i++)
            watch(relay->pairs[i], &fds[FIRST_PAIR + 2 * i]);
        require(poll(fds, n, -1) >= 0 || errno == EINTR, "poll");
        uint64_t rung;
        if ((fds[WAKE].revents & POLLIN) != 0)
            (void)read(relay->wake, &rung, sizeof rung); /* that it rang is all */
        if (is_deaf(relay)) /* also to what had come before it was hushed */
            continue;
        serve_pairs(relay, &fds[FIRST_PAIR]);
        if ((fds[LISTENER].revents & POLLIN) != 0)
            accept_pair(relay);
    }
    return NULL;
}

static void tell(struct relay *relay, atomic_bool *flag, bool value)
{
    uint64_t one = 1;
    atomic_store(flag, value);
    require(write(relay->wake, &one, sizeof one) == sizeof one, "eventfd");
}

struct relay *relay_new(uint16_t port)
{
    struct relay *relay = calloc(1, sizeof *relay);
    require(relay != NULL, "no memory");
    relay->target = port;
    relay->port = port_reserve();
    relay->wake = eventfd(0, EFD_CLOEXEC);
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    require(relay->wake >= 0 && relay->listener >= 0, "socket");
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(relay->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    require(bind(relay->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                listen(relay->listener, SOMAXCONN) == 0,
        "listen on %u", relay->port);
    require(pthread_create(&relay->thread, NULL, serve, relay) == 0, "pthread_create");
    return relay;
}

void relay_free(struct relay *relay)
{
    tell(relay, &relay->is_over, true);
    require(pthread_join(relay->thread, NULL) == 0, "pthread_join");
    while (relay->n_pairs > 0)
        close_pair(relay, 0, true);
    (void)close(relay->listener); /* nothing to lose */
    (void)close(relay->wake);     /* likewise */
    free(relay);
}

uint16_t relay_port(const struct relay *relay)
{
    return relay->port;
}

void relay_hush(struct relay *relay)
{
    tell(relay, &relay->is_hushed, true);
}

void relay_speak(struct relay *relay)
{
    tell(relay, &relay->is_hushed, false);
}

void relay_cut(struct relay *relay)
{
    tell(relay, &relay->is_cut, true);
}
