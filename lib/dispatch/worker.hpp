#pragma once

// What the dispatcher's thread does from its start to its end: opens the database, stands for
// election, runs rounds, waits, and stops.

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "dispatch/deadline.hpp"
#include "dispatch/idle_wait.hpp"
#include "dispatch/lock.hpp"
#include "dispatch/retention.hpp"
#include "dispatch/round.hpp"
#include "dispatch/wal_watch.hpp"
#include "outbox/dispatcher.hpp"
#include "storage/life/store.hpp"
#include "storage/sqlite/database.hpp"

namespace outbox::dispatch {

inline constexpr std::chrono::milliseconds poll_with_traffic{20};

/// Threads: `run` and everything private belong to one thread; the constructor may run on another
/// before that. The other public members: any.
class Worker {
 public:
  /// Opens the database. Throws: as the constructor of `Dispatcher`.
  Worker(DatabaseFile file, Endpoint endpoint, DispatcherOptions options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Returns once `request_stop` was called and what was under way has ended, or its deadline came.
  void run();

  void notify() noexcept;
  void request_stop(std::chrono::milliseconds deadline) noexcept;
  Stats stats() const;
  /// As `Dispatcher::wait_until_idle`.
  bool wait_until_idle(std::chrono::milliseconds time_max);
  /// Something was sent and not recorded when `run` returned.
  bool has_aborted() const { return has_aborted_; }

 private:
  using milliseconds = std::chrono::milliseconds;

  template <class Action>
  milliseconds guarded(Action action);
  void open();
  void close();
  void step_down() noexcept;
  bool is_unfinished() const { return round_.has_in_flight() || round_.has_unrecorded(); }
  void warn_at_start();
  bool is_elected();
  void serve();
  milliseconds deliver();
  bool is_idle();
  void make_room(std::chrono::microseconds recording);
  milliseconds recover(const char* what, bool is_busy) noexcept;
  void pause_for(milliseconds wait);
  void wait_for_commit(SteadyClock::time_point deadline);
  bool is_disturbed() const { return is_notified_.load() || is_stopping_.load(); }
  bool has_new_commit();
  void finish();
  milliseconds time_left() const { return left_until(stop_deadline_.load()); }
  bool is_to_end() const { return is_stopping_.load() && time_left() == milliseconds{0}; }
  void tell(Notice::Kind kind, std::string text) const;
  void warn(const std::string& unsafe_text);
  void note(const RoundReport& report);
  void note_trouble(const char* what_text, bool is_busy) noexcept;

  std::optional<SqliteUser> user_{std::in_place};
  DatabaseFile file_;
  Endpoint endpoint_;
  DispatcherOptions options_;
  const core::Clock clock_{options_.clock};
  Round round_;
  Retention retention_{options_};
  storage::OpenDatabase database_;
  std::optional<storage::Store> store_;  // on database_, so it dies first
  std::string database_path_;
  std::string identity_;  // of the file that is open
  SteadyClock::time_point quiet_until_ = {};
  bool is_running_ = false;
  std::optional<Lock> lock_;
  std::optional<WalWatch> watch_;
  std::int64_t data_version_ = 0;  // as of the beginning of the last round
  bool is_serving_ = false;
  int failed_opens_ = 0;                 // in a row
  std::optional<bool> was_active_ = {};  // as the observer knows
  SteadyClock::time_point last_traffic_ = {};

  IdleWait idle_wait_;
  mutable std::mutex mutex_;
  Stats stats_;  // guarded by mutex_
  std::atomic<bool> is_notified_ = false;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<SteadyClock::time_point> stop_deadline_ = SteadyClock::time_point{};
  bool has_aborted_ = false;  // written before `run` returns
};

}  // namespace outbox::dispatch
