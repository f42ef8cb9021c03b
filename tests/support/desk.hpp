#pragma once

// A whole dispatcher but for its thread: the real round and store, a fake clock and endpoint.

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "dispatch/round.hpp"
#include "support/database.hpp"
#include "support/fakes.hpp"

namespace support {

/// On a memory database, so that thousands of them take seconds, or on a file, for a test that
/// needs a second connection. `restart` is a crash between two rounds: everything but the database
/// is made anew.
class Desk {
 public:
  using Kept = AppDatabase::Kept;

  explicit Desk(outbox::DispatcherOptions options = {}, Kept kept = Kept::in_memory)
      : app{kept}, options_{std::move(options)} {
    restart();
  }

  void restart() {
    round_.reset();
    store_.reset();
    store_ = std::make_unique<outbox::storage::Store>(db().getHandle(), options_.destination);
    store_->serve(serve_options(sink.name()), clock.now());
    round_ = std::make_unique<outbox::dispatch::Round>(sink, clock.in(options_), /* seed */ 1);
  }

  /// The same dispatcher now sends to another URL.
  void move_to(const std::string& endpoint) { store_->serve(serve_options(endpoint), clock.now()); }

  outbox::dispatch::RoundReport run() { return round_->run(*store_, std::chrono::milliseconds{0}); }

  /// Rounds until nothing happens any more at this instant; returns how many requests that took.
  std::size_t settle() {
    const std::size_t before = sink.bodies.size();
    for (int idle = 0; idle < 2;) {
      const auto report = run();
      idle = report.requests == 0 && !report.has_more ? idle + 1 : 0;
    }
    return sink.bodies.size() - before;
  }

  /// Lets time pass until the hold is over, the next event is due or a suspect is to be tried
  /// again; an hour at most.
  void wait() {
    auto until = clock.now() + std::chrono::hours{1};
    const auto no_later = [&](outbox::core::Instant at) {
      if (at > clock.now()) until = std::min(until, at);
    };
    if (const auto hold = state().endpoint.hold) no_later(hold->until);
    if (const auto due = store_->queue.next_due(clock.now())) no_later(*due);
    SQLite::Statement& retry = prepared(
        "select coalesce(min(due_at_ms), 0) from outbox_queue where state = 3 and due_at_ms > ?");
    retry.bind(1, outbox::core::unix_ms(clock.now()));
    no_later(outbox::core::instant_of(number_of(retry)));
    clock.set(until);
  }

  outbox::core::DestinationState state() { return store_->destination.read(); }
  std::int64_t count(const std::string& where) {
    return number_of(prepared("select count(*) from outbox_event_states where " + where));
  }
  // What follows is said by the view too, which reads all that were ever enqueued: not each round.
  bool has_pending() {
    return number_of(prepared("select exists (select 1 from outbox_queue where state < 4)")) != 0;
  }
  std::int64_t delivered() {
    return number_of(
        prepared("select (select count(*) from outbox_events)"
                 " - (select count(*) from outbox_queue)"));
  }
  SQLite::Database& db() { return app.db(); }
  outbox::storage::Store& store() { return *store_; }
  outbox::dispatch::Round& round() { return *round_; }

  AppDatabase app;
  FakeClock clock;
  FakeSink sink;

 private:
  outbox::storage::ServeOptions serve_options(const std::string& endpoint) const {
    using outbox::core::OnDead;
    return {.endpoint = endpoint,
            .on_dead = options_.blocks_on_dead ? OnDead::blocks : OnDead::unblocks,
            .scrubs = options_.scrubs_delivered};
  }

  // Prepared once: loops ask the same each round, and to prepare it takes longer than its answer.
  SQLite::Statement& prepared(const std::string& sql) {
    const auto found = prepared_.find(sql);
    if (found != prepared_.end()) return found->second;
    if (prepared_.size() >= 20) prepared_.clear();  // with ids in them they are not asked again
    return prepared_.try_emplace(sql, db(), sql).first->second;
  }

  static std::int64_t number_of(SQLite::Statement& statement) {
    statement.executeStep();
    const std::int64_t number = statement.getColumn(0).getInt64();
    statement.reset();
    return number;
  }

  std::map<std::string, SQLite::Statement> prepared_;
  outbox::DispatcherOptions options_;
  std::unique_ptr<outbox::storage::Store> store_;
  std::unique_ptr<outbox::dispatch::Round> round_;
};

/// How often `part` stands in `text`.
inline std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

inline std::size_t events_in(const std::string& body) {
  return occurrences(body, "\"user_id\"");
}

}  // namespace support
