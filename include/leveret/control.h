/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket between the supervisor and each child: all that a child inherits.
 *
 * A child is started with one descriptor, LEVERET_CONTROL_FD, one end of a SOCK_SEQPACKET pair; the
 * rest comes over it as messages with descriptors attached. One packet is one control_message.
 *
 *   supervisor -> child
 *     START      who you are; fds: the plan, and your figures, to count in. Always the first
 *     FIGURES    to a front; fd: another's figures, to look at (<leveret/figures.h>)
 *     LISTENER   to a front; fd: a listening socket
 *     LANE       fds: lane, its own bell, the rope of the peer's bell, the peer's pidfd
 *                a front gets one per worker; another one for the same worker replaces a dead one
 *                a worker gets one; another one replaces a dead front
 *     SURVEY     to a worker, in place of START; fd: the plan (<leveret/survey.h>)
 *     DRAIN      finish what is in flight until deadline_ns, then leave with status 0
 *   child -> supervisor
 *     READY      the front listens and has its lanes; the worker's loop turns. A worker that must
 *                attach: and it has tried each connection and each queue, and consumes from each
 *                that is deleted with its last consumer, so that its predecessor may leave; who
 *                does not answer is tried for ten seconds
 *     COMPLAINT  the peer on this lane breaks the protocol, or it cannot be joined: another one
 *     FINDING    what a survey has found
 *
 *   START ──▶ FIGURES* ──▶ LISTENER* ──▶ LANE* ──▶ (READY) ──▶ LANE* ──▶ DRAIN ──▶ exit 0
 *   SURVEY ──▶ (FINDING)* ──▶ exit 0
 *
 * End of file means that the supervisor is gone: a child drains as if told to, with its plan's
 * time-out. A child believes the supervisor. The supervisor takes what a child says as gossip: a
 * message that is short, long, unknown or out of turn is logged and dropped.
 */
#ifndef LEVERET_CONTROL_H
#define LEVERET_CONTROL_H

#include <stdint.h>

#include <leveret/io.h>
#include <leveret/survey.h>

#define LEVERET_CONTROL_FD 3
#define LEVERET_LOG_FD 5 /* where its log goes when standard error is a pipe to the supervisor */
#define CONTROL_MAX_FDS 4
#define CONTROL_MAX_LISTENERS 16

enum control_kind {
    CONTROL_START = 1,
    CONTROL_LISTENER,
    CONTROL_LANE,
    CONTROL_DRAIN,
    CONTROL_READY,
    CONTROL_COMPLAINT,
    CONTROL_SURVEY,
    CONTROL_FINDING,
    CONTROL_FIGURES,
    CONTROL_N_KINDS
};

/* The order of a START's descriptors. */
enum { CONTROL_START_PLAN, CONTROL_START_FIGURES, CONTROL_START_N_FDS };

#define CONTROL_SUPERVISOR UINT32_MAX /* FIGURES: in place of a worker */

/* The order of a LANE's descriptors. The receiver owns them all. */
enum {
    CONTROL_LANE_MEMORY,
    CONTROL_LANE_BELL,
    CONTROL_LANE_ROPE,
    CONTROL_LANE_PEER,
    CONTROL_LANE_N_FDS
};

struct control_message {
    uint32_t kind;        /* enum control_kind */
    uint32_t worker;      /* START to a worker, LANE, COMPLAINT, FIGURES: the worker's index */
    uint32_t log_level;   /* START: enum log_level */
    uint32_t log_format;  /* START: enum log_format */
    uint32_t n_listeners; /* START to a front: how many LISTENER follow */
    uint32_t n_lanes;     /* START to a front: how many LANE follow before READY is due */
    uint32_t must_attach; /* START to a worker: another one serves until it is READY; 0 or 1 */
    uint32_t io;          /* START or SURVEY to a worker: enum io */
    uint32_t is_confined; /* START, SURVEY: give up what you will not need; 0 or 1 */
    uint32_t uid, gid;    /* the same: whom to become if you are root; 0: nobody else */
    uint32_t is_admin;    /* LISTENER: for those who look after the sidecar; 0 or 1 */
    uint32_t is_replaced; /* DRAIN: another front lets clients in already; 0 or 1 */
    uint64_t deadline_ns; /* DRAIN: CLOCK_MONOTONIC */
    char reason[64];      /* COMPLAINT: for the log; NUL-terminated */
    struct survey_finding finding; /* FINDING */
};

#endif
