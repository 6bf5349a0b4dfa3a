/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/load.h"

#include <pthread.h>
#include <stdlib.h>
#include "tests/support/http_easy.h"
#include "tests/support/require.h"

/* One request in flight; a connection's next one is begun when it ends. */
struct flight {
    struct http_easy easy;
    struct http_answer answer;
    int i;
};

struct load_run {
    const struct load *load;
    CURLM *multi;
    struct flight *flights;
    int n_begun, n_ended;
    pthread_t thread;
};

static void begin_next(struct load_run *run, struct flight *flight)
{
    if (run->n_begun == run->load->n_requests)
        return;
    flight->i = run->n_begun++;
    struct http_request request = {0};
    run->load->on_request(run->load->context, flight->i, &request);
    http_easy_prepare(&flight->easy, &request, &flight->answer);
    require(curl_easy_setopt(flight->easy.handle, CURLOPT_PRIVATE, flight) == CURLE_OK, "private");
    require(curl_multi_add_handle(run->multi, flight->easy.handle) == CURLM_OK, "add_handle");
}

static void conclude(struct load_run *run, const CURLMsg *message)
{
    struct flight *flight;
    require(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight) == CURLE_OK,
        "CURLINFO_PRIVATE");
    CURLcode result = message->data.result; /* the message does not outlive the next call */
    require(curl_multi_remove_handle(run->multi, flight->easy.handle) == CURLM_OK, "remove_handle");
    http_easy_conclude(&flight->easy, result);
    run->load->on_answer(run->load->context, flight->i, &flight->answer);
    run->n_ended++;
    begin_next(run, flight);
}

static void *perform(void *context)
{
    struct load_run *run = context;
    for (int i = 0; i < run->load->n_connections; i++)
        begin_next(run, &run->flights[i]);
    while (run->n_ended < run->load->n_requests) {
        int n_running, n_messages;
        require(curl_multi_perform(run->multi, &n_running) == CURLM_OK, "curl_multi_perform");
        const CURLMsg *message;
        int n_concluded = 0;
        for (; (message = curl_multi_info_read(run->multi, &n_messages)) != NULL; n_concluded++)
            conclude(run, message);
        if (n_concluded == 0)
            require(curl_multi_poll(run->multi, NULL, 0, 1000, NULL) == CURLM_OK, "multi_poll");
    }
    return NULL;
}

static struct load_run *run_new(const struct load *load)
{
    struct load_run *run = calloc(1, sizeof *run);
    require(run != NULL, "no memory");
    run->load = load;
    run->multi = curl_multi_init();
    run->flights = calloc((size_t)load->n_connections, sizeof *run->flights);
    require(run->multi != NULL && run->flights != NULL, "no memory");
    long n = load->n_connections;
    require(curl_multi_setopt(run->multi, CURLMOPT_MAXCONNECTS, n) == CURLM_OK &&
                curl_multi_setopt(run->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, n) == CURLM_OK,
        "curl_multi_setopt");
    for (int i = 0; i < load->n_connections; i++)
        http_easy_init(&run->flights[i].easy);
    return run;
}

static void run_free(struct load_run *run)
{
    for (int i = 0; i < run->load->n_connections; i++) {
        http_easy_done(&run->flights[i].easy);
        http_answer_done(&run->flights[i].answer);
    }
    require(curl_multi_cleanup(run->multi) == CURLM_OK, "curl_multi_cleanup");
    free(run->flights);
    free(run);
}

void load_run(const struct load *load)
{
    struct load_run *run = run_new(load);
    (void)perform(run); /* always NULL */
    run_free(run);
}

struct load_run *load_begin(const struct load *load)
{
    struct load_run *run = run_new(load);
    require(pthread_create(&run->thread, NULL, perform, run) == 0, "pthread_create");
    return run;
}

void load_end(struct load_run *run)
{
    require(pthread_join(run->thread, NULL) == 0, "pthread_join");
    run_free(run);
}
