/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "tests/support/http_easy.h"
#include "tests/support/require.h"

struct http_call {
    pthread_t thread;
    struct http_request request;
    struct http_answer answer;
};

void http_do(const struct http_request *request, struct http_answer *answer)
{
    struct http_easy easy;
    http_easy_init(&easy);
    *answer = (struct http_answer){0};
    http_easy_prepare(&easy, request, answer);
    http_easy_conclude(&easy, curl_easy_perform(easy.handle));
    http_easy_done(&easy);
}

void http_answer_done(struct http_answer *answer)
{
    free(answer->head);
    free(answer->body);
    *answer = (struct http_answer){0};
}

const char *http_header(
    const struct http_answer *answer, const char *name, char *value, size_t value_size)
{
    size_t length = strlen(name);
    for (const char *line = answer->head; line != NULL && *line != '\0'; line++) {
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *start = line + length + 1 + strspn(line + length + 1, " \t");
            (void)snprintf(value, value_size, "%.*s", (int)strcspn(start, "\r\n"), start);
            return value;
        }
        line += strcspn(line, "\n");
        if (*line == '\0')
            break;
    }
    return NULL;
}

static void *perform(void *context)
{
    struct http_call *call = context;
    http_do(&call->request, &call->answer);
    return NULL;
}

struct http_call *http_begin(const struct http_request *request)
{
    struct http_call *call = calloc(1, sizeof *call);
    require(call != NULL, "no memory");
    call->request = *request;
    require(pthread_create(&call->thread, NULL, perform, call) == 0, "pthread_create");
    return call;
}

void http_end(struct http_call *call, struct http_answer *answer)
{
    require(pthread_join(call->thread, NULL) == 0, "pthread_join");
    *answer = call->answer;
    free(call);
}
