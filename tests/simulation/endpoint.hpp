#pragma once

// The other side: takes, refuses, dies, lies, loses answers; and keeps the books on it.

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/http/answer.hpp"
#include "outbox/sink.hpp"
#include "simulation/model.hpp"

namespace simulation {

enum class Mood {
  works,
  down,                // 500, 502, 503
  unreachable,         // no connection
  silent,              // no answer, nothing taken
  loses_answers,       // takes what it is given, no answer
  throttles,           // 429 or 503 with Retry-After
  unauthorized,        // 401 or 403
  no_token,            // no request is made
  web_page,            // 200 with HTML
  small,               // 413 above a size
  refuses_everything,  // 400
  dislikes_some,       // one type, key or size of events draws one status
  flaky,               // one request in three fails, whatever is in it
  flaps                // works for some requests, fails for the next ones
};
inline constexpr int moods = 14;

/// How long answers take, in rounds.
struct Latency {
  int usual_max = 0;
  bool dawdles = false;          // now and then an answer takes dozens
  bool refuses_at_once = false;  // so that no refusal of everything arrives after that has ended
};

class Endpoint final : public outbox::Sink {
 public:
  /// Which events the table still holds before `id` in its ordering key, delivered or not decided.
  using EarlierOfKey = std::function<std::vector<std::int64_t>(std::int64_t id)>;

  Endpoint(Model& model, std::size_t destination, std::mt19937_64& random, Latency latency,
           EarlierOfKey earlier_of_key);

  std::string name() const override { return name_; }
  void submit(std::uint64_t token, outbox::Batch batch) override;
  std::vector<Reply> collect(std::chrono::milliseconds time_max) override;
  void wake() noexcept override {}
  void abort() noexcept override;

  void set_mood(Mood mood);
  Mood mood() const { return mood_; }
  bool has_under_way(std::int64_t id) const;
  /// An earlier event of its ordering key is under way, whatever the table says of that.
  bool is_held_by_what_is_under_way(std::int64_t id) const;
  std::size_t under_way() const { return under_way_.size(); }
  /// Another URL.
  void move() { name_ += "'"; }

 private:
  struct UnderWay {
    std::uint64_t token;
    outbox::core::Answer answer;
    std::vector<std::int64_t> ids;
    bool is_taken;
    int rounds_left;
  };

  /// What it dislikes while `Mood::dislikes_some` lasts.
  struct Dislike {
    enum class Of { type, key, size } of = Of::type;
    int answer = 500;
  };

  bool is_disliked(const Event& event) const;
  outbox::core::Answer failure(int answer) const;
  std::vector<std::int64_t> read(const std::string& body);
  outbox::core::Answer answer(const std::vector<std::int64_t>& ids, const std::string& body);
  void require_turn(const std::vector<std::int64_t>& ids) const;
  void take(const std::vector<std::int64_t>& ids);
  void keep_books(const UnderWay& request);
  bool is_next_of_its_key(const Event& event) const;
  int rounds_until_answer();
  Destination& destination() const { return model_.destinations[destination_]; }
  int pick(int count) { return static_cast<int>(random_() % static_cast<std::uint64_t>(count)); }

  Model& model_;
  std::size_t destination_;
  std::mt19937_64& random_;
  Latency latency_;
  EarlierOfKey earlier_of_key_;
  Mood mood_ = Mood::works;
  Dislike dislike_;
  std::string name_;
  std::vector<UnderWay> under_way_;
};

}  // namespace simulation
