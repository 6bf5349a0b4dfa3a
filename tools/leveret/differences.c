/* SPDX-License-Identifier: Apache-2.0 */
#include "differences.h"

#include "config_keys.h"

#define LOGGED_MAX 20

static bool has(const struct config_endpoint *endpoint, enum config_role role)
{
    for (size_t i = 0; i < endpoint->n_backends; i++)
        if (endpoint->backends[i].role == role)
            return true;
    return false;
}

const char *differences_of(const struct config_endpoint *endpoint)
{
    if (endpoint->compatibility == CONFIG_KRAKEND)
        return NULL;
    if (has(endpoint, CONFIG_PRODUCER))
        return "an accepted message is 200 {} and any other an error, "
               "where the gateway says 200 null";
    if (has(endpoint, CONFIG_CONSUMER))
        return "no message is 204 and a failure a problem, where the gateway says 500";
    return NULL;
}

void differences_find(const struct config *config, struct findings *findings)
{
    for (size_t i = 0; i < config->n_endpoints; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        const char *difference = differences_of(endpoint);

        if (difference)
            findings_add(findings, FINDING_NOTE,
                (struct finding_place){.source = config->file, .path = endpoint->path}, "%s %s: %s",
                config_methods[endpoint->method].name, endpoint->pattern, difference);
    }
}

void differences_log(const struct config *config)
{
    size_t n = 0;

    for (size_t i = 0; i < config->n_endpoints; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        const char *difference = differences_of(endpoint);

        if (difference && n++ < LOGGED_MAX)
            log_line(LOG_INFO, "answers-differ", "endpoint=\"%s %s\": %s",
                config_methods[endpoint->method].name, endpoint->pattern, difference);
    }
    if (n > LOGGED_MAX)
        log_line(LOG_INFO, "answers-differ", "more=%zu: leveret check names them", n - LOGGED_MAX);
}
