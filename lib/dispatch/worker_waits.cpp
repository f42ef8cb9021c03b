// How the dispatcher's thread waits: for something to do, and for the host to have its turn.

#include <algorithm>
#include <thread>
#include <utility>

#include "dispatch/worker.hpp"

namespace outbox::dispatch {

namespace {

using std::chrono::milliseconds;
// The WAL is written an fsync before the commit is visible: after a hint one looks for so long.
constexpr milliseconds hint_is_fresh{100};
// A host that commits without a pause gives hints without a pause; not each is worth a round.
constexpr milliseconds between_hints{5};
// Beside a host that writes, the marks take at most about one part in this many of the time: each
// of them makes the host wait, and its busy handler sleeps for longer than that.
constexpr int time_between_marks = 40;
constexpr milliseconds between_marks_max{100};

}  // namespace

// The host wrote during the round: lets it have the database for a while, whatever there is to do.
void Worker::make_room(std::chrono::microseconds recording) {
  const auto wait = std::chrono::ceil<milliseconds>(recording * time_between_marks);
  const auto deadline = deadline_in(std::min(wait, between_marks_max));
  while (left_until(deadline) > milliseconds{0} && !is_stopping_.load()) {
    round_.wait(left_until(deadline));
  }
}

// All waiting is the sink's, so that one `wake` ends it, whatever it is for: an answer, a notify,
// the WAL. Ends early when there is something to do.
void Worker::pause_for(milliseconds wait) {
  const auto deadline = deadline_in(wait);
  const auto rest = [&](const char* trouble) {
    note_trouble(trouble, false);
    std::this_thread::sleep_for(std::min(poll_with_traffic, left_until(deadline)));
  };
  try {
    while (left_until(quiet_until_) > milliseconds{0} && !is_stopping_.load()) {
      round_.wait(left_until(quiet_until_));
    }
    if (wait <= milliseconds{0} || is_disturbed()) return;
    round_.wait(std::min(left_until(deadline), between_hints));
    wait_for_commit(deadline);
  } catch (const std::exception& error) {  // no memory for an answer, a database in trouble
    rest(error.what());
  } catch (...) {  // a sink of the host's may throw anything
    rest("an exception that is no std::exception");
  }
  try {
    endpoint_.sink().watch(-1);
  } catch (...) {  // its next wait may end early, and finds nothing to do
  }
}

// The WAL is watched only here, and only while nothing is looked at: hints that nobody takes away
// would end every other wait at once, and a host may write for long before it commits.
void Worker::wait_for_commit(SteadyClock::time_point deadline) {
  auto look_until = SteadyClock::time_point{};  // a hint is fresh until then
  auto step = milliseconds{1};
  for (auto left = left_until(deadline); left > milliseconds{0}; left = left_until(deadline)) {
    if (is_disturbed() || round_.has_arrived()) return;
    const bool is_looking = SteadyClock::now() < look_until;
    endpoint_.sink().watch(watch_ && is_serving_ && !is_looking ? watch_->descriptor() : -1);
    round_.wait(is_looking ? std::min(left, step) : left);
    if (is_looking) {
      step *= 2;
    } else if (watch_ && watch_->drain()) {
      look_until = SteadyClock::now() + hint_is_fresh;
      step = milliseconds{1};
    } else {
      continue;
    }
    if (has_new_commit()) return;
  }
}

bool Worker::has_new_commit() {
  if (!store_ || !is_serving_) return false;
  const std::int64_t version = store_->queue.data_version();
  return std::exchange(data_version_, version) != version;
}

}  // namespace outbox::dispatch
