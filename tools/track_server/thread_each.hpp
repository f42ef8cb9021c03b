#pragma once

// httplib lends each connection a thread, for as long as it lives. With a pool of them, as many
// slow connections as there are threads starve all others; here each has a thread of its own.

#include <httplib.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace track_server {

class ThreadEach final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> serve) override {
    {
      const std::scoped_lock lock{mutex_};
      ++running_;
    }
    const auto work = [this, serve = std::move(serve)] {
      serve();
      const std::scoped_lock lock{mutex_};
      if (--running_ == 0) none_runs_.notify_all();
    };
    try {
      std::thread{work}.detach();
    } catch (const std::system_error&) {  // no more threads: the next ones wait for this one
      work();
    }
  }

  void shutdown() override {
    std::unique_lock lock{mutex_};
    none_runs_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_runs_;
  std::size_t running_ = 0;
};

}  // namespace track_server
