// The list of events: filters in the address, rows, a selection, and a panel for one event.

import * as api from "./api.js";
import { changeEvents } from "./dialogs.js";
import { count, events, h, head, toast, when } from "./dom.js";
import { badge } from "./overview.js";
import { panel } from "./panel.js";
import { filterWords } from "./words.js";

const states = ["", "pending", "scheduled", "waiting", "retrying", "dead", "discarded", "delivered"];
const texts = [["event_name", "Event"], ["user_id", "User"], ["group_id", "Group"], ["error", "Error contains"], ["since", "Since"], ["until", "Until"]];
const names = ["state", "destination", ...texts.map(([name]) => name)];

function filterBar(room, apply) {
  const state = h("select", { id: "f-state" }, states.map(value => h("option", { value }, value || "Any state")));
  const destination = h("select", { id: "f-destination" }, h("option", { value: "" }, "All"));
  const inputs = texts.map(([name, words]) => [name, h("input", { id: `f-${name}`, type: "text", autocomplete: "off", spellcheck: "false",
    placeholder: name === "since" || name === "until" ? "2h, 30m" : "" }), words]);
  const field = (input, words) => h("label.field", { for: input.id }, h("span", {}, words), input);
  const form = h("form.filters", { role: "search", "aria-label": "Filter events" }, field(state, "State"), field(destination, "Destination"),
    inputs.map(([, input, words]) => field(input, words)), h("button", { type: "submit" }, "Apply"),
    h("button.quiet", { type: "button", onclick: () => apply({}) }, "Clear"));
  const read = () => Object.fromEntries([["state", state.value], ["destination", destination.value], ...inputs.map(([name, input]) => [name, input.value.trim()])]);
  form.addEventListener("submit", event => { event.preventDefault(); apply(read()); });
  for (const select of [state, destination]) select.addEventListener("change", () => apply(read()));
  return { form, focus: () => { state.focus(); return true; }, show(filter) {
    for (const d of room.status?.destinations || []) {
      if (![...destination.options].some(option => option.value === d.name)) destination.append(h("option", { value: d.name }, d.name));
    }
    state.value = filter.state || "";
    destination.value = filter.destination || "";
    for (const [name, input] of inputs) input.value = filter[name] || "";
  } };
}

export function eventList(room) {
  const chosen = new Set();
  let isAll = false;       // the selection is the filter
  let shown = [];
  let next = null;
  let current = -1;        // the row that j and k are at
  let waiting = 0;         // updates that were not shown
  let asked = 0;

  const filter = () => Object.fromEntries(names.map(name => [name, room.parameters()[name]]).filter(([, value]) => value));
  const isNarrow = () => Object.keys(filter()).some(name => name !== "destination");
  const bar = filterBar(room, values => { chosen.clear(); isAll = false; current = -1; room.go("/events", values); });
  const body = h("tbody");
  const hint = h("p.hint", { role: "status" }, "Reading…");
  const more = h("button", { type: "button", hidden: true, onclick: () => load(true) }, "Show more");
  const updates = h("button.updates", { type: "button", hidden: true, onclick: () => load() }, "");
  const bulk = h("div.bulk", { hidden: true });
  const all = h("input", { type: "checkbox", "aria-label": "Select all rows that are shown", onchange: () => selectShown(all.checked) });
  const table = h("table.rows.events", {}, head([all, "pick"], ["Id", "number"], "Event", "State", "User", ["Tries", "number"], "Enqueued", "Last error"), body);
  const side = h("aside.panel", { "aria-label": "One event", hidden: true });
  const element = h("div.split", {}, h("div.list", {}, h("h1", {}, "Events"), bar.form, bulk, updates, hint,
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Events" }, table), more), side);
  const one = panel(room, side, () => open(null), (verb, id) => change(verb, { ids: [id] }));

  const isBusy = () => room.parameters().event || chosen.size > 0 || isAll || table.matches(":hover") || table.contains(document.activeElement);

  function row(event, index) {
    const box = h("input", { type: "checkbox", "aria-label": `Select event ${event.id}`, onclick: click => { click.stopPropagation(); toggle(event.id, box.checked); } });
    box.checked = chosen.has(event.id);
    const button = h("button.row-link", { type: "button", "data-id": event.id }, event.id);
    const line = h("tr", { "data-id": event.id, onclick: click => { if (!click.target.closest("input")) { current = index; mark(); open(event.id); } } },
      h("td.pick", {}, box), h("td.number", {}, button), h("td.name", {}, event.event_name || "–"), h("td", {}, badge(event.state)),
      h("td.user", {}, event.user_id || "–"), h("td.number", {}, count(event.attempts)), h("td.time", {}, when(event.enqueued_at)), h("td.error", {}, event.last_error || ""));
    return line;
  }

  function mark() {
    [...body.children].forEach((line, i) => line.classList.toggle("current", i === current));
    const opened = room.parameters().event;
    for (const line of body.children) {
      if (line.dataset.id === opened) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  }

  function step(rows) {
    if (shown.length === 0) return true;
    current = Math.min(Math.max(current + rows, 0), shown.length - 1);
    mark();
    body.children[current].querySelector(".row-link").focus();
    if (room.parameters().event) open(shown[current].id);
    return true;
  }

  function toggle(id, isOn) {
    isAll = false;
    if (isOn) chosen.add(id);
    else chosen.delete(id);
    for (const line of body.children) line.querySelector("input").checked = chosen.has(line.dataset.id);
    showBulk();
  }
  function selectShown(isOn) {
    isAll = false;
    chosen.clear();
    if (isOn) shown.forEach(event => chosen.add(event.id));
    toggle(null, false);
  }

  function showBulk() {
    bulk.hidden = chosen.size === 0 && !isAll;
    all.checked = shown.length > 0 && shown.every(event => chosen.has(event.id));
    if (bulk.hidden) return;
    const can = room.status?.can_change;
    const target = () => (isAll ? { filter: filter(), ...(isNarrow() ? {} : { all: true }) } : { ids: [...chosen] });
    const button = (verb, word, kind, why = null) => h(`button${kind}`, { type: "button", disabled: why !== null, title: why,
      onclick: () => change(verb, target()) }, word);
    // By time it would mean the time of delivery: other events than these.
    const isByTime = isAll && Boolean(filter().since || filter().until);
    const whyNotAgain = isByTime ? "Times in the filter are those of enqueueing, and to send again goes by the time of delivery: select the events." : null;
    bulk.replaceChildren(h("b", {}, isAll ? `All ${filterWords(filter())}` : `${events(chosen.size)} selected`),
      !isAll && can ? h("button.quiet", { type: "button", onclick: () => { isAll = true; showBulk(); } }, "Select all that match the filter") : "",
      can ? h("span.actions", {}, button("retry", "Retry…", ".primary"), button("discard", "Discard…", ""), button("requeue", "Send again…", "", whyNotAgain)) : h("span.hint", {}, "Read-only: start with --allow-changes to act on them."),
      can && whyNotAgain ? h("span.hint", {}, whyNotAgain) : "",
      h("button.quiet", { type: "button", onclick: () => { isAll = false; selectShown(false); } }, "Clear"));
  }

  async function change(verb, target) {
    if (!room.status?.can_change) return;
    if (!await changeEvents(room, verb, target)) return;
    chosen.clear();
    isAll = false;
    await load();
    if (room.parameters().event) one.show(room.parameters().event);
  }

  function open(id) {
    const parameters = room.parameters();
    delete parameters.event;
    room.go("/events", id ? { ...parameters, event: id } : parameters);
    if (id === null && current >= 0) body.children[current]?.querySelector(".row-link")?.focus();
  }

  async function load(isMore = false) {
    const mine = ++asked;
    waiting = 0;
    updates.hidden = true;
    try {
      const found = await api.get("/events", { ...filter(), after: isMore ? next : room.parameters().after, limit: 50 });
      if (mine !== asked) return;
      shown = isMore ? [...shown, ...found.events] : found.events;
      next = found.next;
      const focused = document.activeElement?.dataset?.id;
      body.replaceChildren(...shown.map(row));
      if (focused) body.querySelector(`button[data-id="${focused}"]`)?.focus();
      more.hidden = next === null;
      more.textContent = found.complete ? "Show more" : "Look further back";
      table.hidden = shown.length === 0;
      hint.textContent = !found.complete ? `Looked at ${events(found.looked_at)} in the time there was, and stopped. There may be more.`
        : shown.length === 0 ? `There are no ${filterWords(filter())}.` : next === null ? `${events(shown.length)}, newest first.` : `The newest ${count(shown.length)}; there are more.`;
      mark();
      showBulk();
    } catch (error) {
      if (mine === asked) room.failed(error);
    }
  }

  async function moved() {
    const id = room.parameters().event;
    bar.show(filter());
    element.classList.toggle("with-panel", Boolean(id));
    if (id) await one.show(id);
    else one.hide();
    mark();
  }

  let lastQuery = null;
  const query = () => JSON.stringify([filter(), room.parameters().after]);
  const arrive = () => {
    const isNew = query() !== lastQuery;
    lastQuery = query();
    return Promise.all([moved(), isNew ? load() : null]);
  };

  function key(pressed) {
    const opened = room.parameters().event;
    const id = opened || shown[current]?.id;
    switch (pressed) {
      case "/": return bar.focus();
      case "j": return step(1);
      case "k": return step(-1);
      case "Enter": if (current >= 0) open(shown[current].id); return true;
      case "Escape": if (opened) open(null); else if (!bulk.hidden) selectShown(false); return true;
      case "x": if (current >= 0) toggle(shown[current].id, !chosen.has(shown[current].id)); return true;
      case "r": case "d": {
        const target = isAll || chosen.size > 0 ? null : id;
        if (!room.status?.can_change) toast("Read-only: start outbox serve with --allow-changes", "bad");
        else if (target) change(pressed === "r" ? "retry" : "discard", { ids: [target] });
        else bulk.querySelectorAll(".actions button")[pressed === "r" ? 0 : 1]?.click();
        return true;
      }
      default: return false;
    }
  }

  function beat() {
    if (!isBusy()) return load();
    updates.hidden = false;
    updates.textContent = `Updates waiting: ${++waiting}`;
    return undefined;
  }

  bar.show(filter());
  return { element, moved: arrive, update: () => { lastQuery = query(); return Promise.all([moved(), load()]); }, beat, key, status: showBulk };
}
