#include "outbox/dispatcher.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "dispatch/worker.hpp"
#include "outbox/errors.hpp"

namespace outbox {
inline namespace v1 {

namespace {

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

class Dispatcher::State {
 public:
  State(DatabaseFile file, Endpoint endpoint, DispatcherOptions options)
      : worker_{std::move(file), std::move(endpoint), std::move(options)},
        thread_{thread_without_signals([this] { run(); })} {}

  bool is_forked() const { return pid_ != getpid(); }
  bool is_own_thread() const { return std::this_thread::get_id() == running_on_.load(); }
  dispatch::Worker& worker() { return worker_; }

  bool stop(std::chrono::milliseconds time_max) {
    const std::lock_guard guard{stopping_};
    if (thread_.joinable()) {
      worker_.request_stop(time_max);
      thread_.join();
    }
    return !worker_.has_aborted();
  }

  // For a dispatcher that is destroyed on its own thread, which cannot join itself.
  void end_alone() {
    worker_.request_stop(std::chrono::milliseconds{0});
    is_alone_ = true;
    thread_.detach();
  }

 private:
  void run() {
    running_on_ = std::this_thread::get_id();
    worker_.run();
    running_on_ = std::thread::id{};  // the system gives the id to another thread soon
    if (is_alone_) delete this;
  }

  const pid_t pid_ = getpid();
  dispatch::Worker worker_;
  std::mutex stopping_;
  std::atomic<std::thread::id> running_on_ = std::thread::id{};
  std::thread thread_;
  bool is_alone_ = false;  // its own thread's
};

Dispatcher::Dispatcher(DatabaseFile database, Endpoint endpoint, DispatcherOptions options)
    : state_{
          std::make_unique<State>(std::move(database), std::move(endpoint), std::move(options))} {}

Dispatcher::~Dispatcher() {
  if (state_->is_forked()) {
    // Left behind on purpose: neither SQLite nor libcurl may be touched in a forked child, and
    // there is no thread to join.
    static_cast<void>(state_.release());
  } else if (state_->is_own_thread()) {
    state_.release()->end_alone();
  } else {
    state_->stop(std::chrono::seconds{1});
  }
}

void Dispatcher::notify() noexcept {
  if (!state_->is_forked()) state_->worker().notify();
}

bool Dispatcher::stop(std::chrono::milliseconds time_max) {
  if (state_->is_forked()) throw forked_process{};
  if (state_->is_own_thread()) {
    throw std::logic_error{
        "outbox: stop inside the observer would wait for itself: call it on another thread"};
  }
  return state_->stop(time_max);
}

bool Dispatcher::wait_until_idle(std::chrono::milliseconds time_max) {
  if (state_->is_forked()) throw forked_process{};
  if (state_->is_own_thread()) {
    throw std::logic_error{
        "outbox: wait_until_idle inside the observer would wait for itself: call it on another "
        "thread"};
  }
  return state_->worker().wait_until_idle(time_max);
}

Stats Dispatcher::stats() const {
  if (state_->is_forked()) throw forked_process{};
  return state_->worker().stats();
}

}  // namespace v1
}  // namespace outbox
