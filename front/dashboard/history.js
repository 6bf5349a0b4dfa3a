/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last ten minutes, made from counters: /__stats/ has what was counted since the generation began,
 * a viewer wants what happens now.
 *
 *      poll ─▶ History.take() ─▶ a Track for each endpoint, queue, worker, process; one for all
 *                                  marks:   what its counters said, a step apart, for a minute
 *                                  lines:   what followed from that at each step, for ten minutes
 *
 * Time is the sidecar's monotonic clock, so that a slow answer bends no rate. A counter that fell, or
 * another generation, is a beginning: the marks are forgotten, and nothing ever has a negative rate.
 * Memory is bounded: lines are laid for what has had traffic alone.
 */
"use strict";

const STEP_NS = 2e9;
const N_STEPS = 300;    /* ten minutes */
const NOW_STEPS = 5;    /* "now" is ten seconds */
const MINUTE_STEPS = 30;

/* A line on a chart: the last N_STEPS values, NaN where nothing is known. */
class Line {
    constructor() {
        this.values = new Float32Array(N_STEPS).fill(NaN);
    }

    push(value, times) {
        const n = Math.min(times, N_STEPS);
        this.values.copyWithin(0, n);
        this.values.fill(value, N_STEPS - n);
    }
}

/* Durations are counted by eighths of a doubling: 0 is below 1 µs, 1 + 8 k + j is from
 * (8 + j) / 8 * 2^k µs to (9 + j) / 8 * 2^k µs. */
function eighthFromNs(eighth) {
    if (eighth === 0)
        return 0;
    const k = Math.floor((eighth - 1) / 8);
    return (8 + (eighth - 1) % 8) / 8 * 2 ** k * 1e3;
}

/* How many are in an eighth. */
function countIn(eighths, eighth) {
    return eighths?.counts[eighth - eighths.first] ?? 0;
}

/* The duration that a share of those that came between two readings do not exceed; NaN: none came. */
function quantileBetween(before, after, share) {
    if (!after)
        return NaN;
    const counts = after.counts.map((n, i) => Math.max(0, n - countIn(before, after.first + i)));
    let left = share * counts.reduce((sum, n) => sum + n, 0);
    for (let i = 0; i < counts.length; i++) {
        if (counts[i] > 0 && left <= counts[i]) {
            const from = eighthFromNs(after.first + i), to = eighthFromNs(after.first + i + 1);
            return from + (to - from) * left / counts[i];
        }
        left -= counts[i];
    }
    return NaN;
}

function addEighths(sum, more) {
    if (!more || more.counts.length === 0)
        return sum;
    if (!sum)
        return {first: more.first, counts: [...more.counts]};
    const first = Math.min(sum.first, more.first);
    const end = Math.max(sum.first + sum.counts.length, more.first + more.counts.length);
    return {
        first,
        counts: Array.from({length: end - first},
            (_, i) => countIn(sum, first + i) + countIn(more, first + i)),
    };
}

/* What the counters of one thing said, and say. A reading is {name: number}, and may have `eighths`. */
class Track {
    constructor() {
        this.marks = [];
        this.latest = null;
        this.lines = null;
    }

    read(at, counters, eighths) {
        const before = this.latest?.counters;
        if (before && Object.keys(before).some((name) => counters[name] < before[name]))
            this.forget();
        this.latest = {at, counters, eighths};
        if (this.marks.length === 0)
            this.marks.push(this.latest);
    }

    forget() {
        this.marks = [];
    }

    /* A step ends. What the lines say is over the last ten seconds: single ones jump about. */
    step(n, lines) {
        if (lines) {
            this.lines ??= Object.fromEntries(Object.keys(lines).map((name) => [name, new Line()]));
            for (const name of Object.keys(lines))
                this.lines[name].push(lines[name], n);
        }
        this.marks.push(this.latest);
        if (this.marks.length > MINUTE_STEPS + 1)
            this.marks.shift();
    }

    before(steps) {
        return this.marks[Math.max(0, this.marks.length - steps)];
    }

    /* How much came in the last steps; how much a second. */
    growth(name, steps = MINUTE_STEPS) {
        const mark = this.before(steps);
        return mark ? (this.latest.counters[name] ?? 0) - (mark.counters[name] ?? 0) : 0;
    }

    rate(name, steps = NOW_STEPS) {
        const mark = this.before(steps);
        const ns = mark ? this.latest.at - mark.at : 0;
        return ns > 0 ? this.growth(name, steps) / ns * 1e9 : NaN;
    }

    quantile(share, steps = NOW_STEPS) {
        const mark = this.before(steps);
        return mark ? quantileBetween(mark.eighths, this.latest.eighths, share) : NaN;
    }

    /* The mean of what `name` counts, whose sum `name_ns` is. */
    mean(name, steps = NOW_STEPS) {
        const n = this.growth(name, steps);
        return n > 0 ? this.growth(`${name}_ns`, steps) / n : NaN;
    }
}

const STAGES = ["parse", "ring", "broker", "write"];

function countersOfEndpoint(endpoint) {
    const counters = {
        accepted: endpoint.accepted, lost: endpoint.lost, abandoned: endpoint.abandoned,
        good: 0, client: 0, unsent: 0, failed: 0,
    };
    for (const [code, n] of Object.entries(endpoint.answered)) {
        counters[`code ${code}`] = n;
        counters[kindOfCode(code)] += n;
    }
    for (const stage of STAGES) {
        counters[stage] = endpoint.stages[stage]?.count ?? 0;
        counters[`${stage}_ns`] = endpoint.stages[stage]?.sum_ns ?? 0;
    }
    for (const backend of endpoint.backends)
        for (const [outcome, n] of Object.entries(backend.outcomes))
            counters[`outcome ${outcome}`] = (counters[`outcome ${outcome}`] ?? 0) + n;
    return counters;
}

function linesOfEndpoint(track) {
    return {
        good: track.rate("good"), client: track.rate("client"),
        unsent: track.rate("unsent"), failed: track.rate("failed"),
        p50: track.quantile(0.5), p99: track.quantile(0.99),
    };
}

function addCounters(sum, counters) {
    for (const [name, n] of Object.entries(counters))
        sum[name] = (sum[name] ?? 0) + n;
}

/* A GET takes as long as nothing comes: the time of all speaks of those that publish. */
function isPublisher(endpoint) {
    return endpoint.backends.some((backend) => backend.verb === "produce");
}

class History {
    constructor() {
        this.tracks = new Map();
        this.begun = null;
        this.stepped = null;
        this.restarts = []; /* how many steps ago each generation began */
    }

    /* One answer of /__stats/. */
    take(stats) {
        const at = stats.monotonic_ns;
        const begun = `${stats.service.generation} ${stats.service.started_unix_ms}`;
        if (this.begun !== null && (this.begun !== begun || at < this.stepped))
            this.begin(at);
        this.begun = begun;
        this.stepped ??= at;
        this.read(at, stats);
        const n = Math.floor((at - this.stepped) / STEP_NS);
        if (n > 0) {
            this.step(n);
            this.stepped += n * STEP_NS;
        }
    }

    begin(at) {
        for (const track of this.tracks.values())
            track.forget();
        this.stepped = at;
        this.restarts.push(0);
    }

    read(at, stats) {
        const seen = new Set();
        const read = (key, counters, eighths) => {
            seen.add(key);
            this.track(key).read(at, counters, eighths);
        };
        const all = {accepted: 0, good: 0, client: 0, unsent: 0, failed: 0};
        let eighths = null;
        for (const endpoint of stats.endpoints) {
            const counters = countersOfEndpoint(endpoint);
            addCounters(all, counters);
            if (isPublisher(endpoint))
                eighths = addEighths(eighths, endpoint.latency.eighths);
            read(`endpoint ${endpoint.endpoint}`, counters, endpoint.latency.eighths);
        }
        read("all", all, eighths);
        read("front", {
            accepted: stats.front.connections_accepted, pauses: stats.front.accept_pauses,
        });
        for (const {worker, turns, batches, heard} of stats.workers)
            read(`worker ${worker}`, {turns, batches, heard});
        for (const queue of stats.queues)
            read(keyOfQueue(queue), {
                delivered: queue.delivered, acked: queue.acked, requeued: queue.requeued,
                discarded: queue.discarded,
            });
        for (const process of stats.processes)
            read(`process ${process.name}`, {cpu_ns: process.cpu_ns, restarts: process.restarts});
        for (const key of this.tracks.keys())
            if (!seen.has(key))
                this.tracks.delete(key);
    }

    step(n) {
        this.restarts = this.restarts.map((ago) => ago + n).filter((ago) => ago < N_STEPS);
        for (const [key, track] of this.tracks) {
            const hasLines = key === "all" || key.startsWith("endpoint ") && track.latest.counters.accepted > 0;
            track.step(n, hasLines ? linesOfEndpoint(track) : null);
        }
    }

    track(key) {
        let track = this.tracks.get(key);
        if (!track)
            this.tracks.set(key, track = new Track());
        return track;
    }
}

function keyOfQueue(queue) {
    return `queue ${queue.worker} ${queue.broker} ${queue.queue}`;
}
