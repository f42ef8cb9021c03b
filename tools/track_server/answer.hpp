#pragma once

// What a TrackServer answers, by the contract and by the misbehaviour it was asked for; no socket.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "contract.hpp"
#include "server.hpp"

namespace track_server {

struct Answer {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  std::string retry_after = {};
  std::string date = {};
  std::chrono::milliseconds latency{0};
  bool accepts = false;  ///< The events of the request are accepted.
  bool closes = false;   ///< Nothing is sent.
};

/// The time in the form of a Date header (RFC 9110, 5.6.7).
std::string http_date();

/// "track-000017"
std::string response_id(std::size_t number);

/// By the contract.
Answer good_answer(const Verdict& verdict, const std::string& id);
/// The same, changed as `bad` asks.
Answer bad_answer(const Verdict& verdict, const std::string& id, const Misbehaviour& bad);

/// Which requests misbehave, and how. A default one behaves.
class Mood {
 public:
  Mood() = default;
  explicit Mood(Misbehaviour misbehaviour) : misbehaviour_{std::move(misbehaviour)} {}

  /// To be asked once per request, with its body; nothing: behave.
  std::optional<Misbehaviour> next(std::string_view body);

 private:
  std::optional<Misbehaviour> misbehaviour_;
  double due_ = 0.0;
};

}  // namespace track_server
