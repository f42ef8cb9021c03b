// One process of one peer, for main.mjs: hands COUNT events to it, says "accepted", and lives on with an
// event each second (not counted) until it is killed. COUNT 0 is a process that starts again. Every peer
// has its default settings.
//
//     node producer.mjs PEER URL FOLDER COUNT

import { setTimeout as sleep } from "node:timers/promises";

const [peer, url, folder, count] = process.argv.slice(2);

const peers = {
  async segment() {
    const { Analytics } = await import("@segment/analytics-node");
    const client = new Analytics({ writeKey: "key", host: url });
    client.on("error", () => {});
    return (mark) => client.track({ userId: "u", event: "invite_sent", properties: { mark } });
  },
  async posthog() {
    const { PostHog } = await import("posthog-node");
    const client = new PostHog("phc_key", { host: url });
    return (mark) => client.capture({ distinctId: "u", event: "invite_sent", properties: { mark } });
  },
  async rudderstack() {
    const { default: Analytics } = await import("@rudderstack/rudder-sdk-node");
    const client = new Analytics("key", { dataPlaneUrl: url, logLevel: "none", errorHandler() {} });
    return (mark) => client.track({ userId: "u", event: "invite_sent", properties: { mark } });
  },
  // A queue in SQLite: a job for each event, and a worker that posts it.
  async plainjob() {
    const { default: Database } = await import("better-sqlite3");
    const { better, defineQueue, defineWorker } = await import("plainjob");
    const logger = { error() {}, warn() {}, info() {}, debug() {} };
    const queue = defineQueue({ connection: better(new Database(`${folder}/plainjob.db`)), logger });
    const post = async (job) => {
      const answer = await fetch(url, { method: "POST", body: job.data });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    };
    defineWorker("event", post, { queue, logger }).start();
    return (mark) => queue.add("event", { event: "invite_sent", mark });
  },
};

process.on("uncaughtException", () => {}); // what a client throws later shall not end the app
const accept = await peers[peer]();
for (let i = 0; i < Number(count); i++) {
  accept(`mark-${String(i).padStart(6, "0")}`);
  if (i % 10 === 9) await sleep(10); // about 1,000 a second: it sends while it accepts
}
console.log("accepted");
setInterval(() => accept("later"), 1000);
