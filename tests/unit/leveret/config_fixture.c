/* SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/cleanup.h"

static char folder[] = "/tmp/leveret-config-XXXXXX";

void fixture_enter(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

void fixture_leave(void)
{
    DIR *entries = opendir(".");
    struct dirent *entry;

    cr_assert_not_null(entries);
    while ((entry = readdir(entries)))
        if (*entry->d_name != '.')
            cr_assert_eq(remove(entry->d_name), 0);
    (void)closedir(entries);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(rmdir(folder), 0);
}

void fixture_write(const char *name, const void *bytes, size_t length)
{
    CLEANUP(cleanup_file) FILE *file = fopen(name, "w");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, length, file), length);
}

void fixture_write_text(const char *name, const char *text)
{
    fixture_write(name, text, strlen(text));
}

void fixture_identities_init(struct fixture_identities *identities)
{
    struct authority *authority = &identities->authority;

    authority_init(authority, "authority");
    certificate_init(&identities->me, authority, &(struct certificate_order){.name = "me"});
    certificate_init(&identities->other, authority, &(struct certificate_order){.name = "other"});
    fixture_write_text("ca.pem", authority->pem);
    fixture_write_text("me.pem", identities->me.pem);
    fixture_write_text("me.key", identities->me.key_pem);
    fixture_write_text("other.key", identities->other.key_pem);
    fixture_write_text("prose", "There is nothing of PEM in here.\n");
    cr_assert_eq(setenv("SSL_CERT_FILE", "nowhere", 1), 0);
    cr_assert_eq(setenv("SSL_CERT_DIR", "nowhere", 1), 0);
}

void fixture_identities_done(struct fixture_identities *identities)
{
    certificate_done(&identities->me);
    certificate_done(&identities->other);
    authority_done(&identities->authority);
}

static char *print(const struct findings *findings)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    cr_assert_not_null(out);
    findings_print(findings, out);
    cr_assert_eq(fclose(out), 0);
    return text;
}

struct loaded fixture_load_bytes(
    const void *bytes, size_t length, const struct overrides *overrides)
{
    struct loaded loaded = {0};

    fixture_write("f", bytes, length);
    loaded.outcome = config_load("f", overrides, &loaded.config, &loaded.findings);
    loaded.report = print(&loaded.findings);
    return loaded;
}

struct loaded fixture_load(const char *text)
{
    const struct overrides none = {.port = -1};

    return fixture_load_bytes(text, strlen(text), &none);
}

void loaded_done(struct loaded *loaded)
{
    config_free(loaded->config);
    findings_done(&loaded->findings);
    free(loaded->report);
}

void fixture_expect_reports(const struct report_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct loaded loaded = fixture_load(rows[i].text);

        cr_expect_str_eq(loaded.report, rows[i].report, "%s\ngave\n%swanted\n%s", rows[i].text,
            loaded.report, rows[i].report);
        cr_expect_eq(loaded.outcome, rows[i].outcome, "%s", rows[i].text);
        loaded_done(&loaded);
    }
}
