/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include "config_expand.h"

/* One `${...}` and what it is replaced with. */
struct reference {
    const char *name; /* what stands before `}` or `:-` */
    const char *fallback;
    const char *value;
};

bool config_expand_is_needed(const char *text)
{
    return strstr(text, "${");
}

static bool is_name(const char *text)
{
    if (*text >= '0' && *text <= '9')
        return false;
    return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789_")] == '\0';
}

/* NULL: it cannot be read as text, errno says why. */
static const char *read_secret(struct config_pool *pool, const char *path)
{
    char bytes[CONFIG_EXPAND_FILE_MAX + 1];
    struct stat stat;
    ssize_t n;
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &stat) < 0)
        return NULL;
    errno = EINVAL;
    if (!S_ISREG(stat.st_mode))
        return NULL;
    n = read(fd, bytes, sizeof bytes);
    if (n < 0)
        return NULL;
    errno = EFBIG;
    if (n == sizeof bytes)
        return NULL;
    errno = EILSEQ;
    if (memchr(bytes, '\0', (size_t)n))
        return NULL;
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    errno = ENOMEM;
    return config_pool_copy(pool, bytes, (size_t)n);
}

static int complain(struct config_expanded *expanded, const char *complaint)
{
    expanded->complaint = complaint;
    return complaint ? 0 : -ENOMEM;
}

static int resolve_file(
    struct config_pool *pool, struct reference *reference, struct config_expanded *expanded)
{
    const char *path = reference->name + strlen("file:");

    reference->value = read_secret(pool, path);
    if (reference->value)
        return 0;
    return complain(
        expanded, config_pool_format(pool, "${file:%s} cannot be read: %s", path, strerror(errno)));
}

static int resolve_variable(struct config_pool *pool, json_t *variables,
    struct reference *reference, struct config_expanded *expanded)
{
    if (!is_name(reference->name))
        return complain(
            expanded, config_pool_format(
                          pool, "${%s} names neither a variable nor a file:", reference->name));
    if (json_object_set_new(variables, reference->name, json_true()) < 0)
        return -ENOMEM;
    reference->value = getenv(reference->name);
    if ((!reference->value || !*reference->value) && reference->fallback)
        reference->value = reference->fallback;
    if (reference->value)
        return 0;
    return complain(
        expanded, config_pool_format(pool, "${%s} is not set and has no default", reference->name));
}

/* Resolves the reference that begins at *text and moves *text behind it. */
static int resolve(struct config_pool *pool, json_t *variables, const char **text,
    struct reference *reference, struct config_expanded *expanded)
{
    const char *begin = *text + strlen("${"), *end = strchr(begin, '}');
    char *inside, *separator;

    if (!end)
        return complain(expanded, config_pool_format(pool, "${ without its }"));
    *text = end + 1;
    inside = config_pool_copy(pool, begin, (size_t)(end - begin));
    if (!inside)
        return -ENOMEM;
    *reference = (struct reference){.name = inside};
    if (strncmp(inside, "file:", strlen("file:")) == 0)
        return resolve_file(pool, reference, expanded);
    separator = strstr(inside, ":-");
    if (separator) {
        *separator = '\0';
        reference->fallback = separator + strlen(":-");
    }
    return resolve_variable(pool, variables, reference, expanded);
}

/* Writes the text with its references replaced to `out`, up to the first complaint. */
static int write_expanded(struct config_pool *pool, json_t *variables, const char *text, FILE *out,
    struct config_expanded *expanded)
{
    for (;;) {
        const char *next = strstr(text, "${");
        struct reference reference;
        int error;

        if (!next) {
            fputs(text, out);
            return 0;
        }
        fwrite(text, 1, (size_t)(next - text), out);
        text = next;
        error = resolve(pool, variables, &text, &reference, expanded);
        if (error || expanded->complaint)
            return error;
        fputs(reference.value, out);
    }
}

int config_expand(
    struct config_pool *pool, json_t *variables, const char *text, struct config_expanded *expanded)
{
    CLEANUP(cleanup_free) char *bytes = NULL;
    size_t length = 0;
    FILE *out;
    int error;

    *expanded = (struct config_expanded){0};
    out = open_memstream(&bytes, &length);
    if (!out)
        return -ENOMEM;
    error = write_expanded(pool, variables, text, out, expanded);
    if (fclose(out) != 0 || error)
        return -ENOMEM;
    if (expanded->complaint)
        return 0;
    expanded->text = config_pool_copy(pool, bytes, length);
    explicit_bzero(bytes, length);
    return expanded->text ? 0 : -ENOMEM;
}
