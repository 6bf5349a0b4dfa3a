/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/island.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/child.h"
#include "tests/support/require.h"

#define IP "/sbin/ip"
#define INNER "inner"

enum { IP_MS = 10000, MAX_ARGUMENTS = 16, N_SUBNETS = 1 << 14 };

/* Words with blanks between, in the namespace of the calling thread. */
static void ip(const char *command)
{
    autofree char *words = format_text("%s", command);
    const char *argv[MAX_ARGUMENTS] = {IP};
    char *rest = words;
    for (int i = 1; i < MAX_ARGUMENTS - 1 && rest != NULL; i++)
        argv[i] = strsep(&rest, " ");
    struct child child;
    child_start(&child, &(struct child_program){.argv = argv});
    require(child_wait(&child, deadline_in_ms(IP_MS)), "ip %s does not end", command);
    require(child.code == 0, "ip %s: %d", command, child.code);
}

static int this_namespace(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    require(fd >= 0, "the network namespace");
    return fd;
}

/* One of the 2^14 networks of two in the range for benchmarks (RFC 2544). */
static char *address_in(unsigned subnet, unsigned host)
{
    unsigned low = subnet % N_SUBNETS * 4 + host;
    return format_text("198.18.%u.%u", low / 256, low % 256);
}

/* The parent is where we came from. */
static void lay_wire(const char *outer, const char *address)
{
    autofree char *add = format_text(
        "link add name " INNER " type veth peer name %s netns %d", outer, (int)getppid());
    autofree char *name = format_text("address add %s/30 dev " INNER, address);
    ip(add);
    ip(name);
    ip("link set " INNER " up");
}

bool island_new(struct island *island)
{
    unsigned subnet = (unsigned)getpid();
    autofree char *outer = format_text("lv%d", (int)getpid());
    autofree char *ours = address_in(subnet, 1);
    island->home = this_namespace();
    if (unshare(CLONE_NEWNET) < 0) {
        require(errno == EPERM, "unshare");
        return false;
    }
    island->away = this_namespace();
    island->address = address_in(subnet, 2);
    lay_wire(outer, island->address);
    island_leave(island);
    autofree char *name = format_text("address add %s/30 dev %s", ours, outer);
    autofree char *up = format_text("link set %s up", outer);
    ip(name);
    ip(up);
    return true;
}

void island_enter(const struct island *island)
{
    require(setns(island->away, CLONE_NEWNET) == 0, "setns");
}

void island_leave(const struct island *island)
{
    require(setns(island->home, CLONE_NEWNET) == 0, "setns");
}

static void set_wire(const struct island *island, const char *command)
{
    island_enter(island);
    ip(command);
    island_leave(island);
}

void island_cut(const struct island *island)
{
    set_wire(island, "link set " INNER " down");
}

void island_mend(const struct island *island)
{
    set_wire(island, "link set " INNER " up");
}
