#include "simulation/tables.hpp"

#include <algorithm>
#include <set>

#include "core/decide/search.hpp"
#include "core/event/id_ranges.hpp"
#include "core/event/queued_event.hpp"
#include "simulation/model.hpp"

namespace simulation {

namespace {

using outbox::core::QueueState;

constexpr std::size_t ids_max = 10'000;

bool contains(const std::vector<std::int64_t>& ids, std::int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

bool is_undelivered(const QueueRow& row) {
  return row.state <= static_cast<int>(QueueState::suspect);
}

// The events of each key, as far as they hold the later ones.
using Holders = std::map<std::pair<std::string, std::string>, std::set<std::int64_t>>;

Holders holders(const Tables& tables) {
  Holders found;
  for (const auto& [id, row] : tables.queue) {
    if (row.ordering_key.empty()) continue;
    const auto known = tables.blocks_on_dead.find(row.destination);
    const bool dead_holds = known != tables.blocks_on_dead.end() && known->second;
    const bool holds =
        is_undelivered(row) || (dead_holds && row.state == static_cast<int>(QueueState::dead));
    if (holds) found[{row.destination, row.ordering_key}].insert(id);
  }
  return found;
}

void check_row(const Tables& tables, const Holders& holders, std::int64_t id, const QueueRow& row) {
  const auto event = tables.events.find(id);
  require(event != tables.events.end(), "the queue has an event that the log has not", id);
  const bool agrees = event->second.destination == row.destination &&
                      event->second.ordering_key == row.ordering_key;
  require(agrees, "queue and log disagree about an event", id);
  switch (QueueState{row.state}) {
    case QueueState::ready:
      require(row.search == 0, "a ready event is in a search", id);
      return;
    case QueueState::waiting: {
      const auto key = holders.find({row.destination, row.ordering_key});
      require(key != holders.end() && *key->second.begin() < id,
              "an event waits for nothing in its ordering key", id);
      return;
    }
    case QueueState::in_search: {
      const auto request = tables.requests.find(row.search);
      const bool is_named = request != tables.requests.end() &&
                            request->second.destination == row.destination &&
                            contains(request->second.searched, id);
      require(is_named && row.due_at_ms == 0, "an event is in a search that does not name it", id);
      return;
    }
    case QueueState::suspect:
      require(row.refused_in != 0 && row.search != 0, "a suspect of nothing", id);
      return;
    case QueueState::dead:
    case QueueState::discarded:
      require(row.due_at_ms == 0 && row.settled_at_ms != 0, "an event that ended at no time", id);
      return;
  }
  throw Violation{"the queue has a state that there is not"};
}

}  // namespace

TableReader::TableReader(SQLite::Database& db)
    : events_{db,
              "select id, destination, state, waits_as, refusals, solo_failures, enqueued_at_ms,"
              " last_error, ordering_key, payload from outbox_event_states"},
      queue_{db,
             "select event, destination, state, due_at_ms, ordering_key, enqueued_at_ms,"
             " refused_in, search, settled_at_ms from outbox_queue"},
      requests_{db, "select id, destination, ids, delivered_ids, search from outbox_requests"},
      destinations_{db, "select name, block_on_dead from outbox_destinations"} {}

Tables TableReader::read() {
  Tables tables;
  for (; events_.executeStep();) {
    const auto text = [&](int column) { return events_.getColumn(column).getString(); };
    const auto integer = [&](int column) { return events_.getColumn(column).getInt64(); };
    const bool is_new = tables.events
                            .try_emplace(integer(0), EventRow{.id = integer(0),
                                                              .destination = text(1),
                                                              .state = text(2),
                                                              .waits_as = text(3),
                                                              .refusals = integer(4),
                                                              .solo_failures = integer(5),
                                                              .enqueued_at_ms = integer(6),
                                                              .last_error = text(7),
                                                              .ordering_key = text(8),
                                                              .payload = text(9)})
                            .second;
    require(is_new, "an event is in the queue twice", integer(0));
  }
  events_.reset();
  for (; queue_.executeStep();) {
    const auto text = [&](int column) { return queue_.getColumn(column).getString(); };
    const auto integer = [&](int column) { return queue_.getColumn(column).getInt64(); };
    tables.queue[integer(0)] = {.destination = text(1),
                                .state = static_cast<int>(integer(2)),
                                .due_at_ms = integer(3),
                                .ordering_key = text(4),
                                .enqueued_at_ms = integer(5),
                                .refused_in = integer(6),
                                .search = integer(7),
                                .settled_at_ms = integer(8)};
  }
  queue_.reset();
  for (; requests_.executeStep();) {
    const auto text = [&](int column) { return requests_.getColumn(column).getString(); };
    const std::string search = text(4);
    tables.requests[requests_.getColumn(0).getInt64()] = {
        .destination = text(1),
        .ids = outbox::core::ids_in(text(2), ids_max),
        .delivered_ids = outbox::core::ids_in(text(3), ids_max),
        .searched = outbox::core::Search::parse(search).all()};
    require(search.empty() || !outbox::core::Search::parse(search).is_empty(),
            "a search cannot be read: " + search);
  }
  requests_.reset();
  for (; destinations_.executeStep();) {
    tables.blocks_on_dead[destinations_.getColumn(0).getString()] =
        destinations_.getColumn(1).getInt() != 0;
  }
  destinations_.reset();
  return tables;
}

void check_queue(const Tables& tables) {
  const Holders holders = simulation::holders(tables);
  for (const auto& [id, row] : tables.queue) check_row(tables, holders, id, row);
}

std::map<std::int64_t, std::string> delivered_ids(const Tables& tables) {
  std::map<std::int64_t, std::string> found;
  for (const auto& [request, row] : tables.requests) {
    for (const std::int64_t id : row.delivered_ids) {
      require(contains(row.ids, id), "a request delivered what it did not carry", id);
      require(!tables.queue.contains(id), "an event is delivered and in the queue", id);
      require(found.try_emplace(id, row.destination).second, "an event was delivered twice", id);
    }
  }
  return found;
}

}  // namespace simulation
