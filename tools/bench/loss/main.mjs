// What becomes of events that a client has accepted: see tools/bench/peers_loss.sh.
//
//     node main.mjs OUTBOX COUNT PEER...

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Receiver } from "./receiver.mjs";

const [outbox, countText, ...names] = process.argv.slice(2);
const count = Number(countText);
const root = mkdtempSync(join(tmpdir(), "peers-loss-"));
const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

function start(command, words, options = {}) {
  const child = spawn(command, words, { stdio: ["ignore", "pipe", "ignore"], ...options });
  children.add(child);
  child.ended = new Promise((done) => child.on("exit", done));
  child.ended.then(() => children.delete(child));
  return child;
}

async function kill(child) {
  child.kill("SIGKILL");
  await child.ended;
}

// A client in a process of its own. `run` hands it `events` events; it lives on.
class Sdk {
  constructor(name, url, folder) {
    Object.assign(this, { name, url, folder });
  }

  async run(events) {
    this.child = start(process.execPath, ["producer.mjs", this.name, this.url, this.folder, events]);
    await new Promise((done) => this.child.stdout.once("data", done));
  }

  kill() {
    return kill(this.child);
  }

  async kept() {
    if (this.name !== "plainjob") return "0"; // all it had was in its memory
    const { default: Database } = await import("better-sqlite3");
    const database = new Database(join(this.folder, "plainjob.db"), { readonly: true });
    const count = "select status, count(*) as n from plainjob_jobs where data like '%mark-%' group by 1";
    const rows = database.prepare(count).all();
    const states = { 0: "pending", 1: "processing", 3: "failed" };
    const left = rows.filter((row) => states[row.status]);
    return left.map((row) => `${row.n} ${states[row.status]}`).join(", ") || "0";
  }
}

// outbox by its CLI: `outbox run` delivers, `outbox enqueue` has accepted when it ends with 0.
class Outbox {
  constructor(name, url, folder) {
    this.url = url;
    this.environment = { ...process.env, OUTBOX_DB: join(folder, "app.db"), OUTBOX_TOKEN: "t0ken" };
    this.#cli(["migrate"]);
  }

  async run(events) {
    const words = ["run", "--url", `${this.url}/api/track`, "--new"];
    this.child = start(outbox, words, { env: this.environment });
    for (let first = 0; first < events; first += 100) {
      const lines = [];
      for (let i = first; i < Math.min(first + 100, events); i++) lines.push(line(i));
      this.#cli(["enqueue", "-"], lines.join("\n"));
      await sleep(50);
    }
  }

  kill() {
    return kill(this.child);
  }

  async kept() {
    const status = JSON.parse(this.#cli(["status", "--json"]));
    const { pending, dead } = status.destinations[0] ?? status;
    const left = [[pending, "pending"], [dead, "dead"]].filter(([n]) => n > 0);
    return left.map(([n, state]) => `${n} ${state}`).join(", ") || "0";
  }

  #cli(words, input = "") {
    return execFileSync(outbox, words, { env: this.environment, input, encoding: "utf8" });
  }
}

function line(i) {
  const mark = `mark-${String(i).padStart(6, "0")}`;
  const timestamp = "2026-11-23T10:00:00Z";
  return JSON.stringify({ event_name: "invite_sent", user_id: "u", timestamp, properties: { mark } });
}

// Each plays something with a client and its endpoint. `seconds`: how long the events have, at most.
const scenarios = {
  "process killed": {
    seconds: 20,
    async play(client) {
      await client.run(count);
      await client.kill();
      await client.run(0);
    },
  },
  "process killed, ten events": {
    seconds: 20,
    events: 10,
    async play(client) {
      await client.run(10);
      await client.kill();
      await client.run(0);
    },
  },
  "process killed, endpoint away": {
    seconds: 20,
    async play(client, receiver) {
      await receiver.close();
      await client.run(count);
      await client.kill();
      await receiver.listen();
      await client.run(0);
    },
  },
  "endpoint away for 20 s": {
    seconds: 100,
    async play(client, receiver) {
      await receiver.close();
      const back = sleep(20_000).then(() => receiver.listen());
      await client.run(count);
      await back;
    },
  },
  "503 for 20 s": {
    seconds: 100,
    async play(client, receiver) {
      const end = Date.now() + 20_000;
      receiver.answer = () => (Date.now() < end ? 503 : 200);
      await client.run(count);
    },
  },
  "401 for 5 s": {
    seconds: 60,
    async play(client, receiver) {
      const end = Date.now() + 5_000;
      receiver.answer = () => (Date.now() < end ? 401 : 200);
      await client.run(count);
    },
  },
  "400 for one event": {
    seconds: 60,
    refused: 1,
    async play(client, receiver) {
      const bad = `mark-${String(count / 2).padStart(6, "0")}`;
      receiver.answer = (marks) => (marks.has(bad) ? 400 : 200);
      await client.run(count);
    },
  },
};

async function measure(name, scenario, folder) {
  const expected = (scenario.events ?? count) - (scenario.refused ?? 0);
  mkdirSync(folder);
  const receiver = new Receiver();
  await receiver.listen();
  const client = new (name === "outbox" ? Outbox : Sdk)(name, receiver.url, folder);
  await scenario.play(client, receiver);
  const end = Date.now() + scenario.seconds * 1000;
  while (Date.now() < end && receiver.arrived.size < expected) await sleep(50);
  await sleep(1000); // what comes twice, and marks
  await client.kill();
  const arrived = receiver.arrived.size;
  const result = { arrived, repeated: receiver.repeated, kept: await client.kept() };
  await receiver.close();
  return result;
}

function version(name) {
  const packages = { segment: "@segment/analytics-node", posthog: "posthog-node",
                     rudderstack: "@rudderstack/rudder-sdk-node" };
  if (name === "outbox") return execFileSync(outbox, ["--version"], { encoding: "utf8" }).trim();
  const home = packages[name] ?? name;
  return `${home} ${JSON.parse(readFileSync(`node_modules/${home}/package.json`)).version}`;
}

console.log(`${count} events, Node.js ${process.version}\n`);
console.log("| what happens | client | accepted | arrived | twice | in its file, not sent |");
console.log("|---|---|---|---|---|---|");
for (const [title, scenario] of Object.entries(scenarios)) {
  // All clients at once: nothing here is about speed.
  const runs = names.map((name) => measure(name, scenario, join(root, `${title} ${name}`)));
  (await Promise.all(runs)).forEach(({ arrived, repeated, kept }, i) => {
    const accepted = scenario.events ?? count;
    console.log(`| ${title} | ${version(names[i])} | ${accepted} | ${arrived} | ${repeated} | ${kept} |`);
  });
}
process.exit(0);
