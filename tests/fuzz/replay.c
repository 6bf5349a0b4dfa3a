/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay FOLDER: a target's corpus, file by file, each once, as TAP. It stands where libFuzzer stands
 * when tools/fuzz builds the target. A target that finds something ends the process, and the plan is
 * not kept.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "shm/cleanup.h"

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static char *read_whole(int folder, const char *name, size_t *n)
{
    CLEANUP(cleanup_fd) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) < 0)
        return NULL;
    *n = (size_t)about.st_size;
    CLEANUP(cleanup_free) char *bytes = malloc(*n + !*n);
    if (!bytes || read(fd, bytes, *n) != (ssize_t)*n)
        return NULL;
    return STEAL(bytes);
}

static bool replay(int folder, const char *name, int number)
{
    size_t n;
    CLEANUP(cleanup_free) char *bytes = read_whole(folder, name, &n);
    if (!bytes) {
        printf("not ok %d - %s: %s\n", number, name, strerror(errno));
        return false;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
    printf("ok %d - %s\n", number, name);
    return true;
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    if (argc != 2)
        return 2;
    CLEANUP(cleanup_fd) int folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n = folder < 0 ? -1 : scandirat(folder, ".", &entries, is_input, alphasort);
    if (n <= 0) {
        printf("Bail out! %s has no inputs\n", argv[1]);
        return 1;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* what was said before a crash is to be seen */
    bool are_good = true;
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        are_good = replay(folder, entries[i]->d_name, i + 1) && are_good;
        free(entries[i]);
    }
    free(entries);
    return are_good ? 0 : 1;
}
