/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place in a slot's life at which a test may kill or stop the process that gets there: on either
 * side of each arrow of <leveret/lane.h>. In what is installed there is nothing there; the programs
 * of tests/stop are built with LEVERET_STOP_POINTS, and stop_point() stands in that folder.
 */
#ifndef LEVERET_SHM_STOP_POINT_H
#define LEVERET_SHM_STOP_POINT_H

#ifdef LEVERET_STOP_POINTS

enum stop_side { STOP_BEFORE, STOP_AFTER };

/* `from` and `to`: enum slot_state. May not return. */
void stop_point(enum stop_side side, unsigned from, unsigned to);

#define STOP_POINT(side, from, to) stop_point(side, from, to)
#else
#define STOP_POINT(side, from, to) ((void)0)
#endif

#endif
