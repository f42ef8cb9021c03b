// A producer in Node, with better-sqlite3: the event is one INSERT in the app's own transaction.
//
//     node producer.mjs DATABASE USER

import Database from 'better-sqlite3';

const [path, user] = process.argv.slice(2);
const db = new Database(path, { timeout: 5000 });
db.exec('create table if not exists users (id text primary key)');
const signUp = db.transaction((id) => {
  db.prepare('insert into users values (?)').run(id);
  db.prepare('insert into outbox_events (payload) values (?)').run(
    JSON.stringify({ event_name: 'signed_up', user_id: id, timestamp: new Date().toISOString() }),
  );
});
signUp.immediate(user); // both, or neither
