#pragma once

// What an answer means.

#include <string>

namespace outbox::core {

/// Whose trouble it is: nobody's, the events', or the destination's.
enum class Verdict {
  delivered,      // the endpoint has the events
  refused,        // it does not want this content
  unauthorized,   // it does not know us: token, key
  misconfigured,  // it is not the API: wrong URL, proxy, redirect
  unavailable,    // it does not work now
};

struct Outcome {
  Verdict verdict = Verdict::unavailable;
  std::string reason = {};       // for people: "HTTP 503", "could not connect: …"; sanitised
  std::string response_id = {};  // the endpoint's name for the request; sanitised
  std::string warnings = {};     // what it warned about; sanitised
};

/// The word for the batch log.
constexpr const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::delivered:
      return "delivered";
    case Verdict::refused:
      return "refused";
    case Verdict::unauthorized:
      return "unauthorized";
    case Verdict::misconfigured:
      return "misconfigured";
    case Verdict::unavailable:
      return "unavailable";
  }
  return "unavailable";
}

}  // namespace outbox::core
