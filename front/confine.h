/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the front keeps when it serves: it accepts on the sockets that it was handed, speaks on what
 * it has accepted, and rings the bells of its lanes. It opens no file, makes no socket, connects
 * nowhere, executes nothing and starts no process or thread; shm/confinement.h has the layers.
 */
#ifndef LEVERET_FRONT_CONFINE_H
#define LEVERET_FRONT_CONFINE_H

#include <leveret/control.h>

/* As the START says, once, when it has its listeners; lanes come as descriptors. Logs what holds and
 * what is missing. */
void front_confine(const struct control_message *start);

#endif
