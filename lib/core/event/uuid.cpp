#include "core/event/uuid.hpp"

namespace outbox::core {

std::string uuid7(Instant now, const std::array<std::uint8_t, 10>& random) {
  std::array<std::uint8_t, 16> bytes{};
  const auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
  for (std::size_t i = 0; i < random.size(); ++i) bytes[6 + i] = random[i];
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x70);  // version 7
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);  // variant 10

  constexpr char digits[] = "0123456789abcdef";
  std::string text = "00000000-0000-0000-0000-000000000000";
  std::size_t at = 0;
  for (const std::uint8_t byte : bytes) {
    if (text[at] == '-') ++at;
    text[at++] = digits[byte >> 4];
    text[at++] = digits[byte & 0x0F];
  }
  return text;
}

}  // namespace outbox::core
