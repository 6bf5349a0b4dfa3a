/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks for the figures once a second and shows them.
 *
 *      WAIT ─▶ ask ─┬─▶ answered ─▶ History ─▶ views ─▶ WAIT a second, or longer where pages are large
 *                   └─▶ none, or none that can be read ─▶ stale ─▶ WAIT twice as long, up to ten
 *
 * While it is paused it does not ask, and what stands there stays.
 */
"use strict";

const PERIOD_MS = 1000, LONGEST_MS = 10000, PATIENCE_MS = 3000;
const SHAPE = 1; /* the `version` of /__stats/ that this page reads */

const poller = {
    history: new History(), views: null, build: null, pause: PERIOD_MS, timer: null, answered: Date.now(),
    isPaused: false, isAsking: false,

    async poll() {
        if (this.isAsking)
            return;
        this.isAsking = true;
        clearTimeout(this.timer);
        const begun = performance.now();
        try {
            this.show(await ask());
            /* Of a second, a tenth at most is spent on this. */
            this.pause = Math.min(LONGEST_MS, Math.max(PERIOD_MS, 10 * (performance.now() - begun)));
        } catch (error) {
            this.showStale(error);
            this.pause = Math.min(LONGEST_MS, 2 * this.pause);
        }
        this.isAsking = false;
        if (this.isPaused)
            this.views.headline.updatePaused(this.answered);
        this.wait();
    },

    wait() {
        clearTimeout(this.timer);
        if (!this.isPaused)
            this.timer = setTimeout(() => this.poll(), this.pause);
    },

    show(stats) {
        this.history.take(stats);
        this.answered = Date.now();
        this.setStale(false);
        this.build ??= stats.service.build;
        const findings = findWrong(stats, this.history);
        if (stats.service.build !== this.build)
            findings.push({grade: "warn", subject: "The sidecar is of another build now",
                text: `${stats.service.build}; this page is of ${this.build}: load it again`});
        this.views.headline.update(stats, findings);
        this.views.tiles.update(stats, this.history);
        this.views.charts.update(this.history);
        this.views.way.update(stats, this.history);
        this.views.endpoints.update(stats.endpoints, this.history);
        this.views.queues.update(stats.queues, this.history);
        this.views.sums.update(this.history);
        this.views.stages.update(this.history);
        this.views.processes.update(stats.processes, this.history);
    },

    showStale(error) {
        this.setStale(true);
        this.views.headline.updateStale(this.answered, sayError(error));
    },

    setStale(isStale) {
        document.body.classList.toggle("stale", isStale);
    },

    setPaused(isPaused, button) {
        this.isPaused = isPaused;
        setText(button, isPaused ? "Go on" : "Pause");
        if (isPaused) {
            this.wait();
            this.views.headline.updatePaused(this.answered);
        } else {
            this.poll();
        }
    },
};

async function ask() {
    const place = new URL("__stats/", location.origin + location.pathname); // no user and token, if they are in the address
    const answer = await fetch(place, {cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
    if (!answer.ok)
        throw new Error(`it answered ${answer.status}`);
    const stats = await answer.json();
    if (stats.version !== SHAPE)
        throw new Error(`its figures are of version ${stats.version}, and this page reads ${SHAPE}: load it again`);
    return stats;
}

function sayError(error) {
    if (error.name === "TimeoutError")
        return `nothing came within ${PATIENCE_MS / 1000} s`;
    if (error.name === "TypeError" && /fetch|network/i.test(error.message))
        return "no connection";
    return error.message;
}

function start() {
    poller.views = {
        headline: makeHeadline(), tiles: makeTiles(), charts: makeCharts(), way: makeWay(),
        endpoints: makeEndpoints(), queues: makeQueues(), sums: makeSums(), stages: makeStages(),
        processes: makeProcesses(),
    };
    const button = document.getElementById("pause");
    button.addEventListener("click", () => poller.setPaused(!poller.isPaused, button));
    /* A page that nobody saw was not drawn often. */
    document.addEventListener("visibilitychange", () => {
        if (!document.hidden && !poller.isPaused)
            poller.poll();
    });
    poller.poll();
}

start();
