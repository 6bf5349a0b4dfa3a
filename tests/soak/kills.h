/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to processes: each is killed, crashes or hangs, and must be back by itself. Only the
 * supervisor is nobody's child: when it is gone the others must leave, and the whole sidecar is
 * started again.
 *
 * Each returns when what died is back, and ends the run when it does not come.
 */
#ifndef LEVERET_TESTS_KILLS_H
#define LEVERET_TESTS_KILLS_H

#include "stage.h"

void kills_worker(struct stage *stage);
void kills_crash_worker(struct stage *stage);
void kills_hang_worker(struct stage *stage);
void kills_front(struct stage *stage);
void kills_crash_front(struct stage *stage);
void kills_hang_front(struct stage *stage);
void kills_supervisor(struct stage *stage);
void kills_crash_supervisor(struct stage *stage);
void kills_freeze_supervisor(struct stage *stage); /* for a while; nothing else may notice */

/* SIGHUP: no fault, but all processes leave for others. */
void kills_reload(struct stage *stage);

#endif
