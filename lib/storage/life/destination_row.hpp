#pragma once

// The row that a destination has once a dispatcher or a person has touched it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/endpoint_state.hpp"
#include "core/event/pending_event.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

/// Makes the row if it is not there. Requires: a write transaction or savepoint is open.
void make_destination(sqlite3* db, const std::string& name, const char* action);

/// What a dispatcher does when the database was copied or restored while events were pending.
enum class Foreign { is_served, is_paused };

/// Who serves the destination, and how.
struct ServeOptions {
  std::string endpoint = {};
  std::string identity = {};  // of the database's file
  Foreign foreign = Foreign::is_served;
  core::OnDead on_dead = core::OnDead::unblocks;
  bool scrubs = false;                 // overwrites payloads once they are delivered
  std::function<bool()> is_over = {};  // asked between the transactions of one that takes long
};

/// What one round adds to the counters.
struct RoundCounts {
  std::int64_t delivered = 0;
  std::int64_t requests = 0;
  std::optional<std::int64_t> accepted_request = {};  // the newest with an acceptance
};

/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class DestinationRow {
 public:
  DestinationRow(sqlite3* db, std::string name, std::chrono::milliseconds patience);

  /// Makes the destination known as served, lifts a hold that belongs to another endpoint, and
  /// queues events that are in the log alone. False: events are pending that were last served in
  /// another file, so this one is a copy or was restored. Throws: `database_error`, an interrupt
  /// when it `is_over`.
  bool serve(const ServeOptions& options, core::Instant now);

  /// How the destination is, with the searches that are under way; without a row when that is gone
  /// or not as it was served: a backup was written over the file. Throws: `schema_error` when the
  /// database was migrated by a newer library meanwhile.
  core::DestinationState read();
  /// Adds to the counters. Requires: a write transaction is open. Throws: as `read`.
  void count(const RoundCounts& counts);
  /// Writes what is learned about the endpoint. Requires: a write transaction is open.
  void record(const core::EndpointState& endpoint);
  /// Whether it is paused.
  bool is_paused();

 private:
  // What `serve` has written, as it is read again.
  struct Served {
    std::string endpoint;
    std::string identity;
    bool blocks = false;
    bool operator==(const Served&) const = default;
  };

  Served served_in_row() const;
  void write_serve(const ServeOptions& options, core::Instant now);
  void meet_endpoint(const std::string& endpoint);
  void pause_foreign(core::Instant now);
  template <class Item, class Change>
  void in_parts(const std::vector<Item>& items, const ServeOptions& options, Change change);
  void free_held(const ServeOptions& options);
  std::int64_t queue_log_alone(const ServeOptions& options);
  std::vector<std::string> held_keys();
  bool has_pending();
  core::DestinationState read_row();
  std::vector<core::OpenSearch> searches();
  void require_schema_of(Statement& statement);

  sqlite3* db_;
  std::string name_;
  std::chrono::milliseconds patience_;
  Statement row_;
  Statement searches_;
  Statement paused_;
  Statement count_;
  Statement update_;
  std::optional<Served> served_ = {};
};

}  // namespace outbox::storage
