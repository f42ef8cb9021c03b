#include "storage/change_kinds.hpp"

#include <stdexcept>
#include <string>

#include "storage/change.hpp"

namespace outbox::storage {

namespace {

constexpr Part pending{StateName::pending, "state = 0", false};
constexpr Part scheduled{StateName::scheduled, "state = 0 and due_at_ms > ?2", false};
constexpr Part retrying{StateName::retrying, "state = 0 and attempts > 0", true};
constexpr Part delivered{StateName::delivered, "state = 1 and payload <> '{}'", false};
constexpr Part dead{StateName::dead, "state = 2", true};
constexpr Part discarded{StateName::discarded, "state = 3", true};

constexpr auto make_pending =
    "update main.outbox_events set state = 0, due_at_ms = ?2, attempts = 0, lonely_failures = 0,"
    " suspect_batch = null, settled_at_ms = null, last_error = null where id = ?1";
constexpr auto nudge_once =
    "update main.outbox_destinations set nudges = nudges + 1 where name = ?1 and ?2 > 0";

}  // namespace

Change retrying_change() {
  return {.action = "retry",
          .update = make_pending,
          .guard_of_ids =
              "(state > 1 or (state = 0 and (attempts > 0 or due_at_ms > ?2"
              " or suspect_batch is not null)))",
          .counters = nullptr,
          .at_end = nudge_once,
          .keeps_reason = false,
          .instant = "enqueued_at_ms",
          .usual = {dead, retrying},
          .possible = {dead, retrying, scheduled, discarded}};
}

Change discarding_change() {
  return {.action = "discard",
          .update =
              "update main.outbox_events set state = 3, settled_at_ms = ?2,"
              " suspect_batch = null, last_error = ?3 where id = ?1",
          .guard_of_ids = "(state = 0 or state = 2)",
          .counters = nullptr,
          .at_end = look_once,
          .keeps_reason = true,
          .instant = "enqueued_at_ms",
          .usual = {pending, dead},
          .possible = {pending, scheduled, retrying, dead}};
}

Change requeuing_change() {
  return {
      .action = "requeue",
      .update = make_pending,
      .guard_of_ids = delivered.guard,
      .counters = "update main.outbox_destinations set delivered = delivered - ?2 where name = ?1",
      .at_end = nudge_once,
      .keeps_reason = false,
      .instant = "settled_at_ms",
      .usual = {delivered},
      .possible = {delivered}};
}

std::vector<Part> parts_of(const Change& change, const EventFilter& filter) {
  if (filter.state.empty()) return change.usual;
  const StateName wanted = state_named(filter.state);
  std::vector<Part> parts;
  for (const Part& part : change.possible) {
    if (part.name == wanted) return {part};
    const bool is_pending_too =
        part.name == StateName::scheduled || part.name == StateName::retrying;
    if (wanted == StateName::pending && is_pending_too) parts.push_back(part);
  }
  if (!parts.empty()) return parts;
  const bool is_delivered = wanted == StateName::delivered;
  throw std::invalid_argument{"outbox: " + std::string{change.action} + ": not for " +
                              filter.state + " events" +
                              (is_delivered ? "; requeue sends them again" : "")};
}

}  // namespace outbox::storage
