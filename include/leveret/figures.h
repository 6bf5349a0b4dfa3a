/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures: what the processes count while they work, for whoever looks (/__stats/, /metrics, the
 * probes). Each process that counts has a segment of its own, and nobody else writes to it:
 *
 *      front        figures_header · front · endpoint[n + 2] · cells of their histograms
 *      worker i     figures_header · worker · connection[2 b + t] · backend[n] · queue[t] · cells
 *      supervisor   figures_header · supervisor · process[2 + n_workers]
 *
 * A segment is a memfd, sealed against resizing, which the supervisor makes for a generation. It
 * belongs to a place and not to a process: when a child dies, its successor is given the same one
 * and counts on, so within a generation no counter falls. A reload begins a generation, with fresh
 * segments: to a reader it looks like a restart, and supervisor.generation says so.
 *
 *   START: one's own, to write ──▶ counts     FIGURES: another's, to read alone ──▶ the front looks
 *
 * The front serves the pages, so it alone is given the others' segments, opened for reading alone.
 * To a reader every cell is a hostile number: how many rows there are it knows from its own plan,
 * never from the segment, and a text is shown as far as it is printable. The header only tells two
 * builds apart.
 *
 * A cell is a 64-bit word of one writer, written relaxed and without a lock prefix, in the order of
 * what happened. So a reader may see one event in one cell and not yet in another. What must add up
 * is therefore counted twice, when it begins and when it ends, and what is between is the
 * difference:
 *
 *      endpoint   accepted  = Σ answered + abandoned + lost + in flight
 *      backend    asked     = Σ outcomes + lost + in flight
 *      queue      delivered = acked + requeued + discarded + unacked
 *
 * The first is exact. The others are, too, while their worker lives; what it had in flight when it
 * died the next one counts as `lost` (its fate is the front's to tell: submitted again, or 504), and
 * what it had unacked as requeued, for that is what the broker does with it.
 *
 * The tables below have a line for each figure: its name here and in JSON, its type, its name as a
 * metric (none: ""), the value of the label that tells it from others of this name, and what it
 * says. JSON, the metrics' text and their HELP are written from them. Times are CLOCK_MONOTONIC in
 * nanoseconds, as elsewhere; a metric has seconds.
 */
#ifndef LEVERET_FIGURES_H
#define LEVERET_FIGURES_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include <leveret/lane.h>

#define FIGURES_MAGIC UINT64_C(0x7365727567696676)
#define FIGURES_VERSION 1u

typedef _Atomic uint64_t figure; /* a cell */

enum figures_kind { FIGURES_FRONT = 1, FIGURES_WORKER, FIGURES_SUPERVISOR, FIGURES_N_KINDS };

/* A counter never falls in a generation, a gauge does. COUNTER_NS: of nanoseconds; FLAG: 0 or 1;
 * STATE: of the enum that it names; AT: a moment, 0: never. JSON has a flag without its "is_". */
enum figure_type {
    FIGURE_COUNTER,
    FIGURE_COUNTER_NS,
    FIGURE_GAUGE,
    FIGURE_FLAG,
    FIGURE_STATE,
    FIGURE_AT
};

/* ---- durations ---- */

/*
 * A histogram of durations: cells between 1 us and 67 s, 64 for each doubling, so that the middle of
 * a cell is within 0.8 % of all that is in it; one cell for what is shorter, one for what is longer.
 *
 *      cell 0            below 1 us
 *      cell 1 + 64 k + j from (64 + j) / 64 * 2^k us to (65 + j) / 64 * 2^k us      0 <= k < 26
 *      the last          from 2^26 us
 *
 * 1 ms * 2^n is the bound of a cell for every n down to 1 ms / 16. Pages of cells are touched on
 * demand; all histograms of an endpoint reserve 67 KB, the one of a backend 13 KB a worker. `lowest`
 * and `highest` bound the cells that were ever written, for looking at others would touch them.
 */
enum {
    FIGURES_SUBCELLS = 64,
    FIGURES_OCTAVES = 26,
    FIGURES_CELLS = 1 + FIGURES_OCTAVES * FIGURES_SUBCELLS + 1,
    FIGURES_CELLS_STRIDE = (FIGURES_CELLS + 7) / 8 * 8, /* whole lines */
};

/* What stands in a row for a histogram, whose cells lie apart. `lowest` is one more than the number
 * of the lowest cell in use, `highest` of the highest, so that zero is an empty one. */
struct figures_span {
    figure count, sum_ns, max_ns, lowest, highest;
};

/* ---- a text ---- */

/* A text that changes: `turn` is odd while it does. Zeros fill the rest. */
enum { FIGURES_TEXT_BYTES = 248 };
struct figures_text {
    figure turn;
    figure words[FIGURES_TEXT_BYTES / 8];
};

/* ---- the front's ---- */

#define FIGURES_OF_FRONT(X)                                                                        \
    X(connections_accepted, COUNTER, "leveret_connections_accepted_total", "",                     \
        "Connections of clients that were let in.")                                                \
    X(connections_open, GAUGE, "leveret_connections_open", "",                                     \
        "Connections of clients that are open.")                                                   \
    X(accept_pauses, COUNTER, "leveret_accept_pauses_total", "",                                   \
        "Times that nobody was let in for a moment, for want of descriptors or memory.")

#define FIGURES_OF_ENDPOINT(X)                                                                     \
    X(accepted, COUNTER, "leveret_http_requests_accepted_total", "", "Requests that were begun.")  \
    X(abandoned, COUNTER, "leveret_http_requests_abandoned_total", "",                             \
        "Requests whose client left before there was an answer.")                                  \
    X(lost, COUNTER, "leveret_http_requests_lost_total", "",                                       \
        "Requests that ended with a front that died.")                                             \
    X(request_bytes, COUNTER, "leveret_http_request_body_bytes_total", "",                         \
        "Bytes of the bodies of requests.")                                                        \
    X(response_bytes, COUNTER, "leveret_http_response_body_bytes_total", "",                       \
        "Bytes of the bodies of answers.")

/* Every status that is ever given; any other is counted behind them. */
#define FIGURES_CODES 200, 202, 204, 307, 400, 404, 405, 408, 413, 422, 431, 500, 501, 502, 503, 504
enum { FIGURES_N_CODES = 17 };

/*
 * Where the time of a request goes.
 *
 *   head and body are there ─PARSE─▶ submitted ─RING─▶ claimed ─BROKER─▶ done ─RING─▶ seen ─WRITE─▶
 *   the last byte was written, and a delivery proved
 *
 * Of several parts the one that was done last counts. What no worker was asked for has TOTAL, PARSE
 * and WRITE alone.
 */
enum figures_stage {
    FIGURES_TOTAL,
    FIGURES_PARSE,
    FIGURES_RING,
    FIGURES_BROKER,
    FIGURES_WRITE,
    FIGURES_N_STAGES
};

#define FIGURES_MEMBER(field, type, metric, label, help) figure field;

struct figures_front {
    alignas(LANE_LINE) struct {
        FIGURES_OF_FRONT(FIGURES_MEMBER)
    };
};

/* Behind those of the plan, in its order, stand two more: */
enum { FIGURES_UNMATCHED, FIGURES_HEALTH, FIGURES_MORE_ENDPOINTS };

struct figures_endpoint {
    alignas(LANE_LINE) struct {
        FIGURES_OF_ENDPOINT(FIGURES_MEMBER)
    };
    figure answered[FIGURES_N_CODES];
    struct figures_span stages[FIGURES_N_STAGES];
};

/* ---- a worker's ---- */

#define FIGURES_OF_WORKER(X)                                                                       \
    X(turns, COUNTER, "leveret_worker_turns_total", "", "Turns of the worker's loop.")             \
    X(batches, COUNTER, "leveret_worker_batches_total", "",                                        \
        "Turns in which the worker heard something from the front.")                               \
    X(heard, COUNTER, "leveret_worker_entries_total", "",                                          \
        "Entries of its ring that the worker has heard.")                                          \
    X(batch_max, GAUGE, "leveret_worker_batch_max", "",                                            \
        "Most entries that the worker has heard in one turn.")                                     \
    X(io, STATE, "", "", "What the loop stands on: enum figures_io.")

enum figures_io { FIGURES_IO_NONE, FIGURES_IO_URING, FIGURES_IO_EPOLL, FIGURES_N_IOS };

#define FIGURES_OF_CONNECTION(X)                                                                   \
    X(state, STATE, "", "", "enum figures_connection_state.")                                      \
    X(is_blocked, FLAG, "leveret_connection_blocked", "",                                          \
        "1 while the broker takes no messages on this connection.")                                \
    X(ups, COUNTER, "leveret_connection_ups_total", "",                                            \
        "Times that the connection came up; all but the first are reconnects.")                    \
    X(failures, COUNTER, "leveret_connection_failures_total", "",                                  \
        "Attempts to connect that came to nothing.")                                               \
    X(changed_at, AT, "", "", "Since when it is in this state.")

enum figures_connection_state {
    FIGURES_CONNECTION_NONE,       /* this worker has no use for it */
    FIGURES_CONNECTION_CONNECTING, /* never came to anything yet */
    FIGURES_CONNECTION_UP,
    FIGURES_CONNECTION_AWAY, /* lost or refused; it is tried again */
    FIGURES_CONNECTION_LEFT, /* closed for good */
    FIGURES_N_CONNECTION_STATES
};

#define FIGURES_OF_BACKEND(X)                                                                      \
    X(asked, COUNTER, "", "", "Publishes and GETs that the worker took up.")                       \
    X(lost, COUNTER, "", "", "Those that ended with a worker that died.")                          \
    X(is_refused, FLAG, "", "", "1 while the broker refuses the producer's exchange.")

#define FIGURES_OF_QUEUE(X)                                                                        \
    X(delivered, COUNTER, "leveret_deliveries_total", "delivered",                                 \
        "Messages that came from the queue, and what became of them.")                             \
    X(acked, COUNTER, "leveret_deliveries_total", "acked", "")                                     \
    X(requeued, COUNTER, "leveret_deliveries_total", "requeued", "")                               \
    X(discarded, COUNTER, "leveret_deliveries_total", "discarded", "")                             \
    X(undecodable, COUNTER, "leveret_unfit_messages_total", "undecodable",                         \
        "Messages that their GET could not have.")                                                 \
    X(too_large, COUNTER, "leveret_unfit_messages_total", "too-large", "")                         \
    X(waiting_gets, GAUGE, "leveret_waiting_gets", "", "GETs that wait for a message.")            \
    X(prefetch, GAUGE, "leveret_prefetch", "",                                                     \
        "Messages that the broker may send ahead to the present consumer.")                        \
    X(held, GAUGE, "leveret_held_messages", "",                                                    \
        "Messages that were unfit and are held before they go back.")                              \
    X(state, STATE, "", "", "enum figures_queue_state.")

enum figures_queue_state {
    FIGURES_QUEUE_SHUT, /* no channel */
    FIGURES_QUEUE_REFUSED,
    FIGURES_QUEUE_IDLE,
    FIGURES_QUEUE_STARTING,
    FIGURES_QUEUE_LISTENING,
    FIGURES_N_QUEUE_STATES
};

struct figures_worker {
    alignas(LANE_LINE) struct {
        FIGURES_OF_WORKER(FIGURES_MEMBER)
    };
};

/* For broker b of the plan 2 b publishes and 2 b + 1 consumes; the own one of an exclusive queue,
 * tap t, stands at 2 * brokers + t. */
struct figures_connection {
    alignas(LANE_LINE) struct {
        FIGURES_OF_CONNECTION(FIGURES_MEMBER)
    };
    struct figures_text last_error; /* why it was lost or could not be had; no credentials */
};

struct figures_backend {
    alignas(LANE_LINE) struct {
        FIGURES_OF_BACKEND(FIGURES_MEMBER)
    };
    figure outcomes[OUTCOME_N];
    struct figures_span confirm; /* of a producer: from the turn that sent it to its confirm */
};

struct figures_queue {
    alignas(LANE_LINE) struct {
        FIGURES_OF_QUEUE(FIGURES_MEMBER)
    };
};

/* ---- the supervisor's ---- */

#define FIGURES_OF_SUPERVISOR(X)                                                                   \
    X(generation, GAUGE, "leveret_generation", "",                                                 \
        "Number of the configuration that serves: 1, and one more with each reload.")              \
    X(is_draining, FLAG, "leveret_draining", "", "1 while it drains.")                             \
    X(configuration, GAUGE, "", "", "FNV-1a of the file's bytes.")                                 \
    X(started_unix_ms, GAUGE, "", "", "When the generation began, by the clock on the wall.")      \
    X(looked_at, AT, "", "", "When it last looked after the others: a second ago at most.")

#define FIGURES_OF_PROCESS(X)                                                                      \
    X(pid, GAUGE, "", "", "0: there is none at present.")                                          \
    X(state, STATE, "", "", "enum figures_process_state.")                                         \
    X(starts, COUNTER, "leveret_process_starts_total", "",                                         \
        "Times that the process was started; all but the first are restarts.")                     \
    X(missed_beats, GAUGE, "leveret_process_missed_beats", "",                                     \
        "Seconds for which its loop has not turned though it was called.")                         \
    X(started_at, AT, "", "", "When this one was started.")                                        \
    X(cpu_ns, COUNTER_NS, "leveret_process_cpu_seconds_total", "",                                 \
        "User and system time of the process and those in its place before it.")                   \
    X(rss_bytes, GAUGE, "leveret_process_resident_memory_bytes", "",                               \
        "Resident memory, shared parts of it in each process that has them.")                      \
    X(shared_bytes, GAUGE, "leveret_process_shared_memory_bytes", "",                              \
        "The part of it that is shared with other processes, or with a file.")

enum figures_process_state {
    FIGURES_PROCESS_DOWN,
    FIGURES_PROCESS_STARTING,
    FIGURES_PROCESS_SERVING,
    FIGURES_PROCESS_LEAVING,
    FIGURES_PROCESS_DOOMED,
    FIGURES_N_PROCESS_STATES
};

struct figures_supervisor {
    alignas(LANE_LINE) struct {
        FIGURES_OF_SUPERVISOR(FIGURES_MEMBER)
    };
};

/* In this order: the supervisor itself, the front, the workers. */
enum { FIGURES_PROCESS_SUPERVISOR, FIGURES_PROCESS_FRONT, FIGURES_PROCESS_FIRST_WORKER };

struct figures_process {
    alignas(LANE_LINE) struct {
        FIGURES_OF_PROCESS(FIGURES_MEMBER)
    };
    struct figures_text last_words; /* of the one before: how it ended */
};

#undef FIGURES_MEMBER

/* ---- a segment ---- */

struct figures_header {
    alignas(LANE_LINE) uint64_t magic;
    uint32_t version;
    uint32_t layout; /* a hash of the sizes that the maker believed in */
    uint32_t kind;   /* enum figures_kind */
    uint32_t reserved;
};

static_assert(sizeof(struct figures_header) == LANE_LINE, "a line");
static_assert(sizeof(struct figures_text) == 256, "four lines");
static_assert(sizeof(struct figures_span) == 40, "five cells");

#endif
