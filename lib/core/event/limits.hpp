#pragma once

// The numbers of the wire, each with its source.

#include <chrono>
#include <cstddef>

namespace outbox::core {

// "at most 1,000 events or 2 MB per request", the Track API's documentation; MB read as 10^6 bytes.
inline constexpr std::size_t request_events_max = 1'000;
inline constexpr std::size_t request_bytes_max = 2'000'000;
// Smaller requests would hold no event.
inline constexpr std::size_t request_bytes_min = 1'000;

// The brackets around a batch of one: a payload beyond this can never be sent.
inline constexpr std::size_t payload_bytes_max = request_bytes_max - 2;

// What the table's CHECK allows, in characters; the library keeps to it in bytes.
inline constexpr std::size_t stored_bytes_max = 1'000'000;

// Deeper JSON has crashed parsers that recurse; no event of the Track API comes near.
inline constexpr std::size_t depth_max = 64;

// Error texts that are stored or shown.
inline constexpr std::size_t error_bytes_max = 256;

/// What is kept of an endpoint's name for a request, and of its warnings.
inline constexpr std::size_t response_id_bytes_max = 128;
inline constexpr std::size_t warnings_bytes_max = 1024;

/// The longest patience that an endpoint can ask for.
inline constexpr std::chrono::milliseconds retry_after_max = std::chrono::hours{24};

}  // namespace outbox::core
