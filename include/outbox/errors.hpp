#pragma once

// What the library throws on the app's thread. Names are in the standard library's style, because
// they are caught beside std::invalid_argument and similar ones. Trouble of the network is never an
// exception: it is an outcome that the dispatcher records.

#include <cstddef>
#include <stdexcept>
#include <string>

#include "outbox/export.hpp"

namespace outbox {
inline namespace v1 {

/// An event breaks a rule of the Track API. `what()` reads "events[3].user_id: required". It never
/// holds the offending value, since values are people.
class OUTBOX_API invalid_event : public std::invalid_argument {
 public:
  invalid_event(std::size_t element, std::string field, std::string reason);

  /// Index of the event in the call, from 0.
  std::size_t element() const noexcept { return element_; }
  /// The field, e.g. "user_id" or "properties.invitee_email"; empty when the whole event is wrong.
  const std::string& field() const noexcept { return field_; }
  const std::string& reason() const noexcept { return reason_; }

 private:
  std::size_t element_;
  std::string field_;
  std::string reason_;
};

/// `enqueue` was called outside a transaction: the event could not be atomic with the app's own
/// rows.
class OUTBOX_API not_in_transaction : public std::logic_error {
 public:
  not_in_transaction();
};

/// The options' cap on pending events is reached: `EnqueueOptions::pending_events_max`.
class OUTBOX_API queue_full : public std::runtime_error {
 public:
  /// `cap` is text for people, such as "10000 events".
  queue_full(std::string destination, const std::string& cap);

  const std::string& destination() const noexcept { return destination_; }

 private:
  std::string destination_;
};

/// SQLite refused. The enclosing transaction is as `sqlite3_get_autocommit` says.
class OUTBOX_API database_error : public std::runtime_error {
 public:
  database_error(int code, const std::string& what);

  /// SQLite's extended result code (sqlite.org/rescode.html).
  int code() const noexcept { return code_; }
  /// True for SQLITE_BUSY and related codes: another connection writes; trying again can help.
  bool is_busy() const noexcept;

 private:
  int code_;
};

/// The database has no outbox schema, or one that is newer than this library.
class OUTBOX_API schema_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A dispatcher was used in a forked child of the process that made it, or another one was made
/// there. SQLite cannot be used in a child that was forked while a dispatcher lived, or another
/// thread was in `deliver_once`: a mutex of it may be held for ever, and what the child commits to
/// the database can be lost (sqlite.org/howtocorrupt.html, 2.6). Fork first and make dispatchers
/// then, or exec in the child.
class OUTBOX_API forked_process : public std::logic_error {
 public:
  forked_process();
};

}  // namespace v1
}  // namespace outbox
