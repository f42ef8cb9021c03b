#include "simulation/progress.hpp"

#include <algorithm>
#include <utility>

#include "core/decide/search.hpp"

namespace simulation {

namespace {

using outbox::core::Search;

constexpr int idle_rounds_max = 2;

bool may_go(std::int64_t id, const Endpoint& endpoint) {
  return !endpoint.has_under_way(id) && !endpoint.is_held_by_what_is_under_way(id);
}

}  // namespace

Progress::Progress(SQLite::Database& db, const Destination& destination)
    : db_{db},
      destination_{destination},
      state_{db,
             "select paused_at_ms is not null, hold_kind is not null, coalesce(hold_until_ms, 0),"
             " batch_events_max is not null or not endpoint_proven from outbox_destinations"
             " where name = ?"},
      searches_{db,
                "select search from outbox_requests where destination = ? and search is not null"},
      // Events in the state ?2, due at ?3, that no earlier one of their key holds.
      unheld_{db,
              "select q.event from outbox_queue q where q.destination = ?1 and q.state = ?2"
              " and q.due_at_ms <= ?3 and (q.ordering_key is null or not exists"
              " (select 1 from outbox_queue b where b.destination = ?1"
              " and b.ordering_key = q.ordering_key and b.event < q.event"
              " and (b.state < 4 or (b.state = 4 and ?4))))"},
      ready_count_{db, "select count(*) from outbox_queue where destination = ? and state = 0"} {}

void Progress::restart() {
  free_ = 0;
  idle_rounds_ = 0;
  waits_.clear();
}

Progress::State Progress::read_state() {
  State state;
  state_.bind(1, destination_.name);
  if (state_.executeStep()) {
    state = {.is_paused = state_.getColumn(0).getInt() != 0,
             .is_on_hold = state_.getColumn(1).getInt() != 0,
             .hold_until_ms = state_.getColumn(2).getInt64(),
             .is_careful = state_.getColumn(3).getInt() != 0};
  }
  state_.reset();
  return state;
}

std::size_t Progress::free_connections(const State& state, const Endpoint& endpoint,
                                       std::int64_t now_ms) const {
  if (state.is_paused) return 0;
  if (state.is_on_hold) return state.hold_until_ms <= now_ms && endpoint.under_way() == 0 ? 1 : 0;
  const std::size_t all = state.is_careful ? 1 : destination_.connections;
  return all > endpoint.under_way() ? all - endpoint.under_way() : 0;
}

std::set<std::int64_t> Progress::takeable(const Endpoint& endpoint, std::int64_t now_ms) {
  std::set<std::int64_t> found;
  unheld_.bind(1, destination_.name);
  unheld_.bind(2, 0);
  unheld_.bind(3, now_ms);
  unheld_.bind(4, destination_.blocks_on_dead ? 1 : 0);
  while (unheld_.executeStep()) {
    const std::int64_t id = unheld_.getColumn(0).getInt64();
    if (may_go(id, endpoint)) found.insert(id);
  }
  unheld_.reset();
  return found;
}

// A search of which nothing is under way, and whose next part holds an event that may go.
bool Progress::has_part(const Endpoint& endpoint) {
  std::set<std::int64_t> unheld;
  unheld_.bind(2, 2);
  unheld_.bind(3, 0);
  while (unheld_.executeStep()) {
    const std::int64_t id = unheld_.getColumn(0).getInt64();
    if (!endpoint.is_held_by_what_is_under_way(id)) unheld.insert(id);
  }
  unheld_.reset();
  bool has = false;
  searches_.bind(1, destination_.name);
  while (searches_.executeStep()) {
    const Search search = Search::parse(searches_.getColumn(0).getString());
    const auto all = search.all();
    const bool is_under_way = std::any_of(
        all.begin(), all.end(), [&](std::int64_t id) { return endpoint.has_under_way(id); });
    has = has || (!is_under_way && !search.is_empty() && unheld.contains(search.next().front()));
  }
  searches_.reset();
  return has;
}

bool Progress::has_suspect(std::int64_t now_ms, const Endpoint& endpoint) {
  bool has = false;
  unheld_.bind(2, 3);
  unheld_.bind(3, now_ms);
  while (unheld_.executeStep()) {
    has = has || may_go(unheld_.getColumn(0).getInt64(), endpoint);
  }
  unheld_.reset();
  return has;
}

void Progress::look(const Endpoint& endpoint, outbox::core::Instant now) {
  const SQLite::Transaction moment{db_, SQLite::TransactionBehavior::DEFERRED};
  const std::int64_t now_ms = outbox::core::unix_ms(now);
  const State state = read_state();
  free_ = free_connections(state, endpoint, now_ms);
  const std::set<std::int64_t> before = std::exchange(takeable_, takeable(endpoint, now_ms));
  // A round may only have set rubbish aside.
  has_left_ = !std::includes(takeable_.begin(), takeable_.end(), before.begin(), before.end());
  const bool has_part = this->has_part(endpoint);
  has_something_ = !takeable_.empty() || has_part || has_suspect(now_ms, endpoint);
  searches_.bind(1, destination_.name);
  is_at_full_pace_ = !state.is_on_hold && !state.is_careful && !searches_.executeStep();
  searches_.reset();
  ready_count_.bind(1, destination_.name);
  ready_count_.executeStep();
  ready_ = ready_count_.getColumn(0).getInt64();
  ready_count_.reset();
}

void Progress::judge(std::size_t requests) {
  if (free_ == 0) return;
  if (has_left_) idle_rounds_ = 0;
  idle_rounds_ = requests == 0 && has_something_ ? idle_rounds_ + 1 : 0;
  require(idle_rounds_ <= idle_rounds_max, "what may go is not taken");
  std::erase_if(waits_, [this](const auto& wait) { return !takeable_.contains(wait.first); });
  if (!is_at_full_pace_) return;
  for (const std::int64_t id : takeable_) {
    Wait& wait = waits_[id];
    ++wait.rounds;
    wait.ready_max = std::max(wait.ready_max, ready_);
    require(wait.rounds <= 12 + 8 * wait.ready_max, "an event that may go is not taken", id);
  }
}

}  // namespace simulation
