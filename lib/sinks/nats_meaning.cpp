#include "sinks/nats_meaning.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace outbox::sinks {

namespace {

struct Known {
  int code;
  Verdict verdict;
  bool is_about_size = false;
  std::string_view text = {};  // where the number alone comes, as for a stream that is not made
};

// nats-server's server/errors.json has the numbers.
constexpr Known jetstream_errors[] = {
    {10002, Verdict::unavailable},    // resource limits of the account
    {10008, Verdict::unavailable},    // temporarily unavailable
    {10009, Verdict::unavailable},    // no leader
    {10023, Verdict::unavailable},    // insufficient resources
    {10028, Verdict::unavailable},    // memory
    {10035, Verdict::misconfigured},  // account not found
    {10039, Verdict::misconfigured},  // JetStream not enabled for the account
    {10047, Verdict::unavailable},    // storage
    {10053, Verdict::unavailable},    // limits of the stream
    {10054, Verdict::refused, true},  // larger than the stream's max_msg_size
    {10059, Verdict::misconfigured},  // no such stream
    {10060, Verdict::misconfigured},  // not the expected stream
    {10065, Verdict::misconfigured, false, "its subjects overlap another stream's"},
    {10076, Verdict::misconfigured},  // JetStream not enabled
    {10077, Verdict::unavailable},    // the stream is full, and refuses what is new
    {10109, Verdict::misconfigured},  // the stream is sealed
    {10118, Verdict::unavailable},    // the stream is offline
    {10120, Verdict::misconfigured},  // the account has no limits
};

RelayMeaning meaning_of_jetstream(int code, std::string_view text) {
  const auto known = std::find_if(std::begin(jetstream_errors), std::end(jetstream_errors),
                                  [code](const Known& error) { return error.code == code; });
  const bool is_known = known != std::end(jetstream_errors);
  if (is_known && !known->text.empty()) text = known->text;
  std::string reason = "NATS " + std::to_string(code);
  if (!text.empty()) {
    reason += ": ";
    reason += text;
  }
  // One that nobody has thought of: it failed, and more is not known.
  if (!is_known) return {.reason = std::move(reason)};
  return {.verdict = known->verdict,
          .reason = std::move(reason),
          .is_about_size = known->is_about_size};
}

}  // namespace

RelayMeaning meaning_of_message(int status, int js_code, std::string_view text) {
  if (js_code != 0) return meaning_of_jetstream(js_code, text);
  switch (status) {
    case nats_status::ok:
      return {.verdict = Verdict::delivered};
    case nats_status::no_responders:
      return {.verdict = Verdict::misconfigured,
              .reason = "NATS: no stream takes the subject, or JetStream is not enabled"};
    case nats_status::no_acknowledgement:
      return {.verdict = Verdict::misconfigured,
              .reason = "NATS: something that is no stream answers on this subject"};
    case nats_status::max_payload:
      return {.verdict = Verdict::refused,
              .reason = "NATS: larger than the server's max_payload",
              .is_about_size = true};
    case nats_status::not_permitted:
      return {.verdict = Verdict::unauthorized, .reason = "NATS: not permitted"};
    case nats_status::auth_failed:
      return {.verdict = Verdict::unauthorized, .reason = "NATS: credentials refused"};
    case nats_status::timeout:
      return {.reason = "NATS: no acknowledgement", .is_silence = true};
    case nats_status::stale_connection:
      return {.reason = "NATS: connection lost before the acknowledgement", .is_silence = true};
    case nats_status::io_error:
    case nats_status::connection_closed:
    case nats_status::connection_disconnected:
    case nats_status::no_server:
      return {.verdict = Verdict::unavailable,
              .reason = "NATS: connection closed",
              .has_arrived = false};
    case nats_status::no_server_support:
      return {.verdict = Verdict::misconfigured,
              .reason = "NATS: the server is too old: it knows no headers",
              .has_arrived = false};
    default:
      return {.reason = "NATS client: error " + std::to_string(status), .is_silence = true};
  }
}

RelayMeaning meaning_of_connection(int status, std::string_view text) {
  RelayMeaning meaning{.verdict = Verdict::unavailable, .has_arrived = false};
  switch (status) {
    case nats_status::auth_failed:
    case nats_status::not_permitted:
      meaning.verdict = Verdict::unauthorized;
      break;
    case nats_status::secure_connection_wanted:
    case nats_status::secure_connection_required:
    case nats_status::ssl_error:
      meaning.verdict = Verdict::misconfigured;
      break;
    default:
      break;
  }
  meaning.reason = "NATS: could not connect: ";
  meaning.reason += text;
  return meaning;
}

}  // namespace outbox::sinks
