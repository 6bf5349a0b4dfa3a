/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that amqps:// names: read once, tried at once, and what is wrong with one said at the
 * URI that names it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_fixture.h"
#include "tests/support/require.h"

#define FILE_WITH(hosts)                                                                           \
    "{\"version\":3,\"host\":[" hosts "],\"endpoints\":[{\"endpoint\":\"/a\",\"backend\":"         \
    "[{\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q\"}}}]}]}"
#define ONE(query) FILE_WITH("\"amqps://u:s3cr3t@h/?" query "\"")
#define AT "f:1:22: $.host[0]: error: "
#define MINE "certfile=me.pem&keyfile=me.key"

static struct fixture_identities its;

static void write_encrypted_key(void)
{
    static const char begin[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n";
    autofree char *command = format_text(
        "openssl pkcs8 -topk8 -in me.key -passout pass:s3cr3t -out locked.key 2>/dev/null");
    cr_assert_eq(system(command), 0);
    FILE *file = fopen("locked.key", "r");
    char line[sizeof begin];
    cr_assert(file && fgets(line, sizeof line, file));
    cr_assert_str_eq(line, begin);
    fclose(file);
}

static void set_up(void)
{
    fixture_enter();
    fixture_identities_init(&its);
    fixture_write_text("empty", "");
    fixture_write_text("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIBXTCCAQSgAwIBAgI\n");
    fixture_write_text("locked.pem",
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,"
        "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        "-----END CERTIFICATE-----\n");
    fixture_write_text(
        "false.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write_encrypted_key();
}

static void tear_down(void)
{
    fixture_identities_done(&its);
    fixture_leave();
}

TestSuite(config_broker_tls, .init = set_up, .fini = tear_down);

/* ---- what is wrong ---- */

static const struct report_row rows[] = {
    {ONE("cacertfile=ca.pem"), "", CONFIG_VALID},
    {ONE("cacertfile=ca.pem&" MINE), "", CONFIG_VALID},
    {ONE("cacertfile=ca.pem&" MINE "&auth_mechanism=external"), "", CONFIG_VALID},
    {ONE("cacertfile=nowhere.pem"), AT "cacertfile cannot be used: No such file or directory\n",
        CONFIG_INVALID},
    {ONE("cacertfile=."), AT "cacertfile cannot be used: Invalid argument\n", CONFIG_INVALID},
    {ONE("cacertfile=empty"), AT "cacertfile cannot be used: it holds no certificate in PEM\n",
        CONFIG_INVALID},
    {ONE("cacertfile=prose"), AT "cacertfile cannot be used: it holds no certificate in PEM\n",
        CONFIG_INVALID},
    {ONE("cacertfile=me.key"), AT "cacertfile cannot be used: it holds no certificate in PEM\n",
        CONFIG_INVALID},
    {ONE("cacertfile=locked.pem"),
        AT "cacertfile cannot be used: it is encrypted: no passphrase can be given\n",
        CONFIG_INVALID},
    {ONE("cacertfile=cut.pem"), AT "cacertfile cannot be used: bad end line\n", CONFIG_INVALID},
    {ONE("cacertfile=false.pem"), AT "cacertfile cannot be used: wrong tag\n", CONFIG_INVALID},
    {ONE("cacertfile=ca.pem&certfile=nowhere&keyfile=me.key"),
        AT "certfile cannot be used: No such file or directory\n", CONFIG_INVALID},
    {ONE("cacertfile=ca.pem&certfile=me.pem&keyfile=nowhere"),
        AT "keyfile cannot be used: No such file or directory\n", CONFIG_INVALID},
    {ONE("cacertfile=ca.pem&certfile=me.key&keyfile=me.key"),
        AT "certfile cannot be used: it holds no certificate in PEM\n", CONFIG_INVALID},
    {ONE("cacertfile=ca.pem&certfile=me.pem&keyfile=me.pem"),
        AT "keyfile cannot be used: it holds no private key in PEM that can be read\n",
        CONFIG_INVALID},
    {ONE("cacertfile=ca.pem&certfile=me.pem&keyfile=other.key"),
        AT "keyfile cannot be used: it does not fit the certificate\n", CONFIG_INVALID},
    {ONE("cacertfile=ca.pem&certfile=me.pem&keyfile=locked.key"),
        AT "keyfile cannot be used: it is encrypted: no passphrase can be given\n", CONFIG_INVALID},
    /* the second host is looked at, too */
    {FILE_WITH("\"amqps://h?cacertfile=ca.pem\",\"amqps://i?cacertfile=prose\""),
        "f:1:52: $.host[1]: error: cacertfile cannot be used: it holds no certificate in PEM\n",
        CONFIG_INVALID},
    /* without a file of its own: the system's */
    {ONE(""),
        AT "the system's store of authorities, since there is no cacertfile, cannot be used: it "
           "holds no certificate in PEM\n",
        CONFIG_INVALID},
};

Test(config_broker_tls, names_what_is_wrong_with_a_file_where_it_is_named)
{
    fixture_expect_reports(rows, sizeof rows / sizeof *rows);
}

/* ---- what is read ---- */

static void expect_holds(const char *text, const char *pem)
{
    cr_expect_not_null(strstr(text, pem), "%s in %s", pem, text);
}

Test(config_broker_tls, hosts_that_name_the_same_files_share_what_was_read)
{
    struct loaded loaded = fixture_load(FILE_WITH(
        "\"amqps://h?cacertfile=ca.pem&" MINE "\",\"amqps://i?cacertfile=ca.pem&" MINE "\","
        "\"amqps://j?cacertfile=ca.pem\""));
    cr_assert_eq(loaded.outcome, CONFIG_VALID, "%s", loaded.report);
    const struct config_host *hosts = loaded.config->hosts;
    const struct config_broker_tls *first = loaded.config->broker_tls;
    cr_assert_eq(hosts[0].tls, first);
    cr_assert_eq(hosts[1].tls, first);
    cr_assert_eq(hosts[2].tls, first->next);
    cr_assert_eq(first->number, 0);
    cr_assert_eq(first->next->number, 1);
    cr_assert_null(first->next->next);
    expect_holds(first->authorities, its.authority.pem);
    expect_holds(first->certificate, its.me.pem);
    expect_holds(first->key, its.me.key_pem);
    cr_expect_str_empty(first->next->key);
    loaded_done(&loaded);
}

Test(config_broker_tls, the_systems_authorities_are_those_of_openssl)
{
    cr_assert_eq(setenv("SSL_CERT_FILE", "me.pem", 1), 0);
    cr_assert_eq(setenv("SSL_CERT_DIR", "nowhere:a-store-with-a-long-name", 1), 0);
    cr_assert_eq(mkdir("a-store-with-a-long-name", 0700), 0);
    fixture_write_text("a-store-with-a-long-name/0123abcd.0", its.authority.pem);
    fixture_write_text("a-store-with-a-long-name/beside.pem", "no file of OpenSSL's");
    struct loaded loaded = fixture_load(ONE(""));
    cr_assert_eq(loaded.outcome, CONFIG_VALID, "%s", loaded.report);
    expect_holds(loaded.config->broker_tls->authorities, its.authority.pem);
    expect_holds(loaded.config->broker_tls->authorities, its.me.pem);
    cr_expect_null(strstr(loaded.config->broker_tls->authorities, "OpenSSL"));
    loaded_done(&loaded);
    cr_assert_eq(remove("a-store-with-a-long-name/0123abcd.0"), 0);
    cr_assert_eq(remove("a-store-with-a-long-name/beside.pem"), 0);
}

Test(config_broker_tls, nobodys_authority_is_needed_where_nothing_is_verified)
{
    struct loaded loaded = fixture_load(ONE("verify=verify_none"));
    cr_assert_eq(loaded.outcome, CONFIG_VALID, "%s", loaded.report);
    cr_expect_str_empty(loaded.config->broker_tls->authorities);
    cr_expect(loaded.config->broker_tls->is_unverified);
    loaded_done(&loaded);
}
