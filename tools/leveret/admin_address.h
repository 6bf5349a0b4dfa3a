/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a running sidecar is asked for its figures, as --url and LEVERET_ADMIN say it:
 *
 *      http://host   http://host:port   http://[address]:port   unix:/path
 *
 * A host is written in letters, digits, dots, dashes and underlines, so it can stand in a request
 * and in a sentence as it is. What comes behind it is refused: the paths are ours.
 */
#ifndef LEVERET_ADMIN_ADDRESS_H
#define LEVERET_ADMIN_ADDRESS_H

#include <stdbool.h>

#include "shm/cleanup.h"

#define ADMIN_ADDRESS_DEFAULT "http://127.0.0.1:8090"
#define ADMIN_ADDRESS_SHAPES "http://host:port or unix:/path"

enum { ADMIN_HOST_BYTES = 256, ADMIN_PORT_BYTES = 6 };

struct admin_address {
    const char *url;       /* as it was written; borrowed */
    const char *unix_path; /* borrowed from it; NULL: the next two */
    char host[ADMIN_HOST_BYTES];
    char port[ADMIN_PORT_BYTES];
};

/* False: it is none, and *address is untouched. Nothing is looked up. */
bool admin_address_parse(const char *url, struct admin_address *address) MUST_USE;

#endif
