/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "shm/clock.h"
#include "visible.h"

enum { FIRST_BYTES = 16 << 10, REQUEST_MAX = 1024 };

/* One admin_get(). */
struct errand {
    struct admin_client *client;
    struct admin_failure *failure;
    uint64_t timeout_ns, deadline_ns;
};

enum admin_outcome admin_fail(struct admin_failure *failure, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(failure->text, sizeof(failure->text), format, args); /* cut if too long */
    va_end(args);
    return ADMIN_FAILED;
}

void admin_complain(const struct admin_failure *failure)
{
    (void)fputs("leveret: ", stderr);
    (void)visible_write(failure->text, SIZE_MAX, stderr);
    (void)fputc('\n', stderr);
}

static const char *url_of(const struct errand *errand)
{
    return errand->client->address->url;
}

static enum admin_outcome too_late(const struct errand *errand)
{
    return admin_fail(errand->failure, "%s has not answered within %g s", url_of(errand),
        (double)errand->timeout_ns / (double)CLOCK_S);
}

static enum admin_outcome no_http(const struct errand *errand)
{
    return admin_fail(
        errand->failure, "%s is no sidecar: it does not answer in HTTP", url_of(errand));
}

/* ---- where ---------------------------------------------------------------------------------- */

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / CLOCK_S), .tv_nsec = (long)(ns % CLOCK_S)};
}

/* What a lookup of a name reads and writes, and will when nobody waits for it any more. */
struct lookup {
    struct gaicb question;
    struct admin_address address;
    struct addrinfo hints;
};

/* A name may take the system's resolver any time. One that is not done in time cannot be broken
 * off: what it writes to is left to it. */
static int look_up_in_time(const struct errand *errand, struct addrinfo **peers)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    struct gaicb *list[] = {lookup ? &lookup->question : NULL};
    const struct timespec timeout = timespec_of(errand->timeout_ns);
    if (!lookup)
        return EAI_MEMORY;
    lookup->address = *errand->client->address;
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->question.ar_name = lookup->address.host;
    lookup->question.ar_service = lookup->address.port;
    lookup->question.ar_request = &lookup->hints;
    int error = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (error) {
        free(lookup);
        return error;
    }
    while ((error = gai_error(&lookup->question)) == EAI_INPROGRESS)
        if (clock_now_ns() >= errand->deadline_ns ||
            gai_suspend((const struct gaicb *const *)list, 1, &timeout) == EAI_AGAIN)
            return EAI_INPROGRESS;
    if (!error)
        *peers = lookup->question.ar_result;
    free(lookup);
    return error;
}

static enum admin_outcome look_up(const struct errand *errand)
{
    const struct admin_address *address = errand->client->address;
    const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo **peers = &errand->client->peers;
    int error = 0;
    if (address->unix_path || *peers)
        return ADMIN_ANSWERED;
    if (getaddrinfo(address->host, address->port, &numeric, peers) != 0)
        error = look_up_in_time(errand, peers);
    if (error == EAI_INPROGRESS)
        return too_late(errand);
    return error ? admin_fail(
                       errand->failure, "%s cannot be found: %s", address->url, gai_strerror(error))
                 : ADMIN_ANSWERED;
}

/* ---- the connection ------------------------------------------------------------------------- */

/* The next call on the socket lasts until the deadline at most; 0, or -EAGAIN: it has passed. The
 * kernel takes a time-out of zero for none. */
static int limit(const struct errand *errand, int fd)
{
    uint64_t now_ns = clock_now_ns();
    if (now_ns >= errand->deadline_ns)
        return -EAGAIN;
    const struct timespec left = timespec_of(errand->deadline_ns - now_ns + 1000);
    const struct timeval timeout = {.tv_sec = left.tv_sec, .tv_usec = left.tv_nsec / 1000};
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0
               ? -errno
               : 0;
}

/* A connected socket, or what keeps from it. */
static int connect_to(const struct errand *errand, const struct sockaddr *name, socklen_t length)
{
    CLEANUP(cleanup_fd) int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? -errno : limit(errand, fd);
    if (error)
        return error;
    if (connect(fd, name, length) < 0)
        return -errno;
    return STEAL_FD(fd);
}

static int connect_unix(const struct errand *errand)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)strncpy(
        name.sun_path, errand->client->address->unix_path, sizeof(name.sun_path) - 1); /* it fits */
    return connect_to(errand, (const struct sockaddr *)&name, sizeof(name));
}

/* The first that lets us in. */
static int connect_tcp(const struct errand *errand)
{
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *peer = errand->client->peers; peer && fd < 0; peer = peer->ai_next)
        fd = connect_to(errand, peer->ai_addr, peer->ai_addrlen);
    return fd;
}

static bool is_timeout(int error)
{
    return error == -EAGAIN || error == -EINPROGRESS || error == -ETIMEDOUT;
}

static enum admin_outcome not_connected(const struct errand *errand, int error)
{
    if (is_timeout(error))
        return too_late(errand);
    if (error == -ECONNREFUSED || error == -ENOENT)
        return admin_fail(
            errand->failure, "nobody listens at %s: %s", url_of(errand), strerror(-error));
    return admin_fail(errand->failure, "no way to %s: %s", url_of(errand), strerror(-error));
}

static enum admin_outcome broken_off(const struct errand *errand, int error)
{
    if (is_timeout(error))
        return too_late(errand);
    return admin_fail(errand->failure, "%s broke off: %s", url_of(errand),
        error ? strerror(-error) : "too early");
}

static int request_write(const struct errand *errand, const char *path, char text[REQUEST_MAX])
{
    const struct admin_address *address = errand->client->address;
    const char *host = address->unix_path ? "localhost" : address->host;
    const char *token = errand->client->token;
    bool is_literal = strchr(host, ':') != NULL;
    return snprintf(text, REQUEST_MAX, "GET %s HTTP/1.0\r\nHost: %s%s%s\r\n%s%s%s\r\n", path,
        is_literal ? "[" : "", host, is_literal ? "]" : "", token ? "Authorization: Bearer " : "",
        token ? token : "", token ? "\r\n" : "");
}

static int send_all(const struct errand *errand, int fd, const char *text, size_t n)
{
    for (size_t sent = 0; sent < n;) {
        int error = limit(errand, fd);
        if (error)
            return error;
        ssize_t more = send(fd, text + sent, n - sent, MSG_NOSIGNAL);
        if (more < 0 && errno != EINTR)
            return -errno;
        sent += more > 0 ? (size_t)more : 0;
    }
    return 0;
}

/* ---- the answer ----------------------------------------------------------------------------- */

enum { LENGTH_UNKNOWN = -1, LENGTH_MALFORMED = -2 };

struct reading {
    char *bytes; /* NUL-terminated */
    size_t n, size;
    size_t head_bytes; /* 0: it has not come to its end */
    int status;
    int64_t length; /* of the body, or LENGTH_ */
};

static void reading_done(struct reading *reading)
{
    free(reading->bytes);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK"; 0: it is none. */
static int status_of(const char *line)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ')
        return 0;
    for (int i = 9; i < 12; i++)
        if (!is_digit(line[i]))
            return 0;
    return is_digit(line[12]) ? 0 : atoi(line + 9);
}

static int64_t length_read(const char *value)
{
    char *end;
    errno = 0;
    value += strspn(value, " \t");
    long long length = strtoll(value, &end, 10);
    return is_digit(*value) && !errno && end[strspn(end, " \t")] == '\r' ? length
                                                                         : LENGTH_MALFORMED;
}

/* Content-Length, of a head that ends with an empty line. */
static int64_t length_of(const char *head)
{
    static const char name[] = "\r\nContent-Length:";
    const char *field = strcasestr(head, name);
    return field ? length_read(field + sizeof(name) - 1) : LENGTH_UNKNOWN;
}

/* Once the head is complete. */
static void head_read(struct reading *reading)
{
    char *end = strstr(reading->bytes, "\r\n\r\n");
    if (!end)
        return;
    char first_of_body = end[4];
    end[4] = '\0';
    reading->head_bytes = (size_t)(end + 4 - reading->bytes);
    reading->status = status_of(reading->bytes);
    reading->length = length_of(reading->bytes);
    end[4] = first_of_body;
}

/* Room for more, at most as much as an answer may have. */
static int make_room(struct reading *reading)
{
    const size_t most = ADMIN_HEAD_MAX + ADMIN_BODY_MAX + 2;
    if (reading->n + 1 < reading->size)
        return 0;
    size_t size = reading->size ? 2 * reading->size : FIRST_BYTES;
    char *bytes = realloc(reading->bytes, size < most ? size : most);
    if (!bytes)
        return -ENOMEM;
    reading->bytes = bytes;
    reading->size = size < most ? size : most;
    return 0;
}

/* The number of bytes that came; 0: it has closed. */
static ssize_t read_more(const struct errand *errand, int fd, struct reading *reading)
{
    ssize_t n;
    int error = make_room(reading);
    do {
        error = error ? error : limit(errand, fd);
        if (error)
            return error;
        n = recv(fd, reading->bytes + reading->n, reading->size - reading->n - 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    reading->n += (size_t)n;
    reading->bytes[reading->n] = '\0';
    return n;
}

static size_t body_bytes(const struct reading *reading)
{
    size_t n = reading->n - reading->head_bytes;
    return reading->length >= 0 && n > (size_t)reading->length ? (size_t)reading->length : n;
}

static bool is_whole(const struct reading *reading)
{
    return reading->head_bytes > 0 && reading->length >= 0 &&
           body_bytes(reading) == (size_t)reading->length;
}

static bool is_foreign(const struct reading *reading)
{
    static const char expected[] = "HTTP/1.";
    size_t n = reading->n < sizeof(expected) - 1 ? reading->n : sizeof(expected) - 1;
    if ((reading->head_bytes ? reading->head_bytes : reading->n) > ADMIN_HEAD_MAX)
        return true;
    return reading->head_bytes > 0 ? reading->status == 0 || reading->length == LENGTH_MALFORMED
                                   : strncmp(reading->bytes, expected, n) != 0;
}

static bool is_too_large(const struct reading *reading)
{
    return reading->length > ADMIN_BODY_MAX ||
           (reading->head_bytes > 0 && reading->n - reading->head_bytes > ADMIN_BODY_MAX);
}

static enum admin_outcome read_answer(const struct errand *errand, int fd, struct reading *reading)
{
    ssize_t n;
    do {
        n = read_more(errand, fd, reading);
        if (n < 0)
            return broken_off(errand, (int)n);
        if (!reading->head_bytes)
            head_read(reading);
        if (is_foreign(reading))
            return no_http(errand);
        if (is_too_large(reading))
            return admin_fail(errand->failure, "%s answers with more than %d MiB", url_of(errand),
                ADMIN_BODY_MAX >> 20);
    } while (n > 0 && !is_whole(reading));
    if (reading->head_bytes == 0 || (reading->length >= 0 && !is_whole(reading)))
        return broken_off(errand, 0);
    return ADMIN_ANSWERED;
}

static enum admin_outcome converse(
    const struct errand *errand, const char *path, struct reading *reading)
{
    char request[REQUEST_MAX];
    const struct admin_address *address = errand->client->address;
    CLEANUP(cleanup_fd) int fd = address->unix_path ? connect_unix(errand) : connect_tcp(errand);
    if (fd < 0)
        return not_connected(errand, fd);
    int n = request_write(errand, path, request);
    int error = send_all(errand, fd, request, (size_t)n);
    return error ? broken_off(errand, error) : read_answer(errand, fd, reading);
}

/* Of a listener that answers, but not the likes of us. */
static enum admin_outcome judge(const struct errand *errand, int status)
{
    enum { UNAUTHORIZED = 401, MISDIRECTED = 421 };
    if (status == UNAUTHORIZED)
        return admin_fail(errand->failure, "%s wants to see its token: LEVERET_ADMIN_TOKEN is %s",
            url_of(errand), errand->client->token ? "another one" : "not set");
    if (status == MISDIRECTED)
        return admin_fail(errand->failure,
            "%s has no token, and then wants to be called by an address or localhost",
            url_of(errand));
    return ADMIN_ANSWERED;
}

enum admin_outcome admin_get(struct admin_client *client, const char *path, uint64_t timeout_ns,
    struct admin_answer *answer, struct admin_failure *failure)
{
    const struct errand errand = {.client = client,
        .failure = failure,
        .timeout_ns = timeout_ns,
        .deadline_ns = clock_now_ns() + timeout_ns};
    CLEANUP(reading_done) struct reading reading = {.length = LENGTH_UNKNOWN};
    enum admin_outcome outcome = look_up(&errand);
    if (outcome == ADMIN_ANSWERED)
        outcome = converse(&errand, path, &reading);
    if (outcome == ADMIN_ANSWERED)
        outcome = judge(&errand, reading.status);
    if (outcome != ADMIN_ANSWERED)
        return outcome;
    size_t n = body_bytes(&reading);
    reading.bytes[reading.head_bytes + n] = '\0';
    *answer = (struct admin_answer){.status = reading.status,
        .body = reading.bytes + reading.head_bytes,
        .body_bytes = n,
        .bytes = STEAL(reading.bytes)};
    return ADMIN_ANSWERED;
}

/* ---- a life --------------------------------------------------------------------------------- */

void admin_client_init(
    struct admin_client *client, const struct admin_address *address, const char *token)
{
    *client = (struct admin_client){.address = address, .token = token};
}

void admin_client_done(struct admin_client *client)
{
    if (client->peers)
        freeaddrinfo(client->peers);
    *client = (struct admin_client){0};
}

void admin_answer_done(struct admin_answer *answer)
{
    free(answer->bytes);
    *answer = (struct admin_answer){0};
}
