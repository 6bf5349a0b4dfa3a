/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the backends of a configuration have in common: brokers, and queues that are consumed.
 *
 * Backends with the same hosts, credentials and vhost share a broker. Consumers of one broker's
 * queue share a tap, which belongs to one worker; a queue that the broker is to name is nobody
 * else's. Order is the file's throughout.
 */
#ifndef LEVERET_PLAN_TOPOLOGY_H
#define LEVERET_PLAN_TOPOLOGY_H

#include <stdint.h>
#include "config.h"
#include "shm/cleanup.h"

#define TOPOLOGY_NONE UINT32_MAX

/* A backend of the file, by its number in both plans. */
struct topology_backend {
    const struct config_endpoint *endpoint;
    const struct config_backend *backend;
    uint32_t broker;
    uint32_t tap;  /* of a consumer; else TOPOLOGY_NONE */
    uint32_t next; /* of a consumer: the next one at the same tap, or TOPOLOGY_NONE */
};

struct topology_tap {
    uint32_t broker;
    uint32_t worker;
    uint32_t first; /* the backend that describes the queue; then along `next` */
    uint32_t last;
    uint32_t prefetch_count; /* the largest that a backend asks for; 128 when none does */
};

struct topology {
    struct topology_backend *backends;
    uint32_t *brokers; /* the first backend of each */
    struct topology_tap *taps;
    uint32_t n_backends, n_brokers, n_taps;
};

/* A view of config's endpoints, in its memory. NULL: no memory. */
const struct topology *topology_new(const struct config *config);

/* How many brokers are published to, and by how many backends. */
uint32_t topology_n_publishing(const struct topology *topology, uint32_t *n_producers);

#endif
