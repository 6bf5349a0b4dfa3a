/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* What is younger than the headers of the build: <linux/landlock.h>, ABI 6. A kernel takes a shorter
 * structure of an older one, and a longer one as long as what it does not know is zero. */
struct ruleset {
    uint64_t access_fs, access_net, scoped;
};

#define FS_BY_ABI_1 (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1)
#define FS_BY_ABI_2 (FS_BY_ABI_1 | LANDLOCK_ACCESS_FS_REFER)
#define FS_BY_ABI_3 (FS_BY_ABI_2 | UINT64_C(1) << 14) /* truncate */
#define FS_BY_ABI_5 (FS_BY_ABI_3 | UINT64_C(1) << 15) /* ioctl on devices */
#define NET_BIND_TCP (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)

static struct ruleset ruleset_for(int abi, bool may_connect)
{
    struct ruleset ruleset = {.access_fs = FS_BY_ABI_1};
    if (abi >= 2)
        ruleset.access_fs = FS_BY_ABI_2;
    if (abi >= 3)
        ruleset.access_fs = FS_BY_ABI_3;
    if (abi >= 4)
        ruleset.access_net = NET_BIND_TCP | (may_connect ? 0 : NET_CONNECT_TCP);
    if (abi >= 5)
        ruleset.access_fs = FS_BY_ABI_5;
    if (abi >= 6)
        ruleset.scoped = SCOPE_ABSTRACT_UNIX_SOCKET;
    return ruleset;
}

/* A path that is not there, or not to be seen, needs no leave. */
static int allow_reading(int ruleset, const char *path)
{
    struct stat stat;
    CLEANUP(cleanup_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) < 0)
        return 0;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE, .parent_fd = fd};
    if (S_ISDIR(stat.st_mode))
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
               ? -errno
               : 0;
}

int landlock_restrict(const struct landlock *landlock)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0)
        return -errno;
    struct ruleset wanted = ruleset_for(abi, landlock->may_connect);
    CLEANUP(cleanup_fd)
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, sizeof(wanted), 0);
    int error = ruleset < 0 ? -errno : 0;
    for (size_t i = 0; !error && i < landlock->n_readable; i++)
        error = allow_reading(ruleset, landlock->readable[i]);
    if (!error && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        error = -errno;
    return error ? error : abi;
}
