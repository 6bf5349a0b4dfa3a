/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include "shm/cleanup.h"
#include "plan_json.h"

static int write_value(FILE *out, json_t *value);

/* Jansson knows one precision for all numbers: 0.1 would be 0.10000000000000001. */
static int write_real(FILE *out, double number)
{
    char text[32];
    int digits = DBL_DIG;

    do
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
    while (strtod(text, NULL) != number && digits++ < DBL_DECIMAL_DIG);
    return fputs(text, out) < 0 ? -ENOMEM : 0;
}

static int write_scalar(FILE *out, const json_t *value)
{
    if (json_is_real(value))
        return write_real(out, json_real_value(value));
    return json_dumpf(value, out, JSON_ENCODE_ANY) < 0 ? -ENOMEM : 0;
}

static int write_object(FILE *out, json_t *object)
{
    const char *name, *comma = "";
    json_t *value;
    int error = 0;

    (void)fputc('{', out);
    json_object_foreach(object, name, value)
    {
        json_auto_t *key = json_string_nocheck(name);

        (void)fputs(comma, out);
        error = key ? write_scalar(out, key) : -ENOMEM;
        (void)fputc(':', out);
        if (!error)
            error = write_value(out, value);
        if (error)
            return error;
        comma = ",";
    }
    (void)fputc('}', out);
    return 0;
}

static int write_array(FILE *out, const json_t *array)
{
    (void)fputc('[', out);
    for (size_t i = 0; i < json_array_size(array); i++) {
        int error;

        if (i > 0)
            (void)fputc(',', out);
        error = write_value(out, json_array_get(array, i));
        if (error)
            return error;
    }
    (void)fputc(']', out);
    return 0;
}

/* Goes as deep as the file was allowed to. */
static int write_value(FILE *out, json_t *value)
{
    if (json_is_object(value))
        return write_object(out, value);
    return json_is_array(value) ? write_array(out, value) : write_scalar(out, value);
}

int plan_add_json(struct plan_builder *builder, json_t *value, struct plan_text *text)
{
    CLEANUP(cleanup_free) char *bytes = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&bytes, &n);
    int error = out ? write_value(out, value) : -ENOMEM;

    if (out && fclose(out) != 0) /* what was not written before shows here */
        error = -ENOMEM;
    if (error)
        return error;
    *text = plan_add_text(builder, bytes, n);
    return 0;
}
