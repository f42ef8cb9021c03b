#pragma once

// What an answer means.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "outbox/verdict.hpp"

namespace outbox::core {

/// What became of one event of a batch, where the endpoint says so of each.
struct EventVerdict {
  std::size_t index = 0;  // in the batch, from 0
  Verdict verdict = Verdict::failed;
  std::string reason = {};  // sanitised
};

struct Outcome {
  Verdict verdict = Verdict::unavailable;
  std::string reason = {};       // for people: "HTTP 503", "could not connect: …"; sanitised
  std::string response_id = {};  // the endpoint's name for the request; sanitised
  std::string warnings = {};     // what it warned about; sanitised
  bool is_about_size = false;    // 413: the request was too large for the endpoint
  bool has_arrived = false;      // the endpoint may have read it: its events may be to blame
  std::optional<std::chrono::milliseconds> retry_after =
      {};  // it asks to be left alone for so long
  /// Where the API answers for each event; empty: `verdict` is about all. An event that is left out
  /// counts as failed.
  std::vector<EventVerdict> events = {};
};

/// The word for the request log.
constexpr const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::delivered:
      return "delivered";
    case Verdict::refused:
      return "refused";
    case Verdict::failed:
      return "failed";
    case Verdict::unavailable:
      return "unavailable";
    case Verdict::unauthorized:
      return "unauthorized";
    case Verdict::misconfigured:
      return "misconfigured";
  }
  return "failed";
}

}  // namespace outbox::core
