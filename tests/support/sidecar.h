/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leveret itself under test: `leveret run` from the build tree on a port of its own, with its log
 * in a file that is shown when the test does not come to its end.
 *
 *   sidecar_start -> requests to its url -> sidecar_stop (SIGTERM, must exit 0)
 *
 * A test that kills the supervisor ends with sidecar_forget() instead.
 */
#ifndef LEVERET_TESTS_SIDECAR_H
#define LEVERET_TESTS_SIDECAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "tests/support/child.h"

struct sidecar {
    struct child supervisor;
    bool is_draining;
    int n_workers; /* as the command line says; 0: it does not */
    bool is_port_in_file, is_io_uring_refused;
    char *name;
    char *url; /* http://127.0.0.1:port */
    uint16_t port;
    char *admin_url; /* of its figures and probes */
    uint16_t admin_port;
    const char *admin_path;
    const char *authority; /* borrowed; NULL: it is spoken to without TLS */
    char *configuration_file, *log_file;
};

struct sidecar_options {
    const char *name;          /* of files; unique among the tests that run */
    const char *configuration; /* the text of the file */
    int n_workers;             /* 0: not said */
    uint16_t port;             /* where the configuration listens; 0: any, by the command line */
    bool is_io_uring_refused;  /* to all its processes, as in a container */
    const char *authority;     /* of its listener's certificate, a file of PEM: borrowed */
    const char *admin_path; /* its figures are at this address instead of admin_url's: borrowed */
};

/* Returns when GET /__health has been answered. The broker may be away. */
void sidecar_start(struct sidecar *sidecar, const struct sidecar_options *options);

/* SIGTERM; the exit code must be 0 within the drain time. Removes its files. */
void sidecar_stop(struct sidecar *sidecar);

/* After the death of all its processes, of which the test knows: the same again, on the same port
 * and with more of the same log. Returns as sidecar_start() does. */
void sidecar_restart(struct sidecar *sidecar);

/* After the supervisor's death, of which the test knows. Removes its files. */
void sidecar_forget(struct sidecar *sidecar);

/* SIGHUP with another text in its file; does not wait. */
void sidecar_reload(struct sidecar *sidecar, const char *configuration);

/* Returns when its log holds the text, which it must do soon. */
void sidecar_await_log(const struct sidecar *sidecar, const char *text);

/* SIGTERM alone; sidecar_stop() then sends no second one, which would cut the drain short. */
void sidecar_drain(struct sidecar *sidecar);

/* The front, the worker or one of the workers; one that is only being started is waited for, since
 * it serves before it has its name. Never 0, which to kill(2) means everybody. */
pid_t sidecar_front(const struct sidecar *sidecar);
pid_t sidecar_worker(const struct sidecar *sidecar);

/* Returns how many workers there are now, of which the first `max` are put into `pids`. */
int sidecar_workers(const struct sidecar *sidecar, pid_t *pids, int max);

/* What it has logged so far; the caller frees it. */
char *sidecar_log(const struct sidecar *sidecar);

#endif
