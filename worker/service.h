/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that a worker does for its front: the machines that the plan asks for, and who is connected
 * with whom.
 *
 *     desk ── publishes ──▶ publisher (each backend) ──▶ publish_link ── link   (each broker)
 *       └──── GETs ──▶ supplies ──▶ consume_channel (each tap) ───────── link   (each broker,
 *                                                                       each exclusive queue)
 *
 * Publishing and consuming have connections of their own, so that an alarm of the broker, which
 * stops those who publish, does not stop acks; a queue that only one connection may use has one to
 * itself. All connect at once, when the service is made.
 *
 * It logs what the brokers refuse to publishers; wire.h and supplies.h log the rest. Requests have
 * their answers.
 */
#ifndef LEVERET_WORKER_SERVICE_H
#define LEVERET_WORKER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"
#include "shm/figures.h"
#include "shm/plan.h"

#include "desk.h"
#include "loop.h"

struct service;

struct service_config {
    const struct plan *plan; /* of a worker; borrowed for life, like the loop */
    uint32_t worker;         /* which one this is */
    bool must_attach;        /* another process is to leave its queues to this one */
    struct loop *loop;
    const struct figures *figures; /* where it counts; NULL: nowhere. Borrowed for life */
};

/* -ENOMEM, or what resolver_new() says. */
int service_new(struct service **out, const struct service_config *config) MUST_USE;

/* Has each connection and each queue been tried, and is there a consumer on each queue that goes
 * with its last one? Then a process that has consumed from them may leave. */
bool service_has_attached(const struct service *service);

/* The second half of that alone: what would be lost if the other process left now is kept. */
bool service_keeps_queues(const struct service *service);

/* Only at the process's end. NULL is fine. */
void service_free(struct service *service);

/* What a desk needs to work for this service. Borrowed for life. */
const struct desk_config *service_desk_config(const struct service *service);

/* GETs come from this desk from now on; NULL: from nowhere. The one before has settled its own. */
void service_use_desk(struct service *service, struct desk *desk);

/* Nothing is kept for GETs to come; what goes on goes on. */
void service_leave(struct service *service);

/* Has everything that was begun come to its end? */
bool service_is_quiet(const struct service *service);

/* Is nothing lost if the connections end now? All that was said is with the kernel, and every
 * delivery has its verdict; but a confirm may be missing that nobody waits for, or the answer to a
 * consume. */
bool service_owes_nothing(const struct service *service);

/* Closes all connections; service_is_closed() tells when they are. */
void service_close(struct service *service);
bool service_is_closed(const struct service *service);

/* A dead front's bodies may be on their way to the kernel. Marks where the connections stand; when
 * service_has_passed() the mark, no such body is read any more. */
struct service_mark;
struct service_mark *service_mark_new(const struct service *service); /* NULL: no memory */
bool service_has_passed(const struct service *service, const struct service_mark *mark);

#endif
