/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the faults of a soak are done to: the sidecar, its broker, the network between them.
 */
#ifndef LEVERET_TESTS_STAGE_H
#define LEVERET_TESTS_STAGE_H

#include "dice.h"
#include "relay.h"
#include "tests/support/scene.h"
#include "trouble.h"

struct stage {
    struct scene scene;
    struct relay *relay;
    struct trouble trouble;
    struct dice dice;
};

#endif
