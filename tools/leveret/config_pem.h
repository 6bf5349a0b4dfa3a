/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a file of certificates or keys, as the configuration keeps it: what is in it is not
 * looked at here (shm/pem.h). A regular file of at most CONFIG_PEM_BYTES_MAX; a FIFO would keep the
 * supervisor waiting.
 */
#ifndef LEVERET_CONFIG_PEM_H
#define LEVERET_CONFIG_PEM_H

#include "shm/cleanup.h"
#include "config_pool.h"

#define CONFIG_PEM_BYTES_MAX (1 << 20)

/*
 * Sets *text, which is the pool's. An empty path is the system's authorities, where OpenSSL looks for
 * them; none of these is an error. 0 or a negative errno: -EINVAL for what is no regular file, -EFBIG.
 */
int config_pem_read(struct config_pool *pool, const char *path, const char **text) MUST_USE;

#endif
