#pragma once

// The promises, checked against the tables after every step.

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "outbox/inspect.hpp"
#include "simulation/model.hpp"
#include "simulation/tables.hpp"

namespace simulation {

/// How much an endpoint may change its mind.
enum class Strictness {
  strict,  // it begins to refuse everything only while no search and no request is under way
  formal,  // whenever it likes: nobody dies without the evidence that docs/guarantees.md asks for
};

class Oracle {
 public:
  Oracle(SQLite::Database& db, Model& model, Strictness strictness);

  /// Throws: `Violation`. Notes in the model what is dead and what is delivered.
  void check();

 private:
  void read();
  void check_event(Event& event, const EventRow& row) const;
  void check_payload(const Event& event, const EventRow& row) const;
  void check_death(const Event& event, const std::string& reason) const;
  void check_expiry(const Event& event) const;
  void check_counters();

  SQLite::Database& db_;
  Model& model_;
  Strictness strictness_;
  TableReader reader_;
  SQLite::Statement data_version_;
  SQLite::Statement stored_;
  SQLite::Statement counters_;

  // As of the newest change, of other connections and of this one.
  std::pair<std::int64_t, int> version_{-1, -1};
  Tables tables_;
  std::optional<outbox::Counts> counts_;
};

}  // namespace simulation
