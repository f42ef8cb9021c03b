// `outbox serve` in Debian's chromium: who may come in, what may be seen, and that an incident can be
// understood and repaired with the keyboard alone. With OUTBOX_PAGE_SCREENS the screens of that incident
// are written to this folder, for docs/page.md.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";

import { axeSource, browser, eventually, invite, Stage } from "./stage.mjs";

const secret = "amy.secret@achme.com";
const foreign = "rebound.example";
const screens = process.env.OUTBOX_PAGE_SCREENS;
const patience = 60000;

let chromium;
const stages = [];
before(async () => { chromium = await browser(foreign); });
after(async () => {
  await chromium?.close();
  for (const stage of stages) await stage.close();
});

function newStage() {
  stages.push(new Stage());
  return stages.at(-1);
}

const originOf = link => new URL(link).origin;
const tokenOf = link => link.split("#t=")[1];

/** A request as no browser would let a page make it. */
function ask(link, target, { method = "GET", headers = {}, body = "" } = {}) {
  const url = new URL(target, originOf(link));
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port: url.port, path: url.pathname + url.search, method, agent: false,
      headers: { Host: url.host, ...headers, ...(body ? { "Content-Length": body.length } : {}) } }, response => {
      let text = "";
      response.on("data", data => { text += data; });
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** A tab whose every answer and complaint is kept. */
async function tab(options = {}) {
  const context = await chromium.newContext({ viewport: { width: 1100, height: 720 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.complaints = [];
  page.answers = [];
  page.mayFail = false;
  page.on("console", message => { if (message.type() === "error" && !page.mayFail) page.complaints.push(message.text()); });
  page.on("pageerror", error => page.complaints.push(error.message));
  page.on("response", async response => {
    if (!response.url().endsWith("/stream")) page.answers.push(await response.text().catch(() => ""));
  });
  await context.addInitScript(() => document.addEventListener("securitypolicyviolation", event => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
  return page;
}

async function close(page) {
  assert.deepEqual(page.complaints, []);
  assert.ok(!page.answers.some(text => text.includes(secret)), "an answer holds an unmasked address");
  await page.context().close();
}

/** Tab, and nothing else, until the focus is there. */
async function tabTo(page, selector, key = "Tab") {
  for (let i = 0; i < 80; ++i) {
    if (await page.evaluate(wanted => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press(key);
  }
  assert.fail(`no focus reaches ${selector}`);
}

async function checkAccessibility(page, what) {
  // A toast or a dialog that still comes in is half transparent.
  await page.evaluate(() => Promise.all(document.getAnimations().map(animation => animation.finished)));
  // Not as a script of the page, whose policy forbids it.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(v => `${what}: ${v.id}: ${v.nodes.map(node => node.html).join(" ")}`), []);
}

const dead = async (stage, url, count) => {
  const dispatcher = await stage.dispatcher(url, "--batch-events", "20");
  await eventually(() => stage.json("status")[0].dead === count, `${count} dead`);
  return dispatcher;
};

test("only who has the link, and asks from the page itself, comes in", async () => {
  const stage = newStage();
  stage.enqueue([invite("user-1")]);
  const link = (await stage.serve("--allow-changes")).match;
  const own = { Authorization: `Bearer ${tokenOf(link)}` };
  const status = "/api/v1/status";
  assert.equal((await ask(link, status)).status, 401);
  assert.equal((await ask(link, status, { headers: { Authorization: `Bearer ${"0".repeat(32)}` } })).status, 401);
  const good = await ask(link, status, { headers: own });
  assert.equal(good.status, 200);
  for (const host of [`${foreign}:${new URL(link).port}`, "127.0.0.1", "localhost.evil.example:80"]) {
    for (const target of ["/", "/app.js", status]) assert.equal((await ask(link, target, { headers: { ...own, Host: host } })).status, 421, host);
  }
  assert.equal((await ask(link, status, { headers: { ...own, "Sec-Fetch-Site": "cross-site" } })).status, 403);
  const json = { ...own, "Content-Type": "application/json" };
  const body = '{"ids":["1"],"reason":"x"}';
  const post = headers => ask(link, "/api/v1/discard", { method: "POST", headers, body });
  assert.equal((await post(json)).status, 403);
  assert.equal((await post({ ...json, Origin: "http://evil.example" })).status, 403);
  assert.equal((await post({ ...json, Origin: "null" })).status, 403);
  assert.equal((await post({ ...own, Origin: originOf(link), "Content-Type": "application/x-www-form-urlencoded" })).status, 415);
  const preflight = await ask(link, "/api/v1/discard", { method: "OPTIONS", headers: { Origin: "http://evil.example", "Access-Control-Request-Method": "POST" } });
  assert.ok(preflight.status >= 400);
  for (const answer of [good, preflight]) {
    assert.ok(!Object.keys(answer.headers).some(name => name.startsWith("access-control") || name === "set-cookie"));
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
    assert.match(answer.headers["content-security-policy"], /default-src 'none'.*frame-ancestors 'none'/);
  }
  assert.equal(stage.json("status")[0].discarded, 0);
});

test("a rebound name and another site get nothing in a real browser", async () => {
  const stage = newStage();
  const link = (await stage.serve()).match;
  const page = await tab();
  page.mayFail = true;
  const rebound = await page.goto(originOf(link).replace("127.0.0.1", foreign));
  assert.equal(rebound.status(), 421);
  // From that site's own page, which this machine answers too: another port.
  const evil = http.createServer((request, response) => response.end("<!doctype html><title>evil</title>"));
  await new Promise(done => evil.listen(0, "127.0.0.1", done));
  await page.goto(`http://${foreign}:${evil.address().port}/`);
  const read = url => page.evaluate(async target => {
    try {
      return await (await fetch(target, { headers: { Authorization: "Bearer x" } })).text();
    } catch (error) {
      return error.name;
    }
  }, url);
  assert.equal(await read(`${originOf(link)}/api/v1/status`), "TypeError");
  assert.equal(await page.evaluate(async target => {
    const frame = document.createElement("iframe");
    frame.src = target;
    document.body.append(frame);
    await new Promise(done => frame.addEventListener("load", done));
    try { return frame.contentDocument === null ? "closed" : "open"; } catch { return "closed"; }
  }, originOf(link)), "closed");
  evil.close();
  await page.context().close();
});

test("read-only: no button changes anything, and neither does a call", async () => {
  const stage = newStage();
  stage.enqueue([invite("user-1", { event_name: "<img src=x onerror=alert(1)>" }), invite(secret)]);
  const link = (await stage.serve()).match;
  const page = await tab();
  await page.goto(link);
  await page.waitForSelector(".told .sentence");
  assert.equal(new URL(page.url()).hash, "");
  assert.deepEqual(await page.context().cookies(), []);
  assert.equal(await page.locator("main button").count(), 0);
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await page.waitForSelector(".events tbody tr");
  assert.ok((await page.locator(".events .name").allTextContents()).includes("<img src=x onerror=alert(1)>"));
  assert.equal(await page.locator("main img").count(), 0);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".panel .payload");
  assert.equal(await page.locator(".panel .actions").count(), 0);
  assert.ok((await page.locator(".panel").textContent()).includes("a**@achme.com"));
  const answer = await ask(link, "/api/v1/retry", { method: "POST", body: '{"ids":["1"]}',
    headers: { Authorization: `Bearer ${tokenOf(link)}`, Origin: originOf(link), "Content-Type": "application/json" } });
  assert.equal(answer.status, 403);
  assert.match(answer.text, /--allow-changes/);
  await close(page);
});

test("the filter is in the address, and a change of it is what its dry run said", async () => {
  const stage = newStage();
  stage.enqueue(Array.from({ length: 70 }, (_, i) => invite(`user-${i % 7}`)), "--delay", "1h");
  const link = (await stage.serve("--allow-changes")).match;
  const page = await tab();
  await page.goto(link);
  await page.waitForSelector(".told .sentence");
  await page.keyboard.press("/");
  await page.waitForSelector(".events tbody tr");
  await page.selectOption("#f-state", "scheduled");
  await page.fill("#f-user_id", "user-3");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".events tbody tr").length === 10);
  const url = page.url();
  assert.match(url, /state=scheduled/);
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll(".events tbody tr").length === 10);
  assert.equal(page.url(), url);
  assert.equal(await page.inputValue("#f-user_id"), "user-3");
  await page.click(".events thead input");
  await page.click("text=Select all that match the filter");
  assert.ok(await page.isEnabled(".bulk button:has-text('Send again')"));
  await page.click(".bulk button:has-text('Discard')");
  await page.waitForSelector("dialog[open]");
  assert.match(await page.textContent("dialog h2"), /Discard 10 events/);
  assert.match(await page.textContent("dialog .lead"), /scheduled events .*of user user-3/);
  await page.fill("#reason", "test");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".toast:has-text('10 events discarded')");
  assert.equal(stage.json("status")[0].discarded, 10);
  const [note] = stage.json("audit");
  assert.match(note.actor, /^serve:/);
  // Meanwhile there are more: the server counts again.
  const api = (target, body) => ask(link, `/api/v1/${target}`, { method: "POST", body: JSON.stringify(body),
    headers: { Authorization: `Bearer ${tokenOf(link)}`, Origin: originOf(link), "Content-Type": "application/json" } });
  const late = await api("discard", { filter: { state: "scheduled" }, expected: 20, reason: "x" });
  assert.equal(late.status, 409);
  assert.equal(JSON.parse(late.text).found, 60);
  assert.equal(stage.json("status")[0].discarded, 10);
  // To send again goes by another time than the list.
  await page.goto(`${originOf(link)}/events?since=2h`);
  await page.waitForSelector(".events tbody tr");
  await page.click(".events thead input");
  assert.ok(await page.isEnabled(".bulk button:has-text('Send again')"));
  await page.click("text=Select all that match the filter");
  assert.ok(await page.isDisabled(".bulk button:has-text('Send again')"));
  assert.match(await page.textContent(".bulk"), /time of delivery: select the events/);
  await close(page);
});

test("events that are all refused alone are no smooth delivery", async () => {
  const stage = newStage();
  const dispatcher = await stage.dispatcher((await stage.endpoint("--status", "503")).match);
  stage.enqueue([invite("user-1"), invite("user-2")], "--delay", "1h");
  const sql = "update outbox_queue set state = 3, refusals = 1, refused_in = 1, suspected_at_ms = 1";
  spawnSync("sqlite3", [stage.db, sql], { encoding: "utf8" });
  const page = await tab();
  await page.goto((await stage.serve()).match);
  await page.waitForSelector("h1:has-text('track needs a look')");
  assert.match(await page.textContent(".told"), /2 events were refused or failed alone and are tried again/);
  await close(page);
  await stage.end(dispatcher);
});

test("the stream goes on after a restart of the server", async () => {
  const stage = newStage();
  stage.enqueue([invite("user-1")]);
  const first = await stage.serve();
  const port = new URL(first.match).port;
  const page = await tab();
  await page.goto(first.match);
  await page.waitForSelector("#live:has-text('Live')");
  stage.enqueue([invite("user-2")]);
  await page.waitForSelector(".fact:has(span:text-is('due')) b:text-is('2')");
  page.mayFail = true;
  assert.equal(await stage.end(first, "SIGINT"), 0);
  await page.waitForSelector("#live:has-text('Reconnecting')");
  const second = await stage.serve("--port", port);
  await page.waitForSelector("h1:has-text('This page needs its link')");
  await page.goto(second.match);  // in the same tab: only the fragment is another one
  await page.waitForSelector("#live:has-text('Live')");
  page.mayFail = false;
  stage.enqueue([invite("user-3")]);
  await page.waitForSelector(".fact:has(span:text-is('due')) b:text-is('3')");
  await close(page);
});

test("four pages watch, and the fifth asks now and then", async () => {
  const stage = newStage();
  const link = (await stage.serve()).match;
  const pages = [];
  for (let i = 0; i < 5; ++i) {
    pages.push(await tab());
    pages[i].mayFail = i === 4;
    await pages[i].goto(link);
    await pages[i].waitForSelector(i < 4 ? "#live:has-text('Live')" : "#live:has-text('Every 5 s')");
  }
  for (const page of pages) await page.context().close();
});

// An hour's traffic, so that the charts have something to show.
function spread(stage) {
  const sql = "update outbox_requests set started_at_ms = started_at_ms - (id * 7919 % 58) * 60000 - 60000, took_ms = 40 + id * 37 % 90 where outcome = 'delivered'";
  spawnSync("sqlite3", [stage.db, sql], { encoding: "utf8" });
}

for (const scheme of ["light", "dark"]) {
  test(`an incident is understood and repaired with the keyboard alone, ${scheme}`, async () => {
    const stage = newStage();
    const broken = await stage.endpoint("--status", "422", "--only-with", "legacy");
    const port = new URL(broken.match).port;
    const names = ["signed_up", "invite_sent", "account_created"];
    stage.enqueue(Array.from({ length: 900 }, (_, i) => invite(`user-${i % 37}`)));
    stage.enqueue(Array.from({ length: 60 }, (_, i) => invite(`user-${i % 37}`, { event_name: names[i % 3],
      properties: { plan: i % 5 === 0 ? "legacy" : "pro", invitee_email: secret } })));
    await dead(stage, broken.match, 12);
    spread(stage);
    const link = (await stage.serve("--allow-changes")).match;
    const page = await tab({ colorScheme: scheme });
    const shot = async name => {
      await checkAccessibility(page, name);
      if (screens) await page.screenshot({ path: path.join(screens, `${name}-${scheme}.png`) });
    };
    await page.goto(link);
    await page.waitForSelector(".reason a");
    assert.match(await page.textContent("h1"), /track needs a look/);
    assert.match(await page.textContent(".told"), /refuses every event.*12 events died/s);
    await shot("1-overview");

    await tabTo(page, ".reason a");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll(".events tbody tr").length === 12);
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".panel .requests");
    assert.match(await page.textContent(".panel .sentence"), /HTTP 422/);
    await shot("2-event");
    await page.keyboard.press("Escape");
    assert.ok(await page.evaluate(() => document.activeElement.matches(".row-link")), "the focus is back on the row");

    // Meanwhile the API is put right.
    await stage.end(broken);
    await stage.endpoint("--port", port);
    await page.keyboard.press("x");
    await tabTo(page, ".bulk button.quiet", "Shift+Tab");
    await tabTo(page, ".bulk button.quiet:first-of-type", "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".bulk b:has-text('All dead events')");
    await page.keyboard.press("r");
    await page.waitForSelector("dialog[open]");
    assert.match(await page.textContent("dialog h2"), /Retry 12 events/);
    await tabTo(page, "#reason", "Shift+Tab");
    await page.keyboard.type("the API takes legacy plans again");
    await shot("3-retry");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".toast:has-text('12 events retried')");
    await page.keyboard.press("g");
    await page.keyboard.press("o");
    await page.waitForSelector(".told .sentence");
    if (await page.locator("[data-order=nudge]").count() > 0) await page.keyboard.press("n");
    await page.waitForSelector("h1:has-text('Everything is being delivered')");
    await page.waitForSelector(".badge:has-text('Up to date')");
    await page.waitForFunction(() => document.querySelectorAll(".toast").length === 0);
    await page.waitForSelector(".seen:has-text('Nothing is dead')");
    await shot("4-repaired");
    assert.equal(stage.json("status")[0].dead, 0);

    for (const [keys, ready] of [["gr", ".rows tbody tr"], ["ga", ".rows tbody tr"], ["ge", ".events tbody tr"]]) {
      for (const key of keys) await page.keyboard.press(key);
      await page.waitForSelector(ready);
      await checkAccessibility(page, keys);
    }
    await page.keyboard.press("?");
    await checkAccessibility(page, "help");
    await page.keyboard.press("Escape");
    for (const width of [360, 820]) {
      await page.setViewportSize({ width, height: 760 });
      for (const keys of ["go", "ge", "gr", "ga"]) {
        for (const key of keys) await page.keyboard.press(key);
        await page.waitForSelector("h1");
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${keys} is wider than ${width}`);
      }
    }
    await close(page);
  });
}
