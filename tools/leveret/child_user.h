/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom the children become when the supervisor is root: the key `user`.
 */
#ifndef LEVERET_CHILD_USER_H
#define LEVERET_CHILD_USER_H

#include <sys/types.h>

#include "shm/cleanup.h"

struct child_user {
    uid_t uid;
    gid_t gid; /* the user's first */
};

/* By name or number; `nobody` is 65534 where the system does not know it, as in an empty container.
 * A number that the system does not know is its own group. -ENOENT: there is no such user. */
int child_user_find(const char *name, struct child_user *user) MUST_USE;

/* The same for the children of this process; zeroes when it is not root, who alone has a choice: the
 * name is not looked at then. */
int child_user_choose(const char *name, struct child_user *user) MUST_USE;

#endif
