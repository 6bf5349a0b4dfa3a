/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A temporary folder for what a test writes: a broker's data, a configuration, a log. Made under
 * $TMPDIR or /tmp, and gone with everything in it when it is removed.
 */
#ifndef LEVERET_TESTS_FOLDER_H
#define LEVERET_TESTS_FOLDER_H

#include <stddef.h>

/* The path of a new folder whose name begins with `prefix`; the caller frees it. */
char *folder_new(const char *prefix);

/* Removes the folder and all that it holds, without following links out of it. */
void folder_remove(const char *path);

/* Writes `text` to the file, which must not exist yet. */
void folder_write(const char *file, const char *text);

/* The whole file as a string for the caller to free; NULL when there is none. */
char *folder_read(const char *file);

#endif
