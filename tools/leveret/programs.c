/* SPDX-License-Identifier: Apache-2.0 */
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* From the folder of this program. The last is set by the build and may be absolute. */
static const char *const front_places[] = {".", "../../front", LEVERET_CHILDREN_FOLDER};
static const char *const worker_places[] = {".", "../../worker", LEVERET_CHILDREN_FOLDER};
enum { N_PLACES = sizeof(front_places) / sizeof(front_places[0]) };

int program_open(struct program *program, const char *path)
{
    if (strlen(path) >= sizeof(program->path))
        return -ENAMETOOLONG;
    if (access(path, X_OK) < 0)
        return -errno;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    strcpy(program->path, path);
    program->fd = fd;
    return 0;
}

static bool is_program_at(
    const char *folder, const char *place, const char *name, struct program *program)
{
    char path[PATH_MAX];
    bool is_absolute = place[0] == '/';
    int n = snprintf(path, sizeof(path), "%s%s%s/%s", is_absolute ? "" : folder,
        is_absolute ? "" : "/", place, name);
    return n > 0 && n < PATH_MAX && program_open(program, path) == 0;
}

static bool find(
    const char *folder, const char *const *places, const char *name, struct program *program)
{
    for (int i = 0; i < N_PLACES; i++) {
        if (is_program_at(folder, places[i], name, program))
            return true;
    }
    return false;
}

int programs_open(const char *folder, struct programs *programs, const char **missing)
{
    struct programs found = PROGRAMS_NONE;
    bool has_front = find(folder, front_places, "leveret-front", &found.front);
    if (!has_front || !find(folder, worker_places, "leveret-worker", &found.worker)) {
        programs_close(&found);
        *missing = has_front ? "leveret-worker" : "leveret-front";
        return -ENOENT;
    }
    *programs = found;
    return 0;
}

void programs_close(struct programs *programs)
{
    cleanup_fd(&programs->front.fd);
    cleanup_fd(&programs->worker.fd);
    programs->front.fd = programs->worker.fd = -1;
}

int programs_folder(char folder[PATH_MAX])
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    if (n < 0)
        return -errno;
    if (n == sizeof(path))
        return -ENAMETOOLONG;
    path[n] = '\0';
    *strrchr(path, '/') = '\0'; /* the kernel gives an absolute path */
    strcpy(folder, path);
    return 0;
}
