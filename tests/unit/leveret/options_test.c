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
    cr_assert(strstr(options_help(OPTIONS_STATS), "--watch"));
    cr_assert(strstr(options_help(OPTIONS_PROBE), "--timeout"));
    cr_assert(strstr(options_help(OPTIONS_HELP), "leveret --version"));
}

Test(options, stats_and_probe_find_the_token_in_the_environment_alone)
{
    cr_assert_eq(unsetenv("LEVERET_ADMIN_TOKEN"), 0);
    cr_assert_null(parse("leveret stats").options.token);
    cr_assert_eq(setenv("LEVERET_ADMIN_TOKEN", "", 1), 0);
    cr_assert_null(parse("leveret probe live").options.token);
    cr_assert_eq(setenv("LEVERET_ADMIN_TOKEN", "abcdefgh-12345678", 1), 0);
    cr_assert_str_eq(parse("leveret stats").options.token, "abcdefgh-12345678");
    cr_assert_str_eq(parse("leveret probe ready").options.token, "abcdefgh-12345678");
    cr_assert_null(parse("leveret keys").options.token);
    cr_assert_eq(setenv("LEVERET_ADMIN_TOKEN", "abcdefgh-12345678\r\nX: y", 1), 0);
    struct parsed bad = parse("leveret stats");
    cr_assert_eq(bad.outcome, OPTIONS_BAD);
    cr_assert_str_eq(
        bad.error.text, "LEVERET_ADMIN_TOKEN is not 16 to 256 letters, digits or -._~+/=");
    cr_assert_eq(parse("leveret keys").outcome, OPTIONS_OK);
}

Test(options, stats_and_probe_know_whom_to_ask)
{
    cr_assert_eq(unsetenv("LEVERET_ADMIN"), 0);
    cr_assert_str_eq(parse("leveret stats").options.whom.url, "http://127.0.0.1:8090");
    cr_assert_str_eq(parse("leveret probe live").options.whom.url, "http://127.0.0.1:8090");
    cr_assert_eq(setenv("LEVERET_ADMIN", "", 1), 0);
    cr_assert_str_eq(parse("leveret stats").options.whom.host, "127.0.0.1");
    cr_assert_eq(setenv("LEVERET_ADMIN", "unix:/run/a", 1), 0);
    cr_assert_str_eq(parse("leveret stats").options.whom.unix_path, "/run/a");
    struct parsed said = parse("leveret probe ready --url http://b:1");
    cr_assert_str_eq(said.options.whom.host, "b");
    cr_assert_str_eq(said.options.whom.port, "1");
    cr_assert_eq(setenv("LEVERET_ADMIN", "b:1", 1), 0);
    struct parsed bad = parse("leveret stats");
    cr_assert_eq(bad.outcome, OPTIONS_BAD);
    cr_assert_str_eq(
        bad.error.text, "LEVERET_ADMIN: \"b:1\" is not http://host:port or unix:/path");
    cr_assert_eq(parse("leveret stats --url unix:/a").outcome, OPTIONS_OK);
    cr_assert_eq(parse("leveret stats --help").outcome, OPTIONS_OK);
    cr_assert_eq(parse("leveret keys").outcome, OPTIONS_OK);
}

Test(options, stats_is_shown_once_or_live)
{
    static const struct {
        const char *line;
        bool is_live, is_raw;
        uint64_t interval_ms;
    } cases[] = {
        {"leveret stats", false, false, 2000},
        {"leveret stats --json", false, true, 2000},
        {"leveret stats --watch", true, false, 2000},
        {"leveret stats --watch --json", true, true, 2000},
        {"leveret stats --watch 5 --json", true, true, 5000},
        {"leveret stats --watch=0.5", true, false, 500},
        {"leveret stats --watch 250ms", true, false, 250},
        {"leveret stats --json --watch 3600", true, true, 3600000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed parsed = parse(cases[i].line);
        cr_assert_eq(parsed.outcome, OPTIONS_OK, "%s", cases[i].line);
        cr_assert_eq(parsed.options.command, OPTIONS_STATS);
        cr_assert_eq(parsed.options.is_live, cases[i].is_live, "%s", cases[i].line);
        cr_assert_eq(parsed.options.is_raw, cases[i].is_raw, "%s", cases[i].line);
        cr_assert_eq(
            parsed.options.interval_ns, cases[i].interval_ms * 1000000, "%s", cases[i].line);
    }
}

Test(options, probe_asks_one_of_three_things)
{
    cr_assert_eq(parse("leveret probe live").options.probe, PROBE_LIVE);
    cr_assert_eq(parse("leveret probe --timeout 500ms ready").options.probe, PROBE_READY);
    struct parsed startup = parse("leveret probe startup -v --timeout 2");
    cr_assert_eq(startup.options.probe, PROBE_STARTUP);
    cr_assert(startup.options.is_verbose);
    cr_assert_eq(startup.options.timeout_ns, UINT64_C(2000000000));
    cr_assert_eq(parse("leveret probe live").options.timeout_ns, UINT64_C(1000000000));
    cr_assert(!parse("leveret probe live").options.is_verbose);
}

Test(options, nonsense_is_named_and_leaves_the_options_untouched)
{
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"leveret", "what is to be done? `run`, `check`, `keys`, `schema`, `stats` or `probe`"},
        {"leveret serve",
            "\"serve\" is no command: `run`, `check`, `keys`, `schema`, `stats` or `probe`"},
        {"leveret -c a.json",
            "\"-c\" is no command: `run`, `check`, `keys`, `schema`, `stats` or `probe`"},
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
        {"leveret stats --url", "--url needs a value"},
        {"leveret stats --url 127.0.0.1", "\"127.0.0.1\" is not http://host:port or unix:/path"},
        {"leveret stats --url https://a", "\"https://a\" is not http://host:port or unix:/path"},
        {"leveret stats --watch 0", "\"0\" is no number of seconds: 0.1 to 3600"},
        {"leveret stats --watch=0.05", "\"0.05\" is no number of seconds: 0.1 to 3600"},
        {"leveret stats --watch 3601", "\"3601\" is no number of seconds: 0.1 to 3600"},
        {"leveret stats --watch -1", "-1 is no option of `stats`"},
        {"leveret stats --watch soon", "\"soon\" is no number of seconds: 0.1 to 3600"},
        {"leveret stats --watch=", "\"\" is no number of seconds: 0.1 to 3600"},
        {"leveret stats --watch 1 2", "\"2\" is too much"},
        {"leveret stats --watch 0.000000000000000000000000000000000000000001",
            "\"0.000000000000000000000000000000000000000001\" is no number of seconds: 0.1 to "
            "3600"},
        {"leveret stats live", "\"live\" is too much"},
        {"leveret stats -v", "-v is no option of `stats`"},
        {"leveret probe", "what is to be asked? `live`, `ready` or `startup`"},
        {"leveret probe health", "\"health\" cannot be asked: `live`, `ready` or `startup`"},
        {"leveret probe live ready", "\"ready\" is too much"},
        {"leveret probe live --timeout 0s", "\"0s\" is no time to wait: 1ms to 1h"},
        {"leveret probe live --timeout 2h", "\"2h\" is no time to wait: 1ms to 1h"},
        {"leveret probe live --json", "--json is no option of `probe`"},
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
