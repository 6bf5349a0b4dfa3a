/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/last_words.h"

#include <assert.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    MAX_MODULES = 64,
    OWN_FRAMES = 8, /* the handler's, at most */
    STACK_BYTES = 64 << 10,
    HANDLER_S = 2
};

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Where the files of the process lie, as it was prepared: looking it up later may take a lock. */
struct module {
    uintptr_t base, end;
    char name[sizeof(((struct last_words_frame *)0)->module)];
};

_Thread_local volatile struct last_words_matter last_words_matter = {
    LAST_WORDS_NONE, LAST_WORDS_NONE, LAST_WORDS_NONE, LAST_WORDS_NONE, LAST_WORDS_NONE};

static struct module modules[MAX_MODULES];
static size_t n_modules;
static char reason[LAST_WORDS_REASON_BYTES];
static struct last_words *page;
static atomic_flag is_speaking = ATOMIC_FLAG_INIT;

/* ---- the child, while it lives ---- */

void last_words_reason(const char *text)
{
    (void)snprintf(reason, sizeof(reason), "%s", text); /* may be cut */
}

/* What assert() calls (LSB Core, __assert_fail): its sentence goes to the supervisor, too. */
void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function)
{
    char text[LAST_WORDS_REASON_BYTES];
    int n =
        snprintf(text, sizeof(text), "%s:%u: %s: `%s' failed\n", file, line, function, assertion);
    size_t n_bytes = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1;
    (void)!write(STDERR_FILENO, text, n_bytes); /* nowhere left to complain */
    text[n_bytes - 1] = '\0';
    last_words_reason(text);
    abort();
}

static void module_add(const char *name, uintptr_t base, uintptr_t end)
{
    struct module *module = &modules[n_modules++];
    *module = (struct module){.base = base, .end = end};
    (void)snprintf(module->name, sizeof(module->name), "%s", name); /* may be cut */
}

/* A row of /proc/self/maps. Those of one file stand together, the first of it in front. */
static void module_note(const char *row)
{
    uintptr_t start, end, offset;
    char path[PATH_MAX];
    if (sscanf(row, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR " %*s %*s %4095s", &start, &end,
            &offset, path) != 4 ||
        *path != '/')
        return;
    const char *name = strrchr(path, '/') + 1;
    struct module *last = n_modules ? &modules[n_modules - 1] : NULL;
    if (last && strncmp(last->name, name, sizeof(last->name) - 1) == 0)
        last->end = end;
    else if (n_modules < MAX_MODULES)
        module_add(name, start - offset, end);
}

static void modules_note(void)
{
    char row[PATH_MAX + 128];
    CLEANUP(cleanup_file) FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(row, sizeof(row), maps))
        module_note(row);
}

static struct last_words *page_map(int fd)
{
    if (fcntl(fd, F_GET_SEALS) != SEALS)
        return NULL;
    void *memory = mmap(NULL, LAST_WORDS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* ---- its end ---- */

static struct last_words_frame frame_of(uintptr_t address)
{
    for (size_t i = 0; i < n_modules; i++) {
        const struct module *m = &modules[i];
        struct last_words_frame frame = {.offset = address - m->base};
        if (address < m->base || address >= m->end)
            continue;
        memcpy(frame.module, m->name, sizeof(frame.module));
        return frame;
    }
    return (struct last_words_frame){.offset = address};
}

/* Where the fault was; 0: unknown on this machine. */
static uintptr_t place_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    return 0;
#endif
}

static void trace(const ucontext_t *context)
{
    void *addresses[OWN_FRAMES + LAST_WORDS_MAX_FRAMES];
    int n = backtrace(addresses, OWN_FRAMES + LAST_WORDS_MAX_FRAMES), first = 0;
    while (first < n && (uintptr_t)addresses[first] != place_of(context))
        first++;
    if (first == n)
        first = 0; /* whatever it is, it may help */
    for (int i = first; i < n && page->n_frames < LAST_WORDS_MAX_FRAMES; i++)
        page->frames[page->n_frames++] = frame_of((uintptr_t)addresses[i]);
}

static void speak(const siginfo_t *info, const ucontext_t *context)
{
    page->signal = info->si_signo;
    page->code = info->si_code;
    page->address = info->si_code > 0 ? (uintptr_t)info->si_addr : 0;
    page->system_call = info->si_signo == SIGSYS ? (uint32_t)info->si_syscall : 0;
    page->matter = last_words_matter;
    memcpy(page->reason, reason, sizeof(reason));
    trace(context);
    page->magic = LAST_WORDS_MAGIC;
    /* release: a page is whole or not said */
    atomic_store_explicit(&page->is_said, 1, memory_order_release);
}

/* Speaks once, and lets the signal do its work: it is its default again, and comes once more when
 * this returns, whoever had sent it. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)alarm(HANDLER_S);
    if (!atomic_flag_test_and_set(&is_speaking))
        speak(info, context);
    (void)raise(signal); /* to this thread, where it is blocked until the return */
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

static void handlers_set(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
    static char stack[STACK_BYTES];
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {
        .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
    if (IS_SANITIZED)
        return;
    (void)sigaltstack(&own, NULL); /* without it an overflow of the stack is silent */
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        (void)sigaction(faults[i], &action, NULL); /* known signals: cannot fail */
}

void last_words_prepare(int fd)
{
    void *address;
    page = page_map(fd);
    if (!page)
        return;
    (void)close(fd);              /* the mapping stays */
    (void)backtrace(&address, 1); /* loads the unwinder, which takes memory */
    modules_note();
    handlers_set();
}

/* ---- the supervisor ---- */

int last_words_new(void)
{
    CLEANUP(cleanup_fd)
    int fd = memfd_create("leveret-last-words", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, LAST_WORDS_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return STEAL_FD(fd);
}

/* Ends it, and shows what is no plain text as a question mark. */
static void text_clean(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"')
            *c = '?';
}

enum last_words_outcome last_words_read(int fd, struct last_words *words)
{
    struct last_words copy;
    if (pread(fd, &copy, sizeof(copy), 0) != (ssize_t)sizeof(copy))
        return LAST_WORDS_UNSAID;
    if (copy.magic != LAST_WORDS_MAGIC || copy.is_said != 1)
        return LAST_WORDS_UNSAID;
    if (copy.n_frames > LAST_WORDS_MAX_FRAMES)
        copy.n_frames = LAST_WORDS_MAX_FRAMES;
    text_clean(copy.reason, sizeof(copy.reason));
    for (uint32_t i = 0; i < copy.n_frames; i++)
        text_clean(copy.frames[i].module, sizeof(copy.frames[i].module));
    *words = copy;
    return LAST_WORDS_SAID;
}
