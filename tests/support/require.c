/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/require.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Criterion silences a test's stderr when its report goes to stdout: a file that with_broker shows.
 */
static void note_in_folder(const char *text)
{
    const char *folder = getenv("LEVERET_TEST_FOLDER");
    char path[PATH_MAX];
    if (folder == NULL || snprintf(path, sizeof path, "%s/required.log", folder) >= PATH_MAX)
        return;
    FILE *file = fopen(path, "ae");
    if (file == NULL)
        return;
    (void)fputs(text, file); /* stderr has it too */
    (void)fclose(file);
}

void require_failed(const char *file, int line, const char *format, ...)
{
    char reason[1024], text[1536];
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments); /* cut when it is too long */
    va_end(arguments);
    (void)snprintf(text, sizeof text, "%s:%d: %s (last system error: %s)\n", file, line, reason,
        error == 0 ? "none" : strerror(error));
    (void)fputs(text, stderr);
    note_in_folder(text);
    abort();
}

char *format_text(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    require(vasprintf(&text, format, arguments) >= 0, "no memory for a string");
    va_end(arguments);
    return text;
}
