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
  /// The server may have read the message, or has said that there is no place for it.
  bool has_arrived = true;
  bool is_about_size = false;  ///< Of the message, or of what the client sent it with.
  bool is_silence = false;     ///< No server has said anything about the message.
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

inline bool has_stored(const std::vector<RelayMeaning>& meanings) {
  return std::any_of(meanings.begin(), meanings.end(), [](const RelayMeaning& meaning) {
    return meaning.verdict == Verdict::delivered;
  });
}

/// The verdict on one message of several that did not all meet the same. Where others were stored,
/// and the server says of this one that it cannot be, it has failed: it goes alone from now on,
/// since all others would wait for it at each try. Silence is nobody's fault.
inline Verdict verdict_beside_others(const RelayMeaning& meaning, bool has_stored) {
  if (meaning.is_silence && meaning.verdict == Verdict::failed) return Verdict::unavailable;
  const bool cannot_be_stored =
      meaning.verdict == Verdict::unavailable || meaning.verdict == Verdict::misconfigured;
  const bool is_said = meaning.has_arrived && !meaning.is_silence;
  return has_stored && is_said && cannot_be_stored ? Verdict::failed : meaning.verdict;
}

}  // namespace outbox::sinks
