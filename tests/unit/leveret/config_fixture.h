/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration from a text: written to a file named "f" in a folder of its own, where the test
 * then stands, and loaded from there.
 */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include "config.h"
#include "tests/support/certificates.h"

struct loaded {
    int outcome;
    struct config *config; /* NULL unless CONFIG_VALID */
    struct findings findings;
    char *report; /* as findings_print() has it */
};

void fixture_enter(void); /* .init of a suite */
void fixture_leave(void); /* .fini */

void fixture_write(const char *name, const void *bytes, size_t length);
void fixture_write_text(const char *name, const char *text);

/* For files that name certificates: ca.pem, me.pem and me.key, other.key, prose, which holds nothing of
 * PEM; and no authorities of the system. */
struct fixture_identities {
    struct authority authority;
    struct certificate me, other;
};
void fixture_identities_init(struct fixture_identities *identities);
void fixture_identities_done(struct fixture_identities *identities);

struct loaded fixture_load(const char *text);
struct loaded fixture_load_bytes(
    const void *bytes, size_t length, const struct overrides *overrides);
void loaded_done(struct loaded *loaded);

/* A file, and all that is to be said about it. */
struct report_row {
    const char *text, *report;
    int outcome;
};

/* Loads each and compares. */
void fixture_expect_reports(const struct report_row *rows, size_t n);

#endif
