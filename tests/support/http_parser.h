/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of request heads that is inside libh2o, whose headers do not declare it: for tests that
 * hold the front's own reading against it.
 */
#ifndef LEVERET_TESTS_HTTP_PARSER_H
#define LEVERET_TESTS_HTTP_PARSER_H

#include <stddef.h>

struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* Bytes of the head; -1: it is none; -2: there must be more. `num_headers`: room, then how many there
 * are. `last_len`: how much was looked at before. */
int phr_parse_request(const char *bytes, size_t n, const char **method, size_t *method_len,
    const char **path, size_t *path_len, int *minor_version, struct phr_header *headers,
    size_t *num_headers, size_t last_len);

#endif
