#include "dispatch/worker.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

#include "dispatch/notices.hpp"
#include "dispatch/options.hpp"
#include "outbox/errors.hpp"

namespace outbox::dispatch {

namespace {

using std::chrono::milliseconds;
constexpr milliseconds poll_without{250};
constexpr milliseconds stand_by_poll{100};
constexpr std::chrono::seconds traffic_is_recent{2};
constexpr milliseconds after_trouble{1'000};  // before the database is opened again
constexpr milliseconds after_busy{50};
// In a row; then another dispatcher may try. It would send again what is not recorded, and a full
// disk, on which nobody can open the database, is no reason for that.
constexpr int failed_opens_max = 5;
constexpr int failed_opens_unrecorded_max = 60;

}  // namespace

Worker::Worker(DatabaseFile file, Endpoint endpoint, DispatcherOptions options)
    : file_{storage::with_absolute_path(std::move(file))},
      endpoint_{std::move(endpoint)},
      options_{std::move(options)},
      round_{endpoint_.sink(), options_, std::random_device{}()} {
  stats_.destination = options_.destination;
  if (!storage::is_threadsafe()) {
    throw std::runtime_error{
        "outbox: SQLite was built or configured for a single thread, and a dispatcher has one of "
        "its own: call deliver_once on the host's"};
  }
  if (options_.refuses_unsafe_sqlite) storage::require_safe_sqlite();
  try {
    open();
  } catch (const database_error& error) {
    if (!error.is_busy()) throw;
    note_trouble(error.what(), true);  // a server must start although someone holds its database
  }
}

void Worker::run() {
  is_running_ = true;
  warn_at_start();
  while (!is_stopping_.load()) {
    is_notified_.store(false);
    const std::uint64_t asked = idle_wait_.asked();
    pause_for(guarded([this, asked] {
      const milliseconds wait = is_elected() ? deliver() : stand_by_poll;
      if (idle_wait_.is_awaited() && is_idle()) idle_wait_.tell(asked);
      return wait;
    }));
  }
  finish();
}

void Worker::notify() noexcept {
  is_notified_.store(true);
  endpoint_.sink().wake();
}

void Worker::request_stop(milliseconds deadline) noexcept {
  stop_deadline_.store(deadline_in(deadline));
  is_stopping_.store(true);
  endpoint_.sink().wake();
}

bool Worker::wait_until_idle(milliseconds time_max) {
  return idle_wait_.wait(time_max, [this] { notify(); });
}

bool Worker::is_idle() {
  return store_ && !round_.has_in_flight() && !round_.has_unrecorded() &&
         !store_->queue.has_due(clock_.now());
}

Stats Worker::stats() const {
  const std::lock_guard guard{mutex_};
  return stats_;
}

// Runs `action`, which returns how long to wait after it. Nothing escapes the thread.
template <class Action>
milliseconds Worker::guarded(Action action) {
  try {
    if (!store_) open();
    return action();
  } catch (const database_error& error) {
    if (storage::is_interrupt(error) && is_to_end()) return milliseconds{0};
    return recover(error.what(), error.is_busy());
  } catch (const schema_error& error) {
    step_down();  // for a dispatcher of the version that has migrated the database
    return recover(error.what(), false);
  } catch (const std::exception& error) {
    return recover(error.what(), false);
  } catch (...) {  // a recipe's after_open may throw anything
    return recover("an exception that is no std::exception", false);
  }
}

// Never waits for another connection here: the loop comes again, and stop need not wait for it.
void Worker::open() {
  constexpr milliseconds patience{0};
  database_ = storage::open_database(file_, patience);
  storage::require_writable(storage::handle_of(database_));
  store_.emplace(storage::handle_of(database_), options_.destination, patience);
  round_.meet_connection();
  const std::string path = storage::path_of(storage::handle_of(database_));
  if (!lock_ || path != database_path_) lock_.emplace(path, options_.destination);
  database_path_ = path;
  // What was not recorded belongs to the file that was there before.
  const std::string identity = storage::identity_of(path);
  if (!identity_.empty() && identity != identity_) round_.forget();
  identity_ = identity;
  is_serving_ = false;
  failed_opens_ = 0;
}

void Worker::close() {
  watch_.reset();
  store_.reset();
  database_.reset();
}

// Lets another dispatcher deliver: this one cannot. What it has sent and not recorded is sent
// again.
void Worker::step_down() noexcept {
  if (!lock_ || !lock_->is_held()) return;
  if (is_stopping_.load() && is_unfinished()) has_aborted_ = true;
  round_.forget();
  lock_->release();
  is_serving_ = false;
  was_active_ = false;
  {
    const std::lock_guard guard{mutex_};
    stats_.is_active = false;
  }
  try {
    tell(Notice::Kind::standby, "cannot use the database; another dispatcher may deliver");
  } catch (...) {  // no memory for the notice
  }
}

bool Worker::is_elected() {
  const bool holds =
      lock_->is_held() ? lock_->keep(round_.in_flight_since()) : lock_->try_acquire(clock_.now());
  if (holds && !is_serving_) serve();
  if (!holds) {
    // Another one delivers: what this one knows is old by the time it is elected again.
    if (is_serving_) round_.forget();
    is_serving_ = false;
  }
  if (was_active_ != holds) {
    // They may have begun in an earlier process, and nothing happens until they end.
    const core::DestinationState state =
        holds ? store_->destination.read() : core::DestinationState{};
    const auto& hold = state.endpoint.hold;
    tell(holds ? Notice::Kind::active : Notice::Kind::standby,
         !holds            ? "another dispatcher delivers; stands by"
         : state.is_paused ? "the destination is paused: delivers when it is resumed"
                           : "delivers from here on");
    was_active_ = holds;
    if (hold) dispatch::tell(options_.observer, notice_of(options_.destination, *hold));
  }
  const std::lock_guard guard{mutex_};
  stats_.is_active = holds;
  if (!holds) stats_.database_trouble.clear();
  return holds;
}

void Worker::serve() {
  // It may have to read the whole log.
  const storage::EndsWhen stopped{storage::handle_of(database_), [this] { return is_to_end(); }};
  storage::ServeOptions serving = serve_options_of(endpoint_.sink(), options_, identity_);
  serving.is_over = [this] { return is_to_end(); };
  if (!store_->serve(serving, clock_.now())) warn(copy_text(options_));
  is_serving_ = true;
}

milliseconds Worker::deliver() {
  // The second look is for a symbolic link that leads elsewhere now.
  const std::string at_path = storage::identity_of(file_.path);
  if (storage::has_moved(storage::handle_of(database_)) ||
      (!at_path.empty() && !identity_.empty() && at_path != identity_)) {
    // What was not recorded belongs to the file that is gone.
    round_.forget();
    return recover("the database file was removed, renamed or replaced", false);
  }
  data_version_ = store_->queue.data_version();  // a commit during the round is seen after it
  if (!watch_ || !watch_->is_watching()) watch_.emplace(database_path_);
  // With room for another request, new events are looked for while others are under way.
  const RoundReport report =
      round_.run(*store_, options_.connections > 1 ? poll_with_traffic : poll_without);
  note(report);
  if (!report.has_row) is_serving_ = false;  // a backup was written over the file
  if (report.recording.count() > 0 && store_->queue.data_version() != data_version_) {
    make_room(report.recording);
  }
  const auto prune_at = retention_.run(*store_, clock_.now(), report.delivered > 0);
  if (const auto trouble = retention_.new_trouble(); trouble && !trouble->empty()) {
    warn("what was delivered long ago cannot be removed: " + *trouble);
  }
  if (report.has_more || round_.has_in_flight() || report.requests > 0) return milliseconds{0};
  const auto now = clock_.now();
  const bool is_recent = SteadyClock::now() - last_traffic_ < traffic_is_recent;
  milliseconds wait = is_recent ? poll_with_traffic : poll_without;
  if (const auto due = store_->queue.next_due(now)) wait = std::min(wait, *due - now);
  if (report.hold && report.hold->until > now) wait = std::min(wait, report.hold->until - now);
  if (report.resume_at && *report.resume_at > now) wait = std::min(wait, *report.resume_at - now);
  return std::max(std::min(wait, left_until(prune_at)), milliseconds{1});
}

// Closes what is broken, so that the next pass opens it again. What the round could not record it
// keeps, and records first.
// Called in handlers, also of `bad_alloc`: it must get by without memory.
milliseconds Worker::recover(const char* what, bool is_busy) noexcept {
  note_trouble(what, is_busy);
  const milliseconds wait = is_busy ? after_busy : after_trouble;
  quiet_until_ = SteadyClock::now() + wait;  // no notify makes it come sooner
  if (is_busy) return wait;
  const int opens_max = round_.has_unrecorded() ? failed_opens_unrecorded_max : failed_opens_max;
  if (!store_ && ++failed_opens_ >= opens_max) step_down();
  close();
  return wait;
}

void Worker::finish() {
  round_.stop_sending();
  for (auto left = time_left(); is_unfinished() && left > milliseconds{0}; left = time_left()) {
    const milliseconds wait = guarded([this, left] {
      if (!is_serving_ && lock_->is_held()) serve();  // it was opened again: as it is to be served
      note(round_.run(*store_, left));
      return milliseconds{0};
    });
    if (wait > milliseconds{0}) std::this_thread::sleep_for(std::min(wait, time_left()));
  }
  if (is_unfinished()) has_aborted_ = true;  // what was sent and is not recorded is sent again
  round_.abort();
  close();
  lock_.reset();
  user_.reset();
  idle_wait_.end();
  const std::lock_guard guard{mutex_};
  stats_.is_active = false;
}

}  // namespace outbox::dispatch
