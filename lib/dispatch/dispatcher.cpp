#include "outbox/dispatcher.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "dispatch/deadline.hpp"
#include "dispatch/lock.hpp"
#include "dispatch/round.hpp"
#include "dispatch/system_clock.hpp"
#include "outbox/errors.hpp"
#include "storage/database.hpp"
#include "storage/store.hpp"

namespace outbox {
inline namespace v0 {

namespace {

using dispatch::SteadyClock;
using std::chrono::milliseconds;

constexpr milliseconds poll_with_traffic{20};
constexpr milliseconds poll_without{250};
constexpr std::chrono::seconds traffic_is_recent{2};
constexpr milliseconds after_trouble{1'000};  // before the database is opened again
constexpr milliseconds after_busy{50};

// Signals are the host's threads' business.
std::thread thread_without_signals(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread thread{std::move(body)};
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
}

}  // namespace

// Everything below `loop` runs on the dispatcher's thread alone, but for what `mutex_` guards and
// the atomics.
class Dispatcher::State {
 public:
  State(DatabaseFile file, Endpoint endpoint, DispatcherOptions options)
      : file_{storage::with_absolute_path(std::move(file))},
        endpoint_{std::move(endpoint)},
        options_{checked(std::move(options))},
        round_{endpoint_.sink(), clock_, options_, std::random_device{}()} {
    try {
      open();
    } catch (const database_error& error) {
      if (!error.is_busy()) throw;
      note_trouble(error.what());  // a server must start although someone holds its database
    }
    thread_ = thread_without_signals([this] { loop(); });
  }

  void notify() noexcept {
    is_notified_.store(true);
    endpoint_.sink().wake();
  }

  bool stop(milliseconds deadline) {
    const std::lock_guard guard{stopping_};
    if (thread_.joinable()) {
      stop_deadline_.store(dispatch::deadline_in(deadline));
      is_stopping_.store(true);
      endpoint_.sink().wake();
      thread_.join();
    }
    return !has_aborted_;
  }

  Stats stats() const {
    const std::lock_guard guard{mutex_};
    return stats_;
  }

 private:
  static DispatcherOptions checked(DispatcherOptions options) {
    dispatch::require_options(options);
    return options;
  }

  void loop() {
    while (!is_stopping_.load()) {
      is_notified_.store(false);
      milliseconds wait{0};
      try {
        if (!store_) open();
        wait = is_elected() ? deliver() : poll_without;
      } catch (const database_error& error) {
        wait = recover(error.what(), error.is_busy());
      } catch (const std::exception& error) {
        wait = recover(error.what(), false);
      } catch (...) {  // a recipe's after_open may throw anything
        wait = recover("an exception that is no std::exception", false);
      }
      pause_for(wait);
    }
    finish();
  }

  // All waiting is the sink's, so that one `wake` ends it, whatever it is for.
  void pause_for(milliseconds wait) {
    if (wait <= milliseconds{0} || is_notified_.load() || is_stopping_.load()) return;
    try {
      round_.wait(wait);
    } catch (const std::exception& error) {  // no memory for an answer
      note_trouble(error.what());
    }
  }

  // One round; returns how long to wait before the next.
  milliseconds deliver() {
    const dispatch::RoundReport report = round_.run(*store_, poll_without);
    note(report);
    if (report.has_more || round_.has_in_flight() || report.requests > 0) return milliseconds{0};
    const auto now = clock_.now();
    const bool is_busy = SteadyClock::now() - last_traffic_ < traffic_is_recent;
    milliseconds wait = is_busy ? poll_with_traffic : poll_without;
    if (const auto due = store_->next_due(now)) wait = std::min(wait, *due - now);
    if (report.hold && report.hold->until > now) wait = std::min(wait, report.hold->until - now);
    return std::max(wait, milliseconds{1});
  }

  // Never waits for another connection here: the loop comes again, and stop() need not wait for it.
  void open() {
    constexpr milliseconds patience{0};
    database_ = storage::open_database(file_, patience);
    store_.emplace(storage::handle_of(database_), options_.destination, patience);
    const std::string path = storage::path_of(storage::handle_of(database_));
    if (!lock_ || path != database_path_) lock_.emplace(path, options_.destination);
    database_path_ = path;
    is_serving_ = false;
  }

  bool is_elected() {
    const bool holds = lock_->is_held() ? lock_->keep() : lock_->try_acquire(clock_.now());
    if (holds && !is_serving_) {
      store_->serve(endpoint_.sink().name(), clock_.now());
      is_serving_ = true;
    }
    if (!holds) {
      is_serving_ = false;
      if (round_.has_in_flight()) round_.abort();
    }
    const std::lock_guard guard{mutex_};
    stats_.is_active = holds;
    if (!holds) stats_.database_trouble.clear();
    return holds;
  }

  // Closes what is broken, so that the next pass opens it again. What the round could not record it
  // keeps, and records first.
  milliseconds recover(const char* what, bool is_busy) {
    note_trouble(what);
    if (is_busy) return after_busy;
    store_.reset();
    database_.reset();
    return after_trouble;
  }

  void finish() {
    round_.stop_sending();
    const auto is_unfinished = [this] { return round_.has_in_flight() || round_.has_unrecorded(); };
    for (auto left = time_left(); is_unfinished() && left > milliseconds{0}; left = time_left()) {
      milliseconds wait{0};
      try {
        if (!store_) open();
        note(round_.run(*store_, left));
      } catch (const database_error& error) {
        wait = recover(error.what(), error.is_busy());
      } catch (const std::exception& error) {
        wait = recover(error.what(), false);
      } catch (...) {
        wait = recover("an exception that is no std::exception", false);
      }
      if (wait > milliseconds{0}) std::this_thread::sleep_for(std::min(wait, time_left()));
    }
    has_aborted_ = is_unfinished();  // what was sent and is not recorded is sent again
    round_.abort();
    store_.reset();
    database_.reset();
    lock_.reset();
    const std::lock_guard guard{mutex_};
    stats_.is_active = false;
  }

  milliseconds time_left() const { return dispatch::left_until(stop_deadline_.load()); }

  void note(const dispatch::RoundReport& report) {
    if (report.requests > 0) last_traffic_ = SteadyClock::now();
    const std::lock_guard guard{mutex_};
    stats_.delivered = round_.totals().delivered;
    stats_.dead = round_.totals().dead;
    stats_.requests = round_.totals().requests;
    stats_.is_paused = report.is_paused;
    stats_.hold = report.hold ? report.hold->reason : std::string{};
    stats_.database_trouble.clear();
  }

  void note_trouble(const char* what) {
    const std::lock_guard guard{mutex_};
    stats_.database_trouble = what;
  }

  const dispatch::SystemClock clock_;
  DatabaseFile file_;
  Endpoint endpoint_;
  DispatcherOptions options_;
  dispatch::Round round_;
  storage::OpenDatabase database_;
  std::optional<storage::Store> store_;  // on database_, so it dies first
  std::string database_path_;
  std::optional<dispatch::Lock> lock_;
  bool is_serving_ = false;
  SteadyClock::time_point last_traffic_ = {};

  mutable std::mutex mutex_;
  Stats stats_;
  std::atomic<bool> is_notified_ = false;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<SteadyClock::time_point> stop_deadline_ = SteadyClock::time_point{};
  std::mutex stopping_;
  bool has_aborted_ = false;  // written by the thread before it is joined
  std::thread thread_;
};

Dispatcher::Dispatcher(DatabaseFile database, Endpoint endpoint, DispatcherOptions options)
    : state_{
          std::make_unique<State>(std::move(database), std::move(endpoint), std::move(options))} {}

Dispatcher::~Dispatcher() {
  stop();
}

void Dispatcher::notify() noexcept {
  state_->notify();
}

bool Dispatcher::stop(std::chrono::milliseconds deadline) {
  return state_->stop(deadline);
}

Stats Dispatcher::stats() const {
  return state_->stats();
}

}  // namespace v0
}  // namespace outbox
