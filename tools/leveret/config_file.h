/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a configuration file and the JSON in them.
 */
#ifndef LEVERET_CONFIG_FILE_H
#define LEVERET_CONFIG_FILE_H

#include "config_read.h"

struct config_file {
    char *text; /* without a byte order mark */
    size_t length;
    json_t *root; /* NULL: it could not be had, and a finding says why */
};

/*
 * Reads the file that reading->source names, in bounded time and memory whatever it is. 0 also when
 * there is a finding; -ENOMEM.
 */
int config_file_read(const struct config_reading *reading, struct config_file *file) MUST_USE;

/* Overwrites the text: there were credentials in it. Accepts a zeroed file. */
void config_file_done(struct config_file *file);

#endif
