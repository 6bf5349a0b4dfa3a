/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "shm/cleanup.h"
#include "shm/confinement.h"
#include "shm/confinement_log.h"

/* What pthread_create() asks clone(2) for; a process of its own is something else. */
#define THREAD_FLAGS                                                                               \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD |            \
        CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#define SOCKET_OF(family)                                                                          \
    {                                                                                              \
        .call = SYS_socket, .check = FILTER_IS, .operand = (family)                                \
    }

static const struct filter_rule ring_rules[] = {{.call = SYS_io_uring_enter}};

static const struct filter_rule rules[] = {
    /* brokers */
    SOCKET_OF(AF_INET), SOCKET_OF(AF_INET6), {.call = SYS_connect},
    {.call = SYS_ioctl, .check = FILTER_IS, .argument = 1, .operand = FIONREAD},
    {.call = SYS_ioctl, .check = FILTER_IS, .argument = 1, .operand = FIONBIO},
    /* getaddrinfo(): its files, name servers, caching daemons, and who asks the kernel for the
     * addresses of this machine, to sort those found */
    {.call = SYS_openat,
        .check = FILTER_HAS_NONE,
        .argument = 2,
        .operand = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC},
    {.call = SYS_newfstatat}, /* looked at, whatever may be read */
    SOCKET_OF(AF_UNIX), SOCKET_OF(AF_NETLINK), {.call = SYS_bind}, {.call = SYS_sendmmsg},
    {.call = SYS_uname},
    /* its thread: the older call, whose flags can be seen */
    {.call = SYS_clone3, .error = ENOSYS},
    {.call = SYS_clone, .check = FILTER_IS, .argument = 0, .operand = THREAD_FLAGS},
    {.call = SYS_set_robust_list}, {.call = SYS_rseq},
    {.call = SYS_sched_getaffinity}, /* malloc(), for how many threads it may be of use */
};

static const char *const readable[] = {
    "/etc",
    "/run/systemd/resolve", /* where /etc/resolv.conf leads, on most machines */
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
    "/var/run/nscd",
};

/* ---- before ---- */

static void module_load(const char *service)
{
    char library[64];
    int n = snprintf(library, sizeof(library), "libnss_%s.so.2", service);
    if (n > 0 && n < (int)sizeof(library))
        (void)dlopen(library, RTLD_LAZY); /* many are built into the C library, or not installed */
}

/* "hosts: mymachines resolve [!UNAVAIL=return] files dns" (nsswitch.conf(5)) */
static void modules_of(char *row)
{
    char *rest = row, *word = strsep(&rest, ":");
    if (strcmp(word + strspn(word, " \t"), "hosts") != 0)
        return;
    while ((word = strsep(&rest, " \t\n")))
        if (*word && !strpbrk(word, "[]#/"))
            module_load(word);
}

static void modules_load(void)
{
    char row[1024];
    CLEANUP(cleanup_file) FILE *file = fopen("/etc/nsswitch.conf", "re");
    while (file && fgets(row, sizeof(row), file))
        modules_of(row);
}

/* Whatever getaddrinfo() reads or loads once, without a question to anybody. */
static void resolver_prepare(void)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    modules_load();
    if (getaddrinfo("127.0.0.1", "5672", &hints, &found) == 0)
        freeaddrinfo(found);
}

/* ---- then ---- */

void worker_confine(const struct control_message *start, bool has_ring)
{
    const struct filter_table filters[] = {FILTER_TABLE(rules), FILTER_TABLE(ring_rules)};
    const struct confinement confinement = {
        .uid = start->uid,
        .gid = start->gid,
        .landlock = {.readable = readable,
            .n_readable = sizeof(readable) / sizeof(readable[0]),
            .may_connect = true},
        .filters = filters,
        .n_filters = has_ring ? 2 : 1,
    };
    struct confinement_report report;
    if (!start->is_confined || !confinement_is_possible())
        return;
    (void)OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL); /* without one, its defaults hold */
    resolver_prepare();
    confine(&confinement, &report);
    confinement_log(&report);
}
