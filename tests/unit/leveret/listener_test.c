/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "listener.h"

static char folder[32];
static char path[64];

static void folder_make(void)
{
    strcpy(folder, "/tmp/leveret-listen-XXXXXX");
    cr_assert(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
}

static void folder_remove(void)
{
    (void)unlink(path);
    cr_assert_eq(rmdir(folder), 0, "something was left behind");
}

static const struct config_listener loopback = {.host = "127.0.0.1"};

static struct config_listener unix_at(const char *where, int64_t mode)
{
    return (struct config_listener){.unix_path = where, .mode = mode};
}

static bool is_there(const char *where)
{
    return access(where, F_OK) == 0;
}

/* Connects to a TCP port of 127.0.0.1 or, when it is 0, to `path`. 0 or negative errno. */
static int dial(uint16_t port)
{
    struct sockaddr_in tcp = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    strcpy(local.sun_path, path);
    CLEANUP(cleanup_fd) int fd = socket(port ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = port ? connect(fd, (struct sockaddr *)&tcp, sizeof(tcp))
                      : connect(fd, (struct sockaddr *)&local, sizeof(local));
    return result < 0 ? -errno : 0;
}

/* A socket file that nobody listens on, as a killed process leaves it. */
static void stale_make(void)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    strcpy(local.sun_path, path);
    CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
}

TestSuite(listener, .init = folder_make, .fini = folder_remove);

Test(listener, takes_any_free_port_and_says_which)
{
    struct listener listener;
    char expected[64];
    cr_assert_eq(listener_open(&listener, &loopback), 0);
    cr_assert_gt(listener.port, 0);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", listener.port);
    cr_assert_str_eq(listener.address, expected);
    cr_assert_eq(dial(listener.port), 0);
    uint16_t port = listener.port;
    listener_close(&listener);
    cr_assert_eq(dial(port), -ECONNREFUSED);
    listener_close(&listener);
}

Test(listener, is_non_blocking_and_closed_on_exec)
{
    struct listener listener;
    cr_assert_eq(listener_open(&listener, &loopback), 0);
    cr_assert(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(accept(listener.fd, NULL, NULL), -1);
    cr_assert_eq(errno, EAGAIN);
    listener_close(&listener);
}

Test(listener, a_port_in_use_is_refused)
{
    struct listener first, second = {.fd = 42};
    cr_assert_eq(listener_open(&first, &loopback), 0);
    struct config_listener same = {.host = "127.0.0.1", .port = first.port};
    cr_assert_eq(listener_open(&second, &same), -EADDRINUSE);
    cr_assert_eq(second.fd, 42, "an out-parameter was written on failure");
    listener_close(&first);
}

Test(listener, a_port_is_free_again_although_its_connections_linger)
{
    struct listener listener;
    cr_assert_eq(listener_open(&listener, &loopback), 0);
    struct config_listener same = {.host = "127.0.0.1", .port = listener.port};
    struct sockaddr_in tcp = {.sin_family = AF_INET,
        .sin_port = htons(listener.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CLEANUP(cleanup_fd) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&tcp, sizeof(tcp)), 0);
    int accepted = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(accepted, 0);
    (void)close(accepted); /* our side closes first: it is the one that lingers */
    listener_close(&listener);
    cr_assert_eq(listener_open(&listener, &same), 0);
    listener_close(&listener);
}

Test(listener, the_empty_host_is_every_interface)
{
    struct listener listener;
    const struct config_listener every = {.host = ""};
    cr_assert_eq(listener_open(&listener, &every), 0);
    cr_assert_eq(dial(listener.port), 0);
    listener_close(&listener);
}

Test(listener, a_name_is_bound_at_one_of_its_addresses)
{
    struct listener listener;
    const struct config_listener named = {.host = "localhost"};
    cr_assert_eq(listener_open(&listener, &named), 0);
    cr_assert_gt(listener.port, 0);
    listener_close(&listener);
}

Test(listener, an_address_of_another_machine_and_no_address_at_all_are_refused)
{
    struct listener listener;
    const struct config_listener elsewhere = {.host = "192.0.2.1"};
    const struct config_listener nonsense = {.host = "no such host"};
    cr_assert_eq(listener_open(&listener, &elsewhere), -EADDRNOTAVAIL);
    cr_assert_eq(listener_open(&listener, &nonsense), -EADDRNOTAVAIL);
}

Test(listener, a_unix_socket_has_its_mode_and_goes_with_the_listener)
{
    struct listener listener;
    struct stat stat;
    struct config_listener wanted = unix_at(path, 0620);
    mode_t before = umask(077);
    cr_assert_eq(listener_open(&listener, &wanted), 0);
    cr_assert_eq(umask(before), 077, "the mask was not put back");
    cr_assert_eq(lstat(path, &stat), 0);
    cr_assert_eq(stat.st_mode & 0777, 0620);
    cr_assert_eq(listener.port, 0);
    cr_assert_eq(strncmp(listener.address, "unix:/tmp/", 10), 0);
    cr_assert_eq(dial(0), 0);
    listener_close(&listener);
    cr_assert(!is_there(path));
}

Test(listener, a_left_behind_socket_is_replaced)
{
    struct listener listener;
    struct config_listener wanted = unix_at(path, 0600);
    stale_make();
    cr_assert_eq(listener_open(&listener, &wanted), 0);
    cr_assert_eq(dial(0), 0);
    listener_close(&listener);
}

Test(listener, a_socket_on_which_somebody_listens_is_left_alone)
{
    struct listener first, second;
    struct config_listener wanted = unix_at(path, 0600);
    cr_assert_eq(listener_open(&first, &wanted), 0);
    cr_assert_eq(listener_open(&second, &wanted), -EADDRINUSE);
    cr_assert_eq(dial(0), 0);
    listener_close(&first);
}

Test(listener, what_is_no_socket_is_left_alone)
{
    struct listener listener;
    struct config_listener wanted = unix_at(path, 0600);
    CLEANUP(cleanup_fd) int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(file, 0);
    cr_assert_eq(listener_open(&listener, &wanted), -EEXIST);
    cr_assert(is_there(path));
}

Test(listener, closing_leaves_alone_what_took_its_place)
{
    struct listener first, second;
    struct config_listener wanted = unix_at(path, 0600);
    cr_assert_eq(listener_open(&first, &wanted), 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(listener_open(&second, &wanted), 0);
    listener_close(&first);
    cr_assert(is_there(path));
    listener_close(&second);
    cr_assert(!is_there(path));
}

Test(listener, a_path_that_cannot_be_is_refused)
{
    struct listener listener;
    char long_path[200];
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    struct config_listener too_long = unix_at(long_path, 0600);
    struct config_listener no_folder = unix_at("/nonexistent/socket", 0600);
    cr_assert_eq(listener_open(&listener, &too_long), -ENAMETOOLONG);
    cr_assert_eq(listener_open(&listener, &no_folder), -ENOENT);
}

Test(listener, describes_what_is_wanted)
{
    static const struct {
        struct config_listener wanted;
        const char *text;
    } cases[] = {
        {{.host = "localhost", .port = 8080}, "localhost:8080"},
        {{.host = "::1", .port = 8080}, "[::1]:8080"},
        {{.host = "", .port = 80}, "*:80"},
        {{.unix_path = "/run/leveret"}, "unix:/run/leveret"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        listener_describe(&cases[i].wanted, text, sizeof(text));
        cr_assert_str_eq(text, cases[i].text);
    }
}
