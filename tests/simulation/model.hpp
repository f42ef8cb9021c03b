#pragma once

// What really happened, kept apart from the code under test.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace simulation {

/// A promise was broken. `what()` says which.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(bool is_met, const std::string& promise) {
  if (!is_met) throw Violation{promise};
}
/// With the event that it is about.
inline void require(bool is_met, const char* promise, std::int64_t id) {
  if (!is_met) throw Violation{std::string{promise} + " (event " + std::to_string(id) + ")"};
}

/// An event that the app committed.
struct Event {
  std::int64_t id = 0;
  std::size_t destination = 0;  // in `Model::destinations`
  std::string payload = {};
  std::string ordering_key = {};
  std::string dedupe_key = {};
  std::int64_t not_before_ms = 0;  // as the app asked; 0: at once
  std::int64_t due_at_ms = 0;      // 0 also once that does not count any more
  std::int64_t enqueued_at_ms = 0;
  std::int64_t asked_at_ms = 0;  // when a person asked for it again; 0: never
  bool is_rubbish = false;       // can never be sent
  bool is_bad = false;           // the endpoint refuses it
  bool is_killer = false;     // the endpoint fails whenever it is sent it, as `killer_answer` says
  int killer_answer = 500;    // a status; 0: no answer
  bool is_disliked = false;   // the endpoint did not want its type, its key or its size for a while
  bool is_unqueued = false;   // inserted while triggers were off, and not served since
  bool is_discarded = false;  // by a person
  bool is_requeued = false;   // by a person, and not accepted since
  bool is_removed = false;    // erased by a person, or pruned
  bool is_dead = false;       // as the table says
  bool is_delivered = false;  // as the table says

  /// It may die, or stay as a suspect: what the endpoint says of it is true.
  bool is_guilty() const { return is_rubbish || is_bad || is_killer || is_disliked; }
  /// The endpoint fails at it with an answer of which no event dies: people must decide.
  bool needs_people() const {
    return is_killer && killer_answer != 0 && (killer_answer < 500 || killer_answer == 501);
  }
  bool has_ended() const { return is_rubbish || is_discarded || is_removed || is_dead; }

  int accepted = 0;             // how often the endpoint took it
  int duplicates_due = 0;       // how often it may take it again: lost answers, crashes, requeues
  std::size_t first_doubt = 0;  // the first answer that refused it or failed at it; 0: none
  std::vector<std::size_t> lone_refusals = {};  // numbers of answers
  std::vector<std::size_t> lone_failures = {};
};

/// A destination, and what its dispatcher was told.
struct Destination {
  std::string name = {};
  std::size_t connections = 1;
  bool blocks_on_dead = false;
  bool scrubs = false;
  std::chrono::milliseconds give_up_after{0};

  std::vector<std::size_t> acceptances = {};  // numbers of answers, ascending
  std::size_t answers = 0;
  std::size_t requests = 0;
  std::int64_t removed = 0;
  bool is_paused = false;
  bool is_on_hold = false;               // as the dispatcher said after its last round
  outbox::core::Instant last_look = {};  // the latest moment at which it may have seen an expiry
};

struct Model {
  std::vector<Destination> destinations;
  std::map<std::int64_t, Event> events;         // by id
  std::map<std::string, std::int64_t> by_user;  // "e-17" → id
  std::ostream* story = nullptr;                // what happens, for who looks into a seed

  /// One line of the story.
  template <class... Parts>
  void tell(const Parts&... parts) const {
    if (story != nullptr) ((*story << parts << ' '), ...) << '\n';
  }
};

/// For the story: "7,8,9".
inline std::string text_of(const std::vector<std::int64_t>& ids) {
  std::string text;
  for (const std::int64_t id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

/// The user id in a payload; empty: it has none.
inline std::string user_in(std::string_view payload, std::size_t from = 0) {
  constexpr std::string_view mark = "\"user_id\":\"";
  const std::size_t at = payload.find(mark, from);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + mark.size();
  return std::string{payload.substr(begin, payload.find('"', begin) - begin)};
}

}  // namespace simulation
