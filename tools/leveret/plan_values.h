/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both plans say, in the words of <leveret/plan.h>.
 */
#ifndef LEVERET_PLAN_VALUES_H
#define LEVERET_PLAN_VALUES_H

#include <leveret/plan.h>

#include "config.h"

enum plan_verb plan_verb_of(const struct config_backend *backend);

/* Of the message: an endpoint that passes messages on as they are has backends that do. */
enum plan_encoding plan_encoding_of(
    const struct config_endpoint *endpoint, const struct config_backend *backend);

/* Of what the worker passes on: a message that it has shaped is an object. */
enum plan_encoding plan_passed_encoding_of(
    const struct config_endpoint *endpoint, const struct config_backend *backend);
enum plan_encoding plan_output_of(const struct config_endpoint *endpoint);

/* Does the answer show the properties of this backend's message? Of one message at most: that of
 * the first backend that says so. */
bool plan_shows_properties(
    const struct config_endpoint *endpoint, const struct config_backend *backend);

/* What a lane has room for when the endpoint asks for more. */
uint64_t plan_max_body_of(const struct config *config, const struct config_endpoint *endpoint);

/*
 * Most publishes that may be unsettled on one worker. The windows of all brokers together are half
 * of a lane's slots, so that one that stalls keeps nothing that another one needs. Of its broker's
 * window a backend may have all when it is the only one in the file, else half: the next one then
 * finds room, however many there are.
 */
struct plan_windows {
    uint32_t of_backend, of_broker;
};

struct plan_windows plan_windows_of(const struct config *config);

#endif
