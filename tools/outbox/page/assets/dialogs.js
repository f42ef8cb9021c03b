// Dialogs: a question, and changes that say first what they would do.

import * as api from "./api.js";
import { events, h, toast } from "./dom.js";
import { filterWords } from "./words.js";

let number = 0;

/** Opens a dialog, and gives the focus back when it closes. Each action: [words, kind, run]. */
export function dialog(title, content, actions, cancel = "Cancel") {
  const back = document.activeElement;
  const id = `dialog-${++number}`;
  const element = h("dialog", { "aria-labelledby": id });
  const close = () => element.close();
  element.append(h("h2", { id }, title), ...content.flat(), h("div.actions", {},
    actions.map(([words, kind, run]) => h(`button.${kind}`, { type: "button", onclick: run }, words)),
    h("button", { type: "button", onclick: close }, cancel)));
  element.addEventListener("close", () => {
    element.remove();
    if (back?.isConnected) back.focus();
  });
  document.body.append(element);
  element.showModal();
  return { element, close };
}

const verbs = {
  retry: ["Retry", "Dead events, and those that were refused, become due now, with the same id and content.", "primary"],
  discard: ["Discard", "They are given up: they stay in the file as discarded, and are not sent.", "danger"],
  requeue: ["Send again", "Delivered events are sent again: duplicates on purpose, for a receiver that has lost them.", "danger"],
};

function reasonField(isRequired) {
  const input = h("input", { id: "reason", type: "text", maxlength: 200, autocomplete: "off", required: isRequired });
  return [input, h("label.field", { for: "reason" }, h("span", {}, isRequired ? "Why (for the audit)" : "Why (for the audit; optional)"), input)];
}

/** Asks, with the count of a dry run, and changes. `chosen`: {ids} or {filter, all}. True: it was done. */
export async function changeEvents(room, verb, chosen) {
  const [word, meaning, kind] = verbs[verb];
  let found;
  try {
    found = (await api.post(`/${verb}`, { ...chosen, dry: true, reason: "dry run" })).count;
  } catch (error) {
    room.failed(error);
    return false;
  }
  const what = chosen.ids ? (chosen.ids.length === 1 ? `event ${chosen.ids[0]}` : `${chosen.ids.length} selected events`) : filterWords(chosen.filter);
  if (found === 0) {
    toast(`There is nothing to ${word.toLowerCase()}: ${what}`, "bad");
    return false;
  }
  const isReasonNeeded = verb === "discard";
  const [input, field] = reasonField(isReasonNeeded);
  return new Promise(resolve => {
    const run = async () => {
      if (isReasonNeeded && !input.value.trim()) {
        input.setAttribute("aria-invalid", "true");
        return input.focus();
      }
      try {
        const body = { ...chosen, reason: input.value.trim(), ...(chosen.ids ? {} : { expected: found }) };
        const done = await api.post(`/${verb}`, body);
        opened.close();
        toast(`${events(done.count)} ${verb === "retry" ? "retried" : verb === "discard" ? "discarded" : "queued again"}`);
        resolve(true);
      } catch (error) {
        opened.close();
        room.failed(error);
        resolve(false);
      }
      return room.refresh();
    };
    const opened = dialog(`${word} ${events(found)}?`, [h("p.lead", {}, `That is: ${what}.`), h("p.hint", {}, meaning), field],
      [[`${word} ${events(found)}`, kind, run]]);
    input.addEventListener("keydown", event => { if (event.key === "Enter") run(); });
    opened.element.addEventListener("close", () => resolve(false));
    if (isReasonNeeded) input.focus();
    else opened.element.querySelector(`button.${kind}`).focus();
  });
}

const orders = {
  pause: ["Pause", "Nothing is sent to it until someone resumes it. Events are kept.", "was paused"],
  resume: ["Resume", "Deliveries go on at once.", "goes on"],
  nudge: ["Try now", "The dispatcher tries with one single event, whatever the hold says.", "is tried now"],
};
export const orderWord = order => orders[order][0];

export function orderDestination(room, name, order) {
  const [word, meaning, done] = orders[order];
  const run = async body => {
    try {
      await api.post(`/destinations/${encodeURIComponent(name)}/${order}`, body);
      toast(`${name} ${done}`);
    } catch (error) {
      room.failed(error);
    }
    room.refresh();
  };
  if (order !== "pause") return run({});
  const [input, field] = reasonField(false);
  const go = () => { opened.close(); run({ reason: input.value.trim() }); };
  const opened = dialog(`${word} ${name}?`, [h("p.hint", {}, meaning), field], [[word, "primary", go]]);
  input.addEventListener("keydown", event => { if (event.key === "Enter") go(); });
  return input.focus();
}
