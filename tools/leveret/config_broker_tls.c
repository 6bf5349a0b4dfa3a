/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "shm/pem.h"
#include "config_broker_tls.h"
#include "config_pem.h"

/* What is being read, and where it is named. */
struct reading {
    const struct config_reading *reading;
    const struct config_path *path;
    bool is_usable, is_out_of_memory;
};

static void refuse(struct reading *reading, const char *parameter, const char *reason)
{
    reading->is_usable = false;
    config_report(
        reading->reading, FINDING_ERROR, reading->path, "%s cannot be used: %s", parameter, reason);
}

/* ---- files ---- */

/* The text that the parameter's file has; "" when it cannot be read. An empty path is the system's
 * authorities. */
static const char *read_text(struct reading *reading, const char *parameter, const char *path)
{
    const char *text;
    int error = config_pem_read(reading->reading->pool, path, &text);

    reading->is_out_of_memory = reading->is_out_of_memory || error == -ENOMEM;
    if (error)
        refuse(reading, parameter, strerror(-error));
    return error ? "" : text;
}

static void read_files(struct reading *reading, struct config_broker_tls *tls)
{
    if (*tls->files.authorities || !tls->is_unverified)
        tls->authorities = read_text(reading, "cacertfile", tls->files.authorities);
    if (*tls->files.certificate) {
        tls->certificate = read_text(reading, "certfile", tls->files.certificate);
        tls->key = read_text(reading, "keyfile", tls->files.key);
    }
}

/* ---- what they hold ---- */

static void context_done(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

static void try_authorities(
    struct reading *reading, SSL_CTX *context, const struct config_broker_tls *tls)
{
    const char *complaint = pem_trust(context, tls->authorities, strlen(tls->authorities));

    if (complaint && *tls->files.authorities)
        refuse(reading, "cacertfile", complaint);
    else if (complaint)
        refuse(
            reading, "the system's store of authorities, since there is no cacertfile,", complaint);
}

static void try_identity(
    struct reading *reading, SSL_CTX *context, const struct config_broker_tls *tls)
{
    const char *complaint =
        pem_use_certificate(context, tls->certificate, strlen(tls->certificate));

    if (complaint) {
        refuse(reading, "certfile", complaint);
        return;
    }
    complaint = pem_use_key(context, tls->key, strlen(tls->key));
    if (complaint)
        refuse(reading, "keyfile", complaint);
}

static void try_all(struct reading *reading, const struct config_broker_tls *tls)
{
    CLEANUP(context_done) SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (!context) {
        reading->is_out_of_memory = true;
        return;
    }
    if (*tls->files.authorities || !tls->is_unverified)
        try_authorities(reading, context, tls);
    if (*tls->files.certificate)
        try_identity(reading, context, tls);
}

/* ---- the list ---- */

static bool is_same(const struct config_broker_tls *tls, const struct config_host *host)
{
    return tls->is_unverified == host->is_unverified &&
           strcmp(tls->files.authorities, host->files.authorities) == 0 &&
           strcmp(tls->files.certificate, host->files.certificate) == 0 &&
           strcmp(tls->files.key, host->files.key) == 0;
}

/* Where the one that suits the host stands, or where a new one is to be put. */
static struct config_broker_tls **find(
    const struct config_reading *reading, const struct config_host *host, uint32_t *number)
{
    struct config_broker_tls **at = reading->broker_tls;

    for (*number = 0; *at && !is_same(*at, host); at = &(*at)->next)
        (*number)++;
    return at;
}

static struct config_broker_tls *load(
    struct reading *reading, const struct config_host *host, uint32_t number)
{
    struct config_broker_tls *tls = config_pool_alloc(reading->reading->pool, sizeof *tls);

    if (!tls) {
        reading->is_out_of_memory = true;
        return NULL;
    }
    *tls = (struct config_broker_tls){
        .files = host->files,
        .is_unverified = host->is_unverified,
        .authorities = "",
        .certificate = "",
        .key = "",
        .number = number,
    };
    read_files(reading, tls);
    if (reading->is_usable && !reading->is_out_of_memory)
        try_all(reading, tls);
    return tls;
}

int config_broker_tls_read(const struct config_reading *reading, const struct config_path *path,
    struct config_host *host, bool *is_usable)
{
    uint32_t number;
    struct config_broker_tls **at = find(reading, host, &number);
    struct reading loading = {.reading = reading, .path = path, .is_usable = true};
    struct config_broker_tls *tls = *at ? *at : load(&loading, host, number);

    if (loading.is_out_of_memory)
        return -ENOMEM;
    *is_usable = loading.is_usable;
    if (loading.is_usable)
        *at = tls;
    host->tls = loading.is_usable ? tls : NULL;
    return 0;
}
