/* SPDX-License-Identifier: Apache-2.0 */
#include "house.h"

#include <string.h>
#include "shm/lane.h"
#include "tests/support/broker_control.h"
#include "tests/support/load.h"
#include "tests/support/require.h"
#include "traffic.h"

/* Of the problem "busy"; a worker that is slow is "busy" with another one. */
#define NO_ROOM "Nothing was sent."

/* As soak.json says. */
enum { MEMORY_BYTES = 64 << 20, N_WORKERS = 2, N_PRODUCERS = TRAFFIC_N };

struct crowd {
    struct load load;
    struct load_run *run;
    char *url;
    struct house house;
};

static void on_post(void *context, int i, struct http_request *request)
{
    const struct crowd *crowd = context;
    *request = (struct http_request){
        .method = "POST", .url = crowd->url, .body = "for nobody", .body_bytes = 10};
}

static void on_get(void *context, int i, struct http_request *request)
{
    const struct crowd *crowd = context;
    *request = (struct http_request){.url = crowd->url};
}

static void on_answer(void *context, int i, const struct http_answer *answer)
{
    struct crowd *crowd = context;
    crowd->house.n_asked++;
    crowd->house.n_silent += answer->status == 0;
    crowd->house.n_refused += answer->status == 503 && strstr(answer->body, "/busy") != NULL &&
                              strstr(answer->body, NO_ROOM) != NULL;
}

static void begin(
    struct crowd *crowd, const struct stage *stage, const char *name, int n, bool is_posting)
{
    *crowd = (struct crowd){.url = format_text("%s/%s", stage->scene.sidecar.url, name)};
    crowd->load = (struct load){.n_connections = n,
        .n_requests = n,
        .on_request = is_posting ? on_post : on_get,
        .on_answer = on_answer,
        .context = crowd};
    crowd->run = load_begin(&crowd->load);
}

static void end(struct crowd *crowd, struct house *house)
{
    load_end(crowd->run);
    free(crowd->url);
    house->n_asked += crowd->house.n_asked;
    house->n_refused += crowd->house.n_refused;
    house->n_silent += crowd->house.n_silent;
}

/*
 * A lane keeps half of its slots from GETs, and shares the other half among the producers. The GETs
 * are all for one queue, so on one lane; the POSTs would fit on one, however they are spread.
 */
void house_fill(struct stage *stage, struct house *house)
{
    struct crowd crowds[1 + N_PRODUCERS];
    struct lane_size lane;
    require(lane_size_from_memory(MEMORY_BYTES, N_WORKERS, &lane) == 0, "memory");
    int n_gets = (int)lane.n_slots / 2 * 9 / 10, n_posts = n_gets / N_PRODUCERS;
    *house = (struct house){0};
    broker_do(BROKER_FREEZE);
    begin(&crowds[0], stage, "idle", n_gets, false);
    for (int i = 0; i < N_PRODUCERS; i++)
        begin(&crowds[1 + i], stage, traffic_name(i), n_posts, true);
    for (int i = 0; i < 1 + N_PRODUCERS; i++)
        end(&crowds[i], house);
    broker_do(BROKER_THAW);
}
