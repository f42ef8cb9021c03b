#pragma once

// What really happened, kept apart from the code under test.

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace simulation {

/// A promise was broken. `what()` says which.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(bool is_met, const std::string& promise) {
  if (!is_met) throw Violation{promise};
}

/// An event that the app committed.
struct Event {
  std::int64_t id = 0;
  std::string payload = {};
  std::string ordering_key = {};
  std::string dedupe_key = {};
  bool is_rubbish = false;  // can never be sent
  bool is_bad = false;      // the endpoint refuses it
  bool is_killer = false;   // the endpoint dies of it
  bool is_discarded = false;
  bool is_removed = false;  // erased by a person, or pruned
  bool is_dead = false;     // as the table says

  bool has_ended() const { return is_rubbish || is_discarded || is_removed || is_dead; }

  int accepted = 0;             // how often the endpoint took it
  int duplicates_due = 0;       // how often it may take it again: lost answers, crashes
  std::size_t first_doubt = 0;  // the first answer that refused it or failed at it; 0: none
  std::vector<std::size_t> lone_refusals = {};  // numbers of answers
  std::vector<std::size_t> lone_failures = {};
};

struct Model {
  std::map<std::int64_t, Event> events;         // by id
  std::map<std::string, std::int64_t> by_user;  // "e-17" → id
  std::vector<std::size_t> acceptances;         // numbers of answers, ascending
  std::size_t answers = 0;
  std::size_t requests = 0;
  std::int64_t removed = 0;
  bool is_paused = false;
  bool is_on_hold = false;  // as the dispatcher said after its last round
};

}  // namespace simulation
