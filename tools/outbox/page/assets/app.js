// The page as a whole: where we are, what the server says, and what the keys do.

import * as api from "./api.js";
import { audit } from "./audit.js";
import { by, h, toast } from "./dom.js";
import { eventList } from "./events.js";
import { startKeys } from "./keys.js";
import { overview } from "./overview.js";
import { requests } from "./requests.js";

const places = { overview: ["/", overview], events: ["/events", eventList], requests: ["/requests", requests], audit: ["/audit", audit] };

/** What the pages share. */
export const room = {
  status: null, isPaused: false, skew: 0,
  /** The server's time. */
  now: () => Date.now() + room.skew,
  parameters: () => Object.fromEntries(new URLSearchParams(location.search)),
  go(path, parameters = {}, replaces = false) {
    const given = Object.entries(parameters).filter(([, value]) => value);
    const url = path + (given.length > 0 ? `?${new URLSearchParams(given)}` : "");
    history[replaces ? "replaceState" : "pushState"](null, "", url);
    show();
  },
  goTo: name => room.go(places[name][0]),
  refresh: () => view?.update?.(),
  togglePause() {
    room.isPaused = !room.isPaused;
    toast(room.isPaused ? "Updates are paused" : "Updates go on");
    showLink();
    if (!room.isPaused) room.refresh();
  },
  /** What goes wrong with a call, for people. */
  failed(error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) signIn();
    else toast(error.message, "bad");
  },
};

let name = null;
let view = null;
let link = "connecting";

function show() {
  const next = Object.keys(places).find(key => places[key][0] === location.pathname) || "overview";
  for (const anchor of document.querySelectorAll(".places a")) {
    if (anchor.dataset.place === next) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  document.title = `${next[0].toUpperCase()}${next.slice(1)} – outbox`;
  if (next === name && view?.moved) return view.moved();
  view?.leave?.();
  name = next;
  view = places[next][1](room);
  by("main").replaceChildren(view.element);
  by("main").dataset.place = next;
  return view.update?.();
}

// There is no token, or another server has started since.
function signIn() {
  link = "closed";
  showLink();
  view?.leave?.();
  view = null;
  name = null;
  by("main").replaceChildren(h("section.notice", {}, h("h1", {}, "This page needs its link"),
    h("p", {}, "Open the link that ", h("code", {}, "outbox serve"), " has printed in your terminal. It is new at each start."),
    h("p.hint", {}, "The password in it stays in this tab alone, and is never sent to anyone else.")));
}

function showLink() {
  const [words, kind] = room.isPaused ? ["Paused", "calm"] : link === "live" ? ["Live", "good"]
    : link === "polling" ? ["Every 5 s", "good"] : link === "closed" ? ["Closed", "bad"] : ["Reconnecting", "warn"];
  by("live").setAttribute("aria-pressed", String(room.isPaused));
  by("live").replaceChildren(h(`span.dot.${kind}`, { "aria-hidden": "true" }), h("span", {}, words));
}

function setLink(next) {
  if (link === next) return;
  link = next;
  showLink();
}

// The page changes at most every two seconds, and rests a hundred times what an update has taken.
let updatedAt = 0;
let cost = 0;
let timer = null;
function soon() {
  if (timer !== null || room.isPaused) return;
  const wait = Math.max(updatedAt + Math.max(2000, cost * 100) - performance.now(), 0);
  timer = setTimeout(async () => {
    timer = null;
    if (room.isPaused || document.hidden) return;
    const begin = performance.now();
    await view?.beat?.();
    updatedAt = performance.now();
    cost = updatedAt - begin;
  }, wait);
}

function tell(event, data) {
  if (event === "trouble") return setLink("trouble");
  setLink("live");
  take(data);
  return soon();
}

function take(status) {
  const isFirst = room.status === null;
  room.status = status;
  room.skew = Date.parse(status.now) - Date.now();
  by("database").textContent = status.database;
  by("mode").textContent = status.can_change ? "Changes allowed" : "Read-only";
  document.body.classList.toggle("can-change", status.can_change);
  if (!room.isPaused || isFirst) view?.status?.();
}

// The stream; without one, because four others watch, a look every five seconds.
let closing = null;
async function connect() {
  closing?.abort();
  const mine = closing = new AbortController();
  for (let wait = 250; !mine.signal.aborted; wait = Math.min(wait * 2, 5000)) {
    try {
      await api.listen(mine.signal, (event, data) => {
        wait = 250;
        tell(event, data);
      });
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error.status === 401) return signIn();
      if (error.status === 503) {
        await api.get("/status").then(status => { if (status.complete) take(status); setLink("polling"); soon(); }, () => setLink("connecting"));
        wait = 5000;
      }
    }
    if (mine.signal.aborted) return;
    if (link !== "polling") setLink("connecting");
    await new Promise(done => setTimeout(done, wait));
  }
}

async function start() {
  showLink();
  if (!sessionStorage.getItem("outbox-token")) return signIn();
  try {
    const status = await api.get("/status");
    if (status.complete) take(status);  // else the stream counts, and tells
  } catch (error) {
    if (error.status === 401) return signIn();
    toast(error.message, "bad");
  }
  show();
  return connect();
}

document.addEventListener("click", event => {
  const anchor = event.target.closest("a[href^='/']");
  if (!anchor || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  room.go(anchor.pathname, Object.fromEntries(new URLSearchParams(anchor.search)));
  if (anchor.closest(".places") || anchor.closest("main")) by("main").focus({ preventScroll: true });
});
addEventListener("popstate", () => { if (view) show(); });
addEventListener("hashchange", () => { if (api.takeToken()) { name = null; start(); } });
document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
by("live").addEventListener("click", () => room.togglePause());
// Ages go on by themselves.
setInterval(() => { if (!room.isPaused && !document.hidden) view?.tick?.(); }, 1000);

api.takeToken();
startKeys(room, () => view);
start();
