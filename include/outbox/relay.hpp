#pragma once

// What relays to other engines have in common: how a message is written, and how it is routed. Also
// for a sink of your own.

#include <string>
#include <string_view>

#include "outbox/export.hpp"
#include "outbox/sink.hpp"

namespace outbox {
inline namespace v1 {

/// How an event becomes a message. The body is the stored payload in both, byte for byte.
enum class MessageFormat {
  plain,               ///< The engine's own headers, then those of the event.
  cloudevents_binary,  ///< The same, and the attributes of CloudEvents 1.0 as headers.
};

/// The headers that the event was enqueued with. What plain SQL wrote that is no text, has no
/// proper name (`[A-Za-z0-9_-]`), or holds control characters, is left out: it cannot be sent.
[[nodiscard]] OUTBOX_API MessageHeaders headers_of(const BatchEvent& event);

/// The attributes of CloudEvents 1.0 without the prefix of a protocol: `specversion`, `id` (the
/// event id), `source`, `type` (the kind), `time` (when it was enqueued), and `partitionkey` (the
/// ordering key, if there is one). The content type is a header of the engine's own.
[[nodiscard]] OUTBOX_API MessageHeaders cloudevents_attributes(const BatchEvent& event,
                                                               const std::string& source);

/// What a receiver may know the event by, in a header: its event id, when that is 1 to 128 visible
/// ASCII characters, else a digest of it, `event_` and 64 hexadecimal digits. SQL may store any
/// text as an event id; with a line break in it an event could write headers of its own. Unique
/// within a destination only: one enqueued to several has the same id in each. Where several lead
/// to one receiver that drops repetitions, send the destination along.
[[nodiscard]] OUTBOX_API std::string message_id(const BatchEvent& event);

/// The kind by which an event is routed: that of the event, and "track" when it has none.
[[nodiscard]] OUTBOX_API std::string routed_kind(const BatchEvent& event);

/// `pattern` with `{destination}` and `{kind}` replaced. What is put in is one token: each
/// character but `[A-Za-z0-9_-]` becomes '_'.
[[nodiscard]] OUTBOX_API std::string route(std::string_view pattern, std::string_view destination,
                                           std::string_view kind);

}  // namespace v1
}  // namespace outbox
