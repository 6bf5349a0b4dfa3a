/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accept: which of the two forms of an answer a client would rather have, JSON or plain text
 * (RFC 9110, 12.5.1). The most specific range that matches a form gives its weight; the heavier
 * form wins. JSON wins a tie, and where neither is asked for: a client that wants something else
 * gets JSON, not a 406.
 */
#ifndef LEVERET_FRONT_ACCEPT_H
#define LEVERET_FRONT_ACCEPT_H

#include <leveret/plan.h>

#include "slice.h"

/* PLAN_JSON or PLAN_STRING. `accept`: all lines of the field, joined with commas; empty: none. A
 * range with a malformed weight is left out. */
enum plan_encoding accept_choose(struct slice accept);

#endif
