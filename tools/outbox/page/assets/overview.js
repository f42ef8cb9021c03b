// Each destination in one sentence, what to do next, and what fails.

import * as api from "./api.js";
import { deliveries, durations, outcomes } from "./charts.js";
import { orderDestination, orderWord } from "./dialogs.js";
import { count, duration, h, head } from "./dom.js";
import { describe, headline, holderText, signs } from "./words.js";

/** The sign and the word of a state. */
export function badge(state, word = state) {
  const [glyph, kind] = signs[state] || ["•", "none"];
  return h(`span.badge.${kind}`, {}, h("span.glyph", { "aria-hidden": "true" }, glyph), word);
}

function link(name, state, value, label) {
  const words = [h("b", {}, value), h("span", {}, label)];
  if (value === "0" || value === "–" || state === null) return h("div.fact", {}, words);
  return h(`a.fact${state === "dead" ? ".bad" : ""}`, { href: `/events?${new URLSearchParams({ destination: name, state })}` }, words);
}

function facts(d) {
  const oldest = d.oldest_due_age_ms === null ? "–" : duration(d.oldest_due_age_ms);
  return h("div.facts", {}, link(d.name, "pending", count(d.due), "due"), link(d.name, null, oldest, "oldest due"),
    link(d.name, "retrying", count(d.retrying), "retrying"), link(d.name, "dead", count(d.dead), "dead"),
    link(d.name, "waiting", count(d.waiting), "waiting"), link(d.name, "scheduled", count(d.scheduled), "scheduled"),
    link(d.name, null, count(d.delivered_total), "delivered"));
}

function failures(errors) {
  if (errors.length === 0) return h("p.hint", {}, "Nothing is dead or retrying.");
  return h("table.plain", {}, h("caption", {}, "What fails"), head("Reason", "State", ["Events", "number"]),
    h("tbody", {}, errors.map(error => {
      const state = error.dead ? "dead" : "retrying";
      const query = new URLSearchParams({ destination: error.destination, state, ...(error.reason ? { error: error.reason } : {}) });
      return h("tr", {}, h("td.reason", {}, h("a", { href: `/events?${query}` }, error.reason || "(no reason)")),
        h("td", {}, badge(state)), h("td.number", {}, count(error.events)));
    })));
}

function card(room, d) {
  const said = describe(d, room.now());
  const orders = room.status.can_change ? said.actions : [];
  const pid = !d.dispatcher ? "No dispatcher" : d.dispatcher.pid === 0 ? "Dispatcher: another user's"
    : `Dispatcher: process ${d.dispatcher.pid}, for ${duration(room.now() - Date.parse(d.dispatcher.since))}`;
  return h("div.told", {}, h("header", {}, h("h2", {}, d.name), badge(said.state, said.word), h("span.hint.who", {}, pid)),
    h("p.sentence", {}, said.text),
    d.is_foreign && h("p.advice", {}, "This file is a copy or was restored: its pending events may have been delivered already."),
    said.advice.trim() !== "" && h("p.advice", {}, h("b", {}, "Next: "), said.advice),
    d.holders.map(holder => h("p.advice", {}, h("a", { href: `/events?${new URLSearchParams({ event: holder.id })}` }, holderText(holder)))),
    orders.length > 0 && h("div.actions", {}, orders.map((order, i) => h(i === 0 && order !== "pause" ? "button.primary" : "button",
      { type: "button", "data-order": order, onclick: () => orderDestination(room, d.name, order) }, orderWord(order)))),
    facts(d));
}

// Who needs someone comes first.
function byNeed(destinations, now) {
  const need = d => ({ trouble: 0, hold: 0, unserved: 0, suspects: 1, paused: 2, idle: 4 })[describe(d, now).state] ?? 3;
  return [...destinations].sort((a, b) => Math.min(need(a), a.dead > 0 ? 1 : 9) - Math.min(need(b), b.dead > 0 ? 1 : 9));
}

export function overview(room) {
  const title = h("h1", {}, "Overview");
  const list = h("div.cards");
  const element = h("div.overview", {}, title, list);
  const cards = new Map();  // by name: [told, seen]

  function status() {
    const destinations = byNeed(room.status?.destinations || [], room.now());
    title.textContent = headline(destinations, room.now());
    for (const name of [...cards.keys()].filter(name => !destinations.some(d => d.name === name))) {
      cards.get(name).remove();
      cards.delete(name);
    }
    for (const d of destinations) {
      if (!cards.has(d.name)) {
        const made = h("section.card", { "aria-label": d.name }, h("div.told"), h("div.seen", {}, h("p.hint", {}, "Reading…")));
        cards.set(d.name, made);
        list.append(made);
      }
      // A button that is about to be pressed stays.
      const told = cards.get(d.name).firstChild;
      const focused = told.contains(document.activeElement) ? document.activeElement.dataset.order : null;
      const next = card(room, d);
      told.replaceWith(next);
      if (focused) next.querySelector(`[data-order="${focused}"]`)?.focus();
    }
    if (destinations.length === 0) list.replaceChildren(h("p.hint", {}, "Events appear here as soon as your app has enqueued one."));
  }

  async function beat() {
    for (const [name, made] of cards) {
      try {
        const [series, failed] = await Promise.all([api.get("/series", { destination: name }), api.get("/errors", { destination: name, limit: 8 })]);
        made.lastChild.replaceWith(h("div.seen", {}, h("div.figures", {}, deliveries(series), outcomes(series), durations(series)), failures(failed.errors)));
      } catch (error) {
        room.failed(error);
      }
    }
  }

  const order = key => {
    const button = element.querySelector(`[data-order="${key}"]`);
    button?.click();
    return Boolean(button);
  };
  return { element, status, beat, tick: status, key: key => key === "n" && order("nudge"),
    update: () => { if (room.status) { status(); return beat(); } return undefined; } };
}
