#pragma once

// The tables as they are, and whether they agree with each other.

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace simulation {

/// A row of the view `outbox_event_states`.
struct EventRow {
  std::int64_t id = 0;
  std::string destination = {};
  std::string state = {};
  std::string waits_as = {};
  std::int64_t refusals = 0;
  std::int64_t solo_failures = 0;
  std::int64_t enqueued_at_ms = 0;
  std::string last_error = {};
  std::string ordering_key = {};
  std::string payload = {};
};

struct QueueRow {
  std::string destination = {};
  int state = 0;
  std::int64_t due_at_ms = 0;
  std::string ordering_key = {};
  std::int64_t enqueued_at_ms = 0;
  std::int64_t refused_in = 0;
  std::int64_t search = 0;
  std::int64_t settled_at_ms = 0;
};

struct RequestRow {
  std::string destination = {};
  std::vector<std::int64_t> ids = {};
  std::vector<std::int64_t> delivered_ids = {};
  std::vector<std::int64_t> searched = {};  // what its search names
};

struct Tables {
  std::map<std::int64_t, EventRow> events;
  std::map<std::int64_t, QueueRow> queue;  // by event
  std::map<std::int64_t, RequestRow> requests;
  std::map<std::string, bool> blocks_on_dead;  // by destination
};

class TableReader {
 public:
  explicit TableReader(SQLite::Database& db);
  /// Throws: `Violation` when an event is in the queue twice.
  Tables read();

 private:
  SQLite::Statement events_;
  SQLite::Statement queue_;
  SQLite::Statement requests_;
  SQLite::Statement destinations_;
};

/// That the log, the queue and the request log agree, and that each state of the queue is what it
/// claims to be. Throws: `Violation`.
void check_queue(const Tables& tables);

/// The requests' ids of what they delivered: each event once, and none that is in the queue.
/// Returns them. Throws: `Violation`.
std::map<std::int64_t, std::string> delivered_ids(const Tables& tables);

}  // namespace simulation
