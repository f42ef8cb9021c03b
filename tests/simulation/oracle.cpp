#include "simulation/oracle.hpp"

#include <algorithm>

#include "outbox/inspect.hpp"

namespace simulation {

namespace {

bool begins_with(const std::string& text, const char* begin) {
  return text.rfind(begin, 0) == 0;
}

// Something was accepted between the answers `after` and `before`.
bool is_accepted_between(const Model& model, std::size_t after, std::size_t before) {
  const auto next = std::upper_bound(model.acceptances.begin(), model.acceptances.end(), after);
  return next != model.acceptances.end() && *next < before;
}

void check_death(const Model& model, const Event& event, const std::string& reason, Oracle oracle) {
  if (event.is_rubbish) {
    require(begins_with(reason, "unsendable: "), "rubbish died of something else");
    return;
  }
  if (begins_with(reason, "refused: ")) {
    require(event.lone_refusals.size() >= 2, "an event died without two refusals of its own");
    // Up to two more answers may have come in the same round.
    require(is_accepted_between(model, event.first_doubt, event.lone_refusals.back() + 3),
            "an event died without evidence that others are accepted");
    require(oracle == Oracle::formal || event.is_bad, "an innocent died");
    return;
  }
  require(begins_with(reason, "failed alone "), "an event died of " + reason);
  require(event.lone_failures.size() >= 10, "an event died without ten failures of its own");
  require(oracle == Oracle::formal || event.is_killer, "an innocent died of an outage");
}

void check_row(const Model& model, Event& event, const SQLite::Statement& row, Oracle oracle) {
  require(row.getColumn(2).getString() == event.payload, "a payload was changed");
  const auto attempts = static_cast<std::size_t>(row.getColumn(4).getInt64());
  require(attempts <= event.lone_refusals.size() + event.lone_failures.size(),
          "an attempt was counted that is no refusal of the event");
  switch (row.getColumn(1).getInt()) {
    case 0:
      require(!event.is_discarded, "a discarded event is pending");
      return;
    case 1:
      require(event.accepted > 0, "an event is marked that nobody accepted");
      event.is_discarded = false;  // it was under way when a person gave it up
      return;
    case 2:
      if (!event.is_dead) check_death(model, event, row.getColumn(3).getString(), oracle);
      event.is_dead = true;
      return;
    default:
      require(event.is_discarded, "an event was discarded by nobody");
  }
}

void check_counters(SQLite::Database& db, const Model& model, std::int64_t delivered) {
  const auto number = [&](const char* sql) { return db.execAndGet(sql).getInt64(); };
  const std::int64_t rows = number("select count(*) from outbox_events");
  require(number("select seq from sqlite_sequence where name = 'outbox_events'") ==
              rows + model.removed,
          "the audit does not add up");
  require(number("select total(delivered) from outbox_destinations") == delivered,
          "the counter of delivered events is wrong");
  require(number("select total(removed) from outbox_destinations") == model.removed,
          "the counter of removed events is wrong");
  const outbox::Counts counts = outbox::status(db).counts;
  require(counts.enqueued ==
              counts.pending + counts.delivered + counts.dead + counts.discarded + counts.removed,
          "the status does not add up");
}

}  // namespace

void check(SQLite::Database& db, Model& model, Oracle oracle) {
  SQLite::Statement rows{
      db, "select id, state, payload, last_error, attempts from outbox_events order by id"};
  auto expected = model.events.begin();
  std::int64_t delivered = 0;
  const auto skip_removed = [&] {
    while (expected != model.events.end() && expected->second.is_removed) ++expected;
  };
  for (skip_removed(); rows.executeStep(); skip_removed()) {
    const std::int64_t id = rows.getColumn(0).getInt64();
    require(expected != model.events.end() && expected->first >= id,
            "an event is there that nobody committed");
    require(expected->first == id, "a committed event is lost");
    check_row(model, expected->second, rows, oracle);
    if (rows.getColumn(1).getInt() == 1) ++delivered;
    ++expected;
  }
  require(expected == model.events.end(), "a committed event is lost");
  if (!model.events.empty()) check_counters(db, model, delivered);
}

}  // namespace simulation
