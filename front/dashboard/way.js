/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request through the sidecar, as a picture:
 *
 *      clients ─▶ front ─▶ lane 0 ─▶ worker 0 ─▶ its connections ─▶ its queues
 *                     └──▶ lane 1 ─▶ worker 1 ─▶ ...
 */
"use strict";

const MAX_BROKERS = 4, MAX_LINKS = 4, MAX_QUEUES = 5;

function makeWay() {
    const clients = makeClients(), front = makeFront(), into = makeArrow("there");
    const rows = el("div", {class: "ways"});
    const showRows = makeList(rows, ({worker}) => worker, makeRow);
    document.getElementById("way").append(
        el("div", {class: "entry"}, clients.root, into.root, front.root), rows);
    return {
        update(stats, history) {
            clients.update(stats.front, history.track("front"));
            into.update(history.track("all").rate("accepted"), "requests");
            front.update(stats, history.track("process front"));
            showRows(stats.workers, stats, history);
        },
    };
}

function makeStop(kind, name, ...parts) {
    const state = makeState();
    return {
        state,
        root: el("section", {class: `stop ${kind}`},
            el("header", {}, el("h3", {}, name), state.root), ...parts),
    };
}

/* What flows, beside the arrow; `way` is "there" or "back". */
function makeArrow(way) {
    const text = el("span");
    return {
        root: el("div", {class: `arrow ${way}`}, text),
        update: (perSecond, what) => setText(text, `${sayRate(perSecond)}/s ${what}`),
    };
}

function makeClients() {
    const bar = makeBar("connections");
    const facts = makeFacts(["new a second", "pauses"]);
    const stop = makeStop("clients", "Clients", bar.root, facts.root);
    return {
        root: stop.root,
        update(front, track) {
            const isFull = front.connections_open >= front.connections_max;
            stop.state.update(isFull ? "bad" : "calm", isFull ? "full" : "");
            bar.update(front.connections_open, front.connections_max, 0,
                `${sayCount(front.connections_open)} of ${sayCount(front.connections_max)}`);
            facts.update(sayRate(track.rate("accepted")), sayCount(front.accept_pauses));
        },
    };
}

function makeFront() {
    const facts = makeFacts(["in flight", "answered", "abandoned", "restarts", "CPU", "resident"]);
    const words = makeWords();
    const stop = makeStop("front", "Front", facts.root, words.root);
    return {
        root: stop.root,
        update(stats, track) {
            const process = stats.processes.find(({name}) => name === "front");
            const sum = (name) => stats.endpoints.reduce((n, endpoint) => n + endpoint[name], 0);
            const answered = stats.endpoints.reduce((n, {answered}) =>
                n + Object.values(answered).reduce((a, b) => a + b, 0), 0);
            stop.state.update(gradeOf(process?.state), process?.state ?? "unknown");
            facts.update(sayCount(sum("in_flight")), sayCount(answered), sayCount(sum("abandoned")),
                sayCount(process?.restarts), sayShare(track.rate("cpu_ns") / 1e9), sayBytes(process?.rss_bytes));
            words.update(process);
        },
    };
}

/* How the process before this one ended. */
function makeWords() {
    const text = el("q");
    const root = el("p", {class: "words"}, el("span", {}, "last words: "), text);
    return {
        root,
        update(process) {
            root.hidden = !process?.last_words;
            setQuote(text, process?.last_words);
        },
    };
}

function makeRow({worker}) {
    const lane = makeLane(worker), head = makeWorker(worker);
    const links = makeLinks(), queues = makeQueuesOf();
    const arrows = ["there", "there", "there", "back"].map(makeArrow);
    return {
        root: el("div", {class: "row"}, arrows[0].root, lane.root, arrows[1].root, head.root,
            arrows[2].root, links.root, arrows[3].root, queues.root),
        update(figures, stats, history) {
            const track = history.track(`worker ${worker}`);
            const own = stats.queues.filter((queue) => queue.worker === worker);
            const delivered = own.reduce((sum, queue) =>
                sum + history.track(keyOfQueue(queue)).rate("delivered"), 0);
            lane.update(figures.lane);
            head.update(figures, stats.processes.find(({name}) => name === `worker ${worker}`), track);
            links.update(figures.connections);
            queues.update(own, history);
            arrows[0].update(track.rate("heard"), "entries");
            arrows[1].update(track.rate("batches"), "batches");
            arrows[3].update(delivered, "deliveries");
        },
    };
}

function makeLane(worker) {
    const slots = makeBar("slots"), ring = makeBar("request ring");
    const requests = makeBar("request area"), replies = makeBar("reply area");
    const stop = makeStop("lane", `Lane ${worker}`, slots.root, ring.root, requests.root, replies.root);
    return {
        root: stop.root,
        update(lane) {
            stop.root.classList.toggle("without", !lane);
            if (!lane) {
                stop.state.update("bad", "none");
                return;
            }
            const isFull = lane.slots_in_use >= lane.slots;
            const isTight = lane.slots_in_use >= FEW_SLOTS * lane.slots;
            stop.state.update(isFull ? "bad" : isTight ? "warn" : "ok", isFull ? "full" : isTight ? "tight" : "free");
            slots.update(lane.slots_in_use, lane.slots, lane.slots_in_use_max,
                `${sayCount(lane.slots_in_use)} of ${sayCount(lane.slots)}, most ${sayCount(lane.slots_in_use_max)}`);
            ring.update(lane.request_ring_depth, lane.ring_entries, lane.request_ring_depth_max,
                `${sayCount(lane.request_ring_depth)}, most ${sayCount(lane.request_ring_depth_max)}`);
            requests.update(lane.request_area_used_bytes, lane.request_area_bytes, 0,
                sayShare(lane.request_area_used_bytes / lane.request_area_bytes));
            replies.update(lane.reply_area_held_bytes, lane.reply_area_bytes, 0,
                sayShare(lane.reply_area_held_bytes / lane.reply_area_bytes));
        },
    };
}

function makeWorker(worker) {
    const facts = makeFacts(["in flight", "restarts", "batch", "I/O"]);
    const words = makeWords();
    const stop = makeStop("worker", `Worker ${worker}`, facts.root, words.root);
    return {
        root: stop.root,
        update(figures, process, track) {
            stop.state.update(gradeOf(process?.state), process?.state ?? "unknown");
            facts.update(sayCount(figures.in_flight), sayCount(process?.restarts),
                `${sayRate(track.growth("heard") / track.growth("batches"))}, most ${sayCount(figures.batch_max)}`,
                figures.io);
            words.update(process);
        },
    };
}

/* By broker, those in trouble first. */
function makeLinks() {
    const list = el("ul", {class: "entries"}), more = el("p", {class: "more"});
    const showBrokers = makeList(list, ([broker]) => broker, makeBroker);
    return {
        root: el("section", {class: "stop links"}, el("header", {}, el("h3", {}, "Broker connections")), list, more),
        update(connections) {
            const brokers = [...Map.groupBy(connections, ({broker}) => broker)]
                .sort(([, some], [, others]) => rankOfLinks(some) - rankOfLinks(others));
            showBrokers(brokers.slice(0, MAX_BROKERS));
            showMore(more, brokers.length - MAX_BROKERS, "broker");
        },
    };
}

function rankOf(grade) {
    return ["bad", "warn", "wait", "ok", "calm"].indexOf(grade);
}

function rankOfLinks(connections) {
    return Math.min(...connections.map((one) => rankOf(gradeOfConnection(one))));
}

function showMore(node, n, what) {
    node.hidden = n <= 0;
    setText(node, `and ${sayMany(n, what)} more`);
}

function makeBroker([broker]) {
    const list = el("ul"), showLinks = makeList(list, (one) => `${one.use} ${one.queue}`, makeLink);
    return {
        root: el("li", {}, el("code", {class: "name"}, nameOfBroker(broker)), list),
        update([, connections]) {
            const sorted = [...connections].sort((a, b) =>
                rankOf(gradeOfConnection(a)) - rankOf(gradeOfConnection(b)));
            showLinks(sorted.slice(0, MAX_LINKS));
        },
    };
}

function makeLink() {
    const state = makeState(), name = el("span"), age = el("small"), past = el("small"), error = el("q");
    return {
        root: el("li", {}, el("div", {class: "link"}, name, state.root, age), past, error),
        update(one) {
            const again = one.ups > 1 ? `came up ${sayCount(one.ups)} times` : "";
            const failed = one.failures > 0 ? sayMany(one.failures, "failure") : "";
            state.update(gradeOfConnection(one), stateOfConnection(one));
            setText(name, one.queue ? `${one.use} ${one.queue}` : one.use);
            setText(age, sayAge(one.in_state_ns));
            setText(past, [again, failed].filter(Boolean).join(" · "));
            error.hidden = !one.last_error;
            setQuote(error, one.last_error);
            setAttribute(error, "data-grade", gradeOfConnection(one) === "ok" ? "calm" : "bad");
        },
    };
}

function makeQueuesOf() {
    const facts = makeFacts(["GETs wait", "unacked", "held", "requeued"]);
    const list = el("ul", {class: "entries"}), more = el("p", {class: "more"});
    const showQueues = makeList(list, keyOfQueue, makeQueueOf);
    return {
        root: el("section", {class: "stop queues"},
            el("header", {}, el("h3", {}, "Queues")), facts.root, list, more),
        update(queues, history) {
            const sum = (name) => sayCount(queues.reduce((n, queue) => n + queue[name], 0));
            const rate = (queue) => history.track(keyOfQueue(queue)).rate("delivered") || 0;
            const sorted = queues.map((queue) => ({queue, rank: rankOfQueue(queue), rate: rate(queue)}))
                .sort((a, b) => a.rank - b.rank || b.queue.waiting_gets - a.queue.waiting_gets || b.rate - a.rate);
            facts.update(sum("waiting_gets"), sum("unacked"), sum("held"), sum("requeued"));
            showQueues(sorted.slice(0, MAX_QUEUES).map(({queue}) => queue));
            showMore(more, queues.length - MAX_QUEUES, "queue");
        },
    };
}

function rankOfQueue(queue) {
    return queue.state === "refused" ? 0 : queue.held > 0 ? 1 : 2;
}

function makeQueueOf() {
    const state = makeState(), name = el("span", {class: "name"});
    return {
        root: el("li", {}, el("div", {}, name, state.root)),
        update(queue) {
            state.update(gradeOf(queue.state), queue.state);
            setText(name, queue.queue);
        },
    };
}
