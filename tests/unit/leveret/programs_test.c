/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "programs.h"
#include "shm/clock.h"

/* A tree like the build's, in a folder of its own; `at` is where leveret stands in it. */
static char top[64];
static char at[96];

static void tree_make(void)
{
    strcpy(top, "/tmp/leveret-programs-XXXXXX");
    cr_assert(mkdtemp(top));
    (void)snprintf(at, sizeof(at), "%s/tools/leveret", top);
    static const char *const folders[] = {"tools", "tools/leveret", "front", "worker"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", top, folders[i]);
        cr_assert_eq(mkdir(path, 0700), 0);
    }
}

static void tree_remove(void)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -r %s", top);
    cr_assert_eq(system(command), 0);
}

static void program_make(const char *path, mode_t mode)
{
    char full[160];
    (void)snprintf(full, sizeof(full), "%s/%s", top, path);
    CLEANUP(cleanup_fd) int fd = open(full, O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    cr_assert_geq(fd, 0);
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

TestSuite(programs, .init = tree_make, .fini = tree_remove);

Test(programs, are_found_where_the_build_leaves_them)
{
    struct programs programs;
    const char *missing;
    program_make("front/leveret-front", 0700);
    program_make("worker/leveret-worker", 0700);
    cr_assert_eq(programs_open(at, &programs, &missing), 0);
    cr_assert(ends_with(programs.front.path, "/../../front/leveret-front"));
    cr_assert(ends_with(programs.worker.path, "/../../worker/leveret-worker"));
}

Test(programs, are_found_where_they_are_installed)
{
    struct programs programs;
    const char *missing;
    char command[256];
    (void)snprintf(command, sizeof(command),
        "cd %s && mkdir -p %s && cd %s && touch leveret-front leveret-worker && chmod +x *", at,
        LEVERET_CHILDREN_FOLDER, LEVERET_CHILDREN_FOLDER);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(programs_open(at, &programs, &missing), 0);
    cr_assert(ends_with(programs.front.path, LEVERET_CHILDREN_FOLDER "/leveret-front"));
    cr_assert(ends_with(programs.worker.path, LEVERET_CHILDREN_FOLDER "/leveret-worker"));
}

Test(programs, beside_this_one_come_first)
{
    struct programs programs;
    const char *missing;
    program_make("front/leveret-front", 0700);
    program_make("worker/leveret-worker", 0700);
    program_make("tools/leveret/leveret-worker", 0700);
    cr_assert_eq(programs_open(at, &programs, &missing), 0);
    cr_assert(ends_with(programs.front.path, "/front/leveret-front"));
    cr_assert(ends_with(programs.worker.path, "/tools/leveret/./leveret-worker"));
}

Test(programs, the_one_that_is_nowhere_is_named)
{
    struct programs programs;
    const char *missing = NULL;
    cr_assert_eq(programs_open(at, &programs, &missing), -ENOENT);
    cr_assert_str_eq(missing, "leveret-front");
    program_make("front/leveret-front", 0700);
    cr_assert_eq(programs_open(at, &programs, &missing), -ENOENT);
    cr_assert_str_eq(missing, "leveret-worker");
}

Test(programs, what_cannot_be_executed_is_no_program)
{
    struct programs programs;
    const char *missing = NULL;
    program_make("front/leveret-front", 0600);
    program_make("worker/leveret-worker", 0700);
    cr_assert_eq(programs_open(at, &programs, &missing), -ENOENT);
    cr_assert_str_eq(missing, "leveret-front");
}

Test(programs, the_folder_is_that_of_the_running_program)
{
    char folder[PATH_MAX], path[PATH_MAX + 32];
    cr_assert_eq(programs_folder(folder), 0);
    (void)snprintf(path, sizeof(path), "%s/leveret_programs_test", folder);
    cr_assert_eq(access(path, X_OK), 0);
}

/* ---- executed on trial ---- */

static int status_of_trial;

static void script_open(const char *script, struct program *program)
{
    char command[512], path[160];
    (void)snprintf(path, sizeof(path), "%s/program", top);
    (void)snprintf(command, sizeof(command), "printf '#!/bin/sh\\n%s\\n' >%s && chmod +x %s",
        script, path, path);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(program_open(program, path), 0);
}

static int trial_of(const char *script, uint64_t deadline_ns)
{
    CLEANUP(programs_close) struct programs programs = PROGRAMS_NONE;
    script_open(script, &programs.front);
    return program_try(&programs.front, "--version", deadline_ns, &status_of_trial);
}

Test(programs, one_that_starts_is_asked_for_its_version)
{
    cr_assert_eq(trial_of("[ \"$1\" = --version ]", CLOCK_NEVER), PROGRAM_STARTS);
}

Test(programs, on_trial_is_the_file_that_was_opened)
{
    CLEANUP(programs_close) struct programs programs = PROGRAMS_NONE;
    script_open("exit 0", &programs.front);
    cr_assert_eq(unlink(programs.front.path), 0);
    cr_assert_eq(
        program_try(&programs.front, "--version", CLOCK_NEVER, &status_of_trial), PROGRAM_STARTS);
}

Test(programs, one_that_does_not_start_says_how_it_ended)
{
    cr_assert_eq(trial_of("exit 127", CLOCK_NEVER), PROGRAM_FAILS);
    cr_assert_eq(status_of_trial, 127);
    cr_assert_eq(trial_of("kill -USR1 $$", CLOCK_NEVER), PROGRAM_FAILS);
    cr_assert_eq(status_of_trial, -SIGUSR1);
}

Test(programs, one_that_does_not_end_is_ended)
{
    cr_assert_eq(trial_of("exec sleep 1000", clock_now_ns()), PROGRAM_DOES_NOT_END);
}
