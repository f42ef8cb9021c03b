// One event: why it is where it is, what was sent, and what came of it.

import * as api from "./api.js";
import { count, h, size, took, when } from "./dom.js";
import { badge } from "./overview.js";

function tree(value) {
  if (Array.isArray(value)) return h("ol.tree", {}, value.map(one => h("li", {}, tree(one))));
  if (value !== null && typeof value === "object") {
    return h("ul.tree", {}, Object.entries(value).map(([name, one]) => h("li", {}, h("span.key", {}, name), " ", tree(one))));
  }
  return h(`span.value.${value === null ? "null" : typeof value}`, {}, value === null ? "null" : String(value));
}

const fact = (words, value) => (value === null || value === "" || value === undefined ? null : h("div", {}, h("dt", {}, words), h("dd", {}, value)));

// The explanation names commands for the terminal; the buttons below say the same.
const inWords = text => text.replaceAll("`", "");

function requestList(list) {
  if (list.length === 0) return h("p.hint", {}, "It has not been sent yet.");
  return h("ol.requests", {}, list.map(request => h("li", {}, h("div", {}, badge(request.outcome), h("span", {}, ` with ${count(request.events)}, `, took(request.took_ms)),
    h("span.time", {}, when(request.started_at))), request.reason ? h("p.why", {}, request.reason) : null)));
}

export function panel(room, element, close, change) {
  let id = null;

  function fill(event, isRevealed) {
    const actions = [];
    if (room.status?.can_change) {
      if (["dead", "retrying", "scheduled", "discarded"].includes(event.state)) actions.push(["retry", "Retry…", "primary"]);
      if (!["delivered", "discarded"].includes(event.state)) actions.push(["discard", "Discard…", "plain"]);
      if (event.state === "delivered") actions.push(["requeue", "Send again…", "plain"]);
    }
    element.replaceChildren(...[
      h("header", {}, h("h2", { tabindex: -1 }, `Event ${event.id}`), badge(event.state), h("button.quiet.close", { type: "button", onclick: close, "aria-label": "Close (Esc)", title: "Close (Esc)" }, "×")),
      h("p.sentence", {}, inWords(event.explanation)),
      actions.length > 0 && h("div.actions", {}, actions.map(([verb, words, kind]) => h(`button.${kind}`, { type: "button", onclick: () => change(verb, event.id) }, words))),
      h("dl.pairs", {}, fact("Event", event.event_name), fact("Destination", event.destination), fact("User", event.user_id), fact("Group", event.group_id),
        fact("Enqueued", when(event.enqueued_at)), fact("Due", event.due_at && !event.settled_at ? when(event.due_at) : null), fact("Settled", event.settled_at ? when(event.settled_at) : null),
        fact("Tries alone", event.attempts > 0 ? count(event.attempts) : null), fact("Last error", event.last_error), fact("Ordering key", event.ordering_key),
        fact("Dedupe key", event.dedupe_key), fact("Kind", event.kind), fact("Event id", h("code", {}, event.event_id))),
      h("h3", {}, "Payload ", h("small", {}, `${size(event.payload_bytes)}${event.is_masked ? ", masked" : ""}`)),
      h("div.payload", {}, tree(event.payload)),
      event.can_reveal && !isRevealed ? h("button", { type: "button", onclick: () => load(true) }, "Show it unmasked") : null,
      h("h3", {}, "Requests that held it"), requestList(event.requests)].filter(Boolean));
  }

  async function load(isRevealed = false) {
    const mine = id;
    try {
      const event = await api.get(`/events/${id}`, { reveal: isRevealed ? "1" : "" });
      if (mine !== id) return;
      fill(event, isRevealed);
    } catch (error) {
      if (mine !== id) return;
      element.replaceChildren(h("header", {}, h("h2", {}, `Event ${id}`), h("button.quiet.close", { type: "button", onclick: close, "aria-label": "Close (Esc)" }, "×")), h("p", {}, error.message));
      if (error.status === 401) room.failed(error);
    }
  }

  return {
    async show(next) {
      const isNew = next !== id;
      id = next;
      element.hidden = false;
      if (isNew) element.scrollTop = 0;
      await load();
    },
    hide() {
      id = null;
      element.hidden = true;
    },
  };
}
