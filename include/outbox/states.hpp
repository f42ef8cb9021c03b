#pragma once

// What a page or a test compares: each is an enum with stable names, as they stand in the CLI's
// JSON.

namespace outbox {
inline namespace v1 {

/// Where an event stands. An event has the narrowest state that fits; in an `EventFilter`,
/// `pending` includes `scheduled`, `waiting` and `retrying`.
enum class EventState {
  pending,    ///< Undelivered, and may go now.
  scheduled,  ///< Undelivered, and not yet due.
  waiting,    ///< Undelivered and due, but behind an earlier event of its ordering key.
  retrying,   ///< Undelivered, and refused or failed alone: it is tried again alone.
  delivered,
  dead,       ///< Given up by the dispatcher; a person decides.
  discarded,  ///< Given up by a person.
};

constexpr const char* to_string(EventState state) {
  switch (state) {
    case EventState::pending:
      return "pending";
    case EventState::scheduled:
      return "scheduled";
    case EventState::waiting:
      return "waiting";
    case EventState::retrying:
      return "retrying";
    case EventState::delivered:
      return "delivered";
    case EventState::dead:
      return "dead";
    case EventState::discarded:
      return "discarded";
  }
  return "pending";
}

/// Why a dispatcher waits, by its own decision.
enum class HoldKind {
  backing_off,         ///< The endpoint does not work now; tried again by itself.
  unauthorized,        ///< It does not know us: the credential.
  misconfigured,       ///< It is not what it should be: URL, proxy, redirect.
  refuses_everything,  ///< It refuses whatever it is given, so no event is to blame.
};

constexpr const char* to_string(HoldKind kind) {
  switch (kind) {
    case HoldKind::backing_off:
      return "backing_off";
    case HoldKind::unauthorized:
      return "unauthorized";
    case HoldKind::misconfigured:
      return "misconfigured";
    case HoldKind::refuses_everything:
      return "refuses_everything";
  }
  return "backing_off";
}

/// What an undelivered event waits for.
enum class WaitingFor {
  pause,         ///< Its destination is paused.
  hold,          ///< The dispatcher waits: see `HoldKind`.
  schedule,      ///< Its `not_before`.
  retry,         ///< Its next try alone.
  search,        ///< The guilty event of its request is searched for.
  ordering_key,  ///< An earlier event of its key.
  dispatcher,    ///< One that runs and can use the database.
  turn,          ///< Those before it.
};

constexpr const char* to_string(WaitingFor what) {
  switch (what) {
    case WaitingFor::pause:
      return "pause";
    case WaitingFor::hold:
      return "hold";
    case WaitingFor::schedule:
      return "schedule";
    case WaitingFor::retry:
      return "retry";
    case WaitingFor::search:
      return "search";
    case WaitingFor::ordering_key:
      return "ordering_key";
    case WaitingFor::dispatcher:
      return "dispatcher";
    case WaitingFor::turn:
      return "turn";
  }
  return "turn";
}

}  // namespace v1
}  // namespace outbox
