/* SPDX-License-Identifier: Apache-2.0 */
#include "environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is "NAME=VALUE" of one of these names? */
static bool is_named(const char *entry, json_t *names)
{
    const char *name;
    json_t *member;
    json_object_foreach(names, name, member)
    {
        size_t length = strlen(name);
        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

char **environment_without(json_t *names)
{
    size_t n = 0, n_kept = 0;
    while (environ[n])
        n++;
    char **kept = calloc(n + 1, sizeof(*kept));
    for (size_t i = 0; kept && i < n; i++)
        if (!is_named(environ[i], names))
            kept[n_kept++] = environ[i];
    return kept;
}
