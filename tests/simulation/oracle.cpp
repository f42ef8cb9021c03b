#include "simulation/oracle.hpp"

#include <sqlite3.h>

#include <algorithm>

namespace simulation {

namespace {

bool begins_with(const std::string& text, const char* begin) {
  return text.rfind(begin, 0) == 0;
}

// Something was accepted between the answers `after` and `before`.
bool is_accepted_between(const Destination& destination, std::size_t after, std::size_t before) {
  const auto& all = destination.acceptances;
  const auto next = std::upper_bound(all.begin(), all.end(), after);
  return next != all.end() && *next < before;
}

}  // namespace

Oracle::Oracle(SQLite::Database& db, Model& model, Strictness strictness)
    : db_{db},
      model_{model},
      strictness_{strictness},
      reader_{db},
      data_version_{db, "pragma main.data_version"},
      stored_{db, "select coalesce(max(seq), 0) from sqlite_sequence where name = 'outbox_events'"},
      counters_{db,
                "select coalesce(max(delivered), 0), coalesce(max(removed), 0)"
                " from outbox_destinations where name = ?"} {}

// Most of the checks follow a round that changed nothing: it suffices to compare what is known.
void Oracle::read() {
  data_version_.executeStep();
  const std::pair version{data_version_.getColumn(0).getInt64(),
                          sqlite3_total_changes(db_.getHandle())};
  data_version_.reset();
  if (version == version_) return;
  counts_.reset();
  tables_ = reader_.read();
  version_ = version;
}

void Oracle::check() {
  // Of one moment, which also spares locks.
  const SQLite::Transaction moment{db_, SQLite::TransactionBehavior::DEFERRED};
  read();
  auto expected = model_.events.begin();
  const auto skip_removed = [&] {
    while (expected != model_.events.end() && expected->second.is_removed) ++expected;
  };
  skip_removed();
  for (const auto& [id, row] : tables_.events) {
    require(expected != model_.events.end() && expected->first >= id,
            "an event is there that nobody committed", id);
    require(expected->first == id, "a committed event is lost", expected->first);
    check_event(expected->second, row);
    ++expected;
    skip_removed();
  }
  if (expected != model_.events.end()) {
    require(false, "a committed event is lost", expected->first);
  }
  check_queue(tables_);
  if (!model_.events.empty()) check_counters();
}

void Oracle::check_event(Event& event, const EventRow& row) const {
  const Destination& destination = model_.destinations[event.destination];
  require(row.destination == destination.name, "an event has changed its destination", event.id);
  check_payload(event, row);
  require(static_cast<std::size_t>(row.refusals) <= event.lone_refusals.size(),
          "a refusal was counted that is none of the event", event.id);
  require(static_cast<std::size_t>(row.solo_failures) <= event.lone_failures.size(),
          "a failure was counted that is none of the event", event.id);
  if (event.is_unqueued) return;
  if (row.state == "pending") {
    require(!event.is_discarded, "a discarded event is pending", event.id);
    require(!event.is_dead, "a dead event is pending", event.id);
    require(!event.is_delivered, "a delivered event is pending", event.id);
    require(!row.waits_as.empty(), "a pending event waits as nothing", event.id);
  } else if (row.state == "delivered") {
    require(event.accepted > 0, "an event is marked that nobody accepted", event.id);
    require(!event.is_dead, "a dead event is delivered", event.id);
    event.is_delivered = true;
    event.is_discarded = false;  // it was under way when a person gave it up
  } else if (row.state == "dead") {
    require(!event.is_discarded && !event.is_delivered, "an event died that had ended", event.id);
    if (!event.is_dead) check_death(event, row.last_error);
    event.is_dead = true;
  } else {
    require(event.is_discarded, "an event was discarded by nobody", event.id);
  }
}

void Oracle::check_payload(const Event& event, const EventRow& row) const {
  const bool is_scrubbed =
      row.state == "delivered" && model_.destinations[event.destination].scrubs;
  if (is_scrubbed && !event.is_unqueued) {
    require(row.payload == "{}", "a delivered payload was kept", event.id);
  } else {
    require(row.payload == event.payload, "a payload was changed", event.id);
  }
}

void Oracle::check_death(const Event& event, const std::string& reason) const {
  if (begins_with(reason, "expired: ")) return check_expiry(event);
  if (event.is_rubbish) {
    require(begins_with(reason, "unsendable: "), "rubbish died of something else", event.id);
    return;
  }
  const Destination& destination = model_.destinations[event.destination];
  if (begins_with(reason, "refused: ")) {
    require(event.lone_refusals.size() >= 2, "an event died without two refusals of its own",
            event.id);
    // As many more answers may have come in the same round.
    const std::size_t last = event.lone_refusals.back() + destination.connections;
    require(is_accepted_between(destination, event.first_doubt, last),
            "an event died without evidence that others are accepted", event.id);
    require(strictness_ == Strictness::formal || event.is_guilty(), "an innocent died", event.id);
    return;
  }
  if (begins_with(reason, "refused ")) {  // "refused 5 times while nothing else could be sent"
    require(event.lone_refusals.size() >= 5, "an event died cornered without five refusals",
            event.id);
    require(!event.ordering_key.empty(), "an event died cornered that holds nothing", event.id);
    require(strictness_ == Strictness::formal || event.is_guilty(), "an innocent died cornered",
            event.id);
    return;
  }
  require(begins_with(reason, "failed alone "), "an event died of " + reason);
  require(event.lone_failures.size() >= 10, "an event died without ten failures of its own",
          event.id);
  require(strictness_ == Strictness::formal || event.is_guilty(), "an innocent died of an outage",
          event.id);
}

void Oracle::check_expiry(const Event& event) const {
  const Destination& destination = model_.destinations[event.destination];
  require(destination.give_up_after.count() > 0, "an event expired that may not", event.id);
  const std::int64_t since = event.asked_at_ms > 0 ? event.asked_at_ms
                             : event.due_at_ms > 0 ? event.due_at_ms
                                                   : event.enqueued_at_ms;
  require(outbox::core::unix_ms(destination.last_look) - since >= destination.give_up_after.count(),
          "an event expired too early", event.id);
}

void Oracle::check_counters() {
  const std::map<std::int64_t, std::string> delivered_ids = simulation::delivered_ids(tables_);
  std::map<std::string, std::int64_t> delivered;
  std::int64_t unqueued = 0;
  for (const auto& [id, row] : tables_.events) {
    if (tables_.queue.contains(id)) continue;
    if (model_.events.at(id).is_unqueued) {
      require(!delivered_ids.contains(id), "an event is delivered that was never queued", id);
      ++unqueued;
      continue;
    }
    const auto named = delivered_ids.find(id);
    require(named != delivered_ids.end() && named->second == row.destination,
            "no request knows that it delivered an event", id);
    ++delivered[row.destination];
  }
  for (const auto& [id, destination] : delivered_ids) {
    require(tables_.events.contains(id) || model_.events.at(id).is_removed,
            "a request delivered an event that nobody committed", id);
  }

  std::int64_t removed = 0;
  for (const Destination& destination : model_.destinations) {
    counters_.bind(1, destination.name);
    counters_.executeStep();
    const std::int64_t counted_delivered = counters_.getColumn(0).getInt64();
    const std::int64_t counted_removed = counters_.getColumn(1).getInt64();
    counters_.reset();
    require(counted_delivered == delivered[destination.name],
            "the counter of delivered events is wrong");
    require(counted_removed == destination.removed, "the counter of removed events is wrong");
    removed += counted_removed;
  }
  stored_.executeStep();
  const std::int64_t stored = stored_.getColumn(0).getInt64();
  stored_.reset();
  require(stored == static_cast<std::int64_t>(tables_.events.size()) + removed,
          "the audit does not add up");
  if (!counts_) counts_ = outbox::status(db_).counts;
  require(counts_->enqueued == unqueued + counts_->pending + counts_->delivered + counts_->dead +
                                   counts_->discarded + counts_->removed,
          "the status does not add up");
}

}  // namespace simulation
