/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_client.h"
#include "visible.h"

enum { STATUS_OK = 200, STATUS_FAILING = 503, MAX_SHOWN = 8 };

static const struct {
    const char *path, *word;
} kinds[] = {
    [PROBE_LIVE] = {"/__live", "live"},
    [PROBE_READY] = {"/__ready", "ready"},
    [PROBE_STARTUP] = {"/__startup", "started"},
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* `before` stands where there is something behind it. */
static void put(const char *before, const char *text)
{
    if (!*text)
        return;
    (void)fputs(before, stdout);
    (void)visible_write(text, SIZE_MAX, stdout);
}

/* "broker-away POST /orders: 10.0.4.7:5672/": what it is about says more than what it means. */
static void put_reason(const char *before, const json_t *reason)
{
    const char *what = text_of(reason, "what");
    put(before, text_of(reason, "reason"));
    put(" ", text_of(reason, "endpoint"));
    put(": ", *what ? what : text_of(reason, "detail"));
}

static void say_why_not(const char *word, const json_t *reasons)
{
    size_t n = json_array_size(reasons);
    (void)printf("not %s", word);
    for (size_t i = 0; i < n && i < MAX_SHOWN; i++)
        put_reason(i == 0 ? ": " : "; ", json_array_get(reasons, i));
    if (n > MAX_SHOWN)
        (void)printf("; and %zu more", n - MAX_SHOWN);
    (void)putchar('\n');
}

/* A sidecar says one of two things, each with a status of its own. */
static enum admin_outcome read_verdict(const struct options *options,
    const struct admin_answer *answer, const json_t *said, struct admin_failure *failure)
{
    const char *expected = answer->status == STATUS_OK ? "ok" : "failing";
    bool is_known = answer->status == STATUS_OK || answer->status == STATUS_FAILING;
    if (is_known && strcmp(text_of(said, "status"), expected) == 0)
        return ADMIN_ANSWERED;
    return admin_fail(failure,
        "%s is not the admin listener of a sidecar: it answered %d to %s, and not as one does",
        options->whom.url, answer->status, kinds[options->probe].path);
}

static enum admin_outcome ask(
    const struct options *options, int *status, json_t **said, struct admin_failure *failure)
{
    struct admin_client client;
    CLEANUP(admin_answer_done) struct admin_answer answer = {0};
    admin_client_init(&client, &options->whom, options->token);
    enum admin_outcome outcome =
        admin_get(&client, kinds[options->probe].path, options->timeout_ns, &answer, failure);
    admin_client_done(&client);
    if (outcome != ADMIN_ANSWERED)
        return outcome;
    *status = answer.status;
    *said = json_loadb(answer.body, answer.body_bytes, 0, NULL);
    return read_verdict(options, &answer, *said, failure);
}

int probe_run(const struct options *options)
{
    const char *word = kinds[options->probe].word;
    struct admin_failure failure;
    json_t *said = NULL;
    int status;
    (void)setlocale(LC_CTYPE, ""); /* which characters can be shown */
    enum admin_outcome outcome = ask(options, &status, &said, &failure);
    if (outcome != ADMIN_ANSWERED)
        admin_complain(&failure);
    else if (status != STATUS_OK)
        say_why_not(word, json_object_get(said, "reasons"));
    else if (options->is_verbose)
        (void)puts(word);
    json_decref(said);
    return outcome == ADMIN_ANSWERED && status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
