/* SPDX-License-Identifier: Apache-2.0 */
/* How numbers and names are said. What comes in may be anything; what goes out is text. */
"use strict";

const NONE = "–";

/* Three digits that matter, and a letter from a hundred thousand on. */
function sayCount(n) {
    if (!Number.isFinite(n))
        return NONE;
    if (n < 1e5)
        return Math.round(n).toLocaleString("en");
    const [unit, letter] = n < 1e6 ? [1e3, "k"] : n < 1e9 ? [1e6, "M"] : [1e9, "G"];
    return `${(n / unit).toPrecision(3)} ${letter}`;
}

function sayRate(perSecond) {
    if (!Number.isFinite(perSecond))
        return NONE;
    if (perSecond === 0)
        return "0";
    if (perSecond < 0.01)
        return "< 0.01";
    return perSecond < 10 ? String(Number(perSecond.toPrecision(2))) : sayCount(perSecond);
}

function sayShare(share) {
    if (!Number.isFinite(share))
        return NONE;
    if (share > 0 && share < 0.001)
        return "< 0.1 %";
    return `${Number((share * 100).toFixed(share < 0.1 ? 1 : 0))} %`;
}

/* How long something took. */
function sayDuration(ns) {
    if (!Number.isFinite(ns))
        return NONE;
    const [unit, name] = ns < 1e6 ? [1e3, "µs"] : ns < 1e9 ? [1e6, "ms"] : [1e9, "s"];
    const n = ns / unit;
    return `${n >= 100 ? Math.round(n) : Number(n.toPrecision(2))} ${name}`;
}

/* For how long something has been so. */
function sayAge(ns) {
    if (!Number.isFinite(ns))
        return NONE;
    const s = Math.max(0, Math.floor(ns / 1e9));
    if (s < 60)
        return `${s} s`;
    if (s < 3600)
        return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 86400)
        return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

function sayBytes(n) {
    if (!Number.isFinite(n))
        return NONE;
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = 0;
    for (; n >= 1024 && at < units.length - 1; at++)
        n /= 1024;
    return `${at === 0 || n >= 100 ? Math.round(n) : Number(n.toPrecision(2))} ${units[at]}`;
}

function sayMany(n, one, many) {
    return `${sayCount(n)} ${n === 1 ? one : many ?? one + "s"}`;
}

/* The time of day by the viewer's clock. */
function sayTime(unixMs) {
    return new Date(unixMs).toTimeString().slice(0, 8);
}

/* ---- what an answer means: the README's "For whom", in fewer words ---- */

/* Good, the client's mistake, not sent (try again), or failed. */
function kindOfCode(code) {
    if (code === "503")
        return "unsent";
    return code < "400" ? "good" : code < "500" ? "client" : "failed";
}

const KINDS = {
    good: "answered",
    client: "refused: the request (4xx)",
    unsent: "not sent: try again (503)",
    failed: "failed or unknown (5xx)",
};

const CODES = {
    200: "published, or a message",
    202: "published without a confirm",
    204: "listened, and nothing came",
    307: "sent to the right path",
    400: "malformed request",
    404: "no such endpoint",
    405: "wrong method",
    408: "the request did not arrive in time",
    413: "body too large",
    422: "no queue takes the message",
    431: "header fields too large",
    500: "a mistake of the sidecar",
    501: "not done by the broker",
    502: "the broker refused it",
    503: "never sent: safe to try again",
    504: "sent, and its fate is unknown",
    other: "any other status",
};

/* What became of what a worker was asked for: shm/slot.c has their names. What is not here is bad. */
const OUTCOMES = {
    confirmed: ["good", "the broker has it"],
    unconfirmed: ["good", "sent; no confirm was asked for"],
    delivered: ["good", "a message for a GET"],
    empty: ["good", "nothing came"],
    cancelled: ["good", "taken back in time"],
    unroutable: ["client", "on no queue"],
    invalid: ["client", "no message can be made of it"],
    undecodable: ["client", "not of the encoding that is expected"],
    "too-large": ["client", "larger than the endpoint takes"],
    unsupported: ["client", "not done by the broker"],
    "broker-down": ["unsent", "no connection"],
    "broker-blocked": ["unsent", "the broker takes no messages"],
    "broker-stalled": ["unsent", "the broker is silent"],
    busy: ["unsent", "a window is full"],
    topology: ["unsent", "the declaration was refused"],
    nacked: ["failed", "not taken by every queue"],
    rejected: ["failed", "the broker closed the channel on it"],
    "outcome-unknown": ["failed", "sent; the connection was lost"],
};

/* The reasons of /__ready and its like. */
const REASONS = {
    "draining": "It drains: nobody new is let in",
    "worker-down": "The worker is down",
    "broker-away": "The broker is away",
    "broker-blocked": "The broker takes no messages",
    "topology-refused": "The broker refused an exchange or a queue",
    "not-started": "It has not started yet",
    "broker-never-seen": "A broker was never connected",
    "hung": "A process hangs",
};

/* "POST /orders", and what the two that belong to no endpoint are called. */
function nameOfEndpoint(endpoint) {
    return endpoint === "" ? "no endpoint matched" : endpoint;
}

/* Where a broker is: every one is reached by AMQP. */
function nameOfBroker(broker) {
    return broker.replace(/^amqps?:\/\//, "");
}

/* ---- states; each has a shape beside its colour: see drawMark() ---- */

const GRADES = {
    serving: "ok", up: "ok", listening: "ok",
    idle: "calm", shut: "calm", left: "calm",
    starting: "wait", connecting: "wait", leaving: "wait",
    down: "bad", doomed: "bad", away: "bad", refused: "bad",
};

function gradeOf(state) {
    return GRADES[state] ?? "wait";
}

/* A connection that is up and takes nothing is not well. */
function gradeOfConnection(connection) {
    return connection.blocked && connection.state === "up" ? "warn" : gradeOf(connection.state);
}

function stateOfConnection(connection) {
    return connection.blocked && connection.state === "up" ? "blocked" : connection.state;
}
