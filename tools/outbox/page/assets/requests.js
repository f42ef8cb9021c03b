// The request log: what was sent, what came back, and how a search went.

import * as api from "./api.js";
import { durations, outcomes } from "./charts.js";
import { count, h, head, size, took, when } from "./dom.js";
import { badge } from "./overview.js";

// A request of a search stands below the one that it is a part of.
function depths(batches) {
  const parents = new Map(batches.map(b => [b.id, b.parent]));
  const depth = id => { let n = 0; for (let at = parents.get(id); at && n < 12; at = parents.get(at)) ++n; return n; };
  return new Map(batches.map(b => [b.id, depth(b.id)]));
}

function row(b, depth) {
  const first = `/events?${new URLSearchParams({ after: String(BigInt(b.last_id) + 1n), destination: b.destination })}`;
  return h("tr", {}, h("td.number", {}, b.id),
    h("td.tree", {}, h(`span.depth.d${Math.min(depth, 8)}`, {}, depth > 0 ? h("span", { title: `A part of request ${b.parent}` }, "└ ") : null, badge(b.outcome)),
      b.reason ? h("span.why", {}, b.reason) : null),
    h("td.number", {}, b.status ?? "–"), h("td.number", {}, h("a", { href: first, title: `Events ${b.first_id} to ${b.last_id}` }, count(b.events))),
    h("td.number", {}, took(b.took_ms)), h("td.number", {}, size(b.bytes)), h("td", {}, b.destination), h("td.time", {}, when(b.started_at)));
}

export function requests(room) {
  const figures = h("div.figures");
  const body = h("tbody");
  const hint = h("p.hint", {}, "Reading…");
  const select = h("select", { id: "request-destination" }, h("option", { value: "" }, "All destinations"));
  const table = h("table.rows", { hidden: true }, head(["Request", "number"], "Outcome", ["HTTP", "number"], ["Events", "number"], ["Took", "number"], ["Size", "number"], "Destination", "When"), body);
  const element = h("div", {}, h("h1", {}, "Requests"), h("form.filters", { onsubmit: event => event.preventDefault() }, h("label.field", { for: "request-destination" }, h("span", {}, "Destination"), select)),
    figures, hint, h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Requests" }, table));
  select.addEventListener("change", () => room.go("/requests", { destination: select.value }, true));

  async function update() {
    const { destination } = room.parameters();
    for (const d of room.status?.destinations || []) {
      if (![...select.options].some(option => option.value === d.name)) select.append(h("option", { value: d.name }, d.name));
    }
    select.value = destination || "";
    try {
      const [series, { batches }] = await Promise.all([api.get("/series", { destination }), api.get("/batches", { destination, limit: 100 })]);
      const depth = depths(batches);
      hint.textContent = batches.length === 0 ? "No request has been made yet." : "";
      table.hidden = batches.length === 0;
      figures.replaceChildren(outcomes(series), durations(series));
      if (table.matches(":hover") && body.childElementCount > 0) return;  // never move a row under the mouse
      body.replaceChildren(...batches.map(b => row(b, depth.get(b.id))));
    } catch (error) {
      room.failed(error);
    }
  }
  return { element, update, beat: update, moved: update };
}
