#pragma once

// What an answer of the endpoint means: nobody's trouble, the events', or the destination's.

namespace outbox {
inline namespace v1 {

enum class Verdict {
  delivered,     ///< The endpoint has the events.
  refused,       ///< It does not want this content (400, 413, 422): the guilty event is looked for.
  failed,        ///< It failed at this request (500, 502, 504, no answer): down, or a content that
                 ///< it cannot digest. The destination waits; events are blamed only while others
                 ///< succeed.
  unavailable,   ///< It does not work now, whatever it is given (429, no connection).
  unauthorized,  ///< It does not know us (401, 403, 407): token, key.
  misconfigured,  ///< It is not the API (404, 3xx, a web page): wrong URL, proxy, redirect.
};

/// The name, as it stands in the request log.
constexpr const char* to_string(Verdict verdict) {
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

/// A status that means something else at your endpoint than it usually does.
struct StatusMeaning {
  int status = 0;  ///< 100 to 599.
  Verdict verdict = Verdict::failed;
};

}  // namespace v1
}  // namespace outbox
