#pragma once

// A dispatcher's storage without the dispatcher: the host's connection, the dispatcher's own with
// its store, and a person's. Three connections, since commits of others are seen in another way
// than one's own.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "storage/life/queue_row.hpp"
#include "storage/life/store.hpp"
#include "support/database.hpp"
#include "support/steps.hpp"

namespace support {

class Table {
 public:
  using Ids = outbox::core::Ids;
  using Take = outbox::storage::Take;

  explicit Table(outbox::storage::ServeOptions options = {.endpoint = "endpoint"}) {
    // A power cut is not what is tested.
    for (SQLite::Database* db : {&app.db(), &person, &own}) db->exec("pragma synchronous = off");
    store.serve(options, now);
  }

  /// Inserts an event as any client can; returns its id.
  std::int64_t add(const std::string& key = {}, std::int64_t due_at_ms = 0) {
    insert.bind(1, key);
    insert.bind(2, due_at_ms);
    insert.exec();
    insert.reset();
    return app.db().getLastInsertRowid();
  }
  void add_many(int count) {
    app.db().exec("begin");
    for (int i = 0; i < count; ++i) add();
    app.db().exec("commit");
  }

  /// As a round does: what is found waiting is moved, and the rest is in flight as long as the
  /// result lives.
  Take take(std::size_t events_max) {
    Take take = store.queue.take({.events_max = events_max}, now, claims);
    record({.settlement = {}, .waiting = take.waiting});
    return take;
  }
  /// The same, and all goes back at once.
  Ids look(std::size_t events_max) { return ids_of(take(events_max)); }

  static Ids ids_of(const Take& take) {
    Ids ids;
    for (const outbox::core::PendingEvent& event : take.events) ids.push_back(event.id);
    return ids;
  }

  void record(const outbox::storage::Changes& changes) {
    store.ledger.record(changes, claims, now);
  }
  void record(outbox::core::Settlement settlement) { record({std::move(settlement), {}}); }

  /// The request that delivers `ids`.
  static outbox::core::SentBatch delivery_of(Ids ids) {
    outbox::core::SentBatch sent{
        .ids = ids, .started = now, .outcome = {.verdict = outbox::Verdict::delivered}};
    sent.delivered = std::move(ids);
    return sent;
  }
  void deliver(Take take) {
    if (take.events.empty()) return;
    record({.requests = {delivery_of(ids_of(take))}});
    take.taken.settle();
  }
  void deliver(std::size_t events_max) { deliver(take(events_max)); }
  void kill(Take take) {
    outbox::core::Settlement settlement;
    for (const std::int64_t id : ids_of(take)) settlement.dead.push_back({id, "refused: why"});
    record(std::move(settlement));
    take.taken.settle();
  }

  /// Another process's commit.
  void change(const std::string& assignments, std::int64_t id) {
    person.exec("update outbox_queue set " + assignments + " where event = " + std::to_string(id));
  }
  void discard(std::int64_t id) {
    person.exec("begin immediate");
    const auto row = outbox::storage::find_queued(person.getHandle(), id);
    change("state = 5, due_at_ms = 0", id);
    if (row) outbox::storage::NextOfKey{person.getHandle()}.free("track", row->ordering_key);
    person.exec("commit");
  }

  /// What people read: "ready", "waiting", "in search", "suspect", "delivered", "dead", …
  std::string state_of(std::int64_t id) {
    return app.text("select coalesce(waits_as, state) from outbox_event_states where id = " +
                    std::to_string(id));
  }
  std::int64_t number(const std::string& sql) { return app.db().execAndGet(sql).getInt64(); }
  std::int64_t destination(const std::string& column) {
    return number("select " + column + " from outbox_destinations where name = 'track'");
  }
  sqlite3* handle() { return own.getHandle(); }

  static constexpr outbox::core::Instant now{std::chrono::milliseconds{1'000'000}};
  AppDatabase app;
  SQLite::Statement insert{app.db(),
                           "insert into outbox_events (payload, ordering_key, due_at_ms)"
                           " values ('{\"n\":1}', nullif(?, ''), ?)"};
  SQLite::Database person{app.connect()};
  SQLite::Database own{app.connect()};  // the dispatcher's
  outbox::storage::Claims claims;
  outbox::storage::Store store{own.getHandle(), "track"};
};

}  // namespace support
