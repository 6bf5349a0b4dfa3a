/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening sockets of the process, each shared by the configurations that want the same
 * address. Whoever connects in the middle of a change of configuration waits in the line of a
 * socket that stays, and is let in by the old front or by the new one.
 *
 *      listeners_take() ── first user: opened ──▶ open ── listeners_give() by the last: closed
 *                       ── one more ────────────▶
 *
 * Two are the same when they were wanted in the same words: host and port, or the path of a unix
 * socket, whose mode follows the latest wish. One whose file was removed is wanted by nobody any
 * more: the next wish makes another. What differs in words and overlaps all the same, "*"
 * and "127.0.0.1" on one port, cannot be open at a time.
 */
#ifndef LEVERET_LISTENERS_H
#define LEVERET_LISTENERS_H

#include <stddef.h>

#include "listener.h"

/* Zeroed it is empty. */
struct listeners {
    struct listeners_entry *first;
};

/* What is needed to take it up again: a socket and the words in which it was wanted. */
struct listeners_wish {
    struct config_listener wanted;
    struct listener listener;
};

/* A socket as wanted, among which `mine` are the caller's already: two wishes for any free port are
 * two sockets. 0, -ENOMEM, or what listener_open() says. */
int listeners_take(struct listeners *all, const struct config_listener *wanted,
    struct listener *const *mine, size_t n_mine, struct listener **out) MUST_USE;

/* A socket that is open already, as listeners_wish() told it; taken, with its file. -ENOMEM: it is
 * still the caller's. */
int listeners_adopt(
    struct listeners *all, const struct listeners_wish *wish, struct listener **out) MUST_USE;

/* One user less. */
void listeners_give(struct listeners *all, struct listener *listener);

/* In which words it was wanted; borrowed. */
const struct config_listener *listeners_wanted(const struct listener *listener);

#endif
