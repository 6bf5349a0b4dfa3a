/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/support/require.h"

enum { OPEN_FOLDERS = 16 };

char *folder_new(const char *prefix)
{
    const char *parent = getenv("TMPDIR");
    char *path = format_text("%s/%s-XXXXXX", parent != NULL ? parent : "/tmp", prefix);
    require(mkdtemp(path) != NULL, "mkdtemp %s", path);
    return path;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)remove(path); /* a process that is just ending may have been quicker */
    return 0;
}

void folder_remove(const char *path)
{
    /* A dying process may still write: what it adds behind our back is found by another walk. */
    await(nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0 ||
              access(path, F_OK) != 0,
        5000, "%s does not go away", path);
}

void folder_write(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    require(fd >= 0, "open %s", file);
    size_t length = strlen(text);
    require(write(fd, text, length) == (ssize_t)length, "write %s", file);
    require(close(fd) == 0, "close %s", file);
}

char *folder_read(const char *file)
{
    FILE *stream = fopen(file, "re");
    if (stream == NULL)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', stream) < 0) {
        free(text);
        text = format_text("%s", "");
    }
    (void)fclose(stream); /* only read from */
    return text;
}
