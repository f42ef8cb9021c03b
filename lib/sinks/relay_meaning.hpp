#pragma once

// What a relay's answer for one message means, and what that makes of a batch.

#include <algorithm>
#include <string>
#include <vector>

#include "outbox/sink.hpp"

namespace outbox::sinks {

struct RelayMeaning {
  Verdict verdict = Verdict::failed;
  std::string reason = {};
  bool has_arrived = true;     ///< The server may have read the message.
  bool is_about_size = false;  ///< Of the message, or of what the client sent it with.
  bool is_silence = false;     ///< No broker has said anything about the message (Kafka's).
};

/// Whether all messages met the same; then `outcome` is about all of them.
inline bool say_of_all(Outcome& outcome, const std::vector<RelayMeaning>& meanings) {
  if (meanings.empty()) return false;
  const RelayMeaning& first = meanings.front();
  const bool are_alike = std::all_of(meanings.begin(), meanings.end(), [&](const auto& meaning) {
    return meaning.verdict == first.verdict;
  });
  if (!are_alike) return false;
  outcome.verdict = first.verdict;
  outcome.reason = first.reason;
  outcome.has_arrived = std::any_of(meanings.begin(), meanings.end(),
                                    [](const auto& meaning) { return meaning.has_arrived; });
  return true;
}

}  // namespace outbox::sinks
