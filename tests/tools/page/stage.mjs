// What the tests of the page share: a database of its own, an endpoint, a dispatcher, the page, and a
// browser. Everything is a process that was started here and is ended here.

import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

export const cli = process.env.OUTBOX_CLI;
const trackServer = process.env.OUTBOX_TRACK_SERVER;
const packages = process.env.OUTBOX_NODE_MODULES;
export const skipped = 77;

function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(skipped);
}

const chromiumPath = ["/usr/bin/chromium"].find(file => fs.existsSync(file));
if (!chromiumPath) skip("chromium is not installed: tools/install_packages.sh");
const load = createRequire(path.join(packages, "x.js"));
let playwright;
export let axeSource;
try {
  playwright = load("playwright-core");
  axeSource = fs.readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");
} catch {
  skip("playwright-core and axe-core are not installed: tools/install_packages.sh");
}

/** Waits for a fact; the limit is for a broken build alone. */
export async function eventually(fact, what, patience_ms = 60000) {
  for (const end = Date.now() + patience_ms; ;) {
    const value = await fact();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise(done => setTimeout(done, 20));
  }
}

export class Stage {
  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "outbox-page-"));
    this.db = path.join(this.folder, "app.db");
    this.children = [];
    this.run("migrate");
  }

  file(name) { return path.join(this.folder, name); }

  /** A command to its end. */
  run(...words) {
    const input = typeof words.at(-1) === "object" ? words.pop().input : "";
    const done = spawnSync(cli, [...words, "--db", this.db], { input, encoding: "utf8", env: { PATH: process.env.PATH, TZ: "UTC", OUTBOX_TOKEN: "t0ken" } });
    if (done.status !== 0 && done.status !== 3) throw new Error(`outbox ${words.join(" ")}: ${done.status} ${done.stderr}`);
    return done.stdout;
  }
  json(...words) { return this.run(...words, "--json").trim().split("\n").filter(Boolean).map(line => JSON.parse(line)); }
  enqueue(payloads, ...words) { this.run("enqueue", ...words, { input: payloads.map(one => JSON.stringify(one)).join("\n") }); }

  /** A program beside the test; its first line that matches is waited for. */
  async start(program, words, pattern) {
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, TZ: "UTC", OUTBOX_TOKEN: "t0ken" } });
    this.children.push(child);
    child.text = "";
    child.stdout.on("data", data => { child.text += data; });
    child.stderr.on("data", data => { child.errors = (child.errors || "") + data; });
    const match = await eventually(() => {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${child.exitCode} ${child.errors || ""}`);
      return pattern.exec(child.text);
    }, `${program} ${words[0]}`);
    child.match = match[1];
    return child;
  }
  serve(...words) { return this.start(cli, ["serve", "--db", this.db, ...words], /(http:\S+)\n/); }
  endpoint(...words) { return this.start(trackServer, [...(words.includes("--port") ? [] : ["--port", "0"]), ...words], /(http:\S+)\n/); }
  dispatcher(url, ...words) { return this.start(cli, ["run", "--db", this.db, "--url", url, ...words], /(outbox dispatches)/); }

  async end(child, signal = "SIGTERM") {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise(done => child.once("exit", done));
      child.kill(signal);
      await ended;
    }
    return child.exitCode;
  }

  async close() {
    for (const child of this.children) await this.end(child, "SIGKILL");
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Debian's chromium; `hosts` are names that lead to this machine, as a rebound one does. */
export function browser(...hosts) {
  const rules = hosts.map(host => `MAP ${host} 127.0.0.1`).join(",");
  return playwright.chromium.launch({ executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu", ...(rules ? [`--host-resolver-rules=${rules}`] : [])] });
}

/** An invite as an app records it. */
export function invite(user, more = {}) {
  return { event_name: "invite_sent", user_id: user, timestamp: "2026-11-23T10:00:00Z",
    properties: { invitee_email: "amy.secret@achme.com", invitee_first_name: "Amy", invitee_role: "Developer", feature_name: "CUSTOMER_JOURNEY" },
    context: { group_id: "achme" }, ...more };
}
