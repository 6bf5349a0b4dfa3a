/* SPDX-License-Identifier: Apache-2.0 */
#include "resolver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct resolver_job {
    struct resolver_question *question; /* NULL: cancelled. Only the loop's thread looks at it */
    struct resolver_job *next;
    char *name;
    uint16_t port;
    struct resolver_answer answer;
};

/* What the two threads share. It goes with the one that leaves last: a lookup cannot be broken off,
 * and nobody should wait for it. */
struct lookups {
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t has_work;
    struct resolver_job *waiting, *answered; /* first asked first */
    bool is_closed;
    int n_users;
    int bell; /* an eventfd: something was answered */
};

struct resolver {
    struct loop *loop;
    struct lookups *lookups;
    struct loop_watch *watch;
    bool has_thread;
};

/* ---- jobs ----------------------------------------------------------------------------------- */

static void append(struct resolver_job **list, struct resolver_job *job)
{
    while (*list)
        list = &(*list)->next;
    job->next = NULL;
    *list = job;
}

static struct resolver_job *take_first(struct resolver_job **list)
{
    struct resolver_job *first = *list;
    if (first)
        *list = first->next;
    return first;
}

static void job_free(struct resolver_job *job)
{
    free(job->name);
    free(job);
}

static void lookups_leave(struct lookups *lookups)
{
    (void)pthread_mutex_lock(&lookups->lock);
    bool is_last = --lookups->n_users == 0;
    (void)pthread_mutex_unlock(&lookups->lock);
    if (!is_last)
        return;
    struct resolver_job *job;
    while ((job = take_first(&lookups->waiting)) || (job = take_first(&lookups->answered)))
        job_free(job);
    (void)close(lookups->bell);
    (void)pthread_cond_destroy(&lookups->has_work);
    (void)pthread_mutex_destroy(&lookups->lock);
    free(lookups);
}

static struct lookups *lookups_new(void)
{
    struct lookups *lookups = calloc(1, sizeof *lookups);
    if (!lookups)
        return NULL;
    lookups->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lookups->bell < 0) {
        free(lookups);
        return NULL;
    }
    (void)pthread_mutex_init(&lookups->lock, NULL); /* neither fails on Linux */
    (void)pthread_cond_init(&lookups->has_work, NULL);
    lookups->n_users = 1;
    return lookups;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void look_up(struct resolver_job *job)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", job->port);
    struct resolver_answer *answer = &job->answer;
    answer->error = getaddrinfo(job->name, port, &hints, &found);
    for (struct addrinfo *one = found; one && answer->n_addresses < RESOLVER_MAX_ADDRESSES;
         one = one->ai_next) {
        struct resolver_address *address = &answer->addresses[answer->n_addresses++];
        address->n_bytes = one->ai_addrlen;
        memcpy(&address->storage, one->ai_addr, one->ai_addrlen);
    }
    if (found)
        freeaddrinfo(found);
}

static struct resolver_job *wait_for_job(struct lookups *lookups)
{
    (void)pthread_mutex_lock(&lookups->lock);
    while (!lookups->waiting && !lookups->is_closed)
        (void)pthread_cond_wait(&lookups->has_work, &lookups->lock);
    struct resolver_job *job = lookups->is_closed ? NULL : take_first(&lookups->waiting);
    (void)pthread_mutex_unlock(&lookups->lock);
    return job;
}

static void *run(void *argument)
{
    struct lookups *lookups = argument;
    struct resolver_job *job;
    while ((job = wait_for_job(lookups))) {
        look_up(job);
        (void)pthread_mutex_lock(&lookups->lock);
        append(&lookups->answered, job);
        (void)pthread_mutex_unlock(&lookups->lock);
        (void)eventfd_write(
            lookups->bell, 1); /* full: the loop has not yet looked at 2^64 answers */
    }
    lookups_leave(lookups);
    return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct lookups *lookups)
{
    sigset_t all, before;
    pthread_t thread;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    lookups->n_users++;
    int error = pthread_create(&thread, NULL, run, lookups);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        lookups->n_users--;
        return -error;
    }
    (void)pthread_detach(thread);
    return 0;
}

/* ---- the loop's side ------------------------------------------------------------------------ */

static void on_bell(void *owner)
{
    struct resolver *resolver = owner;
    struct lookups *lookups = resolver->lookups;
    eventfd_t n;
    (void)eventfd_read(lookups->bell, &n); /* it was readable, and only we read it */
    (void)pthread_mutex_lock(&lookups->lock);
    struct resolver_job *answered = lookups->answered;
    lookups->answered = NULL;
    (void)pthread_mutex_unlock(&lookups->lock);
    struct resolver_job *job;
    while ((job = take_first(&answered))) {
        struct resolver_question *question = job->question;
        if (question) {
            question->job = NULL;
            question->on_resolved(question->owner, &job->answer);
        }
        job_free(job);
    }
}

int resolver_new(struct resolver **out, struct loop *loop)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return -ENOMEM;
    resolver->loop = loop;
    resolver->lookups = lookups_new();
    if (resolver->lookups)
        resolver->watch = loop_watch_new(loop, resolver->lookups->bell, on_bell, resolver);
    if (!resolver->watch) {
        resolver_free(resolver);
        return -ENOMEM;
    }
    *out = resolver;
    return 0;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    loop_watch_free(resolver->loop, resolver->watch);
    if (resolver->lookups) {
        (void)pthread_mutex_lock(&resolver->lookups->lock);
        resolver->lookups->is_closed = true;
        (void)pthread_cond_signal(&resolver->lookups->has_work);
        (void)pthread_mutex_unlock(&resolver->lookups->lock);
        lookups_leave(resolver->lookups);
    }
    free(resolver);
}

static bool parse_ipv6(const char *name, uint16_t port, struct resolver_address *out)
{
    char bare[INET6_ADDRSTRLEN];
    size_t n = strlen(name);
    if (n >= 2 && name[0] == '[' && name[n - 1] == ']') {
        name++;
        n -= 2;
    }
    if (n >= sizeof bare)
        return false;
    memcpy(bare, name, n);
    bare[n] = '\0';
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, bare, &address.sin6_addr) != 1)
        return false;
    out->n_bytes = sizeof address;
    memcpy(&out->storage, &address, sizeof address);
    return true;
}

bool resolver_parse(const char *name, uint16_t port, struct resolver_address *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, name, &address.sin_addr) != 1)
        return parse_ipv6(name, port, out);
    out->n_bytes = sizeof address;
    memcpy(&out->storage, &address, sizeof address);
    return true;
}

int resolver_ask(
    struct resolver *resolver, struct resolver_question *question, const char *name, uint16_t port)
{
    assert(!question->job);
    if (!resolver->has_thread) {
        int r = start_thread(resolver->lookups);
        if (r < 0)
            return r;
        resolver->has_thread = true;
    }
    struct resolver_job *job = calloc(1, sizeof *job);
    char *copy = strdup(name);
    if (!job || !copy) {
        free(job);
        free(copy);
        return -ENOMEM;
    }
    job->name = copy;
    job->port = port;
    job->question = question;
    question->job = job;
    (void)pthread_mutex_lock(&resolver->lookups->lock);
    append(&resolver->lookups->waiting, job);
    (void)pthread_cond_signal(&resolver->lookups->has_work);
    (void)pthread_mutex_unlock(&resolver->lookups->lock);
    return 0;
}

void resolver_cancel(struct resolver_question *question)
{
    if (!question->job)
        return;
    question->job->question = NULL; /* it is looked up all the same, and dropped */
    question->job = NULL;
}
