/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fuzz targets share. A target is one file, named after what it feeds, with the one function that
 * libFuzzer calls for each input. The same file is linked with libFuzzer, which makes inputs up
 * (tools/fuzz), and with replay.c, which takes them from the corpus in every test run.
 *
 * Sanitizers see what the memory sees. What else must hold, whatever the input is, a target says
 * itself: fuzz_expect(). What the target's surroundings owe it is require(), as in any test.
 */
#ifndef LEVERET_TESTS_FUZZ_H
#define LEVERET_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One input. Returns 0. It ends the process when something does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define fuzz_expect(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What of an input was not taken yet. */
struct fuzz_input {
    const uint8_t *at;
    size_t n;
};

/* The next byte; 0 when none is left. */
static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (!input->n)
        return 0;
    input->n--;
    return *input->at++;
}

/* The bytes up to the next line break, which is taken too, or to the end. */
static inline struct fuzz_input fuzz_line(struct fuzz_input *input)
{
    const uint8_t *end = input->n ? memchr(input->at, '\n', input->n) : NULL;
    struct fuzz_input line = {input->at, end ? (size_t)(end - input->at) : input->n};
    size_t n_taken = line.n + (end != NULL);
    input->at += n_taken;
    input->n -= n_taken;
    return line;
}

/* At most `n` bytes. */
static inline struct fuzz_input fuzz_bytes(struct fuzz_input *input, size_t n)
{
    struct fuzz_input taken = {input->at, n < input->n ? n : input->n};
    input->at += taken.n;
    input->n -= taken.n;
    return taken;
}

/* The same bytes in memory of their own, exactly as long, so that a sanitizer sees a read beyond.
 * The caller frees it. */
static inline char *fuzz_box(struct fuzz_input bytes)
{
    char *box = malloc(bytes.n + !bytes.n);
    if (!box)
        abort();
    if (bytes.n)
        memcpy(box, bytes.at, bytes.n);
    return box;
}

/* The same as a string; NULs in it end it early. The caller frees it. */
static inline char *fuzz_string(struct fuzz_input bytes)
{
    char *string = strndup((const char *)(bytes.n ? bytes.at : (const uint8_t *)""), bytes.n);
    if (!string)
        abort();
    return string;
}

#endif
