// Charts as inline SVG: each has a title that says in words what it shows.

import { count, h, svg, took } from "./dom.js";

const width = 240;
const height = 48;

function frame(label, ...shapes) {
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label,
    preserveAspectRatio: "none" }, ...shapes);
}

function bar(slots, i, from, to, top, kind) {
  const step = width / slots;
  const y = height - (to / top) * (height - 4);
  return svg("rect", { class: kind, x: (i * step + 0.5).toFixed(2), width: Math.max(step - 1, 1).toFixed(2),
    y: y.toFixed(2), height: Math.max(((to - from) / top) * (height - 4), to > from ? 1 : 0).toFixed(2) });
}

const base = () => svg("line", { class: "axis", x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 });

function figure(words, value, chart) {
  return h("figure.figure", {}, h("figcaption", {}, h("span", {}, words), h("b", {}, value)), chart);
}

/** Events that were delivered in each slot. */
export function deliveries(series) {
  const values = series.slots.map(slot => slot.events);
  const top = Math.max(...values, 1);
  const sum = values.reduce((a, b) => a + b, 0);
  return figure("Delivered, last hour", count(sum), frame(`${count(sum)} events delivered in the last hour, at most ${count(top)} a minute`,
    base(), ...values.map((value, i) => bar(values.length, i, 0, value, top, "good"))));
}

/** Requests by what came of them. */
export function outcomes(series) {
  const all = series.slots.map(slot => slot.delivered + slot.refused + slot.failed);
  const top = Math.max(...all, 1);
  const sum = name => series.slots.reduce((total, slot) => total + slot[name], 0);
  const shapes = series.slots.flatMap((slot, i) => {
    const refused = slot.failed + slot.refused;
    return [bar(all.length, i, 0, slot.failed, top, "warn"), bar(all.length, i, slot.failed, refused, top, "bad"),
      bar(all.length, i, refused, all[i], top, "good")];
  });
  const words = `${count(sum("delivered"))} accepted, ${count(sum("refused"))} refused, ${count(sum("failed"))} failed`;
  return h("figure.figure.wide", {}, h("figcaption", {}, h("span", {}, "Requests, last hour"), legend(sum)),
    frame(`Requests of the last hour: ${words}`, base(), ...shapes));
}

function legend(sum) {
  return h("span.legend", {}, [["good", "delivered", "accepted"], ["bad", "refused", "refused"], ["warn", "failed", "failed"]]
    .map(([kind, name, word]) => h("span", {}, h(`i.swatch.${kind}`, { "aria-hidden": "true" }), h("b", {}, count(sum(name))), ` ${word}`)));
}

/** How long requests took: the 95th of a hundred. */
export function durations(series) {
  const values = series.slots.map(slot => (slot.delivered + slot.refused + slot.failed > 0 ? slot.p95_ms : null));
  const known = values.filter(value => value !== null);
  const top = Math.max(...known, 1);
  const step = width / values.length;
  let path = "";
  values.forEach((value, i) => {
    if (value === null) return;
    const joined = i > 0 && values[i - 1] !== null;
    const x = ((i + 0.5) * step).toFixed(1);
    const y = (height - 3 - (value / top) * (height - 8)).toFixed(1);
    path += joined ? `L${x} ${y}` : `M${x} ${y}h1`;
  });
  const last = known.length > 0 ? took(known[known.length - 1]) : "–";
  return figure("Duration, p95", last, frame(known.length > 0
    ? `95 of 100 requests took at most ${last} lately, and ${took(top)} at the worst minute` : "No requests in the last hour",
    base(), svg("path", { class: "line", d: path || "M0 0", "vector-effect": "non-scaling-stroke" })));
}
