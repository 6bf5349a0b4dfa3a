/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_easy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "tests/support/require.h"

#define SET(handle, option, value)                                                                 \
    require(curl_easy_setopt(handle, option, value) == CURLE_OK, "curl_easy_setopt " #option)

/* For a text and its end. Doubles as the text grows, whose address a sanitizer changes each time. */
static size_t room_for(size_t length)
{
    size_t room = 64;
    while (room <= length)
        room *= 2;
    return room;
}

static void append(char **buffer, size_t *length, const void *bytes, size_t n)
{
    size_t room = room_for(*length + n);
    if (*buffer == NULL || room > room_for(*length)) {
        *buffer = realloc(*buffer, room);
        require(*buffer != NULL, "no memory for an answer");
    }
    memcpy(*buffer + *length, bytes, n);
    *length += n;
    (*buffer)[*length] = '\0';
}

static size_t on_head(char *bytes, size_t size, size_t n, void *context)
{
    struct http_easy *easy = context;
    append(&easy->answer->head, &easy->answer->head_bytes, bytes, size * n);
    return size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
    struct http_easy *easy = context;
    append(&easy->answer->body, &easy->answer->body_bytes, bytes, size * n);
    return size * n;
}

static size_t on_upload(char *buffer, size_t size, size_t n, void *context)
{
    struct http_easy *easy = context;
    size_t left = easy->body_bytes - easy->body_sent;
    size_t now = left < size * n ? left : size * n;
    if (now > 0)
        memcpy(buffer, easy->body + easy->body_sent, now);
    easy->body_sent += now;
    return now;
}

void http_easy_init(struct http_easy *easy)
{
    *easy = (struct http_easy){.handle = curl_easy_init()};
    require(easy->handle != NULL, "curl_easy_init");
}

void http_easy_done(struct http_easy *easy)
{
    curl_slist_free_all(easy->headers);
    curl_easy_cleanup(easy->handle);
    *easy = (struct http_easy){0};
}

static void add_header(struct http_easy *easy, const char *line)
{
    struct curl_slist *longer = curl_slist_append(easy->headers, line);
    require(longer != NULL, "no memory for headers");
    easy->headers = longer;
}

static void set_headers(struct http_easy *easy, const struct http_request *request)
{
    curl_slist_free_all(easy->headers);
    easy->headers = NULL;
    add_header(easy, "Expect:"); /* libcurl would wait a second for 100 Continue */
    if (request->is_chunked)
        add_header(easy, "Transfer-Encoding: chunked");
    if (request->body != NULL &&
        strcasestr(request->headers ? request->headers : "", "content-type:") == NULL)
        add_header(easy, "Content-Type:"); /* libcurl would call it a form */
    autofree char *lines = format_text("%s", request->headers != NULL ? request->headers : "");
    char *rest = lines;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0')
            add_header(easy, line);
    SET(easy->handle, CURLOPT_HTTPHEADER, easy->headers);
}

static void set_body(struct http_easy *easy, const struct http_request *request)
{
    easy->body = request->body;
    easy->body_bytes = request->body_bytes;
    easy->body_sent = 0;
    if (request->body == NULL)
        return;
    SET(easy->handle, CURLOPT_POST, 1L);
    SET(easy->handle, CURLOPT_READFUNCTION, on_upload);
    SET(easy->handle, CURLOPT_READDATA, easy);
    if (!request->is_chunked)
        SET(easy->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
}

void http_easy_prepare(
    struct http_easy *easy, const struct http_request *request, struct http_answer *answer)
{
    http_answer_done(answer);
    easy->answer = answer;
    curl_easy_reset(easy->handle); /* keeps the connection */
    SET(easy->handle, CURLOPT_NOSIGNAL, 1L);
    SET(easy->handle, CURLOPT_PROXY, "");
    SET(easy->handle, CURLOPT_URL, request->url);
    SET(easy->handle, CURLOPT_PATH_AS_IS, 1L);
    SET(easy->handle, CURLOPT_ERRORBUFFER, answer->failure);
    SET(easy->handle, CURLOPT_HEADERFUNCTION, on_head);
    SET(easy->handle, CURLOPT_HEADERDATA, easy);
    SET(easy->handle, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy->handle, CURLOPT_WRITEDATA, easy);
    SET(easy->handle, CURLOPT_TIMEOUT_MS,
        request->timeout_ms > 0 ? request->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS);
    SET(easy->handle, CURLOPT_CAINFO, request->authority);
    SET(easy->handle, CURLOPT_SSLCERT, request->certificate);
    SET(easy->handle, CURLOPT_SSLKEY, request->key);
    set_body(easy, request);
    set_headers(easy, request);
    if (request->method != NULL && strcmp(request->method, "HEAD") == 0)
        SET(easy->handle, CURLOPT_NOBODY, 1L);
    else if (request->method != NULL)
        SET(easy->handle, CURLOPT_CUSTOMREQUEST, request->method);
    easy->begun_ns = clock_now_ns();
}

void http_easy_conclude(struct http_easy *easy, CURLcode result)
{
    struct http_answer *answer = easy->answer;
    answer->elapsed_ns = clock_now_ns() - easy->begun_ns;
    long status = 0;
    require(curl_easy_getinfo(easy->handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK,
        "CURLINFO_RESPONSE_CODE");
    answer->status = result == CURLE_OK ? (int)status : 0;
    if (result != CURLE_OK && answer->failure[0] == '\0')
        (void)strncat(answer->failure, curl_easy_strerror(result), sizeof answer->failure - 1);
    append(&answer->body, &answer->body_bytes, "", 0);
    append(&answer->head, &answer->head_bytes, "", 0);
}
