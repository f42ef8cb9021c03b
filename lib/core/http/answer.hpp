#pragma once

// What came back for a request, as plain facts. What they mean is `judge`'s business.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace outbox::core {

enum class Arrival {
  answered,       // an HTTP status was received; if it is a 2xx, the whole exchange was
  not_sent,       // certain: the request never left (no name, no connection, no TLS)
  untrusted,      // the certificate could not be verified; nothing was sent
  no_credential,  // the token could not be had, so no request was made
  lost,           // sent, and no answer, or a broken "yes": it may have been accepted
};

struct Answer {
  Arrival arrival = Arrival::lost;
  int status = 0;  // HTTP status; 0: none
  std::string content_type = {};
  std::optional<std::chrono::milliseconds> retry_after = {};  // how long it asks to be left alone
  std::string body = {};                                      // at most 64 KiB of it
  // Nothing said how long the body is: it ended with the connection, or was packed. Never of one
  // that is longer than what is kept: its end is not looked at.
  bool may_be_cut = false;
  std::string error = {};                 // of the transport, without personal data
  std::vector<std::string> secrets = {};  // of the request: no text that is kept may quote them
  std::chrono::milliseconds took{0};
};

}  // namespace outbox::core
