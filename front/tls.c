/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <openssl/err.h>
#include <string.h>

#include "shm/log.h"
#include "shm/pem.h"

#include "connection.h"

static const unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

static int on_protocols_offered(SSL *session, const unsigned char **chosen, unsigned char *n_chosen,
    const unsigned char *offered, unsigned n_offered, void *owner)
{
    unsigned char *found;
    int outcome =
        SSL_select_next_proto(&found, n_chosen, http_1_1, sizeof(http_1_1), offered, n_offered);
    *chosen = found;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* OpenSSL's words are literals: nothing of what the client sent is in them. */
static void log_refusal(const struct connection *connection, long verdict)
{
    char peer[CONNECTION_PEER_BYTES + 1] = "";
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    memcpy(peer, connection->peer, connection->n_peer_bytes);
    log_often(LOG_WARN, "tls-refused", NULL, "peer=%s reason=\"%s%s%s\": it is not let in", peer,
        words ? words : "no TLS that can be read", verdict == X509_V_OK ? "" : ": ",
        verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict));
}

/* Of a handshake that fails the library tells nobody, and of one that is done not whose it is; but
 * it reads and writes through a BIO whose data is its socket. */
static void on_progress(const SSL *session, int where, int result)
{
    struct connection *connection = connection_of(BIO_get_data(SSL_get_rbio(session)));
    if (where & SSL_CB_HANDSHAKE_DONE)
        connection->session = session;
    else if (where == SSL_CB_ACCEPT_EXIT && result <= 0 && ERR_peek_last_error())
        log_refusal(connection, SSL_get_verify_result(session)); /* else it waits for more */
}

static void limit(SSL_CTX *context, const struct plan_server_tls *tls)
{
    static const unsigned char name[] = "leveret";
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* an idle connection holds none */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_session_id_context(context, name, sizeof(name)); /* short enough */
    SSL_CTX_set_alpn_select_cb(context, on_protocols_offered, NULL);
    SSL_CTX_set_info_callback(context, on_progress);
    if (!tls->authorities.length)
        return;
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_num_tickets(context, 0); /* of TLS 1.3; none is a number of them */
}

static bool set_protocol(
    SSL_CTX *context, const struct plan *plan, const struct plan_server_tls *tls)
{
    return SSL_CTX_set_min_proto_version(
               context, tls->speaks_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(
               context, tls->speaks_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
           (!tls->ciphers.length ||
               SSL_CTX_set_cipher_list(context, plan_string(plan, tls->ciphers)) == 1) &&
           (!tls->suites.length ||
               SSL_CTX_set_ciphersuites(context, plan_string(plan, tls->suites)) == 1);
}

/* Whom clients are told that we trust, so that they know which certificate to show (RFC 8446,
 * 4.2.4). */
static bool name_authorities(SSL_CTX *context)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (certificate && SSL_CTX_add_client_CA(context, certificate) != 1)
            return false;
    }
    return true;
}

static const char *equip(
    SSL_CTX *context, const struct plan *plan, const struct plan_server_tls *tls)
{
    limit(context, tls);
    if (!set_protocol(context, plan, tls))
        return "OpenSSL does not take its versions or cipher suites";
    const char *complaint =
        pem_use_certificate(context, plan_string(plan, tls->certificate), tls->certificate.length);
    if (!complaint)
        complaint = pem_use_key(context, plan_string(plan, tls->key), tls->key.length);
    if (complaint || !tls->authorities.length)
        return complaint;
    complaint = pem_trust(context, plan_string(plan, tls->authorities), tls->authorities.length);
    if (!complaint && !name_authorities(context))
        complaint = "there is no memory for the names of the authorities";
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return complaint;
}

SSL_CTX *tls_new(const struct plan *plan, const struct plan_server_tls *tls, const char **complaint)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    *complaint = context ? equip(context, plan, tls) : "there is no memory for it";
    if (!*complaint)
        return context;
    SSL_CTX_free(context);
    return NULL;
}
