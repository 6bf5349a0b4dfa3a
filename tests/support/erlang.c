/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/erlang.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/broker_control.h"
#include "tests/support/child.h"
#include "tests/support/require.h"

/* Not the one of /usr/sbin, which changes to another user, whose cookie is not the node's. */
#define CONTROL "/usr/lib/rabbitmq/bin/rabbitmqctl"

enum { CONTROL_MS = 60000, ENVIRONMENT_BYTES = 16384, MAX_VARIABLES = 64 };

struct environment {
    char text[ENVIRONMENT_BYTES];
    const char *variables[MAX_VARIABLES + 1];
};

/* Splits what /proc shows. Variables for the node's own start are of no use to what talks to it. */
static void split(struct environment *environment, size_t n_bytes)
{
    size_t n = 0;
    char *end = environment->text + n_bytes;
    for (char *at = environment->text; at < end && n < MAX_VARIABLES; at += strlen(at) + 1)
        if (strncmp(at, "RABBITMQ_SERVER_", 16) != 0 && strncmp(at, "RABBITMQ_DIST_PORT", 18) != 0)
            environment->variables[n++] = at;
    environment->variables[n] = NULL;
}

static bool read_environment(const char *pid, struct environment *environment)
{
    autofree char *file = format_text("/proc/%s/environ", pid);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false; /* it has ended, or is somebody else's */
    ssize_t n = read(fd, environment->text, sizeof environment->text - 1);
    (void)close(fd); /* only read from */
    if (n <= 0)
        return false;
    environment->text[n] = '\0';
    split(environment, (size_t)n);
    return true;
}

static bool has_variable(const struct environment *environment, const char *wanted)
{
    for (const char *const *variable = environment->variables; *variable; variable++)
        if (strcmp(*variable, wanted) == 0)
            return true;
    return false;
}

/* The broker may have been started anew, so its process is looked for, by the name of its node. */
static void find_node(struct environment *environment)
{
    autofree char *node = format_text("RABBITMQ_NODENAME=leveret-%u@localhost", broker_port());
    DIR *processes = opendir("/proc");
    require(processes != NULL, "/proc");
    bool is_found = false;
    for (struct dirent *entry; !is_found && (entry = readdir(processes)) != NULL;)
        is_found = isdigit((unsigned char)entry->d_name[0]) &&
                   read_environment(entry->d_name, environment) && has_variable(environment, node);
    (void)closedir(processes); /* only read from */
    require(is_found, "no process has %s", node);
}

void erlang_evaluate(const char *script)
{
    static struct environment environment;
    struct child control;
    find_node(&environment);
    child_start(&control, &(struct child_program){
                              .argv = (const char *[]){CONTROL, "-q", "eval", script, NULL},
                              .env = environment.variables,
                              .output = "/dev/null",
                          });
    require(child_wait(&control, deadline_in_ms(CONTROL_MS)), "rabbitmqctl does not return");
    require(control.code == 0, "rabbitmqctl eval '%s': %d", script, control.code);
}
