/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/require.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void require_failed(const char *file, int line, const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    (void)fprintf(stderr, "%s:%d: ", file, line);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, " (%s)\n", error == 0 ? "no system error" : strerror(error));
    funlockfile(stderr);
    va_end(arguments);
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
