/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test expects of an answer or of a message, in one line each, with a report that shows what
 * was there instead.
 */
#ifndef LEVERET_TESTS_EXPECT_H
#define LEVERET_TESTS_EXPECT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/support/amqp_client.h"
#include "tests/support/http_client.h"

#define expect_status(answer, expected)                                                            \
    cr_assert_eq((answer)->status, expected, "status %d instead of %d: %s %s", (answer)->status,   \
        expected, (answer)->failure, (answer)->body)

#define expect_header(answer, name, expected)                                                      \
    do {                                                                                           \
        char value_[1024];                                                                         \
        const char *found_ = http_header(answer, name, value_, sizeof value_);                     \
        cr_assert(found_ != NULL && strcmp(found_, expected) == 0, "%s: %s instead of %s", name,   \
            found_ == NULL ? "nothing" : found_, expected);                                        \
    } while (0)

#define expect_no_header(answer, name)                                                             \
    do {                                                                                           \
        char value_[1024];                                                                         \
        const char *found_ = http_header(answer, name, value_, sizeof value_);                     \
        cr_assert_null(found_, "%s: %s instead of nothing", name, found_);                         \
    } while (0)

#define expect_body(answer, expected)                                                              \
    cr_assert_str_eq((answer)->body, expected, "body %s instead of %s", (answer)->body, expected)

/* An RFC 9457 problem of that kind, whose status stands in the body too. */
#define expect_problem(answer, expected_status, kind)                                              \
    do {                                                                                           \
        expect_status(answer, expected_status);                                                    \
        expect_header(answer, "Content-Type", "application/problem+json");                         \
        char type_[128];                                                                           \
        (void)snprintf(type_, sizeof type_, "\"type\":\"/problems/%s\"", kind);                    \
        cr_assert_not_null(strstr((answer)->body, type_), "no %s in %s", type_, (answer)->body);   \
        (void)snprintf(type_, sizeof type_, "\"status\":%d", expected_status);                     \
        cr_assert_not_null(strstr((answer)->body, type_), "no %s in %s", type_, (answer)->body);   \
    } while (0)

#define expect_in_body(answer, text)                                                               \
    cr_assert_not_null(strstr((answer)->body, text), "no %s in %s", text, (answer)->body)

#define expect_text(found, expected)                                                               \
    cr_assert(amqp_is_text(found, expected), "%.*s instead of %s", (int)(found).len,               \
        (const char *)(found).bytes, expected)

#define expect_amqp_header(received, name, expected)                                               \
    do {                                                                                           \
        const amqp_field_value_t *field_ = amqp_received_header(received, name);                   \
        cr_assert_not_null(field_, "no header %s", name);                                          \
        cr_assert_eq(                                                                              \
            field_->kind, AMQP_FIELD_KIND_UTF8, "header %s is of kind %c", name, field_->kind);    \
        expect_text(field_->value.bytes, expected);                                                \
    } while (0)

#endif
