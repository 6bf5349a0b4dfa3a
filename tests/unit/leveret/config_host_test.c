/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "config_host.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

struct trial {
    struct config_pool *pool;
    struct findings findings;
    struct config_host host;
    bool is_usable;
};

static struct trial parse(const char *uri)
{
    struct trial trial = {.pool = config_pool_new()};
    struct config_reading reading = {
        .source = "f", .pool = trial.pool, .findings = &trial.findings};
    struct config_path path = {0};

    cr_assert_eq(config_host_parse(&reading, uri, &path, &trial.host, &trial.is_usable), 0);
    return trial;
}

static void trial_done(struct trial *trial)
{
    findings_done(&trial->findings);
    config_pool_free(trial->pool);
}

struct good_row {
    const char *uri, *user, *password, *host;
    int port;
    const char *vhost;
};

static const struct good_row good_rows[] = {
    {"amqp://", "guest", "guest", "localhost", 5672, "/"},
    {"amqp://h", "guest", "guest", "h", 5672, "/"},
    {"AMQP://h/", "guest", "guest", "h", 5672, "/"},
    {"amqp://u:p@h:5673/v", "u", "p", "h", 5673, "v"},
    {"amqp://u@h", "u", "", "h", 5672, "/"},
    {"amqp://u:@h", "u", "", "h", 5672, "/"},
    {"amqp://:@h", "", "", "h", 5672, "/"},
    {"amqp://u:p%40ss%3A%2F@h/%2f", "u", "p@ss:/", "h", 5672, "/"},
    {"amqp://u:p@p@h", "u", "p@p", "h", 5672, "/"},
    {"amqp://u:a:b@h", "u", "a:b", "h", 5672, "/"},
    {"amqp://h/a/b", "guest", "guest", "h", 5672, "a/b"},
    {"amqp://h/a%2Fb", "guest", "guest", "h", 5672, "a/b"},
    {"amqp://[::1]:5673/v", "guest", "guest", "::1", 5673, "v"},
    {"amqp://[fe80::1%25eth0]", "guest", "guest", "fe80::1%eth0", 5672, "/"},
    {"amqp://h:/v", "guest", "guest", "h", 5672, "v"},
    {"amqp://h:65535", "guest", "guest", "h", 65535, "/"},
    {"amqp://h?heartbeat=7", "guest", "guest", "h", 5672, "/"},
    {"amqp:///v", "guest", "guest", "localhost", 5672, "v"},
    {"amqps://u:p@h/v", "u", "p", "h", 5671, "v"},
    {"AMQPS://[::1]:5673", "guest", "guest", "::1", 5673, "/"},
    {"amqps://", "guest", "guest", "localhost", 5671, "/"},
};

Test(config_host, reads_amqp_uris)
{
    for (size_t i = 0; i < N(good_rows); i++) {
        const struct good_row *row = &good_rows[i];
        struct trial trial = parse(row->uri);

        cr_expect(trial.is_usable, "%s", row->uri);
        cr_expect_eq(trial.findings.n, 0, "%s", row->uri);
        cr_expect_str_eq(trial.host.user, row->user, "%s", row->uri);
        cr_expect_str_eq(trial.host.password, row->password, "%s", row->uri);
        cr_expect_str_eq(trial.host.host, row->host, "%s", row->uri);
        cr_expect_eq(trial.host.port, row->port, "%s", row->uri);
        cr_expect_str_eq(trial.host.vhost, row->vhost, "%s", row->uri);
        trial_done(&trial);
    }
}

Test(config_host, reads_the_usual_query_parameters)
{
    struct trial trial = parse("amqp://h/v?heartbeat=0&connection_timeout=1500&&channel_max=64"
                               "&auth_mechanism=PLAIN");

    cr_assert(trial.is_usable);
    cr_assert_eq(trial.findings.n, 0);
    cr_assert_str_eq(trial.host.vhost, "v");
    cr_assert_eq(trial.host.heartbeat_s, 0);
    cr_assert_eq(trial.host.connection_timeout_ns, INT64_C(1500000000));
    cr_assert_eq(trial.host.channel_max, 64);
    trial_done(&trial);
}

Test(config_host, reads_what_tls_needs_from_the_query_of_amqps)
{
    struct trial trial = parse("amqps://h/v?cacertfile=%2Fca.pem&certfile=/me.pem&keyfile=/me.key"
                               "&server_name_indication=rabbit.example&verify=verify_peer"
                               "&auth_mechanism=EXTERNAL");

    cr_assert(trial.is_usable);
    cr_assert_eq(trial.findings.n, 0);
    cr_assert(trial.host.is_secure);
    cr_assert(trial.host.is_external);
    cr_assert_not(trial.host.is_unverified);
    cr_assert_str_eq(trial.host.files.authorities, "/ca.pem");
    cr_assert_str_eq(trial.host.files.certificate, "/me.pem");
    cr_assert_str_eq(trial.host.files.key, "/me.key");
    cr_assert_str_eq(trial.host.server_name, "rabbit.example");
    trial_done(&trial);
}

Test(config_host, verifies_the_hosts_own_name_with_the_systems_authorities_unless_it_is_told)
{
    struct trial trial = parse("amqps://h");

    cr_assert(trial.host.is_secure);
    cr_assert_not(trial.host.is_external);
    cr_assert_not(trial.host.is_unverified);
    cr_assert_str_eq(trial.host.files.authorities, "");
    cr_assert_str_eq(trial.host.files.certificate, "");
    cr_assert_str_eq(trial.host.server_name, "");
    trial_done(&trial);
}

Test(config_host, has_defaults_for_what_the_query_does_not_say)
{
    struct trial trial = parse("amqp://h");

    cr_assert_not(trial.host.is_secure);
    cr_assert_eq(trial.host.heartbeat_s, 10);
    cr_assert_eq(trial.host.connection_timeout_ns, INT64_C(30000000000));
    cr_assert_eq(trial.host.channel_max, 0);
    trial_done(&trial);
}

struct bad_row {
    const char *uri, *message;
    bool is_usable;
};

#define SECRET "s3cr3t"

static const struct bad_row bad_rows[] = {
    {"http://u:" SECRET "@h", "an AMQP backend needs amqp:// or amqps://, not http://", false},
    {"", "an AMQP backend needs a host such as amqp://user:password@host:5672/vhost", false},
    {SECRET, "an AMQP backend needs a host such as amqp://user:password@host:5672/vhost", false},
    {"u:" SECRET "@h://",
        "an AMQP backend needs a host such as amqp://user:password@host:5672/vhost", false},
    {"amqp://u:" SECRET "%zz@h", "the password has a malformed % escape", false},
    {"amqp://u:" SECRET "%0@h", "the password has a malformed % escape", false},
    {"amqp://u:" SECRET "%00@h", "the password has a malformed % escape", false},
    {"amqp://" SECRET "%:p@h", "the user name has a malformed % escape", false},
    {"amqp://u:" SECRET "@h%4", "the host name has a malformed % escape", false},
    {"amqp://u:" SECRET "@h/%f", "the vhost has a malformed % escape", false},
    {"amqp://u:" SECRET "@h/%00", "the vhost has a malformed % escape", false},
    {"amqp://u:" SECRET "@h:0", "the port is out of range: 1 to 65535", false},
    {"amqp://u:" SECRET "@h:65536", "the port is out of range: 1 to 65535", false},
    {"amqp://u:" SECRET "@h:99999999999999999999", "the port is out of range: 1 to 65535", false},
    {"amqp://u:" SECRET "@h:x", "the port is no number", false},
    {"amqp://u:" SECRET "@h:5672x", "the port is no number", false},
    {"amqp://u:" SECRET "@[::1", "the address has a [ without its ]", false},
    {"amqp://u:" SECRET "@[::1]x", "the address has something between ] and the port", false},
    {"amqp://u:" SECRET "@h,i", "the host name has a character that no host name has", false},
    {"amqp://u:" SECRET "@h%0ai", "the host name has a character that no host name has", false},
    {"amqp://u:" SECRET "@h%20", "the host name has a character that no host name has", false},
    {"amqp://u:" SECRET " @h", "the URI has a space or a control character in it", false},
    {"amqp://u:" SECRET "@h/v?heartbeat=" SECRET,
        "the query parameter heartbeat is no number from 0 to 65535", false},
    {"amqp://u:" SECRET "@h/v?channel_max=65536",
        "the query parameter channel_max is no number from 0 to 65535", false},
    {"amqp://u:" SECRET "@h/v?connection_timeout=-1",
        "the query parameter connection_timeout is no number from 0 to 3600000", false},
    {"amqp://u:" SECRET "@h/v?heartbeat",
        "the query parameter heartbeat is no number from 0 to 65535", false},
    {"amqp://u:" SECRET "@h/v?x=%g1", "the query has a malformed % escape", false},
    {"amqp://u:" SECRET "@h/v?auth_mechanism=external", "auth_mechanism=external needs amqps://",
        false},
    {"amqps://u:" SECRET "@h/v?auth_mechanism=external",
        "auth_mechanism=external needs certfile and keyfile, which say who we are", false},
    {"amqps://u:" SECRET "@h/v?certfile=" SECRET, "certfile needs a keyfile, the key to it", false},
    {"amqps://u:" SECRET "@h/v?keyfile=" SECRET, "keyfile needs a certfile, whose key it is",
        false},
    {"amqps://u:" SECRET "@h/v?verify=" SECRET, "verify is neither verify_peer nor verify_none",
        false},
    {"amqps://u:" SECRET "@h/v?verify=verify_none",
        "verify=verify_none lets anybody stand in for the broker and read the credentials", true},
    {"amqps://u:" SECRET "@h/v?server_name_indication=" SECRET "%2F",
        "server_name_indication has a character that no host name has", false},
    {"amqps://u:" SECRET "@h/v?depth=1", "the query has an unknown parameter: it has no effect",
        true},
    {"amqps://u:" SECRET "@h/v?password=" SECRET,
        "the query has an unknown parameter: it has no effect", true},
    {"amqp://u:" SECRET "@h/v?auth_mechanism=" SECRET,
        "auth_mechanism is neither plain nor external", false},
    {"amqp://u:" SECRET "@h/v?cacertfile=/" SECRET,
        "the query parameter cacertfile has no effect without amqps://", true},
    {"amqp://u:" SECRET "@h/v?verify=verify_peer",
        "the query parameter verify has no effect without amqps://", true},
    {"amqp://u:" SECRET "@h/v?" SECRET "=1", "the query has an unknown parameter: it has no effect",
        true},
};

Test(config_host, names_what_is_wrong_and_quotes_nothing)
{
    for (size_t i = 0; i < N(bad_rows); i++) {
        const struct bad_row *row = &bad_rows[i];
        struct trial trial = parse(row->uri);

        cr_expect_eq(trial.is_usable, row->is_usable, "%s", row->uri);
        cr_assert_eq(trial.findings.n, 1, "%s: %zu findings", row->uri, trial.findings.n);
        cr_expect_str_eq(trial.findings.items[0].message, row->message);
        cr_expect_null(strstr(trial.findings.items[0].message, SECRET));
        trial_done(&trial);
    }
}

Test(config_host, refuses_a_vhost_that_amqp_cannot_carry)
{
    char uri[300] = "amqp://h/";
    struct trial trial;

    memset(uri + strlen(uri), 'v', 255);
    trial = parse(uri);
    cr_assert(trial.is_usable, "255 bytes are allowed");
    trial_done(&trial);
    uri[strlen(uri)] = 'v';
    trial = parse(uri);
    cr_assert_not(trial.is_usable);
    cr_assert_str_eq(
        trial.findings.items[0].message, "the vhost is longer than the 255 bytes that AMQP allows");
    trial_done(&trial);
}
