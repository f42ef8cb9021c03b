#pragma once

// A whole dispatcher but for its thread: the real round and store, a fake clock and endpoint.

#include <chrono>
#include <memory>
#include <string>

#include "dispatch/round.hpp"
#include "support/database.hpp"
#include "support/fakes.hpp"

namespace support {

/// On a memory database, so that thousands of them take seconds. `restart` is a crash between two
/// rounds: everything but the database is made anew.
class Desk {
 public:
  explicit Desk(outbox::DispatcherOptions options = {}) : options_{std::move(options)} {
    outbox::migrate(db_);
    restart();
  }

  void enqueue_many(std::size_t count) {
    db_.exec("begin");
    outbox::Writer writer{db_};
    for (std::size_t i = 0; i < count; ++i) writer.enqueue(event_of("user-" + std::to_string(i)));
    db_.exec("commit");
  }

  void restart() {
    round_.reset();
    store_.reset();
    store_ = std::make_unique<outbox::storage::Store>(db_.getHandle(), "track");
    store_->serve({"fake"}, clock.now());
    round_ = std::make_unique<outbox::dispatch::Round>(sink, clock, options_, /* seed */ 1);
  }

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

  /// Lets time pass until the hold is over or the next event is due; an hour at most.
  void wait() {
    auto until = clock.now() + std::chrono::hours{1};
    const auto hold = state().stance.hold;
    if (hold && hold->until > clock.now()) until = std::min(until, hold->until);
    if (const auto due = store_->next_due(clock.now())) until = std::min(until, *due);
    clock.set(until);
  }

  outbox::core::DestinationState state() { return store_->destination(); }
  std::int64_t count(const std::string& where) {
    return db_.execAndGet("select count(*) from outbox_events where " + where).getInt64();
  }
  SQLite::Database& db() { return db_; }
  outbox::storage::Store& store() { return *store_; }

  FakeClock clock;
  FakeSink sink;

 private:
  outbox::DispatcherOptions options_;
  SQLite::Database db_{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
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
