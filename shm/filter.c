/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/filter.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0 /* unknown here */
#endif

/* The calls of x32 have the same architecture and this bit; elsewhere no call is so high. */
#define FIRST_FOREIGN_CALL 0x40000000u

enum { HEAD_STEPS = 6, RULE_STEPS = 6, MAX_STEPS = HEAD_STEPS + RULE_STEPS * FILTER_MAX_RULES + 1 };

static_assert(MAX_STEPS <= BPF_MAXINSNS, "what the kernel takes");

struct draft {
    struct sock_filter steps[MAX_STEPS];
    size_t n;
};

static void step(struct draft *draft, struct sock_filter one)
{
    draft->steps[draft->n++] = one;
}

static void load(struct draft *draft, size_t offset)
{
    step(draft, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void end_with(struct draft *draft, uint32_t action)
{
    step(draft, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Other conventions number the calls otherwise. */
static void draft_head(struct draft *draft)
{
    load(draft, offsetof(struct seccomp_data, arch));
    step(draft, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    end_with(draft, SECCOMP_RET_KILL_PROCESS);
    load(draft, offsetof(struct seccomp_data, nr));
    step(draft, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_FOREIGN_CALL, 0, 1));
    end_with(draft, SECCOMP_RET_KILL_PROCESS);
}

/* The lower half, on machines that are little-endian, as both are. */
static size_t argument_offset(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
}

/* The number of the call is loaded when it begins, and when it is passed by. */
static void draft_rule(struct draft *draft, const struct filter_rule *rule)
{
    uint32_t action = rule->error ? SECCOMP_RET_ERRNO | rule->error : SECCOMP_RET_ALLOW;
    bool has_check = rule->check != FILTER_ANY;
    uint8_t past = has_check ? 4 : 1;
    step(draft, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->call, 0, past));
    if (has_check)
        load(draft, argument_offset(rule->argument));
    if (rule->check == FILTER_IS)
        step(draft, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->operand, 0, 1));
    if (rule->check == FILTER_HAS_NONE)
        step(draft, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, rule->operand, 1, 0));
    end_with(draft, action);
    if (has_check)
        load(draft, offsetof(struct seccomp_data, nr));
}

int filter_install(const struct filter_table *tables, size_t n_tables)
{
    struct draft draft = {.n = 0};
    size_t n_rules = 0;
    if (!ARCHITECTURE)
        return -ENOTSUP;
    draft_head(&draft);
    for (size_t t = 0; t < n_tables; t++) {
        n_rules += tables[t].n_rules;
        assert(n_rules <= FILTER_MAX_RULES);
        for (size_t i = 0; i < tables[t].n_rules; i++)
            draft_rule(&draft, &tables[t].rules[i]);
    }
    end_with(&draft, SECCOMP_RET_TRAP);
    struct sock_fprog program = {.len = (unsigned short)draft.n, .filter = draft.steps};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}
