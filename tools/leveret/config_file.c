/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "shm/json.h"
#include "config_file.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

__attribute__((format(printf, 3, 4))) static void refuse_at(
    const struct config_reading *reading, size_t offset, const char *format, ...)
{
    struct finding_place place = {
        .source = reading->source, .path = "$", .offset = offset, .has_offset = true};
    char message[200];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments); /* ours are shorter */
    va_end(arguments);
    findings_add(reading->findings, FINDING_ERROR, place, "%s", message);
}

/* Up to CONFIG_FILE_BYTES_MAX and one more, so that a longer file can be told. */
static int read_all(int fd, struct config_file *file)
{
    size_t room = CONFIG_FILE_BYTES_MAX + 1;

    file->text = malloc(room);
    if (!file->text)
        return -ENOMEM;
    for (;;) {
        ssize_t n = read(fd, file->text + file->length, room - file->length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        file->length += (size_t)n;
    }
}

static int read_text(const struct config_reading *reading, struct config_file *file)
{
    CLEANUP(cleanup_fd) int fd = open(reading->source, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? -errno : read_all(fd, file);

    if (error == -ENOMEM)
        return error;
    if (error)
        refuse_at(reading, 0, "cannot be read: %s", strerror(-error));
    else if (file->length > CONFIG_FILE_BYTES_MAX)
        refuse_at(reading, 0, "has more than %d MiB, which is more than is read",
            CONFIG_FILE_BYTES_MAX >> 20);
    return 0;
}

static void skip_byte_order_mark(struct config_file *file)
{
    size_t length = strlen(BYTE_ORDER_MARK);

    if (file->length < length || memcmp(file->text, BYTE_ORDER_MARK, length) != 0)
        return;
    file->length -= length;
    memmove(file->text, file->text + length, file->length);
}

/* Templates are no JSON, and somebody who forgot to render one should hear just that. */
static bool refuse_template(const struct config_reading *reading, const struct config_file *file)
{
    const char *braces = memmem(file->text, file->length, "{{", 2);

    if (!braces)
        return false;
    refuse_at(reading, (size_t)(braces - file->text),
        "template braces {{ are not replaced: render the file before Leveret reads it");
    return true;
}

static bool is_json(const struct config_reading *reading, const struct config_file *file)
{
    struct json_value value;
    size_t fault;

    switch (json_check(file->text, file->length, &value, &fault)) {
    case JSON_OK:
        return true;
    case JSON_TOO_DEEP:
        refuse_at(reading, fault, "is nested deeper than %d levels", JSON_MAX_DEPTH);
        return false;
    case JSON_TRAILING:
        refuse_at(reading, fault, "has something behind its end");
        return false;
    default:
        break;
    }
    if (fault == file->length)
        refuse_at(reading, fault, "breaks off: this is not the end of a JSON text");
    else if (!refuse_template(reading, file))
        refuse_at(reading, fault, "is not JSON from here on");
    return false;
}

/* Where the key begins that ends before offset. */
static size_t key_before(const struct config_file *file, size_t offset)
{
    const char *quote = offset > 1 ? memrchr(file->text, '"', offset - 1) : NULL;

    return quote ? (size_t)(quote - file->text) : 0;
}

/*
 * What is JSON and still not taken. Jansson's own words would quote strings, so they are not used;
 * and of what is left when the text was checked before, only memory can be the reason.
 */
static int refuse_json(
    const struct config_reading *reading, const struct config_file *file, const json_error_t *error)
{
    static const char half_a_pair[] = "invalid Unicode";
    size_t offset = (size_t)error->position;

    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        refuse_at(reading, key_before(file, offset), "the object has this key twice");
        return 0;
    case json_error_numeric_overflow:
        refuse_at(reading, offset, "the number before this is too large");
        return 0;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        refuse_at(reading, offset, "the string before this has a NUL in it");
        return 0;
    default:
        break;
    }
    if (strncmp(error->text, half_a_pair, strlen(half_a_pair)) != 0)
        return -ENOMEM;
    refuse_at(reading, offset, "the string before this has half of a surrogate pair in it");
    return 0;
}

static int parse(const struct config_reading *reading, struct config_file *file)
{
    json_error_t error;

    file->root =
        json_loadb(file->text, file->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    return file->root ? 0 : refuse_json(reading, file, &error);
}

int config_file_read(const struct config_reading *reading, struct config_file *file)
{
    int error = read_text(reading, file);

    if (error || reading->findings->n_errors > 0)
        return error;
    skip_byte_order_mark(file);
    return is_json(reading, file) ? parse(reading, file) : 0;
}

void config_file_done(struct config_file *file)
{
    if (file->text)
        explicit_bzero(file->text, file->length);
    free(file->text);
    json_decref(file->root);
    *file = (struct config_file){0};
}
