#pragma once

// Databases with many events, made fast: plain SQL, without a journal and without waiting for the
// disk. Only for scratch files.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "outbox/events.hpp"

namespace bench {

enum class EventState { pending, delivered, dead };

/// Events in a row, each of about 330 bytes, like the Track API's `invite_sent`.
struct Backlog {
  std::int64_t events = 0;
  EventState state = EventState::pending;
  std::string ordering_key = {};  ///< Empty: none.
  std::int64_t due_at_ms = 0;     ///< 0: at once.
};

/// One such event.
outbox::InviteSent sample_invite();

/// A path in the scratch folder.
std::string scratch_path(const std::string& name);
/// Makes a migrated database in WAL mode, in a child process (see `in_child`).
void make_database(const std::string& path, std::span<const Backlog> backlogs);
void make_database(const std::string& path, const Backlog& backlog);
/// Adds events to a database in WAL mode.
void add_events(const std::string& path, const Backlog& backlog);
/// Copies a database that nobody has open, and waits until the disk has it: what is measured next
/// does not compete with the copy.
void copy_database(const std::string& from, const std::string& to);
/// Removes a database with what SQLite and outbox keep beside it.
void remove_database(const std::string& path);
/// The single value of a query.
std::int64_t query(const std::string& path, const std::string& sql);

}  // namespace bench
