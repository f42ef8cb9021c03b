// The sink of docs/sinks.md, word for word below this line (a test compares them).

#include <atomic>
#include <chrono>
#include <fstream>
#include <outbox/sink.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Appends each event to a file, one line of JSON each: for a log shipper, or to look at.
class LineSink final : public outbox::Sink {
 public:
  explicit LineSink(std::string path) : path_{std::move(path)} {}

  std::string name() const override { return "file:" + path_; }

  // Writing takes no time worth waiting for, so it is done here; `collect` gives the outcome.
  void submit(std::uint64_t token, outbox::Batch batch) override {
    std::ofstream file{path_, std::ios::app};
    for (const outbox::BatchEvent& event : batch.events) file << batch.payload(event) << "\n";
    file.flush();
    outbox::Outcome outcome{.verdict = outbox::Verdict::delivered};
    if (!file) {
      // Trouble of the destination: nothing is held against the events, and it is tried again.
      outcome = {.verdict = outbox::Verdict::unavailable, .reason = "the file cannot be written"};
    }
    replies_.push_back({token, std::move(outcome)});
  }

  std::vector<Reply> collect(std::chrono::milliseconds time_max) override {
    // Short steps, so that `wake` ends a long wait; a sink with a socket would poll an eventfd.
    const auto end = std::chrono::steady_clock::now() + time_max;
    while (replies_.empty() && !is_woken_.exchange(false) &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return std::exchange(replies_, {});
  }

  void wake() noexcept override { is_woken_ = true; }
  void abort() noexcept override { replies_.clear(); }

 private:
  std::string path_;
  std::vector<Reply> replies_;
  std::atomic<bool> is_woken_ = false;
};
