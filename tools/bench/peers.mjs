// One round of plainjob on better-sqlite3, for tools/bench/peers.sh: prints events a second, enqueued one
// by one, enqueued many at once, and drained by a worker whose job does nothing and sends nothing.
//
//     node peers.mjs DATABASE COUNT

import Database from "better-sqlite3";
import { better, defineQueue, defineWorker } from "plainjob";

const [path, countText] = process.argv.slice(2);
const count = Number(countText);
const event = {
  event_name: "invite_sent",
  user_id: "766b3aef-5904-46fe-af05-a293fee8h345",
  timestamp: "2024-10-20T15:51:35.059000Z",
  properties: {
    invitee_email: "amy@achme.com",
    invitee_first_name: "Amy",
    invitee_last_name: "Frank",
    invitee_role: "Developer",
    feature_name: "CUSTOMER_JOURNEY",
  },
  context: { group_id: "bp497d1a-0159-4009-9454-8a1b0e7c0a60" },
};

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const database = new Database(path);
const queue = defineQueue({ connection: better(database), logger: quiet });

function rate(events, work) {
  const begin = process.hrtime.bigint();
  work();
  return (events * 1e9) / Number(process.hrtime.bigint() - begin);
}

const one = rate(count, () => {
  for (let i = 0; i < count; i++) queue.add("one", event);
});
const all = Array.from({ length: count }, () => event);
const many = rate(count, () => queue.addMany("many", all));

let done = 0;
const begin = process.hrtime.bigint();
const worker = defineWorker("many", async () => { done++; }, {
  queue,
  logger: quiet,
  onCompleted: () => {
    if (done < count) return;
    const drained = (count * 1e9) / Number(process.hrtime.bigint() - begin);
    console.log([one, many, drained].map(Math.round).join("\t"));
    process.exit(0);
  },
});
worker.start();
setTimeout(() => process.exit(1), 120_000); // it hangs
