// What the state of a destination means, in words that anyone on call understands, and what to do.

import { clock, count, duration, events, is } from "./dom.js";

/** How a state looks: a sign beside its word, so that colour is never alone. */
export const signs = {
  delivering: ["●", "good"], idle: ["✓", "good"], waiting: ["◔", "calm"], paused: ["‖", "calm"],
  hold: ["▲", "warn"], suspects: ["↻", "warn"], trouble: ["!", "bad"], unserved: ["○", "warn"],
  pending: ["◔", "calm"], scheduled: ["◷", "calm"], retrying: ["↻", "warn"], delivered: ["✓", "good"],
  dead: ["✕", "bad"], discarded: ["–", "none"],
  refused: ["✕", "bad"], failed: ["▲", "warn"], unavailable: ["▲", "warn"],
  unauthorized: ["▲", "warn"], misconfigured: ["▲", "warn"],
};

const holds = {
  unauthorized: ["The endpoint refuses the credentials",
    "Renew the token. A changed token file is read at once, and deliveries go on by themselves."],
  misconfigured: ["The address does not lead to the API",
    "Correct the URL, or what stands before the endpoint, and restart the dispatcher."],
  refuses_everything: ["The endpoint refuses every event",
    "Look at what it says of them, below and under Requests: perhaps the API has changed."],
  backing_off: ["The endpoint is in trouble",
    "Nothing to do: it is tried again by itself. Try now if you know that it is back."],
};

const deadWords = d => (d.dead > 0 ? `${events(d.dead)} died and ${d.dead === 1 ? "needs" : "need"} your decision: retry or discard.` : "");
const since = (text, now) => `${duration(now - Date.parse(text))}`;

function backlog(d) {
  const oldest = d.oldest_due_age_ms === null ? "" : `, the oldest for ${duration(d.oldest_due_age_ms)}`;
  return d.due > 0 ? `${events(d.due)} ${is(d.due)} due${oldest}` : "nothing is due";
}

function held(d, now) {
  const [what, advice] = holds[d.hold.kind] || holds.backing_off;
  const wait = Date.parse(d.hold.until) - now;
  const next = wait > 0 ? `Next try in ${duration(wait)}` : "The next try is due";
  return {
    state: "hold", word: "On hold",
    text: `${what} since ${clock(d.hold.since)} (${d.hold.reason}). ${next}; no event is lost.`,
    advice: `${advice} ${d.pending > 0 ? `${events(d.pending)} ${d.pending === 1 ? "waits" : "wait"}.` : ""} ${deadWords(d)}`,
    actions: ["nudge", "pause"],
  };
}

// Nobody delivers, or whoever does is in trouble; null: neither.
function unserved(d) {
  if (d.dispatcher && (d.dispatcher.trouble || d.dispatcher.database_trouble)) {
    const why = d.dispatcher.database_trouble
      ? `Process ${d.dispatcher.pid} cannot use the database: ${d.dispatcher.database_trouble}`
      : `The dispatcher hangs: ${d.dispatcher.trouble}`;
    return { state: "trouble", word: "In trouble", text: `${why}. No event is lost; ${backlog(d)}.`,
      advice: "Look at that process: its log, its disk, and whether someone has stopped it.", actions: ["pause"] };
  }
  if (d.dispatcher) return null;
  if (!d.was_ever_served) {
    return { state: "unserved", word: "Never served",
      text: `No dispatcher has ever served this destination; ${backlog(d)}.`,
      advice: "Is its name a typo, or is its dispatcher still to be started? `outbox run` or your server starts one.",
      actions: [] };
  }
  if (d.pending === 0) return null;
  return { state: "unserved", word: "Nobody delivers",
    text: `No dispatcher is running; ${backlog(d)}. No event is lost.`,
    advice: "Start your server, or `outbox run`.", actions: [] };
}

/** The destination in a word, a sentence, and what to do next; `now` is the server's time. */
export function describe(d, now) {
  if (d.paused) {
    const why = d.paused.reason ? `, because: ${d.paused.reason}` : "";
    return { state: "paused", word: "Paused",
      text: `A person paused it ${since(d.paused.since, now)} ago${why}. Events are kept; ${backlog(d)}.`,
      advice: "Resume it when the reason is gone.", actions: ["resume"] };
  }
  const trouble = unserved(d);
  if (trouble) return trouble;
  if (d.hold) return held(d, now);
  const later = d.scheduled > 0 ? ` ${events(d.scheduled)} ${is(d.scheduled)} scheduled for later.` : "";
  const dead = deadWords(d);
  if (d.pending - d.scheduled === 0) {
    return { state: "idle", word: d.dispatcher ? "Up to date" : "Idle",
      text: `Everything that is due was delivered.${later}`, advice: dead, actions: d.dispatcher ? ["pause"] : [] };
  }
  if (d.retrying > 0 && d.due === 0) {
    return { state: "suspects", word: "Trying again",
      text: `${events(d.retrying)} ${d.retrying === 1 ? "was" : "were"} refused or failed alone and ${is(d.retrying)} tried again; nothing else is due.${later}`,
      advice: `See below why. The same reason for all of them is trouble of the endpoint, not of the events. ${dead}`, actions: ["pause"] };
  }
  const behind = d.waiting > 0 ? ` ${events(d.waiting)} ${d.waiting === 1 ? "waits" : "wait"} behind an earlier one of the same key.` : "";
  return { state: "delivering", word: "Delivering", text: `It delivers; ${backlog(d)}.${behind}${later}`,
    advice: dead, actions: ["pause"] };
}

export function holderText(holder) {
  const times = number => number === 1 ? "once" : `${count(number)} times`;
  const what = holder.dead ? "is dead" : holder.refusals > 0 ? `was refused alone ${times(holder.refusals)}`
    : holder.solo_failures > 0 ? `failed alone ${times(holder.solo_failures)}` : "has failed beside others";
  const held = holder.holds > 1000 ? "more than 1,000" : count(holder.holds);
  return `Event ${holder.id} ${what} and holds back ${held} later ${holder.holds === 1 ? "event" : "events"} of its key.`;
}

/** All destinations in one sentence, for the top of the page. */
export function headline(destinations, now) {
  if (destinations.length === 0) return "No event has been queued yet";
  const needy = destinations.filter(d => ["hold", "trouble", "unserved", "suspects"].includes(describe(d, now).state));
  const dead = destinations.reduce((sum, d) => sum + d.dead, 0);
  if (needy.length === 1) return `${needy[0].name} needs a look`;
  if (needy.length > 1) return `${needy.length} of ${destinations.length} destinations need a look`;
  if (dead > 0) return `${events(dead)} ${dead === 1 ? "needs" : "need"} your decision`;
  const paused = destinations.filter(d => d.paused).length;
  if (paused > 0) return `${paused === destinations.length ? "Deliveries are" : `${paused} of ${destinations.length} destinations ${is(paused)}`} paused`;
  return "Everything is being delivered";
}

/** A filter in words: "dead events of track whose error contains “HTTP 400”". */
export function filterWords(filter) {
  const parts = [`${filter.state || "all"} events`];
  if (filter.destination) parts.push(`of ${filter.destination}`);
  if (filter.event_name) parts.push(`named ${filter.event_name}`);
  if (filter.user_id) parts.push(`of user ${filter.user_id}`);
  if (filter.group_id) parts.push(`of group ${filter.group_id}`);
  if (filter.error) parts.push(`whose error contains “${filter.error}”`);
  if (filter.since) parts.push(`enqueued since ${filter.since}`);
  if (filter.until) parts.push(`enqueued before ${filter.until}`);
  return parts.join(" ");
}
