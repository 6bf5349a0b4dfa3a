/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer as a libcurl easy handle: what http_client performs alone and load
 * performs many of.
 */
#ifndef LEVERET_TESTS_HTTP_EASY_H
#define LEVERET_TESTS_HTTP_EASY_H

#include <curl/curl.h>
#include "tests/support/http_client.h"

struct http_easy {
    CURL *handle;
    struct curl_slist *headers;
    struct http_answer *answer; /* borrowed: filled as bytes arrive */
    const char *body;
    size_t body_bytes, body_sent;
    uint64_t begun_ns;
};

void http_easy_init(struct http_easy *easy);
void http_easy_done(struct http_easy *easy);

/* Makes the handle ready to perform `request` into `answer`, which is emptied. */
void http_easy_prepare(
    struct http_easy *easy, const struct http_request *request, struct http_answer *answer);

/* Notes what libcurl says about the transfer that has just ended. */
void http_easy_conclude(struct http_easy *easy, CURLcode result);

#endif
