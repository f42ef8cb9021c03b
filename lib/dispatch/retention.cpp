#include "dispatch/retention.hpp"

#include <thread>

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
  const bool is_through = store.prune(now - keep_);
  next_ = SteadyClock::now() + (is_through ? milliseconds{between_passes} : between_chunks);
  return next_;
}

void Retention::run_until(storage::Store& store, core::Instant now,
                          SteadyClock::time_point deadline) {
  if (is_off()) return;
  for (int i = 0; i < chunks_of_a_call && !store.prune(now - keep_); ++i) {
    if (left_until(deadline) == milliseconds{0}) return;
    std::this_thread::sleep_for(milliseconds{1});
  }
}

}  // namespace outbox::dispatch
