/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>
#include "shm/pem.h"
#include "config_listener_tls.h"
#include "config_pem.h"

#define NAMES_BYTES 4096 /* all suites that OpenSSL knows fit in */

/* What is being read; `context` is what the front will make of it. */
struct reading {
    const struct config_reading *reading;
    struct config_path path; /* of the object */
    struct config_tls *tls;
    SSL_CTX *context;
    bool is_out_of_memory;
};

static void context_done(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

static void session_done(SSL **session)
{
    SSL_free(*session);
}

static void refuse(struct reading *reading, const char *key, const char *reason)
{
    struct config_path path = config_path_member(&reading->path, key);

    config_report(reading->reading, FINDING_ERROR, &path, "cannot be used: %s", reason);
}

/* ---- versions ---- */

static void check_versions(struct reading *reading)
{
    struct config_tls *tls = reading->tls;
    struct config_path min = config_path_member(&reading->path, "min_version");
    struct config_path max = config_path_member(&reading->path, "max_version");

    if (tls->max_version == CONFIG_TLS_OLDER)
        config_report(reading->reading, FINDING_ERROR, &max,
            "is below TLS12, and nothing below it is spoken (RFC 8996)");
    else if (tls->max_version < tls->min_version)
        config_report(reading->reading, FINDING_ERROR, &max, "is below min_version");
    if (tls->min_version != CONFIG_TLS_OLDER)
        return;
    config_report(reading->reading, FINDING_WARNING, &min,
        "is below TLS12, which is the lowest that is spoken (RFC 8996)");
    tls->min_version = CONFIG_TLS_1_2;
}

/* ---- cipher suites ---- */

struct names {
    char text[NAMES_BYTES];
    size_t n;
};

static void names_add(struct names *names, const char *name)
{
    int n =
        snprintf(names->text + names->n, NAMES_BYTES - names->n, "%s%s", names->n ? ":" : "", name);

    if (n > 0 && (size_t)n < NAMES_BYTES - names->n)
        names->n += (size_t)n;
    else
        names->text[names->n] = '\0'; /* some were named often enough */
}

/* NULL: OpenSSL does not have it. */
static const SSL_CIPHER *suite_of(SSL *session, json_int_t number)
{
    const unsigned char bytes[] = {(unsigned char)(number >> 8), (unsigned char)number};

    return number >= 0 && number <= UINT16_MAX ? SSL_CIPHER_find(session, bytes) : NULL;
}

enum { WEAK_BITS = 128 }; /* below them */

/* NULL, or what is wrong with the number of a suite. */
static const char *complaint_of(const SSL_CIPHER *suite)
{
    if (!suite)
        return "is no cipher suite that OpenSSL has";
    return SSL_CIPHER_get_bits(suite, NULL) < WEAK_BITS ? "is a cipher suite that protects nothing"
                                                        : NULL;
}

static void read_suite(
    struct reading *reading, SSL *session, const json_t *item, size_t index, struct names names[2])
{
    struct config_path list = config_path_member(&reading->path, "cipher_suites");
    struct config_path path = config_path_element(&list, index);
    const SSL_CIPHER *suite = suite_of(session, json_integer_value(item));
    const char *complaint = complaint_of(suite);

    if (!json_is_integer(item))
        config_report(reading->reading, FINDING_ERROR, &path, "must be an integer, not %s",
            config_type_name(json_typeof(item)));
    else if (complaint)
        config_report(reading->reading, FINDING_ERROR, &path, "%" JSON_INTEGER_FORMAT " %s",
            json_integer_value(item), complaint);
    else
        names_add(
            &names[SSL_CIPHER_get_protocol_id(suite) >> 8 == 0x13], SSL_CIPHER_get_name(suite));
}

/* As the gateway has it, suites of TLS 1.3 are all allowed unless some are listed. */
static void read_suites(struct reading *reading, const json_t *tls)
{
    CLEANUP(session_done) SSL *session = SSL_new(reading->context);
    const json_t *list = json_object_get(tls, "cipher_suites"), *item;
    struct config_path path = config_path_member(&reading->path, "cipher_suites");
    struct names names[2] = {0};
    size_t i;

    reading->is_out_of_memory = reading->is_out_of_memory || !session;
    if (list && !json_is_null(list) && !json_is_array(list))
        config_report(reading->reading, FINDING_ERROR, &path,
            "must be an array of integers, not %s", config_type_name(json_typeof(list)));
    if (!session || !json_is_array(list))
        return;
    json_array_foreach(list, i, item) read_suite(reading, session, item, i, names);
    reading->tls->ciphers = config_pool_copy(reading->reading->pool, names[0].text, names[0].n);
    reading->tls->suites = config_pool_copy(reading->reading->pool, names[1].text, names[1].n);
    if (!reading->tls->ciphers || !reading->tls->suites)
        reading->is_out_of_memory = true;
    else if (names[0].n && SSL_CTX_set_cipher_list(reading->context, names[0].text) != 1)
        refuse(reading, "cipher_suites", "OpenSSL takes none of them");
    else if (!names[0].n && names[1].n && reading->tls->min_version == CONFIG_TLS_1_2)
        refuse(reading, "cipher_suites", "none of them is for TLS12, which is the min_version");
}

/* ---- files ---- */

/* "" when it cannot be read. */
static const char *read_file(struct reading *reading, const char *key, const char *file)
{
    const char *text;
    int error = config_pem_read(reading->reading->pool, file, &text);

    reading->is_out_of_memory = reading->is_out_of_memory || error == -ENOMEM;
    if (error)
        refuse(reading, key, strerror(-error));
    return error ? "" : text;
}

static void read_identity(struct reading *reading)
{
    struct config_tls *tls = reading->tls;
    const char *complaint;

    if (!*tls->public_key)
        refuse(reading, "public_key", "HTTPS needs a certificate");
    if (!*tls->private_key)
        refuse(reading, "private_key", "HTTPS needs the certificate's key");
    if (!*tls->public_key || !*tls->private_key)
        return;
    tls->certificate = read_file(reading, "public_key", tls->public_key);
    tls->key = read_file(reading, "private_key", tls->private_key);
    if (!*tls->certificate || !*tls->key)
        return;
    complaint = pem_use_certificate(reading->context, tls->certificate, strlen(tls->certificate));
    if (complaint) {
        refuse(reading, "public_key", complaint);
        return;
    }
    complaint = pem_use_key(reading->context, tls->key, strlen(tls->key));
    if (complaint)
        refuse(reading, "private_key", complaint);
}

/* Appends one file of authorities, or the system's, when each that it holds can be used. */
static void add_authorities(
    struct reading *reading, const struct config_path *path, const char *file)
{
    struct config_tls *tls = reading->tls;
    const char *text = "", *complaint;
    int error = config_pem_read(reading->reading->pool, file, &text);

    if (error == -ENOMEM) {
        reading->is_out_of_memory = true;
        return;
    }
    complaint = error ? strerror(-error) : pem_trust(reading->context, text, strlen(text));
    if (complaint) {
        config_report(reading->reading, FINDING_ERROR, path, "cannot be used: %s", complaint);
        return;
    }
    text = config_pool_format(reading->reading->pool, "%s%s", tls->authorities, text);
    if (text)
        tls->authorities = text;
    else
        reading->is_out_of_memory = true;
}

static void read_authorities(struct reading *reading)
{
    const struct config_tls *tls = reading->tls;
    struct config_path list = config_path_member(&reading->path, "ca_certs");

    if (!tls->wants_client_certificate)
        return;
    for (size_t i = 0; i < tls->ca_certs.n; i++) {
        struct config_path path = config_path_element(&list, i);

        add_authorities(reading, &path, tls->ca_certs.items[i]);
    }
    if (tls->ca_certs.n)
        return;
    if (tls->has_no_system_authorities)
        refuse(reading, "disable_system_ca_pool", "without ca_certs no client could be let in");
    else
        add_authorities(reading, &list, "");
}

int config_listener_tls_read(
    const struct config_reading *reading, const json_t *tls, struct config *config)
{
    CLEANUP(context_done) SSL_CTX *context = NULL;
    struct config_path document = {0};
    struct reading loading = {
        .reading = reading, .path = config_path_member(&document, "tls"), .tls = &config->tls};

    config->tls.certificate = config->tls.key = config->tls.authorities = "";
    config->tls.ciphers = config->tls.suites = "";
    if (!config->tls.is_present || config->tls.is_disabled)
        return 0;
    context = loading.context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return -ENOMEM;
    check_versions(&loading);
    read_suites(&loading, tls);
    read_identity(&loading);
    read_authorities(&loading);
    return loading.is_out_of_memory ? -ENOMEM : 0;
}
