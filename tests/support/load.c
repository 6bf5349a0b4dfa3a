/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include "tests/support/http_easy.h"
#include "tests/support/require.h"

enum { LOOK_AGAIN_MS = 1000 };

/* A connection and its request in flight, if any. */
struct flight {
    struct http_easy easy;
    struct http_answer answer;
    struct flight *next_idle;
    int i;
};

struct load_run {
    const struct load *load;
    CURLM *multi;
    struct flight *flights, *idle;
    int n_begun, n_ended;
    uint64_t next_ns; /* no request is begun before */
    atomic_bool is_finished;
    pthread_t thread;
};

static bool has_more(struct load_run *run)
{
    return !atomic_load(&run->is_finished) &&
           (run->load->n_requests == 0 || run->n_begun < run->load->n_requests);
}

static void begin(struct load_run *run, struct flight *flight)
{
    flight->i = run->n_begun++;
    struct http_request request = {0};
    run->load->on_request(run->load->context, flight->i, &request);
    http_easy_prepare(&flight->easy, &request, &flight->answer);
    require(curl_easy_setopt(flight->easy.handle, CURLOPT_PRIVATE, flight) == CURLE_OK, "private");
    require(curl_multi_add_handle(run->multi, flight->easy.handle) == CURLM_OK, "add_handle");
}

static void begin_what_is_due(struct load_run *run)
{
    uint64_t now_ns = clock_now_ns();
    while (run->idle != NULL && has_more(run) && now_ns >= run->next_ns) {
        struct flight *flight = run->idle;
        run->idle = flight->next_idle;
        run->next_ns = now_ns + run->load->pause_ns;
        begin(run, flight);
    }
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
    flight->next_idle = run->idle;
    run->idle = flight;
}

static void wait_for_events(struct load_run *run)
{
    int wait_ms = LOOK_AGAIN_MS;
    if (run->idle != NULL && has_more(run))
        wait_ms = clock_wait_ms(clock_now_ns(), run->next_ns, LOOK_AGAIN_MS);
    require(curl_multi_poll(run->multi, NULL, 0, wait_ms, NULL) == CURLM_OK, "multi_poll");
}

static void *perform(void *context)
{
    struct load_run *run = context;
    begin_what_is_due(run);
    while (run->n_ended < run->n_begun || has_more(run)) {
        int n_running, n_messages;
        require(curl_multi_perform(run->multi, &n_running) == CURLM_OK, "curl_multi_perform");
        const CURLMsg *message;
        int n_concluded = 0;
        for (; (message = curl_multi_info_read(run->multi, &n_messages)) != NULL; n_concluded++)
            conclude(run, message);
        begin_what_is_due(run);
        if (n_concluded == 0)
            wait_for_events(run);
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
    for (int i = load->n_connections - 1; i >= 0; i--) {
        http_easy_init(&run->flights[i].easy);
        run->flights[i].next_idle = run->idle;
        run->idle = &run->flights[i];
    }
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

void load_finish(struct load_run *run)
{
    atomic_store(&run->is_finished, true);
    require(curl_multi_wakeup(run->multi) == CURLM_OK, "curl_multi_wakeup");
}

void load_end(struct load_run *run)
{
    require(pthread_join(run->thread, NULL) == 0, "pthread_join");
    run_free(run);
}
