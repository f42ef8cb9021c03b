#pragma once

// What may go is taken within a bounded number of rounds, without a restart.
//
// The table alone says what may go; what the dispatcher keeps in memory can only hide it. Two
// promises:
//
// - A round that finds a free connection and anything to send sends something; of three such rounds
//   in a row one does, since a suspect has every second turn.
// - An event that is ready, due, and the first of its ordering key is sent within 12 + 8 R rounds
//   that had a connection for it, where R is the largest number of ready events meanwhile: at worst
//   a request holds one event, every second turn is a suspect's, and every fourth of the rest is
//   for scheduled events.

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "simulation/endpoint.hpp"
#include "simulation/model.hpp"

namespace simulation {

/// Watches the rounds of one dispatcher.
class Progress {
 public:
  Progress(SQLite::Database& db, const Destination& destination);

  /// Looks at the table before a round.
  void look(const Endpoint& endpoint, outbox::core::Instant now);
  /// That round has ended without trouble of the database; it made so many requests.
  /// Throws: `Violation`.
  void judge(std::size_t requests);
  /// It ended with trouble, or began with something to record: it says nothing.
  void skip() { free_ = 0; }
  /// Another process begins.
  void restart();

 private:
  /// The destination's row.
  struct State {
    bool is_paused = false;
    bool is_on_hold = false;
    std::int64_t hold_until_ms = 0;
    bool is_careful = false;  // one request at a time
  };

  State read_state();
  std::size_t free_connections(const State& state, const Endpoint& endpoint,
                               std::int64_t now_ms) const;
  std::set<std::int64_t> takeable(const Endpoint& endpoint, std::int64_t now_ms);
  bool has_part(const Endpoint& endpoint);
  bool has_suspect(std::int64_t now_ms, const Endpoint& endpoint);

  SQLite::Database& db_;
  const Destination& destination_;
  SQLite::Statement state_;
  SQLite::Statement searches_;
  SQLite::Statement unheld_;
  SQLite::Statement ready_count_;

  std::size_t free_ = 0;          // connections before the round
  bool has_something_ = false;    // to send
  bool is_at_full_pace_ = false;  // no hold, search or slow start
  std::set<std::int64_t> takeable_;
  bool has_left_ = false;  // an event that could be taken at the last look
  std::int64_t ready_ = 0;
  int idle_rounds_ = 0;
  struct Wait {
    std::int64_t rounds = 0;
    std::int64_t ready_max = 0;
  };
  std::map<std::int64_t, Wait> waits_;
};

}  // namespace simulation
