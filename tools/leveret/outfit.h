/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processes of one configuration are given: programs, plans, listening sockets, sizes. It
 * is made of the file as a whole or not at all, without a change to what runs meanwhile, so that a
 * bad file costs nothing but log lines.
 */
#ifndef LEVERET_OUTFIT_H
#define LEVERET_OUTFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leveret/io.h>

#include "child_user.h"
#include "heritage.h"
#include "listeners.h"
#include "options.h"
#include "programs.h"
#include "shm/figures.h"
#include "shm/lane.h"
#include "shm/log.h"

struct outfit {
    const struct program *front, *worker;
    char **front_environment;    /* without what the file refers to; NULL: ours */
    int front_plan, worker_plan; /* -1: none */
    struct listeners *all;       /* to whom the listeners go back */
    struct listener **listeners;
    size_t n_listeners;
    bool has_admin;         /* the last of them is for those who look after the sidecar */
    uint64_t configuration; /* a hash of the file */
    struct figures_shape figures_shape; /* but for the number of workers */
    uint32_t n_workers;
    enum io io; /* the workers' */
    bool is_confined;
    struct child_user user; /* whom the children become, if we are root */
    struct lane_size lane_size;
    uint64_t drain_timeout_ns;
    uint64_t drain_delay_ns; /* part of it, before the front is told */
    enum log_level log_level;
    enum log_format log_format;
};

/* By the file and the command line; listeners are taken from `all`, which lives longer, like the
 * programs. What is wrong is logged, the last line with `gravity`; then NULL. The log is opened as
 * the file says when the file is sound. */
struct outfit *outfit_new(const struct options *options, const struct programs *programs,
    struct listeners *all, enum log_level gravity);

/* The listening sockets of a heritage, and nothing else: for processes that run already. */
struct outfit *outfit_inherit(const struct heritage *heritage, struct listeners *all);

/* The listening sockets, as the next program finds them. False: they are too many. */
bool outfit_bequeath(const struct outfit *outfit, struct heritage *heritage);

/* Could outfit_new() make one, addresses aside? Logged like there. */
bool outfit_can_be_made(const struct options *options, const struct programs *programs);

/* Give its listeners back: those that no other outfit has are closed. First those for clients: the
 * other one is of use until the front has left. */
void outfit_stop_serving(struct outfit *outfit);
void outfit_stop_listening(struct outfit *outfit);

/* Accepts NULL. */
void outfit_free(struct outfit *outfit);

#endif
