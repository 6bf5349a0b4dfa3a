/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_admin.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

static void listen_tcp(struct fake_admin *fake)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(name);
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fake->listener, (struct sockaddr *)&name, sizeof(name)), 0);
    cr_assert_eq(getsockname(fake->listener, (struct sockaddr *)&name, &length), 0);
    (void)snprintf(
        fake->url, sizeof(fake->url), "http://127.0.0.1:%u", (unsigned)ntohs(name.sin_port));
}

static void listen_unix(struct fake_admin *fake, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fake->listener, (struct sockaddr *)&name, sizeof(name)), 0);
    (void)snprintf(fake->url, sizeof(fake->url), "unix:%s", path);
}

static void read_request(struct fake_admin *fake, int client)
{
    size_t n = 0;
    ssize_t more = 1;
    fake->request[0] = '\0';
    while (!strstr(fake->request, "\r\n\r\n") && n + 1 < sizeof(fake->request) && more > 0) {
        more = recv(client, fake->request + n, sizeof(fake->request) - 1 - n, 0);
        n += more > 0 ? (size_t)more : 0;
        fake->request[n] = '\0';
    }
}

/* The client may have left by then. */
static void say(int client, const struct fake_answer *answer)
{
    static char blanks[1024];
    memset(blanks, ' ', sizeof(blanks));
    ssize_t sent = send(client, answer->text, strlen(answer->text), MSG_NOSIGNAL);
    for (size_t i = 0; i < answer->n_fillers && sent >= 0; i++)
        sent = send(client, blanks, sizeof(blanks), MSG_NOSIGNAL);
}

static void serve(struct fake_admin *fake, int client)
{
    size_t i = fake->n_served < fake->n_answers ? fake->n_served : fake->n_answers - 1;
    const struct fake_answer *answer = &fake->answers[i];
    fake->n_served++;
    if (!answer->hears_nothing) {
        read_request(fake, client);
        say(client, answer);
    }
    if (answer->stays_open && fake->n_held < FAKE_ADMIN_MAX_HELD)
        fake->held[fake->n_held++] = client;
    else
        (void)close(client);
}

static void *run(void *context)
{
    struct fake_admin *fake = context;
    struct pollfd fds[] = {
        {.fd = fake->listener, .events = POLLIN}, {.fd = fake->stop, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        int client = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            serve(fake, client);
    }
    return NULL;
}

void fake_admin_start(struct fake_admin *fake, const char *unix_path,
    const struct fake_answer *answers, size_t n_answers)
{
    *fake = (struct fake_admin){.answers = answers, .n_answers = n_answers};
    if (unix_path)
        listen_unix(fake, unix_path);
    else
        listen_tcp(fake);
    cr_assert_eq(listen(fake->listener, 16), 0);
    fake->stop = eventfd(0, EFD_CLOEXEC);
    cr_assert(fake->stop >= 0);
    cr_assert(admin_address_parse(fake->url, &fake->address));
    cr_assert_eq(pthread_create(&fake->thread, NULL, run, fake), 0);
}

void fake_admin_stop(struct fake_admin *fake)
{
    cr_assert_eq(eventfd_write(fake->stop, 1), 0);
    cr_assert_eq(pthread_join(fake->thread, NULL), 0);
    for (size_t i = 0; i < fake->n_held; i++)
        (void)close(fake->held[i]);
    (void)close(fake->listener);
    (void)close(fake->stop);
}

char *fake_admin_page(int status, const char *body)
{
    char *text;
    cr_assert(asprintf(&text,
                  "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\ncontent-length: "
                  "%zu\r\n\r\n%s",
                  status, strlen(body), body) > 0);
    return text;
}
