/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS as the file asks for it: what is wrong is said at its key, and what is right reaches the
 * front's plan and no worker's.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_fixture.h"
#include "plan_front.h"
#include "plan_worker.h"
#include "shm/plan.h"

#define FILE_WITH(members)                                                                         \
    "{\"version\":3,\"tls\":{" members "},\"host\":[\"amqp://h\"],\"endpoints\":[{\"endpoint\":"   \
    "\"/a\",\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q\"}}}]}]}"
#define MINE "\"public_key\":\"me.pem\",\"private_key\":\"me.key\""
#define WITH(members) FILE_WITH(MINE "," members)

static struct fixture_identities its;

static void set_up(void)
{
    fixture_enter();
    fixture_identities_init(&its);
}

static void tear_down(void)
{
    fixture_identities_done(&its);
    fixture_leave();
}

TestSuite(config_listener_tls, .init = set_up, .fini = tear_down);

static const struct report_row rows[] = {
    {FILE_WITH(MINE), "", CONFIG_VALID},
    {WITH("\"min_version\":\"TLS12\""), "", CONFIG_VALID},
    {WITH("\"enable_mtls\":true,\"ca_certs\":[\"ca.pem\"]"), "", CONFIG_VALID},
    {WITH("\"cipher_suites\":[4865,49195]"), "", CONFIG_VALID},
    {FILE_WITH("\"public_key\":\"nowhere\",\"disabled\":true"), "", CONFIG_VALID},
    {FILE_WITH("\"enable_mtls\":false"),
        "f:1:20: $.tls.public_key: error: cannot be used: HTTPS needs a certificate\n"
        "f:1:20: $.tls.private_key: error: cannot be used: HTTPS needs the certificate's key\n",
        CONFIG_INVALID},
    {FILE_WITH("\"public_key\":\"nowhere\",\"private_key\":\"me.key\""),
        "f:1:34: $.tls.public_key: error: cannot be used: No such file or directory\n",
        CONFIG_INVALID},
    {FILE_WITH("\"public_key\":\"prose\",\"private_key\":\"me.key\""),
        "f:1:34: $.tls.public_key: error: cannot be used: it holds no certificate in PEM\n",
        CONFIG_INVALID},
    {FILE_WITH("\"public_key\":\"me.pem\",\"private_key\":\"other.key\""),
        "f:1:57: $.tls.private_key: error: cannot be used: it does not fit the certificate\n",
        CONFIG_INVALID},
    {WITH("\"min_version\":\"TLS10\",\"max_version\":\"TLS12\""),
        "f:1:80: $.tls.min_version: warning: is below TLS12, which is the lowest that is spoken "
        "(RFC 8996)\n",
        CONFIG_VALID},
    {WITH("\"max_version\":\"TLS11\""),
        "f:1:80: $.tls.max_version: error: is below TLS12, and nothing below it is spoken (RFC "
        "8996)\n",
        CONFIG_INVALID},
    {WITH("\"max_version\":\"TLS12\""), "f:1:80: $.tls.max_version: error: is below min_version\n",
        CONFIG_INVALID},
    {WITH("\"min_version\":\"TLS14\""),
        "f:1:80: $.tls.min_version: error: \"TLS14\" is none of SSL3.0, TLS10, TLS11, TLS12, "
        "TLS13\n",
        CONFIG_INVALID},
    {WITH("\"cipher_suites\":7"),
        "f:1:82: $.tls.cipher_suites: error: must be an array of integers, not an integer\n",
        CONFIG_INVALID},
    {WITH("\"cipher_suites\":[99999,1,\"x\"]"),
        "f:1:83: $.tls.cipher_suites[0]: error: 99999 is no cipher suite that OpenSSL has\n"
        "f:1:89: $.tls.cipher_suites[1]: error: 1 is a cipher suite that protects nothing\n"
        "f:1:91: $.tls.cipher_suites[2]: error: must be an integer, not a string\n",
        CONFIG_INVALID},
    {WITH("\"min_version\":\"TLS12\",\"cipher_suites\":[4865]"),
        "f:1:104: $.tls.cipher_suites: error: cannot be used: none of them is for TLS12, which is "
        "the min_version\n",
        CONFIG_INVALID},
    {WITH("\"enable_mtls\":true,\"ca_certs\":[\"ca.pem\",\"prose\"]"),
        "f:1:106: $.tls.ca_certs[1]: error: cannot be used: it holds no certificate in PEM\n",
        CONFIG_INVALID},
    {WITH("\"enable_mtls\":true"),
        "f:1:20: $.tls.ca_certs: error: cannot be used: it holds no certificate in PEM\n",
        CONFIG_INVALID},
    {WITH("\"enable_mtls\":true,\"disable_system_ca_pool\":true"),
        "f:1:110: $.tls.disable_system_ca_pool: error: cannot be used: without ca_certs no client "
        "could be let in\n",
        CONFIG_INVALID},
};

Test(config_listener_tls, names_what_is_wrong_at_its_key)
{
    fixture_expect_reports(rows, sizeof rows / sizeof *rows);
}

static bool holds(int fd, const char *text)
{
    struct stat stat;
    cr_assert_eq(fstat(fd, &stat), 0);
    void *bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    cr_assert_neq(bytes, MAP_FAILED);
    bool is_there = memmem(bytes, (size_t)stat.st_size, text, strlen(text));
    cr_assert_eq(munmap(bytes, (size_t)stat.st_size), 0);
    return is_there;
}

Test(config_listener_tls, the_front_gets_the_key_and_the_workers_do_not)
{
    struct loaded loaded =
        fixture_load(WITH("\"min_version\":\"TLS12\",\"cipher_suites\":[4865,49195],"
                          "\"enable_mtls\":true,\"ca_certs\":[\"ca.pem\"]"));
    cr_assert_eq(loaded.outcome, CONFIG_VALID, "%s", loaded.report);
    int front = plan_front_new(loaded.config), worker = plan_worker_new(loaded.config);
    struct plan plan;
    cr_assert_eq(plan_join(&plan, front, PLAN_FRONT), 0);
    const struct plan_front *root = plan.root;
    cr_assert_eq(root->tls.count, 1);
    const struct plan_server_tls *tls = plan_items(&plan, root->tls);
    cr_expect_not_null(strstr(plan_string(&plan, tls->certificate), its.me.pem));
    cr_expect_not_null(strstr(plan_string(&plan, tls->key), its.me.key_pem));
    cr_expect_not_null(strstr(plan_string(&plan, tls->authorities), its.authority.pem));
    cr_expect_str_eq(plan_string(&plan, tls->ciphers), "ECDHE-ECDSA-AES128-GCM-SHA256");
    cr_expect_str_eq(plan_string(&plan, tls->suites), "TLS_AES_128_GCM_SHA256");
    cr_expect(tls->speaks_1_2 && tls->speaks_1_3);
    cr_expect_not(holds(worker, its.me.key_pem));
    cr_expect_not(holds(worker, its.me.pem));
    plan_leave(&plan);
    close(front);
    close(worker);
    loaded_done(&loaded);
}
