#include "core/event/payload.hpp"

#include "core/event/event_check.hpp"
#include "core/event/payload_writer.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

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

// A user or an account: the members in front, the traits, and what all events have.
std::string text_of(const Identify& user, const Rules& rules, const Stamp& stamp) {
  rules.required("user_id", user.user_id);
  rules.timestamp(user.timestamp.text());
  if (!user.email.empty()) rules.address("traits.user_email", user.email);
  rules.text("traits.user_name", user.name);
  if (!user.traits.empty()) {
    rules.members("traits", user.traits,
                  set_fields({{"user_email", user.email}, {"user_name", user.name}}));
  }
  if (!user.context.empty()) {
    rules.members("context", user.context, set_fields({{"event_id", stamp.event_id}}));
  }

  std::string json;
  json.reserve(256 + user.traits.size() + user.context.size());
  Members event{json};
  event.add("user_id", user.user_id);
  event.begin("traits");
  Members traits{json};
  traits.add("user_email", user.email);
  traits.add("user_name", user.name);
  traits.add_all_of(user.traits);
  traits.end();
  event.add("timestamp", timestamp_of(user.timestamp, stamp));
  event.begin("context");
  Members context{json};
  context.add("event_id", stamp.event_id);
  context.add_all_of(user.context);
  context.end();
  event.end();
  return json;
}

std::string text_of(const Group& group, const Rules& rules, const Stamp& stamp) {
  rules.required("group_id", group.group_id);
  rules.required("user_id", group.user_id);
  rules.timestamp(group.timestamp.text());
  rules.text("traits.group_type", group.type);
  rules.text("traits.account_name", group.name);
  rules.text("traits.account_domain", group.domain);
  if (!group.traits.empty()) {
    rules.members("traits", group.traits,
                  set_fields({{"group_type", group.type},
                              {"account_name", group.name},
                              {"account_domain", group.domain}}));
  }
  if (!group.context.empty()) {
    rules.members("context", group.context,
                  set_fields({{"group_id", group.group_id},
                              {"group_type", group.type},
                              {"event_id", stamp.event_id}}));
  }

  std::string json;
  json.reserve(320 + group.traits.size() + group.context.size());
  Members event{json};
  event.add("group_id", group.group_id);
  event.add("user_id", group.user_id);
  event.begin("traits");
  Members traits{json};
  traits.add("group_type", group.type);
  traits.add("account_name", group.name);
  traits.add("account_domain", group.domain);
  traits.add_all_of(group.traits);
  traits.end();
  event.add("timestamp", timestamp_of(group.timestamp, stamp));
  event.begin("context");
  Members context{json};
  context.add("group_id", group.group_id);
  context.add("group_type", group.type);
  context.add("event_id", stamp.event_id);
  context.add_all_of(group.context);
  context.end();
  event.end();
  return json;
}

std::string text_of(const Payload& payload, const Rules& rules, const Stamp& stamp) {
  const std::string_view text = trimmed(payload.text);
  if (const auto violation = new_event_violation(text, stamp.kind)) {
    rules.refuse(violation->field, violation->reason);
  }
  return std::string{text};
}

}  // namespace

std::string_view kind_of(const Event& event) {
  if (std::holds_alternative<Identify>(event)) return event_kind::identify;
  if (std::holds_alternative<Group>(event)) return event_kind::group;
  return {};
}

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
