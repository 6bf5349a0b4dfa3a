/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker keeps when it serves: it connects to brokers over TCP, and asks for their addresses
 * in the one thread of resolver.h. It accepts and binds nothing, executes nothing, starts no
 * process, and makes no other ring of io_uring than the one it has, which is restricted to the
 * operations in use (uring.c): what a ring does passes no filter. shm/confinement.h has the layers.
 *
 * Of files it reads those of name resolution, and these as folders: who renews resolv.conf puts
 * another file in its place. The modules that nsswitch.conf names for hosts are loaded before, for
 * nothing becomes executable afterwards, and so is OpenSSL's configuration; certificates and
 * authorities come with the plan.
 */
#ifndef LEVERET_WORKER_CONFINE_H
#define LEVERET_WORKER_CONFINE_H

#include <stdbool.h>

#include <leveret/control.h>

/* As the START or SURVEY says, once, when the loop is made and before there is another thread.
 * `has_ring`: the loop waits on io_uring. Logs what holds and what is missing. */
void worker_confine(const struct control_message *start, bool has_ring);

#endif
