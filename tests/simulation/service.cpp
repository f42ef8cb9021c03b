#include "simulation/service.hpp"

#include <algorithm>

#include "core/event/id_ranges.hpp"
#include "simulation/fault_vfs.hpp"

namespace simulation {

using namespace std::chrono_literals;

Service::Service(Model& model, std::size_t destination, outbox::DispatcherOptions options,
                 Latency latency, support::AppDatabase& app, support::FakeClock& clock,
                 std::mt19937_64& random)
    : model_{model},
      index_{destination},
      options_{std::move(options)},
      app_{app},
      clock_{clock},
      random_{random},
      endpoint_{model, destination, random, latency,
                [this](std::int64_t id) { return earlier_of_key(id); }},
      progress_{app.db(), this->destination()} {
  start();
}

void Service::start() {
  round_ = std::make_unique<outbox::dispatch::Round>(endpoint_, clock_.in(options_), random_());
  destination().is_on_hold = false;
  progress_.restart();
}

void Service::open() {
  if (store_) return;
  using outbox::core::OnDead;
  database_ = outbox::storage::open_database({app_.path(), fault_vfs, {}}, 0ms);
  auto store = std::make_unique<outbox::storage::Store>(outbox::storage::handle_of(database_),
                                                        destination().name, 0ms);
  store->serve({.endpoint = endpoint_.name(),
                .on_dead = options_.blocks_on_dead ? OnDead::blocks : OnDead::unblocks,
                .scrubs = options_.scrubs_delivered},
               clock_.now());
  store_ = std::move(store);
  for (auto& [id, event] : model_.events) event.is_unqueued = false;
}

void Service::close() {
  store_.reset();
  database_.reset();
}

void Service::run_round() {
  Destination& told = destination();
  const bool was_recorded = !round_->has_unrecorded() && !round_->has_arrived();
  told.last_look = was_recorded ? clock_.now() : std::max(told.last_look, clock_.now());
  const std::size_t requests_before = told.requests;
  progress_.look(endpoint_, clock_.now());
  if (!was_recorded) progress_.skip();
  model_.tell("round of", told.name);
  try {
    open();
    const auto report = round_->run(*store_, 0ms);
    told.is_on_hold = report.hold.has_value();
    progress_.judge(told.requests - requests_before);
    return;
  } catch (const Violation&) {  // seen by the endpoint
    throw;
  } catch (const outbox::database_error& error) {
    model_.tell("  trouble:", error.what());
    if (!error.is_busy()) close();
  } catch (const std::exception& error) {
    close();
    require(faults().struck > 0, std::string{"an exception without a cause: "} + error.what());
  }
  told.is_on_hold = false;  // the next round may first record that it is over
}

void Service::wait() {
  model_.tell("answers for", destination().name, "between rounds");
  round_->wait(0ms);
}

void Service::prune(outbox::core::Instant delivered_before) {
  if (!store_) return;
  model_.tell("prune", destination().name);
  std::vector<std::int64_t> old;
  SQLite::Statement requests{app_.db(),
                             "select delivered_ids from outbox_requests where destination = ?"
                             " and delivered_ids is not null and started_at_ms + took_ms <= ?"};
  requests.bind(1, destination().name);
  requests.bind(2, outbox::core::unix_ms(delivered_before));
  while (requests.executeStep()) {
    const std::string ranges = requests.getColumn(0).getString();
    for (const std::int64_t id : outbox::core::ids_in(ranges, 10'000)) old.push_back(id);
  }
  const std::int64_t requests_count = app_.number("select count(*) from outbox_requests");
  bool is_through = false;
  try {
    is_through = store_->prune(delivered_before, clock_.now());
  } catch (const outbox::database_error&) {
    close();
  }
  for (const std::int64_t id : old) {
    Event& event = model_.events.at(id);
    const bool is_there =
        app_.number("select count(*) from outbox_events where id = " + std::to_string(id)) > 0;
    // Where clocks jump, what is old may stand behind many that are not.
    require(!is_there || !is_through || requests_count > 100, "what is old was not removed", id);
    if (is_there || event.is_removed) continue;
    require(event.is_delivered, "an event was pruned that is not delivered", id);
    model_.tell("  removed", id);
    event.is_removed = true;
    ++destination().removed;
  }
}

void Service::crash() {
  model_.tell("crash of", destination().name);
  round_.reset();
  close();
  SQLite::Statement pending{
      app_.db(), "select event, state, due_at_ms from outbox_queue where destination = ?"};
  pending.bind(1, destination().name);
  while (pending.executeStep()) {
    Event& event = model_.events.at(pending.getColumn(0).getInt64());
    event.duplicates_due = std::max(event.duplicates_due, event.accepted);
    // An answer that was not recorded is forgotten: a scheduled event is scheduled still.
    if (pending.getColumn(1).getInt() < 2) event.due_at_ms = pending.getColumn(2).getInt64();
  }
  start();
}

void Service::set_blocks_on_dead(bool blocks) {
  model_.tell(destination().name, blocks ? "blocks on dead" : "goes on behind the dead");
  options_.blocks_on_dead = blocks;
  destination().blocks_on_dead = blocks;
  crash();
}

bool Service::may_concern(std::int64_t id) const {
  return endpoint_.has_under_way(id) || round_->has_arrived() || round_->has_unrecorded();
}

bool Service::may_wait(const Event& event) const {
  const std::int64_t now_ms = outbox::core::unix_ms(clock_.now());
  if (event.is_guilty() || event.is_unqueued || event.due_at_ms > now_ms) return true;
  // A probe that failed has kept its time, and a clock that is set back brings that time back.
  return event.not_before_ms > now_ms &&
         app_.number("select count(*) from outbox_queue where state = 0 and event = " +
                     std::to_string(event.id) +
                     " and due_at_ms = " + std::to_string(event.not_before_ms)) > 0;
}

std::vector<std::int64_t> Service::earlier_of_key(std::int64_t id) {
  const Event& event = model_.events.at(id);
  SQLite::Statement rows{app_.db(),
                         "select event from outbox_queue where destination = ?1"
                         " and ordering_key = ?2 and event < ?3 and (state < 4 or (state = 4"
                         " and ?4))"};
  rows.bind(1, destination().name);
  rows.bind(2, event.ordering_key);
  rows.bind(3, id);
  rows.bind(4, destination().blocks_on_dead ? 1 : 0);
  std::vector<std::int64_t> found;
  while (rows.executeStep()) found.push_back(rows.getColumn(0).getInt64());
  return found;
}

}  // namespace simulation
