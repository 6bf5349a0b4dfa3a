/* SPDX-License-Identifier: Apache-2.0 */
/* The program `leveret`: what it prints, how it exits, and a whole run with puppets for children.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cast.h"

static const char sound[] =
    "{\"version\": 3, \"host\": [\"amqp://guest:guest@127.0.0.1:5672/\"], \"endpoints\": ["
    "{\"endpoint\": \"/p\", \"method\": \"POST\", \"backend\": [{\"extra_config\": "
    "{\"backend/amqp/producer\": {\"exchange\": \"x\"}}}]}]%s}";

static char folder[64];    /* of the test, with leveret in it */
static char printed[8192]; /* by the last command, on both outputs */

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    cr_assert_eq(system(command), 0, "%s", command);
}

static void folder_make(void)
{
    strcpy(folder, "/tmp/leveret-command-XXXXXX");
    cr_assert(mkdtemp(folder));
    shell("cp %s %s/leveret", LEVERET, folder);
}

static void folder_remove(void)
{
    shell("rm -r %s", folder);
}

static void children_add(void)
{
    shell("cp %s %s/leveret-front", PUPPET_FRONT, folder);
    shell("cp %s %s/leveret-worker", PUPPET_WORKER, folder);
}

/* A sound configuration with more at its first level. */
static void configure(const char *more)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/c.json", folder);
    CLEANUP(cleanup_file) FILE *file = fopen(path, "we");
    cr_assert(file);
    (void)fprintf(file, sound, more);
}

/* Run leveret in the folder; the exit status. */
static int leveret(const char *arguments)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "exec 2>&1; cd %s && ./leveret %s", folder, arguments);
    FILE *out = popen(command, "re");
    cr_assert(out);
    size_t n = fread(printed, 1, sizeof(printed) - 1, out);
    printed[n] = '\0';
    int status = pclose(out);
    cr_assert(WIFEXITED(status), "%s", printed);
    return WEXITSTATUS(status);
}

static void expect(const char *arguments, int status, const char *text)
{
    int actual = leveret(arguments);
    cr_assert_eq(actual, status, "`leveret %s` exited with %d: %s", arguments, actual, printed);
    cr_assert(strstr(printed, text), "`leveret %s` printed: %s", arguments, printed);
}

TestSuite(command, .init = folder_make, .fini = folder_remove);

Test(command, says_its_version_and_helps_on_standard_output)
{
    expect("--version 2>/dev/null", 0, "leveret 0.");
    expect("--help 2>/dev/null", 0, "Usage: leveret run -c FILE");
    expect("run --help 2>/dev/null", 0, "--workers N");
    expect("check --help 2>/dev/null", 0, "--strict");
    expect("keys --help 2>/dev/null", 0, "Usage: leveret keys");
    expect("schema --help 2>/dev/null", 0, "Usage: leveret schema");
}

Test(command, answers_nonsense_with_a_hint_on_standard_error)
{
    expect("fly >/dev/null", 2, "leveret: \"fly\" is no command");
    expect("fly >/dev/null", 2, "Try `leveret --help`");
    expect("", 2, "leveret: what is to be done?");
}

Test(command, fails_when_what_was_asked_for_cannot_be_written)
{
    cr_assert_eq(leveret("--help >/dev/full"), 1);
    cr_assert_eq(leveret("keys >/dev/full"), 1);
    cr_assert_eq(leveret("schema >/dev/full"), 1);
}

Test(command, check_tells_good_from_bad)
{
    configure("");
    cr_assert_eq(leveret("check -c c.json"), 0, "%s", printed);
    configure(", \"nobody_knows_this\": 1");
    cr_assert_eq(leveret("check -c c.json"), 0, "%s", printed);
    cr_assert_eq(leveret("check --strict -c c.json"), 1, "%s", printed);
    configure(", \"timeout\": true");
    cr_assert_eq(leveret("check -c c.json"), 1, "%s", printed);
    cr_assert_eq(leveret("check -c absent.json"), 1, "%s", printed);
}

Test(command, refuses_to_run_what_is_not_sound_and_says_why)
{
    children_add();
    configure(", \"timeout\": true");
    expect("run -c c.json", 1, "$.timeout: error: ");
    expect("run -c c.json", 1, "not-configured file=c.json errors=1");
    expect("run -c absent.json", 1, "absent.json");
}

Test(command, rehearses_without_starting_anything)
{
    struct listener taken;
    const struct config_listener any = {.host = "127.0.0.1"};
    cr_assert_eq(listener_open(&taken, &any), 0);
    char arguments[64];
    (void)snprintf(arguments, sizeof(arguments), "run -c c.json -p %u --rehearse 1", taken.port);
    children_add();
    configure("");
    cr_assert_eq(leveret(arguments), 0, "%s", printed); /* though the address is taken */
    expect("run -c c.json --rehearse 2", 1, "a heritage of version 2 is not understood");
    configure(", \"timeout\": true");
    expect("run -c c.json --rehearse 1", 1, "not-configured");
    listener_close(&taken);
}

Test(command, rehearses_its_children_too)
{
    children_add();
    configure("");
    shell("cp --remove-destination /bin/false %s/leveret-worker", folder);
    expect("run -c c.json --rehearse 1", 1,
        "leveret-worker reason=\"it does not start: it ended with 1\"");
    shell("cp --remove-destination /bin/false %s/leveret-front", folder);
    expect("run -c c.json --rehearse 1", 1,
        "leveret-front reason=\"it does not start: it ended with 1\"");
}

Test(command, refuses_to_run_without_its_children)
{
    configure("");
    expect("run -c c.json", 1, "no-programs program=leveret-front");
    shell("cp %s %s/leveret-front", PUPPET_FRONT, folder);
    expect("run -c c.json", 1, "no-programs program=leveret-worker");
}

Test(command, refuses_to_run_in_too_little_memory)
{
    children_add();
    configure(", \"extra_config\": {\"leveret\": {\"memory\": \"16MiB\"}}");
    expect("run -c c.json -p 0 --admin off --workers 64", 1, "is too little for 64 workers");
}

Test(command, names_the_address_that_is_taken)
{
    struct listener taken;
    const struct config_listener any = {.host = "127.0.0.1"};
    char arguments[64], expected[128];
    cr_assert_eq(listener_open(&taken, &any), 0);
    children_add();
    configure("");
    (void)snprintf(arguments, sizeof(arguments), "run -c c.json -p %u --admin off", taken.port);
    (void)snprintf(expected, sizeof(expected), "not-listening address=%s", taken.address);
    expect(arguments, 1, expected);
    listener_close(&taken);
}

Test(command, names_the_address_of_the_figures_that_is_taken)
{
    struct listener taken;
    const struct config_listener any = {.host = "127.0.0.1"};
    char arguments[64], expected[128];
    cr_assert_eq(listener_open(&taken, &any), 0);
    children_add();
    configure("");
    (void)snprintf(
        arguments, sizeof(arguments), "run -c c.json -p 0 --admin 127.0.0.1:%u", taken.port);
    (void)snprintf(expected, sizeof(expected), "not-listening address=%s", taken.address);
    expect(arguments, 1, expected);
    expect(
        "run -c c.json -p 0 --admin nowhere", 1, "$: error: --admin \"nowhere\" is not host:port");
    listener_close(&taken);
}

/* ---- with puppets ---- */

static struct stage stage;
static struct cast cast;

static void run_begin(unsigned n_workers, const char *options)
{
    char command[192];
    children_add();
    stage_init(&stage, n_workers);
    (void)snprintf(command, sizeof(command), "%s/leveret run -c %s/c.json --admin off %s", folder,
        folder, options);
    stage_execute(&stage, command);
}

/* The process that is started next under this name. */
static pid_t started(const char *name)
{
    char needle[64];
    pid_t pid;
    (void)snprintf(needle, sizeof(needle), "child-started child=\"%s\" pid=", name);
    const char *line = stage_log(&stage, needle);
    cr_assert_eq(sscanf(strstr(line, "pid="), "pid=%d", &pid), 1);
    return pid;
}

static pid_t replaced(const char *name, pid_t before)
{
    char needle[64];
    cr_assert_eq(kill(before, SIGKILL), 0);
    pid_t after = started(name);
    (void)snprintf(needle, sizeof(needle), "child-ready child=\"%s\" pid=%d", name, after);
    (void)stage_log(&stage, needle);
    return after;
}

/* The real ones; no broker is needed for that. */
Test(command, its_own_children_say_nothing_that_is_dropped)
{
    char command[192];
    configure("");
    stage_init(&stage, 1);
    (void)snprintf(
        command, sizeof(command), "%s run -c %s/c.json -p 0 --admin off", LEVERET, folder);
    stage_execute(&stage, command);
    stage_forbids(&stage, "message-dropped");
    pid_t worker = started("worker 0"), front = started("front");
    (void)stage_log(&stage, "child-ready");
    (void)stage_log(&stage, "child-ready");
    (void)replaced("front", front);
    (void)replaced("worker 0", worker);
    stage_signal(&stage, SIGTERM);
    (void)stage_log(&stage, "drained");
    cr_assert_eq(stage_wait(&stage), 0);
    stage_done(&stage);
}

Test(command, runs_until_it_is_told_to_drain)
{
    configure("");
    run_begin(3, "-p 0 --workers 3");
    cast_gather(&cast, &stage);
    const char *serving = stage_log(&stage, "serving addresses=127.0.0.1:");
    cr_assert(strstr(serving, "workers=3"), "%s", serving);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    puppet_do(&cast.front.puppet, "exit 0");
    for (int i = 0; i < 3; i++) {
        (void)puppet_hears(&cast.worker[i].puppet, "drain ");
        puppet_do(&cast.worker[i].puppet, "exit 0");
    }
    cr_assert_eq(stage_wait(&stage), 0);
    stage_done(&stage);
}

/* Another version's could not read the plan. */
Test(command, executes_the_children_that_it_found_at_the_start)
{
    configure("");
    run_begin(1, "-p 0");
    cast_gather(&cast, &stage);
    shell("cd %s && rm leveret-front leveret-worker && cp /bin/false leveret-front && "
          "cp /bin/false leveret-worker",
        folder);
    puppet_kill(&cast.worker[0].puppet, SIGUSR1);
    cr_assert_eq(cast_meet(&cast, &stage), 0);
    stage_signal(&stage, SIGHUP);
    cr_assert_eq(cast_meet(&cast, &stage), 0, "nor is it another after a reload");
    stage_done(&stage);
}

Test(command, does_not_wait_for_a_pipe_that_was_read_once)
{
    configure("");
    shell("cd %s && mv c.json whole.json && mkfifo c.json && "
          "(timeout 60 cat whole.json >c.json &)",
        folder);
    run_begin(1, "-p 0");
    cast_gather(&cast, &stage);
    stage_signal(&stage, SIGHUP);
    (void)stage_log(&stage, "not-configured file=");
    (void)stage_log(&stage, "not-reloaded");
    stage_signal(&stage, SIGUSR2);
    (void)stage_log(&stage, "can be read but once");
    (void)stage_log(&stage, "not-upgraded reason=\"the rehearsal ended with 1\"");
    cr_assert(puppet_hears_nothing(&cast.front.puppet));
    stage_done(&stage);
}

Test(command, exits_with_1_when_the_drain_is_cut_short)
{
    configure("");
    run_begin(1, "-p 0");
    cast_gather(&cast, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    stage_signal(&stage, SIGTERM);
    cr_assert_eq(stage_wait(&stage), 1);
    stage_done(&stage);
}

/* Or the first thing that it opens, such as a plan with passwords, would become every child's
 * standard output. */
Test(command, gives_its_children_no_plan_when_it_was_started_without_standard_descriptors)
{
    configure("");
    run_begin(1, "-p 0 <&- >&-");
    for (int i = 0; i < 2; i++) {
        struct puppet puppet = stage_meet(&stage);
        cr_assert_eq(puppet_number(&puppet, "out_is_null"), 1);
    }
    stage_done(&stage);
}

Test(command, logs_the_warnings_of_a_file_that_it_runs)
{
    configure(", \"nobody_knows_this\": 1");
    run_begin(1, "-p 0");
    const char *warning = stage_log(&stage, "configuration ");
    cr_assert(strstr(warning, "nobody_knows_this"), "%s", warning);
    stage_done(&stage);
}

Test(command, logs_and_listens_as_the_file_says)
{
    char more[256];
    (void)snprintf(more, sizeof(more),
        ", \"extra_config\": {\"leveret\": {\"log_format\": \"json\", \"listen\": "
        "[\"unix:%s/socket\"]}}",
        folder);
    configure(more);
    run_begin(1, "");
    stage.outfit->log_format = LOG_JSON;
    cast_gather(&cast, &stage);
    const char *serving = stage_log(&stage, "\"event\":\"serving\"");
    cr_assert(strstr(serving, "\"addresses\":\"unix:/tmp/leveret-command-"), "%s", serving);
    stage_done(&stage);
}
