#pragma once

// The interface of the page: what is asked for, in the words of HTTP, and what is answered, as
// JSON. Nothing here knows a socket.

#include <SQLiteCpp/Database.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "globals.hpp"
#include "json.hpp"

namespace page {

using cli::Json;

/// What every answer depends on.
struct Desk {
  cli::Globals globals;  // the database, the destination if one was named, whether it may reveal
  bool can_change = false;
};

using Parameters = std::multimap<std::string, std::string>;

/// What is wrong with a request, or with the database: RFC 9457.
class Problem : public std::runtime_error {
 public:
  Problem(int status, const std::string& detail, Json more = Json::object())
      : std::runtime_error{detail}, status_{status}, more_(std::move(more)) {}

  int status() const noexcept { return status_; }
  /// The body of the answer.
  Json json() const;

 private:
  int status_;
  Json more_;
};

/// The problem that the exception under way means. Requires: inside a catch block.
Problem current_problem();

/// A connection that reads, and gives up a statement that runs on beyond all patience.
class Reader {
 public:
  Reader(const Desk& desk, std::chrono::milliseconds patience);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  SQLite::Database& db() { return db_; }
  /// The patience begins anew.
  void restart();

 private:
  static int is_over(void* self);

  SQLite::Database db_;
  std::chrono::milliseconds patience_;
  std::chrono::steady_clock::time_point until_ = {};
};

/// The answer to GET `path` (without "/api/v1"); none: there is no such thing.
/// Throws: `Problem`, and what opening and reading throw.
std::optional<Json> look(const Desk& desk, const std::string& path, const Parameters& parameters);

/// The status of the queue as the page has it.
Json status_json(const Desk& desk, SQLite::Database& db);
/// The same within a bounded time: with "complete": false and no counts when it would take longer.
Json quick_status(const Desk& desk);

/// The answer to POST `path` with the JSON text `body`. Throws and none: as `look`.
std::optional<Json> change(const Desk& desk, const std::string& path, const std::string& body);

}  // namespace page
