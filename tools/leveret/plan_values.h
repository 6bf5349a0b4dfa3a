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

/* Most unconfirmed publishes of one backend: all windows together are half of a lane's slots. */
uint32_t plan_publish_window_of(const struct config *config);

#endif
