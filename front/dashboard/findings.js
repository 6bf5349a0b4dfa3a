/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong, worst first: the answer to "why was I woken". Each finding is {grade, subject, text};
 * bad is what keeps requests from being served, warn what will or did.
 */
"use strict";

const FEW_SLOTS = 0.8;
const LATELY_NS = 600e9;
const MAX_FINDINGS = 12;
const MANY_BEATS = 3; /* one is missed by who is busy: see front/probe.c */

function findWrong(stats, history) {
    const found = [
        ...findReasons(stats.service), ...findProcesses(stats.processes), ...findLinks(stats.workers),
        ...findLanes(stats.workers), ...findQueues(stats.queues, history), ...findBackends(stats.endpoints),
        ...findAnswers(history), ...findFront(stats.front, history),
    ];
    const rank = (finding) => finding.grade === "bad" ? 0 : 1;
    return found.sort((a, b) => rank(a) - rank(b));
}

/* The same reason for many endpoints is one. */
function findReasons(service) {
    const grouped = new Map();
    for (const reason of service.reasons) {
        const key = `${reason.reason} ${reason.what ?? ""}`;
        if (!grouped.has(key))
            grouped.set(key, {reason, endpoints: []});
        if (reason.endpoint !== undefined)
            grouped.get(key).endpoints.push(reason.endpoint);
    }
    return [...grouped.values()].map(({reason, endpoints}) => ({
        grade: reason.reason === "draining" ? "warn" : "bad",
        subject: REASONS[reason.reason] ?? reason.reason,
        text: [reason.what, sayEndpoints(endpoints)].filter(Boolean).join(" · "),
    }));
}

function sayEndpoints(endpoints) {
    if (endpoints.length <= 2)
        return endpoints.join(", ");
    return `${endpoints[0]} and ${endpoints.length - 1} other endpoints`;
}

function sayProcess({name}) {
    return name.charAt(0).toUpperCase() + name.slice(1);
}

function findProcesses(processes) {
    const found = [];
    for (const process of processes) {
        if (["down", "doomed"].includes(process.state))
            found.push({grade: "bad", subject: `${sayProcess(process)} is ${process.state}`,
                text: process.last_words});
        else if (process.missed_beats >= MANY_BEATS)
            found.push({grade: "bad", subject: `${sayProcess(process)} does not answer`,
                text: `for ${process.missed_beats} s`});
        if (process.restarts > 0 && process.uptime_ns < LATELY_NS && process.state !== "down")
            found.push({grade: "warn",
                subject: `${sayProcess(process)} was started again ${sayAge(process.uptime_ns)} ago`,
                text: process.last_words});
    }
    return found;
}

/* One broker that is away is away for each connection to it: said once for each worker and broker. */
function findLinks(workers) {
    const found = [];
    for (const {worker, connections} of workers) {
        const brokers = Map.groupBy(connections.filter((one) => gradeOfConnection(one) !== "ok" &&
            one.state !== "left"), (one) => `${one.broker} ${stateOfConnection(one)}`);
        for (const [one, ...others] of brokers.values())
            found.push({
                grade: gradeOfConnection(one) === "bad" ? "bad" : "warn",
                subject: `Worker ${worker}: ${nameOfBroker(one.broker)} is ${stateOfConnection(one)}`,
                text: [`to ${[one, ...others].map((each) => each.use).join(" and to ")}`,
                    `for ${sayAge(one.in_state_ns)}`, one.last_error].filter(Boolean).join(" · "),
            });
    }
    return found;
}

function findLanes(workers) {
    return workers.filter(({lane}) => lane && lane.slots_in_use >= FEW_SLOTS * lane.slots)
        .map(({worker, lane}) => ({
            grade: lane.slots_in_use >= lane.slots ? "bad" : "warn",
            subject: `Worker ${worker} has few slots left`,
            text: `${sayCount(lane.slots_in_use)} of ${sayCount(lane.slots)} are in use`,
        }));
}

function findQueues(queues, history) {
    const found = [];
    for (const queue of queues) {
        const requeued = history.track(keyOfQueue(queue)).growth("requeued");
        const delivered = history.track(keyOfQueue(queue)).growth("delivered");
        if (queue.state === "refused")
            found.push({grade: "bad", subject: `The broker refuses ${queue.queue}`, text: queue.broker});
        if (queue.held > 0)
            found.push({grade: "warn", subject: `${queue.queue} has messages that cannot be delivered`,
                text: `${sayCount(queue.held)} are held before they go back`});
        if (requeued >= 10 && requeued * 2 > delivered)
            found.push({grade: "warn", subject: `${queue.queue} goes round in circles`,
                text: `${sayCount(requeued)} of ${sayCount(delivered)} deliveries went back in a minute`});
    }
    return found;
}

function findBackends(endpoints) {
    const refused = endpoints.filter(({backends}) => backends.some((backend) => backend.refused));
    return refused.length === 0 ? [] : [{
        grade: "bad", subject: "The broker refuses an exchange",
        text: sayEndpoints(refused.map(({endpoint}) => endpoint)),
    }];
}

function findAnswers(history) {
    const all = history.track("all");
    const found = [];
    const unknown = all.growth("code 504"), failed = all.growth("failed") - unknown;
    if (unknown > 0)
        found.push({grade: "warn", subject: `${sayMany(unknown, "message")} of unknown fate`,
            text: "504 in the last minute: sent, and no confirm came in time"});
    if (failed > 0)
        found.push({grade: "warn", subject: `${sayMany(failed, "request")} failed`,
            text: "5xx in the last minute, other than 503 and 504"});
    if (all.growth("unsent") > 0)
        found.push({grade: "warn", subject: `${sayMany(all.growth("unsent"), "request")} not sent`,
            text: "503 in the last minute: the client may try again"});
    return found;
}

function findFront(front, history) {
    const found = [];
    if (front.connections_open >= front.connections_max)
        found.push({grade: "bad", subject: "Nobody new is let in",
            text: `${sayCount(front.connections_open)} connections are open: max_connections`});
    if (history.track("front").growth("pauses") > 0)
        found.push({grade: "warn", subject: "For moments nobody was let in",
            text: "for want of descriptors or memory"});
    return found;
}
