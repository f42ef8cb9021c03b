#pragma once

// A database of the test's own, in a folder of its own, set up as the README tells a host.

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>

#include "outbox/outbox.hpp"

namespace support {

/// Removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).native(); }

 private:
  std::filesystem::path path_;
};

/// An app's database with WAL, a busy timeout and the outbox's schema.
class AppDatabase {
 public:
  enum class Kept { in_file, in_memory };

  explicit AppDatabase(Kept kept = Kept::in_file);

  SQLite::Database& db() { return db_; }
  std::string path() const { return folder_.file("app.db"); }
  const TemporaryFolder& folder() const { return folder_; }
  /// Another connection, set up alike.
  SQLite::Database connect() const;

  /// Enqueues one event in a transaction of its own; returns its id.
  std::int64_t enqueue(const outbox::Event& event, const outbox::EnqueueOptions& options = {});
  /// Enqueues `count` events with user ids "user-0", "user-1", … in one transaction.
  void enqueue_many(std::size_t count, const outbox::EnqueueOptions& options = {});
  /// Inserts by plain SQL; returns its id.
  std::int64_t insert(const std::string& payload);

  /// Makes events `first` to `last` of "track" delivered, as one request at `at_ms` would.
  void mark_delivered(std::int64_t first, std::int64_t last, std::int64_t at_ms = 1'000);

  /// Counts rows of `outbox_event_states`, e.g. "state = 'pending' and refusals = 0".
  std::int64_t count(const std::string& where);
  std::int64_t number(const std::string& sql);
  std::string text(const std::string& sql);

 private:
  TemporaryFolder folder_;
  SQLite::Database db_;
};

/// The seed's Amy.
outbox::InviteSent amy();
/// A valid event with this user id.
outbox::TrackEvent event_of(const std::string& user_id);
/// A valid payload with this user id.
std::string payload_of(const std::string& user_id);

}  // namespace support
