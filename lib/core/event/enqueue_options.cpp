#include "core/event/enqueue_options.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/encoding.hpp"
#include "core/event/event_check.hpp"
#include "core/event/event_value.hpp"
#include "core/event/headers.hpp"
#include "core/event/limits.hpp"
#include "core/event/payload.hpp"
#include "core/event/payload_writer.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"

namespace outbox::core {

namespace {

constexpr std::size_t key_bytes_max = 256;
constexpr std::size_t kind_bytes_max = 64;
constexpr std::size_t headers_bytes_max = 4'096;

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument{"outbox: " + what};
}

void require_text(const std::string& name, const std::string& text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    refuse(name + ": longer than " + std::to_string(bytes_max) + " bytes");
  }
  if (first_invalid_utf8(text)) refuse(name + ": not UTF-8 text");
  if (text.find('\0') != std::string::npos) refuse(name + ": must not hold a NUL");
}

void require_destinations(const EnqueueOptions& options) {
  require_destination_name(options.destination);
  const auto& names = options.destinations;
  if (!names.empty() && options.destination != EnqueueOptions{}.destination) {
    refuse("destinations: and destination: give one of them");
  }
  for (auto name = names.begin(); name != names.end(); ++name) {
    require_destination_name(*name, "destinations[" + std::to_string(name - names.begin()) + "]");
    if (std::find(names.begin(), name, *name) != name) refuse("destinations: " + *name + " twice");
  }
}

void require_kind(std::span<const Event> events, const std::string& kind) {
  require_text("kind", kind, kind_bytes_max);
  if (kind.empty()) return;
  for (const Event& event : events) {
    if (is_a<Payload>(event)) continue;
    const std::string_view own = kind_of(event);
    if (kind != (own.empty() ? event_kind::track : own)) {
      refuse("kind: is for a Payload; the other events have their own");
    }
  }
}

void require_headers(const std::vector<std::pair<std::string, std::string>>& headers) {
  for (auto header = headers.begin(); header != headers.end(); ++header) {
    const auto& [name, value] = *header;
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_character)) {
      refuse("headers: a name is of letters, digits, _ and -");
    }
    const auto is_same = [&name = name](const auto& other) { return are_alike(other.first, name); };
    if (std::find_if(headers.begin(), header, is_same) != header) {
      refuse("headers: " + name + " twice");
    }
    require_text("headers: " + name, value, headers_bytes_max);
    if (holds_control(value)) refuse("headers: " + name + ": must not hold control characters");
  }
}

}  // namespace

void require_destination_name(std::string_view name, const std::string& field) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool is_name = !name.empty() && name.size() <= 32 && is_plain(name.front()) &&
                       std::all_of(name.begin(), name.end(),
                                   [&](char c) { return is_plain(c) || c == '_' || c == '-'; });
  if (!is_name) {
    throw std::invalid_argument{
        "outbox: " + field +
        ": must be 1 to 32 characters of a-z, 0-9, _ and -, and begin with a "
        "letter or a digit"};
  }
}

void require_enqueue_options(std::span<const Event> events, const EnqueueOptions& options) {
  require_destinations(options);
  require_kind(events, options.kind);
  require_headers(options.headers);
  if (options.not_before) require_instant("not_before", *options.not_before);
  require_text("ordering_key", options.ordering_key, key_bytes_max);
  require_text("dedupe_key", options.dedupe_key, key_bytes_max);
  if (!options.dedupe_key.empty() && events.size() > 1) {
    refuse("dedupe_key: names one event, but the call has several");
  }
  if (options.event_bytes_max < 1 || options.event_bytes_max > stored_bytes_max) {
    refuse("event_bytes_max: must be 1 to 1,000,000");
  }
  if (options.pending_events_max == std::size_t{0}) {
    refuse("pending_events_max: must be at least 1");
  }
  const bool has_payload = std::any_of(events.begin(), events.end(),
                                       [](const Event& event) { return is_a<Payload>(event); });
  if (options.puts_event_id_in_context && has_payload) {
    refuse("puts_event_id_in_context: a Payload is sent as given; use TrackEvent");
  }
}

std::string_view kind_of(const Event& event, const EnqueueOptions& options) {
  if (!is_a<Payload>(event)) return kind_of(event);
  return options.kind == event_kind::track ? std::string_view{} : std::string_view{options.kind};
}

std::string headers_text(const std::vector<std::pair<std::string, std::string>>& headers) {
  if (headers.empty()) return {};
  std::string text;
  for (const auto& [name, value] : headers) {
    text += text.empty() ? '{' : ',';
    append_quoted(text, name);
    text += ':';
    append_quoted(text, value);
  }
  text += '}';
  if (text.size() > headers_bytes_max) {
    refuse("headers: longer than " + std::to_string(headers_bytes_max) + " bytes as JSON");
  }
  return text;
}

}  // namespace outbox::core
