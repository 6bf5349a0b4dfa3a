/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config_pem.h"

/* Appends the file to `out`. 0, or a negative errno. */
static int copy_file(const char *path, FILE *out)
{
    char bytes[4096];
    struct stat stat;
    ssize_t n;
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &stat) < 0)
        return -errno;
    if (!S_ISREG(stat.st_mode))
        return -EINVAL;
    if (stat.st_size > CONFIG_PEM_BYTES_MAX)
        return -EFBIG;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, (size_t)n, out);
    explicit_bzero(bytes, sizeof bytes);
    fputc('\n', out); /* another one may follow */
    return n < 0 ? -errno : 0;
}

/* "9d04f354.0", as openssl rehash makes them; the file beside it has another name. */
static bool is_hashed(const char *name)
{
    size_t n = strspn(name, "0123456789abcdef");

    return n == 8 && name[n] == '.' && isdigit((unsigned char)name[n + 1]);
}

static void copy_folder(const char *path, FILE *out)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        char file[PATH_MAX];
        int n = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);

        if (n < (int)sizeof file && is_hashed(entry->d_name))
            (void)copy_file(file, out); /* one that has gone is not trusted */
    }
    if (folder)
        (void)closedir(folder); /* it was only read */
}

static const char *path_from(const char *variable, const char *otherwise)
{
    const char *path = getenv(variable);

    return path && *path ? path : otherwise;
}

/* Where OpenSSL looks when it is told to take the system's, and nobody else may look later. */
static void copy_system(FILE *out)
{
    const char *file = path_from(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    const char *folders = path_from(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());

    (void)copy_file(file, out); /* one of the two is enough */
    while (*folders) {
        size_t n = strcspn(folders, ":");
        char folder[PATH_MAX];

        if (n < sizeof folder && snprintf(folder, sizeof folder, "%.*s", (int)n, folders) >= 0)
            copy_folder(folder, out);
        folders += n + (folders[n] == ':');
    }
}

int config_pem_read(struct config_pool *pool, const char *path, const char **text)
{
    CLEANUP(cleanup_free) char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    int error = 0;

    if (out && *path)
        error = copy_file(path, out);
    else if (out)
        copy_system(out);
    if (!out || fclose(out) != 0)
        return -ENOMEM;
    if (!error && !(*text = config_pool_copy(pool, bytes, length)))
        error = -ENOMEM;
    explicit_bzero(bytes, length);
    return error;
}
