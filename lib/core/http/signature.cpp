#include "core/http/signature.hpp"

#include <algorithm>
#include <chrono>

#include "core/encoding.hpp"
#include "core/http/sha256.hpp"

namespace outbox::core {

std::optional<std::string> signing_key(std::string_view text) {
  constexpr std::string_view prefix = "whsec_";
  if (text.substr(0, prefix.size()) != prefix) return std::nullopt;
  std::optional<std::string> key = base64_bytes(text.substr(prefix.size()));
  const bool is_fit = key && key->size() >= 24 && key->size() <= 64;
  return is_fit ? key : std::nullopt;
}

std::string webhook_signature(std::string_view key, std::string_view id, Instant sent_at,
                              std::string_view body) {
  std::string text{id};
  text += '.';
  text += webhook_timestamp(sent_at);
  text += '.';
  text += body;
  std::string signature = "v1,";
  signature += base64(bytes_of(hmac_sha256(key, text)));
  return signature;
}

std::string message_id(std::string_view event_id) {
  constexpr std::size_t size_max = 128;
  const auto is_visible = [](char c) { return c > ' ' && c <= '~'; };
  const bool is_fit = !event_id.empty() && event_id.size() <= size_max &&
                      std::all_of(event_id.begin(), event_id.end(), is_visible);
  return is_fit ? std::string{event_id} : "event_" + hex(bytes_of(sha256(event_id)));
}

std::string webhook_id(const std::vector<std::string_view>& event_ids) {
  if (event_ids.size() == 1) return message_id(event_ids.front());
  std::string all;
  for (const std::string_view id : event_ids) {
    all += id;
    all += '\n';
  }
  return "batch_" + hex(bytes_of(sha256(all)));
}

std::string webhook_timestamp(Instant sent_at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(sent_at.time_since_epoch());
  return std::to_string(seconds.count());
}

}  // namespace outbox::core
