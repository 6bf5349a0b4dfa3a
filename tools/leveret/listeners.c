/* SPDX-License-Identifier: Apache-2.0 */
#include "listeners.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct listeners_entry {
    struct listener listener; /* the first: a listener that was handed out leads back */
    struct config_listener wanted;
    char *host, *unix_path; /* what `wanted` points to */
    unsigned n_users;
    struct listeners_entry *next;
};

static struct listeners_entry *entry_of(struct listener *listener)
{
    return (struct listeners_entry *)listener;
}

static bool is_same(const struct config_listener *a, const struct config_listener *b)
{
    if (a->unix_path || b->unix_path)
        return a->unix_path && b->unix_path && strcmp(a->unix_path, b->unix_path) == 0;
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool is_among(const struct listener *listener, struct listener *const *mine, size_t n_mine)
{
    for (size_t i = 0; i < n_mine; i++)
        if (mine[i] == listener)
            return true;
    return false;
}

static struct listeners_entry *find(const struct listeners *all,
    const struct config_listener *wanted, struct listener *const *mine, size_t n_mine)
{
    for (struct listeners_entry *e = all->first; e; e = e->next)
        if (is_same(&e->wanted, wanted) && !is_among(&e->listener, mine, n_mine) &&
            listener_is_there(&e->listener))
            return e;
    return NULL;
}

static void entry_free(struct listeners_entry **entry)
{
    if (!*entry)
        return;
    free((*entry)->host);
    free((*entry)->unix_path);
    free(*entry);
}

/* With words of its own, not yet open. NULL: no memory. */
static struct listeners_entry *entry_new(const struct config_listener *wanted)
{
    CLEANUP(entry_free) struct listeners_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    entry->wanted = *wanted;
    entry->listener.fd = -1;
    entry->wanted.host = entry->host = wanted->host ? strdup(wanted->host) : NULL;
    entry->wanted.unix_path = entry->unix_path =
        wanted->unix_path ? strdup(wanted->unix_path) : NULL;
    if ((wanted->host && !entry->host) || (wanted->unix_path && !entry->unix_path))
        return NULL;
    return STEAL(entry);
}

static struct listener *entry_add(struct listeners *all, struct listeners_entry *entry)
{
    entry->n_users = 1;
    entry->next = all->first;
    all->first = entry;
    return &entry->listener;
}

/* One more user, who may want another mode. */
static int share(struct listeners_entry *entry, const struct config_listener *wanted)
{
    if (wanted->unix_path && wanted->mode != entry->wanted.mode) {
        if (chmod(wanted->unix_path, (mode_t)wanted->mode) < 0)
            return -errno;
        entry->wanted.mode = wanted->mode;
    }
    entry->n_users++;
    return 0;
}

int listeners_take(struct listeners *all, const struct config_listener *wanted,
    struct listener *const *mine, size_t n_mine, struct listener **out)
{
    struct listeners_entry *known = find(all, wanted, mine, n_mine);
    if (known) {
        int error = share(known, wanted);
        if (!error)
            *out = &known->listener;
        return error;
    }
    CLEANUP(entry_free) struct listeners_entry *entry = entry_new(wanted);
    if (!entry)
        return -ENOMEM;
    int error = listener_open(&entry->listener, wanted);
    if (!error)
        *out = entry_add(all, STEAL(entry));
    return error;
}

int listeners_adopt(struct listeners *all, const struct listeners_wish *wish, struct listener **out)
{
    struct listeners_entry *entry = entry_new(&wish->wanted);
    if (!entry)
        return -ENOMEM;
    entry->listener = wish->listener;
    *out = entry_add(all, entry);
    return 0;
}

void listeners_give(struct listeners *all, struct listener *listener)
{
    struct listeners_entry *entry = entry_of(listener);
    struct listeners_entry **at = &all->first;
    assert(entry->n_users);
    if (--entry->n_users)
        return;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    listener_close(listener);
    entry_free(&entry);
}

const struct config_listener *listeners_wanted(const struct listener *listener)
{
    return &((const struct listeners_entry *)listener)->wanted;
}
