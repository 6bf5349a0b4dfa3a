/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_token.h"
#include "config.h"
#include "config_value.h"
#include "shm/clock.h"

#define COMMANDS "`run`, `check`, `keys`, `schema`, `stats` or `probe`"
#define PROBES "`live`, `ready` or `startup`"
#define ADMIN_VARIABLE "LEVERET_ADMIN"
#define TOKEN_VARIABLE "LEVERET_ADMIN_TOKEN"

enum {
    OPTION_WORKERS = 256,
    OPTION_ADMIN,
    OPTION_STRICT,
    OPTION_BROKER,
    OPTION_REHEARSE,
    OPTION_URL,
    OPTION_WATCH,
    OPTION_JSON,
    OPTION_TIMEOUT,
    PORT_MAX = 65535
};

#define INTERVAL_DEFAULT (2 * CLOCK_S)
#define INTERVAL_LEAST (100 * CLOCK_MS)
#define INTERVAL_MOST (3600 * CLOCK_S)
#define TIMEOUT_DEFAULT (1 * CLOCK_S)
#define TIMEOUT_LEAST (1 * CLOCK_MS)
#define TIMEOUT_MOST (3600 * CLOCK_S)

/* One row per command that has a name; what getopt_long() is to accept for it. */
static const struct command {
    const char *name;
    const char *letters; /* the colon first: a missing value is told from an unknown option */
    struct option options[7];
} commands[] = {
    [OPTIONS_RUN] = {"run", ":c:p:h",
        {{"config", required_argument, NULL, 'c'}, {"port", required_argument, NULL, 'p'},
            {"workers", required_argument, NULL, OPTION_WORKERS},
            {"admin", required_argument, NULL, OPTION_ADMIN},
            {"rehearse", required_argument, NULL, OPTION_REHEARSE},
            {"help", no_argument, NULL, 'h'}}},
    [OPTIONS_CHECK] = {"check", ":c:h",
        {{"config", required_argument, NULL, 'c'}, {"strict", no_argument, NULL, OPTION_STRICT},
            {"broker", no_argument, NULL, OPTION_BROKER}, {"help", no_argument, NULL, 'h'}}},
    [OPTIONS_KEYS] = {"keys", ":h", {{"help", no_argument, NULL, 'h'}}},
    [OPTIONS_SCHEMA] = {"schema", ":h", {{"help", no_argument, NULL, 'h'}}},
    [OPTIONS_STATS] = {"stats", ":h",
        {{"url", required_argument, NULL, OPTION_URL},
            {"watch", optional_argument, NULL, OPTION_WATCH},
            {"json", no_argument, NULL, OPTION_JSON}, {"help", no_argument, NULL, 'h'}}},
    [OPTIONS_PROBE] = {"probe", ":vh",
        {{"url", required_argument, NULL, OPTION_URL},
            {"timeout", required_argument, NULL, OPTION_TIMEOUT},
            {"verbose", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}}},
};

static const char *const probes[N_PROBES] = {
    [PROBE_LIVE] = "live", [PROBE_READY] = "ready", [PROBE_STARTUP] = "startup"};

static const char *const helps[] = {
    [OPTIONS_HELP] = "Usage: leveret run -c FILE [-p PORT] [--workers N] [--admin ADDRESS]\n"
                     "       leveret check [--broker] [--strict] -c FILE\n"
                     "       leveret keys | schema\n"
                     "       leveret stats [--url URL] [--watch [SECONDS]] [--json]\n"
                     "       leveret probe live | ready | startup [--url URL] [--timeout TIME]\n"
                     "       leveret --version | --help\n"
                     "\n"
                     "HTTP in, RabbitMQ out and back, as the gateway configuration in FILE says.\n"
                     "\n"
                     "  run        serve it until SIGTERM or SIGINT\n"
                     "  check      say what is wrong with it; nothing is started\n"
                     "  keys       every key that FILE may have, as Markdown\n"
                     "  schema     the same for editors, as a JSON Schema\n"
                     "  stats      what a sidecar that runs has done, and what it does now\n"
                     "  probe      whether one is alive, ready, started: for probes of containers\n"
                     "\n"
                     "`leveret run --help` and the like tell more.\n",
    [OPTIONS_RUN] =
        "Usage: leveret run -c FILE [-p PORT] [--workers N] [--admin ADDRESS]\n"
        "\n"
        "Serve the configuration in FILE.\n"
        "\n"
        "  -c, --config FILE   the configuration (JSON)\n"
        "  -p, --port PORT     listen on this port instead of the file's; 0: on any free one\n"
        "      --workers N     this many processes that speak to the broker, 1 to 64\n"
        "      --admin ADDRESS figures and probes here instead of at the file's admin_listen;\n"
        "                      off: nowhere\n"
        "      --rehearse N    say whether this program could take the place of one that runs and\n"
        "                      leaves a heritage of version N; nothing is started\n"
        "  -h, --help          this text\n"
        "\n"
        "The log goes to standard error; its line `serving` names the addresses. SIGTERM or\n"
        "SIGINT: requests in flight are answered, then it leaves; a second one: it leaves now.\n"
        "SIGHUP: the file is read again; what it says takes over when it is sound. SIGUSR2: the\n"
        "program is executed anew, and its version takes over in the same way.\n"
        "\n"
        "Exit status: 0 drained in order; 1 it could not start, or not all was finished in time;\n"
        "2 the command line makes no sense.\n",
    [OPTIONS_CHECK] =
        "Usage: leveret check [--broker] [--strict] -c FILE\n"
        "\n"
        "Say what is wrong with the configuration in FILE: a line for each finding,\n"
        "FILE:LINE:COLUMN: PATH: error, warning or note: what.\n"
        "\n"
        "  -c, --config FILE   the configuration (JSON)\n"
        "      --broker        when FILE is sound, ask its brokers too: each host is connected\n"
        "                      to, and each exchange and queue compared with what is there\n"
        "      --strict        a warning is as bad as an error\n"
        "  -h, --help          this text\n"
        "\n"
        "Exit status: 0 it can be run; 1 it cannot; 2 the command line makes no sense; 3 it can "
        "be\n"
        "run, but with --broker a broker refuses what it says, or could not be asked.\n"
        "\n"
        "--broker creates and changes nothing. What a broker does not have and the file declares\n"
        "is a note, and whether it may be declared is not known before. Bindings, and the rights\n"
        "to publish and to consume, cannot be asked for over AMQP.\n",
    [OPTIONS_KEYS] =
        "Usage: leveret keys\n"
        "\n"
        "Print every key of the configuration as Markdown: its spellings, its type, its\n"
        "default and what it does.\n"
        "\n"
        "  -h, --help          this text\n",
    [OPTIONS_SCHEMA] =
        "Usage: leveret schema\n"
        "\n"
        "Print a JSON Schema (draft 2020-12) of the configuration. An editor that finds it under\n"
        "\"$schema\" in a file offers the keys and marks wrong types, names and ranges. What two\n"
        "keys say to each other is beyond it: `leveret check` tells.\n"
        "\n"
        "  -h, --help          this text\n",
    [OPTIONS_STATS] =
        "Usage: leveret stats [--url URL] [--watch [SECONDS]] [--json]\n"
        "\n"
        "Show the figures of a sidecar that runs: totals since it began, or, with --watch, what\n"
        "came between two looks at it, per second, until SIGINT.\n"
        "\n"
        "      --url URL           its admin listener: " ADMIN_ADDRESS_SHAPES ";\n"
        "                          else the variable " ADMIN_VARIABLE ", else\n"
        "                          " ADMIN_ADDRESS_DEFAULT "\n"
        "      --watch [SECONDS]   look again every 2 seconds, or as often as this (0.1 to 3600)\n"
        "      --json              print what the sidecar answers as it is; with --watch, a line\n"
        "                          for each look\n"
        "  -h, --help              this text\n"
        "\n"
        "A page is as wide as COLUMNS says, or the terminal is, or 80 columns. Elsewhere than on\n"
        "a terminal, and with NO_COLOR, it has no colours. Endpoints: P50 and P99 of all times\n"
        "since the generation began, MEAN of those since the last look.\n"
        "\n"
        "Where the listener wants a token, the variable " TOKEN_VARIABLE " has it.\n"
        "\n"
        "Exit status: 0 shown; 1 nobody answers there, or no sidecar; 2 the command line makes\n"
        "no sense.\n",
    [OPTIONS_PROBE] =
        "Usage: leveret probe live | ready | startup [--url URL] [--timeout TIME] [-v]\n"
        "\n"
        "Ask a sidecar that runs whether it is alive, ready or started. It says nothing when it\n"
        "is, and why not on one line when it is not.\n"
        "\n"
        "      --url URL           its admin listener: " ADMIN_ADDRESS_SHAPES ";\n"
        "                          else the variable " ADMIN_VARIABLE ", else\n"
        "                          " ADMIN_ADDRESS_DEFAULT "\n"
        "      --timeout TIME      how long to wait for the answer: 1s, 500ms (default 1s)\n"
        "  -v, --verbose           say so, too, when it is\n"
        "  -h, --help              this text\n"
        "\n"
        "Where the listener wants a token, the variable " TOKEN_VARIABLE " has it; without it\n"
        "there is the verdict, and no reasons.\n"
        "\n"
        "Exit status: 0 it is; 1 it is not, or does not say so in time; 2 the command line makes\n"
        "no sense.\n",
};

static enum options_outcome bad(struct options_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum options_outcome bad(struct options_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args); /* cut when it is too long */
    va_end(args);
    return OPTIONS_BAD;
}

/* Decimal digits and nothing else, min to max. */
static bool number_read(const char *text, int min, int max, int *number)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}

/* "2", "0.5" or "500ms", from `least` to `most`. */
static bool time_read(const char *text, uint64_t least, uint64_t most, uint64_t *ns)
{
    char with_unit[32];
    int64_t value;
    size_t n = strlen(text);
    if (n + 2 > sizeof(with_unit))
        return false;
    bool has_unit = text[strspn(text, "0123456789.")] != '\0';
    memcpy(with_unit, text, n);
    memcpy(with_unit + n, has_unit ? "" : "s", has_unit ? 1 : 2);
    if (value_duration(with_unit, &value) != VALUE_OK || value < (int64_t)least ||
        value > (int64_t)most)
        return false;
    *ns = (uint64_t)value;
    return true;
}

/* `--watch 5`, too: what follows can only be its value, for the command takes nothing else. */
static enum options_outcome watch_take(
    char **argv, struct options *options, struct options_error *error)
{
    const char *seconds = optarg;
    if (!seconds && argv[optind] && *argv[optind] != '-')
        seconds = argv[optind++];
    options->is_live = true;
    if (seconds && !time_read(seconds, INTERVAL_LEAST, INTERVAL_MOST, &options->interval_ns))
        return bad(error, "\"%s\" is no number of seconds: 0.1 to 3600", seconds);
    return OPTIONS_OK;
}

static enum options_outcome admin_take(
    const char *who, const char *url, struct options *options, struct options_error *error)
{
    return admin_address_parse(url, &options->whom)
               ? OPTIONS_OK
               : bad(error, "%s\"%.80s\" is not " ADMIN_ADDRESS_SHAPES, who, url);
}

/* The option as the user wrote it: getopt_long() has stepped past it. */
static const char *last_argument(char **argv)
{
    return argv[optind - 1];
}

static enum options_outcome option_take(
    int letter, char **argv, struct options *options, struct options_error *error)
{
    switch (letter) {
    case 'c':
        options->config = optarg;
        return OPTIONS_OK;
    case 'p':
        if (!number_read(optarg, 0, PORT_MAX, &options->port))
            return bad(error, "\"%s\" is no port: 0 to %d", optarg, PORT_MAX);
        return OPTIONS_OK;
    case OPTION_WORKERS:
        if (!number_read(optarg, 1, CONFIG_WORKERS_MAX, &options->n_workers))
            return bad(
                error, "\"%s\" is no number of workers: 1 to %d", optarg, CONFIG_WORKERS_MAX);
        return OPTIONS_OK;
    case OPTION_ADMIN:
        options->admin = optarg;
        return OPTIONS_OK;
    case OPTION_REHEARSE:
        if (!number_read(optarg, 1, INT_MAX, &options->rehearsal))
            return bad(error, "\"%s\" is no version of a heritage", optarg);
        return OPTIONS_OK;
    case OPTION_STRICT:
        options->is_strict = true;
        return OPTIONS_OK;
    case OPTION_BROKER:
        options->asks_brokers = true;
        return OPTIONS_OK;
    case OPTION_URL:
        return admin_take("", optarg, options, error);
    case OPTION_WATCH:
        return watch_take(argv, options, error);
    case OPTION_JSON:
        options->is_raw = true;
        return OPTIONS_OK;
    case OPTION_TIMEOUT:
        if (!time_read(optarg, TIMEOUT_LEAST, TIMEOUT_MOST, &options->timeout_ns))
            return bad(error, "\"%s\" is no time to wait: 1ms to 1h", optarg);
        return OPTIONS_OK;
    case 'v':
        options->is_verbose = true;
        return OPTIONS_OK;
    case 'h':
        options->topic = options->command;
        options->command = OPTIONS_HELP;
        return OPTIONS_OK;
    case ':':
        return bad(error, "%s needs a value", last_argument(argv));
    default:
        return optopt > 0 && optopt < OPTION_WORKERS && last_argument(argv)[1] != '-'
                   ? bad(error, "-%c is no option of `%s`", optopt, argv[0])
                   : bad(error, "%s is no option of `%s`", last_argument(argv), argv[0]);
    }
}

static enum options_outcome probe_take(
    const char *name, struct options *options, struct options_error *error)
{
    for (int i = 0; name && i < N_PROBES; i++) {
        options->probe = (enum probe_kind)i;
        if (strcmp(name, probes[i]) == 0)
            return OPTIONS_OK;
    }
    return name ? bad(error, "\"%s\" cannot be asked: " PROBES, name)
                : bad(error, "what is to be asked? " PROBES);
}

static enum options_outcome admin_find(struct options *options, struct options_error *error)
{
    const char *url = getenv(ADMIN_VARIABLE);
    if (options->whom.url)
        return OPTIONS_OK;
    return url && *url ? admin_take(ADMIN_VARIABLE ": ", url, options, error)
                       : admin_take("", ADMIN_ADDRESS_DEFAULT, options, error);
}

/* Never of the command line, which everybody on the machine can read. */
static enum options_outcome token_find(struct options *options, struct options_error *error)
{
    const char *token = getenv(TOKEN_VARIABLE);
    if (!token || !*token)
        return OPTIONS_OK;
    options->token = token;
    return admin_token_is_sound(token) ? OPTIONS_OK
                                       : bad(error, TOKEN_VARIABLE " is not " ADMIN_TOKEN_SHAPE);
}

/* argv[0] is the command's name. */
static enum options_outcome command_parse(
    int argc, char **argv, struct options *options, struct options_error *error)
{
    const struct command *command = &commands[options->command];
    bool needs_file = command->options[0].val == 'c';
    int letter;
    opterr = 0; /* the messages are ours */
    optind = 0; /* glibc: forget an earlier command line */
    while ((letter = getopt_long(argc, argv, command->letters, command->options, NULL)) != -1) {
        enum options_outcome outcome = option_take(letter, argv, options, error);
        if (outcome != OPTIONS_OK || options->command == OPTIONS_HELP)
            return outcome;
    }
    if (options->command == OPTIONS_PROBE) {
        enum options_outcome outcome = probe_take(argv[optind], options, error);
        if (outcome != OPTIONS_OK)
            return outcome;
        optind++;
    }
    if (optind < argc)
        return bad(error, "\"%s\" is too much%s", argv[optind],
            needs_file ? ": the file is given with -c" : "");
    if (needs_file && !options->config)
        return bad(error, "`%s` needs -c FILE", command->name);
    if (command->options[0].val != OPTION_URL)
        return OPTIONS_OK;
    enum options_outcome outcome = token_find(options, error);
    return outcome == OPTIONS_OK ? admin_find(options, error) : outcome;
}

/* `leveret --version`, `leveret --help`: alone, or they are nonsense. */
static enum options_outcome alone(int argc, char **argv, struct options_error *error)
{
    return argc == 2 ? OPTIONS_OK : bad(error, "%s takes nothing", argv[1]);
}

static enum options_outcome parse(
    int argc, char **argv, struct options *options, struct options_error *error)
{
    if (argc < 2)
        return bad(error, "what is to be done? " COMMANDS);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        options->command = (enum options_command)i;
        if (strcmp(argv[1], commands[i].name) == 0)
            return command_parse(argc - 1, argv + 1, options, error);
    }
    options->command = OPTIONS_VERSION;
    if (strcmp(argv[1], "--version") == 0)
        return alone(argc, argv, error);
    options->command = options->topic = OPTIONS_HELP;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return alone(argc, argv, error);
    return bad(error, "\"%s\" is no command: " COMMANDS, argv[1]);
}

enum options_outcome options_parse(
    int argc, char **argv, struct options *options, struct options_error *error)
{
    struct options parsed = {
        .port = -1, .interval_ns = INTERVAL_DEFAULT, .timeout_ns = TIMEOUT_DEFAULT};
    enum options_outcome outcome = parse(argc, argv, &parsed, error);
    if (outcome == OPTIONS_OK)
        *options = parsed;
    return outcome;
}

const char *options_help(enum options_command topic)
{
    return helps[topic];
}
