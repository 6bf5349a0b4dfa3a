/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elements of the page. Text from the sidecar is text here and never markup: there is textContent
 * alone. Whatever is shown is a view, {root, update(...)}; update() touches what has changed.
 */
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function el(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes))
        node.setAttribute(name, value);
    node.append(...children);
    return node;
}

function setText(node, text) {
    text = String(text ?? "");
    if (node.textContent !== text)
        node.textContent = text;
}

/* Somebody else's, which may be long: what is cut is to be had at the pointer. */
function setQuote(node, text) {
    setText(node, text);
    setAttribute(node, "title", text ?? "");
}

function setAttribute(node, name, value) {
    if (node.getAttribute(name) !== String(value))
        node.setAttribute(name, value);
}

/* A view for each item, in their order, behind what stands in `parent` already; a view stays as long as
 * its key does. */
function makeList(parent, keyOf, make) {
    const views = new Map(), before = parent.lastElementChild;
    return (items, ...more) => {
        const gone = new Set(views.keys());
        let place = before ? before.nextElementSibling : parent.firstElementChild;
        for (const item of items) {
            const key = keyOf(item);
            if (!views.has(key))
                views.set(key, make(item));
            gone.delete(key);
            const view = views.get(key);
            if (view.root === place)
                place = place.nextElementSibling;
            else
                parent.insertBefore(view.root, place);
            view.update(item, ...more);
        }
        for (const key of gone) {
            views.get(key).root.remove();
            views.delete(key);
        }
    };
}

/* ---- marks: a grade is a shape and a colour ---- */

const MARKS = {
    ok: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zM4.8 8.2l2.2 2.3l4.2-4.8",
    calm: "M4.5 8h7M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13z",
    wait: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zM8 4.5v4l2.5 1.5",
    warn: "M8 1.8l6.7 12H1.3zM8 6.2v3.4M8 11.6v.6",
    bad: "M5 1.5h6l3.5 3.5v6l-3.5 3.5h-6l-3.5-3.5v-6zM5.5 5.5l5 5M10.5 5.5l-5 5",
};

function makeMark(size = 16) {
    const path = svg("path");
    const root = svg("svg", {class: "mark", viewBox: "0 0 16 16", width: size, height: size,
        "aria-hidden": "true"}, path);
    return {
        root,
        update(grade) {
            setAttribute(root, "data-grade", grade);
            setAttribute(path, "d", MARKS[grade]);
        },
    };
}

/* A mark, and its word beside it. */
function makeState() {
    const mark = makeMark(), word = el("span");
    return {
        root: el("span", {class: "state"}, mark.root, word),
        update(grade, text) {
            mark.update(grade);
            setText(word, text);
        },
    };
}

/* ---- a name and its value; a bar that says how full ---- */

function makeFact(name, title = "") {
    const value = el("dd");
    return {
        root: el("div", {class: "fact", title}, el("dt", {}, name), value),
        update: (text) => setText(value, text),
    };
}

/* Lines of facts: {name: text}. */
function makeFacts(names) {
    const facts = names.map((name) => makeFact(name));
    return {
        root: el("dl", {class: "facts"}, ...facts.map((fact) => fact.root)),
        update: (...texts) => facts.forEach((fact, i) => fact.update(texts[i])),
    };
}

function makeBar(name) {
    const full = el("i"), high = el("b"), value = el("span");
    const bar = el("div", {class: "bar", role: "meter", "aria-label": name, "aria-valuemin": 0}, full, high);
    return {
        root: el("div", {class: "gauge"}, el("span", {}, name), value, bar),
        update(now, most, highest, text) {
            const share = most > 0 ? Math.min(1, now / most) : 0;
            full.style.width = `${share * 100}%`;
            high.hidden = !(highest > 0 && most > 0);
            high.style.left = `${Math.min(1, highest / most) * 100}%`;
            setAttribute(bar, "data-grade", share >= 1 ? "bad" : share >= FEW_SLOTS ? "warn" : "ok");
            setAttribute(bar, "aria-valuenow", now);
            setAttribute(bar, "aria-valuemax", most);
            setAttribute(bar, "aria-valuetext", text);
            setText(value, text);
        },
    };
}

/* ---- lines ---- */

/* The path through values, x for x; it breaks where nothing is known. */
function pathOf(values, x, y) {
    let path = "", isDown = false;
    for (let i = 0; i < values.length; i++) {
        if (!Number.isFinite(values[i])) {
            isDown = false;
            continue;
        }
        path += `${isDown ? "L" : "M"}${x(i).toFixed(1)} ${y(values[i]).toFixed(1)}`;
        if (!isDown)
            path += "h.01"; /* a single one is a dot */
        isDown = true;
    }
    return path;
}

/* What lies between two rows of values. */
function areaBetween(low, high, x, y) {
    const known = [];
    for (let i = 0; i < high.length; i++)
        if (Number.isFinite(high[i]))
            known.push(i);
    if (known.length === 0)
        return "";
    const there = known.map((i) => `${x(i).toFixed(1)} ${y(high[i]).toFixed(1)}`);
    const back = known.reverse().map((i) => `${x(i).toFixed(1)} ${y(low[i]).toFixed(1)}`);
    return `M${there.join("L")}L${back.join("L")}Z`;
}

function highest(values) {
    return values.reduce((most, value) => value > most ? value : most, 0);
}

/* Of every few values the highest: a narrow picture shows no more, and a peak must not be lost. */
function thin(values, n) {
    const each = values.length / n;
    return Array.from({length: n}, (_, i) => {
        const part = values.slice(Math.round(i * each), Math.round((i + 1) * each));
        return part.some(Number.isFinite) ? highest(part) : NaN;
    });
}

/* A small one, in a table: what it says stands beside it. */
function makeSpark(names) {
    const WIDTH = 120, HEIGHT = 28, POINTS = 60;
    const paths = names.map((name) => svg("path", {class: `line ${name}`}));
    const root = svg("svg", {class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true",
        preserveAspectRatio: "none"}, ...paths);
    return {
        root,
        update(lines) {
            const rows = names.map((name) => lines ? thin(lines[name].values, POINTS) : []);
            const most = Math.max(...rows.map(highest)) || 1;
            const x = (i) => (i + 0.5) / POINTS * WIDTH;
            const y = (value) => HEIGHT - 2 - value / most * (HEIGHT - 4);
            paths.forEach((path, i) => setAttribute(path, "d", pathOf(rows[i], x, y)));
        },
    };
}

/* ---- a chart: ten minutes, with its scale and a legend that is read at the pointer ---- */

const MARGIN = {left: 52, right: 8, top: 10, bottom: 22};

/*
 * `series`: [{name, label}], from the ground up; isStacked: each stands on the one before. `say` writes a
 * value, `scale` makes {y(value) of 0..1, ticks} of the highest.
 */
function makeChart({title, series, isStacked, say, scale}) {
    const paths = series.map(({name}) => svg("path", {class: `${isStacked ? "area" : "line"} ${name}`}));
    const grid = svg("g", {class: "grid"}), marks = svg("path", {class: "restarts"});
    const pointer = svg("path", {class: "pointer"});
    const canvas = svg("svg", {class: "canvas", role: "img", "aria-label": title}, grid, ...paths, marks, pointer);
    const legend = series.map(({name, label}) => makeLegend(name, label));
    const when = el("span", {class: "when"});
    const root = el("figure", {class: "chart"},
        el("figcaption", {}, el("h3", {}, title), when),
        canvas, el("ul", {class: "legend"}, ...[...legend].reverse().map((entry) => entry.root)));
    let width = 600, at = null, shown = null;
    const height = 190;

    const draw = () => {
        if (!shown)
            return;
        const {rows, tops} = shown;
        const {y: up, ticks} = scale(Math.max(...tops.map(highest)));
        const x = (i) => MARGIN.left + (i + 1) / N_STEPS * (width - MARGIN.left - MARGIN.right);
        const y = (value) => height - MARGIN.bottom - up(value) * (height - MARGIN.top - MARGIN.bottom);
        setAttribute(canvas, "viewBox", `0 0 ${width} ${height}`);
        drawGrid(grid, ticks.map((tick) => [y(tick), say(tick)]), width, height);
        paths.forEach((path, s) => setAttribute(path, "d", isStacked
            ? areaBetween(s > 0 ? tops[s - 1] : rows[0].map(() => 0), tops[s], x, y)
            : pathOf(rows[s], x, y)));
        setAttribute(marks, "d", shown.restarts.map((ago) =>
            `M${x(N_STEPS - 1 - ago).toFixed(1)} ${MARGIN.top}V${height - MARGIN.bottom}`).join(""));
        setAttribute(pointer, "d",
            at === null ? "" : `M${x(at).toFixed(1)} ${MARGIN.top}V${height - MARGIN.bottom}`);
        const read = at ?? N_STEPS - 1;
        legend.forEach((entry, s) => entry.update(say(rows[s][read])));
        setText(when, at === null ? "now" : `${sayAge((N_STEPS - 1 - at) * STEP_NS)} ago`);
        setAttribute(canvas, "aria-label", `${title}, the last ten minutes. Now: ` + series.map(
            ({label}, s) => `${label} ${say(rows[s][N_STEPS - 1])}`).join(", ") + ".");
    };
    canvas.addEventListener("pointermove", (event) => {
        const share = (event.offsetX - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
        at = share < 0 || share > 1 ? null : Math.min(N_STEPS - 1, Math.floor(share * N_STEPS));
        draw();
    });
    canvas.addEventListener("pointerleave", () => {
        at = null;
        draw();
    });
    new ResizeObserver(([entry]) => {
        width = Math.max(240, Math.round(entry.contentRect.width));
        draw();
    }).observe(root);
    return {
        root,
        update(lines, restarts) {
            if (!lines)
                return;
            const rows = series.map(({name}) => lines[name].values);
            shown = {rows, tops: isStacked ? stack(rows) : rows, restarts};
            draw();
        },
    };
}

function makeLegend(name, label) {
    const value = el("span", {class: "value"});
    return {
        root: el("li", {class: name}, el("i"), el("span", {}, label), value),
        update: (text) => setText(value, text),
    };
}

function drawGrid(grid, ticks, width, height) {
    const bottom = height - 6;
    grid.replaceChildren(
        ...ticks.flatMap(([y, text]) => [
            svg("path", {d: `M${MARGIN.left} ${y.toFixed(1)}H${width - MARGIN.right}`}),
            svg("text", {x: MARGIN.left - 8, y: y + 4, "text-anchor": "end"}, text),
        ]),
        svg("text", {x: MARGIN.left, y: bottom}, "10 min ago"),
        svg("text", {x: (MARGIN.left + width - MARGIN.right) / 2, y: bottom, "text-anchor": "middle"}, "5 min"),
        svg("text", {x: width - MARGIN.right, y: bottom, "text-anchor": "end"}, "now"));
}

function stack(rows) {
    const tops = [];
    for (const row of rows)
        tops.push(row.map((value, i) => value + (tops.at(-1)?.[i] ?? 0)));
    return tops;
}

/* From nothing to a round number at or above the highest. */
function scaleFromZero(most) {
    const ten = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
    const top = [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= most) ?? 1;
    return {y: (value) => value / top, ticks: [0, top / 2, top]};
}

/* Durations: a power of ten is as high as the next. */
function scaleOfDurations(most) {
    const low = 5; /* 100 µs */
    const top = Math.max(low + 2, Math.ceil(Math.log10(Math.max(most, 1))));
    const y = (value) => Math.max(0, (Math.log10(Math.max(value, 1)) - low) / (top - low));
    return {y, ticks: Array.from({length: top - low + 1}, (_, i) => 10 ** (low + i))};
}
