/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "config_namespace.h"
#include "config_place.h"

enum {
    SERVICE,
    TLS,
    LEVERET_SERVICE,
    ENDPOINT,
    ENDPOINT_PROXY,
    STATIC,
    LEVERET_ENDPOINT,
    BACKEND,
    BACKEND_PROXY,
    FLATMAP,
    CONSUMER,
    LEVERET_CONSUMER,
    PRODUCER,
    LEVERET_PRODUCER,
    N_PLACES
};

const struct config_place config_places[] = {
    [SERVICE] = {.level = &config_level_service, .id = "service", .required = "version"},
    [TLS] = {.level = &config_level_tls,
        .id = "tls",
        .owner = &config_places[SERVICE],
        .member = "tls"},
    [LEVERET_SERVICE] = {.level = &config_level_leveret_service,
        .id = "leveret-service",
        .owner = &config_places[SERVICE],
        .namespace = NAMESPACE_LEVERET},
    [ENDPOINT] = {.level = &config_level_endpoint,
        .id = "endpoint",
        .owner = &config_places[SERVICE],
        .list = "endpoints",
        .required = "endpoint"},
    [ENDPOINT_PROXY] = {.level = &config_level_endpoint_proxy,
        .id = "endpoint-proxy",
        .owner = &config_places[ENDPOINT],
        .namespace = NAMESPACE_PROXY},
    [STATIC] = {.level = &config_level_static,
        .id = "static",
        .owner = &config_places[ENDPOINT_PROXY],
        .member = "static"},
    [LEVERET_ENDPOINT] = {.level = &config_level_leveret_endpoint,
        .id = "leveret-endpoint",
        .owner = &config_places[ENDPOINT],
        .namespace = NAMESPACE_LEVERET},
    [BACKEND] = {.level = &config_level_backend,
        .id = "backend",
        .owner = &config_places[ENDPOINT],
        .list = "backend"},
    [BACKEND_PROXY] = {.level = &config_level_backend_proxy,
        .id = "backend-proxy",
        .owner = &config_places[BACKEND],
        .namespace = NAMESPACE_PROXY},
    [FLATMAP] = {.level = &config_level_flatmap,
        .id = "flatmap",
        .owner = &config_places[BACKEND_PROXY],
        .list = "flatmap_filter",
        .required = "type"},
    [CONSUMER] = {.level = &config_level_consumer,
        .id = "consumer",
        .owner = &config_places[BACKEND],
        .namespace = NAMESPACE_CONSUMER},
    [LEVERET_CONSUMER] = {.level = &config_level_leveret_consumer,
        .id = "leveret-consumer",
        .owner = &config_places[BACKEND],
        .namespace = NAMESPACE_LEVERET,
        .beside = &config_places[CONSUMER]},
    [PRODUCER] = {.level = &config_level_producer,
        .id = "producer",
        .owner = &config_places[BACKEND],
        .namespace = NAMESPACE_PRODUCER},
    [LEVERET_PRODUCER] = {.level = &config_level_leveret_producer,
        .id = "leveret-producer",
        .owner = &config_places[BACKEND],
        .namespace = NAMESPACE_LEVERET,
        .beside = &config_places[PRODUCER]},
};
const size_t config_n_places = N_PLACES;

const struct config_place *config_place_of_list(const struct config_level *owner, const char *key)
{
    for (const struct config_place *place = config_places; place < config_places + N_PLACES;
         place++)
        if (place->list && place->owner->level == owner && strcmp(place->list, key) == 0)
            return place;
    return NULL;
}

void config_place_write(const struct config_place *place, FILE *out)
{
    bool is_word = place->namespace && !strchr(place->namespace, '/');

    if (!place->owner)
        return;
    config_place_write(place->owner, out);
    if (place->owner->owner)
        (void)fputc('.', out);
    if (place->namespace)
        (void)fprintf(out, is_word ? "extra_config.%s" : "extra_config[\"%s\"]", place->namespace);
    else
        (void)fprintf(
            out, "%s%s", place->list ? place->list : place->member, place->list ? "[]" : "");
}
