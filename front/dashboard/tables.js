/* SPDX-License-Identifier: Apache-2.0 */
/* The tables: endpoints, queues, what became of requests, where time goes, processes. */
"use strict";

const FIRST_ROWS = 12, MORE_ROWS = 25;
const ORDER_STEPS = 5; /* rows change places at most every so many polls: who reads one must not lose it */

function cell(label, ...children) {
    return el("td", {"data-label": label}, ...children);
}

/*
 * The rows of a table that may have thousands: those that a filter lets through, the first of them in an
 * order, more on demand. `root` holds the filter, the choice of order, and the button.
 */
function makeRows({id, textOf, keyOf, orders, make}) {
    const filter = document.getElementById(`${id}-filter`), order = document.getElementById(`${id}-order`);
    const button = document.getElementById(`${id}-more`), shown = document.getElementById(`${id}-shown`);
    const table = document.getElementById(id);
    const showRows = makeList(table, keyOf, make);
    let most = FIRST_ROWS, places = new Map(), age = Infinity, last = null;

    const update = (items, history) => {
        last = [items, history];
        const wanted = filter.value.trim().toLowerCase();
        const found = items.filter((item) => textOf(item).toLowerCase().includes(wanted));
        if (age++ >= ORDER_STEPS && !table.matches(":focus-within, :hover")) {
            age = 0;
            places = placesBy(items, keyOf, orders[order.value], history);
        }
        const place = (item) => places.get(keyOf(item)) ?? Infinity;
        found.sort((a, b) => place(a) - place(b));
        showRows(found.slice(0, most), history);
        setText(shown, `${sayCount(Math.min(most, found.length))} of ${sayCount(items.length)}`);
        button.hidden = found.length <= most;
    };
    const again = () => {
        age = Infinity;
        if (last)
            update(...last);
    };
    filter.addEventListener("input", again);
    order.addEventListener("change", again);
    button.addEventListener("click", () => {
        most += MORE_ROWS;
        again();
    });
    return {update};
}

function placesBy(items, keyOf, weigh, history) {
    const weighed = items.map((item) => ({key: keyOf(item), weights: weigh(item, history)}));
    weighed.sort((a, b) => {
        const i = a.weights.findIndex((weight, at) => weight !== b.weights[at]);
        return i < 0 ? 0 : b.weights[i] - a.weights[i];
    });
    return new Map(weighed.map(({key}, place) => [key, place]));
}

/* ---- endpoints ---- */

function trackOf(endpoint, history) {
    return history.track(`endpoint ${endpoint.endpoint}`);
}

/* What no one configured comes last. */
function isOwn(endpoint) {
    return endpoint.backends.length > 0 ? 1 : 0;
}

function badOf(track) {
    return track.growth("failed") + track.growth("unsent");
}

function makeEndpoints() {
    return makeRows({
        id: "endpoints",
        keyOf: (endpoint) => endpoint.endpoint,
        textOf: (endpoint) => [nameOfEndpoint(endpoint.endpoint),
            ...endpoint.backends.flatMap((backend) => [backend.backend, backend.queue])].join(" "),
        orders: {
            traffic: (endpoint, history) =>
                [isOwn(endpoint), trackOf(endpoint, history).growth("accepted"), endpoint.accepted],
            errors: (endpoint, history) =>
                [badOf(trackOf(endpoint, history)), trackOf(endpoint, history).growth("client"), endpoint.accepted],
            slowest: (endpoint, history) =>
                [isOwn(endpoint), trackOf(endpoint, history).quantile(0.99, MINUTE_STEPS) || 0, endpoint.accepted],
        },
        make: makeEndpoint,
    });
}

function makeEndpoint(endpoint) {
    const rate = el("span", {class: "number"}), rateSpark = makeSpark(["all", "bad"]);
    const p50 = el("span", {class: "number"}), p99 = el("span", {class: "number"});
    const p99Spark = makeSpark(["p50", "p99"]);
    const inFlight = el("span", {class: "number"}), accepted = el("span", {class: "number"});
    const codes = el("span", {class: "codes"}), showCodes = makeList(codes, ([code]) => code, makeCode);
    const button = el("button", {type: "button", class: "endpoint", "aria-expanded": "false"},
        el("code", {}, nameOfEndpoint(endpoint.endpoint)));
    const detail = makeDetail();
    button.addEventListener("click", () => {
        detail.root.hidden = !detail.root.hidden;
        setAttribute(button, "aria-expanded", !detail.root.hidden);
        detail.refresh();
    });
    return {
        root: el("tbody", {}, el("tr", {"data-endpoint": endpoint.endpoint},
            el("th", {scope: "row"}, button), cell("requests/s", rateSpark.root, rate),
            cell("p50", p50), cell("p99", p99Spark.root, p99), cell("in flight", inFlight),
            cell("accepted", accepted), cell("answers", codes)), detail.root),
        update(endpoint, history) {
            const track = trackOf(endpoint, history);
            setText(rate, sayRate(track.rate("accepted")));
            rateSpark.update(track.lines && linesOfTraffic(track.lines));
            setText(p50, sayDuration(track.quantile(0.5)));
            setText(p99, sayDuration(track.quantile(0.99)));
            p99Spark.update(track.lines);
            setText(inFlight, sayCount(endpoint.in_flight));
            setText(accepted, sayCount(endpoint.accepted));
            showCodes(Object.entries(endpoint.answered).filter(([, n]) => n > 0));
            detail.update(endpoint);
        },
    };
}

function linesOfTraffic({good, client, unsent, failed}) {
    const bad = unsent.values.map((value, i) => value + failed.values[i]);
    return {
        all: {values: bad.map((value, i) => value + good.values[i] + client.values[i])},
        bad: {values: bad.map((value) => value > 0 ? value : NaN)},
    };
}

function makeCode([code]) {
    const n = el("span");
    return {
        root: el("span", {class: `code ${kindOfCode(code)}`, title: CODES[code] ?? ""}, el("b", {}, code), n),
        update: ([, value]) => setText(n, sayCount(value)),
    };
}

/* What lies behind a row: its stages and its backends, since the generation began. */
function makeDetail() {
    const stages = el("tbody"), backends = el("tbody"), rest = el("p");
    const showStages = makeList(stages, ([name]) => name, makeTimes);
    const showBackends = makeList(backends, ([key]) => key, makeBackend);
    const root = el("tr", {class: "detail", hidden: ""}, el("td", {colspan: 7},
        makeTable(["Time, since the start", "count", "p50", "p90", "p99", "p99.9", "longest"], stages),
        makeTable(["Backend", "asked", "in flight", "outcomes", "confirm p50", "p99"], backends), rest));
    let shown = null;
    const refresh = () => {
        if (root.hidden || !shown)
            return;
        showStages([["whole", shown.latency], ...STAGES.map((stage) => [stage, shown.stages[stage]])]
            .filter(([, times]) => times));
        showBackends(shown.backends.map((backend, i) => [i, backend]));
        setText(rest, `abandoned ${sayCount(shown.abandoned)} · lost ${sayCount(shown.lost)} · in ${
            sayBytes(shown.request_bytes)} · out ${sayBytes(shown.response_bytes)}`);
    };
    return {
        root, refresh,
        update(endpoint) {
            shown = endpoint;
            refresh();
        },
    };
}

function makeTable(names, body) {
    return el("table", {class: "small"},
        el("thead", {}, el("tr", {}, ...names.map((name) => el("th", {scope: "col"}, name)))), body);
}

function makeTimes([name]) {
    const cells = ["count", "p50", "p90", "p99", "p99.9", "longest"].map((label) => cell(label));
    return {
        root: el("tr", {}, el("th", {scope: "row"}, name), ...cells),
        update([, times]) {
            setText(cells[0], sayCount(times.count));
            ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"].forEach((member, i) =>
                setText(cells[i + 1], times.count > 0 ? sayDuration(times[member]) : NONE));
        },
    };
}

function makeBackend() {
    const name = el("th", {scope: "row"});
    const cells = ["asked", "in flight", "outcomes", "confirm p50", "p99"].map((label) => cell(label));
    return {
        root: el("tr", {}, name, ...cells),
        update([, backend]) {
            const outcomes = Object.entries(backend.outcomes).filter(([, n]) => n > 0);
            setText(name, [backend.verb, backend.backend, backend.queue].filter(Boolean).join(" · "));
            setText(cells[0], sayCount(backend.asked));
            setText(cells[1], sayCount(backend.in_flight));
            setText(cells[2], [...outcomes, ["lost", backend.lost]].filter(([, n]) => n > 0)
                .map(([outcome, n]) => `${outcome} ${sayCount(n)}`).join(" · ") || NONE);
            setText(cells[3], backend.confirm?.count > 0 ? sayDuration(backend.confirm.p50_ns) : NONE);
            setText(cells[4], backend.confirm?.count > 0 ? sayDuration(backend.confirm.p99_ns) : NONE);
        },
    };
}

/* ---- queues ---- */

function makeQueues() {
    return makeRows({
        id: "queues",
        keyOf: keyOfQueue,
        textOf: (queue) => `${queue.queue} ${queue.broker}`,
        orders: {
            trouble: (queue, history) => [-rankOfQueue(queue), queue.waiting_gets,
                history.track(keyOfQueue(queue)).growth("delivered"), queue.delivered],
            traffic: (queue, history) =>
                [history.track(keyOfQueue(queue)).growth("delivered"), queue.delivered],
        },
        make: makeQueue,
    });
}

const QUEUE_COLUMNS = {
    "delivered/s": (queue, history) => sayRate(history.track(keyOfQueue(queue)).rate("delivered")),
    "delivered": (queue) => sayCount(queue.delivered),
    "acked": (queue) => sayCount(queue.acked),
    "requeued": (queue) => sayCount(queue.requeued),
    "discarded": (queue) => sayCount(queue.discarded),
    "unacked": (queue) => sayCount(queue.unacked),
    "GETs wait": (queue) => sayCount(queue.waiting_gets),
    "held": (queue) => sayCount(queue.held),
    "unfit": (queue) => sayCount(queue.undecodable + queue.too_large),
    "prefetch": (queue) => sayCount(queue.prefetch),
};

/* A cell for each column; what they say of a row is {label: (row, history) => text}. */
function makeCells(columns) {
    const cells = Object.entries(columns).map(([label, say]) => ({root: cell(label), say}));
    return {
        roots: cells.map(({root}) => root),
        update: (row, history) => cells.forEach(({root, say}) => setText(root, say(row, history))),
    };
}

function makeQueue(queue) {
    const state = makeState(), cells = makeCells(QUEUE_COLUMNS);
    const where = `${nameOfBroker(queue.broker)} · worker ${queue.worker}`;
    return {
        root: el("tr", {"data-queue": queue.queue},
            el("th", {scope: "row"}, el("code", {}, queue.queue), el("small", {}, where)),
            cell("state", state.root), ...cells.roots),
        update(queue, history) {
            state.update(gradeOf(queue.state), queue.state);
            cells.update(queue, history);
        },
    };
}

/* ---- what became of requests ---- */

function makeSums() {
    const answers = makeTally("answers"), outcomes = makeTally("outcomes");
    return {
        update(history) {
            const all = history.track("all");
            answers.update(talliesOf(all, "code ", (code) => [kindOfCode(code), CODES[code] ?? ""]));
            outcomes.update(talliesOf(all, "outcome ", (outcome) => OUTCOMES[outcome] ?? ["failed", ""]));
        },
    };
}

function talliesOf(track, prefix, about) {
    return Object.entries(track.latest.counters).filter(([name, n]) => name.startsWith(prefix) && n > 0)
        .map(([name, n]) => {
            const word = name.slice(prefix.length), [kind, meaning] = about(word);
            return {word, kind, meaning, n, lately: track.growth(name)};
        })
        .sort((a, b) => a.word < b.word ? -1 : 1);
}

function makeTally(id) {
    const table = document.getElementById(id), empty = document.getElementById(`${id}-none`);
    const showRows = makeList(table, ({word}) => word, makeTallyRow);
    return {
        update(rows) {
            empty.hidden = rows.length > 0;
            showRows(rows, Math.max(1, ...rows.map((row) => row.n)));
        },
    };
}

function makeTallyRow({word, kind, meaning}) {
    const lately = cell("last minute"), total = cell("in all");
    return {
        root: el("tr", {"data-word": word},
            el("th", {scope: "row"}, el("span", {class: `code ${kind}`}, el("b", {}, word)), el("small", {}, meaning)),
            lately, total),
        update(row) {
            setText(lately, sayCount(row.lately));
            setText(total, sayCount(row.n));
        },
    };
}

/* ---- where time goes: means, for these add up ---- */

const STAGES_SAY = {
    parse: "head and body are there, until it lies in the lane",
    ring: "in the rings, there and back",
    broker: "the worker and the broker have it",
    write: "written to the client",
};

function makeStages() {
    const showRows = makeList(document.getElementById("stages"), (stage) => stage, makeStage);
    return {update: (history) => showRows(STAGES, history.track("all"))};
}

function makeStage(stage) {
    const mean = cell("mean"), full = el("i"), bar = el("div", {class: "bar", "aria-hidden": "true"}, full);
    return {
        root: el("tr", {}, el("th", {scope: "row"}, stage, el("small", {}, STAGES_SAY[stage]), bar), mean),
        update(stage, track) {
            const means = STAGES.map((each) => track.mean(each, MINUTE_STEPS) || 0);
            const whole = means.reduce((sum, each) => sum + each, 0);
            const own = track.mean(stage, MINUTE_STEPS);
            setText(mean, sayDuration(own));
            full.style.width = `${whole > 0 ? (own || 0) / whole * 100 : 0}%`;
        },
    };
}

/* ---- processes ---- */

function makeProcesses() {
    const showRows = makeList(document.getElementById("processes"), ({name}) => name, makeProcess);
    return {update: (processes, history) => showRows(processes, history)};
}

const PROCESS_COLUMNS = {
    "pid": (process) => process.pid || NONE,
    "up": (process) => sayAge(process.uptime_ns),
    "restarts": (process) => sayCount(process.restarts),
    "missed beats": (process) => sayCount(process.missed_beats),
    "CPU": ({name}, history) => sayShare(history.track(`process ${name}`).rate("cpu_ns") / 1e9),
    "resident": (process) => sayBytes(process.rss_bytes),
    "of it shared": (process) => sayBytes(process.shared_bytes),
};

function makeProcess({name}) {
    const state = makeState(), cells = makeCells(PROCESS_COLUMNS), words = el("q");
    const lastWords = cell("last words", words);
    return {
        root: el("tr", {"data-process": name}, el("th", {scope: "row"}, name),
            cell("state", state.root), ...cells.roots, lastWords),
        update(process, history) {
            state.update(process.missed_beats >= MANY_BEATS ? "bad" : gradeOf(process.state), process.state);
            cells.update(process, history);
            lastWords.classList.toggle("empty", !process.last_words);
            words.hidden = !process.last_words;
            setQuote(words, process.last_words);
        },
    };
}
