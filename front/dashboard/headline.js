/* SPDX-License-Identifier: Apache-2.0 */
/* The first second: is it ready, what is wrong, since when, and how much is going on. */
"use strict";

const ICON_COLOURS = {ok: "#0a7a5c", wait: "#5b6168", warn: "#b26a00", bad: "#b3391b"};

function makeHeadline() {
    const root = document.getElementById("headline");
    const mark = makeMark(40);
    const word = document.getElementById("word"), about = document.getElementById("about");
    const freshness = makeState();
    const list = document.getElementById("findings");
    const showFindings = makeList(list, (finding) => finding.subject + finding.grade, makeFinding);
    document.getElementById("mark").append(mark.root);
    document.getElementById("freshness").append(freshness.root);

    const show = (grade, text, findings) => {
        setAttribute(root, "data-grade", grade);
        mark.update(grade);
        setText(word, text);
        const more = findings.length - MAX_FINDINGS;
        showFindings(more > 0
            ? [...findings.slice(0, MAX_FINDINGS), {grade: "calm", subject: `and ${more} more`, text: ""}]
            : findings);
        list.hidden = findings.length === 0;
        showIcon(grade);
    };
    return {
        update(stats, findings) {
            const {service} = stats;
            const [grade, text] = gradeOfService(service, findings);
            show(grade, text, findings);
            freshness.update("ok", "live");
            setText(about, [`up ${sayAge(service.uptime_ns)}`, `generation ${service.generation}`,
                `build ${service.build}`, `configuration ${String(service.configuration).slice(0, 12)}`]
                .join(" · "));
            setText(document.getElementById("name"), service.name);
            document.title = `${text} · ${service.name}`;
        },
        /* It does not answer; what is shown below is what was. */
        updateStale(since, why) {
            show("bad", "No answer", [{grade: "bad",
                subject: `The sidecar has not answered since ${sayTime(since)}`,
                text: `${why} · what stands below is of then`}]);
            freshness.update("bad", `stale for ${sayAge((Date.now() - since) * 1e6)}`);
            document.title = "No answer · Leveret";
        },
        updatePaused(since) {
            freshness.update("calm", `paused at ${sayTime(since)}`);
        },
    };
}

function gradeOfService(service, findings) {
    if (service.draining)
        return ["warn", "Draining"];
    if (!service.live)
        return ["bad", "Hangs"];
    if (!service.started)
        return ["wait", "Starting"];
    if (!service.ready)
        return ["bad", "Not ready"];
    if (findings.some((finding) => finding.grade === "bad"))
        return ["bad", "Ready in part"];
    return findings.length > 0 ? ["warn", "Ready, with warnings"] : ["ok", "Ready"];
}

function makeFinding() {
    const mark = makeMark(), subject = el("strong"), text = el("span");
    return {
        root: el("li", {}, mark.root, el("div", {}, subject, text)),
        update(finding) {
            mark.update(finding.grade);
            setText(subject, finding.subject);
            setQuote(text, finding.text);
        },
    };
}

/* The tab says it, too: by shape and colour. */
function showIcon(grade) {
    const path = `<path d="${MARKS[grade]}" fill="none" stroke="${ICON_COLOURS[grade]}" stroke-width="1.8"/>`;
    setAttribute(document.getElementById("icon"), "href", "data:image/svg+xml," +
        encodeURIComponent(`<svg xmlns="${SVG}" viewBox="0 0 16 16">${path}</svg>`));
}

/* ---- a few large numbers ---- */

function makeTiles() {
    const names = ["Requests/s", "Answered 5xx", "p50 to publish", "p99 to publish", "In flight", "GETs that wait"];
    const tiles = names.map(makeTile);
    document.getElementById("tiles").append(...tiles.map((tile) => tile.root));
    return {
        update(stats, history) {
            const all = history.track("all");
            const bad = all.rate("unsent") + all.rate("failed");
            const answered = bad + all.rate("good") + all.rate("client");
            const waiting = stats.queues.reduce((sum, queue) => sum + queue.waiting_gets, 0);
            const values = [
                sayRate(all.rate("accepted")), answered > 0 ? sayShare(bad / answered) : NONE,
                sayDuration(all.quantile(0.5)), sayDuration(all.quantile(0.99)),
                sayCount(stats.endpoints.reduce((sum, endpoint) => sum + endpoint.in_flight, 0)),
                sayCount(waiting),
            ];
            tiles.forEach((tile, i) => tile.update(values[i], i === 1 && bad > 0));
        },
    };
}

function makeTile(name) {
    const value = el("dd");
    return {
        root: el("div", {class: "tile"}, el("dt", {}, name), value),
        update(text, isBad) {
            setText(value, text);
            setAttribute(value, "data-grade", isBad ? "bad" : "calm");
        },
    };
}

function makeCharts() {
    const traffic = makeChart({
        title: "Answers a second", isStacked: true, say: sayRate, scale: scaleFromZero,
        series: Object.entries(KINDS).map(([name, label]) => ({name, label})),
    });
    const latency = makeChart({
        title: "Time to answer a publish", isStacked: false, say: sayDuration, scale: scaleOfDurations,
        series: [{name: "p50", label: "p50: half are faster"}, {name: "p99", label: "p99: 1 of 100 is slower"}],
    });
    document.getElementById("charts").append(traffic.root, latency.root);
    return {
        update(history) {
            const {lines} = history.track("all");
            traffic.update(lines, history.restarts);
            latency.update(lines, history.restarts);
        },
    };
}
