#pragma once

// SHA-256 and HMAC. Own code, since libcurl offers neither, its TLS library differs from machine to
// machine, and a crypto library would be a fourth dependency for one header (docs/decisions.md).
// Nothing secret is compared with them, so there is no timing to hide.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace outbox::core {

using Digest = std::array<std::uint8_t, 32>;

/// FIPS 180-4.
Digest sha256(std::string_view message);

/// RFC 2104, with SHA-256.
Digest hmac_sha256(std::string_view key, std::string_view message);

/// `digest` as bytes in a text.
inline std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace outbox::core
