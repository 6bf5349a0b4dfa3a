/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pattern of an endpoint: "/produce/{a}/{b}". A parameter takes a whole segment; where the file
 * disables REST it may also end one, "/url.{ending}". Backends call it by its name with the first letter in upper case: {route} is "Route".
 */
#ifndef LEVERET_CONFIG_ROUTE_H
#define LEVERET_CONFIG_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "shm/cleanup.h"
#include "config_pool.h"

#define CONFIG_PARAMETERS_MAX 32
#define CONFIG_SEGMENTS_MAX 64
#define CONFIG_PARAMETER_NONE SIZE_MAX

struct config_route {
    const char *shape; /* names left out, "/produce/{}/{}": two of one shape answer alike */
    const char *names[CONFIG_PARAMETERS_MAX];
    size_t n_names;
    bool may_follow_text;  /* a parameter, in its segment */
    const char *complaint; /* why it is no pattern; NULL: it is one */
};

/* 0 also with a complaint; -ENOMEM. */
int config_route_parse(struct config_pool *pool, const char *pattern, bool is_rest_disabled,
    struct config_route *route) MUST_USE;

/* Which parameter, from the left, a backend means by key; CONFIG_PARAMETER_NONE: none. */
size_t config_route_parameter(const struct config_route *route, const char *key);

#endif
