// By hand: what the page costs beside a million events, and what it costs a writer.
//
//     OUTBOX_CLI=… OUTBOX_TRACK_SERVER=… OUTBOX_BESIDE_WRITER=… OUTBOX_NODE_MODULES=… node load.mjs [events]

import { execFile, spawnSync } from "node:child_process";
import fs from "node:fs";
import { promisify } from "node:util";

import { browser, Stage } from "./stage.mjs";

const events = Number(process.argv[2] || 1000000);
const run = promisify(execFile);
const stage = new Stage();

// Half of it delivered by requests of 100, 450,000 pending, 30,000 dead of many reasons, 20,000 scheduled.
function fill() {
  const sql = `
    insert into outbox_events (destination, payload, enqueued_at_ms, due_at_ms)
      with recursive n (i) as (select 1 union all select i + 1 from n where i < ${events})
      select 'track', '{"event_name":"signed_up","user_id":"user-' || (i % 5000) || '","timestamp":"2026-11-23T10:00:00Z","properties":{"plan":"pro","source":"a page of the app"}}',
        (strftime('%s', 'now') - (${events} - i)) * 1000, iif(i % 50 = 49, 4000000000000, 0) from n;
    delete from outbox_queue where event <= ${events} / 2;
    update outbox_queue set state = 4, due_at_ms = 0, settled_at_ms = 1700000000000, refusals = 2,
      last_error = 'refused: HTTP 400: reason ' || (event % 40) where event > ${events} / 2 and event % 17 = 3;
    insert into outbox_destinations (name, first_served_at_ms, delivered, delivered_total) values ('track', 1, ${events} / 2, ${events} / 2);
    insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, last_id, ids, delivered_ids, bytes, status, outcome)
      with recursive n (i) as (select 0 union all select i + 1 from n where i < ${events} / 200 - 1)
      select 'track', strftime('%s', 'now') * 1000 - (${events} / 200 - i) * 1000, 20 + i % 80, 100, i * 100 + 1, i * 100 + 100,
        (i * 100 + 1) || '-' || (i * 100 + 100), (i * 100 + 1) || '-' || (i * 100 + 100), 18000, 200, 'delivered' from n;
    pragma wal_checkpoint(truncate);`;
  const done = spawnSync("sqlite3", [stage.db], { input: sql, encoding: "utf8" });
  if (done.status !== 0 || done.stderr) throw new Error(done.stderr);
}

async function measure(link) {
  const url = new URL(link);
  const headers = { Authorization: `Bearer ${url.hash.slice(3)}` };
  const targets = ["status", "events", "events?state=pending", "events?state=dead", "events?state=scheduled", "events?state=delivered",
    "events?state=dead&error=reason+7", "events?error=nothing+like+it", "events?user_id=nobody", "events?state=pending&user_id=nobody",
    "events?user_id=user-7", "events?event_name=nothing&state=delivered", "events?since=1h", "events?until=200h", `events/${events}`, "events/7",
    "errors", "batches", "audit", "series?window=1h", "series?window=24h"];
  for (const target of targets) {
    const times = [];
    let answer;
    for (let i = 0; i < 15; ++i) {
      const begin = performance.now();
      answer = await (await fetch(`${url.origin}/api/v1/${target}`, { headers })).json();
      times.push(performance.now() - begin);
    }
    times.sort((a, b) => a - b);
    const said = answer.complete === false ? `  cut, says so (looked at ${answer.looked_at ?? "the newest"})` : answer.detail || "";
    console.log(`${target.padEnd(42)} median ${times[7].toFixed(0).padStart(4)} ms, worst ${times[14].toFixed(0).padStart(4)} ms${said}`);
  }
}

// The wait that one commit in a hundred exceeds, in milliseconds, of a writer that commits every 5 ms.
async function wait99(seconds) {
  const said = (await run(process.env.OUTBOX_BESIDE_WRITER, ["write", "--db", stage.db, "--seconds", `${seconds}`])).stdout;
  return Number(said.match(/p99 ([\d.]+)/)[1]);
}

const median = values => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

// In turn, and in short pieces, so that what else this machine does is the same for all.
async function besideWriter(link) {
  const waits = { alone: [], overview: [], events: [] };
  const chromium = await browser();
  const beside = async (name, address, shown) => {
    const page = await chromium.newPage();
    await page.goto(link);
    if (address) await page.goto(address);
    await page.waitForSelector(shown);
    await new Promise(done => setTimeout(done, 3000));  // the opening itself is another matter
    waits[name].push(await wait99(5));
    await page.close();
  };
  for (let i = 0; i < 15; ++i) {
    waits.alone.push(await wait99(5));
    await beside("overview", undefined, ".figure");
    await beside("events", `${new URL(link).origin}/events?state=pending`, ".events tbody tr");
  }
  await chromium.close();
  const alone = median(waits.alone);
  for (const name of Object.keys(waits)) {
    const value = median(waits[name]);
    console.log(`writer, ${name.padEnd(8)} median of 15 p99: ${value.toFixed(2)} ms, ratio ${(value / alone).toFixed(2)}`);
  }
}

try {
  fill();
  console.log(`${events} events, ${(fs.statSync(stage.db).size / 1e6).toFixed(0)} MB`);
  const link = (await stage.serve()).match;
  await measure(link);
  await besideWriter(link);
} finally {
  await stage.close();
}
