#pragma once

// What the errors of NATS mean. Pure, and without the client library: its numbers are repeated
// here, and compared with its own where it is included.

#include <string_view>

#include "sinks/relay_meaning.hpp"

namespace outbox::sinks {

/// `natsStatus` of the client.
namespace nats_status {
inline constexpr int ok = 0;
inline constexpr int io_error = 3;
inline constexpr int connection_closed = 5;
inline constexpr int no_server = 6;
inline constexpr int stale_connection = 7;
inline constexpr int secure_connection_wanted = 8;
inline constexpr int secure_connection_required = 9;
inline constexpr int connection_disconnected = 10;
inline constexpr int auth_failed = 11;
inline constexpr int not_permitted = 12;
inline constexpr int max_payload = 21;
inline constexpr int timeout = 26;
inline constexpr int ssl_error = 29;
inline constexpr int no_server_support = 30;
inline constexpr int no_responders = 34;
// Not of the client, which takes any JSON object for an acknowledgement.
inline constexpr int no_acknowledgement = -1;
}  // namespace nats_status

/// Of the answer to one message: `js_code` and `text` are JetStream's, 0 and empty when the client
/// itself says `status`.
RelayMeaning meaning_of_message(int status, int js_code, std::string_view text);

/// Of a connection that was not made; `text` is the client's word for `status`.
RelayMeaning meaning_of_connection(int status, std::string_view text);

}  // namespace outbox::sinks
