#pragma once

// The seams of the dispatcher, held still: a clock that moves when told, and an endpoint that
// answers what it is told.

#include <chrono>
#include <functional>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/http/judge.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/sink.hpp"

namespace support {

class FakeClock {
 public:
  outbox::core::Instant now() const { return now_; }
  void advance(std::chrono::milliseconds by) { now_ += by; }
  void set(outbox::core::Instant now) { now_ = now; }

  /// `options` with this clock, which must outlive what they are for.
  outbox::DispatcherOptions in(outbox::DispatcherOptions options) const {
    options.clock = [this] { return now_; };
    return options;
  }

 private:
  outbox::core::Instant now_{std::chrono::milliseconds{1'800'000'000'000}};
};

inline outbox::core::Answer answer_of(int status, std::string body = {}) {
  return {.arrival = outbox::core::Arrival::answered,
          .status = status,
          .content_type = "application/json",
          .body = std::move(body)};
}

/// Answers each batch by `answer`, at the next `collect`.
class FakeSink final : public outbox::Sink {
 public:
  std::string name() const override { return "fake"; }
  void submit(std::uint64_t token, outbox::Batch batch) override {
    if (refuses_memory) throw std::bad_alloc{};
    bodies.push_back(batch.body);
    waiting_.push_back({token, std::move(batch.body)});
  }
  std::vector<Reply> collect(std::chrono::milliseconds) override {
    std::vector<Reply> replies;
    if (loses_replies && !waiting_.empty()) throw std::bad_alloc{};
    for (std::size_t i = 0; i < waiting_.size();) {
      if (holds_back && holds_back(waiting_[i].second)) {
        ++i;
        continue;
      }
      const outbox::core::Answer answered = answer(waiting_[i].second);
      replies.push_back({waiting_[i].first, outbox::core::judge(answered, meanings)});
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return replies;
  }
  void wake() noexcept override {}
  void abort() noexcept override { waiting_.clear(); }

  std::function<outbox::core::Answer(const std::string& body)> answer = [](const std::string&) {
    return answer_of(200, R"({"success":true})");
  };
  std::function<bool(const std::string& body)> holds_back = {};
  std::vector<std::string> bodies = {};
  std::vector<outbox::StatusMeaning> meanings = {};
  bool refuses_memory = false;
  bool loses_replies = false;

 private:
  std::vector<std::pair<std::uint64_t, std::string>> waiting_;
};

}  // namespace support
