// What people changed.

import * as api from "./api.js";
import { count, h, head, when } from "./dom.js";

export function audit(room) {
  const body = h("tbody");
  const hint = h("p.hint", {}, "Reading…");
  const table = h("table.rows", { hidden: true }, head("When", "Who", "What", "Destination", ["Events", "number"], "Which", "Why"), body);
  const element = h("div", {}, h("h1", {}, "Audit"), h("p.lead", {}, "What people changed, the newest first."), hint, h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Changes" }, table));
  async function update() {
    try {
      const { changes } = await api.get("/audit");
      hint.textContent = changes.length === 0 ? "Nobody has changed anything yet." : "";
      table.hidden = changes.length === 0;
      body.replaceChildren(...changes.map(c => h("tr", {}, h("td.time", {}, when(c.at)), h("td", {}, c.actor), h("td", {}, h("b", {}, c.action)),
        h("td", {}, c.destination || "all"), h("td.number", {}, count(c.events)), h("td", {}, c.subject || "–"), h("td", {}, c.reason || "–"))));
    } catch (error) {
      room.failed(error);
    }
  }
  return { element, update, beat: update };
}
