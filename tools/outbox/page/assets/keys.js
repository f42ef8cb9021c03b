// The keyboard. Single keys are off while someone types, and can be switched off (WCAG 2.1.4).

import { by, h } from "./dom.js";
import { dialog } from "./dialogs.js";

const list = [["/", "Filter"], ["j  k", "Next, previous row"], ["Enter", "Open"], ["Esc", "Close"], ["x", "Select a row"],
  ["r", "Retry what is selected or open"], ["d", "Discard it"], ["n", "Try now (on hold)"], ["p", "Pause updates"], ["g o", "Overview"], ["g e", "Events"],
  ["g r", "Requests"], ["g a", "Audit"], ["?", "This list"]];
const storage = "outbox-keys";
const areOn = () => localStorage.getItem(storage) !== "off";

function help() {
  const box = h("input", { type: "checkbox", id: "keys-on" });
  box.checked = areOn();
  box.addEventListener("change", () => localStorage.setItem(storage, box.checked ? "on" : "off"));
  dialog("Keyboard", [
    h("dl.keys", {}, list.map(([keys, words]) => h("div", {}, h("dt", {}, keys.split("  ").map(key => h("kbd", {}, key))), h("dd", {}, words)))),
    h("label.check", { for: "keys-on" }, box, "Single keys work"),
  ], [], "Close");
}

export function startKeys(room, view) {
  let isGoing = false;
  by("help").addEventListener("click", help);
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape") {
      if (isTyping) event.target.blur();
      else view()?.key?.("Escape");
      return;
    }
    if (isTyping || !areOn()) return;
    const place = { o: "overview", e: "events", r: "requests", a: "audit" }[event.key];
    if (isGoing && place) {
      isGoing = false;
      event.preventDefault();
      room.goTo(place);
      by("main").focus({ preventScroll: true });
      return;
    }
    isGoing = event.key === "g";
    if (isGoing) return;
    if (event.key === "?") help();
    else if (event.key === "p") room.togglePause();
    else if (event.key === "/" && !view()?.key?.("/")) { room.goTo("events"); view()?.key?.("/"); }
    else if (event.key === "Enter" && event.target.matches("button, a, summary, input")) return;
    else if (event.key !== "/" && !view()?.key?.(event.key)) return;
    event.preventDefault();
  });
}
