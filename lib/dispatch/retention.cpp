#include "dispatch/retention.hpp"

#include <thread>

#include "outbox/errors.hpp"

namespace outbox::dispatch {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes between_passes{1};
// Some 10,000 events a second at most, which leaves the database to others most of the time.
constexpr milliseconds between_chunks{20};
constexpr int chunks_of_a_call = 100;

}  // namespace

SteadyClock::time_point Retention::run(storage::Store& store, core::Instant now) {
  if (is_off()) return SteadyClock::time_point::max();
  if (SteadyClock::now() < next_) return next_;
  milliseconds wait = between_chunks;
  try {
    if (store.prune(now - keep_, now)) wait = between_passes;
  } catch (const database_error& error) {  // busy, or a constraint or a trigger of the host's
    if (!error.is_busy()) wait = between_passes;
  }
  return next_ = SteadyClock::now() + wait;
}

void Retention::run_until(storage::Store& store, core::Instant now,
                          SteadyClock::time_point deadline) {
  if (is_off()) return;
  for (int i = 0; i < chunks_of_a_call && !store.prune(now - keep_, now); ++i) {
    if (left_until(deadline) == milliseconds{0}) return;
    std::this_thread::sleep_for(milliseconds{1});
  }
}

}  // namespace outbox::dispatch
