/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/folder.h"
#include "tests/support/http_client.h"
#include "tests/support/require.h"

json_t *stats_read(const struct sidecar *sidecar)
{
    autofree char *url = format_text("%s/__stats/", sidecar->admin_url);
    struct http_answer answer;
    json_error_t error;
    http_do(&(struct http_request){.url = url}, &answer);
    require(answer.status == 200, "no figures: %d %s", answer.status, answer.failure);
    json_t *stats = json_loads(answer.body, JSON_REJECT_DUPLICATES, &error);
    require(stats != NULL, "figures that are no JSON: %s: %s", error.text, answer.body);
    http_answer_done(&answer);
    return stats;
}

json_t *stats_find(const json_t *stats, const char *array, const char *key, const char *value)
{
    const json_t *items = json_object_get(stats, array);
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        const char *found = json_string_value(json_object_get(item, key));
        if (found != NULL && strcmp(found, value) == 0)
            return item;
    }
    require(false, "none of %s has %s %s", array, key, value);
    return NULL;
}

json_t *stats_endpoint(const json_t *stats, const char *endpoint)
{
    return stats_find(stats, "endpoints", "endpoint", endpoint);
}

uint64_t stats_number(const json_t *object, const char *path)
{
    autofree char *copy = format_text("%s", path);
    char *rest = copy;
    for (char *name; (name = strsep(&rest, ".")) != NULL;)
        object = json_object_get(object, name);
    return (uint64_t)json_integer_value(object);
}

uint64_t stats_sum(const json_t *object, const char *member)
{
    json_t *members = json_object_get(object, member), *value;
    const char *key;
    uint64_t sum = 0;
    json_object_foreach(members, key, value) sum += (uint64_t)json_integer_value(value);
    return sum;
}

int stats_probe_says(const struct sidecar *sidecar, const char *path, const char *reason)
{
    autofree char *url = format_text("%s%s", sidecar->admin_url, path);
    autofree char *member = format_text("\"reason\":\"%s\"", reason ? reason : "");
    struct http_answer answer;
    http_do(&(struct http_request){.url = url}, &answer);
    int says =
        reason ? answer.status == 503 && strstr(answer.body, member) != NULL : answer.status == 200;
    http_answer_done(&answer);
    return says;
}
