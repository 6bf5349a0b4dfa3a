/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that cannot be let in, since there is no descriptor left for them. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>

#include "scene.h"

enum { MAX_DESCRIPTORS = 1024 };

TestSuite(descriptors, .init = scene_open, .fini = scene_close, .timeout = 30);

/* The lowest number that the front's next descriptor could have. */
static rlim_t next_descriptor(void)
{
    bool is_used[MAX_DESCRIPTORS] = {0};
    char path[64];
    rlim_t lowest = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)stage.front);
    DIR *folder = opendir(path);
    cr_assert(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        unsigned fd;
        if (sscanf(entry->d_name, "%u", &fd) == 1 && fd < MAX_DESCRIPTORS)
            is_used[fd] = true;
    }
    (void)closedir(folder);
    while (is_used[lowest])
        lowest++;
    return lowest;
}

static struct rlimit limit_set(rlim_t n)
{
    struct rlimit before, wanted;
    cr_assert_eq(prlimit(stage.front, RLIMIT_NOFILE, NULL, &before), 0);
    wanted = (struct rlimit){.rlim_cur = n, .rlim_max = before.rlim_max};
    cr_assert_eq(prlimit(stage.front, RLIMIT_NOFILE, &wanted, NULL), 0);
    return before;
}

static void expect_served(struct raw_client *who)
{
    reply_read(&reply, who, true);
    cr_assert_eq(reply.status, 200);
}

Test(descriptors, who_finds_no_descriptor_left_is_let_in_when_there_is_one_though_nobody_leaves)
{
    struct raw_client second;
    raw_client_connect(&client, stage.port);
    next_request_works();
    struct rlimit before = limit_set(next_descriptor());
    stage_say(&stage, &second, GET("/__health"));
    for (int i = 0; i < 3; i++)
        next_request_works(); /* the front has turned, and whoever is in stays in */
    char nothing[16];
    cr_assert_not(raw_client_read(&second, "HTTP", nothing, sizeof(nothing), 0));
    (void)limit_set(before.rlim_cur);
    expect_served(&second);
    next_request_works();
    raw_client_close(&second);
}

Test(descriptors, who_finds_no_descriptor_left_is_let_in_although_there_was_nobody_to_leave)
{
    struct rlimit before = limit_set(next_descriptor());
    stage_say(&stage, &client, GET("/__health"));
    (void)limit_set(before.rlim_cur);
    expect_served(&client);
}

Test(descriptors, who_has_left_the_line_does_not_hold_up_the_next)
{
    struct raw_client gone;
    stage_freeze(&stage);
    raw_client_connect(&gone, stage.port);
    raw_client_reset(&gone);
    raw_client_connect(&client, stage.port);
    stage_thaw(&stage);
    next_request_works();
}
