/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "options.h"

enum { ARGUMENTS_MAX = 16 };

struct parsed {
    enum options_outcome outcome;
    struct options options;
    struct options_error error;
};

/* Parses words that are separated by single spaces. */
static struct parsed parse(const char *line)
{
    static char copy[256];
    char *argv[ARGUMENTS_MAX + 1];
    int argc = 0;
    char *rest = copy;
    struct parsed parsed = {.options.config = "untouched"};
    (void)strncpy(copy, line, sizeof(copy) - 1);
    while (argc < ARGUMENTS_MAX && (argv[argc] = strsep(&rest, " ")))
        argc++;
    argv[argc] = NULL;
    parsed.outcome = options_parse(argc, argv, &parsed.options, &parsed.error);
    return parsed;
}

Test(options, run_takes_a_file_a_port_a_number_of_workers_and_an_address)
{
    struct parsed parsed = parse("leveret run -c a.json -p 9000 --workers 3 --admin off");
    cr_assert_eq(parsed.outcome, OPTIONS_OK);
    cr_assert_eq(parsed.options.command, OPTIONS_RUN);
    cr_assert_str_eq(parsed.options.config, "a.json");
    cr_assert_eq(parsed.options.port, 9000);
    cr_assert_eq(parsed.options.n_workers, 3);
    cr_assert_str_eq(parsed.options.admin, "off");
}

Test(options, what_is_not_said_is_told_from_zero)
{
    struct parsed silent = parse("leveret run --config=a.json");
    cr_assert_eq(silent.outcome, OPTIONS_OK);
    cr_assert_eq(silent.options.port, -1);
    cr_assert_eq(silent.options.n_workers, 0);
    cr_assert_eq(silent.options.rehearsal, 0);
    cr_assert_null(silent.options.admin);
    struct parsed any = parse("leveret run -c a.json --port 0");
    cr_assert_eq(any.outcome, OPTIONS_OK);
    cr_assert_eq(any.options.port, 0);
}

Test(options, check_asks_brokers_when_asked)
{
    struct parsed silent = parse("leveret check --strict -c a.json");
    cr_assert_eq(silent.outcome, OPTIONS_OK);
    cr_assert(!silent.options.asks_brokers);
    struct parsed asking = parse("leveret check --broker -c a.json");
    cr_assert_eq(asking.outcome, OPTIONS_OK);
    cr_assert(asking.options.asks_brokers);
    cr_assert_eq(parse("leveret run --broker -c a.json").outcome, OPTIONS_BAD);
}

Test(options, check_is_strict_when_asked)
{
    struct parsed lax = parse("leveret check -c a.json");
    cr_assert_eq(lax.outcome, OPTIONS_OK);
    cr_assert_eq(lax.options.command, OPTIONS_CHECK);
    cr_assert(!lax.options.is_strict);
    struct parsed strict = parse("leveret check --strict -c a.json");
    cr_assert_eq(strict.outcome, OPTIONS_OK);
    cr_assert(strict.options.is_strict);
}

Test(options, keys_and_schema_take_nothing)
{
    cr_assert_eq(parse("leveret keys").outcome, OPTIONS_OK);
    cr_assert_eq(parse("leveret keys").options.command, OPTIONS_KEYS);
    cr_assert_eq(parse("leveret schema").options.command, OPTIONS_SCHEMA);
    cr_assert_eq(parse("leveret schema --help").options.topic, OPTIONS_SCHEMA);
}

Test(options, version_and_help_stand_alone)
{
    cr_assert_eq(parse("leveret --version").options.command, OPTIONS_VERSION);
    cr_assert_eq(parse("leveret --help").options.command, OPTIONS_HELP);
    cr_assert_eq(parse("leveret -h").options.topic, OPTIONS_HELP);
    cr_assert_eq(parse("leveret --version run").outcome, OPTIONS_BAD);
    cr_assert_eq(parse("leveret --help me").outcome, OPTIONS_BAD);
}

Test(options, help_of_a_command_needs_nothing_else)
{
    struct parsed run = parse("leveret run --help");
    cr_assert_eq(run.outcome, OPTIONS_OK);
    cr_assert_eq(run.options.command, OPTIONS_HELP);
    cr_assert_eq(run.options.topic, OPTIONS_RUN);
    cr_assert_eq(parse("leveret check -h").options.topic, OPTIONS_CHECK);
    cr_assert(strstr(options_help(OPTIONS_RUN), "--workers"));
    cr_assert(strstr(options_help(OPTIONS_CHECK), "--strict"));
    cr_assert(strstr(options_help(OPTIONS_KEYS), "Markdown"));
    cr_assert(strstr(options_help(OPTIONS_SCHEMA), "JSON Schema"));
    cr_assert(strstr(options_help(OPTIONS_HELP), "leveret --version"));
}

Test(options, nonsense_is_named_and_leaves_the_options_untouched)
{
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"leveret", "what is to be done? `run`, `check`, `keys` or `schema`"},
        {"leveret serve", "\"serve\" is no command: `run`, `check`, `keys` or `schema`"},
        {"leveret -c a.json", "\"-c\" is no command: `run`, `check`, `keys` or `schema`"},
        {"leveret run", "`run` needs -c FILE"},
        {"leveret run -c", "-c needs a value"},
        {"leveret run -c a.json -p", "-p needs a value"},
        {"leveret run -c a.json --workers", "--workers needs a value"},
        {"leveret run -c a.json b.json", "\"b.json\" is too much: the file is given with -c"},
        {"leveret run -c a.json -p 65536", "\"65536\" is no port: 0 to 65535"},
        {"leveret run -c a.json -p -1", "\"-1\" is no port: 0 to 65535"},
        {"leveret run -c a.json -p 80x", "\"80x\" is no port: 0 to 65535"},
        {"leveret run -c a.json -p +80", "\"+80\" is no port: 0 to 65535"},
        {"leveret run -c a.json --port=", "\"\" is no port: 0 to 65535"},
        {"leveret run -c a.json --rehearse x", "\"x\" is no version of a heritage"},
        {"leveret run -c a.json --workers 0", "\"0\" is no number of workers: 1 to 64"},
        {"leveret run -c a.json --workers 65", "\"65\" is no number of workers: 1 to 64"},
        {"leveret run -c a.json --workers 99999999999999999999",
            "\"99999999999999999999\" is no number of workers: 1 to 64"},
        {"leveret run -c a.json --strict", "--strict is no option of `run`"},
        {"leveret run -x -c a.json", "-x is no option of `run`"},
        {"leveret run -xc a.json", "-x is no option of `run`"},
        {"leveret check -c a.json --strict=yes", "--strict=yes is no option of `check`"},
        {"leveret check -c a.json -p 80", "-p is no option of `check`"},
        {"leveret keys -c a.json", "-c is no option of `keys`"},
        {"leveret schema a.json", "\"a.json\" is too much"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed parsed = parse(cases[i].line);
        cr_assert_eq(parsed.outcome, OPTIONS_BAD, "%s", cases[i].line);
        cr_assert_str_eq(parsed.error.text, cases[i].error);
        cr_assert_str_eq(parsed.options.config, "untouched");
    }
}

Test(options, a_sentence_that_is_too_long_is_cut)
{
    char line[256] = "leveret ";
    memset(line + strlen(line), 'x', 240);
    struct parsed parsed = parse(line);
    cr_assert_eq(parsed.outcome, OPTIONS_BAD);
    cr_assert_eq(strlen(parsed.error.text), sizeof(parsed.error.text) - 1);
}
