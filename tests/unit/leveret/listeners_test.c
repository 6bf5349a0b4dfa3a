/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "listeners.h"

static struct listeners all;

static const struct config_listener any_port = {.host = "127.0.0.1"};

static struct listener *take(const struct config_listener *wanted)
{
    struct listener *listener;
    cr_assert_eq(listeners_take(&all, wanted, NULL, 0, &listener), 0);
    return listener;
}

static struct config_listener on_path(char path[64], int64_t mode)
{
    (void)snprintf(path, 64, "/tmp/leveret-listeners-%d", getpid());
    return (struct config_listener){.unix_path = path, .mode = mode};
}

static bool is_open(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0;
}

Test(listeners, the_same_wish_is_the_same_socket_until_the_last_gives_it_back)
{
    struct listener *first = take(&any_port);
    char host[] = "127.0.0.1";
    struct listener *second = take(&(struct config_listener){.host = host});
    cr_assert_eq(first, second);
    int fd = first->fd;
    listeners_give(&all, first);
    cr_assert(is_open(fd));
    listeners_give(&all, second);
    cr_assert(!is_open(fd));
    cr_assert_null(all.first);
}

Test(listeners, two_wishes_for_any_port_are_two_sockets_each_time)
{
    struct listener *before[2], *after[2];
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(listeners_take(&all, &any_port, before, i, &before[i]), 0);
    cr_assert_neq(before[0], before[1]);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(listeners_take(&all, &any_port, after, i, &after[i]), 0);
    cr_assert_neq(after[0], after[1]);
    for (size_t i = 0; i < 2; i++) {
        listeners_give(&all, before[i]);
        listeners_give(&all, after[i]);
    }
    cr_assert_null(all.first);
}

Test(listeners, an_address_that_overlaps_is_taken)
{
    struct listener *first = take(&any_port), *other = NULL;
    const struct config_listener everywhere = {.host = "0.0.0.0", .port = first->port};
    cr_assert_eq(listeners_take(&all, &everywhere, NULL, 0, &other), -EADDRINUSE);
    cr_assert_null(other);
    listeners_give(&all, first);
    cr_assert_null(all.first);
}

Test(listeners, a_unix_socket_keeps_its_file_and_changes_its_mode)
{
    char path[64];
    struct stat before, after;
    struct config_listener wanted = on_path(path, 0600);
    struct listener *first = take(&wanted);
    cr_assert_eq(stat(path, &before), 0);
    wanted.mode = 0660;
    struct listener *second = take(&wanted);
    cr_assert_eq(first, second);
    listeners_give(&all, first);
    cr_assert_eq(stat(path, &after), 0);
    cr_assert_eq(before.st_ino, after.st_ino);
    cr_assert_eq(before.st_mode & 0777, 0600);
    cr_assert_eq(after.st_mode & 0777, 0660);
    listeners_give(&all, second);
    cr_assert_neq(stat(path, &after), 0);
}

Test(listeners, a_unix_socket_whose_file_was_removed_is_made_again)
{
    char path[64];
    struct stat stat_again;
    struct config_listener wanted = on_path(path, 0600);
    struct listener *first = take(&wanted);
    cr_assert_eq(unlink(path), 0);
    struct listener *again = take(&wanted);
    cr_assert_neq(first, again);
    listeners_give(&all, first);
    cr_assert_eq(stat(path, &stat_again), 0, "the first one's end is no end of the other");
    listeners_give(&all, again);
    cr_assert_neq(stat(path, &stat_again), 0);
    cr_assert_null(all.first);
}

Test(listeners, a_file_that_another_has_put_in_place_is_left_alone)
{
    char path[64];
    struct listener *none = NULL;
    struct stat other;
    struct config_listener wanted = on_path(path, 0600);
    struct listener *first = take(&wanted);
    cr_assert_eq(unlink(path), 0);
    FILE *file = fopen(path, "we");
    cr_assert(file);
    (void)fclose(file); /* nothing was written */
    cr_assert_eq(chmod(path, 0640), 0);
    wanted.mode = 0660;
    cr_assert_eq(listeners_take(&all, &wanted, NULL, 0, &none), -EEXIST);
    listeners_give(&all, first);
    cr_assert_eq(stat(path, &other), 0);
    cr_assert_eq(other.st_mode & 0777, 0640);
    cr_assert_eq(unlink(path), 0);
    cr_assert_null(all.first);
}

Test(listeners, one_that_was_inherited_is_shared_like_any_other)
{
    struct listener *adopted;
    struct listeners_wish wish = {.wanted = any_port};
    cr_assert_eq(listener_open(&wish.listener, &any_port), 0);
    cr_assert_eq(listeners_adopt(&all, &wish, &adopted), 0);
    cr_assert_eq(strcmp(listeners_wanted(adopted)->host, "127.0.0.1"), 0);
    struct listener *taken = take(&any_port);
    cr_assert_eq(taken, adopted);
    cr_assert_eq(taken->port, wish.listener.port);
    listeners_give(&all, adopted);
    cr_assert(is_open(wish.listener.fd));
    listeners_give(&all, taken);
    cr_assert(!is_open(wish.listener.fd));
}
