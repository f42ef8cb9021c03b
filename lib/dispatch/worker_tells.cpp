// What the dispatcher's thread tells people: the observer, `stats`, and who looks at the lock.

#include <utility>

#include "core/event/limits.hpp"
#include "core/event/text.hpp"
#include "dispatch/notices.hpp"
#include "dispatch/worker.hpp"

namespace outbox::dispatch {

void Worker::warn_at_start() try {
  const std::string trouble = stats().database_trouble;  // of the constructor
  if (!trouble.empty()) tell(Notice::Kind::database_trouble, trouble);
  if (storage::sqlite_copies() > 1) {
    warn(
        "two copies of SQLite are loaded in this process: they take each other's locks away, which "
        "can damage the database; link one");
  }
  const std::string path = database_path_.empty() ? file_.path : database_path_;
  if (storage::is_readable_by_others(path)) {
    warn(
        "every user of this machine may read the database, and the people in its events: chmod "
        "o-r " +
        path);
  }
} catch (const std::exception&) {  // no memory for a text
}

void Worker::tell(Notice::Kind kind, std::string text) const {
  dispatch::tell(options_.observer,
                 {.kind = kind, .destination = options_.destination, .text = std::move(text)});
}

void Worker::warn(const std::string& unsafe_text) {
  // It may hold the words of a trigger of the host's, and those another event each time.
  constexpr std::size_t warnings_max = 20;
  const std::string text = core::sanitised(unsafe_text, core::error_bytes_max);
  tell(Notice::Kind::warning, text);
  const std::lock_guard guard{mutex_};
  if (stats_.warnings.size() == warnings_max) stats_.warnings.erase(stats_.warnings.begin());
  stats_.warnings.push_back(text);
}

void Worker::note(const RoundReport& report) {
  if (report.requests > 0) last_traffic_ = SteadyClock::now();
  const std::lock_guard guard{mutex_};
  stats_.delivered = round_.totals().delivered;
  stats_.dead = round_.totals().dead;
  stats_.requests = round_.totals().requests;
  stats_.request_duration = round_.totals().request_duration;
  stats_.delivery_lag = round_.totals().delivery_lag;
  stats_.is_paused = report.is_paused;
  stats_.hold_kind = report.hold ? std::optional{report.hold->kind} : std::nullopt;
  stats_.hold = report.hold ? without_quotation(report.hold->reason) : std::string{};
  stats_.database_trouble.clear();
  lock_->tell_trouble({}, round_.in_flight_since());
}

// Keeps `what` for people. Tells the observer of it, unless the database is only busy.
void Worker::note_trouble(const char* what_text, bool is_busy) noexcept {
  try {
    // It may be the words of a sink, or of a trigger of the host's.
    const std::string what = core::sanitised(what_text, core::error_bytes_max);
    std::unique_lock guard{mutex_};
    const bool is_new = std::exchange(stats_.database_trouble, what) != what;
    guard.unlock();
    if (lock_ && !is_busy) lock_->tell_trouble(what, round_.in_flight_since());
    if (is_new && !is_busy && is_running_) tell(Notice::Kind::database_trouble, what);
  } catch (...) {  // no memory for a text
  }
}

}  // namespace outbox::dispatch
