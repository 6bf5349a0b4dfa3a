/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/tls_door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/port.h"
#include "tests/support/require.h"

enum { MAX_VISITORS = 64, BYTES = 16384, ANSWERS_BEFORE_SPOILT = 3 };

struct visitor {
    struct tls_door *door;
    int nth, fd;
    SSL *ssl;
    int n_answers;
    pthread_t thread;
};

struct tls_door {
    struct tls_door_options options;
    SSL_CTX *context;
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_int n_visitors;
    struct visitor visitors[MAX_VISITORS];
};

/* ---- TLS ---- */

static X509 *certificate_from(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    require(certificate != NULL, "a certificate cannot be read");
    (void)BIO_free(bio); /* of memory */
    return certificate;
}

static void show(SSL_CTX *context, const struct certificate *own)
{
    X509 *certificate = certificate_from(own->pem);
    BIO *bio = BIO_new_mem_buf(own->key_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    require(SSL_CTX_use_certificate(context, certificate) == 1 &&
                SSL_CTX_use_PrivateKey(context, key) == 1,
        "the door's certificate");
    (void)BIO_free(bio); /* of memory */
    EVP_PKEY_free(key);
    X509_free(certificate);
}

static void demand(SSL_CTX *context, const char *authority)
{
    X509 *certificate = certificate_from(authority);
    require(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1, "authority");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_free(certificate);
}

static SSL_CTX *context_new(const struct tls_door_options *options)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    require(context != NULL, "SSL_CTX_new");
    show(context, options->certificate);
    if (options->demanded_by)
        demand(context, options->demanded_by);
    return context;
}

/* ---- one visitor ---- */

/* What the manner wants before an answer; false: the connection is of no use any more. */
static bool misbehave(struct visitor *visitor)
{
    static const char broken[] = "\x17\3\3\0\x20 is what a record begins with.......";
    switch (visitor->door->options.manner) {
    case TLS_REKEYS:
        return SSL_key_update(visitor->ssl, SSL_KEY_UPDATE_REQUESTED) == 1;
    case TLS_SPOILS:
        if (visitor->nth > 0 || ++visitor->n_answers < ANSWERS_BEFORE_SPOILT)
            return true;
        (void)send(visitor->fd, broken, sizeof broken, MSG_NOSIGNAL);
        return false;
    default:
        return true;
    }
}

static bool carry_in(struct visitor *visitor, int broker)
{
    char bytes[BYTES];
    do {
        int n = SSL_read(visitor->ssl, bytes, sizeof bytes);
        if (n <= 0 || send(broker, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            return false;
    } while (SSL_pending(visitor->ssl) > 0);
    return true;
}

static bool carry_out(struct visitor *visitor, int broker)
{
    char bytes[BYTES];
    ssize_t n = recv(broker, bytes, sizeof bytes, 0);
    return n > 0 && misbehave(visitor) && SSL_write(visitor->ssl, bytes, (int)n) == n;
}

static void carry(struct visitor *visitor)
{
    int broker = port_connect(visitor->door->options.port);
    bool goes_on = broker >= 0;
    while (goes_on) {
        struct pollfd fds[] = {
            {.fd = visitor->fd, .events = POLLIN}, {.fd = broker, .events = POLLIN}};
        goes_on = poll(fds, 2, -1) > 0 && (!fds[0].revents || carry_in(visitor, broker)) &&
                  (!fds[1].revents || carry_out(visitor, broker));
    }
    if (broker >= 0)
        (void)close(broker); /* of a socket: nothing to lose */
}

static void hear_until_end(int fd)
{
    char bytes[BYTES];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

static void hear_first_word(int fd)
{
    char bytes[BYTES];
    (void)recv(fd, bytes, sizeof bytes, 0); /* whatever it is */
}

static void *receive(void *owner)
{
    static const char babble[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct visitor *visitor = owner;
    switch (visitor->door->options.manner) {
    case TLS_MUTE:
        hear_until_end(visitor->fd);
        break;
    case TLS_CLOSES:
        hear_first_word(visitor->fd);
        break;
    case TLS_BABBLES:
        hear_first_word(visitor->fd);
        (void)send(visitor->fd, babble, sizeof babble - 1, MSG_NOSIGNAL);
        hear_until_end(visitor->fd);
        break;
    default:
        visitor->ssl = SSL_new(visitor->door->context);
        if (visitor->ssl && SSL_set_fd(visitor->ssl, visitor->fd) == 1 &&
            SSL_accept(visitor->ssl) == 1)
            carry(visitor);
        SSL_free(visitor->ssl);
        break;
    }
    (void)shutdown(visitor->fd, SHUT_RDWR); /* the descriptor goes with the door */
    return NULL;
}

/* ---- the door ---- */

static void *let_in(void *owner)
{
    struct tls_door *door = owner;
    int fd;
    while ((fd = accept4(door->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int nth = atomic_load(&door->n_visitors);
        require(nth < MAX_VISITORS, "more visitors than anybody expects");
        struct visitor *visitor = &door->visitors[nth];
        *visitor = (struct visitor){.door = door, .nth = nth, .fd = fd};
        require(pthread_create(&visitor->thread, NULL, receive, visitor) == 0, "pthread_create");
        atomic_store(&door->n_visitors, nth + 1);
    }
    return NULL;
}

struct tls_door *tls_door_open(const struct tls_door_options *options)
{
    struct tls_door *door = calloc(1, sizeof *door);
    require(door != NULL, "no memory");
    door->options = *options;
    door->context = context_new(options);
    door->port = port_reserve();
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(door->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const int on = 1;
    door->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(setsockopt(door->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                bind(door->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                listen(door->listener, SOMAXCONN) == 0,
        "listen");
    require(pthread_create(&door->thread, NULL, let_in, door) == 0, "pthread_create");
    return door;
}

void tls_door_close(struct tls_door *door)
{
    (void)shutdown(door->listener, SHUT_RDWR); /* ends the thread's accept */
    (void)pthread_join(door->thread, NULL);
    (void)close(door->listener); /* of a socket: nothing to lose */
    int n = atomic_load(&door->n_visitors);
    for (int i = 0; i < n; i++) {
        (void)shutdown(door->visitors[i].fd, SHUT_RDWR); /* ends what he waits for */
        (void)pthread_join(door->visitors[i].thread, NULL);
        (void)close(door->visitors[i].fd); /* of a socket: nothing to lose */
    }
    SSL_CTX_free(door->context);
    free(door);
}

uint16_t tls_door_port(const struct tls_door *door)
{
    return door->port;
}

int tls_door_n_visitors(const struct tls_door *door)
{
    return atomic_load(&door->n_visitors);
}
