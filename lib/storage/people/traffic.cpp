// What went over the wire: the newest rows of the request log, sorted into slots of time.

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/clock.hpp"
#include "outbox/browse.hpp"
#include "outbox/verdict.hpp"
#include "storage/people/filter.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

constexpr std::int64_t requests_max = 50'000;  // some 50 ms
// In a row: a few may have been recorded while a clock was behind.
constexpr int old_requests_max = 100;

std::int64_t quantile(std::vector<std::int64_t>& ascending, std::size_t percent) {
  if (ascending.empty()) return 0;
  return ascending[(ascending.size() - 1) * percent / 100];
}

void count(TrafficSlot& slot, std::string_view outcome, std::int64_t events) {
  if (outcome == to_string(Verdict::delivered)) {
    ++slot.delivered;
    slot.events += events;
  } else if (outcome == to_string(Verdict::refused)) {
    ++slot.refused;
  } else {
    ++slot.failed;
  }
}

void require_slots(const TrafficOptions& options) {
  constexpr std::int64_t slots_max = 1'000;
  if (options.slot.count() > 0 && options.window.count() > 0 &&
      options.window.count() % options.slot.count() == 0 &&
      options.window.count() / options.slot.count() <= slots_max) {
    return;
  }
  throw std::invalid_argument{"outbox: traffic: window: must be 1 to 1,000 whole slots"};
}

Traffic read_traffic(sqlite3* db, const TrafficOptions& options, core::Instant now) {
  const std::int64_t slot_ms = options.slot.count();
  const std::int64_t begin_ms = core::unix_ms(now) - options.window.count();
  const auto slots = static_cast<std::size_t>(options.window / options.slot);
  Traffic traffic{.slots = std::vector<TrafficSlot>(slots)};
  std::vector<std::vector<std::int64_t>> took_ms(slots);
  for (std::size_t i = 0; i < slots; ++i) {
    const std::int64_t offset_ms = slot_ms * static_cast<std::int64_t>(i);
    traffic.slots[i].begins_at = core::instant_of(begin_ms + offset_ms);
  }
  // A request gets its row when it ends: from there on the log goes back in time.
  Statement rows{db,
                 "select started_at_ms + took_ms, took_ms, events, outcome, destination"
                 " from main.outbox_requests order by id desc limit ?1",
                 "read the traffic"};
  rows.bind(1, requests_max + 1);
  int old_requests = 0;
  for (std::int64_t seen = 0; rows.step(); ++seen) {
    const std::int64_t since_begin_ms = rows.integer(0) - begin_ms;
    if (since_begin_ms < 0) {
      if (++old_requests > old_requests_max) break;
      continue;
    }
    old_requests = 0;
    traffic.is_complete = seen < requests_max;
    if (!traffic.is_complete) break;
    if (!options.destination.empty() && rows.view(4) != options.destination) continue;
    const auto at = static_cast<std::size_t>(since_begin_ms / slot_ms);
    if (at >= slots) continue;  // of a clock that was set back
    count(traffic.slots[at], rows.view(3), rows.integer(2));
    took_ms[at].push_back(rows.integer(1));
  }
  for (std::size_t i = 0; i < slots; ++i) {
    std::sort(took_ms[i].begin(), took_ms[i].end());
    traffic.slots[i].took_p50 = std::chrono::milliseconds{quantile(took_ms[i], 50)};
    traffic.slots[i].took_p95 = std::chrono::milliseconds{quantile(took_ms[i], 95)};
  }
  return traffic;
}

}  // namespace
}  // namespace storage

inline namespace v1 {

Traffic traffic(ConnectionRef connection, const TrafficOptions& options) {
  storage::require_slots(options);
  sqlite3* const db = storage::readable(connection, {.destination = options.destination});
  return storage::while_busy(
      [&] { return storage::read_traffic(db, options, core::system_now()); });
}

}  // namespace v1
}  // namespace outbox
