// Elements and the forms of numbers and times. Everything that is shown passes through text nodes:
// nothing of the database is ever parsed as HTML.

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element: h("a.link", {href}, "text", …). */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length > 0) element.className = classes.join(" ");
  return fill(element, attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export const by = id => document.getElementById(id);

const numbers = new Intl.NumberFormat("en-US");
export const count = number => numbers.format(number);
export const events = number => `${count(number)} ${number === 1 ? "event" : "events"}`;
export const is = number => (number === 1 ? "is" : "are");

/** "0.8 s", "41 s", "23 min", "3.2 h", "3 d" */
export function duration(ms) {
  const s = Math.max(ms, 0) / 1000;
  if (s < 10) return `${(Math.floor(s * 10) / 10).toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 36000) return `${(Math.floor(s / 360) / 10).toFixed(1)} h`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** "820 ms", "1.4 s" */
export const took = ms => (ms < 1000 ? `${ms} ms` : duration(ms));

/** "1.2 KiB" */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

const two = number => String(number).padStart(2, "0");
/** Local time; the day only when it is not today. */
export function clock(text) {
  const at = new Date(text);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** A time element, with the exact instant for the mouse. */
export const when = text => (text ? h("time", { datetime: text, title: text }, clock(text)) : "–");

/** A table's head; a column is its words, or [words, class]. */
export function head(...columns) {
  return h("thead", {}, h("tr", {}, columns.map(column => {
    const [words, kind] = Array.isArray(column) ? column : [column, null];
    return h("th", { scope: "col", class: kind }, words);
  })));
}

/** Says `text` in the corner, and to a screen reader. */
export function toast(text, kind = "good") {
  const note = h(`p.toast.${kind}`, {}, h("span.glyph", { "aria-hidden": "true" }, kind === "good" ? "✓" : "!"), text);
  by("toasts").append(note);
  setTimeout(() => note.remove(), kind === "good" ? 6000 : 12000);
}
