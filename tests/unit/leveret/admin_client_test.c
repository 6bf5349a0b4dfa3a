/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "admin_client.h"
#include "fake_admin.h"
#include "shm/clock.h"

#define N_OF(list) (sizeof(list) / sizeof((list)[0]))
#define PATIENCE (30 * CLOCK_S)
#define HASTE (50 * CLOCK_MS)

static struct admin_failure failure;
static const char *token;

static enum admin_outcome get(
    const struct admin_address *address, uint64_t timeout_ns, struct admin_answer *answer)
{
    struct admin_client client;
    admin_client_init(&client, address, token);
    enum admin_outcome outcome = admin_get(&client, "/__stats/", timeout_ns, answer, &failure);
    admin_client_done(&client);
    return outcome;
}

/* The answer is read as it is, whatever says where it ends. */
static void expect_body(const char *text, bool stays_open, int status, const char *body)
{
    const struct fake_answer answers[] = {{.text = text, .stays_open = stays_open}};
    struct admin_answer answer = {0};
    struct fake_admin fake;
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_ANSWERED, "%s", failure.text);
    cr_assert_eq(answer.status, status);
    cr_assert_str_eq(answer.body, body);
    cr_assert_eq(answer.body_bytes, strlen(body));
    admin_answer_done(&answer);
    fake_admin_stop(&fake);
}

/* "%s" in `sentence` is the address. */
static void expect_failure(const struct fake_answer *given, const char *sentence)
{
    char expected[512];
    struct admin_answer answer = {0};
    struct fake_admin fake;
    fake_admin_start(&fake, NULL, given, 1);
    cr_assert_eq(get(&fake.address, given->stays_open ? HASTE : PATIENCE, &answer), ADMIN_FAILED);
    int n = snprintf(expected, sizeof(expected), "%s", fake.url);
    (void)snprintf(expected + n, sizeof(expected) - (size_t)n, "%s", sentence);
    cr_assert_str_eq(failure.text, expected);
    cr_assert_null(answer.bytes);
    fake_admin_stop(&fake);
}

Test(admin_client, an_answer_ends_with_its_length_or_with_the_connection)
{
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false, 200, "{}");
    expect_body("HTTP/1.1 200 OK\r\ncontent-length:\t2 \r\n\r\n{}", true, 200, "{}");
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}more", true, 200, "{}");
    expect_body("HTTP/1.0 503 No\r\nServer: x\r\n\r\n{\"a\":1}\n", false, 503, "{\"a\":1}\n");
    expect_body("HTTP/1.1 404\r\n\r\n", false, 404, "");
    expect_body("HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n", true, 204, "");
}

Test(admin_client, asks_in_the_words_of_http_1_0)
{
    const struct fake_answer answers[] = {{.text = "HTTP/1.0 200 OK\r\n\r\n"}};
    struct admin_answer answer = {0};
    char expected[256];
    struct fake_admin fake;
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_ANSWERED, "%s", failure.text);
    admin_answer_done(&answer);
    fake_admin_stop(&fake);
    (void)snprintf(
        expected, sizeof(expected), "GET /__stats/ HTTP/1.0\r\nHost: %s\r\n\r\n", "127.0.0.1");
    cr_assert_str_eq(fake.request, expected);
}

Test(admin_client, shows_its_token_as_a_bearer)
{
    const struct fake_answer answers[] = {{.text = "HTTP/1.0 200 OK\r\n\r\n"}};
    struct admin_answer answer = {0};
    struct fake_admin fake;
    token = "abcdefgh-12345678";
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_ANSWERED, "%s", failure.text);
    admin_answer_done(&answer);
    fake_admin_stop(&fake);
    cr_assert(strstr(fake.request, "\r\nAuthorization: Bearer abcdefgh-12345678\r\n\r\n"), "%s",
        fake.request);
}

Test(admin_client, says_what_the_listener_wants_of_who_asks)
{
    const struct fake_answer stranger = {.text = "HTTP/1.0 401 Unauthorized\r\n\r\n"},
                             lost = {.text = "HTTP/1.0 421 Misdirected Request\r\n\r\n"};
    expect_failure(&stranger, " wants to see its token: LEVERET_ADMIN_TOKEN is not set");
    token = "abcdefgh-12345678";
    expect_failure(&stranger, " wants to see its token: LEVERET_ADMIN_TOKEN is another one");
    expect_failure(&lost, " has no token, and then wants to be called by an address or localhost");
}

Test(admin_client, a_name_is_looked_up_and_all_its_addresses_are_tried)
{
    const struct fake_answer answers[] = {{.text = "HTTP/1.0 200 OK\r\n\r\n{}"}};
    struct admin_answer answer = {0};
    struct admin_address address;
    char url[64];
    struct fake_admin fake;
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    (void)snprintf(url, sizeof(url), "http://localhost:%s", fake.address.port);
    cr_assert(admin_address_parse(url, &address));
    cr_assert_eq(get(&address, PATIENCE, &answer), ADMIN_ANSWERED, "%s", failure.text);
    admin_answer_done(&answer);
    fake_admin_stop(&fake);
}

Test(admin_client, asks_through_a_unix_socket)
{
    const struct fake_answer answers[] = {{.text = "HTTP/1.0 200 OK\r\n\r\n{}"}};
    struct admin_answer answer = {0};
    char folder[] = "/tmp/leveret-admin-XXXXXX", path[64];
    struct fake_admin fake;
    cr_assert(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    fake_admin_start(&fake, path, answers, N_OF(answers));
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_ANSWERED, "%s", failure.text);
    cr_assert_str_eq(answer.body, "{}");
    admin_answer_done(&answer);
    fake_admin_stop(&fake);
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_FAILED);
    cr_assert(strstr(failure.text, "nobody listens at unix:/tmp/"), "%s", failure.text);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_FAILED);
    cr_assert(strstr(failure.text, "socket: No such file or directory"), "%s", failure.text);
    cr_assert_eq(rmdir(folder), 0);
}

Test(admin_client, says_that_nobody_listens)
{
    const struct fake_answer answers[] = {{.text = ""}};
    struct admin_answer answer = {0};
    char expected[512];
    struct fake_admin fake;
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    fake_admin_stop(&fake);
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_FAILED);
    (void)snprintf(
        expected, sizeof(expected), "nobody listens at %s: Connection refused", fake.url);
    cr_assert_str_eq(failure.text, expected);
}

Test(admin_client, says_that_there_is_no_way_or_no_such_name)
{
    struct admin_answer answer = {0};
    struct admin_address address;
    cr_assert(admin_address_parse("http://255.255.255.255:1", &address));
    cr_assert_eq(get(&address, PATIENCE, &answer), ADMIN_FAILED);
    cr_assert(strstr(failure.text, "no way to http://255.255.255.255:1: "), "%s", failure.text);
    cr_assert(admin_address_parse("http://[::zz]:1", &address));
    cr_assert_eq(get(&address, PATIENCE, &answer), ADMIN_FAILED);
    cr_assert(strstr(failure.text, "http://[::zz]:1 cannot be found: "), "%s", failure.text);
}

Test(admin_client, says_that_it_is_too_late)
{
    expect_failure(
        &(struct fake_answer){.text = "", .stays_open = true}, " has not answered within 0.05 s");
    expect_failure(&(struct fake_answer){.text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
                       .stays_open = true},
        " has not answered within 0.05 s");
}

Test(admin_client, says_that_it_was_broken_off)
{
    expect_failure(&(struct fake_answer){.text = ""}, " broke off: too early");
    expect_failure(&(struct fake_answer){.text = "HTTP/1.1 200 OK\r\n"}, " broke off: too early");
    expect_failure(&(struct fake_answer){.text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"},
        " broke off: too early");
}

Test(admin_client, says_that_it_is_not_http)
{
    static const char *const texts[] = {"AMQP\0\0\x09\x01", "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}"};
    for (size_t i = 0; i < N_OF(texts); i++)
        expect_failure(
            &(struct fake_answer){.text = texts[i]}, " is no sidecar: it does not answer in HTTP");
    expect_failure(&(struct fake_answer){.text = "HTTP/1.1 200 OK\r\nX: ", .n_fillers = 65},
        " is no sidecar: it does not answer in HTTP");
}

Test(admin_client, says_that_it_is_too_much)
{
    expect_failure(
        &(struct fake_answer){.text = "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n{}"},
        " answers with more than 64 MiB");
    expect_failure(&(struct fake_answer){.text = "HTTP/1.1 200 OK\r\n\r\n", .n_fillers = 65537},
        " answers with more than 64 MiB");
}

Test(admin_client, takes_as_much_as_it_may)
{
    const struct fake_answer answers[] = {{.text = "HTTP/1.1 200 OK\r\n\r\n", .n_fillers = 65536}};
    struct admin_answer answer = {0};
    struct fake_admin fake;
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    cr_assert_eq(get(&fake.address, PATIENCE, &answer), ADMIN_ANSWERED, "%s", failure.text);
    cr_assert_eq(answer.body_bytes, (size_t)ADMIN_BODY_MAX);
    admin_answer_done(&answer);
    fake_admin_stop(&fake);
}

Test(admin_address, understands_its_shapes)
{
    struct admin_address address;
    cr_assert(admin_address_parse("http://127.0.0.1:9000", &address));
    cr_assert_str_eq(address.host, "127.0.0.1");
    cr_assert_str_eq(address.port, "9000");
    cr_assert_null(address.unix_path);
    cr_assert(admin_address_parse("http://side-car_1.example/", &address));
    cr_assert_str_eq(address.host, "side-car_1.example");
    cr_assert_str_eq(address.port, "8090");
    cr_assert(admin_address_parse("http://[::1]:1/", &address));
    cr_assert_str_eq(address.host, "::1");
    cr_assert_str_eq(address.port, "1");
    cr_assert(admin_address_parse("unix:/run/leveret/admin", &address));
    cr_assert_str_eq(address.unix_path, "/run/leveret/admin");
    cr_assert(admin_address_parse(ADMIN_ADDRESS_DEFAULT, &address));
}

Test(admin_address, refuses_everything_else)
{
    static const char *const texts[] = {"", "127.0.0.1:8090", "https://127.0.0.1:8090", "http://",
        "http://:80", "http://a:", "http://a:0", "http://a:65536", "http://a:123456", "http://a:8x",
        "http://a:-1", "http://a/x", "http://a//", "http://a b", "http://a@b", "http://a\r\nX: y",
        "http://a\x1b[2J", "http://::1", "http://[::1", "http://[::1]x", "http://[]",
        "unix:", "unix:relative",
        "unix:/1234567890123456789012345678901234567890123456789012345678901234567890"
        "12345678901234567890123456789012345678"};
    struct admin_address address = {.url = "untouched"};
    for (size_t i = 0; i < N_OF(texts); i++) {
        cr_assert(!admin_address_parse(texts[i], &address), "%s", texts[i]);
        cr_assert_str_eq(address.url, "untouched");
    }
}
