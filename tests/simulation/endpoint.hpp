#pragma once

// The other side: takes, refuses, dies, lies, loses answers; and keeps the books on it.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/sink.hpp"
#include "simulation/model.hpp"

namespace simulation {

enum class Mood {
  works,
  down,               // 500, 502, 503
  unreachable,        // no connection
  silent,             // no answer, nothing taken
  loses_answers,      // takes what it is given, no answer
  throttles,          // 429 or 503 with Retry-After
  unauthorized,       // 401 or 403
  no_token,           // no request is made
  web_page,           // 200 with HTML
  small,              // 413 above a size
  refuses_everything  // 400
};
inline constexpr int moods = 11;

class Endpoint final : public outbox::Sink {
 public:
  Endpoint(Model& model, std::mt19937_64& random) : model_{model}, random_{random} {}

  std::string name() const override { return name_; }
  void submit(std::uint64_t token, std::string body) override;
  std::vector<Reply> collect(std::chrono::milliseconds time_max) override;
  void wake() noexcept override {}
  void abort() noexcept override;

  void set_mood(Mood mood) { mood_ = mood; }
  Mood mood() const { return mood_; }
  bool has_under_way(std::int64_t id) const;
  /// Another URL.
  void move() { name_ += "'"; }
  /// How many rounds answers take at most.
  void set_latency(int rounds) { latency_max_ = rounds; }

 private:
  struct UnderWay {
    Reply reply;
    std::vector<std::int64_t> ids;
    bool is_taken;
    int rounds_left;
  };

  std::vector<std::int64_t> read(const std::string& body);
  outbox::core::Answer answer(const std::vector<std::int64_t>& ids, const std::string& body);
  void take(const std::vector<std::int64_t>& ids);
  void keep_books(const UnderWay& request);
  bool is_next_of_its_key(const Event& event) const;
  int pick(int count) { return static_cast<int>(random_() % static_cast<std::uint64_t>(count)); }

  Model& model_;
  std::mt19937_64& random_;
  Mood mood_ = Mood::works;
  std::string name_ = "https://simulated/";
  int latency_max_ = 0;
  std::vector<UnderWay> under_way_;
};

}  // namespace simulation
