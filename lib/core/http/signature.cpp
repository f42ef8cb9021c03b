#include "core/http/signature.hpp"

#include <chrono>
#include <cstddef>

#include "core/http/sha256.hpp"

namespace outbox::core {

namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view part = bytes.substr(at, 3);
    unsigned bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = (bits << 8U) | (i < part.size() ? static_cast<unsigned char>(part[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= part.size() ? letters[(bits >> (18U - 6U * i)) & 63U] : '=';
    }
  }
  return text;
}

std::optional<std::string> base64_bytes(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t value = letters.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = ((bits << 6U) | static_cast<unsigned>(value)) & 0xFFFFU;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 0xFFU);
  }
  return bytes;
}

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

std::string webhook_id(const std::vector<std::string_view>& event_ids) {
  if (event_ids.size() == 1) return std::string{event_ids.front()};
  std::string all;
  for (const std::string_view id : event_ids) {
    all += id;
    all += '\n';
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string id = "batch_";
  for (const std::uint8_t byte : sha256(all)) {
    id += digits[byte / 16U];
    id += digits[byte % 16U];
  }
  return id;
}

std::string webhook_timestamp(Instant sent_at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(sent_at.time_since_epoch());
  return std::to_string(seconds.count());
}

}  // namespace outbox::core
