#include "core/event/payload.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/event/event_check.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"
#include "outbox/errors.hpp"

namespace outbox::core {

namespace {

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
  });
}

// Escaping is nlohmann's; most strings need none, and then copying is several times faster.
void append_quoted(std::string& json, std::string_view text) {
  if (!is_plain(text)) {
    json += nlohmann::json(text).dump();
    return;
  }
  json += '"';
  json += text;
  json += '"';
}

// Appends the members of one object; leaves out what is empty.
class Members {
 public:
  explicit Members(std::string& json) : json_{json} { json_ += '{'; }

  void add(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    begin(name);
    append_quoted(json_, text);
  }

  // The members of an object that is given as its text. Requires: it is a valid object.
  void add_all_of(std::string_view object) {
    object = trimmed(object);
    if (object.empty()) return;
    const std::string_view inner = trimmed(object.substr(1, object.size() - 2));
    if (inner.empty()) return;
    separate();
    json_ += inner;
  }

  void begin(std::string_view name) {
    separate();
    json_ += '"';
    json_ += name;
    json_ += "\":";
  }

  void end() { json_ += '}'; }

 private:
  void separate() {
    if (json_.back() != '{') json_ += ',';
  }

  std::string& json_;
};

// Refuses with the element's number, so that the checks below read as a list of rules.
class Rules {
 public:
  explicit Rules(std::size_t element) : element_{element} {}

  void text(std::string_view field, std::string_view value) const {
    if (const auto bad = first_invalid_utf8(value)) {
      refuse(field, "not UTF-8 at byte " + std::to_string(*bad));
    }
  }
  void required(std::string_view field, std::string_view value) const {
    if (value.empty()) refuse(field, "required");
    text(field, value);
  }
  void timestamp(std::string_view value) const {
    if (value.empty()) return;  // the stamp's is used
    if (const auto problem = timestamp_problem(value)) refuse("timestamp", *problem);
  }
  void address(std::string_view field, std::string_view value) const {
    required(field, value);
    if (const auto problem = address_problem(value)) refuse(field, *problem);
  }
  void members(std::string_view field, std::string_view object,
               std::span<const std::string_view> taken) const {
    if (const auto violation = member_violation(field, object, taken)) {
      refuse(violation->field, violation->reason);
    }
  }
  [[noreturn]] void refuse(std::string_view field, const std::string& reason) const {
    throw invalid_event{element_, std::string{field}, reason};
  }

 private:
  std::size_t element_;
};

std::string_view timestamp_of(const Timestamp& timestamp, const Stamp& stamp) {
  return timestamp.text().empty() ? stamp.timestamp : std::string_view{timestamp.text()};
}

using Fields = std::vector<std::string_view>;

// The names of the fields that are set, which the extra members may not repeat.
Fields set_fields(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  Fields names;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) names.push_back(name);
  }
  return names;
}

void check(const InviteSent& invite, const Rules& rules, const Stamp& stamp) {
  rules.required("user_id", invite.user_id);
  rules.address("properties.invitee_email", invite.invitee.email);
  rules.text("properties.invitee_first_name", invite.invitee.first_name);
  rules.text("properties.invitee_last_name", invite.invitee.last_name);
  rules.text("properties.invitee_role", invite.invitee.role);
  rules.text("properties.feature_name", invite.feature_name);
  rules.text("properties.team_name", invite.team_name);
  rules.text("context.group_id", invite.group_id);
  rules.timestamp(invite.timestamp.text());
  if (!invite.properties.empty()) {
    rules.members("properties", invite.properties,
                  set_fields({{"invitee_email", invite.invitee.email},
                              {"invitee_first_name", invite.invitee.first_name},
                              {"invitee_last_name", invite.invitee.last_name},
                              {"invitee_role", invite.invitee.role},
                              {"feature_name", invite.feature_name},
                              {"team_name", invite.team_name}}));
  }
  if (!invite.context.empty()) {
    rules.members("context", invite.context,
                  set_fields({{"group_id", invite.group_id}, {"event_id", stamp.event_id}}));
  }
}

std::string text_of(const InviteSent& invite, const Rules& rules, const Stamp& stamp) {
  check(invite, rules, stamp);
  std::string json;
  json.reserve(512);
  Members event{json};
  event.add("event_name", "invite_sent");
  event.begin("properties");
  Members properties{json};
  properties.add("invitee_email", invite.invitee.email);
  properties.add("invitee_first_name", invite.invitee.first_name);
  properties.add("invitee_last_name", invite.invitee.last_name);
  properties.add("invitee_role", invite.invitee.role);
  properties.add("feature_name", invite.feature_name);
  properties.add("team_name", invite.team_name);
  properties.add_all_of(invite.properties);
  properties.end();
  event.add("user_id", invite.user_id);
  event.add("timestamp", timestamp_of(invite.timestamp, stamp));
  event.begin("context");
  Members context{json};
  context.add("group_id", invite.group_id);
  context.add("event_id", stamp.event_id);
  context.add_all_of(invite.context);
  context.end();
  event.end();
  return json;
}

std::string text_of(const TrackEvent& track, const Rules& rules, const Stamp& stamp) {
  rules.required("event_name", track.event_name);
  rules.required("user_id", track.user_id);
  rules.timestamp(track.timestamp.text());
  if (!track.properties.empty()) rules.members("properties", track.properties, {});
  if (!track.context.empty()) {
    rules.members("context", track.context, set_fields({{"event_id", stamp.event_id}}));
  }

  std::string json;
  json.reserve(256 + track.properties.size() + track.context.size());
  Members event{json};
  event.add("event_name", track.event_name);
  event.begin("properties");
  Members properties{json};
  properties.add_all_of(track.properties);
  properties.end();
  event.add("user_id", track.user_id);
  event.add("timestamp", timestamp_of(track.timestamp, stamp));
  event.begin("context");
  Members context{json};
  context.add("event_id", stamp.event_id);
  context.add_all_of(track.context);
  context.end();
  event.end();
  if (track.event_name ==
      "invite_sent") {  // the address is looked at, however the invite is written
    if (const auto violation = new_event_violation(json)) {
      rules.refuse(violation->field, violation->reason);
    }
  }
  return json;
}

std::string text_of(const Payload& payload, const Rules& rules, const Stamp&) {
  const std::string_view text = trimmed(payload.text);
  if (const auto violation = new_event_violation(text)) {
    rules.refuse(violation->field, violation->reason);
  }
  return std::string{text};
}

}  // namespace

std::string payload_text(const Event& event, std::size_t element, const Stamp& stamp) {
  const Rules rules{element};
  std::string json =
      std::visit([&](const auto& kind) { return text_of(kind, rules, stamp); }, event);
  if (json.size() > stamp.bytes_max) {
    rules.refuse("", "is " + std::to_string(json.size()) + " bytes; at most " +
                         std::to_string(stamp.bytes_max) + " are allowed");
  }
  return json;
}

}  // namespace outbox::core
