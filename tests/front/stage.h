/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real front on a stage: the program leveret-front in a process of its own, a test that plays
 * its supervisor over the control socket and its worker over a real lane, and clients on real
 * sockets. The worker's "process" is a child that does nothing but exist, so that it can be killed.
 *
 *   POST /produce/{route}   backend 0          GET /consume   backend 2, JSON
 *   POST /small/{route}     backend 0, 16 B    GET /text      backend 3, text
 *   POST /both              backends 1 and 6   GET /pair      backends 2 and 4, merged
 *   GET  /none              no backend         GET /raw       backend 5, as it is
 */
#ifndef LEVERET_TESTS_STAGE_H
#define LEVERET_TESTS_STAGE_H

#include <sys/types.h>

#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/unit/front/fake_worker.h"

enum { STAGE_WAIT_MS = 5000, STAGE_MAX_BODY = 1 << 20 };

/* Zero is a default that is long enough not to matter. */
struct stage_settings {
    uint64_t timeout_ms, read_header_timeout_ms, read_timeout_ms, write_timeout_ms, idle_timeout_ms;
    uint32_t max_connections;
    const char *unix_path;    /* listen there instead */
    struct raw_client *early; /* connects before the front has its lane, and says early_text */
    const char *early_text;
};

struct stage {
    pid_t front, worker_process;
    int front_pidfd, control;
    int listener;
    struct doorbell front_bell;
    uint16_t port;
    struct fake_worker worker;
};

/* A front that is READY. */
void stage_open(struct stage *stage, const struct stage_settings *settings);

/* Whatever still lives is killed. */
void stage_close(struct stage *stage);

/* Hand out a lane to a fresh worker, as the supervisor does at the start and after a death. */
void stage_worker_start(struct stage *stage);

/* Hand out a lane over which no worker can be reached. */
void stage_lane_is_none(struct stage *stage);

/* Kill the worker's process and let go of its end of the lane. */
void stage_worker_kill(struct stage *stage);

void stage_drain(struct stage *stage, uint64_t ms_from_now);

/* Stop the front while it waits for something to happen, and let it go on: the system call in which
 * it waits is interrupted, and what happened in between is there all at once. */
void stage_freeze(struct stage *stage);
void stage_thaw(struct stage *stage);

/* The exit code of the front once it has ended by itself. */
int stage_exit_code(struct stage *stage);

/* The next message from the front to its supervisor. */
struct control_message stage_control_message(struct stage *stage);

/* Wait for the front's next entry, which must be `op`; its slot. */
uint32_t stage_take(struct stage *stage, enum lane_op op);

/* Ring the front, as a worker does at the end of its turn. */
void stage_ring(struct stage *stage);

/* A GET's slot, waiting. A delivery to it. A publish, answered; the same of one that was taken. */
uint32_t stage_wait(struct stage *stage);
void stage_deliver(struct stage *stage, uint32_t slot, const void *body, size_t n);
void stage_publish(struct stage *stage, enum outcome outcome);
void stage_publish_taken(struct stage *stage, uint32_t slot, enum outcome outcome);

/* Has the front handed over nothing that is not taken yet? Asked after an event that proves it. */
bool stage_is_quiet(struct stage *stage);

/* An answer, whole: read by its Content-Length, or none for HEAD, 204. */
struct reply {
    int status;
    size_t body_bytes;
    char head[4096];
    char body[8192];
};

void reply_read(struct reply *reply, struct raw_client *client, bool has_body);
bool reply_has(const struct reply *reply, const char *field_line);

/* Connect and say it. */
void stage_say(struct stage *stage, struct raw_client *client, const char *text);

#endif
